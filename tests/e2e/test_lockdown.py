"""Lockdown: doors end within a second and stay closed, keys are forgotten, and nothing of it needs the broker."""
import os
import random
import signal
import socket
import threading
import time

import pytest

from lib.instance import PASSWORD, Client, Instance, room, running
from lib.sftp import Door

SECOND = 1.0
ALL = ["https", "sftp"]


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("did not come to be")


def is_open(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def show(server):
    return server.run("--json", "lockdown", "--show").json()


def lock(server, *args, check=True):
    """Lock, and how long it took."""
    began = time.monotonic()
    done = server.run("--json", "lockdown", *args, check=check)
    return done, time.monotonic() - began


def wait_up(server, *ports):
    wait_for(lambda: all(is_open(p) for p in ports))
    wait_for(lambda: server.run("status", "--json", check=False).code == 0)


def unlock(server, *more):
    """A vault that was killed is there again in a moment."""
    said = server.initialised["recovery_passphrase"] + "\n"
    wait_for(lambda: server.run("key", "unlock", "--passphrase-stdin", *more, stdin=said, check=False).code == 0)


def put(server, name, content):
    path = server.dir / name
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, server.identity.uid, server.identity.uid)


@pytest.fixture
def mine(identity):
    """A server of the test's own with both doors, and alice with a file."""
    with Instance(identity, sftp=True) as server:
        server.add_user("alice")
        with server.login("alice") as alice:
            server.alice = alice
            assert alice.store("/Home/alice/a.bin", b"a" * 100000).status_code == 201
            yield server


def served(server):
    wait_for(lambda: fetched(server))


def fetched(server):
    try:
        return server.alice.fetch("/Home/alice/a.bin").content == b"a" * 100000
    except OSError:
        return False


# ---- doors ----

def test_a_door_ends_within_a_second_and_the_other_serves_on(mine, tmp_path):
    door = Door(mine, "alice", tmp_path).with_key()
    with mine.raw() as held, door.raw().to("sftp") as c:  # an idle connection of HTTPS, and one of SFTP with a transfer
        size, done = 64 << 20, []
        data = random.Random(1).randbytes(1 << 20)

        def transfer():
            mine.run("lockdown", "--show")
            (tmp_path / "big").write_bytes(data * (size >> 20))
            done.append(door.sftp("put big big", timeout=120))

        thread = threading.Thread(target=transfer)
        thread.start()
        time.sleep(0.3)
        result, took = lock(mine, "--door", "https")
        assert took < SECOND and result.json()["doors"] == ["https"] and result.json()["keys"] is False
        assert not is_open(mine.port) and not is_open(mine.admin_port)
        held.settimeout(SECOND)
        try:
            assert held.recv(1) == b""
        except ConnectionResetError:
            pass
        assert room(mine, "gate-https") == [] and room(mine, "worker-https") == []
        thread.join()
        assert done[0].code == 0, done
        assert is_open(mine.sftp_port) and c.sftp.stat("big")
    time.sleep(1.5)  # long enough for whoever would start it again
    assert not is_open(mine.port) and room(mine, "gate-https") == [] and room(mine, "worker-https") == []
    status = mine.run("--json", "status").json()
    assert status["lockdown"] == "LOCKED: https"
    assert [r["note"] for r in status["rooms"] if r["room"] == "gate-https"] == ["locked down"]
    assert "LOCKED: https" in mine.run("status").out
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.port, mine.admin_port)
    assert mine.run("--json", "status").json()["lockdown"] is None
    served(mine)
    log = mine.audit()
    assert [e["detail"]["text"] for e in log if e["event"] == "lockdown"] == [f"https; by user id {mine.identity.uid}"]
    assert [e["detail"]["text"] for e in log if e["event"] == "lockdown.lifted"] == [f"https; by user id {mine.identity.uid}"]
    assert not [e for e in log if e["event"] in ("room.died", "worker.killed")], "what an operator ended is no alarm of its own"


