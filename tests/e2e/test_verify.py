"""sallyport verify: what was changed behind the server's back is found, named, and nothing else is."""
import hashlib
import os
import shutil
import sqlite3
import subprocess

import pytest

from lib.instance import PASSWORD, TOP, Instance, binary


def made(fresh):
    fresh.init()
    return fresh.start()


def differences(server, *args):
    """What verify finds, as {(part, what): (expected, found)}; its exit status says the same."""
    result = server.run("verify", "--json", *args, check=False)
    assert result.code in (0, 2), result
    report = result.json()
    assert report["verified"] == (result.code == 0) == (not report["differences"])
    assert not [p for p in report["parts"] if p["part"] in ("audit log", "database") and not p["checked"]], report["parts"]
    return {(d["part"], d["what"]): (d["expected"], d["found"]) for d in report["differences"]}


def database(server):
    return {what: values for (part, what), values in differences(server).items() if part == "database"}


class Changed:
    """The database file of a server that is stopped, opened as anybody could who may write it."""

    def __init__(self, server):
        self.path = server.dir / "db/sallyport.db"
        owner = self.path.stat()
        self.owner = owner.st_uid, owner.st_gid

    def __enter__(self):
        self.db = sqlite3.connect(self.path, isolation_level=None)
        return self.db

    def __exit__(self, *_):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()
        for f in self.path.parent.iterdir():
            os.chown(f, *self.owner)


def put_back(server, name, saved):
    """A folder of the instance as it was saved, with the owner that it had."""
    owner = (server.dir / name).stat()
    shutil.rmtree(server.dir / name)
    shutil.copytree(saved, server.dir / name)
    for path in (server.dir / name, *(server.dir / name).rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


def populate(server):
    """Something of everything that verify compares, and some of it gone again."""
    for name in ("alice", "bob", "gone"):
        server.add_user(name)
    run = server.run
    run("folder", "add", "/shared")
    run("folder", "add", "/shared/below")
    run("folder", "add", "/old", "--no-inherit", "--quota", "10M")
    run("group", "add", "staff")
    run("group", "member-add", "staff", "alice")
    run("acl", "set", "/shared", "--rights", "read,list,write,delete,subfolders", "--group", "staff")
    run("acl", "set", "/old", "--rights", "all", "--user", "gone")
    run("acl", "set", "/old", "--rights", "read", "--user", "gone")
    run("token", "add", "alice")
    run("token", "add", "gone", "--name", "t")
    run("user", "otp", "add", "gone")
    run("user", "otp", "add", "bob")
    run("user", "set", "bob", "--level", "fileadmin", "--full-name", 'B "ö" b\\')
    run("org", "add", "other")
    run("org", "set", "other", "--quota", "5G")
    run("user", "add", "carol", "--org", "other", "--password-stdin", stdin=PASSWORD + "\n")
    alice = server.login("alice")
    for path, data in (("/Home/alice/a b.txt", b"one"), ("/Home/alice/big", b"x" * 200000), ("/shared/below/f", b"1"), ("/shared/g", b"2")):
        assert alice.store(path, data).status_code in (200, 201, 204)
    assert alice.store("/Home/alice/a b.txt", b"two").status_code in (200, 201, 204)
    assert alice.delete(alice.url("/shared/g")).status_code in (200, 202, 204)
    run("user", "remove", "gone")
    run("user", "passwd", "bob", "--password-stdin", stdin="another long password\n")
    run("folder", "remove", "/old")
    run("token", "add", "bob")
    run("revoke", "--user", "bob")
    return alice


def test_nothing_is_found_where_nothing_was_done(fresh):
    server = made(fresh)
    alice = populate(server)
    assert database(server) == {}
    server.stop()
    assert database(server) == {}
    server.start()
    assert database(server) == {}
    tokens = alice.post("/api/v1/token", data={"grant_type": "password", "username": "alice", "password": PASSWORD}).json()
    assert alice.post("/api/v1/token", data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}).status_code == 200
    assert database(server) == {}
    server.run("token", "add", "bob")
    server.run("revoke", "--all")
    assert database(server) == {}
    server.process.kill()  # and after a crash
    server.end()
    server.start()
    assert database(server) == {}


