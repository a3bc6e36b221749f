"""Files and folders by number: another name, another folder, a copy (MOVEit's rows 11, 14, 15, 31 and 39)."""
import hashlib

import pytest

BIG = bytes(range(256)) * 4096  # 1 MiB: a blob of its own
NAMES_THAT_ARE_NONE = ["", ".", "..", "a/b", "/etc/passwd", "../up", "a\0b", "new\nline", "‮gpj.exe", "x" * 256]


@pytest.fixture(scope="module")
def home(alice):
    return alice.get("/api/v1/users/self").json()["homeFolderID"]


@pytest.fixture
def place(alice, home, request):
    """Two folders of the test's own: (number, path) of each."""
    made = []
    for which in ("from", "to"):
        name = f"{which}-{abs(hash(request.node.nodeid))}"
        r = alice.post(f"/api/v1/folders/{home}/subfolders", json={"name": name})
        assert r.status_code == 201, r.text
        made.append((r.json()["id"], r.json()["path"]))
    return made


def store(client, folder, name, data=b"content"):
    r = client.post(f"/api/v1/folders/{folder}/files", files={"file": (name, data)})
    assert r.status_code == 201, r.text
    return r.json()


def newest(server, event):
    return server.audit("--event", event)[-1]


def names(client, folder):
    return sorted(i["name"] for i in client.get(f"/api/v1/folders/{folder}/content").json()["items"])


# ---- names ----

def test_a_file_gets_another_name(server, alice, place):
    (folder, path), _ = place
    file = store(alice, folder, "old.txt")
    r = alice.patch(f"/api/v1/files/{file['id']}", json={"name": "new näme.txt"})
    assert r.status_code == 200, r.text
    assert r.json()["name"] == "new näme.txt" and r.json()["id"] == file["id"]
    assert names(alice, folder) == ["new näme.txt"]
    entry = newest(server, "file.renamed")
    assert entry["path"] == f"{path}/old.txt" and entry["detail"]["to"] == f"{path}/new näme.txt" and entry["user"] == "alice"
    # the same name once more is no change and no error
    assert alice.patch(f"/api/v1/files/{file['id']}", json={"NAME": "new näme.txt"}).status_code == 200


def test_a_folder_gets_another_name_and_keeps_what_it_holds(server, alice, place):
    (folder, path), _ = place
    store(alice, folder, "inside.txt", b"inside")
    new = path.rsplit("/", 1)[1] + " renamed"
    r = alice.patch(f"/api/v1/folders/{folder}", json={"name": new})
    assert r.status_code == 200, r.text
    assert r.json()["name"] == new and r.json()["id"] == folder
    assert alice.get(f"/api/v1/files/by-path{r.json()['path']}/inside.txt").content == b"inside"
    assert newest(server, "folder.renamed")["path"] == path


@pytest.mark.parametrize("name", NAMES_THAT_ARE_NONE, ids=repr)
def test_names_that_are_none(alice, place, name):
    (folder, _), _ = place
    file = store(alice, folder, "stays.txt")
    for url in (f"/api/v1/files/{file['id']}", f"/api/v1/folders/{folder}"):
        r = alice.patch(url, json={"name": name})
        assert r.status_code in (400, 422), r.text
        assert r.headers["Content-Type"] == "application/problem+json"
    assert names(alice, folder) == ["stays.txt"]


@pytest.mark.parametrize("kind", ["files", "folders"])
def test_a_name_that_is_taken(alice, place, kind):
    (folder, _), (other, other_path) = place
    if kind == "files":
        store(alice, folder, "taken.txt", b"first")
        mine = store(alice, folder, "mine.txt", b"second")
        url, name = f"/api/v1/files/{mine['id']}", "taken.txt"
    else:
        url, name = f"/api/v1/folders/{folder}", other_path.rsplit("/", 1)[1]
    r = alice.patch(url, json={"name": name})
    assert r.status_code == 409, r.text
    if kind == "files":
        assert alice.get(f"/api/v1/files/{mine['id']}/download").content == b"second"