def test_it_survives_a_restart_and_kill(mine):
    lock(mine, "--door", "sftp")
    (mine.dir / "lockdown").read_text().index("locked sftp\n")
    for end in (mine.stop, mine.end):  # in order, and with kill -9
        end()
        mine.start(wait=False)
        wait_up(mine, mine.port)
        assert show(mine)["doors"] == ["sftp"] and not is_open(mine.sftp_port) and room(mine, "gate-sftp") == []
        assert "LOCKED DOWN: sftp" in mine.log()
        served(mine)
    assert [e["detail"]["text"] for e in mine.audit("--event", "lockdown.still")] == ["sftp", "sftp"]
    # all of them, from a start without any door
    lock(mine)
    mine.stop()
    mine.start(wait=False)
    wait_for(lambda: mine.run("status", "--json", check=False).code == 0)
    assert show(mine)["doors"] == ALL and not any(map(is_open, (mine.port, mine.admin_port, mine.sftp_port)))
    mine.run("lockdown", "--lift", "--door", "https")
    wait_up(mine, mine.port)
    served(mine)
    assert show(mine)["doors"] == ["sftp"] and not is_open(mine.sftp_port)
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.sftp_port)
    assert show(mine)["locked"] is False and not (mine.dir / "lockdown").exists()


def test_locked_again_is_the_same_and_lifting_nothing_is_refused(mine):
    again = mine.run("lockdown", "--lift", check=False)
    assert again.code == 65 and "nothing of that is locked down" in again.err
    for _ in range(2):
        assert lock(mine)[0].json()["doors"] == ALL
    assert mine.run("lockdown", "--door", "ftps", check=False).code == 64
    assert "no FTPS door yet" in mine.run("lockdown", "--door", "ftps", check=False).err
    assert mine.run("lockdown", "--door", "gopher", check=False).code == 64
    assert mine.run("lockdown", "--lift", "--keys", check=False).code == 64
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.port, mine.sftp_port)


def test_a_port_that_was_taken_meanwhile(mine):
    lock(mine, "--door", "sftp")
    with socket.create_server(("127.0.0.1", mine.sftp_port)):
        refused = mine.run("lockdown", "--lift", check=False)
        assert refused.code != 0 and str(mine.sftp_port) in refused.err and refused.err.count("\n") == 1
        assert show(mine)["doors"] == ["sftp"]
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.sftp_port)


@pytest.mark.parametrize("content", [b"", b"sallyport lockdown 1\n", b"sallyport lockdown 9\nlocked https\n", b"x" * 4096], ids=["empty", "cut", "newer", "long"])
def test_a_damaged_file_locks_everything_and_destroys_nothing(mine, content):
    mine.stop()
    put(mine, "lockdown", content)
    mine.start(wait=False)
    wait_for(lambda: mine.run("status", "--json", check=False).code == 0)
    assert show(mine)["doors"] == ALL and show(mine)["keys"] is True
    assert mine.run("--json", "status").json()["vault"] == "locked"
    assert (mine.dir / "keys/root.key").exists()
    mine.run("lockdown", "--lift")
    unlock(mine)
    wait_up(mine, mine.port)
    served(mine)


def test_a_disk_that_cannot_keep_it(mine):
    """The doors close; and the operator is told that a restart would forget it."""
    (mine.dir / "lockdown.new").mkdir()
    (mine.dir / "lockdown.new/x").touch()
    done, took = lock(mine, "--door", "https", check=False)
    assert done.code != 0 and "a restart would forget it" in done.err and took < SECOND
    assert not is_open(mine.port) and show(mine)["doors"] == ["https"]
    (mine.dir / "lockdown.new/x").unlink()
    (mine.dir / "lockdown.new").rmdir()
    lock(mine, "--door", "https")
    assert (mine.dir / "lockdown").exists()
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.port)


# ---- keys ----

