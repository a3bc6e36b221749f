"""kill -9 of each room under the running server: it comes back, nothing acknowledged is lost, the log says so."""
import hashlib
import os
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib.instance import Instance, running

ROOMS = ["ledger", "vault", "signer", "broker", "gate-https", "gate-sftp"]
POOLS = ["authenticator", "worker-https", "worker-sftp", "scrubber"]
BACK_SECONDS = 20


@pytest.fixture(scope="module")
def server(identity):
    """With both doors open: the SFTP door's pool is empty while it is closed."""
    with Instance(identity, sftp=True) as instance:
        instance.add_user("alice")
        yield instance


def supervisor(server):
    return int((server.dir / "run/pid").read_text())


def kill_room(server, room):
    pids = server.pids(room)
    assert pids, f"no process of {room}"
    os.kill(pids[0], signal.SIGKILL)
    return pids[0]


def wait_until(server, what, check, seconds=BACK_SECONDS):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}\n{server.log_tail()}")


def wait_back(server, room, old):
    wait_until(server, f"another {room}", lambda: server.pids(room) not in ([], [old]))
    wait_until(server, "healthy", server.healthy)


def events(server, name, room=None):
    rows = [e for e in server.audit("--event", name)]
    return [e for e in rows if room is None or e.get("room") == room or room in str(e)]


def round_trip(server, name):
    body = os.urandom(300_000)
    with server.login("alice") as alice:
        r = alice.store(f"/Home/alice/{name}", body)
        assert r.status_code in (200, 201, 204), r.text
        got = alice.fetch(f"/Home/alice/{name}")
        assert got.status_code == 200 and got.content == body
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("room", ROOMS)
def test_room_is_restarted(server, room):
    before = round_trip(server, f"before-{room}.bin")
    died = len(events(server, "room.died", room))
    old = kill_room(server, room)
    wait_back(server, room, old)
    with server.login("alice") as alice:
        kept = alice.fetch(f"/Home/alice/before-{room}.bin")
        assert hashlib.sha256(kept.content).hexdigest() == before
    round_trip(server, f"after-{room}.bin")
    assert len(events(server, "room.died", room)) == died + 1
    server.verify()


@pytest.mark.parametrize("room", POOLS)
def test_idle_process_is_replaced(server, room):
    killed = len(events(server, "worker.killed"))
    before = set(server.pids(room))
    old = kill_room(server, room)
    wait_until(server, f"another {room}", lambda: set(server.pids(room)) - before)
    assert old not in server.pids(room)
    wait_until(server, "the record", lambda: len(events(server, "worker.killed")) > killed)
    round_trip(server, f"after-{room}.bin")


def test_all_rooms_at_once(server):
    """Everything but the supervisor dies in one moment."""
    digest = round_trip(server, "before-all.bin")
    old = {room: kill_room(server, room) for room in ROOMS}
    for room, pid in old.items():
        wait_until(server, f"another {room}", lambda: server.pids(room) not in ([], [pid]))
    wait_until(server, "healthy", server.healthy)
    with server.login("alice") as alice:
        kept = alice.fetch("/Home/alice/before-all.bin")
        assert hashlib.sha256(kept.content).hexdigest() == digest
    server.verify()


def test_under_load(server):
    """Each room is killed while files are stored: every acknowledged one is there, whole."""
    stored, stop = {}, threading.Event()

    def client(n):
        i = 0
        while not stop.is_set():
            try:
                with server.login("alice") as alice:
                    while not stop.is_set():
                        body = os.urandom(1 + (i * 7919) % 200_000)
                        name = f"/Home/alice/load-{n}-{i}.bin"
                        i += 1
                        r = alice.store(name, body)
                        if r.status_code in (200, 201, 204):
                            stored[name] = hashlib.sha256(body).hexdigest()
            except (OSError, AssertionError):
                time.sleep(0.05)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    try:
        for room in ROOMS + ["worker-https"]:
            time.sleep(0.4)
            n = len(stored)
            old = kill_room(server, room)
            if room in ROOMS:
                wait_until(server, f"another {room}", lambda: server.pids(room) not in ([], [old]))
            wait_until(server, "files are stored again", lambda: len(stored) > n + 3)
    finally:
        stop.set()
        for t in threads:
            t.join(60)
    wait_until(server, "healthy", server.healthy)
    assert len(stored) > 20
    with server.login("alice") as alice:
        for name, digest in stored.items():
            got = alice.fetch(name)
            assert got.status_code == 200, f"{name}: {got.status_code} {got.text[:200]}"
            assert hashlib.sha256(got.content).hexdigest() == digest, name
    server.verify()


