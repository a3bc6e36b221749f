"""CVE-2021-35211: SolarWinds Serv-U, July 2021

There: the SSH door used a cipher context before it was set up, in a privileged process without address randomisation; exceptions were swallowed, so it could be tried again and again.
Needs: here keys that are used before they are there; and then a process that is worth taking over.
Here: P1: messages of another phase end the connection; each try meets a new process with a memory layout of its own, which holds nothing before the login.
"""
import os

from lib.cases import CHANNEL, tries
from lib.ssh_wire import Closed, Msg, string


def test_keys_before_they_are_there(house):
    """NEWKEYS, protected packets and logins in the middle of a handshake."""
    with house.attack() as thief:
        for phase in ("version", "kexinit", "kex"):
            for payload in (bytes([Msg.NEWKEYS]), bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth"), bytes([Msg.USERAUTH_REQUEST]) + string("victim") * 3, os.urandom(300),
                            bytes([Msg.ECDH_INIT]) + string(b""), bytes([Msg.KEXINIT])):
                if phase == "kex" and payload == bytes([Msg.NEWKEYS]):
                    continue
                with thief.ssh().to(phase) as c:
                    tries(c, payload, payload, CHANNEL)
                with thief.ssh().to(phase) as c:
                    try:
                        c.write(os.urandom(2000))
                        c.socket.shutdown(1)
                    except (Closed, OSError):
                        pass
                    tries(c)
