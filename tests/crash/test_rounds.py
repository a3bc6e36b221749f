"""kill -9 at random moments under load, round after round: acknowledged is durable, unfinished is invisible.

SALLYPORT_ROUNDS kills (200 unless said otherwise): of a room, of a worker in the middle of a transfer, or of the
supervisor with all that it started.  The load is HTTPS clients and SFTP clients (lib/sftp_load.py).
"""
import hashlib
import os
import random
import signal
import threading
import time
from pathlib import Path

from lib.instance import Client, Identity, Instance
from lib.sftp import add_key, make_key
from lib.sftp_load import SftpLoad
from lib.ssh_wire import UserKey

KILLS = int(os.environ.get("SALLYPORT_ROUNDS", "200"))
KILLS_A_START = 8
VICTIMS = ["ledger", "vault", "signer", "broker", "gate-https", "worker-https", "gate-sftp", "worker-sftp", "authenticator", "scrubber",
           "supervisor"]
SETTINGS = {"SessionIdle": "1h", "TokenLifetime": "1h"}
# one user reads thousands of files after each of so many kills, each of which costs what was reserved
LIMITS = {f"{who}FloorFiles": 1000000 for who in ("User", "Address", "Network", "Org", "Server")}
SIZES = [0, 1, 5_000, 65_536, 65_537, 300_000, 2_000_000]


def find(server, room):
    supervisor = int((server.dir / "run/pid").read_text())
    if room == "supervisor":
        return [supervisor]
    found = []
    for child in Path(f"/proc/{supervisor}/task").glob("*/children"):
        for pid in child.read_text().split():
            try:
                name = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
            except OSError:
                continue
            if name == f"sallyport-{room}":
                found.append(int(pid))
    return found


class Load:
    """Clients that store and replace, and remember what was tried and what was acknowledged."""

    def __init__(self, server, token, before=None):
        self.server, self.token, self.stop, self.lock = server, token, threading.Event(), threading.Lock()
        self.tried, self.stored = (before.tried, before.stored) if before else ({}, {})
        self.number, self.acknowledged = 0, 0

    def once(self, client, rng):
        with self.lock:
            self.number += 1
            name = f"f{self.number % 40}"
            body = rng.randbytes(rng.choice(SIZES))
            digest = hashlib.sha256(body).hexdigest()
            path = f"/Home/alice/{threading.current_thread().name}-{name}"
            self.tried.setdefault(path, set()).add(digest)
            before = self.stored.pop(path, None)  # until it is acknowledged, either may be there
            if before:
                self.tried[path].add(before)
        r = client.store(path, body)
        with self.lock:
            if r.status_code in (200, 201, 204):
                self.stored[path] = digest
                self.acknowledged += 1

    def run(self, seed):
        rng = random.Random(seed)
        while not self.stop.is_set():
            try:
                with Client(self.server, self.token) as client:
                    while not self.stop.is_set():
                        self.once(client, rng)
            except OSError:  # requests' errors are: the connection broke, as it must when its worker dies
                time.sleep(0.02)

    def __enter__(self):
        self.threads = [threading.Thread(target=self.run, args=(random.random(),), name=f"c{n}") for n in range(3)]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exception):
        self.stop.set()
        for t in self.threads:
            t.join(90)
            assert not t.is_alive()


def check(server, client, load):
    """Every acknowledged file is there, whole; whatever else is there is whole too, and was sent like that."""
    for path, tried in load.tried.items():
        got = client.fetch(path)
        digest = hashlib.sha256(got.content).hexdigest() if got.status_code == 200 else None
        if path in load.stored:
            assert digest == load.stored[path], f"{path}: {got.status_code}, {len(got.content)} bytes\n{server.log_tail()}"
        elif digest is not None:
            assert digest in tried, f"{path}: {len(got.content)} bytes that nobody sent\n{server.log_tail()}"
        else:
            assert got.status_code == 404, f"{path}: {got.status_code} {got.text[:200]}\n{server.log_tail()}"


def kill_some(server, rng, load, most):
    """Kill up to `most` victims; returns how many, and whether the supervisor was one."""
    done = 0
    while done < most:
        time.sleep(rng.uniform(0, 0.4))
        victim = rng.choice(VICTIMS)
        pids = find(server, victim)
        if not pids:
            continue
        try:
            os.kill(rng.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            continue
        done += 1
        if victim == "supervisor":
            return done, True
    return done, False


def wait_healthy(server):
    deadline = time.monotonic() + 40
    while not server.healthy():
        assert time.monotonic() < deadline, f"not healthy after 40 s\n{server.log_tail()}"
        time.sleep(0.1)


def alices_key(server):
    path = server.temp / "id"
    add_key(server, "alice", make_key(path))
    return UserKey.load(path)


def test_rounds():
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 32)))
    print("SALLYPORT_SEED", seed)
    rng = random.Random(seed)
    kills = acknowledged = by_sftp = 0
    load = sftp = None
    with Instance(Identity.all()[0], settings=SETTINGS, limits=LIMITS, sftp=True) as server:
        server.add_user("alice")
        token, key = server.login("alice").token, alices_key(server)
        while kills < KILLS:
            with Load(server, token, load) as load, SftpLoad(server, key, sftp) as sftp:
                n, all_gone = kill_some(server, rng, load, min(KILLS_A_START, KILLS - kills))
                kills += n
                if all_gone:
                    server.process.wait(10)
                    server.process = None
                    server.start(wait=False)
                wait_healthy(server)
                time.sleep(0.2)
            with Client(server, token) as client:
                check(server, client, load)
            sftp.check()
            acknowledged, by_sftp = acknowledged + load.acknowledged, by_sftp + sftp.acknowledged
            server.verify()
            server.run("fsck")
            if not all_gone:
                server.restart()
        print(f"{kills} kills, {acknowledged} files by HTTPS, {by_sftp} operations and {sftp.resumed} resumed uploads by SFTP")
        assert acknowledged > KILLS and by_sftp > KILLS and sftp.resumed > KILLS / 20
