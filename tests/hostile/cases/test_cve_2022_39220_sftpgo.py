"""CVE-2022-39220, CVE-2026-49245: SFTPGo, September 2022 and 2026

There: a file's name or content was shown by the browser as part of the site (`inline`), and its script had the session of whoever looked.
Needs: here a stored file or a reflected name that a browser would run as the site's.
Here: P6: content goes out as an attachment, as bytes, in a sandbox without scripts, whatever it is called and whatever the request asks for; what is reflected is JSON.
"""
from urllib.parse import quote

from lib.lists import SCRIPTS
from lib.ssh_sftp import Status

NAMES = ["<script>alert(1)<script>", "\"><img src=x onerror=alert(1)>.html", "x.html\"; filename=\"y", "javascript:alert(1)", "x.svg", "'-alert(1)-'", "a;b=c.html", "x.html;inline"]


def test_stored(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for name in NAMES + list(SCRIPTS):
            target = "/api/v1/files/by-path/Home/thief/" + quote(name, safe="")
            assert thief.http("PUT", target, "Content-Type: text/html", body=b"<script>alert(1)</script>", token=token).status in (201, 204)
            number = next(row["id"] for row in thief.http("GET", "/api/v1/files?perPage=1000", token=token).json()["items"] if row["name"] == name)
            for asked in (target, target + "?inline=true", target + "?inline=1&response-content-type=text/html&response-content-disposition=inline", f"/api/v1/files/{number}/download", f"/api/v1/files/{number}/download?inline=1"):
                reply = thief.http("GET", asked, "Accept: text/html", "Sec-Fetch-Dest: iframe", token=token)
                assert reply.status == 200 and reply.body == b"<script>alert(1)</script>"
                f = reply.fields
                assert f["content-disposition"].startswith("attachment;") and "inline" not in f["content-disposition"].partition(";")[0]
                assert f["content-type"] == "application/octet-stream" and f["x-content-type-options"] == "nosniff" and "sandbox" in f["content-security-policy"]
            assert thief.http("DELETE", target, token=token).status == 204


def test_reflected(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for name in NAMES:
            for target in ("/" + quote(name, safe=""), f"/api/v1/files/by-path/{quote(name, safe='')}", f"/api/v1/files/{quote(name, safe='')}", f"/api/v1/files?sortField={quote(name, safe='')}"):
                for who in (None, token):
                    reply = thief.http("GET", target, "Accept: text/html", f"Referer: {quote(name)}", token=who)
                    assert "html" not in reply.fields["content-type"] and reply.fields["x-content-type-options"] == "nosniff"
                    assert "location" not in reply.fields or "script" not in reply.fields["location"]


def test_a_name_with_a_line_of_its_own(house):
    """A header field of the thief's making, through a name."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for name in ("x\r\nSet-Cookie: a=b", "x\nLocation: http://x/", "x\r\n\r\n<script>"):
            reply = thief.http("PUT", "/api/v1/files/by-path/Home/thief/" + quote(name, safe=""), body=b"x", token=token)
            assert reply.status in (400, 422) and "set-cookie" not in reply.fields
            with thief.sftp() as c:
                try:
                    c.sftp.put(name, b"x")
                except Status:
                    continue
                raise AssertionError("a name with a line break was taken")
