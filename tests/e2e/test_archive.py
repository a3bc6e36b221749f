"""A folder as one ZIP or tar file: read by others' programs, cut and gone on with, and never more than its user may read."""
import hashlib
import io
import re
import secrets
import subprocess
import tarfile
import time
import zipfile
import zlib

import pytest
from lib.browser import COOKIE, Browser
from lib.instance import Instance

NAMES = ["plain.txt", "empty", "Grüße, 世界.txt", "n" * 180 + ".bin", "with 'quotes\" and\\backslash", "-rf", "=cmd()", "a/b/c/deep.txt", "a/zero", "x.y/z"]


def content(name):
    return b"" if "empty" in name or "zero" in name else hashlib.shake_128(name.encode()).digest(1 + 7919 * len(name))


@pytest.fixture(scope="module")
def tree(server, alice):
    """A folder with all of that in it and an empty folder, and what it should be as an archive."""
    home = alice.get("/api/v1/users/self").json()["homeFolderID"]
    top = "set-" + secrets.token_hex(4)
    root = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": top}).json()
    made = {}

    def folder(path):
        if path not in made:
            above = folder(path.rpartition("/")[0]) if "/" in path else root["id"]
            made[path] = alice.post(f"/api/v1/folders/{above}/subfolders", json={"name": path.rpartition("/")[2]}).json()["id"]
        return made[path]

    for name in NAMES:
        if "/" in name:
            folder(name.rpartition("/")[0])
        assert alice.store(f"{root['path']}/{name}", content(name)).status_code == 201, name
    folder("nothing in it")
    return {"id": root["id"], "name": top, "path": root["path"], "folders": made, "files": {n: content(n) for n in NAMES}}


def url(tree, **query):
    return f"/api/v1/folders/{tree['id']}/archive" + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")


def fetch(client, tree, **query):
    r = client.get(url(tree, **query))
    assert r.status_code == 200, r.text
    assert int(r.headers["Content-Length"]) == len(r.content)
    return r


def test_a_zip_by_python(alice, tree):
    r = fetch(alice, tree)
    assert r.headers["Content-Type"] == "application/zip" and tree["name"] + ".zip" in r.headers["Content-Disposition"]
    assert r.headers["Content-Disposition"].startswith("attachment") and r.headers["Accept-Ranges"] == "bytes"
    z = zipfile.ZipFile(io.BytesIO(r.content))
    assert z.testzip() is None
    want = {f"{tree['name']}/{n}".replace("\\", "_"): c for n, c in tree["files"].items()}
    got = {i.filename: z.read(i) for i in z.infolist() if not i.is_dir()}
    assert got == want
    assert {i.filename for i in z.infolist() if i.is_dir()} == {f"{tree['name']}/{f}/" for f in tree["folders"]}
    stored = alice.get("/api/v1/folders/%s/files" % tree["id"]).json()["items"][0]
    info = z.getinfo(f"{tree['name']}/{stored['name']}".replace("\\", "_"))
    assert "%04d-%02d-%02dT%02d:%02d" % info.date_time[:5] == stored["uploadStamp"][:16]


