"""The shapes of MOVEit Transfer's API: what scripts written for it send and read."""
import hashlib
import re
import time

import pytest

from lib.instance import PASSWORD
from lib.sftp import one_time_code

DATE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
RIGHTS = ["canListSubfolders", "canAddSubfolders", "canChangeSettings", "canDelete", "canListFiles", "canReadFiles", "canWriteFiles",
          "canDeleteFiles", "canShare"]


@pytest.fixture(scope="module")
def home(alice):
    """The number of /Home/alice."""
    return alice.get("/api/v1/users/self").json()["homeFolderID"]


def upload(client, folder, name, data, **form):
    return client.post(f"/api/v1/folders/{folder}/files", files={"file": (name, data)}, data=form)


# ---- tokens ----

def test_password_grant(server):
    r = server.grant(server.anonymous(), grant_type="password", username="alice", password=PASSWORD)
    assert r.status_code == 200
    token = r.json()
    assert token["token_type"] == "bearer" and token["access_token"] and token["refresh_token"]
    assert isinstance(token["expires_in"], int) and token["expires_in"] > 0
    assert "no-store" in r.headers["Cache-Control"]


def test_the_form_is_parsed_whatever_its_type_says(server):
    """Two clients send the form with Content-Type: application/json."""
    r = server.anonymous().post("/api/v1/token", data=f"grant_type=password&username=alice&password={PASSWORD.replace(' ', '+')}",
                                headers={"Content-Type": "application/json"})
    assert r.status_code == 200, r.text


@pytest.mark.parametrize("user,password", [("alice", "wrong password!"), ("nobody-here", PASSWORD), ("alice", "")])
def test_a_bad_login_looks_the_same_for_all(server, user, password):
    r = server.grant(server.anonymous(), grant_type="password", username=user, password=password)
    assert r.status_code == 400, r.text
    assert r.json()["error"] in ("invalid_grant", "invalid_request")
    assert r.json()["error_description"]


def test_an_unknown_grant(server):
    r = server.grant(server.anonymous(), grant_type="magic")
    assert r.status_code == 400 and r.json()["error"] in ("unsupported_grant_type", "invalid_request", "invalid_grant")


