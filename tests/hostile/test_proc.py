"""What /proc shows of every process: users, capabilities, filters, descriptors, environment."""
import os
import secrets
import subprocess
import time
from pathlib import Path

import pytest

from lib.instance import Client, Identity, Instance

ROOMS = ["ledger", "vault", "signer", "broker", "gate-https", "gate-sftp", "authenticator", "worker-https", "worker-sftp", "scrubber", "courier", "messenger"]

ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def server(identity):
    """Every door is open: every room there is runs."""
    with Instance(identity, sftp=True, settings={"AlarmSyslog": "local:/nowhere"}) as instance:
        instance.add_user("alice")
        instance.add_user("bob")
        yield instance


def look(server):
    """Name and /proc folder of every room that is past its start; None when one is not, or has just ended."""
    supervisor = int((server.dir / "run/pid").read_text())
    found = []
    try:
        for child in Path(f"/proc/{supervisor}/task").glob("*/children"):
            for pid in child.read_text().split():
                path = Path(f"/proc/{pid}")
                name = (path / "cmdline").read_bytes().split(b"\0")[0].decode()
                if name.startswith("sallyport-template-"):  # serve nobody: test_template.py
                    continue
                found.append((name.removeprefix("sallyport-"), path))
                if status(path)["Seccomp"] != "2":
                    return None
    except OSError:
        return None
    return found if {name for name, _ in found} == set(ROOMS) else None


def rooms(server):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = look(server)
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not all rooms are in their sandbox after 10 s\n{server.log_tail()}")


def status(path):
    lines = (path / "status").read_text().splitlines()
    return {k: v.strip() for k, _, v in (line.partition(":") for line in lines)}


def test_others_cannot_look(server, identity):
    """Processes of the same user cannot read a room's memory map, descriptors or environment: it is not dumpable."""
    for name, path in rooms(server):
        uid = int(status(path)["Uid"].split()[0])
        for what in ("maps", "environ", "mem"):
            done = subprocess.run(Identity("same", uid).command(["cat", path / what]), capture_output=True)
            assert done.returncode != 0 and not done.stdout, f"{name}: {what} can be read by uid {uid}"


def descriptors(path):
    return {int(fd.name): os.readlink(fd) for fd in (path / "fd").iterdir()}


def test_no_powers(server):
    for name, path in rooms(server):
        s = status(path)
        assert s["NoNewPrivs"] == "1", name
        assert s["Seccomp"] == "2", name
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(s[kind], 16) == 0, f"{name} {kind}"


def test_users(server, identity):
    """Started by root: a user for each room and for each process of a pool, none of them root."""
    seen = {}
    for name, path in rooms(server):
        s = status(path)
        uids = set(s["Uid"].split())
        assert len(uids) == 1, f"{name}: {s['Uid']}"
        assert s["Groups"] == "" , f"{name}: {s['Groups']}"
        uid = int(uids.pop())
        if identity.uid == 0:
            assert uid != 0 and uid not in seen, f"{name} shares its user with {seen.get(uid)}"
            seen[uid] = name
        else:
            assert uid == identity.uid


def test_descriptors(server):
    """A worker has six sockets, a pipe for its log and /dev/null: no file, no folder, no listener."""
    for name, path in rooms(server) if ROOT else []:
        fds = descriptors(path)
        assert fds[0] == fds[1] == "/dev/null", name
        kinds = {fd: target for fd, target in fds.items() if fd > 3}
        if name in ("worker-https", "worker-sftp", "authenticator", "signer", "scrubber", "messenger"):
            others = [t for t in kinds.values() if not t.startswith(("socket:", "anon_inode:[eventpoll]"))]
            assert not others, f"{name}: {others}"
        if name in ("worker-https", "worker-sftp", "authenticator", "scrubber", "messenger"):
            assert len(fds) <= 8, f"{name}: {fds}"
        for target in kinds.values():
            if name == "courier" and target in (str(server.dir / "courier"), "/etc/ssl/certs/ca-certificates.crt"):
                continue
            if target.startswith("/") and not target.startswith("/memfd:none") and name not in ("broker", "ledger", "vault"):
                raise AssertionError(f"{name} holds {target}")