def test_a_zip_by_unzip(alice, tree, tmp_path):
    (tmp_path / "x.zip").write_bytes(fetch(alice, tree).content)
    done = subprocess.run(["unzip", "-q", "x.zip"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done
    for name, data in tree["files"].items():
        assert (tmp_path / tree["name"] / name.replace("\\", "_")).read_bytes() == data
    assert (tmp_path / tree["name"] / "nothing in it").is_dir()


def test_a_tar_by_python_and_tar(alice, tree, tmp_path):
    r = fetch(alice, tree, format="tar")
    assert r.headers["Content-Type"] == "application/x-tar" and tree["name"] + ".tar" in r.headers["Content-Disposition"]
    t = tarfile.open(fileobj=io.BytesIO(r.content))
    assert {m.name: t.extractfile(m).read() for m in t if m.isfile()} == {f"{tree['name']}/{n}": c for n, c in tree["files"].items()}
    assert {m.name for m in t if m.isdir()} == {f"{tree['name']}/{f}" for f in tree["folders"]}
    (tmp_path / "x.tar").write_bytes(r.content)
    done = subprocess.run(["tar", "xf", "x.tar"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done
    for name, data in tree["files"].items():
        assert (tmp_path / tree["name"] / name).read_bytes() == data


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_any_part_of_it(alice, tree, kind):
    whole = fetch(alice, tree, format=kind)
    size, tag = len(whole.content), whole.headers["ETag"]
    assert fetch(alice, tree, format=kind).content == whole.content, "the same each time"
    heads = [m.start() for m in re.finditer(rb"PK\x03\x04|PK\x01\x02|ustar", whole.content)]
    spots = {0, 1, size - 1, size - 23, *heads, *(h + 29 for h in heads), *(secrets.randbelow(size) for _ in range(20))}
    for first in sorted(s for s in spots if s < size):
        for length in (1, 30, 600, size):
            r = alice.get(url(tree, format=kind), headers={"Range": f"bytes={first}-{first + length - 1}", "If-Range": tag})
            assert r.status_code == 206 and r.content == whole.content[first:first + length], (first, length)
            assert r.headers["Content-Range"] == f"bytes {first}-{min(first + length, size) - 1}/{size}"
    r = alice.get(url(tree, format=kind), headers={"Range": f"bytes={size}-"})
    assert r.status_code == 416 and r.headers["Content-Range"] == f"bytes */{size}"
    assert alice.get(url(tree, format=kind), headers={"If-None-Match": tag}).status_code == 304
    assert alice.get(url(tree, format=kind), headers={"If-Match": '"x"'}).status_code == 412
    head = alice.head(url(tree, format=kind))
    assert head.content == b"" and head.headers["Content-Length"] == str(size) and head.headers["ETag"] == tag


def test_some_of_it(alice, tree):
    rows = alice.get(f"/api/v1/folders/{tree['id']}/content?perPage=100").json()["items"]
    ids = {r["name"]: r["id"] for r in rows}
    z = zipfile.ZipFile(io.BytesIO(fetch(alice, tree, files=f"{ids['plain.txt']},{ids['-rf']}", folders=ids["a"]).content))
    assert sorted(z.namelist()) == sorted(["a/", "a/b/", "a/b/c/", "a/b/c/deep.txt", "a/zero", "plain.txt", "-rf"])
    assert z.testzip() is None
    deep = alice.get(f"/api/v1/folders/{tree['folders']['a/b/c']}/files").json()["items"][0]["id"]
    for query in ({"files": deep}, {"folders": tree["folders"]["a/b"]}, {"files": 987654321}, {"folders": ids["plain.txt"]}):
        assert alice.get(url(tree, **query)).status_code == 404, query
    for query in ({"files": "x"}, {"files": "1,,2"}, {"format": "rar"}, {"files": ",".join(["1"] * 501)}):
        assert alice.get(url(tree, **query)).status_code in (400, 404), query


def test_it_follows_what_is_stored(alice, tree):
    before = fetch(alice, tree)
    path = tree["path"] + "/plain.txt"
    assert alice.store(path, b"changed").status_code == 204
    after = fetch(alice, tree)
    assert after.headers["ETag"] != before.headers["ETag"]
    r = alice.get(url(tree), headers={"Range": "bytes=5-", "If-Range": before.headers["ETag"]})
    assert r.status_code == 200 and r.content == after.content
    assert alice.store(path, tree["files"]["plain.txt"]).status_code == 204


def test_each_file_is_on_record_and_no_other(server, alice, tree):
    def reads():
        return [e["path"] for e in server.audit("--event", "file.read") if e["path"].startswith(tree["path"] + "/")]
    before = len(reads())
    fetch(alice, tree)
    assert sorted(reads()[before:]) == sorted(f"{tree['path']}/{n}" for n in tree["files"])
    before = len(reads())
    assert alice.get(url(tree), headers={"Range": "bytes=0-3"}).status_code == 206
    alice.head(url(tree))
    assert len(reads()) == before, "nothing of a file went out"


def test_an_empty_folder(alice, tree):
    empty = {"id": tree["folders"]["nothing in it"]}
    assert zipfile.ZipFile(io.BytesIO(fetch(alice, empty).content)).namelist() == []
    assert tarfile.open(fileobj=io.BytesIO(fetch(alice, empty, format="tar").content)).getmembers() == []


def test_what_one_may_not_read(server, alice, bob, tree):
    """Files of a folder without the right to read are left out; where there is nothing else, it is refused."""
    assert bob.get(url(tree)).status_code == 404
    server.run("acl", "set", tree["path"], "--user", "bob", "--rights", "read,list")
    server.run("acl", "set", tree["path"] + "/a", "--user", "bob", "--rights", "list", "--override")
    try:
        names = zipfile.ZipFile(io.BytesIO(fetch(bob, tree).content)).namelist()
        assert f"{tree['name']}/plain.txt" in names and f"{tree['name']}/a/" in names
        assert not [n for n in names if n.startswith(f"{tree['name']}/a/") and not n.endswith("/")]
        assert bob.get(url({"id": tree["folders"]["a/b/c"]})).status_code == 403
    finally:
        server.run("acl", "remove", tree["path"] + "/a", "--user", "bob")
        server.run("acl", "remove", tree["path"], "--user", "bob")


def test_tickets(server, alice, tree):
    """A browser's own download, of that folder alone, with the cookie."""
    with Browser(server) as c, Browser(server) as other, server.anonymous() as plain:
        assert c.sign_in("alice").status_code == other.sign_in("alice").status_code == 200
        made = c.ask("POST", f"/api/v1/folders/{tree['id']}/ticket")
        assert made.status_code == 201, made.text
        address = made.json()["url"]
        ticket = address.partition("?")[2]
        cookie = {"Cookie": f"{COOKIE}={c.cookie}"}
        whole = plain.get(address, headers=cookie)
        assert zipfile.ZipFile(io.BytesIO(whole.content)).testzip() is None
        assert plain.get(address + "&format=tar", headers=cookie).headers["Content-Type"] == "application/x-tar"
        part = plain.get(address, headers={**cookie, "Range": "bytes=100-"})
        assert part.status_code == 206 and part.content == whole.content[100:]
        inner = tree["folders"]["a"]
        above = alice.get(f"/api/v1/folders/{tree['id']}").json()["parentId"]
        for number in (inner, above, 987654321):
            assert plain.get(f"/api/v1/folders/{number}/archive?{ticket}", headers=cookie).status_code == 401
        assert plain.get(address).status_code == 401
        assert plain.get(address, headers={"Cookie": f"{COOKIE}={other.cookie}"}).status_code == 401
        assert plain.get(f"/api/v1/folders/{tree['id']}/content?{ticket}", headers=cookie).status_code == 401
        assert alice.post(f"/api/v1/folders/{tree['id']}/ticket").status_code == 401
        file = alice.get(f"/api/v1/folders/{tree['id']}/files").json()["items"][0]["id"]
        of_file = c.ask("POST", f"/api/v1/files/{file}/ticket").json()["url"].partition("?")[2]
        assert plain.get(f"/api/v1/folders/{tree['id']}/archive?{of_file}", headers=cookie).status_code == 401
        assert plain.get(f"/api/v1/files/{file}/download?{ticket}", headers=cookie).status_code == 401


def test_a_file_whose_crc_is_not_known_yet(alice, tree):
    """A resumed upload's CRC-32 comes behind its content; such an archive is whole, and in one piece only."""
    home = alice.get("/api/v1/users/self").json()["homeFolderID"]
    place = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "crc-" + secrets.token_hex(4)}).json()
    data = secrets.token_bytes(3_000_000)
    import base64
    pairs = ",".join(f"{k} {base64.b64encode(str(v).encode()).decode()}" for k, v in (("folder", place["id"]), ("filename", "x.bin")))
    said = {"Tus-Resumable": "1.0.0"}
    made = alice.post("/api/v1/tus", headers={**said, "Upload-Length": str(len(data)), "Upload-Metadata": pairs})
    assert made.status_code == 201
    at = made.headers["Location"]
    for begin, end in ((0, 1_000_001), (1_000_001, len(data))):
        r = alice.patch(at, data=data[begin:end], headers={**said, "Upload-Offset": str(begin), "Content-Type": "application/offset+octet-stream"})
        assert r.status_code == 204, r.text
    deadline = time.monotonic() + 30
    seen = set()
    while "bytes" not in seen and time.monotonic() < deadline:
        r = fetch(alice, place)
        seen.add(r.headers["Accept-Ranges"])
        z = zipfile.ZipFile(io.BytesIO(r.content))
        assert z.testzip() is None and z.read(place["name"] + "/x.bin") == data
        assert z.infolist()[0].CRC == zlib.crc32(data)
        if r.headers["Accept-Ranges"] == "none":
            part = alice.get(url(place), headers={"Range": "bytes=5-"})
            assert part.status_code == 200 or part.headers["Accept-Ranges"] == "bytes"
        time.sleep(0.2)
    assert "bytes" in seen, "the scrubber computes it"


def test_a_file_that_changes_meanwhile(server, alice, tree):
    """It was promised and is not there any more: the archive ends short, and says so by its length."""
    home = alice.get("/api/v1/users/self").json()["homeFolderID"]
    place = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "race-" + secrets.token_hex(4)}).json()
    big = secrets.token_bytes(1 << 20) * 48  # more than sockets hold
    assert alice.store(place["path"] + "/a.bin", big).status_code == 201
    assert alice.store(place["path"] + "/b.txt", b"old").status_code == 201
    with server.login("alice") as c:
        r = c.get(url(place), stream=True)
        assert r.status_code == 200
        got = r.raw.read(1000)
        assert alice.store(place["path"] + "/b.txt", b"new content").status_code == 204
        with pytest.raises(Exception):
            while True:
                piece = r.raw.read(1 << 20)
                got += piece
                if not piece:
                    assert len(got) == int(r.headers["Content-Length"])
                    break
    assert len(got) < int(r.headers["Content-Length"])
    assert fetch(alice, place).status_code == 200


