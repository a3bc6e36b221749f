"""A worker of the SFTP door is taken over: signatures, logins and keys that are not its to have."""
import hashlib
import os

import pytest
from cryptography.exceptions import InvalidSignature

from lib.evil import AUTH, RULES, Closed, EvilSftp, Following, Gone, beyond, ends, filled, may_send
from lib.instance import PASSWORD
from lib.ring import decode, encode
from lib.sftp import add_key
from lib.ssh import Ssh
from lib.ssh_sftp import CREAT, TRUNC, WRITE
from lib.ssh_wire import Msg, Reader, UserKey, mpint, string, verify

SOCKETS = ["broker", "vault", "signer", "supervisor"]
WORKER = "WORKER_SFTP"
ERR = {"AUTH": 40, "PERM": 43, "MISDIRECT": 44, "NOTFOUND": 61, "CONFLICT": 76}


def served(server):
    """Another user's transfer goes on, at both doors."""
    assert server.people["alice"].fetch("/Home/alice/large").status_code == 200
    with Ssh(server.sftp_port, "alice", password=PASSWORD).to("sftp") as c:
        assert c.sftp.get("small")


@pytest.fixture(scope="module")
def keys(evil):
    """A registered key of alice and of bob."""
    made = {name: UserKey.make() for name in ("alice", "bob")}
    for name, key in made.items():
        add_key(evil, name, key.line)
    return made


def releases(server, w):
    """What is on record of keys that went to this worker."""
    return [e for e in server.audit() if e.get("addr") == w.peer and e["event"] in ("file.read", "upload.resumed", "file.check", "otp.check")]


# ---- the signer ----

def test_a_signature_is_over_a_hash_with_the_host_key_in_it(evil):
    """Whatever the worker puts in: the hash is made by the signer, of all inputs and its own host key, and that is what it signs."""
    with EvilSftp(evil) as w:
        given = w.inputs()
        w.send("signer", encode("SSH_KEX", **given))
        reply = decode(w.receive("signer"))
        assert reply.err == 0
        parts = [given[n] for n in ("v_c", "v_s", "i_c", "i_s")] + [reply.key] + [given[n] for n in ("q_c", "q_s")]
        h = hashlib.sha256(b"".join(map(string, parts)) + mpint(int.from_bytes(given["k"], "big"))).digest()
        assert reply.hash == h
        verify(reply.key, reply.signature, h)
        with pytest.raises(InvalidSignature):
            verify(reply.key, reply.signature, hashlib.sha256(h).digest())
    served(evil)


def test_one_signature(evil):
    """Before a login there is one, and no second."""
    with Following(evil) as audit:
        for again in ({}, {"k": b"other".ljust(32)}, {"method": 2, "q_c": b"\4" * 65, "q_s": b"\4" * 65}, {"host_key": 2}):
            with EvilSftp(evil) as w:
                values = w.inputs()
                w.vouched()
                ends(audit, w, "signer", encode("SSH_KEX", **{**values, **again}), f"a second one, {list(again)}")
    served(evil)


def test_a_failed_request_is_not_another_chance(evil):
    """What is refused ends the worker: it cannot try until something is signed."""
    bad = {
        "another cookie": dict(i_s=b"\x14" + b"mine".ljust(16) + bytes(45)),
        "a cookie cut short": dict(i_s=b"\x14" + bytes(10)),
        "no KEXINIT": dict(i_c=b"\x15" + bytes(61)),
        "an empty KEXINIT": dict(i_c=b""),
        "another server's version": dict(v_s=b"SSH-2.0-OpenSSH_9.2"),
        "a client's version with a line in it": dict(v_c=b"SSH-2.0-x\r\ny"),
        "no version": dict(v_c=b""),
        "a method that is none": dict(method=0),
        "P-384's values for curve25519": dict(q_c=b"\4" * 97, q_s=b"\4" * 97, k=b"k" * 48),
        "a short value": dict(q_s=b"s" * 31),
        "a short secret": dict(k=b"k" * 31),
        "no secret": dict(k=b""),
        "a host key that is none": dict(host_key=0),
        "two host keys": dict(host_key=3),
    }
    with Following(evil) as audit:
        for about, other in bad.items():
            with EvilSftp(evil) as w:
                ends(audit, w, "signer", encode("SSH_KEX", **w.inputs(**other)), about)
        with EvilSftp(evil) as w:  # another door's
            ends(audit, w, "signer", encode("TLS_SIGN", scheme=0x0403, input=b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + bytes(32)), "a TLS signature")
        with EvilSftp(evil) as w:  # before it was told a cookie: it was, at its start, and guesses are not it
            ends(audit, w, "signer", encode("SSH_KEX", **{**w.inputs(), "i_s": b"\x14" + os.urandom(16) + bytes(45)}), "a guessed cookie")
    served(evil)