def test_a_row_that_no_entry_made(fresh):
    """MOVEit's web shell made its administrator with an INSERT; here that is found, running or not."""
    server = made(fresh)
    populate(server)
    with pytest.raises(sqlite3.OperationalError):  # while it runs the file is the broker's alone
        sqlite3.connect(server.dir / "db/sallyport.db", timeout=0.2).execute("UPDATE user SET level = 6 WHERE name = 'alice'")
    server.stop()
    with Changed(server) as db:
        db.execute("INSERT INTO user (org, name, level, phc, created_us) SELECT 1, 'healthcheck', 6, phc, 1 FROM user WHERE name = 'bob'")
        db.execute("INSERT INTO user (id, org, name, level, created_us) VALUES (-9223372036854775808, 1, 'low', 6, 1)")
        db.execute("UPDATE user SET level = 5 WHERE name = 'alice'")
        db.execute("UPDATE user SET phc = (SELECT phc FROM user WHERE name = 'alice') WHERE name = 'bob'")
        db.execute("DELETE FROM otp")
        db.execute("INSERT INTO acl (folder, kind, subject, rights) VALUES (1, 0, 1, 511)")
        db.execute("INSERT INTO api_token (user, name, hash, scopes, created_us, expires_us) VALUES (1, 'x', x'00', 511, 1, 0)")
        db.execute("INSERT INTO ssh_key (user, fingerprint, blob, comment, created_us) VALUES (1, 'SHA256:x', x'00', '', 1)")
        # and a session: what the thieves of MOVEit wrote into its table of active sessions
        db.execute("INSERT INTO session (user, listener, access, refresh, created_us, used_us, access_end_us, end_us, address, agent)"
                   " VALUES (1, 1, ?, ?, 1, 9e15, 9e15, 9e15, '', '')", (hashlib.sha256(b"spa_mine").digest(), bytes(32)))
        db.execute("INSERT INTO membership (grp, user) SELECT g.id, u.id FROM grp g, user u WHERE u.name = 'bob'")
    for running in (False, True):
        if running:
            server.start()
        found = database(server)
        bob = next(what for what, (expected, _) in found.items() if expected and '"name":"B' in expected or expected and '"bob"' in expected)
        whats = {what.split(" ")[0] for what in found}
        assert whats == {"user", "otp", "acl", "token", "sshkey", "member", "session"}, found
        forged = [v for v in found.values() if v[1] and "healthcheck" in v[1]]
        assert forged == [(None, forged[0][1])] and '"level":6' in forged[0][1]
        assert found["user -9223372036854775808"][0] is None
        assert '"level":2' in found["user 1"][0] and '"level":5' in found["user 1"][1]
        expected, seen = found[bob]  # the password of another: only the digest differs
        assert expected.split('"digest"')[0] == seen.split('"digest"')[0] and expected != seen
        assert [v for k, v in found.items() if k.startswith("otp")][0][1] is None
        assert found["acl 1 0 1"][0] is None
    text = server.run("verify", check=False)
    assert text.code == 2 and "healthcheck" in text.out and "differences were found" in text.err


