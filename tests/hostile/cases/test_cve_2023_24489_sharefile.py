"""CVE-2023-24489: Citrix ShareFile storage zones controller, June 2023

There: a parameter was decrypted and only its padding looked at: one try in 256 had a fitting one, and what it said then did not matter; the name of the upload was a path into the web root.
Needs: here something encrypted but not authenticated that comes from a client, or an answer that tells a bad padding from a bad content; and a file name that is a path.
Here: P4, P6: tokens are random numbers, stored content is authenticated before its first byte is used, and all wrong values are answered alike.
"""
import base64
import re
import secrets

NAMES = ("x\\..\\..\\..\\cifs", "../../x", "..;/x", "x/../../../x.aspx", "C:\\inetpub\\x.aspx")


def same(reply):
    """What tells one answer from another, without what the request put there."""
    return reply.status, re.sub(rb'"instance":"[^"]*"', b"", reply.body)


def test_padding(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        seen, tokens = set(), set()
        block = secrets.token_bytes(31)
        for last in range(0, 256, 5):
            value = base64.b64encode(block + bytes([last])).decode().replace("+", "%2B").replace("/", "%2F")
            seen.add(same(thief.refused("POST", f"/documentum/upload.aspx?parentid={value}&raw=1&unzip=on&uploadid=x%5c..%5c..%5c..%5ccifs&filename=x.aspx", body="x")))
            tokens.add(same(thief.refused("GET", "/api/v1/files", token="spa_" + base64.urlsafe_b64encode(block + bytes([last])).decode().rstrip("="))))
        assert len(seen) == 1 and len(tokens) == 1, "one wrong value is answered otherwise than another"
        for kind in ("spa_", "spt_", "spr_", "spm_"):
            for n in (1, 16, 31, 32, 33, 48, 100):
                tokens.add(same(thief.refused("GET", "/api/v1/files", token=kind + base64.urlsafe_b64encode(bytes(n)).decode().rstrip("="))))
        assert len(tokens) == 1, tokens


def test_names_that_are_paths(house):
    """By multipart, where a file's name comes from the client: a name or nothing."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        home = thief.http("GET", "/api/v1/users/self", token=token).json()["homeFolderID"]
        for name in NAMES + ("/etc/cron.d/x", "..", ".", "x\0.txt"):
            body = f"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\nx\r\n--b--\r\n"
            reply = thief.http("POST", f"/api/v1/folders/{home}/files", "Content-Type: multipart/form-data; boundary=b", body=body, token=token)
            if reply.status == 201:
                assert reply.json()["path"].startswith("/Home/thief/") and "/" not in reply.json()["name"]
