"""WIPED LOG: LEMURLOOT's `-2`, DEWMODE's clean-up, CrushFTP's redaction: the record goes after the files (attacks.md 3.1 step 12, 3.3 number 7)

There: the log was rows or lines that the thief's administrator could delete, so that victims needed weeks to learn what was gone.
Needs: here a verb that shortens the log, or a change of its files that nobody notices.
Here: P9: no verb removes an entry, an account that is removed leaves its deeds; and a log that was cut, changed or begun anew does not extend a checkpoint that was kept elsewhere.
"""
import shutil
import subprocess

import pytest

from lib.cases import House
from lib.instance import Instance, binary


@pytest.fixture(scope="module")
def robbed(identity, tmp_path_factory):
    """A server after a theft, stopped; what the thief's account read; a checkpoint that was kept elsewhere."""
    house = House(identity)
    s = house.server
    kept = tmp_path_factory.mktemp("kept") / "checkpoint"
    with house.attack(inside="thief", changes=("user", "user.added", "user.removed", "user.changed", "session.revoked", "admin", "folder", "acl", "login", "logout", "file.created", "file", "version", "file.read")) as thief:
        # the account that is made for the theft, its reading, and its end
        s.add_user("health-check-service")
        with s.login("health-check-service") as c:
            c.store("/Home/health-check-service/x", b"loot")
            assert c.fetch("/Home/health-check-service/x").content == b"loot"
        kept.write_text(s.run("audit", "checkpoint").out)
        s.run("session", "revoke", "--user", "health-check-service")
        s.run("user", "remove", "health-check-service")
    assert [e for e in thief.record if e["event"] == "file.read" and e["user"] == "health-check-service"], "the reading went with the account"
    s.stop()
    yield house, kept
    s.start()
    house.close()


def test_no_verb_removes_an_entry(robbed):
    words = " ".join(line.strip() for line in robbed[0].server.run("--help").out.splitlines())
    for verb in ("audit remove", "audit clear", "audit reset", "audit truncate", "audit purge", "audit delete", "audit rotate", "log clear", "ledger reset"):
        assert verb not in words
        assert robbed[0].server.run(*verb.split(), check=False).code != 0


def verify(folder, kept):
    return subprocess.run([binary(), "-C", folder, "audit", "verify", "--checkpoint", kept], capture_output=True, text=True, cwd="/")


def cut(entries):
    entries.write_bytes(entries.read_bytes()[:-300])


def change(entries):
    data = entries.read_bytes()
    at = data.index(b"health-check-service")
    entries.write_bytes(data[:at] + b"somebody-else-entire" + data[at + 20:])


CHANGES = {"an entry changed": change, "the end cut off": cut, "a tile removed": lambda e: e.unlink(), "a tile emptied": lambda e: e.write_bytes(b"")}


@pytest.mark.parametrize("what", CHANGES)
def test_files_changed(robbed, tmp_path, what):
    house, kept = robbed
    copy = tmp_path / "instance"
    shutil.copytree(house.server.dir, copy, ignore=lambda d, names: [n for n in names if n.endswith(".sock")])
    assert verify(copy, kept).returncode == 0
    entries = max((p for p in (copy / "ledger/tile/entries").rglob("*") if p.is_file() and b"health-check-service" in p.read_bytes()), key=lambda p: p.stat().st_size)
    CHANGES[what](entries)
    assert verify(copy, kept).returncode != 0, f"{what}: not noticed"


def test_begun_anew(robbed, tmp_path):
    """A log of another instance, whole by itself, in the place of this one: with its own key even."""
    house, kept = robbed
    other = Instance(house.server.identity)
    try:
        other.init()
        other.start()
        other.stop()
        copy = tmp_path / "instance"
        shutil.copytree(house.server.dir, copy, ignore=lambda d, names: [n for n in names if n.endswith(".sock")])
        shutil.rmtree(copy / "ledger")
        shutil.copytree(other.dir / "ledger", copy / "ledger")
        assert verify(copy, kept).returncode != 0
        for name in other.dir.glob("keys/ledger*"):
            shutil.copy(name, copy / "keys" / name.name)
        assert verify(copy, kept).returncode != 0
        assert verify(other.dir, kept).returncode != 0
    finally:
        other.end()
        other.remove()
