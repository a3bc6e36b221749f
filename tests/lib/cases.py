"""What the replays in tests/hostile/cases share: a house worth robbing, a thief whose every received byte is kept, and the stock-taking afterwards.

    with house.attack() as thief:                     # or attack(inside="thief"): with that user's login
        thief.refused("GET", "/human2.aspx", "X-siLock-Comment: x")
    assert thief.seen("login.failed")

Leaving the block fails the test when a byte of somebody else's is in what the thief received; when a user, right, token, key,
session or file came, went or changed; when anything ran, was written or called out; when the audit log does not verify or has an
entry that is neither a refusal nor the insider's own doing; or when the server does not serve its people any more.
"""
import base64
import contextlib
import hashlib
import json as jsons
import re
import secrets
import shutil
import socket
import sqlite3
import ssl
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlencode

from lib.instance import PASSWORD, Client, Instance, descendants
from lib.sftp import add_key
from lib.ssh import Ssh
from lib.ssh_sftp import Status
from lib.ssh_wire import Closed, Clear, Msg, UserKey, string, u32

# Thieves fail to log in very often, all from one address; test_limits.py and test_sftp_login.py try the lockouts.
SETTINGS = {"LockoutFailures": "1000", "LockoutAddress": "100000", "CongestionControl": "cubic"}
LARGE = 300_000  # bytes: in a blob of its own; small files are in the database

# What the ledger may say of an attack: that it failed.  The last are of the server itself, whoever knocks.
REFUSALS = {"login.failed", "login.lockout", "login.aggregate", "denied", "limit", "scanner", "address.slowed", "address.banned", "alarm",
            "otp.check", "server.start", "log.recovered"}
# What an insider's own login may add, in the insider's own home.
OWN = {"login", "logout", "token.refresh", "file.read", "file.created", "file.replaced", "file.deleted", "file.renamed", "file.touched", "upload.aborted",
       "upload.resumed", "key.seal", "folder.created", "folder.deleted", "folder.renamed", "file.shredded", "file.check"}

# All that a thief could want to change; each query's first column of {} says whose row it is.
STATE = {
    "org": "SELECT 0, id, name, quota FROM org",
    "user": "SELECT 0, id, org, name, full_name, email, level, status, phc, home, quota, auth_methods FROM user",
    "grp": "SELECT 0, id, org, name FROM grp",
    "membership": "SELECT 0, grp, user FROM membership",
    "acl": "SELECT place.folder, acl.folder, kind, subject, rights, override FROM acl JOIN place ON place.id = acl.folder",
    "folder": "SELECT folder, id, org, parent, name, inherit, type, owner, quota FROM folder JOIN place USING (id)",
    "file": "SELECT place.folder, file.id, file.org, file.folder, name, version, size FROM file JOIN place ON place.id = file.folder",
    "version": "SELECT uploader, id, file, org, size, hex(sha256), damaged FROM version",
    "held": "SELECT uploader, version, path FROM held JOIN version ON version.id = held.version",
    "upload": "SELECT user, id, path FROM upload",
    "session": "SELECT user, id, listener, hex(access) FROM session WHERE door = 0",
    "api_token": "SELECT 0, id, user, name, hex(hash), scopes, expires_us FROM api_token",
    "ssh_key": "SELECT 0, id, user, fingerprint FROM ssh_key",
    "ssh_ca": "SELECT 0, id, org, name, fingerprint FROM ssh_ca",
    "otp": "SELECT 0, user, hex(blob) FROM otp",
}
# place: whose home a folder is in
PLACES = """CREATE TEMP TABLE place AS WITH RECURSIVE tree(id, folder) AS (SELECT id, owner FROM folder WHERE parent = 0
    UNION ALL SELECT folder.id, CASE folder.owner WHEN 0 THEN tree.folder ELSE folder.owner END FROM folder JOIN tree ON folder.parent = tree.id) SELECT * FROM tree"""

# Values that were a query's, a template's or a shell's part somewhere; each is one value here.
SQL_SHAPES = ["'", "' OR '1'='1", "1; UPDATE user SET level=6 WHERE name='thief'; --", "victim' UNION SELECT phc FROM user --", "\\'; DROP TABLE user; --", 'victim" OR ""="', "%", "_ictim", "1 OR 1=1",
              "0x31", "1/**/UNION/**/SELECT/**/1", "\uff07 OR 1=1 --", "x'||(SELECT phc FROM user LIMIT 1)||'", "';INSERT INTO api_token VALUES(9,1,'x',x'00',511,0,0,0);--"]

