"""A messenger is taken over by the server that it calls: what it has, what it can reach, what it can make others believe."""
import errno
import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import time

import pytest
from lib.evil import JUMP, Closed, EvilMessenger, Gone, evil_instance
from lib.instance import binary, descendants
from lib.receivers import free_port
from lib.ring import encode

AT_FDCWD = -100
MAIL_SECRET, HOOK_SECRET = f"mail-{secrets.token_hex(12)}", f"hook-{secrets.token_hex(12)}"


@pytest.fixture(scope="module")
def scene(identity, tmp_path_factory):
    """A server with two ways; the webhook's receiver is ours, and takes over whoever calls it."""
    listener = socket.create_server(("127.0.0.1", free_port()))
    with evil_instance(identity) as server:
        for name, text in (("mail", MAIL_SECRET), ("hook", HOOK_SECRET)):
            path = server.dir / "keys" / name
            path.write_text(text + "\n")
            path.chmod(0o400)
            os.chown(path, identity.uid, identity.uid) if os.geteuid() == 0 else None
        for keyword, value in {
            "AlarmWebhook": f"http://127.0.0.1:{listener.getsockname()[1]}/", "AlarmWebhookKey": "file:keys/hook", "AlarmDigest": "0s",
            "AlarmMailTo": "a@example.org", "AlarmMailFrom": "b@example.org", "AlarmMailServer": f"127.0.0.1:{free_port()}",
            "AlarmMailUser": "u", "AlarmMailPassword": "file:keys/mail",
        }.items():
            server.set(keyword, value)
        server.restart()
        server.add_user("alice")
        yield server, listener


