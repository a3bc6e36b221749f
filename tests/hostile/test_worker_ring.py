"""A worker is taken over: what it tries against the other rooms, with every message there is."""
import random
import struct
import time

import pytest
from lib.evil import FLOOD, RULES, Closed, Evil, Following, Gone, beyond, ends, filled, may_send
from lib.instance import PASSWORD
from lib.ring import encode

SOCKETS = ["broker", "vault", "signer", "supervisor"]
ECDSA = 0x0403
SERVER_13 = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32)
ERR = {"PERM": 43, "MISDIRECT": 44, "ADMINONLY": 46, "AUTH": 40, "NOTFOUND": 61}


def served(server):
    """Another user's transfer goes on."""
    for size in ("small", "large"):
        assert server.people["alice"].fetch(f"/Home/alice/{size}").status_code == 200


def fresh(server, who=None):
    w = Evil(server)
    return w.login(server.people[who].token) if who else w


@pytest.mark.parametrize("room", SOCKETS)
def test_messages_of_others(evil, room):
    """What is not a worker's to say, on each of its sockets, in good form."""
    with Following(evil) as audit:
        for rule in RULES:
            if not may_send(rule, room):
                with fresh(evil) as w:
                    ends(audit, w, room, filled(rule, least=True), rule.name)
    served(evil)


def test_gate_hears_nothing(evil):
    """The socket that the connection came on is closed at the other end."""
    with fresh(evil) as w:
        for _ in range(50):  # the gate lets go of it right behind the connection
            if w.send("gate-https", filled(RULES[0], least=True)) < 0:
                break
            time.sleep(0.1)
        for rule in RULES:
            assert w.send("gate-https", filled(rule, least=True)) < 0


@pytest.mark.parametrize("who", [None, "bob"], ids=["before", "after"])
def test_limits_of_fields(evil, who):
    """Every field at its limit is answered or ends it; beyond, cut short, or with more behind, it ends it."""
    with Following(evil) as audit:
        for rule in RULES:
            if not may_send(rule, "broker") or rule.name == "READY":
                continue
            if who is None and rule.phase == "PH_AUTHED":
                with fresh(evil) as w:
                    ends(audit, w, "broker", filled(rule, least=True), rule.name)
                continue
            with fresh(evil, who) as w:
                try:
                    w.send("broker", filled(rule))
                    assert w.reply().name in ("FAILED", "DONE", "ENTRIES", "ORG", "USER", "NONCE"), rule.name
                except (Gone, Closed):
                    audit.expect(w.peer, "worker.violation", "seen by broker", rule.name)
            whole = filled(rule, least=True)
            bad = [(f"{rule.name}.{field} + 1", packet) for field, packet in beyond(rule)]
            bad += [(f"{rule.name} and more", whole + b"x"), (f"{rule.name} cut", whole[:-1])]
            for about, packet in bad:
                with fresh(evil, who) as w:
                    try:
                        w.send("broker", packet)
                        reply = w.reply()
                        # a value out of its range is an error of the user's, too
                        assert reply.name == "FAILED" and reply.err == 2 and "+ 1" in about, f"{about}: {reply}"
                    except (Gone, Closed):
                        audit.expect(w.peer, "worker.violation", "seen by broker", about)
    served(evil)


def test_noise(evil):
    """Random bytes, empty packets and huge ones on every socket."""
    noise = random.Random(20261123)
    with Following(evil) as audit:
        for room in SOCKETS:
            for size in (0, 1, 2, 3, 17, 1000, 81921, 100000):
                with fresh(evil) as w:
                    ends(audit, w, room, b"\xff\xff"[:size] + noise.randbytes(max(size - 2, 0)), f"{size} bytes for {room}")
    served(evil)


def test_two_requests(evil):
    """One outstanding request, not two."""
    with Following(evil) as audit, fresh(evil) as w:
        w.send("broker", encode("LOGIN_PASSWORD", user="bob", password=PASSWORD))
        ends(audit, w, "broker", encode("LOGIN_PASSWORD", user="bob", password=PASSWORD), "a second login")
    with Following(evil) as audit, fresh(evil, "bob") as w:
        w.send("broker", encode("PUT", path="/Home/bob/two", size=100000))
        ends(audit, w, "broker", encode("PUT", path="/Home/bob/two", size=100000), "a second upload")