def test_keys_are_gone_until_the_passphrase(mine):
    key = mine.dir / "keys/root.key"
    held = os.open(key, os.O_RDONLY) if os.geteuid() == 0 else None
    done, took = lock(mine, "--keys")
    assert took < SECOND and done.json()["keys"] is True and done.json()["doors"] == ALL
    assert not key.exists() and room(mine, "worker-sftp") == []
    if held is not None:
        assert os.pread(held, 64, 0) == bytes(32), "overwritten, not only unlinked"
        os.close(held)
    assert mine.run("--json", "status").json()["vault"] == "locked"
    # root opens the doors, and gets no file
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.port)
    assert mine.alice.fetch("/Home/alice/a.bin").status_code == 503
    # and not by starting it anew, either
    for end in (mine.stop, mine.end):
        end()
        mine.start(wait=False)
        wait_up(mine, mine.port)
        assert mine.run("--json", "status").json()["vault"] == "locked"
        assert mine.alice.fetch("/Home/alice/a.bin").status_code == 503
    assert show(mine)["keys"] is True
    assert mine.run("key", "unlock", "--passphrase-stdin", stdin="wrong\n", check=False).code == 77
    unlock(mine)
    served(mine)
    # the automatic copy stays away
    mine.stop()
    mine.start(wait=False)
    wait_up(mine, mine.port)
    assert mine.alice.fetch("/Home/alice/a.bin").status_code == 503 and not key.exists()
    # until it is asked for
    wrong = mine.run("key", "unlock", "--passphrase-stdin", "--restore-automatic", stdin="wrong\n", check=False)
    assert wrong.code == 77 and not key.exists()
    unlock(mine, "--restore-automatic")
    assert show(mine)["locked"] is False and key.stat().st_mode & 0o777 == 0o400
    mine.stop()
    mine.start()
    served(mine)
    said = [(e["event"], e["detail"]["text"].split(";")[0]) for e in mine.audit() if e["event"].startswith("lockdown")]
    assert [what for event, what in said if event == "lockdown"] == ["https sftp keys"]
    assert [what for event, what in said if event == "lockdown.lifted"] == ["https sftp", "keys"]
    assert [what for event, what in said if event == "lockdown.still"] == ["keys"] * 3


def test_the_only_copy_is_not_destroyed(mine):
    recovery = mine.dir / "keys/root.recovery"
    kept = recovery.read_bytes()
    for bad in (None, b"", kept[:-1], b"x" + kept[1:]):
        recovery.unlink()
        if bad is not None:
            put(mine, "keys/root.recovery", bad)
        done, took = lock(mine, "--keys", check=False)
        assert done.code == 65 and "only one" in done.err and took < SECOND
        assert (mine.dir / "keys/root.key").exists() and show(mine)["keys"] is False and show(mine)["doors"] == ALL
        put(mine, "keys/root.recovery", kept)
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.port)
    served(mine)


def test_an_instance_of_a_passphrase(fresh):
    fresh.init("--root-key", "passphrase")
    fresh.start()
    unlock(fresh)
    assert fresh.run("--json", "status").json()["vault"] == "open"
    lock(fresh, "--keys")
    fresh.run("lockdown", "--lift")
    wait_up(fresh, fresh.port)
    assert fresh.run("--json", "status").json()["vault"] == "locked"
    unlock(fresh)
    assert fresh.run("--json", "status").json()["vault"] == "open"
    refused = fresh.run("key", "unlock", "--passphrase-stdin", "--restore-automatic", check=False,
                        stdin=fresh.initialised["recovery_passphrase"] + "\n")
    assert refused.code == 64 and "no automatic copy" in refused.err
    fresh.stop()


