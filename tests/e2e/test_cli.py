"""The administrator's command line against a running server."""
import json
import re

import pytest

from lib.instance import PASSWORD, Client


def test_status(server, identity):
    status = server.run("--json", "status").json()
    assert isinstance(status, dict) and status
    text = server.run("status").out
    for room in ("broker", "ledger", "vault", "signer", "gate-https"):
        assert room in text


def test_version_and_help(server):
    assert re.search(r"\d+\.\d+\.\d+", server.run("version").out)
    assert "user add" in server.run("--help").out
    assert "complete" in server.run("completion").out


def test_users(server):
    server.add_user("frank", "--full-name", "Frank", "--email", "frank@example.com")
    rows = server.run("--json", "user", "list").json()["rows"]
    assert "frank" in [u["name"] for u in rows]
    again = server.run("user", "add", "frank", "--password-stdin", stdin=PASSWORD + "\n", check=False)
    assert again.code == 73 and again.err.count("\n") == 1
    server.run("user", "set", "frank", "--full-name", "Frank F.")
    assert "Frank F." in server.run("user", "show", "frank").out
    server.run("user", "passwd", "frank", "--password-stdin", stdin="another good password\n")
    assert server.grant(server.anonymous(), grant_type="password", username="frank", password=PASSWORD).status_code == 400
    server.login("frank", "another good password").close()
    server.run("user", "remove", "frank")
    assert server.run("user", "show", "frank", check=False).code == 67


@pytest.mark.parametrize("password", ["short", "", "x" * 2000])
def test_weak_passwords(server, password):
    done = server.run("user", "add", "weak", "--password-stdin", stdin=password + "\n", check=False)
    assert done.code == 65 and done.err.count("\n") == 1, done


@pytest.mark.parametrize("name", ["a b", "../x", "", "x/y", "-x", "ü", "a" * 65])
def test_bad_names(server, name):
    done = server.run("user", "add", "--password-stdin", "--", name, stdin=PASSWORD + "\n", check=False)
    assert done.code != 0


def test_rights_come_and_go(server, alice, bob):
    server.run("folder", "add", "/Shared")
    server.run("acl", "set", "/Shared", "--user", "alice", "--rights", "read,write,list,delete")
    server.run("acl", "set", "/Shared", "--user", "bob", "--rights", "read,list")
    assert alice.store("/Shared/note.txt", b"hi").status_code == 201
    assert bob.fetch("/Shared/note.txt").content == b"hi"
    assert bob.store("/Shared/note.txt", b"no").status_code == 403
    assert bob.delete(bob.url("/Shared/note.txt")).status_code == 403
    assert "bob" in server.run("acl", "show", "/Shared").out
    server.run("acl", "remove", "/Shared", "--user", "bob")
    assert bob.fetch("/Shared/note.txt").status_code in (403, 404)
    denied = [e for e in server.audit("--event", "denied") if e.get("user") == "bob"]
    assert denied


def test_rights_by_group(server, bob):
    server.run("group", "add", "partners")
    server.run("group", "member-add", "partners", "bob")
    server.run("folder", "add", "/Partners")
    server.run("acl", "set", "/Partners", "--group", "partners", "--rights", "read,write,list")
    assert bob.store("/Partners/in.txt", b"x").status_code == 201
    server.run("group", "member-remove", "partners", "bob")
    assert bob.fetch("/Partners/in.txt").status_code in (403, 404)


def test_rights_are_inherited_and_overridden(server, bob):
    server.run("folder", "add", "/Tree")
    server.run("folder", "add", "/Tree/open")
    server.run("folder", "add", "/Tree/closed", "--no-inherit")
    server.run("acl", "set", "/Tree", "--user", "bob", "--rights", "read,write,list")
    assert bob.store("/Tree/open/x", b"x").status_code == 201
    assert bob.store("/Tree/closed/x", b"x").status_code in (403, 404)


def test_organisations_are_apart(server, alice):
    server.run("org", "add", "other")
    server.add_user("olga", "--org", "other")
    olga = server.login("olga")
    assert olga.store("/Home/olga/x.txt", b"x").status_code == 201
    assert alice.fetch("/Home/olga/x.txt").status_code in (403, 404)
    assert olga.fetch("/Home/alice/x.txt").status_code in (403, 404)
    assert server.run("acl", "set", "/Home/alice", "--user", "olga", "--rights", "read", check=False).code != 0


def test_sessions_are_listed_and_revoked(server):
    server.add_user("gina")
    gina = server.login("gina")
    rows = server.run("--json", "session", "list", "--user", "gina").json()["rows"]
    assert len(rows) == 1
    assert gina.token not in json.dumps(rows)
    server.run("session", "revoke", str(rows[0]["id"]))
    with Client(server, gina.token) as again:
        assert again.get("/api/v1/users/self").status_code == 401


def test_tokens_are_shown_once_and_expire(server):
    made = server.run("--json", "token", "add", "alice", "--expires", "1s").json()
    listed = server.run("--json", "token", "list", "alice")
    assert made["token"] not in listed.out
    import time

    time.sleep(2.1)
    r = server.anonymous().get("/api/v1/users/self", headers={"Authorization": f"Bearer {made['token']}"})
    assert r.status_code == 401


