"""Browsers' sessions: the cookie alone, the proof alone, or either of another session or request opens nothing."""
import hashlib
import secrets

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from lib.browser import COOKIE, Browser, b64, proof
from lib.instance import PASSWORD
from lib.sftp import one_time_code

SELF = "/api/v1/users/self"
BIG = 64 << 20  # bytes: more than sockets hold


@pytest.fixture()
def browser(server):
    with Browser(server) as c:
        assert c.sign_in("alice").status_code == 200
        yield c


@pytest.fixture(scope="module")
def file(alice):
    home = alice.get(SELF).json()["homeFolderID"]
    r = alice.post(f"/api/v1/folders/{home}/files", files={"file": (secrets.token_hex(8) + ".bin", b"0123456789")})
    assert r.status_code == 201, r.text
    return r.json()["id"]


def refused(reply, kind):
    assert reply.status_code == 401, reply.text
    assert reply.json()["type"] == "/problems/" + kind
    return reply


# ---- signing in ----

def test_the_token_is_in_a_cookie_alone(server):
    with Browser(server) as c:
        r = c.sign_in("alice")
        assert r.json().keys() == {"token_type", "expires_in", "ath"} and r.json()["token_type"] == "DPoP"
        name, *attributes = r.headers["Set-Cookie"].split("; ")
        assert name.startswith(COOKIE + "=spa_") and sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]
        assert c.cookie not in r.text
        assert c.ask("GET", SELF).json()["username"] == "alice"
        assert server.audit("--event", "login")[-1]["detail"]["tokens"].count(" key=") == 1


def test_first_the_nonce(server):
    """RFC 9449 section 8; and the password is not looked at before."""
    with Browser(server) as c:
        form = {"cookie": "1", "grant_type": "password", "username": "alice", "password": PASSWORD}
        r = c.once("POST", "/api/v1/token", data=form)
        assert r.status_code == 400 and r.json()["error"] == "use_dpop_nonce" and r.headers["DPoP-Nonce"] == c.nonce
        assert "Set-Cookie" not in r.headers
        assert c.once("POST", "/api/v1/token", data=form).status_code == 200


@pytest.mark.parametrize("wrong", [
    {"htm": "GET"}, {"htu": "https://evil.example/api/v1/token"}, {"htu": None}, {"jti": None}, {"jti": ""}, {"iat": None}, {"iat": "soon"},
    {"header": {"alg": "none"}}, {"header": {"alg": "HS256"}}, {"header": {"typ": "JWT"}}, {"header": {"crit": "b64"}},
    {"signature": bytes(64)}, {"signature": b"\xff" * 64}, {"signature": b""}], ids=str)
def test_a_wrong_proof_makes_no_session(server, wrong):
    with Browser(server) as c:
        c.once("POST", "/api/v1/token", data={"cookie": "1", "grant_type": "password", "username": "alice", "password": PASSWORD})
        assert c.nonce
        wrong = dict(wrong)
        claims = {"htm": "POST", "htu": server.base + "/api/v1/token", "nonce": c.nonce} | wrong
        r = c.once("POST", "/api/v1/token", with_proof=False, headers={"DPoP": proof(c.key, **claims)},
                   data={"cookie": "1", "grant_type": "password", "username": "alice", "password": PASSWORD})
        assert r.status_code == 400 and r.json()["error"] == "invalid_dpop_proof" and "Set-Cookie" not in r.headers, r.text


def test_without_a_proof_no_cookie(server):
    with server.anonymous() as c:
        form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
        r = c.post("/api/v1/token", data={"cookie": "1", **form})
        assert r.status_code == 400 and r.json()["error"] == "invalid_dpop_proof" and "Set-Cookie" not in r.headers
        assert c.post("/api/v1/token", data={"cookie": "yes", **form}).status_code == 400
        assert c.post("/api/v1/token", data=form).json()["token_type"] == "bearer"


def test_a_wrong_password_says_so(server):
    with Browser(server) as c:
        r = c.sign_in("alice", "wrong")
        assert r.status_code == 400 and r.json()["error"] == "invalid_grant" and "Set-Cookie" not in r.headers


def test_with_a_one_time_code(server):
    server.add_user("brianna")
    secret = server.run("user", "otp", "add", "brianna", "--json").json()["secret"]
    with Browser(server) as c:
        r = c.sign_in("brianna")
        assert r.status_code == 401 and r.json()["error"] == "mfa_required"
        r = c.grant(grant_type="otp", mfa_access_token=r.json()["mfa_access_token"], otp=one_time_code(secret))
        assert r.status_code == 200, r.text
        assert c.ask("GET", SELF).json()["username"] == "brianna"


