"""Decoys: touching one freezes whoever does it, and nothing but the touching tells which they are."""
import os
import signal
import sqlite3
import time

import pytest

from lib.instance import PASSWORD, Client, Instance, room
from lib.sftp import Door


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("did not come to be")


@pytest.fixture
def mine(identity):
    with Instance(identity, sftp=True) as server:
        for name in ("alice", "mallory", "trent"):
            server.add_user(name)
        server.run("folder", "add", "/shared")
        for name in ("alice", "mallory", "trent"):
            server.run("acl", "set", "/shared", "--user", name, "--rights", "all")
        yield server


def plant(server, *args):
    return server.run("--json", "decoy", "plant", *args).json()["rows"]


def plant_file(server):
    return plant(server, "--path", "/shared", "--as", "trent", "--count", "1")[0]["name"]


def touched(server):
    return server.audit("--event", "decoy.touched")


def status(server, user):
    return server.run("--json", "user", "show", user).json()["status"]


def frozen(server, user):
    wait_for(lambda: status(server, user) == "frozen")
    return True


def works(client):
    try:
        return client.get("/api/v1/users/self").status_code == 200
    except OSError:
        return False


def fetch(client, path):
    """A reader may be cut off before, while or after it has the content."""
    try:
        return client.fetch(path)
    except OSError:
        return None


def answer(client, path):
    r = fetch(client, path)
    return None if r is None else r.status_code


# ---- planting ----

def test_believable_files_are_real_files(mine):
    rows = plant(mine, "--path", "/shared", "--as", "trent", "--count", "6")
    names = [r["name"] for r in rows]
    assert len(set(names)) == 6 and all(n.startswith("/shared/") for n in names)
    assert [r["name"] for r in mine.run("--json", "decoy", "list").json()["rows"]] == names
    more = plant(mine, "--path", "/shared", "--as", "trent", "--count", "2")
    assert not {r["name"] for r in more} & set(names), "what is there is not replaced"
    with mine.login("alice") as alice:
        r = alice.get("/api/v1/folders")
        folder = next(f for f in r.json()["items"] if f["path"] == "/shared")
        listed = alice.get(f"/api/v1/folders/{folder['id']}/files").json()["items"]
        assert {f["name"] for f in listed} == {n.rsplit("/", 1)[1] for n in names + [r["name"] for r in more]}
        assert all(f["size"] > 200 for f in listed)
        assert works(alice), "listing touches nothing"
    assert touched(mine) == [] and mine.run("--json", "token", "list").json()["rows"] == []
    assert mine.run("--json", "fsck").code == 0
    texts = [e["detail"]["text"] for e in mine.audit("--event", "decoy.planted")]
    assert len(texts) == 8 and not any("/shared" in t for t in texts), "the log does not say which"


def test_wrong_uses(mine):
    assert mine.run("decoy", "plant", check=False).code == 64
    assert mine.run("decoy", "plant", "--path", "/shared", "--as", "nobody", check=False).code == 67
    assert mine.run("decoy", "plant", "--path", "/no-such-folder", "--as", "trent", check=False).code != 0
    assert mine.run("decoy", "plant", "--path", "/shared", "--as", "trent", "--count", "0", check=False).code == 64
    assert mine.run("decoy", "remove", "1", check=False).code == 66
    assert mine.run("decoy", "mark", "/shared/none", check=False).code == 66
    assert mine.run("--json", "decoy", "list").json()["rows"] == []
    assert mine.run("--json", "token", "list").json()["rows"] == [], "the token that planted is gone"


