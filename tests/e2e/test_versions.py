"""GET /files/ID/versions: what a file was, to whoever sees the file."""
import hashlib


def test_versions(server, alice, bob):
    contents = [b"one", b"second", b"x" * 200_000]
    for data in contents:
        assert alice.store("/Home/alice/versions", data).status_code in (201, 204)
    file = alice.get("/api/v1/files", params={"name": "versions"}).json()["items"][0]["id"]
    url = f"/api/v1/files/{file}/versions"
    page = alice.get(url)
    assert page.status_code == 200, page.text
    page = page.json()
    assert page["paging"] == {"page": 1, "perPage": 25, "totalItems": 3, "totalPages": 1}
    assert page["sorting"] == [{"sortField": "version", "sortDirection": "desc"}]
    rows = page["items"]
    assert [(r["size"], r["sha256"]) for r in rows] == [(len(d), hashlib.sha256(d).hexdigest()) for d in reversed(contents)]
    assert rows[0]["version"] == alice.get(f"/api/v1/files/{file}").json()["version"]
    assert rows[0]["version"] > rows[1]["version"] > rows[2]["version"]
    assert {(r["uploadUsername"], r["uploadUserFullName"]) for r in rows} == {("alice", "Alice Adams")}
    assert all(r["uploadStamp"] for r in rows)
    for number in (1, 2, 3):
        part = alice.get(url, params={"page": number, "perPage": 1}).json()
        assert part["items"] == [rows[number - 1]] and part["paging"]["totalPages"] == 3
    assert alice.get(url, params={"page": 4, "perPage": 1}).json()["items"] == []
    assert not [e for e in server.audit("--event", "file.read") if e["path"] == "/Home/alice/versions"], "a list releases nothing"
    assert bob.get(url).status_code == 404
    assert alice.get("/api/v1/files/987654321/versions").status_code == 404
    assert alice.delete(f"/api/v1/files/{file}").status_code == 204
    assert alice.get(url).status_code == 404