def test_it_is_not_renewed(browser):
    r = browser.ask("POST", "/api/v1/token", data={"cookie": "1", "grant_type": "refresh_token", "refresh_token": browser.cookie})
    assert r.status_code == 400 and r.json()["error"] == "unsupported_grant_type"


# ---- what was copied ----

def test_the_cookie_alone(server, browser):
    before = len(server.audit("--event", "login.failed"))
    with server.anonymous() as c:
        for headers in ({"Cookie": f"{COOKIE}={browser.cookie}"}, {"Authorization": f"Bearer {browser.cookie}"}):
            r = refused(c.get(SELF, headers=headers), "proof")
            assert "alice" not in r.text and 'DPoP algs="ES256", error="invalid_dpop_proof"' == r.headers["WWW-Authenticate"] and r.headers["DPoP-Nonce"]
    got = server.audit("--event", "login.failed")[before:]
    (own,) = [s["id"] for s in sessions(browser) if s["current"]]
    assert [e["detail"]["reason"] for e in got] == [f"a browser's token without its proof: session {own} of alice"] * 2
    assert browser.ask("GET", SELF).status_code == 200


def test_the_cookie_and_a_proof_by_another_key(server, browser):
    with Browser(server) as thief:
        thief.cookie, thief.ath, thief.nonce = browser.cookie, browser.ath, browser.nonce
        refused(thief.ask("GET", SELF), "proof")
        assert server.audit("--event", "login.failed")[-1]["detail"]["reason"].startswith("wrong proof: session ")


def test_a_proof_is_taken_once(server, browser):
    """Whoever reads one on its way, with the cookie beside it, has nothing; nor on another connection."""
    shown = {"DPoP": browser.proof("GET", SELF), "Cookie": f"{COOKIE}={browser.cookie}"}
    if "use_dpop_nonce" in browser.request("GET", SELF, headers=shown).text:
        pytest.fail("the nonce was fresh")
    refused(browser.request("GET", SELF, headers=shown), "proof")
    with server.anonymous() as c:
        refused(c.get(SELF, headers=shown), "proof")


def test_a_proof_is_for_one_request(server, browser, file):
    other = f"/api/v1/files/{file}"
    for method, made_for in [("GET", ("GET", other)), ("GET", ("POST", SELF)), ("GET", ("GET", SELF + "?x=1"))]:
        claims = {"htm": made_for[0], "htu": server.base + made_for[1]}
        refused(browser.once(method, SELF, claims=claims), "proof")
    refused(browser.once("DELETE", other, claims={"htm": "GET"}), "proof")
    assert browser.ask("GET", other).status_code == 200


def test_a_proof_is_for_one_token(server, browser):
    with Browser(server) as second:
        second.key = browser.key
        assert second.sign_in("alice").status_code == 200
        refused(second.once("GET", SELF, claims={"ath": browser.ath}), "proof")
        refused(second.once("GET", SELF, claims={"ath": None}), "proof")
        assert second.ask("GET", SELF).status_code == 200


def test_the_nonce_is_ours(browser):
    for nonce in (None, "x", b64(bytes(16)), browser.nonce[:-1]):
        r = refused(browser.once("GET", SELF, claims={"nonce": nonce}), "nonce")
        assert r.headers["WWW-Authenticate"] == 'DPoP algs="ES256", error="use_dpop_nonce"' and r.headers["DPoP-Nonce"]
    assert browser.once("GET", SELF).status_code == 200  # with that of the refusal


def test_a_clock_that_is_wrong_does_not_matter(browser):
    for iat in (0, 4102444800):
        assert browser.once("GET", SELF, claims={"iat": iat}).status_code == 200


def test_a_proof_does_not_help_a_bearer_token(server, browser):
    """Tokens of scripts in the cookie: they are bound to no key."""
    with server.login("alice") as c:
        browser.cookie = c.token
        browser.ath = b64(hashlib.sha256(c.token.encode()).digest())
        refused(browser.ask("GET", SELF), "proof")


def test_two_cookies_are_none(browser):
    both = f"{COOKIE}={browser.cookie}; {COOKIE}=spa_x"
    assert browser.once("GET", SELF, headers={"Cookie": both}).status_code == 401
    assert browser.once("GET", SELF, headers={"Cookie": f"a=b; {COOKIE}={browser.cookie}; c"}).status_code == 200


