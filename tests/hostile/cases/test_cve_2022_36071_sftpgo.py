"""CVE-2022-36071: SFTPGo, September 2022

There: recovery codes could be had and used before the second factor was set up: a password alone made a way around it.
Needs: here a second way around the second factor: another grant, another door, the ticket taken for a token, a code used twice.
Here: P4: the second factor is the account's and holds at every door; the ticket opens nothing by itself.
"""
import time

from lib.cases import CHANNEL, tries
from lib.sftp import one_time_code
from lib.ssh_wire import string


def test_a_password_alone(house):
    careful = house.careful
    with house.attack() as thief:
        for extra in ({}, {"otp": ""}, {"otp": "000000"}, {"recovery_code": "x"}, {"otp": "null"}, {"mfa": "false"}, {"mfa_remember_this_device": "true"}, {"otp": "123456", "mfa_type": "email"}, {"device_token": "x"}):
            reply = thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "careful", "password": careful.password, **extra})
            if reply.status == 401:
                ticket = reply.json()["mfa_access_token"]
                assert thief.refused("GET", "/api/v1/users/self", token=ticket).status == 401
                for grant in ("refresh_token", "password", "otp", "recovery", "email_otp"):
                    thief.refused("POST", "/api/v1/token", form={"grant_type": grant, "refresh_token": ticket, "mfa_access_token": ticket, "otp": "000000", "recovery_code": "x", "username": "careful"})
        for path in ("/api/v1/users/self/mfa", "/api/v1/2fa/recoverycodes", "/api/v2/user/2fa/recoverycodes", "/api/v1/users/self/otp", "/api/v1/users/otp"):
            thief.refused("GET", path)
            thief.refused("POST", path, json={"username": "careful"})
        with thief.strange("careful") as c:
            assert c.try_password(careful.password) is not True
            assert c.try_interactive(careful.password, "000000") is not True
            tries(c, CHANNEL)
        with thief.strange("careful") as c:
            tries(c, c.request("careful", "password", b"\1" + string(careful.password) + string("another password")), CHANNEL)


def test_a_code_that_was_seen(house):
    """Somebody looked over careful's shoulder: a code is good once, whoever used it."""
    code = one_time_code(house.careful.seed, int(time.time()))
    with house.server.anonymous() as c:
        login = house.server.grant(c, grant_type="password", username="careful", password=house.careful.password, otp=code)
        assert login.status_code in (200, 400), "a second run within half a minute finds the code used"
    with house.attack() as thief:
        thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "careful", "password": house.careful.password, "otp": code})
        with thief.strange("careful") as c:
            assert c.try_interactive(house.careful.password, code) is not True
