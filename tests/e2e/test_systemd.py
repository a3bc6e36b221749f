"""What systemd is told and how it is served: readiness, watchdog, stopping, credentials, the journal's format."""
import os
import socket
import stat
import time

import pytest


class Notify:
    """The socket that systemd would listen on."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o777)
        self.socket.settimeout(20)
        self.heard = []

    def until(self, word, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.heard.append(self.socket.recv(4096).decode())
            if word in self.heard[-1].split("\n"):
                return
        raise AssertionError(f"no {word}: {self.heard}")


@pytest.fixture
def notify(fresh):
    n = Notify(fresh.temp / "notify.sock")
    yield n
    n.socket.close()


def test_readiness_watchdog_stopping(identity, fresh, notify):
    fresh.env |= {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "400000"}
    fresh.init()
    fresh.start(wait=False)
    notify.until("READY=1")
    assert fresh.healthy()
    started = time.monotonic()
    for _ in range(5):
        notify.until("WATCHDOG=1")
    assert 0.4 < time.monotonic() - started < 3
    fresh.stop()
    notify.until("STOPPING=1")


def test_not_ready_when_the_configuration_is_wrong(identity, fresh, notify):
    fresh.env |= {"NOTIFY_SOCKET": str(notify.path)}
    fresh.init()
    (fresh.dir / "keys/ledger.key").chmod(0o644)
    fresh.start(wait=False)
    assert fresh.process.wait(20) == 78
    fresh.process = None
    assert "keys/ledger.key" in fresh.log()
    notify.socket.settimeout(0.2)
    with pytest.raises(OSError):
        notify.until("READY=1")


def test_credential(identity, fresh):
    """RootKey credential:NAME: the key comes from systemd's folder, and the file in the instance is not needed."""
    fresh.init()
    folder = fresh.temp / "credentials"
    folder.mkdir()
    os.chown(folder, identity.uid, identity.uid) if os.geteuid() == 0 else None
    os.rename(fresh.dir / "keys/root.key", folder / "root.key")
    fresh.set("RootKey", "credential:root.key")
    fresh.start(wait=False)
    assert fresh.process.wait(20) == 78
    fresh.process = None
    assert "systemd has given this process no credentials" in fresh.log()
    fresh.env["CREDENTIALS_DIRECTORY"] = str(folder)
    fresh.start()
    assert json_vault(fresh) is True
    fresh.stop()


def json_vault(server):
    vault = server.run("status", "--json").json()["vault"]
    return vault in (True, "open") or (isinstance(vault, dict) and vault.get("open", False))


def test_rooms_log_through_a_pipe(identity, fresh):
    """No room holds the log file: descriptor 2 of each is the supervisor's pipe."""
    fresh.init()
    fresh.start()
    supervisor = int((fresh.dir / "run/pid").read_text())
    assert stat.S_ISREG(os.stat(fresh.log_path).st_mode)
    assert "broker is ready" in fresh.log() and " broker info: " in fresh.log()
    if os.geteuid() == 0:
        seen = 0
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                parent = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
                target = os.readlink(f"/proc/{pid}/fd/2") if parent == supervisor else ""
            except OSError:
                continue
            if target:
                assert target.startswith("pipe:"), target
                seen += 1
        assert seen >= 5
    fresh.stop()


def test_journal(identity, fresh):
    """Under the journal lines begin with their priority, and without a time."""
    fresh.env["JOURNAL_STREAM"] = "8:1"
    fresh.init()
    fresh.start()
    fresh.stop()
    lines = [l for l in fresh.log().splitlines() if "supervisor" in l]
    assert lines and all(l.startswith(("<3>supervisor: ", "<4>supervisor: ", "<6>supervisor: ", "<7>supervisor: ")) for l in lines)
