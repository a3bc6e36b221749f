"""Every row of routes.def from outside: without a session, with one that ended, with another user's, with another organisation's, with a
wrong method, on the wrong listener.  A new row is tested by being there."""
import base64
import pathlib
import re
import secrets

import pytest
import requests

from lib.instance import PASSWORD

TABLE = pathlib.Path(__file__).parents[2] / "src/rooms/gate/https/routes.def"
ROW = re.compile(r'^ROUTE\("(\w+)",\s*"([^"]+)", (PUBLIC|ADMIN), (\w+), (\w+), ', re.M)
ROUTES = ROW.findall(TABLE.read_text())
PUBLIC = [r for r in ROUTES if r[2] == "PUBLIC"]
CLOSED = [r for r in PUBLIC if r[3] != "NONE"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "CONNECTX"]
OPEN = {("GET", "/"), ("GET", "/app/{path...}"), ("GET", "/assets/{asset}"),
        ("POST", "/api/v1/token"), ("POST", "/api/v1/token/revoke"), ("GET", "/api/v1/info"), ("GET", "/metrics"), ("GET", "/health"), ("OPTIONS", "/api/v1/tus")}
SECRET = "hidden-" + secrets.token_hex(8)


def label(row):
    return f"{row[0]} {row[1]}"


def tus_fields(folder):
    pairs = ",".join(f"{k} {base64.b64encode(str(v).encode()).decode()}" for k, v in (("folder", folder), ("filename", SECRET + "-tus")))
    return {"Tus-Resumable": "1.0.0", "Upload-Length": "7", "Upload-Metadata": pairs, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def things(server, alice):
    """What alice has and nobody else may see: a folder, a folder and a file in it."""
    home = alice.get("/api/v1/users/self").json()["homeFolderID"]
    place = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": SECRET}).json()
    inner = alice.post(f"/api/v1/folders/{place['id']}/subfolders", json={"name": SECRET + "-inner"}).json()
    file = alice.post(f"/api/v1/folders/{place['id']}/files", files={"file": (SECRET + ".txt", SECRET)}).json()
    tus = alice.post("/api/v1/tus", headers=tus_fields(place["id"]))
    return {"tus": tus.headers["Location"].rpartition("/")[2], "folder": place["id"], "inner": inner["id"], "file": file["id"], "path": file["path"], "home": home}


@pytest.fixture(scope="module")
def mallory(server):
    """Somebody of another organisation, whose administrator gave all rights there."""
    server.run("org", "add", "rivals")
    server.add_user("mallory", "--org", "rivals")
    server.run("acl", "set", "/", "--user", "mallory", "--rights", "all", "--org", "rivals")
    with server.login("mallory") as client:
        yield client


def address(pattern, things):
    """The pattern with alice's things in it; what we do not know of is a number that nothing has."""
    kind = pattern.split("/")[3] if pattern.count("/") > 2 else ""
    known = {"{id}": {"files": things["file"], "folders": things["folder"], "tus": things["tus"]}.get(kind, 987654321), "{file}": things["file"],
             "{folder}": things["inner"], "/{path...}": things["path"]}
    for name, value in known.items():
        pattern = pattern.replace(name, str(value))
    return re.sub(r"\{[^}]*\}", "987654321", pattern)


def ask(client, method, pattern, things, **kw):
    """The request with a body that would do."""
    url = address(pattern, things)
    if method == "POST" and pattern.endswith("/files"):
        kw["files"] = {"file": ("planted", b"x")}
    elif pattern.startswith("/api/v1/tus"):
        kw["headers"] = {**tus_fields(things["folder"]), **kw.get("headers", {})}
        kw["data"] = b"planted" if method == "PATCH" else None
    elif method in ("POST", "PATCH"):
        kw["json"] = {"name": "planted", "destinationFolderId": kw.pop("into", things["home"])}
    elif method == "PUT":
        kw["data"] = b"planted"
    kw.pop("into", None)
    return client.request(method, url, allow_redirects=False, **kw)


def is_problem(reply, status):
    assert reply.status_code == status, reply.text
    if reply.request.method != "HEAD":
        assert reply.headers["Content-Type"] == "application/problem+json" and reply.json()["status"] == status
    assert reply.headers["Cache-Control"] == "no-store" and reply.headers["X-Content-Type-Options"] == "nosniff"


def untouched(alice, things):
    """All of alice's is as it was."""
    content = alice.get(f"/api/v1/folders/{things['folder']}/content").json()["items"]
    assert sorted(i["name"] for i in content) == [SECRET + "-inner", SECRET + ".txt"]
    assert alice.get(f"/api/v1/folders/{things['folder']}").json()["name"] == SECRET
    assert alice.get(f"/api/v1/folders/{things['inner']}").json()["name"] == SECRET + "-inner"
    assert alice.get(f"/api/v1/folders/{things['inner']}/content").json()["items"] == []
    assert alice.get(f"/api/v1/files/{things['file']}/download").text == SECRET
    assert alice.get(f"/api/v1/files/{things['file']}").json()["path"] == things["path"]


def test_the_table_is_read_whole():
    """No row escapes this file by its spelling, and no row is open that was not meant to be."""
    assert len(ROUTES) == len(re.findall(r"^ROUTE\(", TABLE.read_text(), re.M)) > 20
    assert {r[3] for r in ROUTES} == {"NONE", "BEARER"}
    assert {(r[0], r[1]) for r in ROUTES if r[3] == "NONE"} == OPEN


@pytest.mark.parametrize("row", CLOSED, ids=label)
def test_without_a_session(server, alice, things, row):
    url = address(row[1], things)
    for headers, shown in [({}, False), ({"Authorization": "Bearer " + secrets.token_urlsafe(32)}, True), ({"Authorization": "Bearer x"}, True),
                           ({"Authorization": "Basic YWxpY2U6eA=="}, False), ({"Authorization": "Bearer"}, False), ({"Cookie": "session=x"}, False)]:
        with server.anonymous() as c:
            r = ask(c, row[0], row[1], things, headers=headers)
            is_problem(r, 401)
            assert ("invalid_token" in r.headers["WWW-Authenticate"]) == shown
            assert SECRET not in r.text.replace(url, "")  # which is the caller's own
            if row[0] == "GET":
                is_problem(c.head(url, headers=headers), 401)
    untouched(alice, things)


@pytest.mark.parametrize("row", CLOSED, ids=label)
def test_with_a_session_that_ended(server, alice, things, row):
    with server.anonymous() as c:
        token = server.grant(c, grant_type="password", username="bob", password=PASSWORD).json()["access_token"]
        assert c.post("/api/v1/token/revoke", data={"token": token}).status_code == 200
    with server.anonymous() as c:
        is_problem(ask(c, row[0], row[1], things, headers={"Authorization": f"Bearer {token}"}), 401)
    untouched(alice, things)


@pytest.mark.parametrize("who", ["bob", "mallory"])
@pytest.mark.parametrize("row", CLOSED, ids=label)
def test_with_another_users(request, server, alice, things, who, row):
    """What is alice's is not there for anybody else; lists do not have it."""
    other = request.getfixturevalue(who)
    own = other.get("/api/v1/users/self").json()["homeFolderID"]
    if row[4] in ("session_end", "users_self_patch"):  # one's own, whoever asks: test_browser.py, test_own_password.py
        return
    names = "{" in row[1] or row[1] == "/api/v1/tus"  # its folder is in a field
    if not names and row[0] != "GET":
        pytest.fail("a row that changes something and names nothing: say here what it does for another user")
    r = ask(other, row[0], row[1], things, into=own)
    if not names:
        assert r.status_code < 500 and SECRET not in r.text
        return
    if "redirect" in row[4]:  # arithmetic with the numbers; what it leads to refuses
        assert r.status_code == 302 and r.text == ""
        r = other.request(row[0], r.headers["Location"], allow_redirects=False)
    is_problem(r, 404)
    if "{path...}" not in row[1]:  # there it is what the caller said
        assert SECRET not in r.text
    untouched(alice, things)


@pytest.mark.parametrize("pattern", sorted({r[1] for r in PUBLIC}))
def test_with_a_wrong_method(server, alice, things, pattern):
    """405 and Allow, with a session and without; OPTIONS says the same; nothing is done."""
    there = {r[0] for r in PUBLIC if r[1] == pattern}
    there |= {"HEAD"} if "GET" in there else set()
    url = address(pattern, things)
    with server.anonymous() as anonymous:
        for client in (anonymous, alice):
            for method in METHODS:
                if method not in there:
                    r = client.request(method, url, allow_redirects=False)
                    is_problem(r, 405)
                    assert set(r.headers["Allow"].split(", ")) == there | {"OPTIONS"}, method
            r = client.options(url)
            assert r.status_code == 204 and r.content == b""
            assert sorted(r.headers["Allow"].split(", ")) == sorted(there | {"OPTIONS"})
            is_problem(client.request(next(iter(there)).lower() + "x", url), 405)
    untouched(alice, things)


@pytest.mark.parametrize("row", ROUTES, ids=label)
def test_on_the_wrong_listener(server, alice, things, row):
    """A route exists on its listener only, also with a good token."""
    port = server.port if row[2] == "ADMIN" else server.admin_port
    url = f"https://127.0.0.1:{port}{address(row[1], things)}"
    for method in (row[0], "OPTIONS"):
        r = requests.request(method, url, headers={"Authorization": f"Bearer {alice.token}"}, verify=str(server.certificate), allow_redirects=False,
                             timeout=60)
        is_problem(r, 404)
    untouched(alice, things)
