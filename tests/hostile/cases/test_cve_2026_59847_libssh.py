"""CVE-2026-59847: libssh

There: an AES-GCM tag that did not fit was taken, "since its introduction": the function returned 0 and the code asked for less than 0.
Needs: here a packet that somebody in the middle changed and that is acted on.
Here: P4: a login changed by one bit of its tag is no login; every cipher's tag is looked at before a byte of the packet.
"""
import pytest

from lib.cases import tries


@pytest.mark.parametrize("cipher,tag", [("aes256-gcm@openssh.com", 16), ("aes128-gcm@openssh.com", 16), ("chacha20-poly1305@openssh.com", 16), ("aes256-ctr", 32)])
def test_tags(house, cipher, tag):
    with house.attack() as thief:
        for back in range(1, tag + 1):
            with thief.ssh(cipher=cipher).to("auth") as c:
                c.send(c.key_request("victim", house.victim.key), mangle=lambda w: w[:-back] + bytes([w[-back] ^ 0x80]) + w[len(w) - back + 1:])
                tries(c)
