"""CVE-2026-59851: libssh

There: with GSSAPI key exchange any principal of the realm was let in as any user.
Needs: here a method that is taken though nobody offered it.
Here: P4: methods that are not offered let nobody in, whatever they carry.
"""
from lib.cases import CHANNEL, tries
from lib.ssh_wire import string


def test_methods_that_nobody_offered(house):
    with house.attack() as thief:
        for method in ("gssapi-keyex", "gssapi-with-mic", "gssapi", "hostbased", "publickey-hostbound-v00@openssh.com", "external-keyx", "none", ""):
            with thief.strange() as c:
                tries(c, c.request("victim", method, string(b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02") + string(b"mic")), CHANNEL)