def test_identity(evil):
    """One principal a connection; nothing in a message says who one is."""
    alice, bob = (evil.people[n].token for n in ("alice", "bob"))
    with fresh(evil, "bob") as w:
        assert w.ask("LOGIN_TOKEN", token=alice).err == ERR["MISDIRECT"]
        assert w.ask("LOGIN_PASSWORD", user="alice", password=PASSWORD).err == ERR["MISDIRECT"]
        assert w.ask("LOGIN_PASSWORD", user="ALICE", password=PASSWORD).err == ERR["MISDIRECT"]
        assert w.ask("TOKEN_REFRESH", token=alice).err in (ERR["MISDIRECT"], ERR["AUTH"])
        assert w.ask("SELF").name_ == b"bob"
        assert w.ask("LOGIN_TOKEN", token=bob).name == "PRINCIPAL"
        assert w.ask("REPORT", what=0).err in (ERR["ADMINONLY"], ERR["PERM"])
    with fresh(evil) as w:
        for guess in (bob[:-1], bob + "x", bob.upper(), "spa_" + "A" * 43, "", "\x01" * 255):
            assert w.ask("LOGIN_TOKEN", token=guess).err == ERR["AUTH"]
    served(evil)


SIGN = {
    "a client's signature": b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + bytes(32),
    "random bytes": random.Random(1).randbytes(130),
    "a certificate": b"\x30\x82\x01\x00\xa0\x03\x02\x01\x02\x02\x14" + random.Random(2).randbytes(250),
    "a hash": bytes(32),
    "nothing": b"",
    "an SSH session": struct.pack(">I", 32) + bytes(32) + b"\x32" + bytes(100),
    "a server's and more": SERVER_13 + b"x",
    "a server's cut": SERVER_13[:-1],
    "other spaces": b" " * 63 + b"\t" + SERVER_13[64:],
}


def test_signer(evil):
    """One signature, of a server's handshake, and nothing else ever."""
    with Following(evil) as audit:
        for about, content in SIGN.items():
            with fresh(evil) as w:
                ends(audit, w, "signer", encode("TLS_SIGN", scheme=ECDSA, input=content), about)
        for scheme in (0, 0x0401, 0x0804, 0x0503, 0xFFFF):
            with fresh(evil) as w:
                ends(audit, w, "signer", encode("TLS_SIGN", scheme=scheme, input=SERVER_13), f"scheme {scheme}")
        with fresh(evil) as w:
            w.send("signer", encode("TLS_SIGN", scheme=ECDSA, input=SERVER_13))
            assert w.receive("signer")[:2] == struct.pack(">H", 22)
            ends(audit, w, "signer", encode("TLS_SIGN", scheme=ECDSA, input=SERVER_13), "a second one")
    served(evil)


def test_flood(evil):
    """A hundred thousand requests: others are served all the while."""
    packet = encode("SELF")
    with fresh(evil, "bob") as a, fresh(evil, "bob") as b:
        a.start(FLOOD, a.fd["broker"], 70000, data=packet)
        b.start(FLOOD, b.fd["broker"], 30000, data=encode("STAT", path="/Home/alice/large"))
        for _ in range(20):
            served(evil)
        assert struct.unpack("=q", a.take(8))[0] == 70000
        assert struct.unpack("=q", b.take(8))[0] == 30000


def test_deaf(evil):
    """One that does not read its replies, or its keys, is ended; nobody waits for it."""
    with Following(evil) as audit:
        with fresh(evil, "bob") as w:
            with pytest.raises(Gone):
                for _ in range(100000):
                    w.send("broker", encode("SELF"))
            audit.expect(w.peer, "worker.violation", "seen by broker", "does not read replies")
        with fresh(evil, "bob") as w:
            deadline = time.monotonic() + 30
            with pytest.raises((Gone, Closed)):
                while time.monotonic() < deadline:
                    if w.ask("OPEN", path="/Home/bob/small").name == "FAILED":
                        time.sleep(0.01)  # more than the log takes at a time
            assert w.gone()
            audit.expect(w.peer, "worker.violation", "seen by vault", "does not read keys")
    served(evil)


def test_parked_descriptors(evil):
    """Descriptors left in sockets, and more than fit: the broker has enough for everybody else."""
    parked = []
    for _ in range(20):
        w = fresh(evil, "bob")
        parked.append(w)
        for _ in range(8):
            w.send("broker", encode("OPEN", path="/Home/bob/large"))
        served(evil)
    for w in parked:
        w.__exit__()
    with fresh(evil, "bob") as w:
        for _ in range(40):
            reply = w.ask("OPEN", path="/Home/bob/large")
            assert reply.name == "FILE_OPEN" and w.key().name == "KEY"
    served(evil)


def test_guessed_logins(evil):
    """Guesses before a login are recorded up to a rate, then counted."""
    before = len(evil.audit())
    with fresh(evil) as w:
        assert w.order(FLOOD, w.fd["broker"], 3000, data=encode("LOGIN_TOKEN", token="spa_" + "B" * 43)) == 3000
    assert len(evil.audit()) - before < 60
    served(evil)
