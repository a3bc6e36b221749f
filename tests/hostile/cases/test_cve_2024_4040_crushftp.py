"""CVE-2024-4040: CrushFTP, April 2024

There: every request gets an anonymous session, and what is sent goes through the server's own template engine: `<INCLUDE>users/MainUsers/groups.XML</INCLUDE>` read any
file, sessions.obj among them; and the word "password" in a request made the log hide it.
Needs: here a template language that sees a client's bytes, a session before a login, and a log that can be talked out of an entry.
Here: P6, P4: nothing is evaluated; no session without a proof; P9: what was tried is on record whole, and what was typed as a password never is.
"""
from urllib.parse import quote

import pytest

from lib.cases import tries
from lib.instance import PASSWORD
from lib.ssh_sftp import Fx
from lib.ssh_wire import string, u32

FILES = ("users/MainUsers/groups.XML", "sessions.obj", "/etc/passwd", "keys/root.key", "../instance/sallyport.conf", "/proc/self/environ", "file:///etc/passwd")
TEMPLATES = ("<INCLUDE>{}</INCLUDE>", "{{% include '{}' %}}", "<!--#include file=\"{}\"-->", "<%@ include file=\"{}\" %>", "%{{{}}}", "${{file:{}}}", "{{{{7*7}}}}{}", "{{working_dir}}{}", "<SPEED>{}</SPEED>")


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates(house, template):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        cookie = "Cookie: CrushAuth=1700000000000_abcdefghijklmnopqrstuvwxyz0123; currentAuth=0123"
        for file in FILES:
            text = template.format(file)
            for command in ("zip", "getUsername", "exists"):
                thief.refused("POST", "/WebInterface/function/", cookie, form={"command": command, "path": text, "names": "/x", "c2f": "0123"})
                thief.refused("POST", f"/WebInterface/function/?command={command}&c2f=0123&path={quote(text)}&names=/a&password=x", cookie)
            reply = thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": text, "password": text})
            assert b"root:" not in reply.body
            for who in (None, token):
                reply = thief.refused("GET", f"/api/v1/files/by-path/Home/thief/{quote(text, safe='')}", token=who)
                assert b"49" not in reply.body.replace(quote(text).encode(), b"") and b"root:" not in reply.body
        with thief.sftp() as c:
            name = template.format("x").replace("/", "_")
            c.sftp.put(name, template.format("/etc/passwd").encode())
            assert c.sftp.get(name) == template.format("/etc/passwd").encode(), "content is what was sent"
            c.sftp.remove(name)
            assert b"root:" not in b"".join(bytes(s) for s in thief.loot)
            for kind, rest in ((Fx.OPEN, u32(1) + u32(0)), (Fx.STAT, b""), (Fx.OPENDIR, b"")):
                thief.denied(c.sftp.call, kind, string(template.format("keys/root.key")) + rest, Fx.HANDLE)


def test_no_session_before_a_login(house):
    with house.attack() as thief:
        for path in ("/WebInterface/", "/WebInterface/login.html", "/", "/api/v1/info", "/api/v1/files"):
            assert "set-cookie" not in thief.http("GET", path).fields


def test_what_is_on_record_is_whole(house):
    """Words in an attempt do not make it disappear, and what was typed as a password is never there."""
    with house.attack() as thief:
        thief.elsewhere()
        for name in ("password=victim", "password victim", "pass:", "********"):
            with thief.strange(name) as c:
                tries(c, c.request(name, "password", b"\0" + string("hunter2 is my password")))
            thief.refused("POST", "/api/v1/token", "User-Agent: password", form={"grant_type": "password", "username": name, "password": "hunter2 is my password"})
            assert len([e for e in thief.seen("login.failed") if name in str(e)]) >= 1, f"{name} is not on record"
    assert "hunter2" not in str(house.server.audit()) and "hunter2" not in house.server.log() and PASSWORD not in str(house.server.audit())
