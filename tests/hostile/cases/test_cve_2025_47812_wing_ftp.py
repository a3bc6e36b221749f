"""CVE-2025-47812, CVE-2026-44403: Wing FTP Server, July 2025 and 2026

There: the name was checked up to its NUL byte and written whole into a session file, which is Lua, and is run when the session is used: `anonymous%00]]…` was code, as root.
A year later the same through a field that administrators set.
Needs: here two ways to see where a text ends, and state that is program text.
Here: P6, P5: text has a length; a session is a row; a name with a control character is nobody's.
"""
from urllib.parse import quote

import pytest

from lib.cases import tries
from lib.ssh_wire import string

LUA = "]]\nlocal h = io.popen(\"touch TRACE\")\nlocal r = h:read(\"*a\")\nh:close()\nprint(r)\n--"


@pytest.mark.parametrize("name", ["anonymous", "victim", "thief", ""])
def test_a_name_with_an_end_in_it(house, name):
    with house.attack() as thief:
        code = LUA.replace("TRACE", str(house.trace))
        for end in ("\0", "%00", "\\0", "\r\n", "\u0000\u0000", "\x1a"):
            user = name + end + code
            for target in ("/loginok.html", "/dir.html", "/api/v1/token"):
                thief.refused("POST", target, "Cookie: client_lang=english; UID=0123456789abcdef", "Content-Type: application/x-www-form-urlencoded", body=f"grant_type=password&username={quote(user)}&password=x")
                thief.refused("POST", target, "Content-Type: application/x-www-form-urlencoded", body=f"grant_type=password&username={name}{quote(end)}&password={quote(code)}")
            with thief.strange(user) as c:
                tries(c, c.request(user, "password", b"\0" + string("x")))
            thief.refused("GET", f"/api/v1/files/by-path/{quote(user, safe='')}")
        for _ in range(3):  # where the session file would be run
            thief.refused("POST", "/dir.html", "Cookie: UID=0123456789abcdef; client_lang=english")


def test_a_right_login_with_more_behind_it(house):
    """The thief's own name and password, ended early: what is behind is part of the name, which is nobody's."""
    with house.attack() as thief:
        for user in ("thief\0", "thief\0x", "thief%00", "thief\0]]os.execute('x')--"):
            thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": user, "password": "correct horse battery"})
            thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "thief", "password": "correct horse battery\0x"})
            with thief.strange(user) as c:
                tries(c, c.request(user, "password", b"\0" + string("correct horse battery")))


def test_fields_of_administrators(house):
    """44403: what an administrator sets is text too; names that are none are refused."""
    code = LUA.replace("TRACE", str(house.trace))
    with house.attack(changes=("user", "user.changed")):
        for field in ("--full-name", "--email"):
            house.server.run("user", "set", "thief", field, code, check=False)
        for path in ("/Home/thief/x\n]]", "/Home/thief/../z", "/Home/", "/Home/.", "/Home/thief/", "/Home/thief/x\x1b[0m", "/Home/none/x", "Home/thief/x"):
            assert house.server.run("folder", "add", path, check=False).code != 0, path
        house.server.run("user", "set", "thief", "--full-name", "", "--email", "", check=False)
        house.server.run("user", "list")
