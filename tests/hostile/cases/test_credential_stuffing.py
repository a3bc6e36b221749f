"""CREDENTIAL STUFFING: names and passwords of other thefts, tried at every door (Fortra's hosted customers, ShareFile in 2026 and all others)

There: one right pair among a million was enough, and nobody had counted the wrong ones; or the counting locked the victims out.
Needs: here an address that may go on guessing, or an answer that tells a right name from a wrong one.
Here: P4, P9: an address is shut out after LockoutAddress failures whatever the names, at both doors together, even with a right pair; the victim's own address is not; and all is on record.
"""
import contextlib
import re

import pytest

from lib.cases import tries
from lib.ssh_wire import Closed, string

LISTS = [(f"user{n}", password) for n in range(12) for password in ("123456", "password", "Summer2026!")] + [(name, "123456") for name in ("admin", "root", "test", "backup", "ftp", "sftp", "oracle", "svc-mft")]


@pytest.fixture
def house(build):
    return build(LockoutFailures="5", LockoutAddress="14", LockoutTime="10m")


def answer(reply):
    return reply.status, re.sub(rb'"instance":"[^"]*"', b"", reply.body)


def test_a_list(house):
    victim = house.victim
    with house.attack(changes=("login", "session")) as thief:
        thief.source = "127.66.6.6"
        wrong = {answer(thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": name, "password": "nonsense"})) for name in ("victim", "nobody-of-that-name", "boss", "careful", "neighbour", "thief")}
        assert len(wrong) == 1, f"a right name is told from a wrong one: {wrong}"
        for n, (user, password) in enumerate(LISTS):
            reply = thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": user, "password": password})
            if reply.status in (0, 429):  # not answered at all: banned by now
                break
        assert reply.status in (0, 429) and n < 14 and (reply.status == 0 or "retry-after" in reply.fields), "the address may go on guessing"
        # the right pair does not help any more, at either door
        thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "victim", "password": victim.password})
        with contextlib.suppress(OSError, Closed), thief.strange("victim") as c:
            tries(c, c.request("victim", "password", b"\0" + string(victim.password)))
        assert not thief.seen("login", 0, user="victim")
        # and the victim works on, from where the victim is
        reply = thief.house.server.grant(house.server.anonymous(), grant_type="password", username="victim", password=victim.password)
        assert reply.status_code == 200
        assert (thief.seen("login.lockout", addr="127.66.6.6") or thief.seen("address.banned", 0)) and thief.seen("login.failed", addr="127.66.6.6")
    assert "123456" not in str(thief.record) and victim.password not in str(thief.record)


def test_one_account_from_one_address(house):
    """Behind five wrong ones the right one is refused, from there; others from there are not."""
    with house.attack(changes=("login", "session")) as thief:
        thief.source = "127.66.6.7"
        for _ in range(5):
            thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "victim", "password": "nonsense"})
        thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "victim", "password": house.victim.password})
        assert house.server.grant(house.server.anonymous(), grant_type="password", username="victim", password=house.victim.password).status_code == 200


def test_an_account_from_many_addresses(house):
    """One guess each: nobody is locked out by it, and each is on record."""
    with house.attack(changes=("login", "session")) as thief:
        for _ in range(12):
            thief.elsewhere()
            thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "victim", "password": "nonsense"})
        assert house.server.grant(house.server.anonymous(), grant_type="password", username="victim", password=house.victim.password).status_code == 200
        assert len(thief.seen("login.failed", user="victim")) == 12
