"""CVE-2025-5318, CVE-2025-5449: libssh

There: a handle was looked up with the wrong bound: others than were given out led to memory that was none.
Needs: here a handle that is an index or a pointer of the client's choice.
Here: P1: what was not given out on this connection is refused, for every request that takes a handle.
"""
import os

from lib.ssh_sftp import CREAT, TRUNC, WRITE, Fx
from lib.ssh_wire import string, u32


def test_handles_that_were_not_given_out(house):
    with house.attack(inside="thief") as thief, thief.sftp() as c:
        real = c.sftp.open("handles", WRITE | CREAT | TRUNC)
        for handle in (real + b"\0", real[:-1], real * 2, b"", b"\xff" * len(real), b"\xff" * 256, os.urandom(8), u32(0x7FFFFFFF), u32(0x80000000)):
            for kind, rest in ((Fx.READ, bytes(8) + u32(100)), (Fx.WRITE, bytes(8) + string(b"x")), (Fx.FSTAT, b""), (Fx.FSETSTAT, u32(0)), (Fx.READDIR, b""), (Fx.CLOSE, b"")):
                thief.denied(c.sftp.call, kind, string(handle) + rest, Fx.DATA)
        c.sftp.close(real)
