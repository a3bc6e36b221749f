"""CVE-2026-42167, CVE-2026-44331: ProFTPD mod_sql, 2026 (and its issues 2188, 2275, 2279: group names, empty passwords)

There: SQL in a user's name, and in the name that the client's address had in the DNS, before the login; and accounts with an empty password field let anybody in.
Needs: here a name that becomes SQL (the broker's statements are a fixed table), a look-up of the peer's name (nobody makes one), or an account without a password that takes any.
Here: P5: a name is a value; P4: an account without a password has no password login, and an empty password is wrong for all.
"""
import re

import pytest

from lib.cases import CHANNEL, SQL_SHAPES, tries
from lib.instance import PASSWORD
from lib.ssh_sftp import Fx, Status
from lib.ssh_wire import string, u32

SHAPES = SQL_SHAPES + ["victim%00", "victim\0]]x.lua", "../victim", "thief/../victim", "VICTIM\u0130", "${jndi:ldap://x}", "{{7*7}}", "<INCLUDE>users/MainUsers/groups.XML</INCLUDE>"]


@pytest.mark.parametrize("text", SHAPES, ids=repr)
def test_names_passwords_paths_versions(house, text):
    raw = text.encode()
    with house.attack(inside="thief") as thief:
        for user, password in ((raw, raw), (raw, PASSWORD.encode()), (b"victim", raw)):
            with thief.strange() as c:
                tries(c, c.request(user, "password", b"\0" + string(password)), CHANNEL)
        printable = re.sub(rb"[^ -~]", b"?", raw)
        with thief.ssh("thief", password=PASSWORD, version=b"SSH-2.0-x " + printable[:200]).to("sftp") as c:
            for path in (raw, b"/Home/" + raw, b"/Home/" + raw + b"/secret", raw + b"/../../victim/secret"):
                for kind, rest in ((Fx.OPEN, u32(1) + u32(0)), (Fx.STAT, b""), (Fx.OPENDIR, b""), (Fx.REMOVE, b""), (Fx.RMDIR, b""), (Fx.SETSTAT, u32(0))):
                    said = thief.denied(c.sftp.call, kind, string(path) + rest, Fx.HANDLE).text
                    assert "sql" not in said.lower() and "49" not in said


def test_empty_passwords(house):
    """At both doors, for everybody, and for names that are nobody's."""
    with house.attack() as thief:
        for user in ("victim", "neighbour", "careful", "boss", "root", "anonymous", "ftp", "guest", ""):
            thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": user, "password": ""})
            thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": user})
            with thief.strange(user) as c:
                tries(c, c.request(user, "password", b"\0" + string("")), c.request(user, "password", b"\1" + string("") + string("new password!")), c.request(user, "none"), CHANNEL)


def test_the_message_says_nothing_of_the_shape(house):
    with house.attack(inside="thief") as thief, thief.sftp() as c:
        said = set()
        for shape in SQL_SHAPES:
            try:
                c.sftp.stat(f"/Home/victim/{shape}")
            except Status as e:
                said.add((e.code, e.text))
        assert len(said) == 1, said
