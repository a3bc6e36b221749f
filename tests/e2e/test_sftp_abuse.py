"""What no honest SSH client does, in every phase: nobody gets further by it, and everybody else is served all the while."""
import os
import random
import select
import time

import pytest

from lib.instance import PASSWORD, descendants
from lib.sftp import add_key
from lib.ssh import KEX_FAILED, MAC_ERROR, PACKET_MAX, PROTOCOL_ERROR, STRICT, Ssh
from lib.ssh_sftp import CREAT, READ, TRUNC, WRITE, Fx, Status
from lib.ssh_wire import CIPHERS, MACS, BadTag, Closed, Msg, Reader, UserKey, string, u32

MIB = 1 << 20
SERVERS = {Msg.SERVICE_ACCEPT, Msg.ECDH_REPLY, Msg.USERAUTH_FAILURE, Msg.USERAUTH_SUCCESS, Msg.USERAUTH_BANNER, Msg.PK_OK_OR_INFO_REQUEST,
           Msg.OPEN_CONFIRMATION, Msg.OPEN_FAILURE, Msg.CHANNEL_SUCCESS, Msg.CHANNEL_FAILURE}  # never a client's to say
MEANINGLESS = {Msg.IGNORE, Msg.DEBUG, Msg.UNIMPLEMENTED}
# phase: numbers that belong there
AT_HOME = {"version": {Msg.KEXINIT}, "kexinit": {Msg.ECDH_INIT}, "kex": {Msg.NEWKEYS}, "newkeys": {Msg.SERVICE_REQUEST, Msg.EXT_INFO, Msg.KEXINIT},
           "auth": {Msg.USERAUTH_REQUEST, Msg.KEXINIT}, "prompt": {Msg.USERAUTH_REQUEST, Msg.INFO_RESPONSE, Msg.KEXINIT}}
NEXT = {"version": "kexinit", "kexinit": "kex", "kex": "newkeys", "newkeys": "auth", "auth": "open"}
BODIES = {
    Msg.DISCONNECT: u32(11) + string("bye") + string(""), Msg.IGNORE: string(b"x" * 10), Msg.UNIMPLEMENTED: u32(0), Msg.DEBUG: b"\0" + string("x") + string(""),
    Msg.SERVICE_REQUEST: string("ssh-connection"), Msg.SERVICE_ACCEPT: string("ssh-userauth"), Msg.EXT_INFO: u32(1) + string("server-sig-algs") + string("ssh-rsa"),
    Msg.ECDH_INIT: string(os.urandom(32)), Msg.ECDH_REPLY: string(b"") * 3, Msg.USERAUTH_FAILURE: string("none") + b"\1",
    Msg.USERAUTH_REQUEST: string("alice") + string("ssh-connection") + string("none"), Msg.USERAUTH_BANNER: string("hello") + string(""),
    Msg.PK_OK_OR_INFO_REQUEST: string("") * 3 + u32(0), Msg.INFO_RESPONSE: u32(1) + string(PASSWORD), Msg.GLOBAL_REQUEST: string("keepalive@openssh.com") + b"\1",
    Msg.CHANNEL_OPEN: string("session") + u32(0) + u32(1 << 20) + u32(32768), Msg.OPEN_CONFIRMATION: u32(0) * 4, Msg.OPEN_FAILURE: u32(0) * 2 + string("") * 2,
    Msg.WINDOW_ADJUST: u32(0) * 2, Msg.CHANNEL_DATA: u32(0) + string("x"), Msg.EXTENDED_DATA: u32(0) + u32(1) + string("x"), Msg.CHANNEL_EOF: u32(0),
    Msg.CHANNEL_CLOSE: u32(0), Msg.CHANNEL_REQUEST: u32(0) + string("subsystem") + b"\1" + string("sftp"), Msg.CHANNEL_SUCCESS: u32(0), Msg.CHANNEL_FAILURE: u32(0),
}


@pytest.fixture(scope="module")
def port(sftp_server):
    """The door's port.  At the end no worker may have been killed by a signal, and none have broken the rules between rooms."""
    yield sftp_server.sftp_port
    bad = [e for e in sftp_server.audit() if e["event"] in ("worker.killed", "worker.violation", "room.died")]
    assert not bad, bad[:3]


@pytest.fixture(autouse=True)
def served(port):
    """After every one of these somebody else logs in and works."""
    yield
    with Ssh(port, "bob", password=PASSWORD).to("sftp") as c:
        assert c.sftp.realpath() == "/Home/bob"


def at(port, phase, **how):
    how.setdefault("password", PASSWORD)
    return Ssh(port, "alice", **how).to(phase)


def whatever_comes(c, quiet=0.5):
    """All payloads until the server closes or says nothing for a moment: (payloads, has it closed?)."""
    out = []
    c.socket.settimeout(quiet)
    try:
        while True:
            out.append(c.recv_packet())
    except Closed:
        return out, True
    except TimeoutError:
        return out, False
    finally:
        if c.socket.fileno() >= 0:
            c.socket.settimeout(30)


# ---- every number in every phase ----

@pytest.mark.parametrize("strict", [True, False], ids=["strict", "not strict"])
@pytest.mark.parametrize("phase", ["version", "kexinit", "kex"])
def test_every_number_before_the_keys(port, phase, strict):
    """In the first exchange only what is awaited; with strict key exchange, which a client's KEXINIT asks for, not even IGNORE."""
    loose = not strict or phase == "version"
    for number in range(256):
        if number in AT_HOME[phase] or number == Msg.DISCONNECT:
            continue
        with at(port, phase, strict=strict) as c:
            c.send(bytes([number]) + BODIES.get(number, b""))
            if number in MEANINGLESS and loose:
                # harmless where nothing says otherwise; a strict client's KEXINIT had to be the first of all
                if strict:
                    with pytest.raises(Closed):
                        c.to("kex")
                else:
                    c.to(NEXT[phase])
                continue
            if loose and number not in SERVERS and number not in BODIES and number not in (Msg.NEWKEYS, Msg.NEWCOMPRESS) and number < 50:
                # unknown: UNIMPLEMENTED will do as well
                try:
                    while c.recv_packet()[0] != Msg.UNIMPLEMENTED:
                        pass
                except Closed:
                    pass
                continue
            said = c.ended()
            assert said.reason in (None, PROTOCOL_ERROR), f"{number}: {said}"


