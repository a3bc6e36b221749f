"""Files by path: what goes in comes out, whole, in parts, and under conditions."""
import base64
import hashlib
import os
import secrets
import subprocess

import pytest

from lib.instance import random_file

BIG = int(os.environ.get("SALLYPORT_BIG", 4 << 30))
SEGMENT = 128 << 10
SMALL = 64 << 10  # up to here a file lives in its database row


def sha256_field(data):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":"


@pytest.mark.parametrize("size", [0, 1, 100, SMALL - 1, SMALL, SMALL + 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 5_000_000])
def test_round_trip_of_every_size_around_a_boundary(alice, size):
    data = secrets.token_bytes(size)
    path = f"/Home/alice/size-{size}.bin"
    r = alice.store(path, data)
    assert r.status_code == 201, r.text
    got = alice.fetch(path)
    assert got.status_code == 200
    assert got.content == data
    assert got.headers["Content-Length"] == str(size)
    assert got.headers["Repr-Digest"] == sha256_field(data)
    assert got.headers["Accept-Ranges"] == "bytes"


def test_a_huge_file_goes_in_as_one_user_and_comes_out_as_another(server, identity):
    size = BIG if identity.name == "root" else BIG // 16
    source, target = server.temp / "huge.bin", server.temp / "huge.out"
    digest = random_file(source, size)
    server.run("acl", "set", "/Home/alice", "--user", "bob", "--rights", "read,list")
    with server.login("alice") as a, server.login("bob") as b:
        url = a.base + a.url("/Home/alice/huge.bin")
        up = server.curl("-f", "-T", source, "-o", os.devnull, "-w", "%{http_code}", url, token=a.token, timeout=600)
        assert (up.code, up.out) == (0, "201"), up
        source.unlink()
        down = server.curl("-f", "-o", target, url, token=b.token, timeout=600)
        assert down.code == 0, down
        out = subprocess.run(["sha256sum", target], capture_output=True, text=True, check=True).stdout
        assert out.split()[0] == digest
        target.unlink()
        assert a.delete(a.url("/Home/alice/huge.bin")).status_code == 204


@pytest.fixture(scope="module")
def middling(alice):
    data = secrets.token_bytes(1_000_003)
    r = alice.store("/Home/alice/middling.bin", data)
    assert r.status_code == 201
    return data


@pytest.mark.parametrize("spec,first,last", [
    ("0-0", 0, 0), ("0-", 0, 1_000_002), ("131071-131072", SEGMENT - 1, SEGMENT), ("500000-600000", 500_000, 600_000),
    ("1000002-", 1_000_002, 1_000_002), ("999999-9999999999", 999_999, 1_000_002), ("-1", 1_000_002, 1_000_002),
    ("-131072", 1_000_003 - SEGMENT, 1_000_002), ("-99999999999", 0, 1_000_002)])
def test_one_range(alice, middling, spec, first, last):
    r = alice.fetch("/Home/alice/middling.bin", Range=f"bytes={spec}")
    assert r.status_code == 206
    assert r.headers["Content-Range"] == f"bytes {first}-{last}/1000003"
    assert r.content == middling[first:last + 1]


@pytest.mark.parametrize("spec", ["1000003-", "2000000-3000000", "-0"])
def test_a_range_beyond_the_end(alice, middling, spec):
    r = alice.fetch("/Home/alice/middling.bin", Range=f"bytes={spec}")
    assert r.status_code == 416
    assert r.headers["Content-Range"] == "bytes */1000003"


@pytest.mark.parametrize("field", ["bytes=", "bytes=a-b", "bytes=5-2", "items=0-5", "bytes=--5", "bytes 0-5"])
def test_a_range_that_is_not_understood_is_ignored(alice, middling, field):
    r = alice.fetch("/Home/alice/middling.bin", Range=field)
    assert r.status_code == 200
    assert r.content == middling


