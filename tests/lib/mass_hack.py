"""The drill: what a thief carries off who owns the workers, then a login, then an administrator's password, then the broker.

    with evil_instance(identity, ...) as server:
        site = Site(server, files=20000, users=200, orgs=5)
        haul = Thief(server).loot("user-3-7", site.requests("org-3"))
        haul.files, haul.bytes, haul.refused, haul.locked_out
"""
import collections
import concurrent.futures
import itertools
import random
import subprocess
import time

from lib.evil import Closed, Evil, EvilSftp, Gone
from lib.instance import PASSWORD
from lib.ring import encode

BY_PATH, BY_FILE = 0, 2  # enum ipc_by
CLIENTS = 8
PATIENCE = 10  # refusals in a row before the thief comes from another address
ADDRESSES = 30  # of them without a file before the thief gives up

# What a site's own history would have taught its vault, as ceilings: no more than 1 % of 20,000 files in an hour.
LIMITS = {"User": 60, "Address": 120, "Network": 150, "Org": 150, "Server": 190}


def limits(instance, table=None):
    """Put these files per hour (and as many a day) into limits.conf."""
    lines = [f"{kind}FilesPer{window} {n}" for kind, n in (table or LIMITS).items() for window in ("Hour", "Day")]
    (instance.dir / "limits.conf").write_text("\n".join(lines) + "\n")


class Site:
    """Organisations with a folder /Projects that all their users read."""

    def __init__(self, server, files, users, orgs):
        self.server, self.orgs = server, [f"org-{n}" for n in range(orgs)]
        self.users = {org: [f"user-{n}-{i}" for i in range(users // orgs)] for n, org in enumerate(self.orgs)}
        self.paths = collections.defaultdict(list)
        for org in self.orgs:
            server.run("org", "add", org)
            server.run("group", "add", "staff", "--org", org)
            server.run("folder", "add", "/Projects", "--org", org)
            server.run("acl", "set", "/Projects", "--group", "staff", "--rights", "read,write,list,subfolders", "--org", org)
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self.add_user, [(org, name) for org in self.orgs for name in self.users[org]]))
            shares = [(org, files // orgs // 2, half) for org in self.orgs for half in range(2)]
            list(pool.map(lambda share: self.fill(*share), shares))
        self.count = sum(map(len, self.paths.values()))

    def add_user(self, who):
        org, name = who
        self.server.add_user(name, "--org", org)
        self.server.run("group", "member-add", "staff", name, "--org", org)

    def fill(self, org, files, half):
        """Small files of every size, by curl with one connection."""
        name = self.users[org][half]
        client = self.server.login(name)
        chance = random.Random(f"{org} {half}")
        folder = self.server.temp / f"{org}-{half}"
        folder.mkdir()
        content = chance.randbytes(20000)
        (folder / "batch").write_text("".join(
            f'url = "{client.base}{client.url(path)}"\nupload-file = "{folder}/{n % 64}"\noutput = "/dev/null"\n'
            for n, path in enumerate(f"/Projects/{half}-{n}.csv" for n in range(files))))
        for n in range(64):
            (folder / str(n)).write_bytes(content[:chance.randrange(200, 20000)])
        subprocess.run(["curl", "-sS", "--fail-early", "-f", "--noproxy", "*", "--cacert", str(self.server.certificate), "-H",
                        f"Authorization: Bearer {client.token}", "-K", str(folder / "batch")], check=True, timeout=600)
        self.paths[org] += [f"/Projects/{half}-{n}.csv" for n in range(files)]


    def versions(self):
        """All that is stored, as the broker's database knows it."""
        return [int(e["detail"]["version"]) for e in self.server.audit("--event", "file.created")]

    def requests(self, org):
        """OPEN for each file that the organisation's users can read."""
        return [encode("OPEN", by=BY_PATH, path=path) for path in self.paths[org]]


class Haul:
    """Keys that reached the thief: each opens one version, whole."""

    def __init__(self):
        self.began, self.keys, self.refused, self.ended, self.locked_out = time.monotonic(), {}, collections.Counter(), 0, False

    def take(self, key):
        self.keys[key.blob] = key.length

    files = property(lambda self: len(self.keys))
    bytes = property(lambda self: sum(self.keys.values()))


class Thief:
    """Owns every worker that it connects to, from as many addresses as it likes."""

    def __init__(self, server, net="127.66"):
        self.server, self.addresses = server, (f"{net}.{a}.1" for a in itertools.count(1))  # a network each

    def token(self, name, password=PASSWORD):
        """A login as its owner would do it, or None."""
        r = self.server.grant(self.server.anonymous(), grant_type="password", username=name, password=password)
        return r.json().get("access_token") if r.status_code == 200 else None

    def without_login(self, paths):
        """Every request for a file that a worker can make before a login, on both doors."""
        haul = Haul()
        for kind, path in itertools.product((Evil, EvilSftp), paths):
            for by, file in ((BY_PATH, 0), (BY_FILE, 1)):
                with kind(self.server, source=next(self.addresses)) as w:
                    self.ask(w, haul, encode("OPEN", by=by, id=file, path=path))
        return haul

    def ask(self, w, haul, packet):
        """One OPEN. True with a key, False when refused, None when the worker did not survive it."""
        try:
            w.send("broker", packet)
            reply = w.reply()
            key = None
            while reply.name != "FAILED" and (key := w.key(0.02)) is None and reply.name != "DONE":
                reply = w.reply() if w.readable("broker", 0) else reply
            key = key or (w.key() if reply.name == "DONE" else None)
        except (Gone, Closed):
            haul.ended += 1
            return None
        if key is None:
            haul.refused[reply.err] += 1
            return False
        haul.take(key)
        return True

    def loot(self, name, packets, password=PASSWORD):
        """All that these requests bring to workers logged in as this user, each refused one tried again from elsewhere."""
        haul, todo, barren = Haul(), collections.deque(packets), 0
        token = self.token(name, password)
        while todo and token and barren < ADDRESSES:
            before = haul.files
            try:
                with Evil(self.server, source=next(self.addresses)) as w:
                    w.login(token)
                    self.empty(w, haul, todo)
            except (Gone, Closed, OSError, AssertionError):  # no worker, or no login any more
                haul.ended += 1
                token = self.token(name, password)
            barren = 0 if haul.files > before else barren + 1
        haul.locked_out = token is None
        return haul

    def empty(self, w, haul, todo):
        """Take what there is until this worker is refused too often, or ended."""
        refused = 0
        while todo and refused < PATIENCE:
            packet = todo.popleft()
            got = self.ask(w, haul, packet)
            if got is None:
                raise Gone(w.peer)
            if not got:
                todo.append(packet)
            refused = 0 if got else refused + 1

    def with_broker(self, name, versions):
        """The broker is the thief's too: any version, any name, on any worker that somebody is logged in on."""
        haul, token, barren = Haul(), self.token(name), 0
        todo = collections.deque(versions)
        for claimed in itertools.count(1_000_000):
            if not todo or barren >= ADDRESSES:
                return haul
            before = haul.files
            try:
                with Evil(self.server, source=next(self.addresses)) as w:
                    w.login(token)
                    refused = 0
                    while todo and refused < PATIENCE:
                        version = todo.popleft()
                        got = self.ask(w, haul, encode("OPEN", by=BY_FILE, id=claimed, path="/thief", version=version))
                        if not got:
                            todo.append(version)
                        if got is None:
                            break
                        refused = 0 if got else refused + 1
            except (Gone, Closed, OSError):
                haul.ended += 1
            barren = 0 if haul.files > before else barren + 1