def test_nothing_in_the_database_or_the_log_tells(mine):
    """Rows of decoys have the same columns filled as a file that the same user uploaded."""
    with mine.login("trent") as trent:
        assert trent.store("/shared/real.bin", b"r" * 50000, **{"User-Agent": "curl/7.88.1"}).status_code == 201
    path = plant_file(mine)
    name = path.rsplit("/", 1)[1]
    mine.stop()
    db = sqlite3.connect(f"file:{mine.dir}/db/sallyport.db?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    everything = "\n".join(db.iterdump())
    assert "decoy" not in everything.lower() and "bait" not in everything.lower()
    shape = []
    for wanted in ("real.bin", name):
        row = db.execute("SELECT f.*, v.* FROM file f JOIN version v ON v.file = f.id WHERE f.name = ?", (wanted,)).fetchone()
        shape.append({k: (type(row[k]).__name__, row[k] if isinstance(row[k], str) and k not in ("name", "lower") else None) for k in row.keys()})
    for column in shape[0]:
        if column not in ("address", "upload_address"):  # with another port
            assert shape[0][column][0] == shape[1][column][0], column
    db.close()
    mine.start()
    if mine.identity.uid == 0:
        assert (mine.dir / "decoys").stat().st_mode & 0o777 == 0o600
    assert not [e for e in mine.audit() if e["event"] != "file.created" and e["event"] != "file.read" and name in str(e)]


# ---- touching ----

def test_reading_over_https_freezes(mine):
    path = plant_file(mine)
    mallory, again, alice = mine.login("mallory"), mine.login("mallory"), mine.login("alice")
    token = Client(mine, mine.run("--json", "token", "add", "mallory").json()["token"])
    assert works(mallory) and works(again) and works(token)
    began = time.monotonic()
    fetch(mallory, path)
    assert frozen(mine, "mallory") and time.monotonic() - began < 2
    assert not works(mallory) and not works(again) and not works(token)
    assert mine.grant(mine.anonymous(), grant_type="password", username="mallory", password=PASSWORD).status_code in (400, 401)
    entry, = touched(mine)
    assert entry["sev"] == "alarm" and entry["user"] == "mallory" and entry["path"] == path and entry["addr"].startswith("127.0.0.1:")
    assert entry["detail"]["decoy"] == "file" and entry["detail"]["by"] == "file.read"
    assert [e["user"] for e in mine.audit("--event", "decoy.frozen")] == ["mallory"]
    # others come back with what they have
    assert wait_for(lambda: works(alice)) and status(mine, "alice") == "active"
    mine.restart()
    assert not works(mallory) and not works(token) and works(alice)
    mine.run("user", "activate", "mallory")
    assert works(mine.login("mallory"))


def test_reading_over_sftp_freezes(mine, tmp_path):
    path = plant_file(mine)
    door = Door(mine, "mallory", tmp_path).with_key()
    with door.raw().to("sftp") as held:
        assert held.sftp.stat("/shared")
        door.sftp(f'get "{path}" {tmp_path}/stolen', timeout=60, check=False)
        frozen(mine, "mallory")
        with pytest.raises(Exception):
            for _ in range(50):
                held.sftp.stat("/shared")
                time.sleep(0.1)
    assert door.sftp("ls", timeout=60, check=False).code != 0
    assert touched(mine)[0]["door"] == "sftp"


def test_the_address_is_banned(mine):
    mine.set("AllowAddresses", "127.0.0.1")  # the harness's own
    mine.restart()
    path, source = plant_file(mine), ("--interface", "127.0.0.83", "--output", "/dev/null", "--fail")
    home = mine.base + Client.url("/Home/alice")
    with mine.login("mallory") as mallory, mine.login("alice") as alice:
        assert mine.curl(*source, mine.base + "/api/v1/users/self", token=mallory.token).code == 0
        mine.curl(*source, mine.base + Client.url(path), token=mallory.token)
        frozen(mine, "mallory")
        wait_for(lambda: mine.curl(*source, home, token=alice.token).code in (7, 35, 52, 56))  # refused, reset
        assert works(alice), "from another address"
    assert [e["addr"].split(":")[0] for e in touched(mine)] == ["127.0.0.83"]
    assert mine.audit("--event", "address.banned")


def test_the_vault_gives_nothing_any_more(mine):
    """Whatever the broker says: not to this user, and to nobody at this address."""
    path = plant_file(mine)
    with mine.login("mallory") as mallory, mine.login("alice") as alice:
        for client in (mallory, alice):
            assert client.store(f"/shared/of-{client is alice}", b"x" * 100000).status_code == 201
        assert alice.fetch("/shared/of-True").status_code == 200
        fetch(mallory, path)
        frozen(mine, "mallory")
        wait_for(lambda: works(alice))
        wait_for(lambda: answer(alice, "/shared/of-True") == 403)
    mine.restart()
    mine.run("user", "activate", "mallory")
    with mine.login("mallory") as mallory:
        assert answer(mallory, "/shared/of-False") in (None, 403)
    frozen(mine, "mallory")


@pytest.mark.parametrize("deed", ["delete", "replace", "rename", "rename folder", "rename over"])
def test_changing_freezes(mine, tmp_path, deed):
    mine.run("folder", "add", "/shared/sub")
    path = plant(mine, "--path", "/shared/sub", "--as", "trent", "--count", "1")[0]["name"]
    by = {"delete": "file.deleted", "replace": "file.replaced", "rename": "file.renamed", "rename folder": "folder.renamed",
          "rename over": "file.renamed"}[deed]
    door = Door(mine, "mallory", tmp_path).with_key()
    with mine.login("mallory") as mallory:
        assert mallory.store("/shared/own", b"x").status_code == 201
        try:
            if deed == "delete":
                mallory.delete(mallory.url(path))
            elif deed == "replace":
                mallory.store(path, b"replaced")
            elif deed == "rename folder":
                door.sftp("rename /shared/sub /shared/other", timeout=60, check=False)
            elif deed == "rename":
                door.sftp(f'rename "{path}" /shared/harmless', timeout=60, check=False)
            else:
                door.sftp(f'rename /shared/own "{path}"', timeout=60, check=False)
        except OSError:
            pass
    frozen(mine, "mallory")
    assert touched(mine)[-1]["detail"]["by"] == by


def test_an_older_file_can_be_marked_and_unmarked(mine):
    with mine.login("alice") as alice:
        assert alice.store("/shared/old plans.pdf", b"p" * 300000).status_code == 201
    mine.run("decoy", "mark", "/shared/old plans.pdf")
    assert mine.run("decoy", "mark", "/shared/old plans.pdf", check=False).code == 73, "once is enough"
    mine.restart()
    mine.run("decoy", "remove", "1")
    with mine.login("mallory") as mallory:
        assert mallory.fetch("/shared/old plans.pdf").content == b"p" * 300000
    assert touched(mine) == []
    mine.run("decoy", "mark", "/shared/old plans.pdf")
    mine.restart()  # it is known to a ledger that starts
    with mine.login("mallory") as mallory:
        fetch(mallory, "/shared/old plans.pdf")
    assert frozen(mine, "mallory") and len(touched(mine)) == 1


def test_a_ledger_that_was_killed_knows_them(mine):
    path = plant_file(mine)
    old = room(mine, "ledger")[0]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: room(mine, "ledger") not in ([], [old]))
    mallory = wait_for(lambda: _login(mine))
    fetch(mallory, path)
    assert frozen(mine, "mallory")


