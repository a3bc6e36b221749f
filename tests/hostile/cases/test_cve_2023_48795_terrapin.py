"""CVE-2023-48795: Terrapin (OpenSSH, libssh, AsyncSSH and nearly all others), December 2023

There: the handshake's transcript did not cover all packets and sequence numbers went on, so that one in the middle could take the first protected messages away unseen.
Needs: here a cipher for which a message may be missing without anybody noticing.
Here: P4: strict key exchange is agreed on with every client that knows it; without it the ciphers that can be cut are not spoken.
"""
from lib.ssh import STRICT_S
from lib.ssh_wire import BadTag, Closed, Msg, string, u32


def test_a_message_taken_away(house):
    """One in the middle takes the client's first protected message away and makes up for it in the count."""
    with house.attack() as thief:
        for cipher in ("chacha20-poly1305@openssh.com", "aes256-ctr", "aes256-gcm@openssh.com"):
            for strict in (True, False):
                with thief.ssh(cipher=cipher, strict=strict, key=house.victim.key) as c:
                    try:
                        c.to("kex")
                        c.send(bytes([Msg.IGNORE]) + string(b"from the middle"))
                        c.out_seq -= 1
                        c.to("newkeys")
                        c.send(bytes([Msg.EXT_INFO]) + u32(0), mangle=lambda wire: b"")
                        c.to("auth")
                    except (Closed, AssertionError, BadTag):
                        continue
                    raise AssertionError(f"{cipher}, strict {strict}: the client is none the wiser")
        with thief.ssh() as c:
            assert STRICT_S in c.to("kexinit").offered["kex"]