def test_no_secret_is_in_the_database_or_the_log(server, alice, identity):
    """Neither passwords nor tokens are stored as they are."""
    made = server.run("--json", "token", "add", "alice").json()["token"]
    content = server.log().encode()
    for folder in ("db", "ledger", "vault", "run"):
        for f in (server.dir / folder).rglob("*"):
            if f.is_file():
                content += f.read_bytes()
    for secret in (PASSWORD, alice.token, made):
        assert secret.encode() not in content


def test_key_rotation_while_the_server_runs(server, alice):
    data = {}
    for i in range(20):
        data[i] = b"%d" % i * (i * 3000 + 1)
        alice.store(f"/Home/alice/rotate-{i}.bin", data[i])
    server.run("key", "rotate", timeout=120)
    for i in range(20):
        assert alice.fetch(f"/Home/alice/rotate-{i}.bin").content == data[i]
    assert [e for e in server.audit("--event", "key.rotated")]
    assert alice.store("/Home/alice/rotate-after.bin", b"new epoch").status_code == 201
    assert alice.fetch("/Home/alice/rotate-after.bin").content == b"new epoch"


def test_audit_filters(server, alice):
    alice.store("/Home/alice/audited.txt", b"x")
    created = server.audit("--event", "file.created", "--path", "/Home/alice/audited.txt")
    assert len(created) == 1 and created[0]["user"] == "alice"
    assert server.audit("--since", "1h", "--user", "alice")
    assert server.audit("--since", "2099-01-01") == []


def test_audit_verify_and_prove(server):
    assert server.run("audit", "verify").code == 0
    proof = server.run("audit", "prove", "0")
    assert proof.out


def test_a_kept_checkpoint_still_fits(server, alice):
    kept = server.temp / "checkpoint.kept"
    kept.write_bytes((server.dir / "ledger/checkpoint").read_bytes())
    kept.chmod(0o644)
    for i in range(5):
        alice.store(f"/Home/alice/grow-{i}.txt", b"x")
    assert server.run("audit", "verify", "--checkpoint", kept).code == 0


def test_a_changed_log_does_not_verify(fresh):
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    fresh.login("alice").close()
    fresh.stop()
    fresh.verify()
    tiles = [f for f in (fresh.dir / "ledger").rglob("*") if f.is_file() and b"alice" in f.read_bytes()]
    assert tiles
    for f in tiles:
        f.write_bytes(f.read_bytes().replace(b"alice", b"mally"))
    done = fresh.run("audit", "verify", check=False)
    assert done.code == 2, done


def test_everything_survives_a_restart(fresh):
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    alice = fresh.login("alice")
    assert alice.store("/Home/alice/big.bin", b"b" * 3_000_000).status_code == 201
    assert alice.store("/Home/alice/small.txt", b"s").status_code == 201
    fresh.restart()
    with Client(fresh, alice.token) as again:  # the session lives in the database
        assert again.fetch("/Home/alice/big.bin").content == b"b" * 3_000_000
        assert again.fetch("/Home/alice/small.txt").content == b"s"
    fresh.stop()
    fresh.verify()


def test_fsck_finds_nothing_and_finds_damage(fresh):
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    alice = fresh.login("alice")
    data = b"0123456789" * 100_000
    assert alice.store("/Home/alice/damaged.bin", data).status_code == 201
    assert fresh.run("fsck", timeout=120).code == 0
    blob = max((f for f in (fresh.dir / "blobs").rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    mode = blob.stat().st_mode
    blob.chmod(0o600)
    content = bytearray(blob.read_bytes())
    content[400_000] ^= 1
    blob.write_bytes(content)
    blob.chmod(mode)
    r = alice.fetch("/Home/alice/damaged.bin", Range="bytes=0-99999")
    assert r.status_code == 206 and r.content == data[:100_000]  # elsewhere it can be read
    r = alice.fetch("/Home/alice/damaged.bin", Range="bytes=399990-400010")
    assert r.status_code == 500 and "damaged" in r.json()["title"], r.text
    assert "damaged.bin" in r.json()["detail"] and any(c.isdigit() for c in r.json()["detail"])
    with Client(fresh, alice.token) as again:  # the head is out already: the connection is cut after what is good
        whole = again.fetch("/Home/alice/damaged.bin")
    assert 0 < len(whole.content) < len(data) and data.startswith(whole.content)
    assert int(whole.headers["Content-Length"]) == len(data)
    assert [e for e in fresh.audit("--event", "file.damaged")]
    done = fresh.run("fsck", "--content", timeout=120, check=False)
    assert done.code != 0 and "/Home/alice/damaged.bin" in done.out + done.err
    fresh.stop()


def test_backup_and_restore(fresh):
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    alice = fresh.login("alice")
    assert alice.store("/Home/alice/big.bin", b"b" * 2_000_000).status_code == 201
    target = fresh.temp / "backup"
    fresh.run("backup", target, "--with-root-key", timeout=120)
    assert alice.store("/Home/alice/later.txt", b"l").status_code == 201
    fresh.stop()
    old = fresh.dir
    fresh.dir = fresh.temp / "restored"
    fresh.run("restore", target, fresh.dir, timeout=120)
    fresh.start()
    with Client(fresh, alice.token) as again:
        assert again.fetch("/Home/alice/big.bin").content == b"b" * 2_000_000
        assert again.fetch("/Home/alice/later.txt").status_code == 404
    fresh.stop()
    fresh.verify()
    assert old.exists()
