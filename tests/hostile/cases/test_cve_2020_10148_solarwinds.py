"""CVE-2020-10148: SolarWinds Orion, December 2020

There: a request whose path had `WebResource.axd`, `i18n.ashx` or `Skipi18n` anywhere in it was let through without a login.
Needs: here a word in a path that decides whether a login is needed.
Here: P4: the route says whether a token is needed, and a route is the whole path.
"""
from lib.cases import house_paths

WORDS = ("WebResource.axd", "ScriptResource.axd", "i18n.ashx", "Skipi18n", "info", "token", "login", "static", "public", ".css", ".js", "favicon.ico", "healthcheck", "metrics", ".well-known/acme-challenge/x")


def test_words_that_open(house):
    with house.attack() as thief:
        for word in WORDS:
            for path in ("files", "folders", "users/self", "files/1/download", "folders/1/content", *(f"files/by-path/{p}" for p in house_paths(house))):
                for shape in (f"/api/v1/{path}/{word}", f"/api/v1/{path}?{word}", f"/api/v1/{path};{word}", f"/{word}/api/v1/{path}", f"/api/v1/{word}/{path}", f"/api/v1/{path}%3f{word}", f"/api/v1/{path}#{word}", f"/api/v1/{path}%23{word}"):
                    assert thief.refused("GET", shape).status in (400, 401, 404), shape
