"""A browser as the portal's script is one: a cookie that it does not see, and a proof by its own key with each request (RFC 9449)."""
import base64
import hashlib
import json
import secrets
import time

import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from lib.instance import PASSWORD, Client

COOKIE = "__Host-session"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def proof(key, header=None, signature=None, **claims):
    """A proof; header, signature and claims may be wrong.  A claim that is None is left out."""
    n = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk, **(header or {})}
    body = {k: v for k, v in {"jti": secrets.token_hex(8), "iat": int(time.time()), **claims}.items() if v is not None}
    text = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, body))
    if signature is None:
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{text}.{b64(signature)}"


class Browser(Client):
    def __init__(self, server):
        super().__init__(server)
        self.cookies.set_policy(requests.cookies.cookielib.DefaultCookiePolicy(allowed_domains=[]))  # it is sent by hand, below
        self.server, self.key, self.nonce, self.ath, self.cookie, self.reader = server, ec.generate_private_key(ec.SECP256R1()), None, None, None, None

    def proof(self, method, url, **claims):
        base = {"htm": method, "htu": self.base + url.split("?")[0], "nonce": self.nonce, "ath": self.ath}
        return proof(self.key, **{**base, **claims})

    def once(self, method, url, headers=None, with_proof=True, claims=None, **kw):
        """One request as it is, without a second try."""
        own = {"DPoP": self.proof(method, url, **(claims or {}))} if with_proof else {}
        own |= {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        r = self.request(method, url, headers={**own, **(headers or {})}, allow_redirects=False, **kw)
        self.nonce = r.headers.get("DPoP-Nonce", self.nonce)
        return self.reader.check(r) if self.reader else r

    def ask(self, method, url, **kw):
        r = self.once(method, url, **kw)
        return self.once(method, url, **kw) if "use_dpop_nonce" in r.headers.get("WWW-Authenticate", "") + r.text else r

    def grant(self, **form):
        r = self.ask("POST", "/api/v1/token", data={"cookie": "1", **form})
        if r.status_code == 200:
            self.ath = r.json()["ath"]
            self.cookie = r.headers["Set-Cookie"].split(";")[0].removeprefix(COOKIE + "=")
            assert b64(hashlib.sha256(self.cookie.encode()).digest()) == self.ath
        return r

    def sign_in(self, user, password=PASSWORD):
        return self.grant(grant_type="password", username=user, password=password)
