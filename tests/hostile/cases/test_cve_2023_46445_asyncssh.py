"""CVE-2023-46445, CVE-2023-46446: AsyncSSH, November 2023

There: messages that came in the clear before the keys were in use were taken: one in the middle put in extensions, or a whole login of his own, and the client was in the attacker's session.
Needs: here a message that is acted on although nothing protected it.
Here: P4: before NEWKEYS only the key exchange's messages are taken; the login counts for the session identifier of that exchange alone.
"""
import pytest

from lib.cases import tries
from lib.instance import PASSWORD
from lib.ssh_wire import BadTag, Closed, Msg, string, u32


@pytest.mark.parametrize("strict", [True, False])
def test_a_login_put_in_front_of_the_keys(house, strict):
    with house.attack(inside="thief") as thief:
        for phase in ("version", "kexinit", "kex"):
            for words in ([bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth")], None, [bytes([Msg.EXT_INFO]) + u32(1) + string("server-sig-algs") + string("none")]):
                with thief.ssh("victim", strict=strict, key=house.victim.key) as c:
                    try:
                        c.to(phase)
                        for word in words or [c.request("thief", "password", b"\0" + string(PASSWORD))]:
                            c.send(word)
                        c.to("auth")
                    except (Closed, AssertionError, BadTag):
                        continue
                    assert words is not None and words[0][0] == Msg.EXT_INFO, f"{phase}: what was put in was taken"
                    tries(c)
        assert not thief.seen("login", 0)
