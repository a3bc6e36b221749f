"""CVE-2024-28995: SolarWinds Serv-U, June 2024 (and SFTPGo CVE-2026-30914, path normalisation)

There: the filter looked for the platform's own slash, and only then the other slash was turned into it: `/?InternalDir=/..\\..\\&InternalFile=passwd` read any file.
Needs: here a path that means one thing to who checks it and another to who opens it.
Here: P1, P5: a path is parsed once, by the broker, into names that are looked up; no spelling of a path leads to what one may not see, by no request of either door.
"""
import pytest

from lib.cases import house_paths
from lib.lists import TRAVERSALS
from lib.ssh_sftp import Fx, Status
from lib.ssh_wire import string, u32


def test_internal_files(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for path in house_paths(house):
            folder, _, file = path.rpartition("/")
            for way in ("/../../../../", "/..\\..\\..\\..\\", "\\..\\..\\", "/..//..//", "/%2e%2e%5c%2e%2e%5c", "/.../.../"):
                for who in (None, token):
                    reply = thief.http("GET", f"/?InternalDir={way}{folder}&InternalFile={file}".replace(" ", "%20"), token=who)
                    assert b"root:x:" not in reply.raw
                    thief.refused("GET", f"/{way}{folder}/{file}".replace("\\", "%5c"), token=who)
                    reply = thief.http("GET", f"/api/v1/files?path={way}{path}&name={file}".replace("\\", "%5c"), token=who)
                    assert reply.status == 401 or all(row["path"].startswith("/Home/thief/") for row in reply.json().get("items", []))


def percent(path):
    return "".join(f"%{b:02X}" for b in path.encode())


@pytest.mark.parametrize("path", TRAVERSALS, ids=repr)
def test_https(house, path):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        plain = path.replace(" ", "%20").replace("\0", "%00").encode("ascii", "ignore").decode()
        for spelled in (plain, percent(path), percent(path).replace("%2F", "/"), "/Home/thief/" + percent(path), "/Home/thief/" + plain):
            target = "/api/v1/files/by-path/" + spelled.lstrip("/")
            for method in ("GET", "HEAD", "DELETE"):
                thief.refused(method, target, token=token)
            reply = thief.http("PUT", target, body=b"mine", token=token)  # an odd name of the thief's own, at the most
            assert reply.status != 204, f"{target} was there"
            if reply.status == 201:
                thief.http("DELETE", target, token=token)
            thief.http("POST", "/api/v1/folders/1/subfolders", json={"name": path}, token=token)


@pytest.mark.parametrize("path", TRAVERSALS, ids=repr)
def test_sftp(house, path):
    with house.attack(inside="thief") as thief, thief.sftp() as c:
        for kind, rest in ((Fx.OPEN, u32(1) + u32(0)), (Fx.STAT, b""), (Fx.LSTAT, b""), (Fx.REMOVE, b""), (Fx.OPENDIR, b""), (Fx.READLINK, b""), (Fx.SETSTAT, u32(0))):
            thief.denied(c.sftp.call, kind, string(path) + rest, Fx.NAME)
        thief.denied(c.sftp.rename, path, "moved")
        for extension, body in (("posix-rename@openssh.com", string(path) + string("moved")), ("hardlink@openssh.com", string(path) + string("linked")),
                                ("check-file-name", string(path) + string("sha256") + bytes(20)), ("lsetstat@openssh.com", string(path) + u32(0))):
            thief.denied(c.sftp.extended, extension, body, Fx.EXTENDED_REPLY)
        try:
            c.sftp.put(path, b"mine")  # an odd name of the thief's own, at the most
        except Status:
            return
        assert c.sftp.get(path) == b"mine"
        c.sftp.remove(path)
