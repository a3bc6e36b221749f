"""A user's own new password: for the old one, with the lockouts of logins, and the user's other sessions end."""
import secrets

import pytest
from lib.browser import Browser
from lib.instance import PASSWORD, Instance
from lib.sftp import Door, one_time_code

SELF = "/api/v1/users/self"
NEXT = "another horse entirely"


@pytest.fixture
def name(server):
    name = "p" + secrets.token_hex(5)
    server.add_user(name)
    return name


def change(client, current=PASSWORD, password=NEXT):
    return client.patch(SELF, json={"currentPassword": current, "password": password})


def logs_in(server, name, password):
    with server.anonymous() as c:
        return server.grant(c, grant_type="password", username=name, password=password).status_code == 200


def test_it_is_changed(server, name):
    token = server.run("token", "add", name, "--json").json()["token"]
    with server.login(name) as c, server.login(name) as other, Browser(server) as browser:
        assert browser.sign_in(name).status_code == 200
        r = change(c)
        assert r.status_code == 200 and r.json()["username"] == name
        assert c.get(SELF).status_code == 200, "the session that asked goes on"
        assert other.get(SELF).status_code == 401 and browser.ask("GET", SELF).status_code == 401
        with server.anonymous() as api:
            assert api.get(SELF, headers={"Authorization": f"Bearer {token}"}).status_code == 200, "API tokens stay"
    assert not logs_in(server, name, PASSWORD) and logs_in(server, name, NEXT)
    entry = server.audit("--event", "user.changed")[-1]
    assert entry["user"] == name and entry["detail"]["change"] == "own password"
    assert NEXT not in server.log() and PASSWORD not in server.log()
    server.run("verify")


def test_sftp_sessions_end(identity, tmp_path):
    with Instance(identity, sftp=True) as server:
        server.add_user("alice")
        with Door(server, "alice", tmp_path).with_key().raw().to("sftp") as s, server.login("alice") as c:
            s.sftp.mkdir("before")
            assert change(c).status_code == 200
            with pytest.raises(Exception):
                for _ in range(50):
                    s.sftp.mkdir("x" + secrets.token_hex(4))


def test_the_old_one_is_needed(server, name):
    with server.login(name) as c:
        for current in ("", "wrong", NEXT, PASSWORD + " ", PASSWORD[:-1]):
            r = change(c, current=current)
            assert r.status_code == 403 and "current password is wrong" in r.json()["detail"]
            assert change(c).status_code == 200 and change(c, current=NEXT, password=PASSWORD).status_code == 200, "and good ones are not counted"
        assert server.audit("--event", "login.failed", "--user", name)
    assert logs_in(server, name, PASSWORD)


def test_failures_lock_out(identity):
    with Instance(identity, settings={"LockoutFailures": "3"}) as server:
        server.add_user("alice")
        with server.login("alice") as c:
            assert [change(c, current="wrong").status_code for _ in range(3)] == [403] * 3
            r = change(c)
            assert r.status_code == 429 and int(r.headers["Retry-After"]) > 0
            assert c.get(SELF).status_code == 200
        assert not logs_in(server, "alice", PASSWORD), "at the login as well"


@pytest.mark.parametrize("body, status", [
    ({}, 400), ({"password": NEXT}, 400), ({"currentPassword": PASSWORD}, 400), ({"currentPassword": PASSWORD, "password": 5}, 400),
    ({"currentPassword": PASSWORD, "password": None}, 400), ({"currentPassword": PASSWORD, "password": "short"}, 422),
    ({"currentPassword": PASSWORD, "password": "x" * 1024}, 422), ({"currentPassword": PASSWORD, "password": "x" * 5000}, 422)])
def test_bad_ones(server, name, body, status):
    with server.login(name) as c:
        assert c.patch(SELF, json=body).status_code == status
    assert logs_in(server, name, PASSWORD)


def test_not_for_api_tokens(server, name):
    token = server.run("token", "add", name, "--json").json()["token"]
    with server.anonymous() as c:
        c.headers["Authorization"] = f"Bearer {token}"
        assert change(c).status_code == 403
    assert logs_in(server, name, PASSWORD)


def test_with_one_time_codes(server, name):
    secret = server.run("user", "otp", "add", name, "--json").json()["secret"]
    with Browser(server) as c:
        first = c.sign_in(name)
        assert first.status_code == 401
        assert c.grant(grant_type="otp", mfa_access_token=first.json()["mfa_access_token"], otp=one_time_code(secret)).status_code == 200
        assert c.ask("PATCH", SELF, json={"currentPassword": PASSWORD, "password": NEXT}).status_code == 200
        assert c.ask("GET", SELF).status_code == 200
    with server.anonymous() as c:
        assert server.grant(c, grant_type="password", username=name, password=NEXT).json()["error"] == "mfa_required"


def test_changed_meanwhile(server, name):
    """An administrator's new password holds: the old one proves nothing any more."""
    with server.login(name) as c:
        server.run("user", "passwd", name, "--password-stdin", stdin="from the administrator\n")
        assert change(c).status_code == 401
    assert logs_in(server, name, "from the administrator")