def test_each_worker_has_a_session_of_its_own(evil):
    """The same inputs in two workers are not the same session: the cookies differ."""
    sessions = set()
    for _ in range(5):
        with EvilSftp(evil) as w:
            sessions.add(w.vouched().session)
    assert len(sessions) == 5


def test_a_signature_is_of_no_use_elsewhere(evil):
    """A client that comes to another worker (or to an impostor with that signature) has a hash of its own."""
    with EvilSftp(evil) as w:
        w.vouched()
        first = w.session
    with Ssh(evil.sftp_port, "alice", password=PASSWORD).to("sftp") as c:
        assert c.session != first
        with pytest.raises(InvalidSignature):
            verify(c.host_key, c.host_signature, first)


def test_rekeys_are_paced(evil):
    """After a login there are more, as fast as honest clients need them, and no faster."""
    with EvilSftp(evil) as w:
        values = w.inputs()
        w.login("bob")
        made = 0
        with pytest.raises((Gone, Closed, AssertionError)):
            for i in range(1000):
                w.send("signer", encode("SSH_KEX", **{**values, "k": i.to_bytes(32, "big")}))
                packet = w.receive("signer", 5)
                assert packet is not None
                made += 1
        assert 1 <= made < 200
    served(evil)


def test_a_rekey_does_not_move_the_session(evil, keys):
    """The broker's session stays the first one."""
    with EvilSftp(evil) as w:
        values = w.inputs()
        w.vouched()
        session = w.session
        reply = ask_key(w, "bob", keys["bob"], session)
        assert reply.state == AUTH["DONE"]
        w.send("signer", encode("SSH_KEX", **{**values, "k": b"later".ljust(32)}))
        w.receive("signer")
        assert w.ask("SELF").name_ == b"bob"


# ---- logins ----

def signed(session, user, key, algorithm=None, blob=None):
    algorithm = algorithm or key.algorithm
    return key.sign(string(session) + bytes([Msg.USERAUTH_REQUEST]) + string(user) + string("ssh-connection") + string("publickey") + b"\1" + string(algorithm) + string(blob or key.blob))


def ask_key(w, user, key, session, signature=None):
    return w.ask("LOGIN_KEY", user=user, algorithm=key.algorithm, key=key.blob, signature=signed(session, user, key) if signature is None else signature, algorithms="evil", agent="evil")


def not_in(w):
    """Nothing that is for the logged in is to be had: it is ended for asking."""
    try:
        w.send("broker", encode("SELF"))
        with pytest.raises((Gone, Closed)):
            w.receive("broker")
        assert w.gone()
    except Gone:
        pass


def test_no_session_no_login(evil, keys):
    """Before the signer has vouched there is nothing that a proof could be for."""
    with Following(evil) as audit:
        for about, packet in (("a key", encode("LOGIN_KEY", user="bob", algorithm=keys["bob"].algorithm, key=keys["bob"].blob, signature=signed(b"", "bob", keys["bob"]))),
                              ("a question", encode("LOGIN_KEY", user="bob", algorithm=keys["bob"].algorithm, key=keys["bob"].blob)),
                              ("a password", encode("LOGIN_SECRET", user="bob", secret=PASSWORD))):
            with EvilSftp(evil) as w:
                ends(audit, w, "broker", packet, about)


