"""GET /api/v1/openapi.json: the document holds, and every reply of every operation is what the document says."""
import base64
import hashlib
import json
import pathlib
import re
import secrets

import jsonschema
import pytest
import requests

from lib.browser import Browser
from lib.instance import PASSWORD

ROOT = pathlib.Path(__file__).parents[2]
METHODS = ("get", "put", "post", "delete", "patch", "options")
NOBODY = 987654321  # a number that nothing has


@pytest.fixture(scope="module")
def doc(alice):
    r = alice.get("/api/v1/openapi.json")
    assert r.status_code == 200 and r.headers["Content-Type"] == "application/json; charset=utf-8", r.text
    return r.json()


def operations(doc):
    return {(m, p): op for p, row in doc["paths"].items() for m, op in row.items()}


def at(doc, ref):
    """What "#/a/b" stands for."""
    node = doc
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


class Reader:
    """Judges replies by the document, and knows what has been asked."""

    def __init__(self, doc):
        self.doc, self.seen = doc, set()
        self.patterns = [(re.compile(re.sub(r"\\{\w+\\}", lambda m: "/.*" if "path" in m[0] else "[^/]+", re.escape(p)).replace("//", "/") + "$"), p)
                         for p in doc["paths"]]

    def path(self, url):
        found = [p for r, p in self.patterns if r.match(url)]
        return max(found, key=lambda p: (p.count("/"), -p.count("{")))

    def check(self, reply):
        path = self.path(re.sub(r"^https://[^/]*([^?]*).*$", r"\1", reply.request.url))
        method = reply.request.method.lower()
        op = self.doc["paths"][path]["get" if method == "head" else method]
        said = op["responses"].get(str(reply.status_code))
        if said is None:
            assert reply.status_code >= 400, (method, path, reply.status_code)
            said = op["responses"]["default"]
        self.seen.add((method, path, reply.status_code))
        for name, header in said.get("headers", {}).items():
            assert name in reply.headers or not header.get("required"), (method, path, reply.status_code, name)
        if method == "head":
            assert reply.content == b""
            return reply
        if "content" not in said:
            assert reply.content == b"", (method, path, reply.content)
            return reply
        kind = reply.headers["Content-Type"].split(";")[0]
        assert kind in said["content"], (method, path, reply.status_code, kind)
        if kind.endswith("json"):
            schema = {"components": self.doc["components"], **said["content"][kind]["schema"]}
            jsonschema.Draft202012Validator(schema).validate(reply.json())
        if kind == "application/problem+json":
            assert reply.json()["status"] == reply.status_code
        return reply


@pytest.fixture(scope="module")
def reader(doc):
    return Reader(doc)


def asked(client, reader, method, url, **kw):
    return reader.check(client.request(method, url, allow_redirects=False, **kw))


# ---- the document itself ----

def test_it_is_the_one_in_the_documentation(doc):
    assert doc == json.loads((ROOT / "docs/gen/openapi.json").read_text())
    assert doc["openapi"] == "3.1.0"


def test_it_has_every_row_of_the_table_and_no_other(doc):
    table = (ROOT / "src/rooms/gate/https/routes.def").read_text()
    rows = re.findall(r'^ROUTE\("(\w+)",\s*"([^"]+)", (\w+), (\w+),', table, re.M)
    assert len(rows) == len(re.findall(r"^ROUTE\(", table, re.M))
    want = {(m.lower(), p.replace("...}", "}")): (listener, auth) for m, p, listener, auth in rows}
    ops = operations(doc)
    assert set(ops) == set(want)
    for key, (listener, auth) in want.items():
        assert ops[key]["tags"] == [listener.lower()]
        assert ops[key]["security"] == ([{"bearer": []}, {"browser": []}] if auth == "BEARER" else [])