# A Java stream of one object, of a class that looks an address up when it is hashed: harmless, and a first step of every chain of gadgets.
JAVA_OBJECT = b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16`\xd1\x03\x00\x02F\x00\nloadFactorI\x00\tthresholdxp?@\x00\x00\x00\x00\x00\x0cw\x08\x00\x00\x00\x10\x00\x00\x00\x01sr\x00\x0cjava.net.URLx"


def house_paths(house):
    """Where a traversal wants to get to: others' files, and the instance's and the system's own."""
    return ["Home/victim/secret", "Home/neighbour/secret", str(house.server.dir / "keys/root.key").lstrip("/"), "etc/passwd"]


def forms(mark):
    """What a mark looks like when it was encoded on its way out."""
    out = [mark, mark.hex().encode(), mark.hex().upper().encode(), quote(mark).encode(), mark[::-1]]
    out += [base64.b64encode(b"x" * shift + mark)[4:-4] for shift in range(3)]
    with contextlib.suppress(UnicodeDecodeError):
        out += [mark.decode().encode("utf-16-le"), mark.upper()]
    return set(out)


def whole(data, begin):
    """Where the response that begins there ends, when all of it is there; else 0."""
    head = data.find(b"\r\n\r\n", begin) + 4
    if head == 3:
        return 0
    fields = bytes(data[begin:head]).lower()
    if b"transfer-encoding: chunked" in fields:
        end = data.find(b"\r\n0\r\n\r\n", head - 2)
        return end + 7 if end >= 0 else 0
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", fields)
    end = head + (int(length[1]) if length else 0)
    return end if len(data) >= end else 0


class Reply:
    """What came back: of the first response status, fields and body; everything in raw."""

    def __init__(self, raw):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        self.status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        self.fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}

    def json(self):
        return jsons.loads(self.body)

    def __repr__(self):
        return repr(self.raw[:600])


class HeardSsh(Ssh):
    """lib/ssh.py's client, of which everything is kept that arrives: what is in the clear, payloads, and the channel's bytes."""

    def __init__(self, thief, *args, **how):
        self.clear, self.payloads, self.stream = (thief.stream() for _ in range(3))
        super().__init__(*args, **how)

    def fill(self):
        had = len(self.buffer)
        super().fill()
        if type(self.inn) is Clear:
            self.clear += self.buffer[had:]

    def recv_packet(self):
        try:
            payload = super().recv_packet()
        except Closed:
            self.payloads += str(self.last_seen).encode()
            raise
        self.payloads += payload
        if payload[0] == Msg.CHANNEL_DATA:
            self.stream += payload[9:]
        return payload


CHANNEL = bytes([Msg.CHANNEL_OPEN]) + string("session") + u32(0) + u32(1 << 20) + u32(32768)
SUBSYSTEM = bytes([Msg.CHANNEL_REQUEST]) + u32(0) + string("subsystem") + b"\1" + string("sftp")


def tries(c, *payloads):
    """Each is sent whatever came of the one before, then a channel is asked for, which ends a connection that is not in; the messages that came back."""
    got = []
    try:
        for p in (*payloads, CHANNEL):
            c.send(p)
        c.socket.settimeout(3)
        while True:
            got.append(c.recv_packet())
    except (Closed, TimeoutError):
        pass
    assert not any(p[0] in (Msg.OPEN_CONFIRMATION, Msg.USERAUTH_SUCCESS) for p in got), f"somebody is in: {got}"
    return got


class Thief:
    """One attack.  Tokens and logins are those that the thief came by."""

    def __init__(self, house, inside):
        self.house, self.server, self.port = house, house.server, house.server.sftp_port
        self.inside, self.loot, self.record = inside, [], []
        self.source = "127.0.0.1"
        self.open = {}  # connections that are kept, by thread and token: a connection is one login's

    def stream(self):
        self.loot.append(bytearray())
        return self.loot[-1]

    def elsewhere(self):
        """From here on from an address that nobody came from yet: the ledger counts failures of one address together after the twentieth in a minute."""
        for key in list(self.open):
            self.hang_up(key)
        self.source = "127." + ".".join(str(secrets.randbelow(250) + 1) for _ in range(3))

    # ---- HTTPS ----

    def connect(self, seconds):
        context = ssl.create_default_context(cafile=str(self.server.certificate))
        s = socket.create_connection(("127.0.0.1", self.server.port), seconds, (self.source, 0))
        return context.wrap_socket(s, server_hostname="127.0.0.1")

    def send(self, data, seconds=10):
        """Bytes as they are on a connection of their own, and all that comes until the server closes it."""
        kept = self.stream()
        with contextlib.suppress(OSError), self.connect(seconds) as s:
            s.sendall(data)
            while part := s.recv(1 << 16):
                kept += part
        return Reply(bytes(kept))

    def knock(self, port, data, seconds=3):
        """Bytes to a port as they are, without TLS or SSH; all that comes."""
        kept = self.stream()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), seconds, (self.source, 0)) as s:
            s.settimeout(seconds)
            s.sendall(data)
            while part := s.recv(1 << 16):
                kept += part
        return bytes(kept)

    def http(self, method, target, *fields, body=b"", form=None, json=None, token=None, host="127.0.0.1"):
        """One request; fields are lines "Name: value" that are sent as they are."""
        lines = [f"{method} {target} HTTP/1.1"] + ([f"Host: {host}"] if host is not None else []) + list(fields)
        if form is not None:
            lines, body = lines + ["Content-Type: application/x-www-form-urlencoded"], urlencode(form).encode()
        if json is not None:
            lines, body = lines + ["Content-Type: application/json"], jsons.dumps(json).encode()
        if token:
            lines += [f"Authorization: Bearer {token}"]
        if body or method in ("POST", "PUT"):
            lines += [f"Content-Length: {len(body)}"]
        data = (body.encode() if isinstance(body, str) else body)
        if method in ("HEAD", "CONNECT") or "Expect:" in str(fields) or target.startswith("/api/v1/token"):  # a connection that is somebody's takes no other login
            return self.send("\r\n".join(lines + ["Connection: close", "", ""]).encode("utf-8", "surrogateescape") + data)
        return self.ask((threading.get_ident(), token), "\r\n".join(lines + ["", ""]).encode("utf-8", "surrogateescape") + data)

    def ask(self, key, request):
        """The same on a connection that is kept for the next request; one that is not there any more is made anew."""
        for fresh in (key not in self.open, True):
            if fresh:
                for old in [key, *list(self.open)[:-8]]:
                    self.hang_up(old)
                try:
                    self.open[key] = self.connect(10), self.stream()
                except OSError:  # not let in at all
                    return Reply(b"")
            s, kept = self.open[key]
            begin = len(kept)
            with contextlib.suppress(OSError):
                s.sendall(request)
                while not (end := whole(kept, begin)):
                    part = s.recv(1 << 16)
                    if not part:
                        break
                    kept += part
                else:
                    if b"connection: close" in kept[begin:].lower():
                        self.hang_up(key)
                    return Reply(bytes(kept[begin:end]))
            self.hang_up(key)
            if len(kept) > begin or fresh:
                break
        return Reply(bytes(kept[begin:]))

    def hang_up(self, key):
        if key in self.open:
            self.open.pop(key)[0].close()

    def refused(self, method, target, *fields, **how):
        """The same, and it must have come to nothing."""
        reply = self.http(method, target, *fields, **how)
        assert reply.status == 0 or reply.status >= 400, f"{method} {target} {fields}: {reply}"
        assert b"access_token" not in reply.body.replace(b"mfa_access_token", b"") and "set-cookie" not in reply.fields, reply
        return reply

    def log_in(self, name="thief", password=PASSWORD):
        """An access token of the insider's."""
        assert name == self.inside
        reply = self.http("POST", "/api/v1/token", form={"grant_type": "password", "username": name, "password": password})
        return reply.json()["access_token"]

    # ---- SFTP ----

    def ssh(self, user="victim", **how):
        return HeardSsh(self, self.port, user, source=self.source, **how)

    def strange(self, user="victim"):
        """A connection of somebody who has nothing to log in with."""
        return self.ssh(user).to("auth")

    def sftp(self):
        """The insider's own session."""
        return self.ssh(self.inside, password=PASSWORD).to("sftp")

    def denied(self, call, *args):
        """An SFTP request that must fail; what it said."""
        try:
            got = call(*args)
        except Status as e:
            return e
        raise AssertionError(f"{call.__name__}{args} worked: {got!r}")

    # ---- what is on record ----

    def seen(self, event, seconds=5, **members):
        """Entries of this event that the attack left, waited for a little while it lasts."""
        deadline = time.monotonic() + seconds
        while True:
            found = [e for e in self.record or self.house.entries(self.first) if e["event"] == event and all(str(v) in str(e.get(k)) for k, v in members.items())]
            if found or self.record or time.monotonic() > deadline:
                return found
            time.sleep(0.1)


class Person:
    def __init__(self, name, org, folder="main"):
        self.name, self.org = name, org
        self.mark = f"MARK{secrets.token_hex(12)}"
        self.password, self.key = f"secret {secrets.token_hex(12)}", UserKey.make()
        self.home = f"/Home/{name}"
        self.small, self.large = (self.mark.encode() * 80)[:2000], (self.mark.encode() * (LARGE // 28 + 1))[:LARGE]
        self.files = {f"{self.home}/secret": self.small, f"{self.home}/q3 {self.mark}.csv": self.small, f"{self.home}/payroll.bin": self.large}


class House:
    """A server with two organisations: victim, careful (who has a second factor), thief-files, boss (an administrator) and the thief in one,
    neighbour in the other; their files, keys, tokens and sessions."""

    def __init__(self, identity, **settings):
        self.server = Instance(identity, sftp=True, settings={**SETTINGS, **settings})
        self.server.__enter__()
        try:
            self.furnish()
        except BaseException as e:
            self.server.__exit__(type(e), e, None)
            raise

    def furnish(self):
        s = self.server
        s.run("org", "add", "other")
        self.people = {p.name: p for p in (Person("victim", "main"), Person("careful", "main"), Person("thief-files", "main"), Person("neighbour", "other"))}
        s.add_user("thief")
        self.boss = Person("boss", "main")
        s.add_user("boss", "--level", "sysadmin", "--full-name", self.boss.mark, password=self.boss.password)
        for p in self.people.values():
            s.add_user(p.name, "--org", p.org, "--full-name", f"Full {p.mark}", "--email", f"{p.mark}@example.com", password=p.password)
            add_key(s, p.name, p.key.line)
            p.token = s.run("token", "add", p.name, "--json").json()["token"]
            p.session = s.grant(s.anonymous(), grant_type="password", username=p.name, password=p.password).json()
            with Client(s, p.token) as c:
                for path, body in p.files.items():
                    assert c.store(path, body).status_code == 201
                p.ids = [row["id"] for row in c.get("/api/v1/files").json()["items"]]
        self.people["careful"].seed = s.run("user", "otp", "add", "careful", "--json").json()["secret"]
        self.victim, self.neighbour, self.careful = (self.people[n] for n in ("victim", "neighbour", "careful"))
        with s.login("thief") as c:
            assert c.store("/Home/thief/own", b"the thief's own").status_code == 201
        s.run("session", "revoke", "--user", "thief")
        self.temp = Path(tempfile.mkdtemp(prefix="sallyport-case-", dir="/tmp"))
        self.temp.chmod(0o777)
        self.trace = self.temp / "ran"  # a command that runs makes it
        self.listener = socket.create_server(("127.0.0.1", 0))  # where whatever is made to call out would arrive
        self.listener.setblocking(False)
        self.call = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.marks = {form: what for what, mark in self.secrets().items() for form in forms(mark)}

    def secrets(self):
        """All that nobody but its owner may ever receive."""
        out = {}
        for p in [*self.people.values(), self.boss]:
            out |= {f"{p.name}'s mark": p.mark.encode(), f"{p.name}'s password": p.password.encode()}
        for p in self.people.values():
            out |= {f"{p.name}'s API token": p.token.encode()[4:], f"{p.name}'s session": p.session["access_token"].encode()[4:],
                    f"{p.name}'s refresh token": p.session["refresh_token"].encode()[4:]}
        out["a one-time-code seed"] = self.careful.seed.encode()
        for row in self.state()["user"]:
            out[f"the password hash of {row[3]}"] = row[8].encode().rpartition(b"$")[2]
        for path in (self.server.dir / "keys").rglob("*"):
            if path.is_file() and path.stat().st_mode & 0o077 == 0:
                data = path.read_bytes()
                lines = [line for line in data.splitlines() if len(line) >= 40 and line.isascii()] if b"PRIVATE" in data else [data]
                for n, line in enumerate(lines):
                    out[f"{path.name}, line {n}"] = line
        return out

    def close(self):
        self.listener.close()
        shutil.rmtree(self.temp)
        self.server.__exit__(None, None, None)

    # ---- taking stock ----

    def entries(self, first):
        return [e for e in self.server.audit() if e["n"] >= first]

    def database(self, folder):
        """A copy of the database as it is, which is how a thief would take it; the server keeps it locked."""
        for name in ("sallyport.db", "sallyport.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(self.server.dir / "db" / name, Path(folder) / name)
        return Path(folder) / "sallyport.db"

    def state(self, without=None):
        """Rows of STATE, but those of the user `without`."""
        with tempfile.TemporaryDirectory() as folder:
            with contextlib.closing(sqlite3.connect(self.database(folder))) as db:
                db.execute(PLACES)
                own = db.execute("SELECT id FROM user WHERE name = ?", (without,)).fetchone() or (-1,)
                return {table: {row for row in db.execute(query) if row[0] != own[0]} for table, query in STATE.items()}

    def fixed(self):
        """Files of the instance that no client can have a reason to change."""
        top = self.server.dir
        paths = [p for p in top.rglob("*") if p.is_file() and p.relative_to(top).parts[0] in ("keys", "sallyport.conf", "limits.conf")]
        return {p.name: "" for p in top.iterdir()} | {str(p.relative_to(top)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}

    @contextlib.contextmanager
    def attack(self, inside=None, changes=()):
        """inside: the user whose login the thief has; changes: tables of STATE and events that may change all the same."""
        thief = Thief(self, inside)
        before, fixed, thief.first = self.state(inside), self.fixed(), self.server.audit()[-1]["n"] + 1
        try:
            yield thief
        finally:
            for key in list(thief.open):
                thief.hang_up(key)
        complaints = [*self.loot_found(thief), *self.odd_entries(thief, changes), *self.changed(before, self.state(inside), changes), *self.ran()]
        if self.fixed() != fixed:
            complaints.append("files of the instance were changed")
        assert not complaints, "\n".join(complaints)
        self.check_service()

    def loot_found(self, thief):
        for kept in thief.loot:
            for form, what in self.marks.items():
                if form in kept:
                    yield f"the thief has {what}: ...{bytes(kept[max(kept.find(form) - 200, 0):kept.find(form) + 200])!r}"

    def odd_entries(self, thief, changes):
        thief.record = self.entries(thief.first)
        home = f"/Home/{thief.inside}"
        for e in thief.record:
            own = thief.inside and e["event"] in OWN and e.get("user", thief.inside if e["event"] == "key.seal" else None) == thief.inside
            if e["event"] not in REFUSALS and e["event"] not in changes and not (own and (e.get("path", home) + "/").startswith(home + "/")):
                yield f"on record: {e}"

    @staticmethod
    def changed(before, after, changes):
        for table in set(STATE) - set(changes):
            for row in after[table] - before[table]:
                yield f"new in {table}: {row}"
            for row in before[table] - after[table] if table not in ("session", "upload") else ():  # these two end by themselves
                yield f"gone from {table}: {row}"

    def ran(self):
        if list(self.temp.iterdir()):
            yield "a command ran"
        with contextlib.suppress(BlockingIOError):
            yield f"the server called out, from {self.listener.accept()[1]}"
        for pid, _ in descendants(self.server.process.pid):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
                if command and b"sallyport" not in command:
                    yield f"{command} runs"

    def check_service(self):
        """Everybody has what they had, by both doors, and the log is whole."""
        for p in self.people.values():
            with Client(self.server, p.token) as c:
                for path, body in p.files.items():
                    assert c.fetch(path).content == body
        with Ssh(self.server.sftp_port, "victim", key=self.victim.key).to("sftp") as c:
            assert c.sftp.get("secret") == self.victim.small
        self.server.verify()
