"""CVE-2015-3306: ProFTPD mod_copy, 2015

There: SITE CPFR and CPTO were handled before the login: copy /proc/self/cmdline, which had PHP in it, into the web root, and fetch it.
Needs: here a request that works before the login, a server-side copy that takes any path, and an interpreter.
Here: P4: no file request exists before the login; P2: a copy is a reading like any other; P6: what lies in a store is never run.
"""
from lib.cases import tries
from lib.ssh_sftp import Fx
from lib.ssh_wire import Msg, string, u32


def test_copy_before_a_login(house):
    """SITE CPFR then, copy-data now."""
    with house.attack() as thief:
        copy = string(bytes([Fx.EXTENDED]) + u32(1) + string("copy-data") + string(b"\0\0\0\0") + bytes(16) + string(b"\0\0\0\1") + bytes(8))
        for phase in ("newkeys", "auth"):
            with thief.ssh().to(phase) as c:
                tries(c, bytes([Msg.CHANNEL_DATA]) + u32(0) + string(copy))
        for line in ("SITE CPFR /proc/self/cmdline", "SITE CPTO /tmp/.<?php passthru($_GET['x']);?>", "SITE CPTO /Home/thief/x.php"):
            thief.knock(house.server.sftp_port, line.encode() + b"\r\n")
            thief.send(line.encode() + b"\r\n\r\n")


def test_copy_by_an_insider(house):
    """copy-data, and WebDAV's verbs, from what is not the thief's to what is."""
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for method in ("COPY", "MOVE", "PROPFIND", "MKCOL", "LINK"):
            thief.refused(method, "/api/v1/files/by-path/Home/victim/secret", "Destination: https://127.0.0.1/api/v1/files/by-path/Home/thief/x", "Depth: infinity", token=token)
        with thief.sftp() as c:
            for path in ("/Home/victim/secret", "/proc/self/cmdline", "/etc/passwd"):
                thief.denied(c.sftp.extended, "copy-file", string(path) + string("x") + b"\1")
                thief.denied(c.sftp.call, Fx.OPEN, string(path) + u32(1) + u32(0), Fx.HANDLE)
            handle = c.sftp.open("own")
            for other in (b"\0\0\0\0", b"\0\0\0\1", b"\xff\xff\xff\xff", b"/Home/victim/secret"):
                thief.denied(c.sftp.extended, "copy-data", string(other) + bytes(16) + string(handle) + bytes(8))