@pytest.mark.parametrize("phase", ["newkeys", "auth", "prompt"])
def test_every_number_before_the_login(port, phase):
    """Server-only messages and those of later phases end it (RFC 4252 section 6); the rest changes nothing."""
    with at(port, phase) as c:  # what is harmless, all on one connection
        for number in MEANINGLESS:
            c.send(bytes([number]) + BODIES[number])
        unknown = [n for n in range(0, 50) if n not in BODIES and n not in (Msg.KEXINIT, Msg.NEWKEYS, Msg.NEWCOMPRESS)]
        for number in unknown:
            seq = c.out_seq
            c.send(bytes([number]))
            payload = c.recv()
            assert payload == bytes([Msg.UNIMPLEMENTED]) + u32(seq), f"{number}: {payload!r}"
        c.probe_not_in()
    for number in range(256):
        if number in AT_HOME[phase] | MEANINGLESS | {Msg.DISCONNECT} or number in unknown:
            continue
        with at(port, phase) as c:
            c.send(bytes([number]) + BODIES.get(number, b""))
            answers, closed = whatever_comes(c)
            if not closed:
                assert 50 <= number < 80 and number not in SERVERS | {Msg.USERAUTH_REQUEST, Msg.INFO_RESPONSE}, f"{number} was accepted: {answers}"
                assert all(a[0] in (Msg.UNIMPLEMENTED, Msg.EXT_INFO) for a in answers), f"{number}: {answers}"
                c.probe_not_in()
            else:
                assert not any(a[0] in (Msg.USERAUTH_SUCCESS, Msg.OPEN_CONFIRMATION, Msg.SERVICE_ACCEPT) for a in answers)


@pytest.mark.parametrize("phase", ["open", "channel", "sftp"])
def test_every_number_after_the_login(port, phase):
    """Server-only messages end it; unknown ones are answered with their sequence number; late logins are nobody's."""
    with at(port, phase) as c:
        for number in [n for n in range(256) if n not in BODIES and n not in SERVERS and n not in (Msg.KEXINIT, Msg.NEWKEYS, Msg.NEWCOMPRESS, Msg.REQUEST_SUCCESS, Msg.REQUEST_FAILURE)]:
            seq = c.out_seq
            c.send(bytes([number]))
            payload = c.recv()
            assert payload == bytes([Msg.UNIMPLEMENTED]) + u32(seq), f"{number}: {payload!r}"
        for number in MEANINGLESS:
            c.send(bytes([number]) + BODIES[number])
        for method in ("none", "password"):  # RFC 4252 section 5.3: ignored
            c.send(c.request("bob", method, b"\0" + string(PASSWORD) if method == "password" else b""))
        c.send(bytes([Msg.INFO_RESPONSE]) + BODIES[Msg.INFO_RESPONSE])
        assert c.to("sftp").sftp.realpath() == "/Home/alice"
    for number in SERVERS | {Msg.SERVICE_REQUEST, Msg.EXT_INFO, Msg.NEWCOMPRESS, Msg.NEWKEYS, Msg.ECDH_INIT}:
        with at(port, phase) as c:
            c.send(bytes([number]) + BODIES.get(number, b""))
            answers, closed = whatever_comes(c)
            assert closed, f"{number}: {answers}"


def test_success_from_a_client(port):
    """CVE-2018-10933: USERAUTH_SUCCESS from a client, then a channel."""
    for phase in ("newkeys", "auth", "prompt"):
        with at(port, phase) as c:
            try:
                c.send(bytes([Msg.USERAUTH_SUCCESS]))
                c.send(c.open_request())
                c.send(bytes([Msg.CHANNEL_REQUEST]) + BODIES[Msg.CHANNEL_REQUEST])
            except Closed:
                pass
            assert c.ended().reason in (None, PROTOCOL_ERROR)


def test_messages_of_others_while_a_prompt_is_open(port):
    """A request gives the prompt up; its answer comes too late then."""
    with at(port, "prompt") as c:
        assert c.try_none() is not True
        c.respond(PASSWORD)
        c.probe_not_in()


# ---- the version line ----

@pytest.mark.parametrize("line", [b"", b"SSH-1.5-old", b"SSH-2.1-new", b"SSH-2.0", b"SSH-2.0-", b"HTTP/1.1 GET /", b"GET / HTTP/1.1\r\nHost: x\r\n", b"SSH-2.0-a\0b",
                                  b"SSH-2.0-" + b"x" * 300, b"x" * 100_000, b"SSH-2.0-\xff\xfe", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", b"\n" * 1000,
                                  b"EHLO x", b"SSH-2.0-x\ry"], ids=lambda b: repr(b[:20]))
def test_version_lines_that_are_none(port, line):
    with Ssh(port) as c:
        try:
            c.write(line + b"\r\n")
        except Closed:
            return
        said = b""
        try:
            while True:
                part = c.socket.recv(4096)
                if not part:
                    break
                said += part
                if len(said) > 3000:
                    break
        except ConnectionError:
            return
        except TimeoutError:
            raise AssertionError(f"still waiting after {line[:30]!r}") from None
        assert len(said) < 3000


def test_version_199_is_2(port):
    with Ssh(port, "alice", password=PASSWORD, version=b"SSH-1.99-old") as c:
        assert c.to("sftp").sftp.realpath()


def test_version_byte_by_byte(port):
    with Ssh(port, "alice", password=PASSWORD) as c:
        for i in range(len(c.client_version)):
            c.write(c.client_version[i:i + 1])
            time.sleep(0.005)
        c.client_version, keep = b"", c.client_version
        c.to("version")
        c.client_version = keep
        assert c.to("sftp").sftp.realpath()


# ---- packets ----

@pytest.mark.parametrize("length", [0, 1, 4, 5, 11, 13, 15, 17, 35001, PACKET_MAX + 4, 1 << 20, (1 << 31) - 4, (1 << 32) - 8, (1 << 32) - 4, (1 << 32) - 1])
@pytest.mark.parametrize("phase", ["version", "newkeys", "open"])
def test_lengths_that_are_none(port, phase, length):
    """Too small, no multiple of the block, too large: refused at once, not waited for."""
    with at(port, phase) as c:
        if c.out.block == 16 and length == 17:
            return
        c.write(u32(length) + bytes([4]) + bytes(59))  # AES-GCM's length field is in the clear
        begin = time.monotonic()
        c.ended()
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize("cipher,mac", [(c, m) for c in CIPHERS for m in MACS if "ctr" in c or m == next(iter(MACS))])
def test_padding_that_is_none(port, cipher, mac):
    """Well authenticated, and yet wrong: padding shorter than 4, or longer than the packet."""
    for pad, count in ((0, 0), (1, 1), (3, 3), (255, 12), (None, 12), (None, 13)):
        with at(port, "open", cipher=cipher, mac=mac) as c:
            body = bytes([Msg.IGNORE]) + string(b"")
            n = 1 + len(body)
            fill = -n % c.out.block
            inner = body + bytes(fill)
            says = len(inner) + (count - 12) if pad is None else pad  # as long as all that follows, or one more
            c.send_packet(u32(1 + len(inner)) + bytes([says]) + inner)
            assert c.ended().reason in (None, PROTOCOL_ERROR)


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("phase", ["version", "newkeys", "auth", "open", "channel", "sftp"])
def test_payloads_of_almost_nothing(port, phase, size):
    """No payload at all is no message; one byte is a message cut short."""
    for number in (Msg.KEXINIT, Msg.ECDH_INIT, Msg.SERVICE_REQUEST, Msg.USERAUTH_REQUEST, Msg.GLOBAL_REQUEST, Msg.CHANNEL_OPEN, Msg.CHANNEL_DATA, Msg.CHANNEL_REQUEST,
                   Msg.WINDOW_ADJUST):
        if number == Msg.USERAUTH_REQUEST and phase in ("open", "channel", "sftp"):
            continue  # late ones are ignored, whatever is in them
        with at(port, phase) as c:
            c.send((bytes([number]) + b"\0")[:size])
            c.ended()
        if size == 0:
            break