def test_files_and_folders(fresh):
    server = made(fresh)
    populate(server)
    server.stop()
    with Changed(server) as db:
        db.execute("UPDATE file SET name = 'other' WHERE name = 'big'")
        db.execute("UPDATE folder SET inherit = 0 WHERE name = 'below'")
        file, version = db.execute("SELECT id, version FROM file WHERE name = 'f'").fetchone()
        db.execute("UPDATE version SET size = size + 1 WHERE id = ?", (version,))
        db.execute("DELETE FROM file WHERE name = 'a b.txt'")
        held = db.execute("SELECT version FROM held ORDER BY version LIMIT 1").fetchone()[0]
        db.execute("UPDATE extent SET blob = (SELECT id FROM blob ORDER BY id LIMIT 1) WHERE version = ?", (held,))
    found = database(server)
    kinds = sorted(what.split(" ")[0] for what in found)
    assert kinds in (["file", "file", "folder", "version", "version"], ["file", "file", "folder", "version"]), found
    assert any(e and e.endswith("name=big") and f.endswith("name=other") for e, f in found.values() if f)
    assert any(e and e.endswith("name=a b.txt") and f is None for e, f in found.values())


def test_a_trigger_in_the_file(fresh):
    server = made(fresh)
    server.add_user("alice")
    server.stop()
    with Changed(server) as db:
        db.execute("CREATE TRIGGER later AFTER UPDATE OF last_login_us ON user BEGIN UPDATE user SET level = 6 WHERE id = NEW.id; END")
    assert database(server) == {"the database's schema": ("as this version makes it", "trigger later is none of ours")}
    server.start()
    assert list(database(server)) == ["the database's schema"]


def test_a_log_that_was_cut(fresh):
    """The log is put back to an earlier state that is sound by itself: the database has seen more, and so has a checkpoint."""
    server = made(fresh)
    server.add_user("alice")
    server.stop()
    old = server.temp / "old-ledger"
    shutil.copytree(server.dir / "ledger", old)
    server.start()
    server.add_user("mallory", "--level", "sysadmin")
    kept = server.temp / "kept"
    server.stop()
    kept.write_text(server.run("audit", "checkpoint").out)
    kept.chmod(0o644)
    put_back(server, "ledger", old)
    found = differences(server)
    assert ("database", "the audit log is shorter than what the database has seen") in found
    report = server.run("verify", "--json", "--checkpoint", kept, check=False)
    assert report.code == 2 and ("audit log", "the log and its signed checkpoint") in {(d["part"], d["what"]) for d in report.json()["differences"]}


def test_settings(fresh):
    """What was changed and not taken up by a start or reload differs; what was taken up is on record."""
    server = made(fresh)
    settings = lambda: {w: v for (part, w), v in differences(server).items() if part == "settings"}
    assert settings() == {}
    server.set("LogLevel", "debug")
    assert list(settings()) == ["sallyport.conf"]
    server.restart()
    assert settings() == {}
    server.stop()
    with open(server.dir / "keys/https.crt", "a") as f:
        f.write("\n# another\n")
    assert list(settings()) == ["certificate"]


INSTALLED = TOP / "build/rel/root"
NOTESIGN = TOP / "build/rel/tools/notesign"


@pytest.fixture
def release(tmp_path):
    """A copy of what is installed with a manifest that a throw-away key signed: its folder, and its verifier key."""
    root = tmp_path / "root"
    shutil.copytree(INSTALLED, root)
    seed = tmp_path / "seed"
    seed.write_bytes(os.urandom(32))
    manifest = root / "share/sallyport/manifest"
    text = manifest.read_text().split("\n\n")[0] + "\n"
    manifest.write_bytes(subprocess.run([NOTESIGN, seed, "test-release"], input=text.encode(), check=True, capture_output=True).stdout)
    key = subprocess.run([NOTESIGN, "--public", seed, "test-release"], check=True, capture_output=True, text=True).stdout.strip()
    return root, key


def programs(server, root, key, *args):
    report = server.run("verify", "--json", "--root", root, "--release-key", key, *args, check=False).json()
    checked = {p["part"]: p["checked"] for p in report["parts"]}
    return checked, {d["what"]: (d["expected"], d["found"]) for d in report["differences"] if d["part"] == "programs"}


