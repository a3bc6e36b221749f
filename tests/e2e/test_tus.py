"""tus 1.0: what a client is told is stored, is stored, and an upload can be gone on with from another connection."""
import base64
import contextlib
import hashlib
import os
import secrets
import signal
import socket
import ssl
import time
from email.utils import parsedate_to_datetime

import pytest
import requests

from lib.instance import Instance

TUS = "/api/v1/tus"
VERSION = {"Tus-Resumable": "1.0.0"}
OCTETS = {**VERSION, "Content-Type": "application/offset+octet-stream"}
MIB = 1 << 20


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def metadata(**values):
    return ",".join(f"{k} {b64(str(v))}" for k, v in values.items())


@pytest.fixture(scope="module")
def folder(alice):
    home = alice.get("/api/v1/users/self").json()["homeFolderID"]
    return alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "tus-" + secrets.token_hex(4)}).json()["id"]


@pytest.fixture()
def name():
    return secrets.token_hex(8) + ".bin"


def create(client, length, body=None, folder=None, headers=None, **meta):
    return client.post(TUS, data=body, headers={**(OCTETS if body is not None else VERSION), "Upload-Length": str(length),
                                                "Upload-Metadata": metadata(folder=folder, **meta), **(headers or {})})


def made(client, length, **kw):
    r = create(client, length, **kw)
    assert r.status_code == 201, r.text
    assert r.headers["Tus-Resumable"] == "1.0.0"
    return r.headers["Location"]


def offset(client, url):
    r = client.head(url, headers=VERSION)
    assert r.status_code == 200 and r.headers["Cache-Control"] == "no-store" and r.headers["Tus-Resumable"] == "1.0.0"
    return int(r.headers["Upload-Offset"])


def patch(client, url, at, data, **headers):
    return client.patch(url, data=data, headers={**OCTETS, "Upload-Offset": str(at), **{k.replace("_", "-"): v for k, v in headers.items()}})


def content(client, number):
    r = client.get(f"/api/v1/files/{number}/download")
    assert r.status_code == 200
    return r.content


def problem(reply, status, words=""):
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json" and words in reply.json()["detail"], reply.text


# ---- the whole way ----

def test_options(server):
    with server.anonymous() as c:
        r = c.options(TUS)
    assert r.status_code == 204 and r.headers["Tus-Version"] == r.headers["Tus-Resumable"] == "1.0.0"
    assert set(r.headers["Tus-Extension"].split(",")) == {"creation", "creation-with-upload", "termination", "checksum", "expiration"}
    assert r.headers["Tus-Checksum-Algorithm"] == "sha256" and int(r.headers["Tus-Max-Size"]) > 1 << 40


def test_in_five_pieces(alice, folder, name):
    data = os.urandom(20 * MIB + 17)
    url = made(alice, len(data), folder=folder, filename=name)
    assert offset(alice, url) == 0
    at = 0
    for size in (1, 65535, 5 * MIB, 7 * MIB, len(data)):
        piece = data[at:at + size]
        r = patch(alice, url, at, piece)
        assert r.status_code == 204, r.text
        at += len(piece)
        assert int(r.headers["Upload-Offset"]) == at == offset(alice, url)
        assert ("Upload-Expires" in r.headers) == (at < len(data))
    file = r.headers["Sallyport-File"]
    assert content(alice, file) == data
    assert alice.get(f"/api/v1/files/{file}").json()["name"] == name
    head = alice.head(url, headers=VERSION)  # its last reply may have been lost
    assert head.headers["Sallyport-File"] == file and head.headers["Upload-Length"] == str(len(data))


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3 * MIB])
def test_with_its_creation(alice, folder, name, size):
    data = os.urandom(size)
    r = create(alice, size, body=data, folder=folder, filename=name)
    assert r.status_code == 201 and int(r.headers["Upload-Offset"]) == size, r.text
    assert content(alice, r.headers["Sallyport-File"]) == data


def test_part_with_its_creation(alice, folder, name):
    data = os.urandom(200000)
    r = create(alice, len(data), body=data[:70000], folder=folder, filename=name)
    assert r.status_code == 201 and r.headers["Upload-Offset"] == "70000" and "Sallyport-File" not in r.headers
    r = patch(alice, r.headers["Location"], 70000, data[70000:])
    assert content(alice, r.headers["Sallyport-File"]) == data


