"""CVE-2025-54309: CrushFTP, July 2025

There: the AS2 door's headers named a user, and in a race of two requests the second one's command ran as that administrator; the attackers then changed the version that was displayed.
Needs: here a header that says who is asking, and state that two connections share.
Here: P1, P4: a connection has a process of its own and the first login on it is its only one; there is no version on display that could be faked.
"""
import concurrent.futures


def test_as2_names_the_user(house):
    fields = ("AS2-To: \\boss", "AS2-From: boss", "AS2-Version: 1.2", "Message-ID: <x@x>", "User-Agent: CrushFTP AS2", "X-Requested-With: XMLHttpRequest", "Disposition-Notification-To: x", "Content-Type: disposition-notification")
    command = {"command": "setUserItem", "data_action": "replace", "serverGroup": "MainUsers", "username": "thief2", "user": "<user><username>thief2</username><password>x</password><site>(SITE_ADMIN)</site></user>", "c2f": "0123"}
    with house.attack() as thief, concurrent.futures.ThreadPoolExecutor(8) as pool:
        def first(_):
            thief.refused("POST", "/WebInterface/function/", *fields, "Cookie: CrushAuth=1700000000000_x0123; currentAuth=0123", body="x")

        def second(_):
            thief.refused("POST", "/WebInterface/function/", "Cookie: CrushAuth=1700000000000_x0123; currentAuth=0123", form=command)
            assert thief.refused("GET", "/api/v1/users/self", *fields).status == 401

        for done in [pool.submit(work, n) for n in range(40) for work in (first, second)]:
            done.result()


def test_the_second_name_on_a_connection(house):
    """A connection of the thief's own is never somebody else's."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for other in (house.victim.token, house.neighbour.session["access_token"]):
            asks = b"".join(b"GET /api/v1/users/self HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % t.encode() for t in (token, other))
            reply = thief.send(asks)
            assert reply.raw.count(b"HTTP/1.1 200") == 1 and b"HTTP/1.1 421" in reply.raw


def test_no_version_is_told(house):
    with house.attack() as thief:
        replies = [thief.http(m, p) for p in ("/", "/api/v1/info", "/api/v1/files", "/nowhere", "/WebInterface/login.html") for m in ("GET", "OPTIONS", "TRACE")]
        with thief.ssh() as c:
            c.to("kexinit")
        version = house.server.run("version").out.split()[1].encode()
        for text in [r.raw for r in replies] + [bytes(s) for s in thief.loot]:
            assert version not in text.replace(b"HTTP/1.1", b""), text
