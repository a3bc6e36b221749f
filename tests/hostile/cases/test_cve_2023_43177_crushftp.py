"""CVE-2023-43177: CrushFTP, August 2023

There: the headers of an AS2 request became properties of the session, all of them, "user_name" and "user_log_path" included: files moved about without a login, sessions read, then code.
Needs: here a request field, form field or JSON member that sets something about the caller because it has the right name.
Here: P4, P5: fields that a route does not take are not looked at, and a caller is who the token says.
"""
from lib.instance import PASSWORD

PROPERTIES = {"user_name": "victim", "current_password": "x", "user_log_path": "../../x", "user_log_file": "victim", "username": "victim", "user": "victim", "userID": "1", "orgID": "2", "org": "other", "permission": "SysAdmin",
              "level": "6", "isAdmin": "true", "admin": "true", "homeFolderID": "1", "owner": "1", "scope": "admin", "listener": "admin", "status": "Active", "serial": "1", "home": "/", "root": "/", "created_us": "0"}


def test_properties_of_a_stranger(house):
    with house.attack() as thief:
        fields = [f"{name}: {value}" for name, value in PROPERTIES.items()]
        thief.refused("POST", "/WebInterface/function/?command=getUsername", "as2-to: X", *fields, body="post=body")
        assert thief.refused("GET", "/api/v1/files", *fields, "as2-to: X").status == 401
        for extra in (PROPERTIES, {f"user.{k}": v for k, v in PROPERTIES.items()}, {f"user[{k}]": v for k, v in PROPERTIES.items()}, {"__proto__": "x", "class.module.classLoader": "x"}):
            thief.refused("POST", "/api/v1/token", *fields, form={**extra, "grant_type": "password", "username": "victim", "password": "wrong"})
            thief.refused("POST", "/api/v1/token", *fields, form={"grant_type": "password", "username": "victim", "password": "wrong", **extra})


def test_properties_of_an_insider(house):
    """A login, a folder and lists, each with one property too many: no one gets more by it."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        home = thief.http("GET", "/api/v1/users/self", token=token).json()["homeFolderID"]
        for name, value in PROPERTIES.items():
            reply = thief.http("POST", "/api/v1/token", f"{name}: {value}", form={"grant_type": "password", "username": "thief", "password": PASSWORD, name: value})
            assert b"access_token" in reply.body or name in ("orgID", "username"), "these two are fields of the form: of another organisation, and another user"
            me = thief.http("GET", f"/api/v1/users/self?{name}={value}", f"{name}: {value}", token=token).json()
            assert (me["username"], me["permission"], me["orgID"]) == ("thief", "User", 1)
            made = thief.http("POST", f"/api/v1/folders/{home}/subfolders", f"{name}: {value}", json={"name": f"f-{name}", name: value, "inheritPermissions": "None"}, token=token)
            assert made.status == 201 and made.json()["path"] == f"/Home/thief/f-{name}"
            for method in ("PUT", "PATCH", "POST"):
                thief.refused(method, "/api/v1/users/self", json={name: value}, token=token)
                thief.refused(method, f"/api/v1/folders/{home}", json={name: value}, token=token)
            files = thief.http("GET", f"/api/v1/files?{name}={value}", f"{name}: {value}", token=token).json()["items"]
            assert all(row["path"].startswith("/Home/thief/") for row in files)
