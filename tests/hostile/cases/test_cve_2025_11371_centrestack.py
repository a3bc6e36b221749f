"""CVE-2025-11371: Gladinet CentreStack and Triofox, autumn 2025

There: a file of the server could be read without a login (`/storage/t.dn?s=..\\..\\Web.config`); its machine key then signed a serialised view state, which was code.
Needs: here a path in a query that a file is opened by, a configuration with a key in it within reach, and something that is deserialised because it is signed.
Here: P1, P6: workers have no files; keys lie where the web does not reach, and sign nothing that a client brings.
"""
import base64
import hashlib
import hmac

from lib.cases import house_paths


def test_a_configuration_read(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for path in house_paths(house) + ["Program Files (x86)/Gladinet Cloud Enterprise/root/Web.config", "sallyport.conf", "keys/root.key", "db/sallyport.db"]:
            for way in ("..\\..\\..\\", "../../../", "/", "..%5c..%5c..%5c", "....//....//"):
                shown = (way + path).replace(" ", "+")
                for who in (None, token):
                    thief.refused("GET", f"/storage/t.dn?s={shown}&sid=1", token=who)
                    thief.refused("GET", f"/storage/filesvr.dn?t={shown}", token=who)
                    thief.refused("GET", f"/api/v1/files/1?s={shown}&sid=1&path={shown}", token=None)


def test_a_signed_view_state(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        state = b"\xff\x01\x32" + b"System.Web.UI.ObjectStateFormatter" + bytes(40)
        for key in (b"5496832242CC3228E292EEFFCDA089149D789E0C4D7C1A5D02BC542F7C6279BE9DD770C9EDD5D67C66B7E621411D3E57EA181BBF89FD21957DCDDFACFD926E16", bytes(64)):
            signed = base64.b64encode(state + hmac.new(key, state, hashlib.sha256).digest()).decode()
            for who in (None, token):
                for path in ("/portal/loginpage.aspx", "/portal/", "/api/v1/token", "/api/v1/folders/1/files"):
                    thief.refused("POST", path, form={"__VIEWSTATE": signed, "__VIEWSTATEGENERATOR": "3FE2630A", "__EVENTVALIDATION": signed, "grant_type": "__VIEWSTATE"}, token=who)
