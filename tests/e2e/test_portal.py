"""The portal: its replies by themselves, and people's journeys through it in Chromium (tests/browser/journeys.mjs)."""
import gzip
import hashlib
import re
import secrets
import signal
import time
import zipfile

import pytest

from lib.instance import PASSWORD, Identity, Instance
from lib.portal import Portal
from lib.sftp import Door, one_time_code
from lib.wire import Wire

LOOKS = [("desktop", "light"), ("desktop", "dark"), ("phone", "light")]
looks = pytest.mark.parametrize("view, scheme", LOOKS, ids=["light", "dark", "phone"])


@pytest.fixture(scope="module", params=Identity.all()[:1], ids=repr)
def identity(request):
    """One is enough: the page does not know who runs the server."""
    return request.param


@pytest.fixture(scope="module")
def browser():
    portal = Portal()
    yield portal
    portal.close()


@pytest.fixture
def user(server):
    """A new user for each journey: nothing of another is in the way."""
    name = "u" + secrets.token_hex(5)
    server.add_user(name)
    return {"user": name, "password": PASSWORD}


# ---- the replies ----

def assets(client):
    return re.findall(r'"(/assets/[^"]+)"', client.get("/").text)


def test_the_page_and_what_it_names(server):
    with server.anonymous() as c:
        page = c.get("/", headers={"Accept-Encoding": "identity"})
        assert page.status_code == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8" and "Content-Encoding" not in page.headers
        assert page.headers["Cache-Control"] == "no-cache" and page.headers["Vary"] == "Accept-Encoding"
        assert c.get("/app/folder/77").text == c.get("/app/x/y/z").text == page.text
        assert not re.search(r"<script>|<style|style=|\son\w+=|https?://", page.text)
        names = assets(c)
        assert sorted(n.rsplit(".", 1)[1] for n in names) == ["css", "js", "svg"]
        for name in names:
            r = c.get(name, headers={"Accept-Encoding": "identity"})
            assert r.status_code == 200 and r.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            tag = re.search(r"-([0-9a-f]{16})\.", name).group(1)
            assert hashlib.sha256(r.content).hexdigest().startswith(tag) and r.headers["ETag"] == f'"{tag}"'
        for gone in ("/assets/index.html", "/assets/app.js", "/assets/x", "/assets/..%2fx", "/index.html"):
            assert c.get(gone).status_code == 404


def test_compression(server):
    with server.anonymous() as c:
        for name in ["/", *assets(c)]:
            plain = c.get(name, headers={"Accept-Encoding": "identity"})
            for wish, packed in [("gzip", True), ("br, gzip;q=0.5", True), ("deflate, GZIP", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("br", False),
                                 ("", False), ("gzip;q=0.001", True)]:
                r = c.get(name, headers={"Accept-Encoding": wish}, stream=True)
                raw = r.raw.read(decode_content=False)
                assert (r.headers.get("Content-Encoding") == "gzip") == packed, (name, wish)
                assert (gzip.decompress(raw) if packed else raw) == plain.content
                assert (r.headers["ETag"] != plain.headers["ETag"]) == packed
                again = c.get(name, headers={"Accept-Encoding": wish, "If-None-Match": r.headers["ETag"]})
                assert again.status_code == 304 and again.content == b"" and again.headers["ETag"] == r.headers["ETag"]
            head = c.head(name, headers={"Accept-Encoding": "identity"})
            assert head.content == b"" and head.headers["Content-Length"] == str(len(plain.content))
        script = next(n for n in assets(c) if n.endswith(".js"))
        size = int(c.head(script, headers={"Accept-Encoding": "gzip"}).headers["Content-Length"])
        assert size < 150 * 1024, "compressed script of the first page"


def test_policies(server, alice):
    with server.anonymous() as c:
        for name in ["/", "/app/folder/1", *assets(c)]:
            h = c.get(name).headers
            policy = dict(part.split(" ", 1) for part in h["Content-Security-Policy"].split("; "))
            assert policy.pop("default-src") == policy.pop("form-action") == policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
            assert policy.pop("require-trusted-types-for") == "'script'" and policy.pop("trusted-types") == "'none'"
            assert set(policy) == {"script-src", "style-src", "img-src", "connect-src"} and set(policy.values()) == {"'self'"}
            assert h["Cross-Origin-Opener-Policy"] == "same-origin" and "camera=()" in h["Permissions-Policy"]
            every_reply(h)
        for r in (c.get("/nothing"), c.get("/api/v1/info"), alice.get("/api/v1/users/self")):
            assert r.headers["Cache-Control"] == "no-store" and r.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
            every_reply(r.headers)


def every_reply(h):
    assert h["X-Content-Type-Options"] == "nosniff" and h["Referrer-Policy"] == "no-referrer"
    assert h["Cross-Origin-Resource-Policy"] == "same-origin" and h["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("kind, content", [("x.html", b"<script>parent.pwned=1</script>"), ("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
                                           ("x.pdf", b"%PDF-1.7\n/OpenAction<</S/JavaScript/JS(app.alert(1))>>"), ("x.js", b"alert(1)")])
