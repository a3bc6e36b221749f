"""WEB SHELL: LEMURLOOT, DEWMODE, Errors.jsp, `.jsp` of 2025: a program is stored where the server runs programs (attacks.md 3.3 number 2)

There: the store, the web root and the place of the server's own programs were one disk, and the web server ran what it found there by its name.
Needs: here a file of a client's that keeps its bytes on the server's disk, has a name there, or lies where something is run.
Here: P6: content is ciphertext under a number, without an execute bit; interface files are in the program; a download is an attachment.
"""
import os
import stat
from urllib.parse import quote

from lib.lists import SCRIPTS


def test_stored_and_asked_for(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        texts = {name: (text.replace("TRACE", str(house.trace)) + "\n# shell " + house.trace.name * 200).encode() for name, text in SCRIPTS.items()}
        large = {f"large-{name}": (text * (100_000 // len(text) + 1))[:100_000] for name, text in list(texts.items())[:5]}
        for name, text in {**texts, **large}.items():
            assert thief.http("PUT", f"/api/v1/files/by-path/Home/thief/{quote(name)}", "Content-Type: application/x-httpd-php", body=text, token=token).status in (201, 204)
        with thief.sftp() as c:
            for name, text in texts.items():
                c.sftp.put("s-" + name, text)
                c.sftp.call(9, (len("s-" + name)).to_bytes(4, "big") + ("s-" + name).encode() + (4).to_bytes(4, "big") + (0o4777).to_bytes(4, "big"))  # SETSTAT: set-user-id and executable
        for name in texts:
            for path in (f"/{quote(name)}", f"/Home/thief/{quote(name)}", f"/uploads/{quote(name)}", f"/files/{quote(name)}?cmd=id", f"/api/v1/{quote(name)}", f"/static/../Home/thief/{quote(name)}", f"/cgi-bin/{quote(name)}", f"/~thief/{quote(name)}"):
                for method in ("GET", "POST"):
                    thief.refused(method, path, "X-siLock-Comment: x", "Accept: text/html", token=token)
        for name, text in texts.items():
            reply = thief.http("GET", f"/api/v1/files/by-path/Home/thief/{quote(name)}", token=token)
            assert reply.body == text and reply.fields["content-disposition"].startswith("attachment") and reply.fields["content-type"] == "application/octet-stream"
        # on the disk: nothing of it can be found, and nothing can be run
        for path in house.server.dir.rglob("*"):
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode):
                assert not stat.S_ISLNK(mode), f"{path} is a link"
                continue
            assert not mode & 0o111 and not mode & (stat.S_ISUID | stat.S_ISGID), f"{path} is executable"
            if path.relative_to(house.server.dir).parts[0] != "ledger" and os.access(path, os.R_OK):
                data = path.read_bytes()
                assert not any(text[:60] in data for text in texts.values() if len(text) > 60), f"{path} has a shell in the clear"
            if "blobs" in path.parts:
                assert not any(name in path.name for name in texts), f"{path} has a client's name"