def test_a_credential_is_named_and_not_used(fresh, tmp_path):
    fresh.init()
    folder = fresh.temp / "credentials"
    folder.mkdir()
    (fresh.dir / "keys/root.key").rename(folder / "root")
    if os.geteuid() == 0:
        os.chown(folder, fresh.identity.uid, fresh.identity.uid)
    fresh.set("RootKey", "credential:root")
    fresh.env["CREDENTIALS_DIRECTORY"] = str(folder)
    fresh.start()
    done = lock(fresh, "--keys")[0].json()
    assert "credential:root" in done["note"] and done["keys"] is True and (folder / "root").exists()
    fresh.run("lockdown", "--lift")
    fresh.restart() if is_open(fresh.port) else None
    wait_up(fresh, fresh.port)
    assert fresh.run("--json", "status").json()["vault"] == "locked"
    unlock(fresh, "--restore-automatic")
    fresh.restart()
    assert fresh.run("--json", "status").json()["vault"] == "open"
    fresh.stop()


# ---- rooms that do not help ----

@pytest.mark.parametrize("name", ["broker", "ledger", "vault", "gate-https", "signer"])
def test_a_stolen_room_that_hangs(mine, name):
    """SIGSTOP: it answers nobody and ends by no message."""
    pid = room(mine, name)[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        done, took = lock(mine, "--keys")
        assert took < SECOND, took
        assert done.json()["keys"] is True and done.json()["doors"] == ALL
        assert not any(map(is_open, (mine.port, mine.admin_port, mine.sftp_port)))
        assert not room(mine, "worker-https") and not room(mine, "worker-sftp") and not (mine.dir / "keys/root.key").exists()
        if name in ("vault", "gate-https"):
            assert not running(pid)
    finally:
        if running(pid):
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: mine.run("status", "--json", check=False).code == 0)
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.port)
    wait_for(lambda: mine.run("--json", "status").json()["vault"] == "locked")
    unlock(mine)
    served(mine)


def test_many_silent_operators_do_not_keep_it_from_being_done(mine):
    path = str(mine.dir / "run/operator.sock")
    if mine.identity.uid != os.geteuid() and os.geteuid() != 0:
        pytest.fail("the test runs as root or as the instance's user")
    silent = []
    for _ in range(30):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(5)
        s.connect(path)
        silent.append(s)
    done, took = lock(mine, "--door", "https")
    assert took < SECOND and done.json()["doors"] == ["https"]
    for s in silent:
        s.close()
    mine.run("lockdown", "--lift")
    wait_up(mine, mine.port)


