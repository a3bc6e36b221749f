"""CVE-2018-10933: libssh, October 2018

There: the server's dispatcher took a message that only a server sends: a client that said USERAUTH_SUCCESS was logged in.
Needs: here a worker that believes itself, and a broker that believes the worker.
Here: P4: success is the broker's word after a proof, in another process; the worker's table of messages knows direction and phase.
"""
from lib.cases import CHANNEL, SUBSYSTEM, tries
from lib.ssh_wire import Msg, string, u32


def test_success_from_a_client(house):
    """In every phase in which a dispatcher might take it, and others that only servers send."""
    with house.attack() as thief:
        for phase in ("version", "kexinit", "kex", "newkeys", "auth"):
            for word in (bytes([Msg.USERAUTH_SUCCESS]), bytes([Msg.SERVICE_ACCEPT]) + string("ssh-userauth"), bytes([Msg.OPEN_CONFIRMATION]) + u32(0) * 4, bytes([Msg.USERAUTH_BANNER]) + string("x") * 2):
                with thief.ssh().to(phase) as c:
                    tries(c, word, CHANNEL, SUBSYSTEM)
        with thief.strange() as c:
            tries(c, c.request("victim", "none"), bytes([Msg.USERAUTH_SUCCESS]), CHANNEL, SUBSYSTEM)
