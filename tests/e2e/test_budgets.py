"""Egress budgets: over the limit at each door, through restarts and kills, with raises, freezing and thawing."""
import contextlib
import os
import signal
import subprocess
import time

import pytest
import requests

from lib.instance import Instance, binary
from lib.sftp import Door

SMALL = {"UserFloorFiles": 5, "UserFilesPerHour": 5}


def write_limits(server, limits, reload=True):
    server.replace("limits.conf", "".join(f"{k} {v}\n" for k, v in limits.items()).encode(), 0o644)
    if not reload:
        return
    before = len([e for e in server.audit() if e["event"] == "server.reload"])
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while len([e for e in server.audit() if e["event"] == "server.reload"]) == before:
        assert time.monotonic() < deadline, server.log_tail()
        time.sleep(0.1)


def stored(server, user, count, size=100):
    """A client of the user, and the paths of so many files of its own."""
    client = server.login(user)
    paths = [f"/Home/{user}/f{i}" for i in range(count)]
    for path in paths:
        assert client.store(path, os.urandom(size)).status_code in (200, 201)
    return client, paths


def fetched(client, paths):
    """The statuses of reading them in turn."""
    return [client.fetch(path).status_code for path in paths]


def ended():
    """Whose sessions end may see the connection end before the answer."""
    return contextlib.suppress(requests.ConnectionError)


@pytest.fixture
def server(identity):
    with Instance(identity, sftp=True) as instance:
        write_limits(instance, SMALL)
        instance.add_user("alice")
        instance.add_user("bob")
        yield instance


def test_over_the_limit(server):
    alice, paths = stored(server, "alice", 8)
    assert fetched(alice, paths) == [200] * 5 + [429] * 3
    r = alice.fetch(paths[7])
    problem = r.json()
    assert r.status_code == 429 and 3000 < int(r.headers["Retry-After"]) <= 3900
    assert problem["type"] == "/problems/budget" and "user: files per hour" in problem["detail"]
    assert fetched(alice, paths[:5]) == [200] * 5  # what was paid for is free
    assert alice.fetch(paths[0], Range="bytes=5-9").status_code == 206
    assert alice.store("/Home/alice/more", b"x").status_code in (200, 201)  # storing is not reading
    bob, others = stored(server, "bob", 2)
    assert fetched(bob, others) == [200, 200]
    refused = [e for e in server.audit() if e["event"] == "release.refused"]
    assert len(refused) == 4 and all(e["detail"]["limit"] == "user: files per hour" and e["user"] == "alice" for e in refused)


def test_the_sftp_door_says_which_limit(server, tmp_path):
    alice, paths = stored(server, "alice", 7)
    door = Door(server, "alice", tmp_path).with_key()
    with door.raw().to("sftp") as c:
        got = 0
        for i in range(7):
            try:
                handle = c.sftp.open(f"f{i}")
                c.sftp.read(handle, 0, 10)
                c.sftp.close(handle)
                got += 1
            except Exception as e:
                text = str(e)
        assert got == 5
        assert text.count("egress budget") == 1 and "user: files per hour" in text


def test_survives_restart_and_kill(server):
    alice, paths = stored(server, "alice", 8)
    assert fetched(alice, paths[:3]) == [200] * 3
    server.restart()
    alice = server.login("alice")
    assert fetched(alice, paths[3:]) == [200] * 2 + [429] * 3
    server.end()  # kill -9 of all
    server.start()
    alice = server.login("alice")
    assert fetched(alice, paths) == [429] * 8  # what was free is charged again, and there is nothing left


def test_a_crash_gives_nothing_back(server):
    alice, paths = stored(server, "alice", 8)
    given = 0
    for i in range(3):
        given += fetched(alice, paths).count(200)
        server.end()
        server.start()
        alice = server.login("alice")
    assert given <= 5


def test_reload_takes_limits_up_and_keeps_them_when_wrong(server):
    alice, paths = stored(server, "alice", 12)
    assert fetched(alice, paths)[5:] == [429] * 7
    write_limits(server, {"UserFloorFiles": 8, "UserFilesPerHour": 8})
    assert fetched(alice, paths) == [200] * 8 + [429] * 4
    server.replace("limits.conf", b"UserFilesPerHour many\n", 0o644)
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while "not reloaded" not in server.log() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "limits.conf: line 1: UserFilesPerHour: this is not a number" in server.log()
    assert alice.fetch(paths[11]).status_code == 429
    write_limits(server, {"UserFloorFiles": 2, "UserFilesPerHour": 2})
    bob, others = stored(server, "bob", 3)
    assert fetched(bob, others) == [200, 200, 429]


