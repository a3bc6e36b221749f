"""A throw-away instance: made in a folder of its own, served on free loopback ports, stopped and checked.

    with Instance(Identity.root()) as server:
        server.add_user("alice")
        alice = server.login("alice")
        alice.put("/Home/alice/x.bin", b"...")

Only processes that were started here are ever signalled.
"""
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import requests

TOP = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
START_SECONDS = 30
STOP_SECONDS = 30
# Tests fail logins, break protocols and crash workers from the loopback, by the thousand: what that earns an address is tried
# in test_scanner.py, on servers that allow none.
ALLOWED = "127.0.0.0/8, ::1"
ORDINARY_UID = 54321  # nobody's: an ordinary user without a home or a group


def binary():
    """The sallyport command under test: SALLYPORT_BIN, else the release build of scripts/build."""
    return Path(os.environ.get("SALLYPORT_BIN", TOP / "build/rel/root/bin/sallyport"))


def own_ports():
    """A block of ports that no other process of these tests takes, below those that the kernel gives to clients
    (net.ipv4.ip_local_port_range).  A bound UDP socket, kept open, stands for the block."""
    for first in range(10000, 32000, 200):
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", first))
        except OSError:
            mark.close()
            continue
        return mark, itertools.cycle(range(first, first + 200))
    raise RuntimeError("no block of ports is left")


PORTS_MARK, PORTS = own_ports()


def free_ports(count):
    """Ports of the loopback that nobody listens on now; none is given out twice for long."""
    ports = []
    while len(ports) < count:
        with socket.socket() as s:
            port = next(PORTS)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
    return ports


class Identity:
    """Who runs the server: root (a uid for each room) or an ordinary user (everything but the uids)."""

    def __init__(self, name, uid):
        self.name, self.uid = name, uid

    def __repr__(self):
        return self.name

    def command(self, argv):
        """argv, run as this identity."""
        if self.uid == os.geteuid():
            return [str(a) for a in argv]
        drop = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--"]
        return drop + [str(a) for a in argv]

    @classmethod
    def ordinary(cls):
        return cls("user", ORDINARY_UID if os.geteuid() == 0 else os.geteuid())

    @classmethod
    def all(cls):
        """All that this test run can be; SALLYPORT_IDENTITIES: 1 for the first of them only, or "user" for the ordinary one."""
        every = ([cls("root", 0)] if os.geteuid() == 0 else []) + [cls.ordinary()]
        wanted = os.environ.get("SALLYPORT_IDENTITIES", len(every))
        return every[-1:] if wanted == "user" else every[: int(wanted)]


def descendants(pid):
    """The processes below pid, as a set of (pid, start time): a pid alone may be used again."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = (int(fields[1]), fields[19])
    found, todo = set(), [pid]
    while todo:
        up = todo.pop()
        for child, (parent, start) in parents.items():
            if parent == up:
                found.add((child, start))
                todo.append(child)
    return found


def alive(process):
    pid, start = process
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[19] == start and fields[0] != "Z"


def running(pid):
    """Is there a process of this number that is no zombie?  Asks nothing that only root may know."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def room(server, name):
    """Process numbers of a room, below this server."""
    found = []
    for pid, _ in descendants(server.process.pid):
        try:
            argv0 = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
        except OSError:
            continue
        if argv0 == f"sallyport-{name}":
            found.append(pid)
    return found


class Result:
    """What a command printed and how it ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


class Client(requests.Session):
    """A requests session that knows the server's address, certificate and (when logged in) token."""

    def __init__(self, server, token=None):
        super().__init__()
        self.base, self.token = server.base, token
        self.verify = str(server.certificate)
        self.trust_env = False
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def request(self, method, url, **kw):
        kw.setdefault("timeout", 60)
        return super().request(method, url if url.startswith("http") else self.base + url, **kw)

    @staticmethod
    def url(path):
        return "/api/v1/files/by-path" + quote(path)

    def store(self, path, data, **headers):
        return self.put(self.url(path), data=data, headers=headers)

    def fetch(self, path, **headers):
        return self.get(self.url(path), headers=headers)


