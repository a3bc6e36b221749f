"""CVE-2026-30914: SFTPGo, 2026

There: rights were looked up for one form of a path and the file was opened by another (dot segments, doubled slashes), so that a folder's own rights were not asked for.
Needs: here a folder whose rights are narrower than its parent's, and a spelling that reaches it as its parent.
Here: P5: rights are those of the folder that the name leads to, not of its spelling: test_cve_2024_28995_serv_u.py has the spellings of what is somebody else's, this file those of what is shared in part.
"""
import pytest

from lib.instance import Client
from lib.ssh_sftp import CREAT, WRITE, Fx
from lib.ssh_wire import string, u32

SPELLINGS = ["closed/in", "./closed/in", "open/../closed/in", "//closed//in", "closed/./in", "closed//in", "open/./../closed/in", "closed/in/", "/Shared/closed/in", "/Shared//closed/./in", "closed/../closed/in", "CLOSED/in", "closed /in"]


@pytest.fixture
def shared(build):
    """A folder that the thief may write to, and one in it that is closed to the thief."""
    house = build()
    s = house.server
    for folder in ("/Shared", "/Shared/open"):
        s.run("folder", "add", folder)
    s.run("folder", "add", "/Shared/closed", "--no-inherit")
    s.run("acl", "set", "/Shared", "--user", "thief", "--rights", "read,write,delete,list,subfolders")
    for folder in ("/Shared", "/Shared/closed"):
        s.run("acl", "set", folder, "--user", "victim", "--rights", "read,write,delete,list,subfolders")
    with Client(s, house.victim.token) as c:
        assert c.store("/Shared/closed/in", house.victim.small).status_code == 201
    house.victim.files["/Shared/closed/in"] = house.victim.small
    return house


def test_spellings_of_a_closed_folder(shared):
    with shared.attack(inside="thief") as thief, thief.sftp() as c:
        token = thief.log_in()
        for path in SPELLINGS:
            whole = path if path.startswith("/Shared") else f"/Shared/{path}"
            for method in ("GET", "DELETE", "PUT"):
                thief.refused(method, "/api/v1/files/by-path" + whole.replace(" ", "%20"), token=token)
            for kind, rest in ((Fx.OPEN, u32(1) + u32(0)), (Fx.OPEN, u32(WRITE | CREAT) + u32(0)), (Fx.STAT, b""), (Fx.REMOVE, b"")):
                thief.denied(c.sftp.call, kind, string(whole) + rest, Fx.HANDLE)
            thief.denied(c.sftp.rename, whole, "/Shared/open/out")
            thief.denied(c.sftp.rename, whole, "/Home/thief/out")
        for folder in ("/Shared/closed", "/Shared/./closed", "/Shared/open/../closed"):
            thief.denied(c.sftp.list, folder)
            thief.denied(c.sftp.call, Fx.RMDIR, string(folder))
            thief.denied(c.sftp.rename, folder, "/Home/thief/taken")
        for where in ("files", "folders"):
            rows = thief.http("GET", f"/api/v1/{where}?perPage=10000", token=token).json()["items"]
            assert rows and not [row for row in rows if row["path"].startswith("/Shared/closed")]