class TestSecondFactor:
    """A right password without a code: mfa_required with a ticket, which grant_type=otp takes with the code."""

    @pytest.fixture(scope="class")
    def seed(self, server, request):
        request.cls.steps = 0  # of this server
        server.add_user("mfa")
        return server.run("user", "otp", "add", "mfa", "--json").json()["secret"]

    steps = 0

    def code(self, seed):
        """One that was not used yet: of the step before, of now, of the next, and then whenever there is another."""
        cls = type(self)
        cls.steps = max(cls.steps + 1, int(time.time()) // 30 - 1)
        while cls.steps > int(time.time()) // 30 + 1:
            time.sleep(0.5)
        return one_time_code(seed, cls.steps * 30)

    def ticket(self, server, client, **form):
        r = server.grant(client, grant_type="password", username="mfa", password=PASSWORD, **form)
        assert r.status_code == 401, r.text
        body = r.json()
        assert body["error"] == "mfa_required" and "access_token" not in body
        assert body["mfa_supported_methods"] == {"is_mfa_authenticator_enabled": True, "is_mfa_email_enabled": False}
        return body["mfa_access_token"]

    def test_a_ticket_and_a_code(self, server, seed):
        with server.anonymous() as c:
            ticket = self.ticket(server, c)
            assert c.get("/api/v1/users/self", headers={"Authorization": f"Bearer {ticket}"}).status_code == 401
            r = server.grant(c, grant_type="otp", mfa_access_token=ticket, otp=self.code(seed))
            assert r.status_code == 200, r.text
            token = r.json()
            me = c.get("/api/v1/users/self", headers={"Authorization": f"Bearer {token['access_token']}"})
            assert me.json()["username"] == "mfa"
            assert server.grant(server.anonymous(), grant_type="refresh_token", refresh_token=token["refresh_token"]).status_code == 200

    def test_on_another_connection(self, server, seed):
        """Scripts make a new connection for each request; what it may do is the ticket's, once."""
        with server.anonymous() as c:
            ticket = self.ticket(server, c)
        with server.anonymous() as c:
            r = server.grant(c, grant_type="otp", mfa_access_token=ticket, otp=self.code(seed))
            assert r.status_code == 200 and r.json()["access_token"], r.text
        with server.anonymous() as c:
            again = server.grant(c, grant_type="otp", mfa_access_token=ticket, otp=self.code(seed))
            assert again.status_code == 400 and "access_token" not in again.text, "a ticket is good once"

    @pytest.mark.parametrize("code", ["000000", "", "1", "12345678901234567890", "abcdef"])
    def test_wrong_codes(self, server, seed, code):
        with server.anonymous() as c:
            r = server.grant(c, grant_type="otp", mfa_access_token=self.ticket(server, c), otp=code)
            assert r.status_code == 400 and "access_token" not in r.text, r.text

    @pytest.mark.parametrize("ticket", ["", "spm_", "spm_" + "A" * 43, "spa_x", "\0"])
    def test_tickets_that_are_none(self, server, seed, ticket):
        with server.anonymous() as c:
            r = server.grant(c, grant_type="otp", mfa_access_token=ticket, otp=one_time_code(seed))
            assert r.status_code == 400 and "access_token" not in r.text, r.text


def test_refresh_replaces_both_tokens(server):
    anonymous = server.anonymous
    first = server.grant(anonymous(), grant_type="password", username="bob", password=PASSWORD).json()
    second = server.grant(anonymous(), grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second.status_code == 200, second.text
    second = second.json()
    assert second["access_token"] != first["access_token"] and second["refresh_token"] != first["refresh_token"]
    used = server.grant(anonymous(), grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert used.status_code == 400
    me = anonymous().get("/api/v1/users/self", headers={"Authorization": f"Bearer {first['access_token']}"})
    assert me.status_code == 401


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoke_ends_the_session(server, which):
    anonymous = server.anonymous
    token = server.grant(anonymous(), grant_type="password", username="bob", password=PASSWORD).json()
    r = anonymous().post("/api/v1/token/revoke", data={"token": token[which]})
    assert r.status_code == 200 and r.json()["message"]
    me = anonymous().get("/api/v1/users/self", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert me.status_code == 401
    assert server.grant(anonymous(), grant_type="refresh_token", refresh_token=token["refresh_token"]).status_code == 400


def test_revoking_nonsense(server):
    r = server.anonymous().post("/api/v1/token/revoke", data={"token": "nonsense"})
    assert r.status_code == 401 and r.json()["message"]


def test_an_api_token_works_until_it_is_removed(server):
    made = server.run("--json", "token", "add", "alice", "--name", "script").json()
    token = made["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert server.anonymous().get("/api/v1/users/self", headers=headers).json()["username"] == "alice"
    server.run("token", "remove", str(made["id"]))
    assert server.anonymous().get("/api/v1/users/self", headers=headers).status_code == 401


# ---- caller and organisation ----

def test_the_caller(alice):
    me = alice.get("/api/v1/users/self").json()
    assert me["username"] == "alice" and me["fullName"] == "Alice Adams" and me["email"] == "alice@example.com"
    assert me["permission"] == "User" and me["status"] == "Active"
    assert isinstance(me["id"], str) and isinstance(me["orgID"], int) and isinstance(me["homeFolderID"], int)
    assert me["displaySettings"]["fileListPageSize"] == 25


def test_public_facts(server):
    info = server.anonymous().get("/api/v1/info").json()
    assert info["name"] == "main" and isinstance(info["id"], str)
    assert info["securityNoticeRequired"] == "NotRequired"


# ---- folders ----

def test_folders_round_trip(alice, home):
    made = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "reports"})
    assert made.status_code == 201, made.text
    folder = made.json()
    assert folder["name"] == "reports" and folder["path"] == "/Home/alice/reports" and folder["parentId"] == home
    assert isinstance(folder["id"], int) and folder["folderType"] == "Normal"
    assert all(folder["permission"][right] in (True, False) for right in RIGHTS) and folder["permission"]["canWriteFiles"] is True
    got = alice.get(f"/api/v1/folders/{folder['id']}").json()
    assert got["fileMaskRule"] == "AllowExceptMatching" and got["responseType"] == "RedirectImmediately" and got["newTime"] == 0
    assert got["path"] == "/Home/alice/reports" and DATE.match(got["lastContentChangeTime"])
    again = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "reports"})
    assert again.status_code == 409 and again.json()["errorCode"]
    listed = alice.get(f"/api/v1/folders/{home}/subfolders").json()
    assert [f["name"] for f in listed["items"]].count("reports") == 1
    assert alice.delete(f"/api/v1/folders/{folder['id']}").status_code == 204
    assert alice.get(f"/api/v1/folders/{folder['id']}").status_code == 404


def test_all_visible_folders_by_path(alice, home):
    listed = alice.get("/api/v1/folders", params={"path": "/Home/alice", "perPage": 200}).json()
    assert home in [f["id"] for f in listed["items"]]
    root = alice.get("/api/v1/folders", params={"path": "/"}).json()
    assert [f["path"] for f in root["items"]] in (["/"], [])


def test_paging_as_clients_loop(alice, home):
    folder = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "many"}).json()["id"]
    empty = alice.get(f"/api/v1/folders/{folder}/files").json()
    assert empty["items"] == [] and empty["paging"] == {"page": 1, "perPage": 25, "totalItems": 0, "totalPages": 1}
    for i in range(30):
        assert upload(alice, folder, f"f{i:02}.txt", b"%d" % i).status_code == 201
    names, page = [], 1
    while True:
        r = alice.get(f"/api/v1/folders/{folder}/files/", params={"page": page, "perPage": 7}).json()
        names += [f["name"] for f in r["items"]]
        if r["paging"]["page"] == r["paging"]["totalPages"]:
            break
        page += 1
    assert names == [f"f{i:02}.txt" for i in range(30)]
    assert r["paging"]["totalItems"] == 30 and r["paging"]["totalPages"] == 5
    down = alice.get(f"/api/v1/folders/{folder}/files", params={"sortField": "name", "sortDirection": "descending", "perPage": 3}).json()
    assert [f["name"] for f in down["items"]] == ["f29.txt", "f28.txt", "f27.txt"]
    assert down["sorting"][0]["sortDirection"] == "desc"
    masked = alice.get(f"/api/v1/folders/{folder}/files", params={"name": "f0*"}).json()
    assert masked["paging"]["totalItems"] == 10
    content = alice.get(f"/api/v1/folders/{home}/content", params={"perPage": 200}).json()
    kinds = [i["type"] for i in content["items"]]
    assert kinds == sorted(kinds, key=lambda k: k != "Folder") and {"Folder"} <= set(kinds)
    assert all(isinstance(i["id"], int) for i in content["items"])


