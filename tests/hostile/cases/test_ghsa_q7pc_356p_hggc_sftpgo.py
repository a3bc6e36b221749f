"""GHSA-q7pc-356p-hggc: SFTPGo

There: malformed channel requests, of a client that had logged in, ended the whole server.
Needs: here a message that ends a process which somebody else needs.
Here: P1: a connection's process is its own: whatever is sent, others do not notice.
"""
import os

from lib.instance import PASSWORD
from lib.ssh import Ssh
from lib.ssh_wire import Closed, Msg, string, u32

KINDS = ("subsystem", "exec", "env", "pty-req", "shell", "window-change", "signal", "exit-status", "auth-agent-req@openssh.com", "", "x" * 1000)


def test_malformed_requests(house):
    other = house.people["thief-files"]
    with Ssh(house.server.sftp_port, other.name, key=other.key).to("sftp") as bystander:
        with house.attack(inside="thief") as thief:
            for kind in KINDS:
                for rest in (b"", b"\1" + u32(0xFFFFFFFF), b"\1" + u32(0x7FFFFFFF) + b"sftp", b"\1" + string("sftp") + b"\0" * 1000, b"\1" + u32(4) + b"sf", b"\2" + string("sftp"), os.urandom(500)):
                    with thief.ssh("thief", password=PASSWORD).to("channel") as c:
                        try:
                            for channel in (0, 1, 0xFFFFFFFF):
                                c.send(bytes([Msg.CHANNEL_REQUEST]) + u32(channel) + string(kind) + rest)
                            c.socket.settimeout(0.05)
                            while True:
                                c.recv_packet()
                        except (Closed, TimeoutError):
                            pass
        assert bystander.sftp.get("secret") == other.small, "somebody else's connection"