def test_logins_that_were_not_proved(evil, keys):
    """Signatures over other sessions, names, keys; empty ones; a key's mere existence."""
    with EvilSftp(evil) as elsewhere:
        elsewhere.vouched()
        other = elsewhere.session
    bob, alice = keys["bob"], keys["alice"]
    with EvilSftp(evil) as w:
        w.vouched()
        session = w.session
        good = signed(session, "bob", bob)
        tries = [signed(other, "bob", bob), signed(b"", "bob", bob), signed(bytes(32), "bob", bob), signed(session, "alice", bob), signed(session, "", bob),
                 signed(session, "bob", alice), signed(session, "bob", alice, blob=bob.blob), good[:-1] + bytes([good[-1] ^ 1]), good[:-1], good + b"\0",
                 string(bob.algorithm) + string(bytes(64)), b"\0" * 83, b"x"]
        for signature in tries:
            reply = ask_key(w, "bob", bob, session, signature)
            assert reply.name in ("SSH_AUTH", "FAILED") and (reply.name == "FAILED" or reply.state == AUTH["REFUSED"]), reply
        reply = ask_key(w, "bob", bob, session, b"")
        assert reply.state == AUTH["KEY_OK"]
        not_in(w)
    with EvilSftp(evil) as w:  # and the proof itself
        w.vouched()
        assert ask_key(w, "bob", bob, w.session).state == AUTH["DONE"]
        assert w.ask("SELF").name_ == b"bob"
    served(evil)


def test_a_login_that_is_relayed(evil, keys):
    """What a client signs for one worker is good on that connection, and on no other that the thief has."""
    with Ssh(evil.sftp_port, "bob").to("auth") as victim:
        payload = victim.key_request("bob", keys["bob"])  # as the thief sees it on the way
        r = Reader(payload, 1)
        for _ in range(3):
            r.string()
        r.u8()
        algorithm, blob, signature = r.text(), r.string(), r.string()
        with EvilSftp(evil) as w:
            w.vouched()
            reply = w.ask("LOGIN_KEY", user="bob", algorithm=algorithm, key=blob, signature=signature, algorithms="evil", agent="evil")
            assert reply.state == AUTH["REFUSED"]
            not_in(w)
    with Ssh(evil.sftp_port, "bob").to("auth") as another:  # nor by way of an honest worker
        another.send(payload)
        assert another.answer() is not True


def test_the_name_is_fixed(evil, keys):
    with EvilSftp(evil) as w:
        w.vouched()
        assert w.ask("LOGIN_KEY", user="", algorithm="none", algorithms="evil", agent="evil").name in ("SSH_AUTH", "FAILED")
        try:
            reply = ask_key(w, "bob", keys["bob"], w.session)
            assert reply.name == "FAILED" and reply.err == ERR["MISDIRECT"], reply
            not_in(w)
        except (Gone, Closed):
            pass
    with EvilSftp(evil) as w:
        w.vouched()
        w.ask("LOGIN_SECRET", user="alice", kind=0, secret="wrong password", algorithms="evil", agent="evil")
        reply = w.ask("LOGIN_SECRET", user="bob", kind=0, secret=PASSWORD, algorithms="evil", agent="evil")
        assert reply.name == "FAILED" and reply.err == ERR["MISDIRECT"], reply
    served(evil)


def test_no_second_login(evil):
    """One principal for a connection: another is not asked for any more."""
    with Following(evil) as audit, EvilSftp(evil) as w:
        w.login("bob")
        ends(audit, w, "broker", encode("LOGIN_SECRET", user="alice", secret=PASSWORD), "a second login")


def test_the_https_doors_logins_are_not_its(evil):
    token = evil.people["bob"].token
    with Following(evil) as audit:
        for packet in (encode("LOGIN_TOKEN", token=token), encode("LOGIN_PASSWORD", user="bob", password=PASSWORD), encode("TOKEN_REFRESH", token=token), encode("REPORT")):
            with EvilSftp(evil) as w:
                w.vouched()
                ends(audit, w, "broker", packet, "another door's")


def test_a_code_is_not_skipped(evil):
    """The second factor is asked for behind the worker, which cannot say that it was given."""
    evil.add_user("dora")
    key = UserKey.make()
    add_key(evil, "dora", key.line)
    evil.run("user", "otp", "add", "dora")
    with EvilSftp(evil) as w:
        w.vouched()
        assert ask_key(w, "dora", key, w.session).state == AUTH["PARTIAL"]
        for code in ("", "0", "000000", "0" * 16):
            reply = w.ask("LOGIN_SECRET", user="dora", kind=2, secret=code, algorithms="evil", agent="evil")
            assert reply.name == "FAILED" or reply.state == AUTH["REFUSED"], reply
        not_in(w)
    with EvilSftp(evil) as w:  # the code before the password
        w.vouched()
        reply = w.ask("LOGIN_SECRET", user="dora", kind=2, secret="000000", algorithms="evil", agent="evil")
        assert reply.name == "FAILED" or reply.state == AUTH["REFUSED"]
        not_in(w)