def test_repeated_overrun_freezes(server):
    write_limits(server, {**SMALL, "FreezeOverruns": 4})
    alice, paths = stored(server, "alice", 6)
    assert fetched(alice, paths) == [200] * 5 + [429]
    codes = []
    with ended():
        for _ in range(6):
            codes.append(alice.fetch(paths[5]).status_code)
    assert set(codes) <= {429, 403, 401, 503} and codes.count(429) <= 3  # 503: the worker was cut from the broker before its end
    assert server.run("user", "show", "alice", "--json").json()["status"] == "frozen"
    with server.anonymous() as c:
        assert server.grant(c, grant_type="password", username="alice", password="correct horse battery").status_code in (400, 401)
    frozen = [e for e in server.audit() if e["event"] == "principal.frozen"]
    assert len(frozen) == 1 and frozen[0]["detail"]["principal"] == "user" and frozen[0]["user"] == "alice"
    server.restart()
    assert server.run("user", "show", "alice", "--json").json()["status"] == "frozen"
    server.run("user", "activate", "alice")  # the broker's half is not enough
    alice = server.login("alice")
    with ended():
        assert alice.fetch(paths[0]).status_code == 403
    assert [e for e in server.audit() if e["event"] == "release.refused"][-1]["detail"]["error"] == "frozen"


def test_counters_that_are_gone_are_used_up(server):
    alice, paths = stored(server, "alice", 2)
    assert fetched(alice, paths[:1]) == [200]
    assert [e["event"] for e in server.audit()].count("counters.begun") == 1
    server.stop()
    server.replace("vault/egress", b"")
    server.start()
    alice = server.login("alice")
    r = alice.fetch(paths[1])
    assert r.status_code == 429 and "server: " in r.json()["detail"] and int(r.headers["Retry-After"]) > 80000
    assert [e["event"] for e in server.audit()].count("counters.lost") == 1
    server.restart()
    assert server.login("alice").fetch(paths[1]).status_code == 429
    assert [e["event"] for e in server.audit()].count("counters.lost") == 1


def test_an_instance_of_an_older_version_begins_once(server):
    alice, paths = stored(server, "alice", 1)
    server.stop()
    for name in ("limits.conf", "vault/egress"):
        (server.dir / name).unlink()
    server.start()  # vault/state knows that there were counters
    assert server.login("alice").fetch(paths[0]).status_code == 429
    assert "vault/egress is damaged or was taken away" in server.log()


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o622])
def test_limits_that_others_can_write_are_refused(identity, mode):
    server = Instance(identity)
    try:
        server.init()
        (server.dir / "limits.conf").chmod(mode)
        server.start(wait=False)
        assert server.process.wait(20) == 78
        assert "limits.conf: others can change it" in server.log()
    finally:
        server.process = None
        server.remove()


# ---- operators ----

def limits(server, *who):
    return server.run("limits", "show", *who, "--json").json()


def test_show(server):
    alice, paths = stored(server, "alice", 3, size=1000)
    fetched(alice, paths)
    row = limits(server, "--user", "alice")
    assert (row["kind"], row["files_hour"], row["of_files_hour"], row["files_by"]) == ("user", 3, 5, "ceiling")
    assert row["bytes_day"] == 3000 and row["of_bytes_hour"] == 2 << 40 and row["bytes_by"] == "floor" and row["frozen"] is False
    rows = {(r["kind"], r["id"]): r for r in limits(server)["rows"]}
    assert rows["user", row["id"]] == row
    assert rows["address", "127.0.0.1"]["files_hour"] == 3 == rows["network", "127.0.0.0/24"]["files_hour"]
    assert rows["server", ""]["bytes_hour"] == 3000 and len(rows) == 5 + sum(k == "helper" for k, _ in rows)
    assert limits(server, "--address", "127.0.0.1")["files_hour"] == 3
    assert limits(server, "--org", "main")["files_hour"] == 3
    assert limits(server, "--server")["kind"] == "server"
    assert "127.0.0.0/24" in server.run("limits", "show").out
    missing = server.run("limits", "show", "--user", "bob", check=False)
    assert missing.code == 66 and "nothing was ever released" in missing.err
    assert server.run("limits", "show", "--address", "here", check=False).code == 64


