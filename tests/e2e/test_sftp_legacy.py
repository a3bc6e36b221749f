"""LegacyMacs: what older clients need is off, on when asked for, and then as hard to cheat as the rest."""
import os
import re
import secrets
import signal
import time

import pytest

from lib.instance import PASSWORD, Instance
from lib.ssh import KEX_FAILED, MAC_ERROR, PACKET_MAX, PROTOCOL_ERROR, Ssh
from lib.ssh_sftp import Fx
from lib.ssh_wire import LEGACY_MACS, MACS, Closed, Msg, string, u32

CTRS = ["aes256-ctr", "aes128-ctr"]
MIB = 1 << 20
every_mac = pytest.mark.parametrize("cipher,mac", [(c, m) for c in CTRS for m in LEGACY_MACS])


def at(server, phase, **how):
    return Ssh(server.sftp_port, "alice", **{"cipher": "aes256-ctr", "mac": "hmac-sha2-256", "password": PASSWORD, **how}).to(phase)


# ---- by default ----

@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("mac", LEGACY_MACS)
def test_refused_by_default(sftp_server, mac, strict):
    """In words, to the client and in the log, that say what would help."""
    with Ssh(sftp_server.sftp_port, cipher="aes256-ctr", mac=mac, strict=strict).to("version") as c:
        c.do_kexinit()
        assert c.offered["mac_in"] == c.offered["mac_out"] == list(MACS)
        said = c.ended()
        assert said.reason == KEX_FAILED
        assert "no common MAC" in said.disconnect.text and "LegacyMacs" in said.disconnect.text
    deadline = time.monotonic() + 5  # what rooms log goes through the supervisor
    while said.disconnect.text not in sftp_server.log() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert said.disconnect.text in sftp_server.log()


def test_refused_in_one_direction(sftp_server):
    """One good MAC does not excuse the other."""
    for name in ("mac_in", "mac_out"):
        with Ssh(sftp_server.sftp_port, cipher="aes256-ctr").to("version") as c:
            c.do_kexinit(**{name: ["hmac-sha2-256"]})
            assert c.ended().reason == KEX_FAILED


def test_curl_is_refused_by_default(door):
    """Debian's curl 7.88 has nothing better; a newer one gets in."""
    version = re.search(r"libssh2/(\d+)\.(\d+)", door.run(["curl", "-V"]).out)
    old = version and (int(version[1]), int(version[2])) < (1, 11)
    assert (door.curl(check=False).code != 0) == bool(old)


# ---- with LegacyMacs yes ----

def test_offered_last(legacy_server):
    with at(legacy_server, "newkeys") as c:
        assert c.offered["mac_in"] == c.offered["mac_out"] == [*MACS, *LEGACY_MACS]


def test_others_are_still_refused(legacy_server):
    """SHA-1 and MD5 do not come with it."""
    for mac in ("hmac-sha1", "hmac-md5", "hmac-sha2-256-96", "umac-64@openssh.com", "none", ""):
        with Ssh(legacy_server.sftp_port, cipher="aes256-ctr", mac=mac).to("version") as c:
            c.do_kexinit()
            said = c.ended()
            assert said.reason == KEX_FAILED and "no common MAC" in said.disconnect.text


@every_mac
def test_openssh_with_new_keys_all_the_time(legacy_door, legacy_place, cipher, mac):
    data = secrets.token_bytes(10 * MIB + 17)
    legacy_door.file("x", data)
    done = legacy_door.sftp(f"put x {legacy_place}/x\nget {legacy_place}/x back", f"Ciphers={cipher}", f"MACs={mac}", "RekeyLimit=1M", "LogLevel=DEBUG1")
    assert legacy_door.read("back") == data
    assert set(re.findall(r"kex: \S+ cipher: (\S+) MAC: (\S+)", done.err)) == {(cipher, mac)}
    assert done.err.count("SSH2_MSG_NEWKEYS sent") > 10


@pytest.mark.parametrize("strict", [False, True])
@every_mac
def test_with_and_without_strict_key_exchange(legacy_server, legacy_place, cipher, mac, strict):
    with at(legacy_server, "sftp", cipher=cipher, mac=mac, strict=strict) as c:
        assert c.strict == strict
        c.sftp.put(f"{legacy_place}/x", b"older" * 100_000)
        assert c.sftp.get(f"{legacy_place}/x") == b"older" * 100_000