def test_budgets_hold(identity):
    """An archive is no way around them: it ends where the budget does."""
    with Instance(identity, limits={"UserFloorFiles": 3, "UserFilesPerHour": 3}) as server:
        server.add_user("alice")
        with server.login("alice") as c:
            home = c.get("/api/v1/users/self").json()["homeFolderID"]
            for i in range(8):
                assert c.store(f"/Home/alice/{i}.bin", secrets.token_bytes(1 << 20)).status_code == 201
            got = b""
            with pytest.raises(Exception):
                r = c.get(f"/api/v1/folders/{home}/archive", stream=True)
                assert r.status_code == 200
                while piece := r.raw.read(65536):
                    got += piece
                assert len(got) == int(r.headers["Content-Length"])
            assert len(got) < 4 << 20


def test_many_small_files(alice):
    home = alice.get("/api/v1/users/self").json()["homeFolderID"]
    place = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "many-" + secrets.token_hex(4)}).json()
    for i in range(1200):  # more than a page of the broker's
        assert alice.store(f"{place['path']}/{i}.txt", str(i).encode()).status_code == 201
    z = zipfile.ZipFile(io.BytesIO(fetch(alice, place).content))
    assert {i.filename: z.read(i) for i in z.infolist()} == {f"{place['name']}/{i}.txt": str(i).encode() for i in range(1200)}