class SlowDownload:
    """A download that is under way: half read, then the rest on demand."""

    def __init__(self, server, size=24 << 20):
        self.body = os.urandom(1 << 20) * (size >> 20)
        self.alice = server.login("alice")
        assert self.alice.store("/Home/alice/slow.bin", self.body).status_code in (200, 201, 204)
        self.response = self.alice.get(self.alice.url("/Home/alice/slow.bin"), stream=True)
        self.got = self.response.raw.read(1 << 20)

    def finish(self):
        rest = self.response.raw.read()
        self.alice.close()
        assert self.got + rest == self.body


class Knocking:
    """Handshakes without a pause: each must succeed, with whichever certificate."""

    def __init__(self, server):
        self.server, self.stop, self.failures, self.done = server, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run) for _ in range(2)]

    def run(self):
        while not self.stop.is_set():
            try:
                ssl.get_server_certificate(("127.0.0.1", self.server.port), timeout=20)
                self.done += 1
            except OSError as e:
                self.failures.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exception):
        self.stop.set()
        for t in self.threads:
            t.join(60)


@pytest.mark.parametrize("room", ["gate-https", "signer", "ledger"])
def test_transfer_outlives_room(server, room):
    """A worker that has its connection and its key needs neither gate nor signer nor ledger to go on sending."""
    download = SlowDownload(server)
    old = kill_room(server, room)
    wait_back(server, room, old)
    download.finish()


def test_reload(server):
    """SIGHUP: a running transfer goes on, a new connection gets the new certificate, bad settings change nothing."""
    download = SlowDownload(server)
    old = ssl.get_server_certificate(("127.0.0.1", server.port))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                    "-keyout", server.temp / "new.key", "-out", server.temp / "new.crt", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    for name in ("key", "crt"):
        target = server.dir / f"keys/https.{name}"
        os.chmod(target, 0o600)
        target.write_bytes((server.temp / f"new.{name}").read_bytes())
    server.certificate.write_bytes((server.temp / "new.crt").read_bytes())
    with Knocking(server) as knocking:
        time.sleep(0.2)
        os.kill(supervisor(server), signal.SIGHUP)
        wait_until(server, "the new certificate",
                   lambda: ssl.get_server_certificate(("127.0.0.1", server.port)).strip() != old.strip())
        time.sleep(0.2)
    assert not knocking.failures and knocking.done > 10, knocking.failures
    wait_until(server, "healthy", server.healthy)
    download.finish()
    round_trip(server, "after-reload.bin")
    wait_until(server, "the record", lambda: events(server, "server.reload"))
    conf = server.dir / "sallyport.conf"
    good = conf.read_text()
    conf.write_text(good + "\nNoSuchSetting 1\n")
    os.kill(supervisor(server), signal.SIGHUP)
    wait_until(server, "a refusal", lambda: "NoSuchSetting" in server.log())
    conf.write_text(good + "\nSegmentLength 64K\n")
    os.kill(supervisor(server), signal.SIGHUP)
    wait_until(server, "a warning", lambda: "SegmentLength is taken up by a restart only" in server.log())
    conf.write_text(good)
    round_trip(server, "after-bad-reload.bin")


def test_stop_drains(identity, fresh):
    """SIGTERM: no new connections, but what is under way is finished."""
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    download = SlowDownload(fresh)
    os.kill(supervisor(fresh), signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(OSError):
        ssl.get_server_certificate(("127.0.0.1", fresh.port), timeout=2)
    assert fresh.process.poll() is None
    download.finish()
    assert fresh.process.wait(15) == 0
    fresh.process = None
    assert events(fresh, "server.stop")
    fresh.verify()


def test_supervisor_killed(identity, fresh):
    """kill -9 of the supervisor takes every process with it, and the next start finds all that was acknowledged."""
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    digest = round_trip(fresh, "kept.bin")
    family = [pid for room in ROOMS + POOLS for pid in fresh.pids(room)]
    os.kill(supervisor(fresh), signal.SIGKILL)
    fresh.process.wait(10)
    fresh.process = None
    wait_until(fresh, "all are gone", lambda: not any(running(pid) for pid in family), 5)
    fresh.start()
    with fresh.login("alice") as alice:
        assert hashlib.sha256(alice.fetch("/Home/alice/kept.bin").content).hexdigest() == digest
    fresh.stop()
    fresh.verify()