def test_stored_content_is_never_a_page(alice, kind, content):
    path = f"/Home/alice/{secrets.token_hex(4)}-{kind}"
    assert alice.store(path, content, **{"Content-Type": "text/html"}).status_code == 201
    h = alice.fetch(path, Accept="text/html").headers
    assert h["Content-Type"] == "application/octet-stream" and h["Content-Disposition"].startswith("attachment;")
    assert h["Content-Security-Policy"] == "default-src 'none'; sandbox"
    every_reply(h)


def test_switched_off(fresh):
    fresh.settings["Portal"] = "no"
    fresh.init()
    fresh.start()
    with fresh.anonymous() as c:
        for name in ("/", "/app/folder/1", "/assets/app.js"):
            r = c.get(name)
            assert r.status_code == 404 and r.headers["Content-Type"] == "application/problem+json"
        assert c.get("/api/v1/info").status_code == 200
    fresh.set("Portal", "yes")
    fresh.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 15
    while status(fresh, "/") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def status(server, url):
    with server.anonymous() as c:
        return c.get(url).status_code


# ---- journeys ----

@looks
def test_sign_in(browser, server, user, view, scheme):
    browser.walk("sign_in", server, view=view, scheme=scheme, **user)


def test_sign_in_with_code(browser, server, user):
    secret = server.run("user", "otp", "add", user["user"], "--json").json()["secret"]
    browser.walk("sign_in_with_code", server, {"code": lambda: one_time_code(secret)}, **user)


def test_german(browser, server, user):
    browser.walk("german", server, locale="de-DE", **user)


def test_ended_elsewhere(browser, server, user):
    browser.walk("ended_elsewhere", server, {"end_sessions": lambda: server.run("revoke", "--user", user["user"]).code}, **user)


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_sessions(browser, identity, tmp_path, view):
    with Instance(identity, sftp=True) as server:
        server.add_user("alice")
        door = Door(server, "alice", tmp_path).with_key()
        with server.login("alice"), door.raw().to("sftp") as c:
            def sftp_ended():
                with pytest.raises(Exception):
                    for _ in range(50):
                        c.sftp.mkdir("x" + secrets.token_hex(4))
                        time.sleep(0.1)
            browser.walk("sessions", server, {"sftp_ended": sftp_ended}, view=view, user="alice", password=PASSWORD, count=4)


def test_new_password(browser, server, user):
    browser.walk("new_password", server, next="another horse entirely", **user)


def test_copied_cookie(browser, server, user):
    browser.walk("copied_cookie", server, **user)


@looks
def test_folders(browser, server, user, view, scheme):
    browser.walk("folders", server, view=view, scheme=scheme, sha256_of_one=hashlib.sha256(b"one").hexdigest(), **user)


def test_keyboard(browser, server, user):
    with server.login(user["user"]) as c:
        home = c.get("/api/v1/users/self").json()["homeFolderID"]
        made = {name: c.post(f"/api/v1/folders/{home}/subfolders", json={"name": name}).json() for name in "abc"}
        assert c.store(made["a"]["path"] + "/deep.txt", b"x").status_code == 201
    browser.walk("keyboard", server, **user)


REFUSED = {"invoice\u202efdp.exe", "a\u2066b.txt"}  # by the server already
HOSTILE = [*REFUSED, "<img src=x onerror=pwned=1>.txt", "\"><script>pwned=1<script>", "javascript:pwned=1", "a\u200bb.txt", "раураl.txt",
           "{{constructor.constructor('pwned=1')()}}", "n" * 251 + ".txt", "日本語のとても長い名前.txt", "e\u0301.txt", " leading and trailing ", "CON", "%2e%2e%2fx",
           "=cmd|' C'!A0.csv"]


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_hostile_names(browser, server, user, view):
    with server.login(user["user"]) as c:
        stored = [n for n in HOSTILE if c.store(f"/Home/{user['user']}/{n}", b"<script>pwned=1</script>").status_code == 201]
    assert set(HOSTILE) - set(stored) <= REFUSED
    browser.walk("hostile_names", server, view=view, names=stored, **user)