@pytest.fixture
def w(scene):
    server, listener = scene
    server.run("token", "add", "alice", "--name", secrets.token_hex(8))
    # a test cuts the wait short that the failures of other tests have earned
    hurry = subprocess.Popen(server.identity.command([binary(), "-C", server.dir, "alarm", "test"]), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    with EvilMessenger(server, listener) as messenger:
        yield messenger
    hurry.kill()
    hurry.wait()


def ended(server, w, how):
    assert w.gone()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for e in server.audit("--event", "worker.killed") + server.audit("--event", "worker.violation"):
            if how in e["detail"].get("text", "") and e["detail"].get("room") in ("messenger", "courier"):
                return
        time.sleep(0.1)
    raise AssertionError(f"no entry says {how}\n{server.log_tail()}")


def test_it_has_its_job_and_nothing_else(scene, w):
    assert {name for name, fd in w.fd.items() if fd > 0} == {"supervisor", "courier"}
    open_now = [fd for fd in range(64) if w.call("fcntl", fd, 1, 0) >= 0]  # F_GETFD
    # standard ones, supervisor, courier, its loop, the connection, and the file of authorities
    assert len(open_now) <= 9, open_now


@pytest.mark.root
def test_secrets_of_other_ways_are_not_in_its_memory(scene, w):
    server, _ = scene
    pids = []
    for pid, _ in descendants(server.process.pid):
        try:
            if "sallyport-messenger" in open(f"/proc/{pid}/cmdline").read():
                pids.append(pid)
        except OSError:
            continue
    found = {"mail": 0, "hook": 0}
    for pid in pids:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
            both = {"mail": False, "hook": False}
            for line in maps:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
                if not m or int(m[2], 16) - int(m[1], 16) > 1 << 28:
                    continue
                try:
                    mem.seek(int(m[1], 16))
                    data = mem.read(int(m[2], 16) - int(m[1], 16))
                except OSError:
                    continue
                both["mail"] |= MAIL_SECRET.encode() in data
                both["hook"] |= HOOK_SECRET.encode() in data
            assert not all(both.values()), "one messenger has the secrets of two ways"
            for way, has in both.items():
                found[way] += has
    assert found["hook"] >= 1  # that of the job in hand: the look itself works


REFUSED = {
    "read /etc/passwd": lambda w: w.call("openat", AT_FDCWD, b"/etc/passwd\0", os.O_RDONLY, 0),
    "list /etc": lambda w: w.call("openat", AT_FDCWD, b"/etc\0", os.O_RDONLY | os.O_DIRECTORY, 0),
    "another's memory": lambda w: w.call("openat", AT_FDCWD, b"/proc/%d/mem\0" % os.getpid(), os.O_RDONLY, 0),
    "local stream socket": lambda w: w.call("socket", 1, 1, 0),
    "netlink socket": lambda w: w.call("socket", 16, 3, 0),
}
KILLED = {
    "write a file": lambda w: w.call("openat", AT_FDCWD, b"/tmp/evil\0", os.O_WRONLY | os.O_CREAT, 0o777),
    "write an existing one": lambda w: w.call("openat", AT_FDCWD, b"/etc/hosts\0", os.O_RDWR, 0),
    "truncate one": lambda w: w.call("openat", AT_FDCWD, b"/etc/hosts\0", os.O_TRUNC, 0),
    "local packet socket": lambda w: w.call("socket", 1, 5, 0),
    "raw socket": lambda w: w.call("socket", 2, 3, 0),
    "packet socket": lambda w: w.call("socket", 17, 3, 0),
    "bind": lambda w: w.call("bind", w.connection, bytes(16), 16),
    "listen": lambda w: w.call("listen", w.connection, 1),
    "accept": lambda w: w.call("accept4", w.connection, 0, 0, 0),
    "pass a descriptor": lambda w: w.call("sendmsg", w.fd["courier"], bytes(56), 0),
    "execve": lambda w: w.call("execve", b"/bin/sh\0", 0, 0),
    "fork": lambda w: w.call("clone", signal.SIGCHLD, 0, 0, 0, 0),
    "memory W+X": lambda w: w.call("mmap", 0, 4096, 6, 0x22, -1, 0),
    "make memory X": lambda w: w.call("mprotect", w.scratch & ~4095, 4096, 5),
    "ptrace": lambda w: w.call("ptrace", 16, os.getpid(), 0, 0),
    "kill": lambda w: w.call("kill", os.getppid(), 9),
    "unlink": lambda w: w.call("unlinkat", AT_FDCWD, b"/tmp/evil\0", 0),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(w, what):
    assert REFUSED[what](w) in (-errno.EACCES, -errno.EPERM)


@pytest.mark.parametrize("what", KILLED)
def test_killed(scene, w, what):
    with pytest.raises(Gone):
        KILLED[what](w)
    ended(scene[0], w, "signal 31")


def test_foreign_code_does_not_run(scene, w):
    with pytest.raises(Gone):
        w.order(JUMP, data=b"\x90" * 64)


def test_files_of_the_instance(scene, w):
    """Not even their names: as root it is another user, and Landlock holds for everybody."""
    server, _ = scene
    for name in ("sallyport.conf", "keys/mail", "keys/root.key", "courier/state", "ledger/checkpoint", "db"):
        path = str(server.dir / name).encode() + b"\0"
        assert w.call("openat", AT_FDCWD, path, os.O_RDONLY, 0) in (-errno.EACCES, -errno.EPERM), name


def test_local_sockets_of_the_server(scene, w):
    """A datagram socket cannot be connected to what operators talk to."""
    server, _ = scene
    fd = w.call("socket", 1, 2, 0)
    assert fd > 0
    for path in server.dir.glob("run/*.sock"):
        address = struct.pack("=H", 1) + str(path).encode() + b"\0"
        assert w.call("connect", fd, address, len(address)) < 0, path


def test_what_it_says(scene, w):
    """It may say that its own job is done, whatever the truth; anything else ends it, and is on record."""
    server, _ = scene
    before = server.run("alarm", "list", "--json").json()
    with pytest.raises((Gone, Closed)):
        w.send("courier", encode("ALARM_NOTE", event=131, way="mail", text="x"))
        while w.receive("courier") is not None:
            pass
    ended(server, w, "seen by courier")
    state = server.run("alarm", "list", "--json").json()
    assert state["taken"] >= before["taken"] and next(x for x in state["ways"] if x["way"] == "webhook")["messages"]
    assert not server.audit("--event", "alarm.undelivered")


def test_lies_about_its_own_job_only(scene, w):
    """"Delivered" is believed for that message; a second answer is nobody's."""
    server, _ = scene
    mail = next(x for x in server.run("alarm", "list", "--json").json()["ways"] if x["way"] == "mail")
    w.send("courier", encode("DELIVERED", good=1))
    w.send("courier", encode("DELIVERED", good=1))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        ways = {x["way"]: x for x in server.run("alarm", "list", "--json").json()["ways"]}
        if ways["webhook"]["delivered"]:
            break
        time.sleep(0.1)
    assert ways["webhook"]["delivered"] >= 1 and ways["mail"]["delivered"] == mail["delivered"] == 0
    assert ways["mail"]["messages"]  # whose server there is none: it waits on


@pytest.mark.parametrize("room", ["courier", "supervisor"])
def test_garbage(scene, w, room):
    with pytest.raises((Gone, Closed)):
        for packet in (b"", b"\0", secrets.token_bytes(3000), encode("DELIVERED", good=1) + b"x", encode("READY")):
            w.send(room, packet)
        while w.receive(room) is not None:
            pass
    assert scene[0].run("alarm", "list", "--json").json()["taken"]


def test_one_that_never_answers(scene, w):
    """It holds its own way up for a while, the others not at all."""
    server, _ = scene
    start = time.monotonic()
    server.run("user", "list")
    server.run("alarm", "list")
    assert time.monotonic() - start < 5
