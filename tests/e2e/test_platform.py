"""Kernels and users: the same with Landlock held to ABI 2, a uid for each room, nothing that a room does not need."""
import os
import secrets
from pathlib import Path

import pytest

from lib.instance import Instance, descendants

JAILED = ("ledger", "vault", "signer", "broker", "gate-https", "gate-sftp")


def rooms(server):
    return {r["room"]: r for r in server.run("--json", "status").json()["rooms"]}


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.fixture
def old_kernel(identity):
    """A server whose rooms use Landlock as Debian 12's own kernel has it."""
    with Instance(identity, env={"SALLYPORT_LANDLOCK_ABI": "2"}) as server:
        yield server


def test_landlock_abi_2(old_kernel):
    server = old_kernel
    assert {name: rooms(server)[name]["landlock_abi"] for name in JAILED} == dict.fromkeys(JAILED, 2)
    server.add_user("alice")
    alice = server.login("alice")
    for size in (1000, 3_000_000):
        data = secrets.token_bytes(size)
        assert alice.store(f"/Home/alice/{size}", data).status_code == 201
        assert alice.fetch(f"/Home/alice/{size}").content == data
    server.run("key", "rotate", timeout=60)
    assert server.run("fsck", "--content", timeout=60).code == 0


def test_every_room_runs_and_is_jailed(server, identity):
    found = rooms(server)
    family = descendants(server.process.pid) | {(server.process.pid, None)}
    for name in JAILED:
        assert found[name]["state"] == "up" and found[name]["landlock_abi"] >= 2
        assert found[name]["pid"] in {pid for pid, _ in family}
        status = status_of(found[name]["pid"])
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", name
        assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0 or identity.uid != 0, name
    uids = [status_of(found[name]["pid"])["Uid"].split()[0] for name in JAILED]
    if identity.uid == 0:
        assert len(set(uids)) == len(JAILED) and "0" not in uids
    else:
        assert set(uids) == {str(identity.uid)}


@pytest.mark.root
def test_a_jailed_room_has_only_its_descriptors(server):
    for name in JAILED:
        links = [os.readlink(f) for f in Path(f"/proc/{rooms(server)[name]['pid']}/fd").iterdir()]
        assert all(l.startswith(("socket:", "anon_inode:", "/dev/null", "pipe:", "/memfd:", str(server.dir), str(server.log_path)))
                   for l in links), (name, links)
        if name in ("vault", "signer", "gate-https", "gate-sftp"):
            assert not [l for l in links if "/db/" in l or "/blobs/" in l or "ledger" in l], (name, links)


def test_what_only_one_room_may_read_says_so_itself(server):
    """Whoever gets into a closed folder (a copy, a backup of the host) still finds closed files."""
    secret = [p for folder in ("db", "vault", "ledger", "blobs", "courier") for p in (server.dir / folder).rglob("*") if p.is_file()]
    assert {p.parent.name for p in secret} >= {"db", "vault"}
    assert [str(p) for p in secret if p.stat().st_mode & 0o077] == []
