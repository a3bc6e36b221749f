"""The stock-taking itself: each thing that an attack may not achieve is done on purpose, and must be noticed."""
import base64
import re
import socket

import pytest

from lib.cases import House
from lib.instance import PASSWORD, Client
from lib.sftp import add_key
from lib.ssh import Ssh
from lib.ssh_wire import UserKey


@pytest.fixture(scope="module")
def loss(identity):
    """A house in which attacks succeed."""
    house = House(identity)
    yield house
    house.server.end()
    house.listener.close()
    house.server.remove()


def client(house):
    return Client(house.server, house.victim.token)


HAS = "the thief has victim's mark"
THEFTS = {
    "content over HTTPS": ([HAS, "on record: .*file.read"], lambda h, t: t.http("GET", "/api/v1/files/by-path/Home/victim/secret", token=h.victim.token)),
    "content, in base64": ([HAS], lambda h, t: t.stream().extend(base64.b64encode(b"ab" + h.victim.large[:1000]))),
    "content over SFTP": ([HAS, "on record: .*file.read"], lambda h, t: t.ssh(key=h.victim.key).to("sftp").sftp.get("payroll.bin")),
    "a name of a file": ([HAS], lambda h, t: t.ssh(key=h.victim.key).to("sftp").sftp.list(".")),
    "a password": (["the thief has neighbour's password"], lambda h, t: t.stream().extend(h.neighbour.password.encode())),
    "a password hash": (["the thief has the password hash of boss"], lambda h, t: t.stream().extend(next(r[8] for r in h.state()["user"] if r[3] == "boss").encode())),
    "the root key": (["the thief has root.key"], lambda h, t: t.stream().extend((h.server.dir / "keys/root.key").read_bytes())),
    "a login": (["on record: .*'login'", "new in session"], lambda h, t: t.http("POST", "/api/v1/token", form={"grant_type": "password", "username": "victim", "password": h.victim.password})),
    "a login by key": (["on record: .*'login'"], lambda h, t: Ssh(t.port, "victim", key=h.victim.key).to("sftp").close()),
    "a new user": (["on record: .*user.added", "new in user", "new in folder"], lambda h, t: h.server.add_user("healthcheck")),
    "more rights": (["on record: .*user.changed", "new in user"], lambda h, t: h.server.run("user", "set", "thief", "--level", "admin")),
    "rights on a folder": (["on record: .*acl.set", "new in acl"], lambda h, t: h.server.run("acl", "set", "/Home/victim", "--user", "thief", "--rights", "read,list")),
    "a token": (["on record: .*token.added", "new in api_token"], lambda h, t: h.server.run("token", "add", "victim")),
    "a key": (["on record: .*sshkey.added", "new in ssh_key"], lambda h, t: add_key(h.server, "victim", UserKey.make().line)),
    "a new file": (["on record: .*file.created", "new in file", "new in version"], lambda h, t: client(h).store("/Home/victim/new", b"x")),
    "a folder": (["on record: .*folder.created", "new in folder"], lambda h, t: h.server.run("folder", "add", "/Shared")),
    "a setting": (["files of the instance were changed"], lambda h, t: h.server.set("LockoutFailures", "999")),
    "a file beside the instance's": (["files of the instance were changed"], lambda h, t: (h.server.dir / "dropped").write_bytes(b"x")),
    "a command that ran": (["a command ran"], lambda h, t: h.trace.touch()),
    "a call to the thief": (["the server called out"], lambda h, t: socket.create_connection(tuple(h.call.split(":"))).close()),
    "a file overwritten": (["on record: .*file.replaced", "new in file", "gone from file", "new in held"], lambda h, t: client(h).store("/Home/victim/secret", b"ransom")),
    "a file deleted": (["on record: .*file.deleted", "gone from file", "new in held"], lambda h, t: client(h).delete(Client.url("/Home/victim/payroll.bin"))),
}


@pytest.mark.parametrize("theft", THEFTS)
def test_it_is_noticed(loss, theft):
    words, act = THEFTS[theft]
    with pytest.raises(AssertionError) as caught:
        with loss.attack() as thief:
            act(loss, thief)
    loss.trace.unlink(missing_ok=True)
    for word in words:
        assert re.search(word, str(caught.value)), f"not noticed: {word}\n{caught.value}"


def test_nothing_is_noticed_where_nothing_is(loss):
    """An insider's own business is none of the house's."""
    loss.server.run("user", "set", "thief", "--level", "user")
    loss.check_service = lambda: None  # this house has been robbed by now
    with loss.attack(inside="thief") as thief:
        token = thief.log_in()
        assert thief.http("PUT", "/api/v1/files/by-path/Home/thief/mine", body=b"x", token=token).status == 201
        with thief.ssh("thief", password=PASSWORD).to("sftp") as c:
            c.sftp.mkdir("folder")
            c.sftp.put("folder/x", b"x")
            assert c.sftp.get("mine") == b"x"
            c.sftp.remove("folder/x")
            c.sftp.rename("mine", "folder/mine")
    assert {e["event"] for e in thief.record} >= {"login", "file.created", "file.read", "file.deleted", "file.renamed", "folder.created"}
