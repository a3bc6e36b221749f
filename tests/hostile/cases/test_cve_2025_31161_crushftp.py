"""CVE-2025-31161: CrushFTP, March 2025

There: a variable that meant "this request is signed in S3's manner" also meant "leave the password out": `Credential=crushadmin/` and a made-up cookie, sent twice, were an administrator.
Needs: here a second kind of credential that is taken for a proof, or a first request whose half-made login a second one finds.
Here: P4: one way to a session, which the broker alone makes, of a proof that was checked; every other scheme and cookie is refused, each time.
"""
import concurrent.futures


def test_made_up_credentials(house):
    cookie = "CrushAuth=1743113839553_vD96EZ70ONL6xAd1DAJhXMZYMn1111; currentAuth=1111"
    with house.attack() as thief:
        for user in ("victim", "boss", "crushadmin", "thief"):
            for scheme in (f"AWS4-HMAC-SHA256 Credential={user}/", f"AWS4-HMAC-SHA256 Credential={user}/20250327/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0", f"AWS {user}:c2ln",
                           f"Negotiate {user}", "Negotiate oYIBdg==", f"Digest username=\"{user}\"", f"NTLM {user}", f"Bearer {user}", f"Bearer {user}/", f"bearer  {user}", f"Token {user}", "Basic dmljdGltOg=="):
                for _ in range(2):
                    for path in ("/WebInterface/function/?command=getUserList&serverGroup=MainUsers&c2f=1111", "/api/v1/users/self", "/api/v1/files"):
                        assert thief.refused("GET", path, f"Authorization: {scheme}", f"Cookie: {cookie}", f"X-Amz-Security-Token: {user}").status in (400, 401, 404)
        thief.refused("GET", "/api/v1/files", f"Authorization: Bearer {'x' * 47}", "Authorization: Bearer spa_x")
        thief.refused("GET", "/api/v1/files", "Authorization: AWS4-HMAC-SHA256 Credential=victim/", "Authorization: Bearer x")


def test_two_requests_at_a_time(house):
    """The second one asks while the first one is being checked."""
    with house.attack() as thief, concurrent.futures.ThreadPoolExecutor(8) as pool:
        def login(_):
            return thief.refused("POST", "/api/v1/token", "Cookie: CrushAuth=1", form={"grant_type": "password", "username": "victim", "password": "wrong"}).status

        def ask(_):
            return thief.refused("GET", "/api/v1/users/self", "Authorization: AWS4-HMAC-SHA256 Credential=victim/", "Cookie: CrushAuth=1").status

        logins = [pool.submit(login, n) for n in range(16)]
        asked = [pool.submit(ask, n) for n in range(64)]
        assert {f.result() for f in logins} == {400} and {f.result() for f in asked} == {401}


def test_one_connection_that_failed_to_log_in(house):
    """What failed on a connection leaves nothing behind on it."""
    with house.attack() as thief:
        body = b"grant_type=password&username=victim&password=wrong"
        reply = thief.send(b"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                           + b"GET /api/v1/users/self HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=victim/\r\n\r\n"
                           + b"GET /api/v1/files HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert reply.raw.count(b"HTTP/1.1 401") == 2 and b"HTTP/1.1 200" not in reply.raw
