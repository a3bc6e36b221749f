"""CVE-2025-32433: Erlang/OTP's SSH server, April 2025

There: messages of the connection protocol were handled before anybody had logged in: open a channel, ask for `exec`, and the server ran it.
Needs: here a channel before a login, and a program that a channel can start.
Here: P4: what opens a channel is the broker's yes; P6: there is nothing that `exec` could start.
"""
from lib.cases import CHANNEL, SUBSYSTEM, tries
from lib.ssh_wire import Msg, string, u32


def test_exec_before_a_login(house):
    with house.attack() as thief:
        commands = [f"touch {house.trace}", f'os:cmd("touch {house.trace}").', f'file:write_file("{house.trace}", <<"pwned">>).', f"scp -f /Home/victim/secret"]
        for phase in ("version", "kexinit", "kex", "newkeys", "auth"):
            for command in commands:
                run = bytes([Msg.CHANNEL_REQUEST]) + u32(0) + string("exec") + b"\1" + string(command)
                with thief.ssh().to(phase) as c:
                    tries(c, CHANNEL, run)
                with thief.ssh().to(phase) as c:
                    tries(c, run, bytes([Msg.CHANNEL_DATA]) + u32(0) + string(command))
            with thief.ssh().to(phase) as c:
                tries(c, bytes([Msg.GLOBAL_REQUEST]) + string("tcpip-forward") + b"\1" + string("") + u32(0), CHANNEL, SUBSYSTEM)