def test_metadata_comes_back(alice, folder):
    """As it was given, with what only the client knows of; and other replies leave it away."""
    said = metadata(folder=folder, filename="Prüfung ☂ " + secrets.token_hex(4), filetype="text/plain", overwrite=1, sha256="00" * 32) + ", alone,  relativePath " + b64("a/b")
    r = alice.post(TUS, headers={**VERSION, "Upload-Length": "5", "Upload-Metadata": said})
    assert r.status_code == 201, r.text
    assert alice.head(r.headers["Location"], headers=VERSION).headers["Upload-Metadata"] == said
    assert alice.delete(r.headers["Location"], headers=VERSION).status_code == 204


def expires(reply):
    return parsedate_to_datetime(reply.headers["Upload-Expires"]).timestamp()


def test_when_it_expires(alice, folder, name):
    """A day after the last progress: asking does not put it off, nor does a chunk of nothing."""
    url = made(alice, 10, folder=folder, filename=name)
    first = expires(alice.head(url, headers=VERSION))
    assert abs(first - time.time() - 86400) < 60
    time.sleep(2.1)
    assert expires(alice.head(url, headers=VERSION)) == first
    assert "Upload-Expires" not in patch(alice, url, 0, b"").headers
    assert expires(alice.head(url, headers=VERSION)) == first
    r = patch(alice, url, 0, b"x")
    assert expires(r) > first and abs(expires(alice.head(url, headers=VERSION)) - expires(r)) <= 1


# ---- interrupted ----