@pytest.mark.parametrize("body,status", [("", 400), ("{", 400), ("[]", 400), ('"x"', 400), ("{}", 501), ('{"isNew":true}', 501),
                                         ('{"name":7}', 400), ('{"name":"a","name":"b"}', 400), ("{" * 1000, 400),
                                         ('{"name":"' + "x" * 70000 + '"}', 413)], ids=lambda v: str(v)[:20])
def test_bodies_that_are_none(alice, place, body, status):
    (folder, _), _ = place
    file = store(alice, folder, "f")
    for url in (f"/api/v1/files/{file['id']}", f"/api/v1/folders/{folder}"):
        r = alice.request("PATCH", url, data=body, headers={"Content-Type": "application/json"})
        assert r.status_code == status, r.text


# ---- other folders ----

@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_moves(server, alice, place, as_text):
    (folder, path), (to, to_path) = place
    file = store(alice, folder, "moves.bin", BIG)
    r = alice.post(f"/api/v1/files/{file['id']}/move", json={"destinationFolderId": str(to) if as_text else to})
    assert r.status_code == 200, r.text
    assert r.json()["id"] == file["id"] and r.json()["folderID"] == to
    assert names(alice, folder) == [] and names(alice, to) == ["moves.bin"]
    assert alice.get(f"/api/v1/files/by-path{to_path}/moves.bin").content == BIG
    assert newest(server, "file.renamed")["detail"]["to"] == f"{to_path}/moves.bin"


def test_a_folder_moves(alice, place):
    (folder, path), (to, to_path) = place
    store(alice, folder, "inside.txt", b"inside")
    r = alice.post(f"/api/v1/folders/{folder}/move", json={"destinationFolderId": to})
    assert r.status_code == 200, r.text
    assert r.json()["path"] == f"{to_path}/{path.rsplit('/', 1)[1]}" and r.json()["parentId"] == to
    assert alice.get(f"/api/v1/files/by-path{r.json()['path']}/inside.txt").content == b"inside"
    # not into itself, nor into what is below it
    assert alice.post(f"/api/v1/folders/{to}/move", json={"destinationFolderId": to}).status_code in (400, 409, 422)
    assert alice.post(f"/api/v1/folders/{to}/move", json={"destinationFolderId": folder}).status_code in (400, 409, 422)


# ---- copies ----

@pytest.mark.parametrize("data", [b"", b"small", BIG + b"tail"], ids=len)
def test_a_copy_is_a_file_of_its_own(server, alice, place, data):
    (folder, path), (to, to_path) = place
    file = store(alice, folder, "twice.bin", data)
    r = alice.post(f"/api/v1/files/{file['id']}/copy", json={"destinationFolderId": to})
    assert r.status_code == 200, r.text
    copy = r.json()
    assert copy["id"] != file["id"] and copy["sha256"] == hashlib.sha256(data).hexdigest() and copy["size"] == len(data)
    # what happens to one does not happen to the other; and the content was released, once, to who copied it
    read = newest(server, "file.read")
    assert read["path"] == f"{path}/twice.bin" and read["user"] == "alice"
    assert newest(server, "file.created")["path"] == f"{to_path}/twice.bin"
    assert alice.delete(f"/api/v1/files/{file['id']}").status_code == 204
    assert alice.get(f"/api/v1/files/{copy['id']}/download").content == data
    assert server.verify()


def test_a_copy_onto_a_name_that_is_taken_releases_nothing(server, alice, place):
    (folder, _), (to, _) = place
    file = store(alice, folder, "same.bin", BIG)
    small = store(alice, folder, "same.txt", b"small")
    for f in (file, small):
        store(alice, to, f["name"], b"other")
        reads = len(server.audit("--event", "file.read"))
        for where in (to, folder):
            r = alice.post(f"/api/v1/files/{f['id']}/copy", json={"destinationFolderId": where})
            assert r.status_code == 409, r.text
        assert len(server.audit("--event", "file.read")) == reads
    assert names(alice, to) == ["same.bin", "same.txt"]
    assert alice.get("/api/v1/users/self").status_code == 200