def test_a_hundred_thousand(browser, server, user):
    print(browser.walk("a_hundred_thousand", server, **user))


@pytest.mark.parametrize("size", [0, 1, 5000, 3_000_000])
def test_up_and_down(browser, server, user, tmp_path, size):
    file = tmp_path / f"data {size}.bin"
    file.write_bytes(secrets.token_bytes(size))
    browser.walk("up_and_down", server, file=str(file), name=file.name, **user)
    with server.login(user["user"]) as c:
        assert c.fetch(f"/Home/{user['user']}/{file.name}").content == file.read_bytes()


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_zip(browser, server, user, view):
    home = f"/Home/{user['user']}"
    stored = {"one.txt": b"1", "two.txt": b"2", "sub/three.txt": b"3"}
    with server.login(user["user"]) as c:
        top = c.get("/api/v1/users/self").json()["homeFolderID"]
        assert c.post(f"/api/v1/folders/{top}/subfolders", json={"name": "sub"}).status_code == 201
        for name, content in stored.items():
            assert c.store(f"{home}/{name}", content).status_code == 201

    def check(what, filename, path):
        z = zipfile.ZipFile(path)
        got = {i.filename: z.read(i) for i in z.infolist() if not i.is_dir()}
        want = {n: c for n, c in stored.items() if n != "two.txt"} if what == "some" else {f"{user['user']}/{n}": c for n, c in stored.items()}
        assert filename == user["user"] + ".zip" and got == want
    browser.walk("zip", server, {"check": check}, view=view, **user)


@pytest.fixture
def big(tmp_path):
    """A file whose every megabyte is another."""
    file = tmp_path / "big data.bin"
    with open(file, "wb") as f:
        for _ in range(64):
            f.write(secrets.token_bytes(1 << 20))
    return {"file": str(file), "name": file.name, "size": file.stat().st_size}


def test_interrupted(browser, server, user, big):
    def restart():
        server.end()  # kill -9: a stop waits for uploads
        server.start()

    with Wire(server.port, big["size"] / 10) as wire:
        browser.walk("interrupted", wire, {"restart": restart, "cut": wire.cut, "mend": wire.mend}, **big, **user)
    with server.login(user["user"]) as c, open(big["file"], "rb") as f:
        assert hashlib.sha256(c.fetch(f"/Home/{user['user']}/{big['name']}").content).digest() == hashlib.file_digest(f, "sha256").digest()


def test_given_up(browser, server, user, big):
    with Wire(server.port, big["size"] / 20) as wire:
        browser.walk("given_up", wire, **big, **user)
    with server.login(user["user"]) as c:
        assert c.fetch(f"/Home/{user['user']}/{big['name']}").status_code == 404


def test_taken_names(browser, server, user):
    browser.walk("taken_names", server, **user)
    with server.login(user["user"]) as c:
        assert c.fetch(f"/Home/{user['user']}/plan.txt").content == b"fourth"
        assert c.fetch(f"/Home/{user['user']}/plan (1).txt").content == b"third"


def test_a_folder(browser, server, user, tmp_path):
    top = tmp_path / "dataset"
    count = 300
    for i in range(count):
        place = top / "inner" / f"part{i % 7}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.txt").write_text(f"content {i}")
    browser.walk("a_folder", server, folder=str(top), files=count, **user)
    with server.login(user["user"]) as c:
        for i in range(count):
            assert c.fetch(f"/Home/{user['user']}/dataset/inner/part{i % 7}/{i}.txt").text == f"content {i}"


def test_only_reading(browser, server, user):
    owner = "o" + secrets.token_hex(5)
    server.add_user(owner)
    server.run("acl", "set", f"/Home/{owner}", "--user", user["user"], "--rights", "read,list")
    with server.login(owner) as c:
        assert c.store(f"/Home/{owner}/report.txt", b"x").status_code == 201
        home = c.get("/api/v1/users/self").json()["homeFolderID"]
    browser.walk("only_reading", server, at=f"/app/folder/{home}", name="report.txt", **user)