def test_authorization_goes_first(server, browser):
    """A page of another origin cannot send it; a script that does means it."""
    with server.login("bob") as c:
        r = c.get(SELF, headers={"Cookie": f"{COOKIE}={browser.cookie}"})
    assert r.json()["username"] == "bob"


# ---- the end ----

def test_signing_out(server, browser):
    r = browser.ask("DELETE", "/api/v1/sessions/current")
    assert r.status_code == 204 and f"{COOKIE}=; " in r.headers["Set-Cookie"] and "Max-Age=0" in r.headers["Set-Cookie"]
    assert browser.ask("GET", SELF).status_code == 401
    with server.login("bob") as c:  # a script's session too
        assert c.delete("/api/v1/sessions/current").status_code == 204
        assert c.get(SELF).status_code == 401


# ---- the list of one's own ----

def sessions(client):
    r = client.ask("GET", "/api/v1/sessions") if isinstance(client, Browser) else client.get("/api/v1/sessions")
    assert r.status_code == 200, r.text
    return r.json()["items"]


def test_where_one_is_logged_in(server, browser):
    (own,) = [s for s in sessions(browser) if s["current"]]
    assert own["kind"] == "browser" and own["address"].startswith("127.0.0.1") and own["agent"] == browser.headers["User-Agent"]
    with server.login("alice") as c:
        (script,) = [s for s in sessions(c) if s["current"]]
        assert script["kind"] == "token" and int(script["id"]) > int(own["id"])
        assert [s["current"] for s in sessions(browser) if s["id"] == script["id"]] == [False]
        assert browser.cookie not in str(sessions(c)) and c.token not in str(sessions(c))
    with server.login("bob") as c:
        assert own["id"] not in [s["id"] for s in sessions(c)]


def test_ending_another_session(server, browser):
    with server.login("alice") as c:
        (other,) = [s["id"] for s in sessions(c) if s["current"]]
        assert browser.ask("DELETE", f"/api/v1/sessions/{other}").status_code == 204
        got = server.audit("--event", "session.revoked")[-1]
        assert got["user"] == "alice" and int(got["detail"]["session"]) == int(other)
        assert c.get(SELF).status_code == 401
    assert other not in [s["id"] for s in sessions(browser)]
    assert browser.ask("DELETE", f"/api/v1/sessions/{other}").status_code == 404
    assert browser.ask("GET", SELF).status_code == 200


def test_a_download_ends_with_its_session(server, browser, big):
    """The connection is cut, not served to its end."""
    with server.login("alice") as c:
        (other,) = [s["id"] for s in sessions(c) if s["current"]]
        with c.get(f"/api/v1/files/{big}/download", stream=True) as r:
            got = len(r.raw.read(1000))
            assert browser.ask("DELETE", f"/api/v1/sessions/{other}").status_code == 204
            try:
                while more := len(r.raw.read(1 << 16)):
                    got += more
            except (urllib3.exceptions.HTTPError, OSError):
                pass
        assert got < int(r.headers["Content-Length"]) == BIG


@pytest.fixture()
def big(alice):
    home = alice.get(SELF).json()["homeFolderID"]
    r = alice.post(f"/api/v1/folders/{home}/files", files={"file": (secrets.token_hex(8) + ".bin", bytes(BIG))})
    assert r.status_code == 201, r.text
    yield r.json()["id"]
    assert alice.delete(f"/api/v1/files/{r.json()['id']}").status_code == 204


def test_other_peoples_sessions(server, browser):
    (own,) = [s["id"] for s in sessions(browser) if s["current"]]
    with server.login("bob") as c:
        for number in (own, "0", "987654321", "x", "-1", "99999999999999999999"):
            assert c.delete(f"/api/v1/sessions/{number}").status_code == 404, number
        assert c.get(SELF).status_code == 200
    assert browser.ask("GET", SELF).status_code == 200


def test_an_api_token_has_no_business_with_them(server):
    token = server.run("token", "add", "bob", "--name", secrets.token_hex(4), "--json").json()["token"]
    with server.anonymous() as c:
        head = {"Authorization": f"Bearer {token}"}
        for method, url in [("DELETE", "/api/v1/sessions/current"), ("DELETE", "/api/v1/sessions/1"), ("GET", "/api/v1/sessions")]:
            assert c.request(method, url, headers=head).status_code == 403
        assert c.get(SELF, headers=head).status_code == 200