def test_several_ranges(alice, middling):
    r = alice.fetch("/Home/alice/middling.bin", Range="bytes=0-9, 131070-131075, -3")
    assert r.status_code == 206
    kind, _, boundary = r.headers["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    parts = r.content.split(b"--" + boundary.strip('"').encode())
    assert parts[-1].strip() == b"--"
    found = []
    for part in parts[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        where = [l for l in head.decode().split("\r\n") if l.lower().startswith("content-range:")][0].split("bytes ")[1]
        found.append((where, body[:-2]))
    assert found == [("0-9/1000003", middling[:10]), ("131070-131075/1000003", middling[131070:131076]),
                     ("1000000-1000002/1000003", middling[-3:])]


def test_too_many_or_overlapping_ranges_do_not_amplify(alice, middling):
    r = alice.fetch("/Home/alice/middling.bin", Range="bytes=" + ",".join("0-" for _ in range(500)))
    assert r.status_code in (200, 206, 416)
    assert len(r.content) <= len(middling) + 1000


def test_ranges_of_a_small_file(alice):
    alice.store("/Home/alice/small.txt", b"0123456789")
    r = alice.fetch("/Home/alice/small.txt", Range="bytes=2-4")
    assert (r.status_code, r.content) == (206, b"234")


def test_resumption_by_range(server, alice):
    """curl is cut off in the middle and takes up where it stopped."""
    source, target = server.temp / "resume.src", server.temp / "resume.out"
    digest = random_file(source, 40_000_000)
    with open(source, "rb") as f:
        assert alice.store("/Home/alice/resume.bin", f).status_code == 201
    url = alice.base + alice.url("/Home/alice/resume.bin")
    cut = server.curl("-o", target, "--limit-rate", "10M", "--max-time", "1.5", url, token=alice.token)
    assert cut.code == 28 and 0 < target.stat().st_size < 40_000_000
    done = server.curl("-f", "-C", "-", "-o", target, url, token=alice.token)
    assert done.code == 0, done
    assert hashlib.sha256(target.read_bytes()).hexdigest() == digest


def test_if_range(alice, middling):
    etag = alice.head(alice.url("/Home/alice/middling.bin")).headers["ETag"]
    assert etag.startswith('"') and etag.endswith('"')  # strong
    hit = alice.fetch("/Home/alice/middling.bin", **{"Range": "bytes=5-6", "If-Range": etag})
    assert (hit.status_code, hit.content) == (206, middling[5:7])
    miss = alice.fetch("/Home/alice/middling.bin", **{"Range": "bytes=5-6", "If-Range": '"other"'})
    assert (miss.status_code, miss.content) == (200, middling)


def test_if_none_match_and_if_match_on_read(alice, middling):
    etag = alice.head(alice.url("/Home/alice/middling.bin")).headers["ETag"]
    r = alice.fetch("/Home/alice/middling.bin", **{"If-None-Match": f'"x", {etag}'})
    assert (r.status_code, r.content) == (304, b"")
    assert r.headers["ETag"] == etag
    assert alice.fetch("/Home/alice/middling.bin", **{"If-Match": '"x"'}).status_code == 412
    assert alice.fetch("/Home/alice/middling.bin", **{"If-Match": etag}).status_code == 200


def test_head_has_the_facts_and_no_content(alice, middling):
    r = alice.head(alice.url("/Home/alice/middling.bin"))
    assert r.status_code == 200
    assert r.headers["Content-Length"] == "1000003"
    assert r.headers["Repr-Digest"] == sha256_field(middling)
    assert "Last-Modified" in r.headers and r.content == b""
    assert alice.head(alice.url("/Home/alice/none.bin")).status_code == 404


def test_a_new_file_is_201_and_a_replaced_one_is_not(alice):
    first = alice.store("/Home/alice/twice.txt", b"one")
    again = alice.store("/Home/alice/twice.txt", b"two!")
    assert first.status_code == 201
    assert again.status_code in (200, 204)
    assert first.headers["ETag"] != again.headers["ETag"]
    assert alice.fetch("/Home/alice/twice.txt").content == b"two!"


def test_create_only(alice):
    path = "/Home/alice/only-once.txt"
    assert alice.store(path, b"1", **{"If-None-Match": "*"}).status_code == 201
    assert alice.store(path, b"2", **{"If-None-Match": "*"}).status_code == 412
    assert alice.fetch(path).content == b"1"


def test_replace_only_what_was_seen(alice):
    path = "/Home/alice/seen.txt"
    etag = alice.store(path, b"1").headers["ETag"]
    assert alice.store(path, b"2", **{"If-Match": '"other"'}).status_code == 412
    assert alice.store(path, b"2", **{"If-Match": etag}).status_code in (200, 204)
    assert alice.store(path, b"3", **{"If-Match": etag}).status_code == 412
    assert alice.fetch(path).content == b"2"
    assert alice.delete(alice.url(path), headers={"If-Match": etag}).status_code == 412
    assert alice.delete(alice.url(path)).status_code == 204
    assert alice.fetch(path).status_code == 404
    assert alice.store(path, b"4", **{"If-Match": "*"}).status_code == 412  # there is none


@pytest.mark.parametrize("size", [10, 300_000])
def test_the_digest_of_an_upload_is_checked(alice, size):
    data = secrets.token_bytes(size)
    path = f"/Home/alice/digest-{size}.bin"
    wrong = alice.store(path, data, **{"Repr-Digest": sha256_field(data + b"x")})
    assert wrong.status_code == 400, wrong.text
    assert "digest" in wrong.json()["title"]
    assert alice.fetch(path).status_code == 404
    assert alice.store(path, data, **{"Repr-Digest": sha256_field(data)}).status_code == 201
    assert alice.fetch(path).content == data


@pytest.mark.parametrize("size", [0, 7, SMALL, SMALL + 1, 2_000_000])
def test_a_chunked_upload_of_unknown_size(alice, size):
    data = secrets.token_bytes(size)

    def pieces():
        for at in range(0, size, 33_333):
            yield data[at:at + 33_333]

    path = f"/Home/alice/chunked-{size}.bin"
    assert alice.store(path, pieces()).status_code == 201
    got = alice.fetch(path)
    assert got.content == data
    assert got.headers["Repr-Digest"] == sha256_field(data)


@pytest.mark.parametrize("name", [
    "plain.txt", "with space.txt", "per%cent%2F.txt", "q?uery#hash.txt", "plus+and&amp.txt", "quote'\".txt", "back\\slash.txt",
    "résumé.pdf", "Ελληνικά.txt", "日本語のファイル名.bin", "😀🚀.png", "...", "-rf", "a" * 255, "é" * 127,
    "zero​width.txt", "العربية.txt"])
def test_odd_names(alice, name):
    data = name.encode()
    r = alice.store(f"/Home/alice/{name}", data)
    assert r.status_code == 201, r.text
    assert alice.fetch(f"/Home/alice/{name}").content == data
    assert alice.delete(alice.url(f"/Home/alice/{name}")).status_code == 204


def test_one_name_has_one_form(alice):
    """A decomposed name (as macOS sends it) is the composed one."""
    assert alice.store("/Home/alice/Zu\u0308rich.txt", b"1").status_code == 201
    assert alice.fetch("/Home/alice/Z\u00fcrich.txt").content == b"1"
    assert alice.store("/Home/alice/Z\u00fcrich.txt", b"2", **{"If-None-Match": "*"}).status_code == 412


@pytest.mark.parametrize("encoded", [
    "%2e%2e/bob/x", "a/../x", "./x", "%00", "a%0ab", "a%7f", "%c0%ae%c0%ae", "%ff", "a%c2%85", "x%e2%80%aetxt.exe", "b" * 256,
    "%ed%a0%80"])
def test_names_that_are_refused(server, alice, encoded):
    s = server.raw()
    s.sendall(f"PUT /api/v1/files/by-path/Home/alice/{encoded} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
              f"Content-Length: 1\r\n\r\nx".encode())
    status = int(s.recv(4096).split(b" ")[1])
    s.close()
    assert status in (400, 404, 422), status


def test_deep_paths(server, alice):
    path = "/Home/alice"
    for i in range(62):
        path += f"/{i}"
        server.run("folder", "add", path)
    assert alice.store(path + "/f", b"x").status_code in (201, 422)
    assert alice.store(path + "/g/h", b"x").status_code in (404, 422)
    refused = server.run("folder", "add", path + "/63/64", check=False)
    assert refused.code != 0 and refused.err.count("\n") == 1


def test_a_folder_is_not_a_file(alice):
    assert alice.store("/Home/alice", b"x").status_code == 403  # a name in /Home, where alice may not write
    home = alice.get("/api/v1/users/self").json()["homeFolderID"]
    assert alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "folder"}).status_code == 201
    assert alice.store("/Home/alice/folder", b"x").status_code == 409
    assert alice.store("/Home/alice/twice.dir/x", b"x").status_code == 404  # no such folder
    alice.store("/Home/alice/file", b"x")
    assert alice.store("/Home/alice/file/below", b"x").status_code in (404, 409)