class Instance:
    def __init__(self, identity, folder=None, org="main", settings=None, env=None, sftp=False, limits=None):
        """sftp: with the SFTP door open, on sftp_port; limits: of limits.conf."""
        self.identity, self.org, self.settings, self.sftp, self.limits = identity, org, settings or {}, sftp, limits
        self.temp = Path(folder) if folder else Path(tempfile.mkdtemp(prefix="sallyport-test-", dir=os.environ.get("SALLYPORT_TMP", "/var/tmp")))
        self.own_temp = folder is None
        if self.own_temp:
            self.temp.chmod(0o755)
            os.chown(self.temp, identity.uid, identity.uid) if os.geteuid() == 0 else None
        self.dir = self.temp / "instance"
        self.port, self.admin_port, self.sftp_port = free_ports(3)
        self.base = f"https://127.0.0.1:{self.port}"
        self.admin_base = f"https://127.0.0.1:{self.admin_port}"
        self.certificate = self.temp / "server.crt"
        self.log_path = self.temp / "server.log"
        self.process = None
        self.env = {**os.environ, **(env or {})}
        self.initialised = None

    # ---- the command line ----

    def pids(self, room):
        """Process numbers of a room's processes: children of the supervisor, by their first argument."""
        found = []
        for child in Path(f"/proc/{int((self.dir / 'run/pid').read_text())}/task").glob("*/children"):
            for pid in child.read_text().split():
                try:
                    name = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
                except OSError:
                    continue
                if name == f"sallyport-{room}":
                    found.append(int(pid))
        return found

    def run(self, *args, stdin=None, timeout=60, check=True):
        """sallyport -C DIR ARGS as the instance's owner."""
        argv = self.identity.command([binary(), "-C", self.dir, *args])
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=self.env, cwd="/")
        result = Result(done)
        if check:
            assert result.code == 0, f"sallyport {' '.join(map(str, args))}: {result}\n{self.log_tail()}"
        return result

    def init(self, *args, check=True):
        door = ["--sftp", f"127.0.0.1:{self.sftp_port}"] if self.sftp else []
        argv = self.identity.command([binary(), "--json", "init", self.dir, "--https", f"127.0.0.1:{self.port}",
                                      "--admin", f"127.0.0.1:{self.admin_port}", "--org", self.org, *door, *args])
        done = Result(subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                     env=self.env, cwd="/"))
        if check:
            assert done.code == 0, f"init: {done}"
            self.initialised = done.json()
            shutil.copyfile(self.dir / "keys/https.crt", self.certificate)
            for keyword, value in {"AllowAddresses": ALLOWED, **self.settings}.items():
                self.set(keyword, value)
            if self.limits:
                self.replace("limits.conf", "".join(f"{k} {v}\n" for k, v in self.limits.items()).encode(), 0o644)
        return done

    def set(self, keyword, value):
        """Set a keyword of sallyport.conf (taken up by start or reload)."""
        path = self.dir / "sallyport.conf"
        lines = [l for l in path.read_text().splitlines() if l.split(" ")[0].lower() != keyword.lower()]
        path.write_text("\n".join(lines + [f"{keyword} {value}", ""]))

    def replace(self, name, content, mode=0o600):
        """Put a file in place of one of the instance's, which may be read-only, as its owner would."""
        path = self.dir / name
        path.unlink()
        path.write_bytes(content)
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, self.identity.uid, self.identity.uid)

    # ---- life ----

    def start(self, wait=True):
        assert self.process is None
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(self.identity.command([binary(), "-C", self.dir, "serve"]), stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log, env=self.env, cwd="/", start_new_session=True)
        log.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}\n{self.log_tail()}"
            if self.healthy():
                return
            time.sleep(0.05)
        raise AssertionError(f"not ready after {START_SECONDS} s\n{self.log_tail()}")

    def healthy(self):
        """Do the doors shake hands, and does the broker answer the command line?"""
        context = ssl.create_default_context(cafile=str(self.certificate))
        try:
            for port in (self.port, self.admin_port):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                    with context.wrap_socket(s, server_hostname="127.0.0.1"):
                        pass
            if self.sftp:
                with socket.create_connection(("127.0.0.1", self.sftp_port), timeout=5) as s:
                    s.recv(1)
        except OSError:
            return False
        return self.run("status", "--json", check=False).code == 0

    def stop(self):
        """SIGTERM; the server must end by itself with 0 and leave no process behind."""
        assert self.process.poll() is None, f"the server had ended with {self.process.returncode}\n{self.log_tail()}"
        family = descendants(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {STOP_SECONDS} s after SIGTERM\n{self.log_tail()}") from None
        finally:
            self.end()
        assert code == 0, f"the server ended with {code}\n{self.log_tail()}"
        time.sleep(0.1)
        left = [p for p in family if alive(p)]
        assert not left, f"processes outlived the server: {left}\n{self.log_tail()}"

    def end(self):
        """Kill what is left of what this object started."""
        if self.process is None:
            return
        family = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        deadline = time.monotonic() + 3
        while any(alive(p) for p in family) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid, start in family:
            if alive((pid, start)):
                os.kill(pid, signal.SIGKILL)
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def verify(self):
        """The audit log must verify, whole."""
        return self.run("audit", "verify")

    def __enter__(self):
        try:
            self.init()
            return self.start()
        except BaseException:
            self.end()
            self.remove()
            raise

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                if self.process is not None:
                    self.stop()
                self.verify()
                assert "AddressSanitizer" not in self.log() and "runtime error" not in self.log(), self.log_tail(200)
        finally:
            self.end()
            self.remove()

    def remove(self):
        if self.own_temp and not os.environ.get("SALLYPORT_KEEP"):
            shutil.rmtree(self.temp, ignore_errors=True)

    # ---- looking ----

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def audit(self, *filters):
        """The audit log's entries as objects."""
        out = self.run("audit", "list", "--json", *filters).out
        try:
            whole = json.loads(out)
        except ValueError:
            return [json.loads(line) for line in out.splitlines() if line]
        return whole["rows"] if isinstance(whole, dict) and "rows" in whole else (whole if isinstance(whole, list) else [whole])

    # ---- people ----

    def add_user(self, name, *args, password=PASSWORD):
        return self.run("user", "add", name, "--password-stdin", *args, stdin=password + "\n")

    def grant(self, client, **form):
        return client.post("/api/v1/token", data=form)

    def anonymous(self):
        return Client(self)

    def login(self, name, password=PASSWORD, **form):
        """A client with a fresh session of this user."""
        with self.anonymous() as c:
            r = self.grant(c, grant_type="password", username=name, password=password, **form)
        assert r.status_code == 200, f"{r.status_code} {r.text}\n{self.log_tail()}"
        return Client(self, r.json()["access_token"])

    def curl(self, *args, token=None, timeout=120):
        """curl with the server's certificate; returns its Result with bytes as text."""
        argv = ["curl", "-sS", "--noproxy", "*", "--cacert", str(self.certificate), *map(str, args)]
        if token:
            argv += ["-H", f"Authorization: Bearer {token}"]
        return Result(subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout))

    def raw(self, timeout=30):
        """A TLS socket to the public door, for what no HTTP library would send."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return context.wrap_socket(s, server_hostname="127.0.0.1")


def random_file(path, size):
    """A file of random bytes; returns its SHA-256 in hex."""
    import hashlib

    digest = hashlib.sha256()
    block = secrets.token_bytes(1 << 20)
    with open(path, "wb") as f:
        left, n = size, 0
        while left:
            part = (n.to_bytes(8, "big") + block[8:])[: min(left, 1 << 20)]
            f.write(part)
            digest.update(part)
            left, n = left - len(part), n + 1
    return digest.hexdigest()
