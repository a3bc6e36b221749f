"""CVE-2023-34362: MOVEit Transfer, the mass theft of May 2023 (attacks.md 3.1)

There: one header was looked for by substring in a front DLL, so that anybody set session variables, one of which went into SQL; from there to a forged
administrator, a token, the organisation's key, a deserialised upload state, a web shell, and everybody's files, in minutes.
Needs: here the attacker would need a second way to a session, SQL behind a worker's message, an administrator who can be used from the internet, an object
that is deserialised, and a folder from which anything runs: five things that are not there.
Here: P1, P4, P5, P6: none of the twelve steps gets further than its own refusal; P2: what was not read is not on record as read.
"""
import base64
import gzip
import json
import os
import re

import pytest

from lib.ssh_wire import Closed

SQL = "x'; UPDATE hostpermits SET Host='*.*.*.*'; INSERT INTO users (Username, Permission, Password) VALUES ('thief','40','x'); --"


def test_headers_and_session_variables(house):
    """Steps 1 to 3: whose server it is; one header that carries another's name; session variables from headers."""
    with house.attack() as thief:
        thief.http("GET", "/")
        for test in ("X-siLock-Test: abcdX-SILOCK-Transaction: folder_add_by_path", "xx-silock-transaction: folder_add_by_path"):
            for action in ("m2", "capa", ""):
                for method in ("GET", "POST"):
                    thief.refused(method, f"/moveitisapi/moveitisapi.dll?action={action}", test, "X-siLock-Transaction: session_setvars", "X-siLock-SessVar0: MyPkgID: 0",
                                  "X-siLock-SessVar1: MyUsername: Guest", "X-siLock-SessVar2: MyPkgAccessCode: accesscode", f"X-siLock-SessVar3: MyPkgSelfProvisionedRecips: {SQL}",
                                  "Cookie: ASP.NET_SessionId=abcdefghijklmnopqrstuvwx; siLockLongTermInstID=0")
        # the same headers on our own routes say nothing about who is asking
        for field in ("X-siLock-SessVar0: MyUsername: victim", "X-siLock-Username: victim", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-User: victim", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1",
                      "X-Original-URL: /api/v1/files", "X-Rewrite-URL: /api/v1/files", "X-HTTP-Method-Override: GET", "Cookie: siLockLongTermInstID=1; access_token=spa_x"):
            assert thief.refused("GET", "/api/v1/files", field).status == 401
            assert thief.refused("GET", "/machine2.aspx", field, "X-siLock-Transaction: session_setvars").status == 404


def test_guest_access_and_sql(house):
    """Steps 4 to 6a: a token for the form, then stacked statements in a field of it."""
    with house.attack() as thief:
        thief.refused("POST", "/guestaccess.aspx", form={"Arg06": "accesscode", "Arg12": "promptaccesscode"})
        for transaction in ("secmsgpost", "signon", "dummy"):
            thief.refused("POST", "/guestaccess.aspx", "Cookie: ASP.NET_SessionId=x", form={"transaction": transaction, "Arg01": "email_subject", "Arg04": "email_body", "Arg05": "send", "Arg06": "accesscode",
                          "Arg08": "email_note", "Arg09": "attachment_list", "csrftoken": "0" * 40, "siLockCSRF": "x"})
        for name in ("victim", "thief", "sysadmin", SQL):
            thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": name, "password": SQL})
        thief.elsewhere()
        thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": "Guest", "password": SQL})
        assert thief.seen("login.failed", user="Guest")


def jwt(algorithm, key="https://{}/metadata/json/1"):
    head = {"typ": "JWT", "alg": algorithm, "kid": "1", "x5t": "x"}
    body = {"aud": "https://127.0.0.1/", "appctx": json.dumps({"msexchuid": "victim", "amurl": key}), "iss": "victim@x", "username": "victim", "sub": "victim", "permission": "40", "exp": 9999999999}
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, body)) + "." + ("" if algorithm == "none" else "c2ln")


