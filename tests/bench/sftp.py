"""The SFTP door beside OpenSSH's sshd with internal-sftp: the same client, cipher, key exchange and files.  Used by bench.py."""
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import adopter
from measure import GIB, cpu_of, free_port, run, timed

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.ssh import Ssh  # noqa: E402
from lib.ssh_wire import UserKey  # noqa: E402

CIPHER, KEX, HOST_KEY = "aes256-gcm@openssh.com", "curve25519-sha256", "ssh-ed25519"
SSHD = "/usr/sbin/sshd"


class Peer:
    """An SFTP server and bench's way into it: name, pid, port, user, key, folder (where transfers go)."""

    def options(self, port):
        words = [f"Port={port}", f"User={self.user}", f"IdentityFile={self.key}", f"Ciphers={CIPHER}", f"KexAlgorithms={KEX}", f"HostKeyAlgorithms={HOST_KEY}",
                 "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes",
                 "IdentityAgent=none", "BatchMode=yes", "Compression=no"]
        return ["-F", "none"] + [w for o in words for w in ("-o", o)]

    def sftp(self, script, port=None):
        """The OpenSSH client with this batch, as a command."""
        path = f"{self.scratch}/batch-{self.name}-{hashlib.sha256(script.encode()).hexdigest()[:8]}"
        with open(path, "w") as f:
            f.write(script + "\n")
        return ["sftp", "-q", *self.options(port or self.port), "-b", path, "127.0.0.1"]

    def ready(self):
        for _ in range(200):
            if subprocess.run(self.sftp("pwd"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        raise SystemExit(f"bench: nobody gets into {self.name} by SFTP: see {self.scratch}")


class Door(Peer):
    """The SFTP door of the instance that bench.py started."""

    def __init__(self, sallyport, scratch, key):
        self.name, self.pid, self.port, self.user = "sallyport", sallyport.pid, sallyport.sftp_port, "bench"
        self.scratch, self.key, self.folder = scratch, key, "."
        run([sallyport.cmd, "-C", sallyport.dir, "user", "key", "add", "bench", "--file", f"{key}.pub"])
        self.ready()


class Sshd(Peer):
    """OpenSSH as it is used: started by root, it separates privileges and serves `nobody`; else it serves whoever runs it."""

    def __init__(self, scratch, key):
        self.name, self.scratch, self.key, self.port = "openssh", scratch, key, free_port()
        self.user = "nobody" if os.getuid() == 0 else subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.folder = f"{scratch}/sshd"
        os.makedirs(self.folder)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{scratch}/sshd-host"], check=True)
        shutil.copy(f"{key}.pub", f"{scratch}/sshd-keys")
        os.chmod(f"{scratch}/sshd-keys", 0o644)
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody")
            os.makedirs("/run/sshd", exist_ok=True)  # its empty folder, which the package leaves to systemd to make
        conf = f"{scratch}/sshd.conf"
        with open(conf, "w") as f:
            f.write(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {scratch}/sshd-host
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile {scratch}/sshd-keys
Subsystem sftp internal-sftp -d {self.folder}
ForceCommand internal-sftp -d {self.folder}
UseDNS no
MaxStartups 200
LogLevel ERROR
""")
        self.log = open(f"{scratch}/sshd.log", "w")
        # sshd's monitor does not wait for its child when a client hangs up: adopted, or its processor time would be nobody's
        self.proc = subprocess.Popen([sys.executable, adopter.__file__, SSHD, "-D", "-e", "-f", conf], stdout=self.log, stderr=self.log)
        self.pid = self.proc.pid
        self.ready()

    def stop(self):
        self.proc.terminate()
        self.proc.wait(30)
        self.log.close()


class Road:
    """A link of 100 ms round-trip time and 1 Gbit/s in front of a server."""

    def __init__(self, relay, peer, one_way_ms=50, megabits=1000):
        self.port = free_port()
        self.proc = subprocess.Popen([relay, str(self.port), str(peer.port), str(one_way_ms), str(megabits)], stdout=subprocess.PIPE)
        self.proc.stdout.readline()

    def __enter__(self):
        return self.port

    def __exit__(self, *exception):
        self.proc.terminate()
        self.proc.wait(10)
        self.proc.stdout.close()


# ---- what is measured: wall and server processor seconds ----

def get(peer):
    return timed(peer, [peer.sftp("get big.bin /dev/null")])


def put(peer, path):
    return timed(peer, [peer.sftp(f"put {path} up.bin")])


def put_far(peer, path, relay):
    with Road(relay, peer) as port:
        return timed(peer, [peer.sftp(f"put {path} far.bin", port)])


def get_far(peer, relay):
    with Road(relay, peer) as port:
        return timed(peer, [peer.sftp("get big.bin /dev/null", port)])


def get_many(peer):
    target = f"{peer.scratch}/got-{peer.name}"
    shutil.rmtree(target, ignore_errors=True)
    out = timed(peer, [peer.sftp(f"get -r small {target}")])
    shutil.rmtree(target)
    return out


def put_many(peer, source):
    """Into a folder that is not there yet; it is removed untimed."""
    out = timed(peer, [peer.sftp(f"put -r {source} many")])
    run(peer.sftp("-rm many/*\nrmdir many"))
    return out


def logins(peer, n):
    """n logins with a key, each up to a started sftp subsystem; a client of few instructions, so that both servers have the machine."""
    key = UserKey.load(peer.key)
    cpu, wall = cpu_of(peer.pid), time.monotonic()
    for _ in range(n):
        with Ssh(peer.port, peer.user, key=key, cipher=CIPHER, kex=KEX, host_key=HOST_KEY).to("sftp"):
            pass
    wall = time.monotonic() - wall
    time.sleep(0.5)
    return wall, cpu_of(peer.pid) - cpu


def sha256_seconds():
    """Processor seconds of SHA-256 over 1 GiB on this machine now: what a put pays for its hash, which OpenSSH does not make."""
    block = bytes(1 << 20)
    best = None
    for _ in range(3):
        begin = time.process_time()
        h = hashlib.sha256()
        for _ in range(256):
            h.update(block)
        h.digest()
        taken = (time.process_time() - begin) * (GIB / (256 << 20))
        best = taken if best is None else min(best, taken)
    return best


# ---- the cases ----

def run_cases(bench, sallyport, relay, big, small):
    """bench: what bench.py's Bench offers; big: path of a file; small: a folder."""
    if not os.path.exists(SSHD):
        raise SystemExit("bench: /usr/sbin/sshd is missing: scripts/deps --bench")
    wanted = [name for name in ("SFTP get", "SFTP put", "SFTP get -r, 10 KiB", "SFTP put -r, 10 KiB", "SFTP login", "SFTP put, 100 ms, 1 Gbit/s",
                                "SFTP get, 100 ms, 1 Gbit/s", "SFTP memory") if bench.wants(name)]
    if not wanted:
        return
    scratch = bench.base
    key = f"{scratch}/bench-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    door, sshd = Door(sallyport, scratch, key), Sshd(scratch, key)
    peers = [door, sshd]
    try:
        for p in peers:
            run(p.sftp(f"put {big} big.bin\nput -r {small} small"))
        size, n = os.path.getsize(big), len(os.listdir(small))
        bench.case("SFTP get", peers, get, size=size)
        hash_s = sha256_seconds()
        bench.case("SFTP put", peers, lambda p: put(p, big), size=size, apart=("SHA-256", hash_s))
        bench.case("SFTP get -r, 10 KiB", peers, get_many, count=n)
        bench.case("SFTP put -r, 10 KiB", peers, lambda p: put_many(p, small), count=n)
        bench.case("SFTP login", peers, lambda p: logins(p, bench.logins), count=bench.logins)
        bench.case("SFTP put, 100 ms, 1 Gbit/s", peers, lambda p: put_far(p, big, relay), size=size, rounds=2)
        bench.case("SFTP get, 100 ms, 1 Gbit/s", peers, lambda p: get_far(p, relay), size=size, rounds=2)
        if bench.wants("SFTP memory"):
            memory(bench, door, big, relay)
    finally:
        sshd.stop()


def memory(bench, door, big, relay):
    """Private memory of the busiest worker; in a put its window is part of it, and grows with what the road holds."""
    figures = {"get": bench.peak(door.pid, lambda: get(door)), "put": bench.peak(door.pid, lambda: put(door, big)),
               "put, 100 ms": bench.peak(door.pid, lambda: put_far(door, big, relay))}
    bench.note("SFTP memory", "private memory of a worker", ", ".join(f"{what} {kib / 1024:.1f} MiB" for what, kib in figures.items()), figures)