def test_others_may_not(mine):
    """The socket is its owner's; nonsense on it ends that conversation only."""
    assert (mine.dir / "run/operator.sock").stat().st_mode & 0o777 == 0o600
    for packet in (b"\0", b"\0\xc0", b"\0\xc0\x07\x01\x00", b"\xff" * 4000, b"\0\x8c" + bytes(12)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(str(mine.dir / "run/operator.sock"))
            s.settimeout(5)
            s.send(packet)
            assert len(s.recv(1000)) < 700
    assert show(mine)["locked"] is False
    served(mine)


# ---- crashes ----

@pytest.mark.parametrize("keys", [[], ["--keys"]], ids=["doors", "keys"])
def test_killed_at_any_moment(mine, keys):
    """Not or fully locked after a kill -9 of everything; never open after an acknowledgement."""
    rng = random.Random(7)
    seen = set()
    for turn in range(10):
        acknowledged = []

        def ask():
            acknowledged.append(mine.run("lockdown", *keys, check=False).code == 0)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(rng.uniform(0, 0.06) if turn else 0.5)
        mine.end()
        thread.join()
        mine.start(wait=False)
        wait_for(lambda: mine.run("status", "--json", check=False).code == 0)
        state = show(mine)
        assert state["doors"] in ([], ALL), state
        if acknowledged[0]:
            assert state["doors"] == ALL
            assert state["keys"] is bool(keys)
        if keys:
            assert (mine.dir / "keys/root.key").exists() is not state["keys"], "not both, and not neither"
            assert mine.run("--json", "status").json()["vault"] == ("locked" if state["keys"] else "open")
        seen.add(state["locked"])
        if state["locked"]:
            mine.run("lockdown", "--lift")
        if state["keys"]:
            unlock(mine, "--restore-automatic")
        wait_up(mine, mine.port, mine.sftp_port)
    assert True in seen
    served(mine)


# ---- rules ----

def test_a_rule_locks_by_itself(identity):
    with Instance(identity, sftp=True, settings={"LockdownOn": "user.removed session.revoked", "LockdownKeys": "yes"}) as server:
        server.add_user("alice")
        server.add_user("bob")
        assert show(server)["locked"] is False
        began = time.monotonic()
        server.run("user", "remove", "bob")
        wait_for(lambda: show(server)["locked"])
        assert time.monotonic() - began < 2 * SECOND
        wait_for(lambda: show(server)["keys"] and not (server.dir / "keys/root.key").exists())
        assert show(server)["by"] == "alarm rule" and show(server)["doors"] == ALL
        assert not is_open(server.port)
        texts = [e["detail"]["text"] for e in server.audit("--event", "lockdown") if e["event"] == "lockdown"]
        assert len(texts) == 1 and "the rule LockdownOn: user.removed" in texts[0]
        server.run("lockdown", "--lift")
        unlock(server, "--restore-automatic")


def test_a_rule_of_no_event_is_a_wrong_setting(fresh):
    fresh.init()
    fresh.set("LockdownOn", "decoy.toched")
    refused = fresh.run("serve", check=False)
    assert refused.code == 78 and "LockdownOn: decoy.toched" in refused.err


# ---- revoke ----

def test_revoke_ends_sessions_tokens_and_connections(mine, tmp_path):
    mine.add_user("bob")
    door = Door(mine, "alice", tmp_path).with_key()
    spt = {name: mine.run("--json", "token", "add", name).json()["token"] for name in ("alice", "bob")}

    def clients():
        return {"session of alice": mine.login("alice"), "session of bob": mine.login("bob"),
                "token of alice": Client(mine, spt["alice"]), "token of bob": Client(mine, spt["bob"])}

    def works(client):
        return client.get("/api/v1/users/self").status_code

    first = clients()
    assert {works(c) for c in first.values()} == {200}
    grant = mine.grant(mine.anonymous(), grant_type="password", username="alice", password=PASSWORD).json()
    with door.raw().to("sftp") as c:
        assert c.sftp.stat(".")
        answer = mine.run("--json", "revoke", "--user", "alice").json()
        assert answer["tokens"] == 1 and answer["sessions"] >= 3
        with pytest.raises(Exception):
            for _ in range(50):
                c.sftp.stat(".")
                time.sleep(0.1)
    assert {name: works(c) for name, c in first.items()} == {
        "session of alice": 401, "session of bob": 200, "token of alice": 401, "token of bob": 200}
    again = mine.grant(mine.anonymous(), grant_type="refresh_token", refresh_token=grant["refresh_token"])
    assert again.status_code in (400, 401)
    second = mine.login("alice")
    assert works(second) == 200
    with mine.raw() as idle:  # has no login: it is not a session
        answer = mine.run("--json", "revoke", "--all").json()
        assert answer["tokens"] == 1 and answer["sessions"] >= 2
        idle.settimeout(0.3)
        with pytest.raises(TimeoutError):
            idle.recv(1)
    assert {works(c) for c in [*first.values(), second]} == {401}
    assert mine.run("--json", "session", "list").json()["rows"] == [] and mine.run("--json", "token", "list").json()["rows"] == []
    mine.restart()
    assert {works(c) for c in [*first.values(), second]} == {401}
    assert works(mine.login("alice")) == 200
    assert [e.get("detail", {}).get("tokens") for e in mine.audit("--event", "revoked")] == ["1", "1"]
    for wrong in ([], ["--all", "--user", "alice"]):
        assert mine.run("revoke", *wrong, check=False).code == 64


def test_revoke_of_nobody_is_refused(mine):
    assert mine.run("revoke", "--user", "nobody", check=False).code == 67