def guess(server, name, password):
    """Cut off before or after the answer."""
    try:
        server.grant(server.anonymous(), grant_type="password", username=name, password=password)
    except OSError:
        pass


def _login(server):
    r = server.grant(server.anonymous(), grant_type="password", username="mallory", password=PASSWORD)
    return Client(server, r.json()["access_token"]) if r.status_code == 200 else None


def test_checking_and_backing_up_touch_nothing(mine, tmp_path):
    plant_file(mine)
    assert mine.run("fsck", "--content").code == 0
    assert mine.run("key", "rotate").code == 0
    mine.run("folder", "remove", "/shared")  # the operator's own
    assert touched(mine) == []


# ---- users and tokens ----

def test_a_user_whom_nobody_is(mine):
    row, = plant(mine, "--kind", "user")
    assert row["kind"] == "user" and status(mine, row["name"]) == "active"
    alice = mine.login("alice")
    guess(mine, row["name"], "a guess of a stranger")
    entry = wait_for(lambda: touched(mine))[0]
    assert entry["user"] == row["name"] and entry["detail"] == {"by": "login.failed", "decoy": "user", "entry": entry["detail"]["entry"]}
    assert frozen(mine, row["name"]) and wait_for(lambda: works(alice))
    # somebody who has the password
    mine.run("user", "passwd", row["name"], "--password-stdin", stdin=PASSWORD + "\n")
    mine.run("user", "activate", row["name"])
    guess(mine, row["name"], PASSWORD)
    frozen(mine, row["name"])
    assert [e["detail"]["by"] for e in touched(mine)] == ["login.failed", "login"]


def test_a_token_that_opens_nothing(mine):
    row, = plant(mine, "--kind", "token")
    assert row["token"].startswith("spt_")
    thief = Client(mine, row["token"])
    works(thief)
    assert frozen(mine, row["name"]) and not works(thief)
    assert touched(mine)[0]["detail"]["decoy"] == "token"
    listed, = mine.run("--json", "decoy", "list").json()["rows"]
    assert "token" not in listed, "shown once"


# ---- rules ----

def test_a_decoy_can_pull_the_switch(identity):
    with Instance(identity, settings={"LockdownOn": "decoy.touched"}) as server:
        for name in ("trent", "mallory"):
            server.add_user(name)
        server.run("folder", "add", "/shared")
        for name in ("trent", "mallory"):
            server.run("acl", "set", "/shared", "--user", name, "--rights", "all")
        path = plant_file(server)
        with server.login("mallory") as mallory:
            fetch(mallory, path)
        wait_for(lambda: server.run("--json", "lockdown", "--show").json()["locked"])
        assert "decoy.touched" in [e for e in server.audit("--event", "lockdown") if e["event"] == "lockdown"][0]["detail"]["text"]
        server.run("lockdown", "--lift")


def test_a_damaged_list_is_said(fresh):
    fresh.init()
    (fresh.dir / "decoys").write_text("file\tnonsense\n")
    refused = fresh.run("serve", check=False)
    assert refused.code == 78 and "decoys" in refused.err