@pytest.mark.root
def test_programs_against_the_signed_manifest(fresh, release):
    server, (root, key) = fresh, release
    server.init()
    checked, found = programs(server, root, key)
    assert checked["programs"] and "release" not in checked and found == {}
    broker = root / "libexec/sallyport/sallyport-broker"
    good = broker.read_bytes()
    broker.write_bytes(good + b"x")
    (root / "libexec/sallyport/human2.aspx").write_text("the web shell of MOVEit")
    (root / "bin/sallyport").chmod(0o4755)
    (root / "share/man/man1/sallyport.1").unlink()
    _, found = programs(server, root, key)
    assert set(found) == {"libexec/sallyport/sallyport-broker", "human2.aspx", "bin/sallyport", "share/man/man1/sallyport.1"}
    assert found["libexec/sallyport/sallyport-broker"] == (hashlib.sha256(good).hexdigest(), hashlib.sha256(good + b"x").hexdigest())
    assert found["bin/sallyport"] == ("mode 0755", "mode 4755")
    # who changes the manifest too has no key to sign it with
    manifest = root / "share/sallyport/manifest"
    manifest.write_text(manifest.read_text().replace(hashlib.sha256(good).hexdigest(), hashlib.sha256(good + b"x").hexdigest()))
    checked, found = programs(server, root, key)
    assert found == {"the manifest's signature": ("test-release", "none that is good")} and not checked["programs"]
    # and no key, no belief: it says so
    report = server.run("verify", "--json", "--root", root, check=False).json()
    assert [p for p in report["parts"] if p["part"] == "release" and not p["checked"]]


def processes(server):
    report = server.run("verify", "--json", "--manifest", INSTALLED / "share/sallyport/manifest", check=False).json()
    part = next(p for p in report["parts"] if p["part"] == "processes")
    assert part["checked"], part
    return [(d["what"], d["expected"], d["found"]) for d in report["differences"] if d["part"] == "processes"]


@pytest.mark.root
@pytest.mark.release
def test_processes(identity, tmp_path, monkeypatch):
    """A room whose program is another one, and an environment that changes what the loader loads."""
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    tmp_path.chmod(0o755)
    for program in [INSTALLED / "bin/sallyport", *(INSTALLED / "libexec/sallyport").iterdir()]:
        shutil.copy(program, rooms)
    monkeypatch.setenv("SALLYPORT_BIN", str(rooms / "sallyport"))
    with Instance(identity) as server:
        assert processes(server) == []
    with open(rooms / "sallyport-scrubber", "ab") as f:
        f.write(b"another program")
    with Instance(identity, env={"GLIBC_TUNABLES": "glibc.malloc.check=0"}) as server:
        found = processes(server)
        assert ("a program of the manifest", str(rooms / "sallyport-scrubber")) in {(e, f) for _, e, f in found}
        assert {what.split()[1] for what, e, _ in found if e.startswith("a program")} == {"sallyport-scrubber"}
        assert [w for w, e, f in found if f.startswith("GLIBC_TUNABLES=") and w.endswith("supervisor")]
        # its file is put back: the process still runs the other
        shutil.copy(INSTALLED / "libexec/sallyport/sallyport-scrubber", rooms / "new")
        (rooms / "new").rename(rooms / "sallyport-scrubber")
        assert [f for _, e, f in processes(server) if e.startswith("a program") and f.endswith("(deleted)")]


def test_what_is_found_is_an_alarm(fresh):
    server = made(fresh)
    server.add_user("alice")
    server.run("verify", "--record", check=False)
    last = server.audit()[-1]
    assert last["event"] == "verify.ok" and "not checked" in last["detail"]["text"]
    server.stop()
    with Changed(server) as db:
        db.execute("UPDATE user SET level = 6")
    assert server.run("verify", "--record", check=False).code == 2  # and nobody to record it
    server.start()
    assert server.run("verify", "--record", check=False).code == 2
    last = server.audit()[-1]
    assert (last["event"], last["sev"]) == ("verify.failed", "alarm") and "database user 1" in last["detail"]["text"], last