def test_raise(server):
    alice, paths = stored(server, "alice", 9)
    assert fetched(alice, paths) == [200] * 5 + [429] * 4
    server.run("limits", "raise", "--user", "alice", "--files", "2", "--for", "1h")
    assert fetched(alice, paths) == [200] * 7 + [429] * 2
    row = limits(server, "--user", "alice")
    assert (row["of_files_hour"], row["raised_files"]) == (7, 2) and 3500 < row["raised_for"] <= 3600
    raised = [e for e in server.audit() if e["event"] == "limits.raised"]
    assert len(raised) == 1 and f"user {row['id']}: 2 files" in raised[0]["detail"]["text"]
    server.restart()
    assert limits(server, "--user", "alice")["raised_files"] == 2  # durable
    server.run("limits", "raise", "--user", "alice", "--files", "0", "--for", "1h")  # and ended
    assert limits(server, "--user", "alice")["of_files_hour"] == 5
    for wrong, code in ((["--files", "2", "--for", "1h"], 64), (["--user", "alice", "--for", "1h"], 64), (["--user", "alice", "--files", "x", "--for", "1h"], 64),
                        (["--user", "alice", "--files", "2", "--for", "8d"], 65), (["--user", "nobody", "--files", "2", "--for", "1h"], 67)):
        done = server.run("limits", "raise", *wrong, check=False)
        assert done.code == code, done
    assert len([e for e in server.audit() if e["event"] == "limits.raised"]) == 2  # what is refused is not done


def test_a_raise_that_needs_two(server, identity):
    write_limits(server, {**SMALL, "RaiseConfirm": "yes"})
    alice, paths = stored(server, "alice", 7)
    fetched(alice, paths)
    asked = server.run("limits", "raise", "--user", "alice", "--files", "2", "--for", "1h", "--json").json()
    assert asked["confirm"] > 0
    assert alice.fetch(paths[6]).status_code == 429
    alone = server.run("limits", "confirm", str(asked["confirm"]), check=False)
    assert alone.code == 77 and "another operator" in alone.err
    assert server.run("limits", "confirm", "999", check=False).code == 66
    assert not [e for e in server.audit() if e["event"] == "limits.raised"]
    assert alice.fetch(paths[6]).status_code == 429
    if identity.uid == 0 or os.geteuid() != 0:
        return  # nobody else may reach the operator's socket here
    done = subprocess.run([binary(), "-C", server.dir, "limits", "confirm", str(asked["confirm"])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert fetched(alice, paths) == [200] * 7
    raised = [e for e in server.audit() if e["event"] == "limits.raised"]
    assert len(raised) == 1 and f"asked for by user id {identity.uid}" in raised[0]["detail"]["text"]
    assert server.run("limits", "confirm", str(asked["confirm"]), check=False).code == 66  # once


def test_unfreeze(server):
    write_limits(server, {**SMALL, "FreezeOverruns": 2})
    alice, paths = stored(server, "alice", 7)
    fetched(alice, paths[:5])
    for _ in range(3):
        with ended():
            alice.fetch(paths[5])
    assert server.run("user", "show", "alice", "--json").json()["status"] == "frozen"
    assert limits(server, "--user", "alice")["frozen"] is True
    server.run("limits", "unfreeze", "--user", "alice")
    assert limits(server, "--user", "alice")["frozen"] is False
    assert server.run("user", "show", "alice", "--json").json()["status"] == "active"
    alice = server.login("alice")
    assert fetched(alice, paths[:5]) == [200] * 5
    assert [e["event"] for e in server.audit()].count("limits.unfrozen") == 1
    again = server.run("limits", "unfreeze", "--user", "alice", check=False)
    assert again.code == 66 and "not frozen" in again.err
    assert server.run("limits", "unfreeze", check=False).code == 64


# ---- deleting and overwriting ----

def test_deleting_has_a_budget(server, tmp_path):
    write_limits(server, {"DeleteUserFilesPerHour": 3})
    alice, paths = stored(server, "alice", 8)
    assert [alice.delete(alice.url(p)).status_code for p in paths[:2]] == [204, 204]
    assert alice.store(paths[2], b"new").status_code == 204  # overwriting takes what was there
    for refused in (alice.delete(alice.url(paths[3])), alice.store(paths[4], b"new")):
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 3000
        assert "deletions of a user: files per hour" in refused.json()["detail"]
    assert alice.fetch(paths[3]).status_code == 200 and alice.fetch(paths[4]).content != b"new"
    assert alice.store("/Home/alice/another", b"x").status_code in (200, 201)
    with Door(server, "alice", tmp_path).with_key().raw().to("sftp") as c:
        with pytest.raises(Exception, match="deletions of a user"):
            c.sftp.remove("f5")
    refused = [e for e in server.audit() if e["event"] == "release.refused"]
    assert len(refused) == 3 and all(e["detail"]["asked"] == "deletion" for e in refused)
    assert len([e for e in server.audit() if e["event"] == "file.deleted"]) == 2
    server.run("limits", "raise", "--user", "alice", "--deletions", "--files", "1", "--for", "10m")
    assert alice.delete(alice.url(paths[3])).status_code == 204
    assert limits(server, "--user", "alice", "--deletions")["files_hour"] == 4
    assert alice.delete(alice.url(paths[4])).status_code == 429