# ---- keys of files ----

def test_nothing_before_a_login(evil):
    with Following(evil) as audit:
        for rule in RULES:
            if rule.phase == "PH_AUTHED" and may_send(rule, "broker", WORKER):
                with EvilSftp(evil) as w:
                    w.vouched()
                    ends(audit, w, "broker", filled(rule, least=True), rule.name)
    served(evil)


def test_no_key_without_an_entry(evil):
    """Each key that it has is on record; what is not its user's it does not get."""
    with EvilSftp(evil) as w:
        w.login("bob")
        for path in ("/Home/alice/large", "/Home/alice/small", "/etc/passwd", "../alice/large", "/Home/bob/../alice/large"):
            reply = w.ask("OPEN", path=path)
            assert reply.name == "FAILED" and reply.err in (ERR["NOTFOUND"], ERR["PERM"], 2, 60), f"{path}: {reply}"
        assert w.key(0.5) is None
        keys = 0
        for name in ("large", "small"):
            reply = w.ask("OPEN", path=f"/Home/bob/{name}")
            assert reply.name in ("FILE_OPEN", "FILE_INLINE")
            key = w.key()
            assert key.name == "KEY" and not key.fresh and key.entry
            keys += 1
        assert w.key(0.5) is None
        on_record = releases(evil, w)
        assert len(on_record) == keys and {e["path"] for e in on_record} == {"/Home/bob/large", "/Home/bob/small"}
    served(evil)


def test_partials_of_others(evil):
    """alice's unfinished upload: neither seen, nor continued, nor committed, nor given up by bob's worker."""
    evil.run("acl", "set", "/Home/alice", "--user", "bob", "--rights", "read,write,list,delete")
    try:
        c = Ssh(evil.sftp_port, "alice", password=PASSWORD).to("sftp")
        handle = c.sftp.open("partial", WRITE | CREAT | TRUNC)
        for at in range(0, 3 << 20, 32768):
            c.sftp.write(handle, at, bytes(32768))
        c.sftp.extended("fsync@openssh.com", string(handle))
        with EvilSftp(evil) as w:
            w.login("bob")
            assert w.ask("STAT", path="/Home/alice/partial", partial=1).name == "FAILED"
            assert w.ask("RESUME", path="/Home/alice/partial").name == "FAILED"
            assert w.key(0.5) is None
            for number in range(1, 60):
                with EvilSftp(evil) as v:
                    v.login("bob")
                    try:
                        reply = v.ask("COMMIT", upload=number, size=0, has_sha256=1)
                        assert reply.name == "FAILED", reply
                    except (Gone, Closed):
                        pass
            for number in range(1, 60):
                for message, more in (("PROGRESS", {"acked": 1 << 40}), ("ABORT", {})):
                    try:
                        reply = w.ask(message, upload=number, **more)
                        assert reply.name == "FAILED", f"{message} {number}: {reply}"
                    except (Gone, Closed):
                        w = EvilSftp(evil).login("bob")
        c.sftp.write(handle, 3 << 20, b"the end")
        c.sftp.close(handle)
        assert c.sftp.stat("partial")["size"] == (3 << 20) + 7
        c.sftp.remove("partial")
        c.close()
    finally:
        evil.run("acl", "remove", "/Home/alice", "--user", "bob")
    served(evil)


def test_partials_of_its_own(evil):
    """bob's own partial: the key that it gets to go on is on record."""
    c = Ssh(evil.sftp_port, "bob", password=PASSWORD).to("sftp")
    handle = c.sftp.open("cut", WRITE | CREAT | TRUNC)
    for at in range(0, 2 << 20, 32768):
        c.sftp.write(handle, at, bytes(32768))
    c.sftp.extended("fsync@openssh.com", string(handle))
    c.reset()
    with EvilSftp(evil) as w:
        w.login("bob")
        for _ in range(100):
            reply = w.ask("RESUME", path="/Home/bob/cut")
            if reply.name != "FAILED" or reply.err != ERR["CONFLICT"]:
                break
        assert reply.name == "UPLOAD_RESUMED", reply
        assert w.key().name == "KEY"
        assert [e["event"] for e in releases(evil, w)] == ["upload.resumed"]
    served(evil)


# ---- form ----

