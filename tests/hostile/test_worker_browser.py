"""A worker is taken over: what it makes of a browser's cookie, of the proofs that it sees, and of tickets."""
import pytest
from lib.browser import Browser, b64
from lib.evil import Evil
from lib.instance import PASSWORD

BY_PATH, BY_FOLDER, BY_FILE = 0, 1, 2
ERR = {"AUTH": 40, "SESSION": 41, "PERM": 43, "MISDIRECT": 44, "NOTFOUND": 61, "PROOF": 50, "NONCE": 51}
SELF = "/api/v1/users/self"


@pytest.fixture
def browser(evil):
    with Browser(evil) as c:
        assert c.sign_in("alice").status_code == 200
        yield c


@pytest.fixture
def files(evil):
    got = evil.people["alice"].get("/api/v1/files", params={"perPage": 100}).json()["items"]
    return {f["path"]: int(f["id"]) for f in got}


def refused(reply, error):
    assert reply.name == "FAILED" and reply.err == ERR[error], reply


def shown(browser, **claims):
    """What the worker sees of one request, and what it may say of it."""
    return {"token": browser.cookie, "proof": browser.proof("GET", SELF, **claims), "method": "GET", "url": browser.base + SELF}


def test_the_cookie_without_the_key(evil, browser):
    with Evil(evil) as w:
        refused(w.ask("LOGIN_TOKEN", token=browser.cookie), "PROOF")
        refused(w.ask("LOGIN_TOKEN", token=browser.cookie, proof="x", method="GET", url="x"), "PROOF")
        refused(w.ask("LOGIN_PASS", token=browser.cookie, id=1), "PROOF")
        refused(w.ask("LOGIN_PASS", token=browser.cookie, id=1, **{"pass": "A" * 32}), "PROOF")
        refused(w.ask("TOKEN_REFRESH", token=browser.cookie), "AUTH")


def test_a_proof_that_was_kept_back(evil, browser):
    """Once, as its worker says it; then never again, on no connection; and not when its nonce has run out or is nobody's."""
    seen = shown(browser)
    with Evil(evil) as w, Evil(evil) as other:
        for wrong in ({"method": "POST"}, {"url": browser.base + "/api/v1/files"}, {"token": browser.cookie + "A"}):
            reply = w.ask("LOGIN_TOKEN", **{**seen, **wrong})
            assert reply.name == "FAILED" and reply.err in (ERR["PROOF"], ERR["AUTH"]), reply
        assert w.ask("LOGIN_TOKEN", **seen).name == "PRINCIPAL"
        refused(w.ask("LOGIN_TOKEN", **seen), "PROOF")
        refused(other.ask("LOGIN_TOKEN", **seen), "PROOF")
        refused(other.ask("LOGIN_TOKEN", **shown(browser, nonce=b64(bytes(16)))), "NONCE")
    assert browser.ask("GET", SELF).status_code == 200


def test_a_proof_does_not_change_who_is_served(evil, browser):
    with Evil(evil).login(evil.people["bob"].token) as w:
        refused(w.ask("LOGIN_TOKEN", **shown(browser)), "MISDIRECT")
        assert w.ask("SELF").name_ == b"bob"