def cut(server, token, url, at, length, data):
    """Send a part of a PATCH and vanish."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="127.0.0.1") as s:
        s.sendall((f"PATCH {url} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {at}\r\n"
                   f"Content-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n\r\n").encode())
        s.sendall(data)
        time.sleep(0.3)


def settled(client, url):
    """The offset, when the connection that was cut is gone."""
    last = -1
    for _ in range(100):
        now = offset(client, url)
        if now == last and now > 0:
            return now
        last = now
        time.sleep(0.1)
    return last


def test_a_cut_connection(server, alice, folder, name):
    data = os.urandom(4 * MIB)
    url = made(alice, len(data), folder=folder, filename=name)
    cut(server, alice.token, url, 0, len(data), data[:3 * MIB])
    at = settled(alice, url)
    assert 0 < at <= 3 * MIB
    r = patch(alice, url, at, data[at:])
    assert r.status_code == 204, r.text
    assert content(alice, r.headers["Sallyport-File"]) == data


@pytest.mark.parametrize("claimed", [True, False])
def test_a_restart_in_between(server, alice, folder, name, claimed):
    """The server is gone and comes back; a hash that was claimed is checked over all of it."""
    data = os.urandom(3 * MIB + 5)
    meta = {"sha256": hashlib.sha256(data).hexdigest()} if claimed else {}
    url = made(alice, len(data), folder=folder, filename=name, **meta)
    assert patch(alice, url, 0, data[:2 * MIB]).status_code == 204
    server.restart()
    assert offset(alice, url) == 2 * MIB
    r = patch(alice, url, 2 * MIB, data[2 * MIB:])
    assert r.status_code == 204, r.text
    assert content(alice, r.headers["Sallyport-File"]) == data
    assert alice.get(f"/api/v1/files/{r.headers['Sallyport-File']}").json()["uploadIntegrity"] == int(claimed)


@pytest.mark.parametrize("what", ["worker-https", "broker", "everything"])
def test_killed_in_between(identity, what):
    """kill -9: what a client was told is there, and the upload goes on."""
    data = os.urandom(3 * MIB + 11)
    with Instance(identity) as server:
        server.add_user("kim")
        with server.login("kim") as c:
            home = c.get("/api/v1/users/self").json()["homeFolderID"]
            empty = made(c, 10, folder=home, filename="empty")
            url = made(c, len(data), folder=home, filename="killed", sha256=hashlib.sha256(data).hexdigest())
            assert patch(c, url, 0, data[:MIB]).status_code == 204
            cut_by(server, c, url, data, what)
            if what == "everything":
                server.start()
            eventually(lambda: c.head(empty, headers=VERSION).status_code == 200)
            assert offset(c, empty) == 0
            at = settled(c, url)
            assert at >= MIB
            r = patch(c, url, at, data[at:])
            assert r.status_code == 204, r.text
            assert content(c, r.headers["Sallyport-File"]) == data
        server.verify()


def test_damage_on_the_disk(identity):
    """What cannot be gone on with is said to be damaged, once, and is gone: the client begins anew."""
    with Instance(identity) as server:
        server.add_user("kim")
        with server.login("kim") as c:
            home = c.get("/api/v1/users/self").json()["homeFolderID"]
            url = made(c, 2 * MIB, folder=home, filename="hurt")
            assert patch(c, url, 0, os.urandom(MIB)).status_code == 204
            eventually(lambda: offset(c, url) == MIB)
            server.stop()
            (blob,) = [p for p in (server.dir / "blobs").rglob("*") if p.is_file() and p.stat().st_size > MIB // 2]
            os.truncate(blob, MIB // 2)
            server.start()
            problem(patch(c, url, MIB, b"x"), 500, "damaged")
            assert c.head(url, headers=VERSION).status_code == 404
            url = made(c, 5, folder=home, filename="hurt")
            assert content(c, patch(c, url, 0, b"again").headers["Sallyport-File"]) == b"again"


def cut_by(server, client, url, data, what):
    """Kill it while it receives more."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port)), server_hostname="127.0.0.1") as s:
        s.sendall((f"PATCH {url} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {client.token}\r\nTus-Resumable: 1.0.0\r\n"
                   f"Upload-Offset: {MIB}\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {len(data) - MIB}\r\n\r\n").encode())
        s.sendall(data[MIB:2 * MIB])
        time.sleep(0.3)
        if what == "everything":
            server.end()
        else:
            for pid in server.pids(what):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def eventually(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except requests.ConnectionError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_wrong_hash_of_the_whole(alice, folder, name):
    data = os.urandom(300000)
    for pieces in ([300000], [100000, 200000]):
        url = made(alice, len(data), folder=folder, filename=name, sha256=hashlib.sha256(b"other").hexdigest())
        at = 0
        for size in pieces:
            r = patch(alice, url, at, data[at:at + size])
            at += size
        problem(r, 400, "digest")
        assert alice.head(url, headers=VERSION).status_code == 404  # given up: there is no telling where it is wrong
    r = create(alice, 5, body=b"small", folder=folder, filename=name, sha256=hashlib.sha256(b"other").hexdigest())
    problem(r, 400, "digest")
    assert alice.get(f"/api/v1/folders/{folder}/files", params={"name": name}).json()["items"] == []


# ---- what is refused ----

def test_wrong_offsets(alice, folder, name):
    url = made(alice, 100, folder=folder, filename=name)
    assert patch(alice, url, 0, b"x" * 10).status_code == 204
    for at in ("0", "9", "11", "100"):
        problem(patch(alice, url, at, b"y" * 5), 409, "Upload-Offset")
    for at in ("-1", "x", "", "99999999999999999999"):
        assert patch(alice, url, at, b"y").status_code == 400
    assert offset(alice, url) == 10


def test_who_is_refused_knows_that_the_connection_ends(alice, folder, name):
    """Else the next request would be lost on it."""
    url = made(alice, 100, folder=folder, filename=name)
    for r in (patch(alice, url, 5, b"x"), patch(alice, url, 0, b"x", Upload_Checksum="sha256 " + b64(bytes(32))), patch(alice, url, 0, b"x" * 101)):
        assert r.status_code in (409, 460, 413) and r.headers["Connection"] == "close"
    for _ in range(40):
        assert patch(alice, url, 5, b"x").status_code == 409
    assert offset(alice, url) == 0


def test_the_right_to_write_is_taken_away(server, alice, folder, name):
    """Going on is refused; its owner can still give it up."""
    place = alice.post(f"/api/v1/folders/{folder}/subfolders", json={"name": name}).json()
    server.run("acl", "set", place["path"], "--user", "bob", "--rights", "list,write")
    with server.login("bob") as bob:
        url = made(bob, 10, folder=place["id"], filename="x")
        assert patch(bob, url, 0, b"x" * 5).status_code == 204
        server.run("acl", "set", place["path"], "--user", "bob", "--rights", "list")
        assert patch(bob, url, 5, b"x" * 5).status_code == 403
        assert create(bob, 10, folder=place["id"], filename="y").status_code == 403
        assert bob.delete(url, headers=VERSION).status_code == 204
        assert bob.head(url, headers=VERSION).status_code == 404
        url = made(alice, 10, folder=place["id"], filename="x")
        server.run("acl", "remove", place["path"], "--user", "bob")
        assert bob.head(url, headers=VERSION).status_code == bob.delete(url, headers=VERSION).status_code == 404


def test_more_than_was_said(alice, folder, name):
    url = made(alice, 100, folder=folder, filename=name)
    problem(patch(alice, url, 0, b"x" * 101), 413)
    assert offset(alice, url) == 0
    r = patch(alice, url, 0, b"y" * 100)
    assert content(alice, r.headers["Sallyport-File"]) == b"y" * 100


def test_checksums(alice, folder, name):
    data = os.urandom(150000)
    url = made(alice, len(data), folder=folder, filename=name)
    good = lambda piece: "sha256 " + b64(hashlib.sha256(piece).digest())
    assert patch(alice, url, 0, data[:50000], Upload_Checksum=good(data[:50000])).status_code == 204
    r = patch(alice, url, 50000, data[50000:], Upload_Checksum=good(b"other"))
    assert r.status_code == 460 and "Upload-Checksum" in r.json()["detail"]
    assert offset(alice, url) == 50000
    for wrong, words in (("md5 " + b64(b"x" * 16), "sha256"), ("sha256", ""), ("sha256 " + b64(b"short"), ""), ("sha256 !", "")):
        problem(patch(alice, url, 50000, b"z", Upload_Checksum=wrong), 400, words)
    r = patch(alice, url, 50000, data[50000:], Upload_Checksum=good(data[50000:]))
    assert content(alice, r.headers["Sallyport-File"]) == data


def test_the_version(alice, folder, name):
    url = made(alice, 10, folder=folder, filename=name)
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        for method, where in (("POST", TUS), ("PATCH", url), ("DELETE", url), ("HEAD", url)):
            r = alice.request(method, where, headers={"Upload-Length": "1", **headers})
            assert r.status_code == 412 and r.headers["Tus-Version"] == r.headers["Tus-Resumable"] == "1.0.0", method
    assert offset(alice, url) == 0


@pytest.mark.parametrize("headers, status", [
    ({"Upload-Length": None}, 400), ({"Upload-Length": "-1"}, 400), ({"Upload-Length": "1e3"}, 400), ({"Upload-Defer-Length": "1", "Upload-Length": None}, 400),
    ({"Upload-Length": str(1 << 62)}, 413), ({"Upload-Metadata": None}, 400), ({"Upload-Metadata": "filename"}, 422), ({"Upload-Metadata": "folder !,filename !"}, 400),
    ({"Upload-Metadata": "filename " + "A" * 2040}, 413), ({"Upload-Metadata": f"filename {b64('x')}"}, 400), ({"Upload-Metadata": f"folder {b64('x')},filename {b64('x')}"}, 400), ({"Upload-Checksum": "sha256 x"}, 400),
], ids=str)
def test_creations_that_are_none(alice, folder, headers, status):
    base = {**VERSION, "Upload-Length": "10", "Upload-Metadata": metadata(folder=folder, filename="none")}
    r = alice.post(TUS, headers={k: v for k, v in {**base, **headers}.items() if v is not None})
    assert r.status_code == status, r.text


@pytest.mark.parametrize("bad", ["a/b", "..", ".", "a\nb", "", "x" * 256], ids=repr)
def test_names_that_are_none(alice, folder, bad):
    assert create(alice, 10, folder=folder, filename=bad).status_code in (400, 422)
    assert create(alice, 10, body=b"x" * 10, folder=folder, filename=bad).status_code in (400, 422)


def test_a_name_that_is_taken(alice, folder, name):
    assert create(alice, 3, body=b"one", folder=folder, filename=name).status_code == 201
    for body in (None, b"two"):
        problem(create(alice, 3, body=body, folder=folder, filename=name), 409)
    r = create(alice, 3, body=b"two", folder=folder, filename=name, overwrite=1)
    assert content(alice, r.headers["Sallyport-File"]) == b"two"
    # a new version in pieces: until it is whole, the old one is there, and is not taken for it
    url = made(alice, 3, folder=folder, filename=name, overwrite=1)
    assert offset(alice, url) == 0
    assert patch(alice, url, 0, b"th").status_code == 204
    assert offset(alice, url) == 2 and content(alice, r.headers["Sallyport-File"]) == b"two"
    assert content(alice, patch(alice, url, 2, b"r").headers["Sallyport-File"]) == b"thr"


def test_taken_meanwhile(server, alice, folder, name):
    """Also after a restart it is still not to overwrite anything."""
    url = made(alice, 10, folder=folder, filename=name)
    assert patch(alice, url, 0, b"x" * 5).status_code == 204
    assert alice.post(f"/api/v1/folders/{folder}/files", files={"file": (name, b"other")}).status_code == 201
    server.restart()
    problem(patch(alice, url, 5, b"x" * 5), 409)
    assert [f["size"] for f in alice.get(f"/api/v1/folders/{folder}/files", params={"name": name}).json()["items"]] == [5]


def test_a_second_upload_of_the_name(alice, folder, name):
    """The older address is void: its bytes never mix with the newer one's."""
    first = made(alice, 10, folder=folder, filename=name)
    assert patch(alice, first, 0, b"1" * 5).status_code == 204
    second = made(alice, 10, folder=folder, filename=name)
    assert offset(alice, second) == 0
    assert alice.head(first, headers=VERSION).status_code == 404
    assert patch(alice, first, 5, b"1" * 5).status_code == 404
    r = patch(alice, second, 0, b"2" * 10)
    assert content(alice, r.headers["Sallyport-File"]) == b"2" * 10


def test_termination(alice, folder, name):
    url = made(alice, 10, folder=folder, filename=name)
    assert patch(alice, url, 0, b"x" * 5).status_code == 204
    assert alice.delete(url, headers=VERSION).status_code == 204
    for r in (alice.head(url, headers=VERSION), patch(alice, url, 5, b"x" * 5), alice.delete(url, headers=VERSION)):
        assert r.status_code == 404
    assert alice.get(f"/api/v1/folders/{folder}/files", params={"name": name}).json()["items"] == []


def test_of_others(server, alice, bob, folder, name):
    url = made(alice, 10, folder=folder, filename=name)
    assert patch(alice, url, 0, b"x" * 5).status_code == 204
    for r in (bob.head(url, headers=VERSION), patch(bob, url, 5, b"x" * 5), bob.delete(url, headers=VERSION), create(bob, 10, folder=folder, filename=name)):
        assert r.status_code == 404, r.text
    with server.anonymous() as c:
        for r in (c.head(url, headers=VERSION), patch(c, url, 5, b"x" * 5), c.delete(url, headers=VERSION), create(c, 10, folder=folder, filename=name)):
            assert r.status_code == 401 and r.headers["Tus-Resumable"] == "1.0.0"
    assert offset(alice, url) == 5


@pytest.mark.parametrize("address", ["x", "AAAA", "A" * 400, "A" * 60, "!" * 8, "%2e%2e", "_" * 44, b64(b"\xff" * 60).replace("/", "_").replace("+", "-")])
def test_addresses_that_are_none(alice, address):
    for r in (alice.head(f"{TUS}/{address}", headers=VERSION), patch(alice, f"{TUS}/{address}", 0, b"x"), alice.delete(f"{TUS}/{address}", headers=VERSION)):
        assert r.status_code in (400, 404), r.text


def test_other_content_types(alice, folder, name):
    url = made(alice, 10, folder=folder, filename=name)
    for kind in ("application/octet-stream", "text/plain", None):
        r = alice.patch(url, data=b"x", headers={**VERSION, "Upload-Offset": "0", **({"Content-Type": kind} if kind else {})})
        assert r.status_code == 415
    assert offset(alice, url) == 0


def test_quota(server, folder):
    server.add_user("tusquota", "--quota", "1M")
    with server.login("tusquota") as c:
        home = c.get("/api/v1/users/self").json()["homeFolderID"]
        problem(create(c, 2 * MIB, folder=home, filename="big"), 507)
        url = made(c, MIB // 2, folder=home, filename="half")
        assert patch(c, url, 0, b"x" * (MIB // 2)).status_code == 204
