"""CVE-2024-0204: Fortra GoAnywhere MFT, January 2024

There: two parts of the server read one path differently (`/..;/`), so that the first-run wizard could be reached on a running server, and made an administrator.
Needs: here a first-run form on a listener, or two readings of a path.
Here: P4, P1: an instance is made on the command line; there is one router, which refuses dot segments and never resolves them.
"""
import pytest

from lib.cases import house_paths

SPELLINGS = ("/goanywhere/images/..;/wizard/InitialAccountSetup.xhtml", "/goanywhere/..;/wizard/InitialAccountSetup.xhtml", "/wizard/InitialAccountSetup.xhtml", "/api/v1/info/..;/../init",
             "/api/v1/info;/wizard/InitialAccountSetup.xhtml", "/setup", "/install", "/init", "/api/v1/users", "/api/v1/info/../users", "/register")


@pytest.mark.parametrize("path", SPELLINGS)
def test_the_wizard(house, path):
    form = {"j_id_u:creteAdminGrid:username": "thief2", "j_id_u:creteAdminGrid:password_hinput": "correct horse battery", "j_id_u:creteAdminGrid:confirmPassword_hinput": "correct horse battery",
            "j_id_u:creteAdminGrid:submitButton": "", "createAdminForm_SUBMIT": "1", "javax.faces.ViewState": "rO0ABXVyABNbTGphdmEubGFuZy5PYmplY3Q7"}
    with house.attack() as thief:
        assert thief.refused("GET", path).status in (400, 404)
        assert thief.refused("POST", path, form=form).status in (400, 404, 405)


def test_two_readings_of_a_path(house):
    """A prefix that needs no login, then a way back to what does."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for way in ("/..;/", "/../", "/..%2f", "/%2e%2e/", "/.;/../", "/..%00/", "/%252e%252e/", "/..\\", "/..%5c", ";x/../"):
            for start in ("/api/v1/info", "/api/v1/token", "/static", "/images"):
                assert thief.refused("GET", f"{start}{way}files").status in (400, 401, 404)
            for who in (None, token):
                for rest in house_paths(house):
                    thief.refused("GET", f"/api/v1/files/by-path/Home/thief{way}..{way}{rest}", token=who)
