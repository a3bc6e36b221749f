"""CVE-2024-5806: MOVEit Transfer's SFTP door, June 2024

There: the application and its SSH library disagreed on who had proved what: a key probe with an empty name, then the victim's name with any RSA key, was a login; and the
library opened a file where a key's bytes belonged: a key put into a log by the web door, named by its path, fitted its own signature.
Needs: here a grant of somebody who did not check the proof, or a process before the login that can open a path.
Here: P4: the broker takes the name of the request that was signed, for the session that the signer vouches for; P1: a worker has no files, so that a path is never more than wrong bytes.
"""
import socket

import pytest

from lib.cases import CHANNEL, SUBSYSTEM, tries
from lib.ssh_wire import Msg, UserKey, string


def test_empty_name_first(house):
    """As the Metasploit module does it."""
    with house.attack() as thief:
        key = UserKey.make("2048")
        for algorithm in ("rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"):
            with thief.strange() as c:
                tries(c, c.key_request("", key, algorithm=algorithm, sign=False), c.key_request("victim", key, algorithm=algorithm), CHANNEL, SUBSYSTEM)
        thief.elsewhere()
        with thief.strange() as c:
            tries(c, c.key_request("", key, algorithm="rsa-sha2-256", sign=False), c.key_request("victim", key, algorithm="rsa-sha2-256"))
        assert thief.seen("login.failed"), "nothing is on record of it"


def test_a_path_for_a_key(house):
    with house.attack() as thief:
        key = UserKey.make()
        poisoned = f"PuTTY-User-Key-File-2: ssh-ed25519 {key.line}"
        thief.refused("POST", "/guestaccess.aspx", form={"Arg12": poisoned, "transaction": "signon"})
        thief.refused("POST", "/api/v1/token", f"User-Agent: {key.line}", form={"grant_type": "password", "username": poisoned[:200], "password": poisoned})
        listener = socket.create_server(("127.0.0.1", 0))  # where a UNC path or URL would lead
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        for path in (str(house.server.log_path), f"//127.0.0.1@{port}/share/key.ppk", f"\\\\127.0.0.1@{port}\\share\\key", f"http://127.0.0.1:{port}/key", str(house.server.dir / "keys/https.key"), "/proc/self/fd/3"):
            for algorithm in ("ssh-ed25519", "rsa-sha2-256"):
                with thief.strange() as c:
                    wanted = c.key_request("victim", key, algorithm="ssh-ed25519", blob=path.encode(), signed_blob=path.encode()).replace(string("ssh-ed25519"), string(algorithm))
                    got = tries(c, c.request("victim", "publickey", b"\0" + string(algorithm) + string(path)), wanted, CHANNEL)
                    assert not any(p[0] == Msg.PK_OK_OR_INFO_REQUEST for p in got)
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.close()
