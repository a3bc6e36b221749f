#!/usr/bin/python3
"""adopter.py COMMAND... - runs a server and adopts what its processes leave behind, so that all processor time ends up in one tree.

A process whose parent ended without waiting for it is inherited here (PR_SET_CHILD_SUBREAPER) instead of by init, and counted
when it ends.  SIGTERM is passed on; ends when the server does.
"""
import ctypes
import os
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


def main():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise SystemExit("adopter: prctl: " + os.strerror(ctypes.get_errno()))
    server = subprocess.Popen(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: server.send_signal(signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == server.pid:
            return os.waitstatus_to_exitcode(status) & 255


if __name__ == "__main__":
    sys.exit(main())