def test_tokens_of_a_provider_of_the_thiefs(house):
    """Step 6b: a signed statement of a provider that the thief brought along, and other tokens that the server did not make."""
    with house.attack() as thief:
        for algorithm in ("RS256", "none", "HS256"):
            token = jwt(algorithm, f"http://{house.call}/metadata")
            for form in ({"grant_type": "external_token", "external_token_type": "MicrosoftOutlook", "external_token": token, "language": "en"},
                         {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": token}, {"grant_type": "session", "session": token}, {"grant_type": "code", "code": token},
                         {"grant_type": "refresh_token", "refresh_token": token}, {"grant_type": "otp", "mfa_access_token": token, "otp": "000000"}):
                thief.refused("POST", "/api/v1/token", form=form)
            assert thief.refused("GET", "/api/v1/users/self", token=token).status == 401
        for kind in ("spa_", "spr_", "spm_", "spt_", ""):
            for value in ("A" * 43, "0" * 43, "_" * 43, house.victim.token[4:47].swapcase(), "boss", "SYSTEM", "*", "%", "' OR ''='"):
                assert thief.refused("GET", "/api/v1/files", token=kind + value).status in (400, 401)


def test_upload_state_and_web_shell(house):
    """Steps 7 to 12, with a user's login: an upload whose comment is a serialised object, its state named in a request; a web shell stored; its own protocol spoken."""
    gadget = base64.b64decode("AAEAAAD/////AQAAAAAAAAAMAgAAAA==") + b"System.Windows.Data.ObjectDataProvider" + f"cmd /c touch {house.trace}".encode()
    shell = b"<%@ Page Language=\"C#\" %><% System.Diagnostics.Process.Start(\"touch\", \"" + str(house.trace).encode() + b"\"); %>"
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        home = thief.http("GET", "/api/v1/users/self", token=token).json()["homeFolderID"]
        for comment in (base64.b64encode(gadget), gadget, gzip.compress(gadget)):
            part = b"--b\r\nContent-Disposition: form-data; name=\"comments\"\r\n\r\n" + comment + b"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"s" + os.urandom(4).hex().encode() + b"\"\r\n\r\nx\r\n--b--\r\n"
            thief.http("POST", f"/api/v1/folders/{home}/files?uploadType=resumable", "Content-Type: multipart/form-data; boundary=b", body=part, token=token)
            thief.http("PUT", f"/api/v1/folders/{home}/files?uploadType=resumable&fileId=1", "Content-Type: application/octet-stream", "Content-Range: bytes 0-0/1", body=comment, token=token)
        for name in ("human2.aspx", "human2.aspx.lnk", "App_Web_x.dll", "web.config", "x.cmdline"):
            assert thief.http("PUT", f"/api/v1/files/by-path/Home/thief/{name}", body=shell, token=token).status == 201
        for path in ("/human2.aspx", "/Home/thief/human2.aspx", "/MOVEitTransfer/wwwroot/human2.aspx", "/api/v1/human2.aspx"):
            for step in ("-1", "-2", "0"):
                thief.refused("GET", path, "X-siLock-Comment: 7c3a0e6d-2f3b-4a5c-9d8e-123456789abc", f"X-siLock-Step1: {step}", "X-siLock-Step2: 1", "X-siLock-Step3: 1")
        back = thief.http("GET", "/api/v1/files/by-path/Home/thief/human2.aspx", token=token)
        assert back.body == shell and back.fields["content-disposition"].startswith("attachment") and back.fields["content-type"] == "application/octet-stream"
        own = {re.sub(r"^/Home/thief(/.*)?$", "", row["path"]) for row in thief.http("GET", "/api/v1/files?perPage=1000", token=token).json()["items"]}
        assert own == {""}, "files of others are listed"
    assert {e["path"] for e in thief.record if e["event"] == "file.read"} == {"/Home/thief/human2.aspx"}, "each reading is on record, and no other"


def test_probing(build):
    """What came for two years before: the chain's first request, again and again, shuts its address out of both doors, and is on record by its kind."""
    house = build(AllowAddresses="127.0.0.1")
    with house.attack() as thief:
        thief.elsewhere()
        for _ in range(10):
            reply = thief.refused("GET", "/moveitisapi/moveitisapi.dll?action=m2", "X-siLock-Test: abcdX-SILOCK-Transaction: folder_add_by_path", "X-siLock-Transaction: session_setvars")
            if reply.status == 0:
                break
        assert reply.status == 0, "the address may go on probing"
        with pytest.raises((Closed, OSError)):
            thief.strange()
        assert thief.seen("scanner", addr=thief.source) and thief.seen("address.banned", detail=thief.source)
