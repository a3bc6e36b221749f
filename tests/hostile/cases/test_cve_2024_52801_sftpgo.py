"""CVE-2024-52801: SFTPGo, November 2024

There: the cookie of a login in progress was made of the time, the machine, the process and a counter: whoever had one could guess the next.
Needs: here two tokens that have something to do with each other.
Here: P4: tokens are 256 random bits each; what is near one is nobody's, and the database has hashes of them.
"""
import base64
import math


def test_tokens_are_random(house):
    with house.attack(inside="thief") as thief:
        tokens = []
        for _ in range(24):
            reply = thief.http("POST", "/api/v1/token", form={"grant_type": "password", "username": "thief", "password": "correct horse battery"}).json()
            tokens += [reply["access_token"], reply["refresh_token"]]
        values = [base64.urlsafe_b64decode(t[4:] + "=") for t in tokens]
        assert len(set(values)) == len(values) and all(len(v) == 32 for v in values)
        # any two differ in about half of 256 bits: 8 is the standard deviation, seven of them a chance of one in 10^11 a pair
        for i, a in enumerate(values):
            for b in values[:i]:
                assert abs((int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count() - 128) < 7 * 8
        # and no position of a byte is more often the same than chance has it
        for at in range(32):
            assert len({v[at] for v in values}) > len(values) / math.e


def test_what_is_near_one(house):
    with house.attack() as thief:
        for token in (house.victim.session["access_token"], house.victim.token):
            raw = bytearray(base64.urlsafe_b64decode(token[4:] + "="))
            for at in (0, 1, 15, 30, 31):
                for step in (1, 255, 128):
                    near = bytearray(raw)
                    near[at] = (near[at] + step) % 256
                    assert thief.refused("GET", "/api/v1/users/self", token=token[:4] + base64.urlsafe_b64encode(bytes(near)).decode().rstrip("=")).status == 401
            for wrong in (token[:-1], token + "A", token[4:], "spa_" + token[4:] if token.startswith("spt_") else "spt_" + token[4:], token.upper(), token + "=", token[:20]):
                assert thief.refused("GET", "/api/v1/users/self", token=wrong).status in (400, 401)
