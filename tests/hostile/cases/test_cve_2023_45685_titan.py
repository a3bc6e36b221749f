"""CVE-2023-45685: South River Titan MFT and SFTP, October 2023 (with its 45686 to 45690: WebDAV paths, sessions that can be fixed, sizes of what is outside, logs that all may read)

There: an archive was unpacked with the paths in it (zip slip); WebDAV and SIZE took paths out of the store; a session's number could be chosen before the login.
Needs: here an archive that is unpacked, a verb that looks at another path than the others do, a session named by the client.
Here: P6: an archive is a file; P4: a session's token is made at the login and told once; P1: sizes are those of rows.
"""
import io
import stat
import zipfile

from lib.cases import house_paths
from lib.ssh_sftp import Fx
from lib.ssh_wire import string


def test_archives(house):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        for name in ("../../../../../../" + str(house.trace).lstrip("/"), str(house.trace), "..\\..\\x", "/Home/victim/secret"):
            z.writestr(name, "ran")
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        z.writestr(link, "/etc/passwd")
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        home = thief.http("GET", "/api/v1/users/self", token=token).json()["homeFolderID"]
        body = b"--b\r\nContent-Disposition: form-data; name=\"unzip\"\r\n\r\ntrue\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"titan.zip\"\r\n\r\n" + data.getvalue() + b"\r\n--b--\r\n"
        thief.http("POST", f"/api/v1/folders/{home}/files?unzip=true&extract=1&expand=on", "Content-Type: multipart/form-data; boundary=b", body=body, token=token)
        with thief.sftp() as c:
            c.sftp.put("slip.zip", data.getvalue())
            assert "link" not in c.sftp.list(".")
            for verb in ("unzip", "SITE UNZIP", "decompress", "extract@example.com"):
                thief.denied(c.sftp.extended, verb, string("slip.zip"))


def test_sizes_of_what_is_outside(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        with thief.sftp() as c:
            for path in house_paths(house):
                for spelled in ("/" + path, "../../" + path, "//" + path):
                    for kind in (Fx.STAT, Fx.LSTAT):
                        thief.denied(c.sftp.call, kind, string(spelled), Fx.ATTRS)
                    fields = thief.refused("HEAD", f"/api/v1/files/by-path/{spelled}", token=token).fields
                    assert "etag" not in fields and fields["content-length"] != str(len(house.victim.small))


def test_a_session_that_was_chosen(house):
    chosen = "spa_" + "F" * 43
    with house.attack(inside="thief") as thief:
        reply = thief.http("POST", f"/api/v1/token?access_token={chosen}&session={chosen}", f"Cookie: SESSIONID={chosen}; access_token={chosen}; sid={chosen}", f"Authorization: Bearer {chosen}",
                           form={"grant_type": "password", "username": "thief", "password": "correct horse battery", "access_token": chosen, "refresh_token": chosen, "session": chosen})
        assert chosen not in reply.body.decode() and "set-cookie" not in reply.fields
        assert thief.refused("GET", "/api/v1/users/self", token=chosen).status == 401
        assert thief.refused("GET", f"/api/v1/users/self?access_token={chosen}", f"Cookie: SESSIONID={chosen}").status == 401


def test_nobody_else_reads_the_instance(house):
    """45690: the log and the database were readable by everybody on the machine."""
    with house.attack():
        def look(folder):
            for path in folder.iterdir():
                mode = path.lstat().st_mode
                assert not mode & 0o002 or path.is_socket(), f"{path} can be written by all: {mode:o}"
                if path.is_dir() and mode & 0o001:
                    look(path)
                assert not (path.is_file() and mode & 0o004) or path.suffix in (".crt", ".pub", ".conf"), f"{path} can be read by all: {mode:o}"

        if house.server.dir.stat().st_mode & 0o001:
            look(house.server.dir)
