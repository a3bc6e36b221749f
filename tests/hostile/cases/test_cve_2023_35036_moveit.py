"""CVE-2023-35036, CVE-2023-35708, CVE-2023-36932, CVE-2023-36933, CVE-2023-36934: MOVEit Transfer, June and July 2023

There: six more holes of the same tier in six weeks: SQL and privilege escalation through fields of endpoints that nobody had looked at yet.
Needs: here one value among all that a client can send (path, query, field, form, JSON, cookie) that becomes part of a statement.
Here: P5: workers speak typed messages and SQL is a fixed table, so a value is only ever a value: the same answer as to any wrong value, in the same time.
"""
import re
import time
from urllib.parse import quote

import pytest

from lib.cases import SQL_SHAPES
from lib.instance import TOP


def routes():
    """Every public route of routes.def: new ones are attacked as they come."""
    text = (TOP / "src/rooms/gate/https/routes.def").read_text()
    return re.findall(r'^ROUTE\("(\w+)",\s*"([^"]+)", PUBLIC', text, re.M)


PARAMETERS = ("page", "perPage", "sortField", "sortDirection", "name", "path", "sinceDate", "newOnly", "fileId", "uploadType", "orgID", "id", "access_token")
FIELDS = ("User-Agent", "Cookie", "Authorization", "Referer", "X-Forwarded-For", "Accept-Language", "If-Match", "If-None-Match", "Range", "Content-Type", "Expect")


@pytest.mark.parametrize("shape", SQL_SHAPES, ids=repr)
def test_statements_everywhere(house, shape):
    encoded = quote(shape, safe="")
    printable = re.sub(r"[^ -~]", "?", shape)
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for method, pattern in routes():
            path = re.sub(r"\{\w+(\.\.\.)?\}", encoded, pattern)
            body = {} if method in ("GET", "DELETE") else {"json": {"name": shape, "grant_type": shape, "username": shape, "password": shape, "token": shape, "id": shape}}
            if pattern.startswith("/app/"):  # the portal's page, whatever the place
                assert thief.http(method, path).body == thief.http("GET", "/").body
                continue
            for who in (None, token):
                ask = thief.refused if "{" in pattern else thief.http
                assert ask(method, path, token=who, **body).status < 500
        thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": shape, "password": shape})
        thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": f"victim{shape}", "password": shape, "otp": shape})
        for address in ("/api/v1/files", "/api/v1/folders", "/api/v1/folders/1/content", "/api/v1/users/self"):
            query = "&".join(f"{p}={encoded}" for p in PARAMETERS)
            for q in (query, *(f"{p}={encoded}" for p in PARAMETERS[:6])):
                reply = thief.http("GET", f"{address}?{q}", token=token)
                assert reply.status < 500 and b"sql" not in reply.body.lower(), reply
        for field in FIELDS:
            reply = thief.http("GET", "/api/v1/files", f"{field}: {printable}", *([f"Authorization: Bearer {token}"] if field != "Authorization" else []))
            assert 200 <= reply.status < 500 and b"sql" not in reply.body.lower(), reply
        thief.http("GET", "/api/v1/info", host=printable)


def test_nothing_waits_for_the_database(house):
    """Blind injection asks by time: no statement sleeps or computes on a client's behalf."""
    with house.attack() as thief:
        for shape in ("' OR sleep(3) --", "'; WAITFOR DELAY '0:0:3' --", "' AND 1=(SELECT COUNT(*) FROM file a, file b, file c, file d, file e, file f, file g, file h) --",
                      "' OR randomblob(1000000000) --", "'||load_extension('x')||'"):
            begin = time.monotonic()
            thief.refused("GET", f"/api/v1/files/by-path/Home/{quote(shape, safe='')}", token="spa_" + quote(shape, safe=""))
            assert time.monotonic() - begin < 2.5
