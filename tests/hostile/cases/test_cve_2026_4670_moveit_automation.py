"""CVE-2026-4670, CVE-2026-5174: MOVEit Automation, 30 April 2026

There: the service that moves files by schedule could be reached from the network without a login, and gave its rights to whoever came (details are not public).
Needs: here a way from the internet to what administers: the command line's socket, the administration listener, or a public route that does the same.
Here: P1, P4: administration has no public route; its listener measures and nothing else; its socket asks the kernel who is calling; administrators cannot log in from the internet.
"""
import os
import socket

import pytest

from lib.instance import ORDINARY_UID

VERBS = ("users", "users/1", "orgs", "organizations", "settings", "config", "admin", "tokens", "session", "keys", "audit", "logs", "tasks", "hosts", "webauto", "metrics", "health", "shutdown", "backup", "groups", "acl")


def test_administration_has_no_public_route(house):
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for verb in VERBS:
            for prefix in ("/api/v1/", "/", "/admin/", "/api/v1/admin/", "/api/admin/", "/webadmin/"):
                for method in ("GET", "POST", "PUT", "DELETE"):
                    assert thief.refused(method, prefix + verb, token=token, **({} if method == "GET" else {"json": {"name": "x", "permission": "Admin"}})).status == 404


def test_an_administrator_is_nobody_here(house):
    """Right name, right password, wrong door."""
    with house.attack() as thief:
        thief.elsewhere()
        for grant in ("password", "Password"):
            thief.refused("POST", "/api/v1/token", form={"grant_type": grant, "username": "boss", "password": house.boss.password})
        with thief.strange("boss") as c:
            assert c.try_password(house.boss.password) is not True
            assert c.try_interactive(house.boss.password) is not True
        assert thief.seen("login.failed")


@pytest.mark.root
def test_the_sockets_are_the_operators(house):
    """Another account of the same machine, a web server's say, cannot speak to the command line's sockets."""
    with house.attack():
        for path in house.server.dir.joinpath("run").iterdir():
            if not path.is_socket():
                continue
            child = os.fork()
            if child == 0:
                os.setresgid(ORDINARY_UID + 1, ORDINARY_UID + 1, ORDINARY_UID + 1)
                os.setresuid(ORDINARY_UID + 1, ORDINARY_UID + 1, ORDINARY_UID + 1)
                try:
                    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                        s.settimeout(5)
                        s.connect(str(path))
                        s.send(b"\0" * 16)
                        os._exit(0 if s.recv(100) == b"" else 1)
                except OSError:
                    os._exit(0)
                os._exit(2)
            assert os.waitpid(child, 0)[1] == 0, f"{path.name} answers a stranger"