def test_to_and_from_other_algorithms(legacy_server, legacy_place):
    """The kind of protection changes with the keys, and may differ by direction."""
    with at(legacy_server, "sftp") as c:
        for cipher_in, cipher_out, mac_in, mac_out in (("aes256-gcm@openssh.com", "aes128-ctr", "none", "hmac-sha2-512"),
                                                       ("aes128-ctr", "aes256-ctr", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com"),
                                                       ("aes256-ctr", "aes256-ctr", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256")):
            c.exchange(cipher_in=[cipher_in], cipher_out=[cipher_out], mac_in=[mac_in], mac_out=[mac_out])
            c.sftp.put(f"{legacy_place}/x", mac_out.encode() * 10_000)
            assert c.sftp.get(f"{legacy_place}/x") == mac_out.encode() * 10_000


@pytest.mark.parametrize("mac", LEGACY_MACS)
@pytest.mark.parametrize("phase", ["newkeys", "sftp"])
def test_one_bit(legacy_server, phase, mac):
    """Of the length, the text or the MAC: whatever was in the packet is not done."""
    tag = LEGACY_MACS[mac]
    for at_byte, bit in ((0, 7), (1, 2), (2, 7), (3, 0), (3, 4), (3, 5), (4, 0), (5, 7), (6, 3), (10, 1), (-1, 0), (-1, 7), (-16, 0), (-tag, 0), (-tag - 1, 6)):
        def flip(wire):
            i = at_byte % len(wire)
            return wire[:i] + bytes([wire[i] ^ 1 << bit]) + wire[i + 1:]

        with at(legacy_server, phase, mac=mac) as c:
            if phase == "sftp":
                payload = c.channel.message(Msg.CHANNEL_DATA, string(string(bytes([Fx.MKDIR]) + u32(1) + string("by-one-bit") + u32(0))))
            else:
                payload = bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth")
            c.send(payload, mangle=flip)
            if at_byte in (0, 1, 2, 3):  # a length: more may be waited for, in vain
                try:
                    c.write(os.urandom(PACKET_MAX + 1000))
                except Closed:
                    pass
            answers = []
            try:
                while True:
                    answers.append(c.recv_packet())
            except Closed as closed:
                assert closed.reason in (None, MAC_ERROR, PROTOCOL_ERROR), closed
            assert not any(a[0] in (Msg.SERVICE_ACCEPT, Msg.CHANNEL_DATA) for a in answers), f"{at_byte}.{bit}: {answers}"
    with at(legacy_server, "sftp") as c:
        assert "by-one-bit" not in c.sftp.list(".")


@every_mac
def test_a_packet_twice_and_one_left_out(legacy_server, cipher, mac):
    with at(legacy_server, "sftp", cipher=cipher, mac=mac) as c:
        wires = []
        c.send(bytes([Msg.IGNORE]) + string(b"once"), mangle=lambda w: wires.append(w) or w)
        c.write(wires[0])
        assert c.ended().reason in (None, MAC_ERROR, PROTOCOL_ERROR)
    with at(legacy_server, "sftp", cipher=cipher, mac=mac) as c:
        c.send(bytes([Msg.IGNORE]) + string(b"lost"), mangle=lambda w: b"")
        c.send(bytes([Msg.IGNORE]) + string(b"x"))
        try:
            c.write(os.urandom(PACKET_MAX + 1000))  # what the wrong key stream makes of the length may be waited for
        except Closed:
            pass
        assert c.ended().reason in (None, MAC_ERROR, PROTOCOL_ERROR)


@pytest.mark.parametrize("length", [0, 1, 4, 8, 11, 13, 16, 27, 29, 32, PACKET_MAX + 12, 1 << 20, (1 << 32) - 4, (1 << 32) - 1])
def test_lengths_that_are_none(legacy_server, length):
    """4 + length is what must be a multiple of 16 here.  Said by one who has the keys, and refused before more is awaited."""
    with at(legacy_server, "sftp") as c:
        c.write(c.out.crypt.update(u32(length)))
        said = c.ended(5)
        assert said.reason == PROTOCOL_ERROR and "length" in said.disconnect.text


def test_the_smallest_and_the_largest_packet(legacy_server):
    with at(legacy_server, "sftp") as c:
        c.send(bytes([Msg.IGNORE]) + string(b""), pad=6)  # 16 bytes in all
        payload = PACKET_MAX - 4 - 1 - 4
        c.send(bytes([Msg.IGNORE]) + string(bytes(payload - 5)), pad=4)
        assert c.sftp.realpath()
        c.send(bytes([Msg.IGNORE]) + string(bytes(payload - 5 + 16)), pad=4)
        assert c.ended().reason in (None, PROTOCOL_ERROR)


def test_byte_by_byte(legacy_server):
    """The length field is decrypted once, however slowly the packet arrives."""
    with at(legacy_server, "newkeys") as c:
        wires = []
        c.send(bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth"), mangle=lambda w: wires.append(w) or b"")
        for i in range(len(wires[0])):
            c.write(wires[0][i:i + 1])
            time.sleep(0.003)
        c.expect(Msg.SERVICE_ACCEPT)


def test_reload(identity):
    """The setting is taken up by a reload, both ways."""
    with Instance(identity, sftp=True) as instance:
        instance.add_user("alice")
        for value in ("yes", "no"):
            instance.set("LegacyMacs", value)
            instance.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 10
            offered = None
            while offered is None or (set(LEGACY_MACS) <= set(offered)) != (value == "yes") and time.monotonic() < deadline:
                with at(instance, "kexinit") as c:
                    offered = c.offered["mac_in"]
            assert offered == [*MACS, *(LEGACY_MACS if value == "yes" else [])]