@pytest.mark.parametrize("room", SOCKETS)
def test_messages_of_others(evil, room):
    """What is not a worker's of this door to say, on each of its sockets, in good form."""
    with Following(evil) as audit:
        for rule in RULES:
            if not may_send(rule, room, WORKER):
                with EvilSftp(evil) as w:
                    ends(audit, w, room, filled(rule, least=True), rule.name)
    served(evil)


@pytest.mark.parametrize("logged_in", [False, True], ids=["before", "after"])
def test_limits_of_fields(evil, logged_in):
    """Every field past its limit, every message cut short or with more behind, ends it or is refused as a user's mistake."""
    with Following(evil) as audit:
        for rule in RULES:
            if not may_send(rule, "broker", WORKER) or rule.name == "READY" or (rule.phase == "PH_AUTHED") != logged_in:
                continue
            whole = filled(rule, least=True)
            bad = [(f"{rule.name}.{field} + 1", packet) for field, packet in beyond(rule)]
            bad += [(f"{rule.name} and more", whole + b"x"), (f"{rule.name} cut", whole[:-1])]
            for about, packet in bad:
                with EvilSftp(evil) as w:
                    w.login("bob") if logged_in else w.vouched()
                    try:
                        w.send("broker", packet)
                        reply = w.reply()
                        assert reply.name == "FAILED" and reply.err == 2 and "+ 1" in about, f"{about}: {reply}"
                    except (Gone, Closed):
                        audit.expect(w.peer, "worker.violation", "seen by broker", about)
    served(evil)


def test_limits_of_what_is_signed(evil):
    with Following(evil) as audit:
        rule = next(r for r in RULES if r.name == "SSH_KEX")
        whole = filled(rule, least=True)
        for about, packet in [(field, p) for field, p in beyond(rule)] + [("and more", whole + b"x"), ("cut", whole[:-1]), ("all at their limits", filled(rule))]:
            with EvilSftp(evil) as w:
                ends(audit, w, "signer", packet, about)
    served(evil)


def test_noise(evil):
    with Following(evil) as audit:
        for room in SOCKETS:
            for size in (0, 1, 2, 3, 17, 1000, 81921):
                with EvilSftp(evil) as w:
                    ends(audit, w, room, b"\xff\xff"[:size] + os.urandom(max(size - 2, 0)), f"{size} bytes for {room}")
    served(evil)


def test_two_requests(evil):
    with Following(evil) as audit, EvilSftp(evil) as w:
        w.vouched()
        w.send("broker", encode("LOGIN_SECRET", user="bob", secret=PASSWORD))
        ends(audit, w, "broker", encode("LOGIN_SECRET", user="bob", secret=PASSWORD), "a second login")
    with Following(evil) as audit, EvilSftp(evil) as w:
        w.vouched()
        values = w.inputs()
        ends(audit, w, "signer", encode("SSH_KEX", **values), "a second exchange")


def test_guessing_is_counted(evil):
    """A worker that guesses passwords as fast as it can runs into the same lockout as anybody."""
    evil.add_user("guessed")
    with EvilSftp(evil) as w:
        w.vouched()
        outcomes = []
        try:
            for i in range(60):
                reply = w.ask("LOGIN_SECRET", user="guessed", kind=0, secret=f"guess number {i}", algorithms="evil", agent="evil")
                outcomes.append(reply.err if reply.name == "FAILED" else reply.state)
                assert reply.name == "FAILED" or reply.state == AUTH["REFUSED"]
        except (Gone, Closed):
            pass
        assert 42 in outcomes or len(outcomes) < 60, outcomes  # ELOCKOUT
    served(evil)


def test_jail(evil):
    """No files, no sockets, no programs: each attempt kills it, and is on record."""
    with Following(evil) as audit:
        for name, args in (("openat", (-100, b"/etc/passwd\0", 0, 0)), ("socket", (2, 1, 0)), ("execve", (b"/bin/sh\0", 0, 0)), ("ptrace", (16, 1, 0, 0)), ("kill", (1, 9)),
                           ("fork", ()), ("mprotect", (0, 4096, 7)), ("connect", (3, b"\2\0", 16)), ("io_uring_setup", (1, 0)), ("memfd_create", (b"x\0", 0))):
            with EvilSftp(evil) as w:
                try:
                    result = w.call(name, *args)
                    assert result < 0, f"{name} worked: {result}"
                except Gone:
                    audit.expect(w.peer, "worker.killed", "", name)
    served(evil)