# ---- files ----

def test_a_file_round_trip(alice, home):
    data = b"q3 figures\n" * 20_000
    r = upload(alice, home, "q3.csv", data, hashtype="SHA-256", hash=hashlib.sha256(data).hexdigest().upper(), comments="quarter")
    assert r.status_code == 201, r.text
    file = r.json()
    assert isinstance(file["id"], str) and file["name"] == "q3.csv" and file["size"] == len(data)
    assert file["folderID"] == home and isinstance(file["orgID"], str) and file["path"] == "/Home/alice/q3.csv"
    assert file["uploadUsername"] == "alice" and file["uploadComment"] == "quarter" and file["uploadIntegrity"] == 1
    assert file["uploadIP"] == "127.0.0.1"
    for size in (10, 200_000):  # placed after the content came, and before
        again = upload(alice, home, "q3.csv", b"x" * size)
        assert again.status_code == 409 and "name" in again.json()["detail"]
    assert DATE.match(file["uploadStamp"])
    assert alice.get(f"/api/v1/files/{file['id']}").json()["name"] == "q3.csv"
    got = alice.get(f"/api/v1/files/{file['id']}/download")
    assert got.content == data and got.headers["Content-Type"] == "application/octet-stream"
    assert "attachment" in got.headers["Content-Disposition"]
    part = alice.get(f"/api/v1/files/{file['id']}/download", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, data[5:10])
    again = alice.get(f"/api/v1/folders/{home}/files/{file['id']}/download")  # a redirect, followed
    assert again.history and again.history[0].status_code == 302 and again.content == data
    deadline = time.monotonic() + 15  # counts are written now and then: a read must not cost a commit
    while alice.get(f"/api/v1/files/{file['id']}").json()["downloadCount"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert any(f["id"] == file["id"] for f in alice.get("/api/v1/files", params={"perPage": 1000}).json()["items"])
    assert alice.delete(f"/api/v1/files/{file['id']}").status_code == 204
    assert alice.get(f"/api/v1/files/{file['id']}").status_code == 404


@pytest.mark.parametrize("kind", ["sha-1", "sha-256", "sha-384", "sha-512"])
def test_a_wrong_hash_is_refused(alice, home, kind):
    digest = hashlib.new(kind.replace("-", ""), b"other").hexdigest()
    r = upload(alice, home, f"wrong-{kind}.txt", b"content", hashtype=kind, hash=digest)
    assert r.status_code in (400, 422), r.text
    assert alice.fetch(f"/Home/alice/wrong-{kind}.txt").status_code == 404
    good = hashlib.new(kind.replace("-", ""), b"content").hexdigest()
    r = upload(alice, home, f"wrong-{kind}.txt", b"content", hashtype=kind, hash=good)
    assert r.status_code == 201, r.text


def test_an_upload_without_its_file(alice, home):
    r = alice.post(f"/api/v1/folders/{home}/files", files={"comments": (None, "only words")})
    assert r.status_code in (400, 422)


def test_a_big_multipart_upload_by_curl(server, alice, home):
    from lib.instance import random_file

    source = server.temp / "multi.bin"
    digest = random_file(source, 50_000_000)
    r = server.curl("-f", "-F", f"file=@{source}", "-F", "comments=after the file", f"{alice.base}/api/v1/folders/{home}/files",
                    token=alice.token)
    assert r.code == 0, r
    got = alice.fetch("/Home/alice/multi.bin")
    assert hashlib.sha256(got.content).hexdigest() == digest


def test_numbers_of_nothing(alice):
    for path in ("/api/v1/files/999999999", "/api/v1/folders/999999999", "/api/v1/files/xyz", "/api/v1/folders/-1/files"):
        assert alice.get(path).status_code == 404, path


def test_numbers_of_others_are_like_nothing(server, alice, bob):
    home = bob.get("/api/v1/users/self").json()["homeFolderID"]
    file = upload(bob, home, "bobs.txt", b"bob").json()["id"]
    for path in (f"/api/v1/files/{file}", f"/api/v1/files/{file}/download", f"/api/v1/folders/{home}", f"/api/v1/folders/{home}/files"):
        assert alice.get(path).status_code in (403, 404), path
    assert alice.delete(f"/api/v1/files/{file}").status_code in (403, 404)
    assert upload(alice, home, "x.txt", b"x").status_code in (403, 404)
    assert bob.get(f"/api/v1/files/{file}/download").content == b"bob"


class TestDetailedSearch:
    """GET /files/detailed: row 9 of MOVEit's table."""

    @pytest.fixture(scope="class")
    def root(self, alice):
        home = alice.get("/api/v1/users/self").json()["homeFolderID"]
        root = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "search"}).json()
        inner = alice.post(f"/api/v1/folders/{root['id']}/subfolders", json={"name": "Inner"}).json()
        other = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": "searching"}).json()
        for folder, name, size in [(root, "a.csv", 3), (root, "B.CSV", 1), (root, "c.txt", 2), (inner, "d.csv", 4), (other, "e.csv", 5)]:
            assert alice.post(f"/api/v1/folders/{folder['id']}/files", files={"file": (name, b"x" * size)}).status_code == 201
        return root["path"]

    @pytest.mark.parametrize("path, file, more, want", [
        ("", "*", {}, ["a.csv", "B.CSV", "c.txt"]),
        ("/", "*", {}, ["a.csv", "B.CSV", "c.txt"]),
        ("", "*.csv", {}, ["a.csv", "B.CSV"]),
        ("", "?.csv", {"recursive": "true"}, ["a.csv", "B.CSV", "d.csv"]),
        ("*", "*.csv", {}, ["a.csv", "B.CSV", "d.csv", "e.csv"]),
        ("/*", "*", {}, ["d.csv"]),
        ("/inner", "*", {}, ["d.csv"]),
        ("/nothing", "*", {"recursive": "true"}, []),
        ("", "*", {"sortField": "FileSize"}, ["B.CSV", "c.txt", "a.csv"]),
        ("", "*", {"sortField": "FileSize", "sortDirection": "desc"}, ["a.csv", "c.txt", "B.CSV"]),
        ("", "*", {"newOnly": "true", "sinceDate": "2020-01-01 00:00:00"}, ["a.csv", "B.CSV", "c.txt"]),
        ("", "*", {"page": "2", "perPage": "1", "name": "nothing"}, ["a.csv", "B.CSV", "c.txt"]),  # it has no pages
    ])
    def test_masks(self, alice, root, path, file, more, want):
        r = alice.get("/api/v1/files/detailed", params={"pathMask": root + path, "fileMask": file, **more})
        assert r.status_code == 200, r.text
        names = [f["name"] for f in r.json()]
        assert (names if "sortField" in more else sorted(names, key=str.lower)) == want
        assert all(alice.get(f"/api/v1/files/{f['id']}").json()["path"] == f["path"] for f in r.json())

    def test_both_masks_are_needed(self, alice, root):
        for params in ({}, {"pathMask": root}, {"fileMask": "*"}, {"pathMask": "", "fileMask": "*"}, {"pathMask": root, "fileMask": "x" * 256},
                       {"pathMask": "x" * 1025, "fileMask": "*"}, {"pathMask": root, "fileMask": "*", "recursive": "perhaps", "sinceDate": "x"}):
            assert alice.get("/api/v1/files/detailed", params=params).status_code in (400, 413), params

    def test_what_others_have_is_not_found(self, server, bob, root):
        assert bob.get("/api/v1/files/detailed", params={"pathMask": root, "fileMask": "*", "recursive": "true"}).json() == []
        assert all("search" not in f["path"] for f in bob.get("/api/v1/files/detailed", params={"pathMask": "*", "fileMask": "*"}).json())
