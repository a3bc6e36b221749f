"""HAUL: bulk reading of everything with one identity, in minutes, all tenants and old files included (attacks.md 3.3 number 6)

There: whoever was in had everything: LEMURLOOT listed all files with their owners and fetched them by number; 262 GB of one victim alone.
Needs: here a list or a number that leads past the rights of the one login that was stolen.
Here: P1, P2: one user's session has that user's files, whatever is listed, guessed or counted through; and each reading is an entry, no more and no fewer.
"""
from lib.ssh_sftp import Status


def reads(thief):
    return [e for e in thief.house.entries(thief.first) if e["event"] == "file.read"]


def test_by_path(house):
    """Everything that can be listed over SFTP is fetched."""
    with house.attack(inside="thief") as thief, thief.sftp() as c:
        c.sftp.put("mine", b"m" * 1000)
        names, todo = [], ["/"]
        while todo:
            folder = todo.pop()
            try:
                for name in c.sftp.list(folder):
                    if name not in (".", ".."):
                        names.append(f"{folder.rstrip('/')}/{name}")
                        todo.append(names[-1])
            except Status:
                pass
        got = 0
        for path in names:
            try:
                got += c.sftp.get(path) is not None
            except Status:
                pass
        assert not [n for n in names if n.startswith("/Home/") and not (n + "/").startswith("/Home/thief/")]
        assert len(reads(thief)) == got >= 1


def test_by_number(house):
    """Every number there may be, by every route that takes one, over HTTPS."""
    others = {str(n) for p in house.people.values() for n in p.ids}
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        got = 0
        for number in range(0, max(map(int, others)) + 20):
            for target in (f"files/{number}/download", f"files/{number}", f"folders/{number}", f"folders/{number}/content", f"folders/{number}/files", f"folders/{number}/subfolders", f"folders/1/files/{number}/download"):
                reply = thief.http("GET", f"/api/v1/{target}", token=token)
                if target.startswith("files/") and str(number) in others:
                    assert reply.status in (403, 404), reply
                got += target.startswith("files/") and target.endswith("/download") and reply.status == 200
        for number in ("-1", "00", "1e1", "0x10", "9223372036854775807", "18446744073709551616", "1;2", "1,2", "*"):
            thief.refused("GET", f"/api/v1/files/{number}/download", token=token)
        assert len(reads(thief)) == got


def test_by_listing(house):
    """No mask, order, page or organisation shows what is somebody else's."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for query in ("", "perPage=10000", "name=*", "name=*secret*", "path=*", "path=/Home/*", "orgID=2", "sortField=path&sortDirection=desc&perPage=10000", "sinceDate=2000-01-01", "newOnly=false", "page=0", "perPage=-1",
                      "perPage=99999999999", "user=victim", "owner=1", "all=true", "includeDeleted=true", "recursive=true", "fields=*", "$filter=1 eq 1".replace(" ", "%20")):
            for where in ("files", "folders"):
                reply = thief.http("GET", f"/api/v1/{where}?{query}", token=token)
                if reply.status == 200:
                    assert all(row["path"] in ("/", "/Home") or (row["path"] + "/").startswith("/Home/thief/") for row in reply.json()["items"]), reply
        for path in ("/api/v1/users", "/api/v1/users/1", "/api/v1/reports", "/api/v1/packages", "/api/v1/mailboxes", "/api/v1/logs", "/api/v1/siteAdmin"):
            thief.refused("GET", path, token=token)
