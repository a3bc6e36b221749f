"""CVE-2026-10031: SFTPGo, 2026

There: a symbolic link that a user had made was followed to where that user might not go.
Needs: here links.
Here: P1: there are none to lead anybody astray, neither soft nor hard.
"""
from lib.ssh_sftp import Fx
from lib.ssh_wire import string


def test_links(house):
    with house.attack(inside="thief") as thief, thief.sftp() as c:
        for target in ("/Home/victim/secret", "../victim", "/", "/etc/passwd", str(house.server.dir / "keys")):
            thief.denied(c.sftp.call, Fx.SYMLINK, string(target) + string("link"))
            thief.denied(c.sftp.call, Fx.SYMLINK, string("link") + string(target))
            thief.denied(c.sftp.extended, "hardlink@openssh.com", string(target) + string("link"))
        assert "link" not in c.sftp.list(".")
