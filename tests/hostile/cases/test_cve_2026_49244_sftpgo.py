"""CVE-2026-49244: SFTPGo, 2026

There: what may go into a share's archive was decided by the beginning of the path, without a separator: /home/thief also let /home/thief-files in.
Needs: here a right on /Home/thief that holds for /Home/thief-files.
Here: P5: a folder is a number with a parent, not a beginning of a text.
"""


def test_a_name_that_begins_like_mine(house):
    other = house.people["thief-files"]
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        known = [path for path in other.files if other.mark not in path]
        for path in [*known, "/Home/thief-files", "/Home/thief-files/", "/Home/thief/../thief-files/secret", "/Home/thief-"]:
            thief.refused("GET", "/api/v1/files/by-path" + path.replace(" ", "%20"), token=token)
            thief.refused("PUT", "/api/v1/files/by-path" + path.replace(" ", "%20") + "x", body=b"x", token=token)
        for mask in ("/Home/thief*", "/Home/thief", "/Home/thief-files*", "*", "/*"):
            for where in ("folders", "files"):
                rows = thief.http("GET", f"/api/v1/{where}?path={mask}&name=*&perPage=10000", token=token).json()["items"]
                assert all((row["path"] + "/").startswith("/Home/thief/") or row["path"] in ("/", "/Home") for row in rows), rows
        with thief.sftp() as c:
            for path in known:
                thief.denied(c.sftp.get, path)
                thief.denied(c.sftp.get, "../" + path.rpartition("/Home/")[2])
            assert set(c.sftp.list("/Home")) <= {".", "..", "thief"}
