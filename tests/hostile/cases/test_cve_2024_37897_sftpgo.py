"""CVE-2024-37897: SFTPGo, June 2024

There: whoever may not log in (an address rule, an expired or suspended account) could still have a new password made by the page for forgotten ones.
Needs: here a way to change a credential that is not a login.
Here: P4: no request without a proof changes an account; a suspended account is out of every door, with whatever token or key it has.
"""
import pytest

PATHS = ("/api/v1/users/self/password", "/api/v1/password/reset", "/api/v1/users/password", "/forgot-password", "/reset-password", "/web/client/forgot-password", "/web/client/reset-password", "/api/v2/users/victim/forgot-password",
         "/api/v2/users/victim/reset-password", "/api/v1/auth/requestpasswordchange", "/human.aspx?OrgID=1&arg12=passwordchange", "/api/v1/users/1")


@pytest.mark.parametrize("who", ["victim", "thief"])
def test_forgotten_passwords(house, who):
    with house.attack() as thief:
        for path in PATHS:
            for method in ("GET", "POST", "PUT", "PATCH"):
                thief.refused(method, path, **({} if method == "GET" else {"json": {"username": who, "password": "a new password!", "newPassword": "a new password!", "code": "123456", "email": "x@example.com"}}))
        for grant in ("forgot_password", "reset", "change_password"):
            thief.refused("POST", "/api/v1/token", form={"grant_type": grant, "username": who, "password": "x", "new_password": "a new password!", "newPassword": "a new password!"})


def test_a_suspended_account(build):
    house = build()
    token, refresh = house.careful.session["access_token"], house.careful.session["refresh_token"]
    house.server.run("user", "suspend", "careful")
    house.people.pop("careful")  # has no access any more, which is the point
    with house.attack() as thief:
        for t in (token, house.careful.token):
            assert thief.refused("GET", "/api/v1/users/self", token=t).status == 401
            thief.refused("GET", "/api/v1/files/by-path/Home/careful/secret", token=t)
        thief.refused("POST", "/api/v1/token", form={"grant_type": "refresh_token", "refresh_token": refresh})
        thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "careful", "password": house.careful.password})
        with thief.strange("careful") as c:
            assert c.try_key(house.careful.key) is not True
            assert c.try_password(house.careful.password) is not True