def test_it_is_well_formed(doc):
    """Names are unique, references lead somewhere, all parts are used, parameters of a path are the path's, schemas are schemas."""
    ops = operations(doc)
    ids = [op["operationId"] for op in ops.values()]
    assert len(ids) == len(set(ids))
    refs = set(re.findall(r'"\$ref": "(#/[^"]+)"', json.dumps(doc)))
    for ref in refs:
        at(doc, ref)
    for part in ("schemas", "parameters"):
        assert {r for r in refs if f"/{part}/" in r} == {f"#/components/{part}/{n}" for n in doc["components"][part]}
    for (method, path), op in ops.items():
        assert method in METHODS and path.startswith("/")
        named = [at(doc, p["$ref"]) for p in op.get("parameters", [])]
        assert sorted(p["name"] for p in named if p["in"] == "path") == sorted(re.findall(r"{(\w+)}", path))
        assert all(p["required"] for p in named if p["in"] == "path")
        assert all(r["description"] for r in op["responses"].values()) and "default" in op["responses"]
    for schema in doc["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_it_names_the_product_and_so_is_not_for_everybody(server, doc):
    assert doc["info"]["title"] == "Sallyport"
    with server.anonymous() as c:
        r = c.get("/api/v1/openapi.json")
    assert r.status_code == 401 and "sallyport" not in r.text.lower()


def test_head(alice, doc):
    r = alice.head("/api/v1/openapi.json")
    assert r.status_code == 200 and r.content == b"" and int(r.headers["Content-Length"]) > 1000
    assert alice.get("/api/v1/users/self").status_code == 200  # the connection is in step


# ---- the replies ----

def test_every_operation_answers_as_it_says(server, alice, bob, reader):
    """One journey through all of it: what works, and what is refused to others, to nobody, and for bad input."""
    ask = lambda *a, **kw: asked(alice, reader, *a, **kw)
    token(server, reader)
    ask("GET", "/api/v1/info")
    ask("GET", "/api/v1/info", params={"orgId": "x"})
    ask("GET", "/api/v1/openapi.json")
    home = ask("GET", "/api/v1/users/self").json()["homeFolderID"]
    name = "openapi-" + secrets.token_hex(4)
    place = ask("POST", f"/api/v1/folders/{home}/subfolders", json={"name": name}).json()
    assert ask("POST", f"/api/v1/folders/{home}/subfolders", json={"name": name}).status_code == 409
    assert ask("POST", f"/api/v1/folders/{home}/subfolders", json={"name": "a/b"}).status_code == 422
    other = ask("POST", f"/api/v1/folders/{place['id']}/subfolders", json={"name": "other"}).json()
    by_path(alice, reader, place["path"])
    file = by_number(alice, reader, place, other)
    tus(alice, reader, place)
    with Browser(server) as c:
        c.reader = reader
        assert c.sign_in("alice").status_code == 200
        assert c.ask("POST", f"/api/v1/files/{file}/ticket").status_code == 201
        assert c.ask("POST", f"/api/v1/folders/{place['id']}/ticket").status_code == 201
    archive(alice, reader, place)
    assert ask("PATCH", "/api/v1/users/self", json={"currentPassword": PASSWORD, "password": PASSWORD}).status_code == 200
    assert ask("PATCH", "/api/v1/users/self", json={"password": PASSWORD}).status_code == 400
    page(server, reader)
    lists(alice, reader, place)
    for kind, number in (("files", file), ("folders", other["id"])):
        for method, url in [("GET", f"/api/v1/{kind}/{number}"), ("PATCH", f"/api/v1/{kind}/{number}"), ("POST", f"/api/v1/{kind}/{number}/move"),
                            ("DELETE", f"/api/v1/{kind}/{number}")]:
            kw = {"json": {"name": "x", "destinationFolderId": home}} if method in ("POST", "PATCH") else {}
            assert asked(bob, reader, method, url, **kw).status_code == 404
            with server.anonymous() as c:
                assert asked(c, reader, method, url, **kw).status_code == 401
    moves(alice, reader, place, other, file)
    admin(server, reader)
    never = {key for key in operations(reader.doc) if not any(s[:2] == key and s[2] < 400 for s in reader.seen)}
    assert not never
    # every one refuses something too, but those that always have an answer, and the addresses that lead elsewhere
    harmless = {"/", "/app/{path}", "/metrics", "/health", "/api/v1/folders/{id}/files/{file}", "/api/v1/folders/{id}/files/{file}/download",
                "/api/v1/folders/{id}/subfolders/{folder}"}
    with server.anonymous() as c:
        for method, path in operations(reader.doc):
            if path not in harmless and not path.startswith("/api/v1/token") and path not in ("/api/v1/info", "/assets/{asset}") and method != "options":
                url = path.replace("/{path}", place["path"])
                assert asked(c, reader, method.upper(), re.sub(r"{\w+}", str(NOBODY), url)).status_code == 401
    kinds = {key for key in operations(reader.doc) if any(s[:2] == key and s[2] >= 400 for s in reader.seen)}
    assert set(operations(reader.doc)) - kinds <= {(m, p) for m, p in operations(reader.doc) if p in harmless or m == "options"}


def archive(alice, reader, place):
    url = f"/api/v1/folders/{place['id']}/archive"
    whole = asked(alice, reader, "GET", url)
    assert whole.status_code == asked(alice, reader, "GET", url, params={"format": "tar"}).status_code == 200
    assert asked(alice, reader, "GET", url, headers={"Range": "bytes=1-2"}).status_code == 206
    assert asked(alice, reader, "GET", url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert asked(alice, reader, "GET", url, params={"format": "rar"}).status_code == 400
    assert asked(alice, reader, "HEAD", url).status_code == 200


def page(server, reader):
    with server.anonymous() as c:
        for url in ("/", "/app/folder/1"):
            said = asked(c, reader, "GET", url)
            assert said.status_code == 200
            assert asked(c, reader, "GET", url, headers={"If-None-Match": said.headers["ETag"]}).status_code == 304
        for name in re.findall(r'"(/assets/[^"]+)"', said.text):
            assert asked(c, reader, "GET", name).status_code == 200
        assert asked(c, reader, "GET", "/assets/no.js").status_code == 404


def tus(alice, reader, place):
    url, said = "/api/v1/tus", {"Tus-Resumable": "1.0.0"}
    pairs = ",".join(f"{k} {base64.b64encode(str(v).encode()).decode()}" for k, v in (("folder", place["id"]), ("filename", "tus.bin")))
    assert asked(alice, reader, "OPTIONS", url).status_code == 204
    made = asked(alice, reader, "POST", url, headers={**said, "Upload-Length": "9", "Upload-Metadata": pairs})
    assert made.status_code == 201
    one = made.headers["Location"]
    octets = {**said, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    digest = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    assert asked(alice, reader, "PATCH", one, data=b"y", headers={**octets, "Upload-Checksum": "sha256 " + digest}).status_code == 460
    assert asked(alice, reader, "PATCH", one, data=b"x", headers=octets).status_code == 204
    assert asked(alice, reader, "GET", one, headers=said).status_code == asked(alice, reader, "HEAD", one, headers=said).status_code == 200
    assert asked(alice, reader, "DELETE", one, headers=said).status_code == 204
    assert asked(alice, reader, "DELETE", one).status_code == 412


def token(server, reader):
    url, revoke = "/api/v1/token", "/api/v1/token/revoke"
    with server.anonymous() as c:
        good = asked(c, reader, "POST", url, data={"grant_type": "password", "username": "bob", "password": PASSWORD}).json()
        again = asked(c, reader, "POST", url, data={"grant_type": "refresh_token", "refresh_token": good["refresh_token"]}).json()
        assert asked(c, reader, "POST", url, data={"grant_type": "magic"}).status_code == 400
        assert asked(c, reader, "POST", url, data={"username": "bob"}).status_code == 400
        assert asked(c, reader, "POST", revoke, data={"token": again["access_token"]}).status_code == 200
        assert asked(c, reader, "POST", revoke, data={"token": again["access_token"]}).status_code == 401
    with Browser(server) as c:
        c.reader = reader
        assert c.sign_in("bob").status_code == 200
        with server.login("bob") as other:
            (second,) = [s for s in c.ask("GET", "/api/v1/sessions").json()["items"] if s["kind"] == "token" and s["agent"] == other.headers["User-Agent"]][-1:]
            assert c.ask("DELETE", f"/api/v1/sessions/{second['id']}").status_code == 204
            assert c.ask("DELETE", f"/api/v1/sessions/{second['id']}").status_code == 404
        assert c.ask("DELETE", "/api/v1/sessions/current").status_code == 204
        assert c.ask("DELETE", "/api/v1/sessions/current").status_code == 401
    with server.anonymous() as c:
        assert asked(c, reader, "POST", url, data={"grant_type": "password", "username": "bob", "password": "wrong"}).status_code == 400


def by_path(alice, reader, place):
    ask = lambda *a, **kw: asked(alice, reader, *a, **kw)
    url = f"/api/v1/files/by-path{place}/by path.bin"
    assert ask("PUT", url, data=b"one").status_code == 201
    assert ask("PUT", url, data=b"two two").status_code == 204
    assert ask("PUT", url, data=b"x", headers={"If-None-Match": "*"}).status_code == 412
    digest = "sha-256=:" + "A" * 43 + "=:"
    assert ask("PUT", url, data=b"x", headers={"Repr-Digest": digest}).status_code == 400
    r = ask("GET", url)
    assert (r.status_code, r.content) == (200, b"two two")
    assert ask("HEAD", url).status_code == 200
    assert ask("GET", url, headers={"If-None-Match": r.headers["ETag"]}).status_code == 304
    assert ask("GET", url, headers={"Range": "bytes=0-2"}).content == b"two"
    assert ask("GET", url, headers={"Range": "bytes=0-0, 4-6"}).headers["Content-Type"].startswith("multipart/byteranges")
    assert ask("GET", url, headers={"Range": "bytes=100-"}).status_code == 416
    assert ask("GET", f"/api/v1/files/by-path{place}").json()["paging"]["totalItems"] == 2
    assert ask("GET", url + ".none").status_code == 404
    assert ask("DELETE", url, headers={"If-Match": '"other"'}).status_code == 412
    assert ask("DELETE", url).status_code == 204
    assert ask("DELETE", url).status_code == 404


def by_number(alice, reader, place, other):
    ask = lambda *a, **kw: asked(alice, reader, *a, **kw)
    url = f"/api/v1/folders/{place['id']}/files"
    content = b"the content"
    sums = {"hashtype": "sha-256", "hash": hashlib.sha256(content).hexdigest(), "comments": "as agreed"}
    file = ask("POST", url, files={"file": ("report.txt", content)}, data=sums).json()
    assert file["sha256"] == sums["hash"] and file["uploadComment"] == "as agreed"
    assert ask("POST", url, files={"file": ("report.txt", b"x")}).status_code == 409
    r = ask("POST", url, files={"file": ("bad.txt", b"x")}, data=sums)
    assert r.status_code == 422 and r.json()["errors"]
    assert ask("POST", url + "?uploadType=resumable").status_code == 501
    number = file["id"]
    assert ask("GET", f"/api/v1/files/{number}").json() == file | {"isNew": True}
    assert ask("GET", f"/api/v1/files/{NOBODY}").status_code == 404
    assert ask("GET", f"/api/v1/files/{number}/download").content == content
    assert ask("GET", f"/api/v1/files/{number}/download", headers={"Range": "bytes=4-"}).status_code == 206
    assert ask("GET", f"/api/v1/files/{number}/versions").json()["items"][0]["version"] == file["version"]
    for method, tail in (("GET", f"files/{number}"), ("GET", f"files/{number}/download"), ("GET", f"subfolders/{other['id']}"),
                         ("DELETE", f"subfolders/{other['id']}")):
        r = ask(method, f"/api/v1/folders/{place['id']}/{tail}")
        assert r.status_code == 302 and r.headers["Location"].startswith("/api/v1/f")
    return number


def lists(alice, reader, place):
    for url in ("/api/v1/files", "/api/v1/folders", *(f"/api/v1/folders/{place['id']}/{what}" for what in ("subfolders", "content", "files"))):
        for query in ({}, {"page": 2, "perPage": 1}, {"sortField": "size", "sortDirection": "desc"}, {"name": "*e*"}):
            assert asked(alice, reader, "GET", url, params=query).status_code == 200
        assert asked(alice, reader, "GET", url, params={"page": "x"}).status_code == 400
    assert asked(alice, reader, "GET", "/api/v1/files", params={"newOnly": "true", "sinceDate": "2020-01-01 00:00:00"}).status_code == 200
    assert asked(alice, reader, "GET", "/api/v1/files", params={"sinceDate": "yesterday"}).status_code == 400
    found = asked(alice, reader, "GET", "/api/v1/files/detailed", params={"pathMask": place["path"], "fileMask": "*", "recursive": "true"})
    assert found.status_code == 200 and found.json()
    assert asked(alice, reader, "GET", "/api/v1/files/detailed", params={"pathMask": "/"}).status_code == 400
    assert asked(alice, reader, "GET", f"/api/v1/folders/{NOBODY}/content").status_code == 404


def moves(alice, reader, place, other, file):
    ask = lambda *a, **kw: asked(alice, reader, *a, **kw)
    assert ask("PATCH", f"/api/v1/files/{file}", json={"name": "new.txt"}).json()["name"] == "new.txt"
    assert ask("PATCH", f"/api/v1/files/{file}", json={"comment": "x"}).status_code == 501
    assert ask("PATCH", f"/api/v1/folders/{other['id']}", json={"name": "renamed"}).json()["name"] == "renamed"
    copy = ask("POST", f"/api/v1/files/{file}/copy", json={"destinationFolderId": other["id"]})
    assert copy.json()["folderID"] == other["id"] and copy.headers["Location"].endswith(copy.json()["id"])
    assert ask("POST", f"/api/v1/files/{file}/copy", json={}).status_code == 400
    third = ask("POST", f"/api/v1/folders/{place['id']}/subfolders", json={"name": "third"}).json()
    assert ask("POST", f"/api/v1/files/{file}/move", json={"destinationFolderId": third["id"]}).json()["folderID"] == third["id"]
    assert ask("POST", f"/api/v1/folders/{third['id']}/move", json={"destinationFolderId": other["id"]}).json()["parentId"] == other["id"]
    assert ask("GET", f"/api/v1/folders/{third['id']}").json()["totalFileCount"] == 1
    assert ask("DELETE", f"/api/v1/files/{file}").status_code == 204
    assert ask("DELETE", f"/api/v1/folders/{place['id']}").status_code == 204


def admin(server, reader):
    for path in ("/metrics", "/health"):
        r = requests.get(f"https://127.0.0.1:{server.admin_port}{path}", verify=str(server.certificate), timeout=60)
        assert reader.check(r).status_code == 200


def test_the_code_that_is_needed_as_well(server, reader):
    """The one reply that takes an account with a second factor."""
    server.add_user("otto")
    server.run("user", "otp", "add", "otto")
    with server.anonymous() as c:
        r = asked(c, reader, "POST", "/api/v1/token", data={"grant_type": "password", "username": "otto", "password": PASSWORD})
    assert r.status_code == 401 and r.json()["error"] == "mfa_required"


def test_a_member_that_is_not_described_is_seen(doc):
    """The reader itself can fail."""
    said = {"components": doc["components"], "$ref": "#/components/schemas/Paging"}
    good = {"page": 1, "perPage": 25, "totalItems": 0, "totalPages": 1}
    jsonschema.Draft202012Validator(said).validate(good)
    for bad in ({**good, "more": 1}, {k: v for k, v in good.items() if k != "page"}, {**good, "page": "1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(said).validate(bad)