def test_a_copy_over_the_quota_is_refused_and_leaves_nothing(server, alice, place):
    (folder, _), (to, to_path) = place
    file = store(alice, folder, "large.bin", BIG)
    server.run("folder", "add", f"{to_path}/little", "--quota", "64K")
    to = alice.get(f"/api/v1/folders/{to}/subfolders").json()["items"][0]["id"]
    reads = len(server.audit("--event", "file.read"))
    r = alice.post(f"/api/v1/files/{file['id']}/copy", json={"destinationFolderId": to})
    assert r.status_code in (413, 507), r.text
    assert names(alice, to) == [] and len(server.audit("--event", "file.read")) == reads


# ---- what others may not ----

@pytest.mark.parametrize("destination", [None, "", "x", -1, 0, 1.5, True, [], 2**63, 10**30, 999999], ids=repr)
def test_destinations_that_are_none(alice, place, destination):
    (folder, _), _ = place
    file = store(alice, folder, "f")
    for url in (f"/api/v1/files/{file['id']}/move", f"/api/v1/files/{file['id']}/copy", f"/api/v1/folders/{folder}/move"):
        r = alice.post(url, json={"destinationFolderId": destination} if destination is not None else {})
        assert r.status_code in (400, 404), r.text
    assert names(alice, folder) == ["f"]


def test_numbers_of_others_are_like_nothing(server, alice, bob, place):
    (folder, _), (to, _) = place
    file = store(alice, folder, "private.txt", b"private")
    bobs = bob.get("/api/v1/users/self").json()["homeFolderID"]
    reads = len(server.audit("--event", "file.read"))
    for method, url, body in (("PATCH", f"/api/v1/files/{file['id']}", {"name": "bobs.txt"}),
                              ("PATCH", f"/api/v1/folders/{folder}", {"name": "bobs"}),
                              ("POST", f"/api/v1/files/{file['id']}/move", {"destinationFolderId": bobs}),
                              ("POST", f"/api/v1/files/{file['id']}/copy", {"destinationFolderId": bobs}),
                              ("POST", f"/api/v1/folders/{folder}/move", {"destinationFolderId": bobs})):
        r = bob.request(method, url, json=body)
        assert r.status_code == 404, r.text
        assert r.json()["detail"] == bob.request(method, url.replace(str(file["id"]), "999999999").replace(f"folders/{folder}", "folders/999999"),
                                                 json=body).json()["detail"]
    # and what is one's own does not go where one may not write
    mine = store(bob, bobs, "mine.txt", b"mine")
    for verb in ("move", "copy"):
        assert bob.post(f"/api/v1/files/{mine['id']}/{verb}", json={"destinationFolderId": to}).status_code in (403, 404)
    assert len(server.audit("--event", "file.read")) == reads and names(alice, to) == []


def test_who_may_only_read_moves_nothing(server, alice, bob, place):
    (folder, path), (to, to_path) = place
    file = store(alice, folder, "read me.txt", b"text")
    server.run("acl", "set", path, "--user", "bob", "--rights", "read,list")
    assert bob.get(f"/api/v1/files/{file['id']}/download").content == b"text"
    bobs = bob.get("/api/v1/users/self").json()["homeFolderID"]
    for method, url, body in (("PATCH", f"/api/v1/files/{file['id']}", {"name": "bobs.txt"}),
                              ("POST", f"/api/v1/files/{file['id']}/move", {"destinationFolderId": bobs}),
                              ("PATCH", f"/api/v1/folders/{folder}", {"name": "bobs"})):
        assert bob.request(method, url, json=body).status_code == 403
    r = bob.post(f"/api/v1/files/{file['id']}/copy", json={"destinationFolderId": bobs})
    assert r.status_code == 200, r.text  # reading is what copying needs
    assert names(alice, folder) == ["read me.txt"]