@pytest.mark.parametrize("cipher", CIPHERS)
def test_the_largest_packet(port, cipher):
    """packet_length of 256 KiB is accepted, one block more is not."""
    with at(port, "sftp", cipher=cipher) as c:
        most = PACKET_MAX - (0 if c.out.apart else 4)
        most -= most % c.out.block
        payload = most - 1 - 4
        c.send(bytes([Msg.IGNORE]) + string(bytes(payload - 5)), pad=4)
        assert c.sftp.realpath()
        c.send(bytes([Msg.IGNORE]) + string(bytes(payload - 5 + c.out.block)), pad=4)
        assert c.ended().reason in (None, PROTOCOL_ERROR)


def test_padding_of_255(port):
    with at(port, "sftp") as c:
        for pad in range(4, 256):
            payload = bytes([Msg.IGNORE]) + string(bytes(-(1 + 5 + pad) % 16))
            c.send(payload, pad=pad)
        assert c.sftp.realpath()


# ---- one bit ----

def flip(position):
    """Changes one bit of what goes onto the wire; position: which byte (negative: from the end) and which bit."""
    def mangle(wire):
        at, bit = position
        at = at if at >= 0 else len(wire) + at
        return wire[:at] + bytes([wire[at] ^ 1 << bit]) + wire[at + 1:]
    return mangle


BITS = [(4, 0), (5, 7), (6, 3), (10, 1), (-1, 0), (-1, 7), (-8, 4), (-15, 1), (-16, 0), (-17, 2)]