def test_verify_knows_them(server, browser):
    """What the log says of such a session is what the database has, its key included."""
    assert browser.ask("GET", SELF).status_code == 200
    server.run("verify")


# ---- tickets ----

def test_a_ticket_lets_the_browser_download(server, browser, file):
    r = browser.ask("POST", f"/api/v1/files/{file}/ticket")
    assert r.status_code == 201 and r.json()["expires_in"] == 3600
    url, cookie = r.json()["url"], {"Cookie": f"{COOKIE}={browser.cookie}"}
    with server.anonymous() as c:
        for headers, status, content in [({}, 200, b"0123456789"), ({"Range": "bytes=4-6"}, 206, b"456")]:
            r = c.get(url, headers=cookie | headers)
            assert r.status_code == status and r.content == content and r.headers["Content-Disposition"].startswith("attachment")
        # it has made nothing of the connection: neither other addresses nor the same without it
        for other in (SELF, f"/api/v1/files/{file}", f"/api/v1/files/{file}/download", SELF + "?" + url.split("?")[1]):
            refused(c.get(other, headers=cookie), "proof")


def test_a_ticket_needs_its_cookie_and_its_file(server, alice, browser, file):
    home = alice.get(SELF).json()["homeFolderID"]
    other = alice.post(f"/api/v1/folders/{home}/files", files={"file": (secrets.token_hex(8), b"other")}).json()["id"]
    url = browser.ask("POST", f"/api/v1/files/{file}/ticket").json()["url"]
    ticket = url.split("?")[1]
    cookie = {"Cookie": f"{COOKIE}={browser.cookie}"}
    with server.anonymous() as c:
        assert c.get(url).status_code == 401
        refused(c.get(f"/api/v1/files/{other}/download?{ticket}", headers=cookie), "proof")
        refused(c.get(f"/api/v1/files/{file}/download?ticket=", headers=cookie), "proof")
        for wrong in ("x", "A" * 32, ticket[7:-1] + ("A" if ticket[-1] != "A" else "B"), "%00", "A" * 200):
            assert c.get(f"/api/v1/files/{file}/download?ticket={wrong}", headers=cookie).status_code in (400, 401)
    with Browser(server) as second:  # of the same user
        second.sign_in("alice")
        with server.anonymous() as c:
            refused(c.get(url, headers={"Cookie": f"{COOKIE}={second.cookie}"}), "proof")
    assert browser.ask("DELETE", "/api/v1/sessions/current").status_code == 204
    with server.anonymous() as c:
        assert c.get(url, headers=cookie).status_code == 401


def test_who_gets_a_ticket(server, browser, file):
    assert browser.ask("POST", "/api/v1/files/987654321/ticket").status_code == 404
    with Browser(server) as bob:
        bob.sign_in("bob")
        assert bob.ask("POST", f"/api/v1/files/{file}/ticket").status_code == 404
    with server.login("alice") as c:
        refused(c.post(f"/api/v1/files/{file}/ticket"), "proof")


def test_keys_that_are_none(server):
    """A point that is not on the curve, and one of another curve."""
    with Browser(server) as c:
        c.sign_in("alice")
        for x in (b64(b"\x01" * 32), b64(bytes(32)), b64(b"\xff" * 32), "AA"):
            head = {"jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": x}}
            refused(c.once("GET", SELF, with_proof=False, headers={"DPoP": proof(c.key, header=head, htm="GET", htu=server.base + SELF, nonce=c.nonce, ath=c.ath)}), "proof")
        big = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
        head = {"alg": "ES384", "jwk": {"kty": "EC", "crv": "P-384", "x": b64(big.x.to_bytes(48, "big")), "y": b64(big.y.to_bytes(48, "big"))}}
        refused(c.once("GET", SELF, with_proof=False, headers={"DPoP": proof(c.key, header=head, htm="GET", htu=server.base + SELF, nonce=c.nonce, ath=c.ath)}), "proof")
        assert c.ask("GET", SELF).status_code == 200


@pytest.mark.parametrize("field", ["a" * 4097, "a.b.c", "", ".." , "é", "x" * 30000], ids=lambda f: f[:5] + str(len(f)))
def test_fields_that_are_no_proof(browser, field):
    r = browser.once("GET", SELF, with_proof=False, headers={"DPoP": field.encode()})
    assert r.status_code in (401, 431)