def test_others_see_nothing(server, alice, bob):
    assert alice.store("/Home/alice/private.txt", b"mine").status_code == 201
    server.run("acl", "remove", "/Home/alice", "--user", "bob", check=False)
    for r in (bob.fetch("/Home/alice/private.txt"), bob.store("/Home/alice/private.txt", b"x"),
              bob.delete(bob.url("/Home/alice/private.txt")), bob.store("/Home/alice/new.txt", b"x")):
        assert r.status_code in (403, 404), r.text
    assert alice.fetch("/Home/alice/private.txt").content == b"mine"


def test_every_read_is_on_record_first(server, alice):
    alice.store("/Home/alice/recorded.txt", b"x" * 100_000)
    before = len([e for e in server.audit("--event", "file.read") if e.get("path") == "/Home/alice/recorded.txt"])
    for _ in range(3):
        assert alice.fetch("/Home/alice/recorded.txt").status_code == 200
    entries = [e for e in server.audit("--event", "file.read") if e.get("path") == "/Home/alice/recorded.txt"]
    assert len(entries) == before + 3
    assert all(e["user"] == "alice" for e in entries)


def test_an_upload_never_shows_before_it_is_complete(server, alice):
    s = server.raw()
    s.sendall(f"PUT {alice.url('/Home/alice/partial.bin')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
              f"Content-Length: 1000000\r\n\r\n".encode() + b"x" * 500_000)
    assert alice.fetch("/Home/alice/partial.bin").status_code == 404
    s.sendall(b"y" * 500_000)
    assert s.recv(100).startswith(b"HTTP/1.1 201")
    s.close()
    assert alice.fetch("/Home/alice/partial.bin").content == b"x" * 500_000 + b"y" * 500_000