def test_limits(server):
    for name, path in rooms(server):
        limits = (path / "limits").read_text()
        row = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()[1:]}
        assert row["Max core file size"] == ["0", "0"], name
        if name in ("worker-https", "authenticator", "scrubber", "courier", "messenger"):
            assert int(row["Max open files"][1]) <= 64, f"{name}: {row['Max open files']}"
        if name == "worker-sftp":  # SftpHandles, and what else it needs
            assert int(row["Max open files"][1]) == 128
        if name in ("authenticator", "gate-https", "gate-sftp", "signer", "scrubber"):
            assert row["Max processes"] == ["0", "0"], f"{name}: {row['Max processes']}"
        if name in ("authenticator", "gate-https", "gate-sftp", "signer", "scrubber", "messenger"):
            assert row["Max file size"] == ["0", "0"], f"{name}: {row['Max file size']}"


def test_memory_is_never_writable_and_executable(server):
    for name, path in rooms(server) if ROOT else []:
        for line in (path / "maps").read_text().splitlines():
            assert "wx" not in line.split()[1], f"{name}: {line}"


def test_environment(server):
    allowed = {"JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS", "SALLYPORT_LANDLOCK_ABI"}
    for name, path in rooms(server) if ROOT else []:
        names = {v.split(b"=")[0].decode() for v in (path / "environ").read_bytes().split(b"\0") if v}
        assert names <= allowed, f"{name}: {names}"


def test_own_session(server):
    """A terminal's signals reach the supervisor only."""
    for name, path in rooms(server):
        fields = (path / "stat").read_text().rpartition(")")[2].split()
        assert fields[3] == path.name, f"{name}: session {fields[3]}"


def memory(path):
    """All that a process can write to, and so could keep something in."""
    with open(path / "mem", "rb", buffering=0) as mem:
        for line in (path / "maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if "w" not in rights or line.endswith("[vvar]"):
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            mem.seek(start)
            try:
                yield mem.read(end - start)
            except OSError:
                continue  # a page that the process has no rights on itself


def holders(server, needles):
    """Which rooms hold which of the needles in their memory; every process is read."""
    found = set()
    for name, path in rooms(server):
        try:
            for part in memory(path):
                found |= {(name, what) for what, needle in needles.items() if needle in part}
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended, and all it held with it
    return found


@pytest.mark.root
def test_secrets_of_others(server, bob):
    """What one user typed, was given and sent is in no process that another user reaches, nor in the broker a password."""
    password, content = secrets.token_hex(16), secrets.token_bytes(24)
    server.add_user("carla", password=password)
    with server.anonymous() as visitor:
        reply = server.grant(visitor, grant_type="password", username="carla", password=password).json()
    needles = {"password": password.encode(), "access token": reply["access_token"].encode(),
               "refresh token": reply["refresh_token"].encode(), "content": content}
    carla = Client(server, reply["access_token"])
    assert carla.store("/Home/carla/large", content * 50000).status_code == 201
    assert carla.store("/Home/carla/small", content).status_code == 201
    assert carla.fetch("/Home/carla/large").content == content * 50000
    assert bob.get("/api/v1/users/self").status_code == 200  # bob's connection is there too
    # The search finds what is there: the worker that carla is connected to has her token, and no other process but the
    # broker, which judges tokens, may know one.
    held = holders(server, needles)
    assert ("worker-https", "access token") in held
    carla.close()
    deadline = time.monotonic() + 10
    while True:
        held = {(name, what) for name, what in holders(server, needles) if name != "broker" or what in ("password", "content")}
        if not held or time.monotonic() > deadline:
            break
        time.sleep(0.5)  # her worker may still be ending
    assert not held