@pytest.mark.parametrize("cipher,mac", [(c, m) for c in CIPHERS for m in MACS if "ctr" in c or m == next(iter(MACS))])
@pytest.mark.parametrize("phase", ["newkeys", "auth", "sftp"])
def test_one_bit(port, phase, cipher, mac):
    """A tag, MAC, ciphertext or length that is wrong by one bit is never accepted (CVE-2026-59847)."""
    good = {"newkeys": bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth"), "auth": None, "sftp": None}
    tag = 16 if "ctr" not in cipher else MACS[mac]
    bits = BITS + ([(-tag, 0), (-tag + 1, 5), (-tag - 1, 6)] if tag != 16 else []) + [(3, 0), (0, 7), (1, 2)]
    for position in bits:
        with at(port, phase, cipher=cipher, mac=mac) as c:
            if phase == "auth":
                payload = c.request("alice", "password", b"\0" + string(PASSWORD))
            elif phase == "sftp":
                payload = c.channel.message(Msg.CHANNEL_DATA, string(string(bytes([Fx.MKDIR]) + u32(1) + string("by-one-bit") + u32(0))))
            else:
                payload = good["newkeys"]
            c.send(payload, mangle=flip(position))
            if position[0] in (0, 1, 2, 3):  # a length: more may be waited for, in vain
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
            assert not any(a[0] in (Msg.SERVICE_ACCEPT, Msg.USERAUTH_SUCCESS, Msg.USERAUTH_FAILURE, Msg.CHANNEL_DATA) for a in answers), f"{position}: {answers}"
    with at(port, "sftp") as c:
        assert "by-one-bit" not in c.sftp.list(".")


def test_a_packet_twice_and_one_left_out(port):
    """Sequence numbers are part of what is authenticated."""
    for cipher in CIPHERS:
        with at(port, "sftp", cipher=cipher) as c:
            wires = []
            c.send(bytes([Msg.IGNORE]) + string(b"once"), mangle=lambda w: wires.append(w) or w)
            c.write(wires[0])
            assert c.ended().reason in (None, MAC_ERROR, PROTOCOL_ERROR)
        with at(port, "sftp", cipher=cipher) as c:
            c.send(bytes([Msg.IGNORE]) + string(b"never"), mangle=lambda w: b"")
            try:
                c.send(bytes([Msg.IGNORE]) + string(b"behind it"))
                c.write(os.urandom(PACKET_MAX))
            except Closed:
                pass
            assert c.ended().reason in (None, MAC_ERROR, PROTOCOL_ERROR)


def test_clear_text_after_the_keys(port):
    for phase in ("newkeys", "auth", "sftp"):
        with at(port, phase) as c:
            try:
                c.write(u32(12) + bytes([10, Msg.IGNORE]) + bytes(10) + os.urandom(PACKET_MAX))
            except Closed:
                pass
            c.ended()


# ---- key exchange ----

@pytest.mark.parametrize("name", ["kex", "host_key", "cipher_in", "cipher_out", "mac_in", "mac_out", "zip_in", "zip_out"])
def test_nothing_in_common(port, name):
    weak = {"kex": ["diffie-hellman-group1-sha1", "diffie-hellman-group14-sha256"], "host_key": ["ssh-rsa", "ssh-dss"], "zip_in": ["zlib"], "zip_out": ["zlib@openssh.com"]}
    for words in (weak.get(name, ["aes256-cbc", "3des-cbc", "arcfour", "hmac-sha1", "hmac-md5", "none"]), [""], ["unheard-of@example.com"]):
        with Ssh(port, cipher="aes256-ctr").to("version") as c:
            c.lists[name] = words
            c.send(c.kexinit())
            assert c.ended().reason in (None, KEX_FAILED, PROTOCOL_ERROR)


@pytest.mark.parametrize("word", [STRICT, "kex-strict-s-v00@openssh.com", "ext-info-c", "ext-info-s", "curve25519-sha256@libssh.org,", ",curve25519-sha256", "a,,b", "x" * 65,
                                  "curve25519-sha256\0", "\x80", "*"])
def test_lists_that_are_none(port, word):
    """Markers are no methods, and lists that no list may be are none."""
    with Ssh(port).to("version") as c:
        c.lists["kex"] = [word]
        c.send(c.kexinit())
        c.ended()


@pytest.mark.parametrize("cipher", [c for c in CIPHERS if "gcm" not in c])
def test_terrapin_without_strict_exchange(port, cipher):
    """CVE-2023-48795.  The attacker in the middle has the server count one message more in the clear, and takes away the first that is protected.
    What comes behind that must not be taken for good; ChaCha20-Poly1305, which would take it, is not to be had without strict key exchange."""
    with Ssh(port, "alice", cipher=cipher, strict=False).to("version") as c:
        if cipher.startswith("chacha"):
            c.send(c.kexinit())
            assert c.ended().reason in (None, KEX_FAILED)
            return
        c.to("kex")
        c.send(bytes([Msg.IGNORE]) + string(b"inserted in the middle"))
        c.out_seq -= 1  # which the client knows nothing of
        c.to("newkeys")
        c.send(bytes([Msg.EXT_INFO]) + u32(0), mangle=lambda wire: b"")  # taken away
        answers, closed = [], False
        for _ in range(50):  # each is noise to the server, which may well call it unknown
            try:
                c.send(bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth"))
            except Closed:
                closed = True
            more, over = whatever_comes(c, quiet=0.1)
            answers += more
            if closed or over:
                break
        assert closed or over
        assert not any(a[0] == Msg.SERVICE_ACCEPT for a in answers), "the message that was taken away is not missed"


@pytest.mark.parametrize("cipher", CIPHERS)
def test_terrapin_with_strict_exchange(port, cipher):
    for phase in ("version", "kexinit", "kex"):
        with Ssh(port, "alice", cipher=cipher).to(phase) as c:
            c.send(bytes([Msg.IGNORE]) + string(b"inserted in the middle"))
            with pytest.raises(Closed):
                c.to("auth")


def test_two_kexinits(port):
    for strict in (True, False):
        with Ssh(port, strict=strict).to("kexinit") as c:
            c.send(c.kexinit())
            assert c.ended().reason in (None, PROTOCOL_ERROR)
        with at(port, "sftp", strict=strict) as c:  # and in a later exchange
            c.send(c.kexinit())
            c.send(c.kexinit())
            c.ended()


def test_a_guess_that_was_wrong(port):
    """first_kex_packet_follows with a method that is not agreed on: the guessed packet is left out of account (RFC 4253 section 7)."""
    with Ssh(port, "alice", password=PASSWORD).to("version") as c:
        c.i_c = c.kexinit(kex=["unheard-of@example.com", *c.lists["kex"]], first_follows=1)
        c.send(c.i_c)
        c.send(bytes([Msg.ECDH_INIT]) + string(b"guessed wrong"))
        theirs = c.recv_packet()
        c.kexinit = lambda **lists: c.i_c
        c.send, keep = (lambda payload: None), c.send
        c.do_kexinit(theirs)
        c.send = keep
        c.agreed["kex"] = "curve25519-sha256"
        c.phase = "kexinit"
        assert c.to("sftp").sftp.realpath()


@pytest.mark.parametrize("kex", ["curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384"])
def test_public_values_that_are_none(port, kex):
    """Of a small order, not on the curve, at infinity, of the wrong length: no keys are agreed on (RFC 5656 section 4, RFC 8731 section 3)."""
    if kex.startswith("curve"):
        bad = [bytes(32), bytes([1]) + bytes(31), b"\xff" * 32, b"\xec" + b"\xff" * 30 + b"\x7f", b"\xed" + b"\xff" * 30 + b"\x7f", b"\xee" + b"\xff" * 30 + b"\x7f",
               bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), b"", bytes(31), os.urandom(33), os.urandom(97)]
        bad.remove(b"\xff" * 32)  # a point like others once its top bit is off
    else:
        n = 32 if "256" in kex else 48
        bad = [b"\0", b"\4" + bytes(2 * n), b"\4" + b"\xff" * 2 * n, b"\4" + os.urandom(2 * n), b"\2" + os.urandom(n), b"", b"\4" + os.urandom(2 * n - 1), b"\4" + os.urandom(2 * n + 1),
               b"\x06" + os.urandom(2 * n)]
    for value in bad:
        with Ssh(port, kex=kex).to("kexinit") as c:
            c.send(bytes([Msg.ECDH_INIT]) + string(value))
            assert c.ended().reason in (None, KEX_FAILED, PROTOCOL_ERROR), value.hex()


def test_newkeys_too_early(port):
    with Ssh(port).to("kexinit") as c:
        c.send(bytes([Msg.NEWKEYS]))
        c.ended()
    with Ssh(port).to("kex") as c:  # twice
        c.to("newkeys")
        c.send(bytes([Msg.NEWKEYS]))
        c.ended()


def test_requests_before_an_exchange_is_over(port):
    """A login that is sent between KEXINIT and NEWKEYS is none (RFC 4253 section 7.1)."""
    with at(port, "kexinit") as c:
        c.send(c.request("alice", "password", b"\0" + string(PASSWORD)))
        c.ended()
    with at(port, "kex") as c:
        c.send(c.request("alice", "password", b"\0" + string(PASSWORD)))
        c.ended()


def test_rekeying_at_odd_moments(port):
    """Before the channel, before the subsystem, between a request and its answer, in the middle of a write."""
    with at(port, "open") as c:
        c.exchange()
        c.to("channel")
        c.exchange()
        c.to("sftp")
        handle = c.sftp.open("rekeyed", WRITE | CREAT | TRUNC)
        data = os.urandom(200_000)
        packet = string(bytes([Fx.WRITE]) + u32(7) + string(handle) + bytes(8) + string(data))
        for at_byte in range(0, len(packet), 32_000):  # one write in many packets with an exchange between each
            c.channel.send(packet[at_byte:at_byte + 32_000])
            c.exchange()
        _, kind, r = c.sftp.reply()
        assert kind == Fx.STATUS and r.u32() == 0
        c.sftp.close(handle)
        n = c.sftp.ask(Fx.STAT, string("rekeyed"))
        c.exchange()
        assert c.sftp.reply()[0] == n
        assert c.sftp.get("rekeyed") == data


@pytest.mark.parametrize("phase", ["newkeys", "auth", "prompt"])
def test_rekeying_before_the_login(port, phase):
    """One signature for a stranger, not two: whoever is not logged in is not given another exchange."""
    with at(port, phase) as c:
        with pytest.raises(Closed):
            c.exchange()
            c.probe_not_in()


def test_a_hundred_rekeys_after_the_login(port):
    """A client that rekeys often is slowed down or shown out, and never gets a wrong answer."""
    with at(port, "sftp") as c:
        try:
            for _ in range(100):
                c.exchange()
                assert c.sftp.realpath() == "/Home/alice"
        except Closed as e:
            assert e.disconnect, "without a word"


def test_rekey_while_data_flows_both_ways(port):
    with at(port, "sftp") as c:
        data = os.urandom(4 * MIB)
        c.sftp.put("flow", data, piece=100_000)
        handle = c.sftp.open("flow")
        asked = [c.sftp.ask(Fx.READ, string(handle) + at_byte.to_bytes(8, "big") + u32(100_000)) for at_byte in range(0, len(data), 100_000)]
        c.exchange()  # with all of that on its way
        for n in asked:
            got, kind, r = c.sftp.reply()
            assert (got, kind) == (n, Fx.DATA)
            start = asked.index(n) * 100_000
            assert r.string() == data[start:start + 100_000]


# ---- logins ----

@pytest.fixture(scope="module")
def victim(sftp_server):
    """bob's key."""
    key = UserKey.make()
    add_key(sftp_server, "bob", key.line)
    return key


def refused(c, payload):
    """Sent, and it is no login: a failure or the end."""
    try:
        c.send(payload)
        answer = c.recv()
        assert answer[0] in (Msg.USERAUTH_FAILURE, Msg.PK_OK_OR_INFO_REQUEST), answer[:40]
        assert answer[0] == Msg.USERAUTH_FAILURE, "such a key would do"
        c.probe_not_in()
    except Closed:
        pass


def test_moveit_empty_name_first(port, victim):
    """CVE-2024-5806: a probe with an empty name, then a signed request with a victim's name and any key."""
    mine = UserKey.make("2048")
    for first in ("", " ", "\0", "nobody-of-that-name"):
        with at(port, "auth") as c:
            try:
                assert c.offer_key(mine, user=first) is not True
            except Closed:
                continue
            refused(c, c.key_request("bob", mine))
        with at(port, "auth") as c:  # even with the victim's own key: the name changed
            try:
                c.offer_key(victim, user=first)
            except Closed:
                continue
            refused(c, c.key_request("bob", victim))


PATHS = ["/etc/ssh/ssh_host_rsa_key.pub", "C:\\MOVEitTransfer\\Logs\\DMZ_WEB.log", "\\\\192.0.2.1\\share\\key.ppk", "../../keys/https.key", "file:///etc/passwd",
         "/proc/self/fd/0", "http://192.0.2.1/key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "PuTTY-User-Key-File-3: ssh-rsa\n"]


@pytest.mark.parametrize("path", PATHS)
def test_moveit_a_path_for_a_key(port, path):
    """CVE-2024-5806 again: text where the bytes of a key belong is no key."""
    key = UserKey.make()
    for algorithm in ("ssh-ed25519", "rsa-sha2-256", "ssh-rsa", path):
        with at(port, "auth") as c:
            refused(c, c.key_request("bob", key, algorithm=algorithm, blob=path.encode(), signed_blob=path.encode()) if "rsa" not in algorithm and algorithm != path
                    else c.request("bob", "publickey", b"\1" + string(algorithm) + string(path) + string(string(algorithm) + string(b"\0" * 64))))


def test_signatures_for_something_else(port, victim):
    """Another session, another name, another service, another key, another algorithm, nothing at all: never a login."""
    with at(port, "auth") as other:
        elsewhere = other.session
    spare = UserKey.make()
    with at(port, "auth") as c:
        sessions = [elsewhere, b"", bytes(32), c.session[:-1], c.session + b"\0"]
    for session in sessions:
        with at(port, "auth") as c:
            refused(c, c.key_request("bob", victim, session=session))
    wrong = [dict(signed_user="alice"), dict(signed_user=""), dict(signed_blob=spare.blob), dict(signed_blob=b"")]
    for how in wrong:
        with at(port, "auth") as c:
            refused(c, c.key_request("bob", victim, **how))
    with at(port, "auth") as c:  # signed by another key
        refused(c, c.key_request("bob", spare, blob=victim.blob, signed_blob=victim.blob))
    with at(port, "auth") as c:  # no signature, and empty ones
        refused(c, c.request("bob", "publickey", b"\1" + string("ssh-ed25519") + string(victim.blob)))
    for signature in (b"", string(""), string("ssh-ed25519"), string("ssh-ed25519") + string(""), string("ssh-ed25519") + string(bytes(64)),
                      string("ssh-ed25519") + string(b"\xff" * 64), string("ecdsa-sha2-nistp256") + string(bytes(64)), string("ssh-ed25519") + string(bytes(65))):
        with at(port, "auth") as c:
            refused(c, c.request("bob", "publickey", b"\1" + string("ssh-ed25519") + string(victim.blob) + string(signature)))
    with at(port, "auth") as c:
        assert c.try_key(victim, user="bob") is True


@pytest.mark.parametrize("bit", range(0, 64 * 8, 61))
def test_signatures_wrong_by_a_bit(port, victim, bit):
    with at(port, "auth") as c:
        good = c.key_request("bob", victim)
        at_byte = len(good) - 64 + bit // 8
        refused(c, good[:at_byte] + bytes([good[at_byte] ^ 1 << bit % 8]) + good[at_byte + 1:])


@pytest.mark.parametrize("kind", ["nistp256", "2048"])
def test_signatures_of_other_kinds_wrong_by_a_bit(sftp_server, port, kind):
    key = UserKey.make(kind)
    add_key(sftp_server, "bob", key.line)
    for back in (1, 2, 20, 33, 60):
        with at(port, "auth") as c:
            good = c.key_request("bob", key)
            refused(c, good[:-back] + bytes([good[-back] ^ 4]) + good[len(good) - back + 1:])
    with at(port, "auth") as c:
        assert c.try_key(key, user="bob") is True


def test_replayed_login(port, victim):
    """What logged in on one connection does not on another."""
    with at(port, "auth") as c:
        payload = c.key_request("bob", victim)
        c.send(payload)
        assert c.answer() is True
    with at(port, "auth") as c:
        refused(c, payload)


def test_names_change(port, victim):
    """The first name stands; another one on the same connection is shown out."""
    for first in ("password", "none", "key", "interactive"):
        with at(port, "auth") as c:
            {"password": lambda: c.try_password("wrong password"), "none": c.try_none, "key": lambda: c.offer_key(UserKey.make()), "interactive": c.ask_interactive}[first]()
            with pytest.raises(Closed):
                c.try_key(victim, user="bob")
                c.try_key(victim, user="bob")
    with at(port, "prompt") as c:  # with a prompt open for alice
        c.send(c.request("bob", "none"))
        with pytest.raises(Closed):
            assert c.answer() is not True
            c.answer()


def test_services_that_are_none(port):
    for service in ("ssh-connection", "", "ssh-userauth\0", "SSH-USERAUTH", "x" * 5000):
        with at(port, "newkeys") as c:
            c.send(bytes([Msg.SERVICE_REQUEST]) + string(service))
            c.ended()
    for service in ("", "ssh-userauth", "ssh-connection\0", "shell"):
        with at(port, "auth") as c:
            try:
                c.send(c.request("alice", "password", b"\0" + string(PASSWORD), service=service))
                assert c.answer() is not True
            except Closed:
                pass
            c.probe_not_in()


def test_malformed_logins(port, victim):
    """Cut short at every byte, or with more behind: never a login."""
    with at(port, "auth") as c:
        whole = c.request("alice", "password", b"\0" + string(PASSWORD))
    for n in list(range(1, len(whole))) + [len(whole) + 1]:
        with at(port, "auth") as c:
            refused(c, (whole + b"x")[:n])
    with at(port, "auth") as c:
        good = c.key_request("bob", victim)
        refused(c, good + b"\0")
    with at(port, "auth") as c:  # a password change is not to be had
        refused(c, c.request("alice", "password", b"\1" + string(PASSWORD) + string("another password")))
    with at(port, "auth") as c:
        refused(c, c.request("alice", "password", b"\2" + string(PASSWORD) + string("another password")))
    for method in ("hostbased", "gssapi-with-mic", "gssapi-keyex", "publickey-hostbound-v00@openssh.com", "", "Password", "none\0"):
        with at(port, "auth") as c:
            refused(c, c.request("alice", method, string(PASSWORD)))


def test_very_many_requests(port):
    """Questions cost nothing, but not for ever."""
    with at(port, "auth") as c:
        asked = 0
        try:
            for _ in range(2000):
                c.offer_key(UserKey.make())
                asked += 1
        except Closed:
            pass
        assert asked < 2000


def test_a_password_of_every_length(port):
    for n in (0, 1, 1023, 1024, 1025, 5000, 100_000):
        with at(port, "auth") as c:
            refused(c, c.request("alice", "password", b"\0" + string(b"p" * n)))


# ---- channels ----

def test_zero_maximum_packet(port):
    """A channel that takes no data in a packet would be served for ever (CVE-2026-59843)."""
    for maximum in (0, 1, 8):
        with at(port, "open") as c:
            c.send(c.open_request(maximum=maximum))
            r = c.recv()
            if r[0] == Msg.OPEN_CONFIRMATION:
                c.close()
                raise AssertionError(f"a maximum packet of {maximum} was accepted")
            assert r[0] == Msg.OPEN_FAILURE
            c.to("sftp")
            assert c.sftp.realpath()


@pytest.mark.parametrize("maximum", [64, 100, 1000, 32768, 1 << 31, (1 << 32) - 1])
def test_small_and_large_maximum_packets(port, maximum):
    """Nothing larger than the client takes is ever sent."""
    with at(port, "open") as c:
        c.do_channel(maximum=maximum)
        c.phase = "channel"
        c.to("sftp")
        take = c.channel.take

        def checked(payload):
            if payload[0] == Msg.CHANNEL_DATA:
                assert len(Reader(payload, 5).string()) <= maximum
            return take(payload)
        c.channel.take = checked
        c.sftp.put("packets", os.urandom(50_000))
        assert len(c.sftp.get("packets")) == 50_000


def test_a_window_of_nothing(port):
    """A client whose window is zero gets nothing, and costs nobody anything; then it opens."""
    with at(port, "open") as c:
        c.do_channel(window=0)
        c.channel.grows = False
        c.channel.request("subsystem", string("sftp"))
        c.channel.send(string(bytes([Fx.INIT]) + u32(3)))
        assert c.quiet(0.5)
        c.channel.grow(4)
        assert len(c.channel.read(4)) == 4
        assert c.quiet(0.3), "more than the window"
        c.channel.grow(1 << 20)
        assert c.channel.read(1) == bytes([Fx.VERSION])


def test_windows_that_overflow(port):
    """RFC 4254 section 5.2: a window of more than 2^32 - 1 ends it."""
    with at(port, "sftp") as c:
        try:
            for _ in range(5):
                c.send(c.channel.message(Msg.WINDOW_ADJUST, u32(0xFFFFFFFF)))
        except Closed:
            pass
        assert c.ended().reason in (None, PROTOCOL_ERROR)


def test_more_than_the_window(port):
    """Data beyond what was granted ends it, to the byte."""
    with at(port, "channel") as c:
        window, most = c.channel.peer_window, c.channel.packet_max
        left = window
        while left:  # a channel on which nothing runs takes nothing out of its window
            n = min(left, most)
            c.send(c.channel.message(Msg.CHANNEL_DATA, string(bytes(n))))
            left -= n
        c.send(c.channel.message(Msg.CHANNEL_DATA, string(b"x")))
        assert c.ended().reason in (None, PROTOCOL_ERROR)


def test_more_than_the_largest_packet(port):
    with at(port, "sftp") as c:
        if c.channel.packet_max + 64 < PACKET_MAX:
            c.send(c.channel.message(Msg.CHANNEL_DATA, string(bytes(c.channel.packet_max + 1))))
            assert c.ended().reason in (None, PROTOCOL_ERROR)


@pytest.mark.parametrize("number", [Msg.CHANNEL_DATA, Msg.EXTENDED_DATA, Msg.WINDOW_ADJUST, Msg.CHANNEL_EOF, Msg.CHANNEL_CLOSE, Msg.CHANNEL_REQUEST])
def test_channels_that_are_not_there(port, number):
    for channel in (1, 0x7FFFFFFF, 0xFFFFFFFF):
        with at(port, "sftp") as c:
            c.send(bytes([number]) + u32(channel) + BODIES[number][4:])
            c.ended()
    with at(port, "open") as c:  # none at all
        c.send(bytes([number]) + BODIES[number])
        c.ended()


def test_data_behind_the_end(port):
    for first in (Msg.CHANNEL_EOF, Msg.CHANNEL_CLOSE):
        with at(port, "sftp") as c:
            try:
                c.send(c.channel.message(first))
                c.send(c.channel.message(Msg.CHANNEL_DATA, string(string(bytes([Fx.MKDIR]) + u32(1) + string("behind-the-end") + u32(0)))))
                c.ended(3)
            except (Closed, AssertionError):
                pass
        with at(port, "sftp") as c:
            assert "behind-the-end" not in c.sftp.list(".")


MALFORMED = [b"", u32(0), u32(0) + u32(0xFFFFFFFF), u32(0) + u32(9) + b"exec", u32(0) + string("exec"), u32(0) + string("exec") + b"\1", u32(0) + string("exec") + b"\1" + u32(0xFFFFFFFF),
             u32(0) + string("exec") + b"\1" + u32(100) + b"id", u32(0) + string("subsystem") + b"\1" + string("sftp") + b"more", u32(0) + string("subsystem") + b"\1" + u32(4) + b"sft",
             u32(0) + string("pty-req") + b"\1", u32(0) + string("env") + b"\1" + u32(0x7FFFFFFF) + b"A", u32(0) + string("window-change") + b"\0\0", u32(0) + string("exit-status") + b"\0",
             u32(0) + string("signal") + b"\0", u32(0) + string("x" * 70000) + b"\1", u32(0) + string("exec") + b"\1" + string("x" * 200_000)]


@pytest.mark.parametrize("rest", MALFORMED, ids=lambda b: repr(b[:24]))
@pytest.mark.parametrize("phase", ["channel", "sftp"])
def test_malformed_channel_requests(port, phase, rest):
    """GHSA-q7pc-356p-hggc: a failure, or the end of that connection; the server stands."""
    with at(port, phase) as c:
        c.send(bytes([Msg.CHANNEL_REQUEST]) + rest)
        answers, closed = whatever_comes(c)
        assert closed or all(a[0] in (Msg.CHANNEL_FAILURE, Msg.CHANNEL_SUCCESS, Msg.EXTENDED_DATA, Msg.CHANNEL_EOF, Msg.CHANNEL_CLOSE, Msg.CHANNEL_REQUEST, Msg.WINDOW_ADJUST)
                             for a in answers), answers


def test_a_thousand_channels(port):
    """One after the other: each works, none is left over."""
    with at(port, "open") as c:
        for i in range(200):
            c.do_channel()
            c.channel.request("subsystem", string("sftp"))
            c.send(c.channel.message(Msg.CHANNEL_CLOSE))
            c.channel.finish()
        c.phase = "open"
        assert c.to("sftp").sftp.realpath()


def test_a_flood_of_global_requests(port):
    """With replies that nobody reads: bounded memory, then a wait."""
    with at(port, "open", rcvbuf=4096) as c:
        c.socket.settimeout(3)
        try:
            for _ in range(200_000):
                c.send(bytes([Msg.GLOBAL_REQUEST]) + BODIES[Msg.GLOBAL_REQUEST])
        except (Closed, TimeoutError, OSError):
            pass


# ---- SFTP ----

def test_reads_of_four_gigabytes(port):
    """CVE-2026-59844: the length of a READ is the client's wish; the answer is bounded."""
    with at(port, "sftp") as c:
        c.sftp.put("short", b"0123456789" * 100_000)
        handle = c.sftp.open("short")
        for n in (0xFFFFFFFF, 1 << 31, 1 << 20, 261_121):
            data = c.sftp.read(handle, 0, n)
            assert 0 < len(data) <= 261_120
            assert data == (b"0123456789" * 100_000)[:len(data)]
        got = c.sftp.ask(Fx.READ, string(handle) + bytes(8) + u32(0))
        assert c.sftp.reply()[0] == got  # nothing was asked for: data of no bytes, or EOF


@pytest.mark.parametrize("length", [0, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20])
def test_sftp_packets_of_impossible_length(port, length):
    with at(port, "sftp") as c:
        try:
            c.channel.send(u32(length) + bytes([Fx.STAT]) + u32(1) + string("."))
            assert c.channel.finish() != 0 or c.channel.closed
        except Closed:
            pass


@pytest.mark.parametrize("kind", list(range(0, 22)) + [100, 101, 102, 103, 104, 105, 106, 199, 200, 201, 202, 255])
def test_sftp_requests_cut_short(port, kind):
    """Every request, with fields that end too early or say more than there is: BAD_MESSAGE or the like, or the end; never a guess."""
    noise = random.Random(kind)
    with at(port, "sftp") as c:
        for body in (b"", b"\0", u32(0), u32(5) + b"abc", u32(0xFFFFFFFF), u32(4) + b"abcd", string("x"), string("x") * 2, string("x") + u32(0xFFFFFFFF), noise.randbytes(50),
                     string("/Home/alice") + u32(0xFFFFFFFF) * 8, string("unheard-of@example.com") + noise.randbytes(30)):
            try:
                n = c.sftp.ask(kind, body)
                got, answer, r = c.sftp.reply()
            except (Closed, AssertionError):
                c.close()
                c = at(port, "sftp")
                continue
            if kind == Fx.INIT:
                c.close()
                c = at(port, "sftp")
                continue
            assert got == n
            assert answer != Fx.HANDLE or kind in (Fx.OPEN, Fx.OPENDIR)
        c.close()
    with at(port, "sftp") as c:
        left = [n for n in c.sftp.list(".") if n in ("x", "abcd")]
        for name in left:
            c.sftp.call(Fx.RMDIR, string(name))


def test_requests_before_init(port):
    with at(port, "channel") as c:
        c.channel.request("subsystem", string("sftp"))
        try:
            c.channel.send(string(bytes([Fx.STAT]) + u32(1) + string(".")))
            r = Reader(c.channel.read(4 + 9))
            r.u32()
            assert r.u8() != Fx.ATTRS
        except Closed:
            pass


def test_versions_of_sftp(port):
    """Whatever a client wants, from 3 up, it is 3 that it gets."""
    from lib.ssh_sftp import Sftp

    for wanted in (3, 4, 6, 0xFFFFFFFF):
        with at(port, "channel") as c:
            c.channel.request("subsystem", string("sftp"))
            assert Sftp(c.channel, wanted).version == 3


@pytest.mark.parametrize("handle", [b"", b"\0", b"\0\0\0\0", b"\0\0\0\1", b"\xff\xff\xff\xff", b"\0\0\0\0\0", b"x" * 256, b"x" * 100_000])
def test_handles_that_are_none(port, handle):
    with at(port, "sftp") as c:
        for kind, rest in ((Fx.READ, bytes(8) + u32(10)), (Fx.WRITE, bytes(8) + string("x")), (Fx.CLOSE, b""), (Fx.FSTAT, b""), (Fx.READDIR, b""), (Fx.FSETSTAT, u32(0))):
            with pytest.raises((Status, Closed)):
                c.sftp.call(kind, string(handle) + rest, Fx.DATA)
        with pytest.raises((Status, Closed)):
            c.sftp.extended("fsync@openssh.com", string(handle), Fx.DATA)


def test_handles_of_the_past(port):
    """A handle that was closed is nobody's, even when the next file gets its place."""
    with at(port, "sftp") as c:
        c.sftp.put("a", b"first")
        c.sftp.put("b", b"second")
        old = c.sftp.open("a")
        c.sftp.close(old)
        new = c.sftp.open("b")
        assert c.sftp.read(new, 0, 100) == b"second"
        if old != new:
            with pytest.raises(Status):
                c.sftp.read(old, 0, 100)
        with pytest.raises(Status):
            c.sftp.write(new, 0, b"x")  # for reading only
        with pytest.raises(Status):
            c.sftp.call(Fx.READDIR, string(new), Fx.NAME)  # a file
        folder = c.sftp.call(Fx.OPENDIR, string("."), Fx.HANDLE).string()
        with pytest.raises(Status):
            c.sftp.read(folder, 0, 10)


def test_very_many_handles(port):
    """SftpHandles of them; then refused, and what is open goes on."""
    with at(port, "sftp") as c:
        c.sftp.put("often", b"opened often")
        handles = []
        with pytest.raises(Status):
            for _ in range(1000):
                handles.append(c.sftp.open("often"))
        assert 4 <= len(handles) <= 200
        assert c.sftp.read(handles[-1], 0, 100) == b"opened often"
        for h in handles:
            c.sftp.close(h)
        c.sftp.close(c.sftp.open("often"))


def worker_memory(server):
    """Private memory of the door's busiest worker, in bytes."""
    most = 0
    for pid, _ in descendants(server.process.pid):
        try:
            if "sallyport-worker-sftp" not in open(f"/proc/{pid}/cmdline").read():
                continue
            most = max(most, sum(int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Private_")) << 10)
        except OSError:
            continue
    return most


def test_requests_ahead_of_what_is_read(sftp_server, port):
    """Reads of 250 MiB in all are asked for, and nothing is taken: the worker waits, it does not pile up."""
    with at(port, "sftp", rcvbuf=4096) as c:
        c.sftp.put("big", os.urandom(MIB), piece=200_000)
        handle = c.sftp.open("big")
        before = worker_memory(sftp_server)
        c.socket.setblocking(False)
        request = string(handle) + bytes(8) + u32(261_120)
        sent = 0
        wire = b""
        for _ in range(1000):
            packet = string(bytes([Fx.READ]) + u32(sent) + request)
            wire += c.out.seal(c.out_seq, c.packet(c.channel.message(Msg.CHANNEL_DATA, string(packet))))
            c.out_seq += 1
            sent += 1
        deadline = time.monotonic() + 5
        while wire and time.monotonic() < deadline:
            _, ready, _ = select.select([], [c.socket], [], 0.2)
            if ready:
                try:
                    wire = wire[c.socket.send(wire):]
                except BlockingIOError:
                    pass
        time.sleep(0.5)
        assert worker_memory(sftp_server) - before < 16 * MIB
        c.socket.setblocking(True)
        c.socket.settimeout(30)
        for n in range(20):
            got, kind, r = c.sftp.reply()
            assert (got, kind) == (n, Fx.DATA) and 0 < len(r.string()) <= 261_120


def test_writes_that_jump(port):
    """A hole of exabytes is not written, and nothing is made of it."""
    with at(port, "sftp") as c:
        for offset in (1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
            handle = c.sftp.open("jump", WRITE | CREAT | TRUNC)
            try:
                c.sftp.write(handle, offset, b"far away")
                c.sftp.close(handle)
                raise AssertionError(f"a write at {offset} was taken")
            except Status:
                pass
            try:
                c.sftp.close(handle)
            except Status:
                pass
        assert "jump" not in c.sftp.list(".") or c.sftp.stat("jump")["size"] == 0


def test_flags_that_make_no_sense(port):
    with at(port, "sftp") as c:
        for flags in (0, 64, 0xFFFFFFFF, CREAT, TRUNC, CREAT | TRUNC, READ | TRUNC):
            try:
                c.sftp.close(c.sftp.open("flags", flags))
            except Status:
                pass
        assert c.sftp.realpath()


def test_names_with_control_characters_do_not_reach_the_log(sftp_server, port):
    """Names are quoted wherever a person reads them."""
    with at(port, "sftp") as c:
        for name in ("\x1b]0;owned\x07", "line\nbreak", "\x9b31m", "\u202egnp.exe"):
            try:
                c.sftp.put(name, b"x")
            except Status:
                continue
    text = sftp_server.run("audit", "list").out
    assert "\x1b" not in text and "\x9b" not in text
    assert "\x1b" not in sftp_server.log()


def test_noise_everywhere(port):
    """Random bytes in place of what should come, in every phase."""
    noise = random.Random(20261125)
    for phase in ("version", "kexinit", "kex", "newkeys", "auth", "prompt", "open", "channel", "sftp"):
        for size in (1, 7, 16, 100, 5000, 70_000):
            with at(port, phase) as c:
                try:
                    c.write(noise.randbytes(size))
                    c.socket.shutdown(1)
                    c.ended()
                except (Closed, OSError):  # it had closed already
                    pass
            with at(port, phase) as c:  # well protected, and noise all the same
                try:
                    c.send(bytes([noise.choice(list(BODIES))]) + noise.randbytes(size))
                    whatever_comes(c)
                except (Closed, BadTag):
                    pass


def test_closed_at_every_phase(sftp_server, port):
    """A client that goes away, politely or with a reset, leaves nothing behind."""
    for phase in ("version", "kexinit", "kex", "newkeys", "auth", "prompt", "open", "channel", "sftp"):
        at(port, phase).close()
        at(port, phase).reset()
        with at(port, phase) as c:
            c.send(bytes([Msg.DISCONNECT]) + BODIES[Msg.DISCONNECT])
            c.ended()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        used = [p for p, _ in descendants(sftp_server.process.pid) if "worker-sftp" in name_of(p)]
        if len(used) <= 10:
            return
        time.sleep(0.2)
    raise AssertionError(f"{len(used)} workers are still there")


def name_of(pid):
    try:
        return open(f"/proc/{pid}/cmdline").read()
    except OSError:
        return ""


def test_slow_as_a_snail(port):
    """A byte at a time from end to end, and it still works."""
    with Ssh(port, "alice", password=PASSWORD) as c:
        whole = c.write

        def slowly(data):
            for i in range(len(data)):
                whole(data[i:i + 1])
        c.write = slowly
        assert c.to("sftp").sftp.realpath() == "/Home/alice"


def test_all_in_one_segment(port):
    """Everything that needs no answer in one go."""
    with at(port, "newkeys") as c:
        out = []
        c.write, keep = out.append, c.write
        c.send(bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth"))
        c.send(c.request("alice", "password", b"\0" + string(PASSWORD)))
        c.write = keep
        c.write(b"".join(out))
        c.expect(Msg.SERVICE_ACCEPT)
        assert c.answer() is True
