"""CVE-2024-6387: OpenSSH regreSSHion, July 2024

There: what the alarm at the end of LoginGraceTime did was not safe in a signal handler, before the login, in a process of root: hold connections to their end, again and again.
Needs: here work in a signal handler, in a process that has something.
Here: P1: the time is a deadline of poll, there are no handlers; a connection that ends takes its own process with it and nothing else.
"""
import os
import time

import pytest

from lib.ssh_wire import u32


@pytest.fixture
def house(build):
    return build(LoginGraceTime="2s")


def test_held_to_the_end(house):
    """With a half-written packet each: none takes a process with it."""
    with house.attack() as thief:
        for _ in range(3):
            held = []
            for i in range(30):
                c = thief.ssh().to(("version", "newkeys", "auth")[i % 3])
                c.write(os.urandom(3) if i % 2 else u32(100_000))
                held.append(c)
            begin = time.monotonic()
            for c in held:
                try:
                    while c.socket.recv(65536):
                        pass
                except ConnectionError:
                    pass
                c.close()
            assert time.monotonic() - begin < 15