def test_a_ticket_is_for_one_file(evil, browser, files):
    """Whoever has cookie and ticket has that file, whatever a worker asks with them."""
    own, other = files["/Home/alice/small"], files["/Home/alice/large"]
    ticket = browser.ask("POST", f"/api/v1/files/{own}/ticket").json()["url"].partition("ticket=")[2]
    both = {"token": browser.cookie, "pass": ticket}
    with Evil(evil) as w:
        refused(w.ask("LOGIN_PASS", id=other, **both), "PROOF")
        refused(w.ask("LOGIN_PASS", id=own, **{**both, "token": evil.people["alice"].token}), "PROOF")
        assert w.ask("LOGIN_PASS", id=own, **both).name == "PRINCIPAL"
        for message, fields in [("LIST", {"by": BY_PATH, "path": "/", "what": 7, "limit": 10}), ("SELF", {}), ("REMOVE", {"by": BY_FILE, "id": own, "kind": 1}),
                                ("PUT", {"path": "/Home/alice/x", "size": 1}), ("PASS_GET", {"id": other}), ("SESSION_NEXT", {}), ("SESSION_END", {}),
                                ("PASSWORD_SET", {"current": PASSWORD, "next": "another password"}),
                                ("RENAME", {"by": BY_FILE, "id": own, "to": "/Home/alice/y"}), ("OPEN", {"by": BY_FILE, "id": other}),
                                ("OPEN", {"by": BY_PATH, "path": "/Home/alice/large"}), ("VERSIONS", {"by": BY_FILE, "id": own, "limit": 1}),
                                ("DAMAGED", {"file": other, "version": 1, "offset": 0}), ("STAT", {"by": BY_FILE, "id": other})]:
            refused(w.ask(message, **fields), "PERM")
        assert w.ask("OPEN", by=BY_FILE, id=own).name == "FILE_INLINE"
    assert browser.ask("DELETE", "/api/v1/sessions/current").status_code == 204
    with Evil(evil) as w:
        refused(w.ask("LOGIN_PASS", id=own, **both), "AUTH")


def test_a_ticket_for_a_folder_is_for_nothing_above_or_beside_it(evil, browser, files):
    made = {}
    for name in ("top", "top/in", "topmost"):
        above = browser.ask("GET", SELF).json()["homeFolderID"] if "/" not in name else made["top"]
        made[name] = browser.ask("POST", f"/api/v1/folders/{above}/subfolders", json={"name": name.rpartition("/")[2]}).json()["id"]
    ticket = browser.ask("POST", f"/api/v1/folders/{made['top']}/ticket").json()["url"].partition("ticket=")[2]
    both = {"token": browser.cookie, "pass": ticket}
    with Evil(evil) as w:
        refused(w.ask("LOGIN_PASS", id=made["top"], **both), "PROOF")  # as if it were a file
        refused(w.ask("LOGIN_PASS", id=made["topmost"], folder=1, **both), "PROOF")
        assert w.ask("LOGIN_PASS", id=made["top"], folder=1, **both).name == "PRINCIPAL"
        for message, fields in [("LIST", {"by": BY_PATH, "path": "/", "what": 7, "limit": 10}), ("LIST", {"by": BY_FOLDER, "id": made["topmost"], "what": 7}),
                                ("STAT", {"by": BY_PATH, "path": "/Home/alice"}), ("OPEN", {"by": BY_FILE, "id": files["/Home/alice/small"]}), ("SELF", {}),
                                ("STAT", {"by": BY_FILE, "id": files["/Home/alice/small"]}), ("PASS_GET", {"id": made["top"], "folder": 1}),
                                ("PASSWORD_SET", {"current": PASSWORD, "next": "another password"}),
                                ("FOLDER_MAKE", {"by": BY_FOLDER, "id": made["top"], "name": "x"}), ("REMOVE", {"by": BY_FOLDER, "id": made["top/in"]})]:
            refused(w.ask(message, **fields), "PERM")
        assert w.ask("LIST", by=BY_FOLDER, id=made["top"], what=7, limit=10).name == "ENTRIES"
        assert w.ask("STAT", by=BY_FOLDER, id=made["top/in"]).name == "ENTRY"


def test_tickets_of_what_may_not_be_read(evil, browser, files):
    own = files["/Home/alice/small"]
    with Evil(evil).login(evil.people["bob"].token) as w:
        refused(w.ask("PASS_GET", id=own), "NOTFOUND")
    with Evil(evil).login(evil.people["alice"].token) as w:  # not a browser's session
        refused(w.ask("PASS_GET", id=own), "PROOF")


def test_sessions_of_others(evil, browser):
    with Evil(evil).login(evil.people["bob"].token) as w:
        after, seen = 0, []
        while (reply := w.ask("SESSION_NEXT", after=after)).name == "SESSION_ROW":
            after = reply.id
            seen.append(reply.id)
            assert reply.bound == 0
        assert seen
        for number in range(1, max(seen) + 5):
            if number not in seen:
                refused(w.ask("SESSION_END", session=number), "NOTFOUND")
    assert browser.ask("GET", SELF).status_code == 200
