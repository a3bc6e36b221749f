"""What an operator does to an SFTP door that is in use: end sessions, suspend, back up and restore, rotate keys, look at figures."""
import re
import secrets
import time

import pytest

from lib.instance import PASSWORD, Instance
from lib.sftp import Door, add_key, host_keys, make_key, one_time_code
from lib.ssh import Ssh
from lib.ssh_sftp import CREAT, TRUNC, WRITE, Status
from lib.ssh_wire import Closed, UserKey, string

MIB = 1 << 20


def eventually(check, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


class Codes:
    """Codes of a seed, none of them twice."""

    def __init__(self, seed):
        self.seed, self.used = seed, 0

    def next(self):
        step = max(self.used + 1, int(time.time()) // 30 - 1)
        while step > int(time.time()) // 30 + 1:
            time.sleep(0.5)
        self.used = step
        return one_time_code(self.seed, step * 30)


def begin(door, name, size, sync=True):
    """An upload that is under way: (connection, handle, what is written)."""
    c, data = door.raw().to("sftp"), secrets.token_bytes(size)
    handle = c.sftp.open(name, WRITE | CREAT | TRUNC)
    for at in range(0, size, 32768):
        c.sftp.write(handle, at, data[at:at + 32768])
    if sync:
        c.sftp.extended("fsync@openssh.com", string(handle))
    return c, handle, data


def ended(c, seconds=2):
    """The server ends this connection, by itself and soon."""
    begin = time.monotonic()
    with pytest.raises(Closed):
        while True:
            c.recv()
    assert time.monotonic() - begin < seconds


def sessions(server, user):
    return server.run("session", "list", "--user", user, "--json").json()["rows"]


@pytest.fixture
def person(sftp_server, tmp_path):
    name = "p" + secrets.token_hex(4)
    sftp_server.add_user(name)
    return Door(sftp_server, name, tmp_path).with_key()


# ---- sessions ----

def test_a_session_is_listed_and_revoked(sftp_server, person):
    c, handle, data = begin(person, "x", MIB)
    row, = sessions(sftp_server, person.user)
    assert row["door"] == "sftp" and row["address"].startswith("127.0.0.1"), row
    sftp_server.run("session", "revoke", str(row["id"]))
    ended(c)
    assert eventually(lambda: not sessions(sftp_server, person.user))
    uploads = eventually(lambda: sftp_server.run("upload", "list", "--user", person.user, "--json").json()["rows"])
    assert uploads[0]["path"] == f"/Home/{person.user}/x"
    with person.raw().to("sftp") as again:  # revoking a session takes no rights
        assert again.sftp.stat("x")["size"] == MIB


@pytest.mark.parametrize("how", [("session", "revoke", "--user"), ("user", "suspend"), ("user", "passwd"), ("user", "remove")])
def test_whoever_is_gone_is_out_at_once(sftp_server, person, how):
    with person.raw().to("sftp") as idle:
        busy, handle, _ = begin(person, "x", MIB)
        assert len(sessions(sftp_server, person.user)) == 2
        extra = dict(stdin="another long password\n") if how[1] == "passwd" else {}
        sftp_server.run(*how, person.user, *(["--password-stdin"] if extra else []), **extra)
        ended(idle)
        ended(busy)
    if how[1] == "suspend":
        with Ssh(sftp_server.sftp_port, person.user, key=UserKey.load(person.key)).to("auth") as c:
            assert c.try_key(c.key) is not True
        sftp_server.run("user", "activate", person.user)
        person.sftp("pwd")


def test_a_key_taken_away(sftp_server, person):
    """Who is in stays in; the key opens no more."""
    with person.raw().to("sftp") as c:
        key, = sftp_server.run("user", "key", "list", person.user, "--json").json()["rows"]
        sftp_server.run("user", "key", "remove", person.user, key["fingerprint"])
        assert c.sftp.realpath()
        with Ssh(sftp_server.sftp_port, person.user).to("auth") as other:
            assert other.try_key(UserKey.load(person.key)) is not True


def test_uploads_are_listed_and_removed(sftp_server, person):
    for name in ("a", "b"):
        c, _, _ = begin(person, name, 2 * MIB)
        c.reset()

    def rows():
        return {r["path"].split("/")[-1]: r for r in sftp_server.run("upload", "list", "--user", person.user, "--json").json()["rows"]}
    assert eventually(lambda: set(rows()) == {"a", "b"})
    assert rows()["a"]["stored"] == 2 * MIB, rows()
    with person.raw().to("sftp") as c:
        sftp_server.run("upload", "remove", str(rows()["a"]["id"]))
        with pytest.raises(Status):
            c.sftp.stat("a")
        assert c.sftp.stat("b")["size"] == 2 * MIB
    assert set(rows()) == {"b"}
    sftp_server.run("fsck")


def test_a_right_taken_away_in_the_middle(sftp_server, person):
    """Judged when the file becomes visible, not only when it was begun."""
    sftp_server.run("folder", "add", f"/Home/{person.user}/drop")
    c, handle, _ = begin(person, "drop/x", MIB, sync=False)
    sftp_server.run("acl", "set", f"/Home/{person.user}/drop", "--user", person.user, "--rights", "list", "--override")
    with c:
        with pytest.raises(Status) as e:
            c.sftp.close(handle)
        assert e.value.code == 3, e.value
        assert "x" not in c.sftp.list("drop")


# ---- figures ----

def figures(server):
    with server.anonymous() as c:
        text = c.get(server.admin_base + "/metrics").text
    return {m[1]: float(m[2]) for m in re.finditer(r"^(sallyport_\S+) (\S+)$", text, re.M)}


def test_metrics(sftp_server, person):
    before = figures(sftp_server)

    def rise(name):
        return figures(sftp_server).get(f"sallyport_{name}", 0) - before.get(f"sallyport_{name}", 0)
    with person.raw().to("sftp") as c:
        assert rise('connections{door="sftp"}') == rise('connections_authenticated{door="sftp"}') == 1
        assert rise('sessions{door="sftp"}') == 1 and rise('sessions{door="https"}') == 0
        handle = c.sftp.open("y", WRITE | CREAT | TRUNC)
        assert rise("uploads_open") == 1
        c.sftp.close(handle)
        c.sftp.put("x", b"x" * MIB)
        assert c.sftp.get("x") == b"x" * MIB
        assert rise('files_in_total{door="sftp"}') == 2 and rise('bytes_in_total{door="sftp"}') == MIB
        assert rise('files_out_total{door="sftp"}') == 1 and rise('bytes_out_total{door="sftp"}') == MIB
        assert rise('bytes_in_total{door="https"}') == rise('bytes_out_total{door="https"}') == 0
    with sftp_server.login(person.user) as https:
        assert https.store(f"/Home/{person.user}/z", b"z" * 1000).status_code == 201
        assert rise('files_in_total{door="https"}') == 1 and rise('bytes_in_total{door="https"}') == 1000
        assert rise('sessions{door="https"}') == 1
    assert eventually(lambda: rise('sessions{door="sftp"}') == 0 and rise('connections{door="sftp"}') == 0)
    assert rise("logins_total") == 3  # by key, by password, and the token on a connection of its own


def test_status(sftp_server):
    text = sftp_server.run("status").out
    assert "gate-sftp" in text and str(sftp_server.sftp_port) in text, text


# ---- keys, and copies of the whole ----

@pytest.fixture
def furnished(identity, tmp_path):
    """Everything that the SFTP door keeps: host keys, keys, an authority, codes, an upload that was cut off."""
    server = Instance(identity, sftp=True)
    try:
        server.init()
        server.start()
        server.add_user("alice")
        door = Door(server, "alice", tmp_path / "alice").with_key()
        server.add_user("careful")
        codes = Codes(server.run("user", "otp", "add", "careful", "--json").json()["secret"])
        server.run("ca", "add", "partners", stdin=make_key(tmp_path / "ca") + "\n")
        with door.raw().to("sftp") as c:
            c.sftp.put("whole", b"w" * 300_000)
            c.sftp.put("small", b"s" * 300)
        c, _, data = begin(door, "partial", 2 * MIB)
        c.reset()
        yield server, door, codes, data
    finally:
        server.end()
        server.remove()


def with_code(server, codes):
    with Ssh(server.sftp_port, "careful").to("auth") as c:
        assert c.try_password(PASSWORD) == ["keyboard-interactive"] and c.partial
        return c.try_interactive(codes.next())


def check_furniture(server, door, codes, data, tmp_path):
    assert with_code(server, codes) is True
    with door.raw().to("sftp") as c:
        assert c.sftp.get("whole") == b"w" * 300_000 and c.sftp.get("small") == b"s" * 300
        assert c.sftp.stat("partial")["size"] == len(data) and "partial" not in c.sftp.list(".")
    door.file("partial", data + b"the rest" * 100_000)
    door.sftp("reput partial")
    with door.raw().to("sftp") as c:
        assert c.sftp.get("partial", 200_000) == data + b"the rest" * 100_000
    line = make_key(tmp_path / "certified")
    door.run(["ssh-keygen", "-q", "-s", tmp_path / "ca", "-I", "id", "-n", "alice", "-V", "+1h", tmp_path / "certified.pub"])
    certified = Door(server, "alice", tmp_path / "certified-door")
    certified.key = tmp_path / "certified"
    assert line and "Remote working" in certified.sftp("pwd").out


def test_a_backup_has_all_of_it(furnished, identity, tmp_path):
    server, door, codes, data = furnished
    keys = {row["type"]: row["fingerprint"] for row in host_keys(server)}
    assert eventually(lambda: server.run("upload", "list", "--json").json()["rows"])
    assert with_code(server, codes) is True
    server.run("backup", server.temp / "backup", "--with-root-key")
    server.stop()
    server.run("restore", server.temp / "backup", server.temp / "restored", timeout=120)
    server.dir = server.temp / "restored"
    server.start()
    assert {row["type"]: row["fingerprint"] for row in host_keys(server)} == keys
    used = one_time_code(codes.seed, codes.used * 30)
    with Ssh(server.sftp_port, "careful").to("auth") as c:
        c.try_password(PASSWORD)
        assert c.try_interactive(used) is not True, "what was used up before the backup is used up"
    check_furniture(server, door, codes, data, tmp_path)
    server.run("fsck", "--content", timeout=120)
    server.stop()
    server.verify()


def test_key_rotation(furnished, tmp_path):
    """Seeds and what is kept of uploads are under the new key, and the old one is destroyed."""
    server, door, codes, data = furnished
    assert eventually(lambda: server.run("upload", "list", "--json").json()["rows"])
    assert server.run("--json", "key", "rotate").json()["epoch"] == 2
    assert eventually(lambda: server.run("--json", "key", "status").json()["rows"][0]["keys_left"] == 0, 30)
    assert eventually(lambda: server.audit("--event", "key.destroyed"), 30)
    check_furniture(server, door, codes, data, tmp_path)
    server.run("fsck", "--content", timeout=120)
    server.stop()
    server.verify()
