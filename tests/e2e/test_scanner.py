"""Scanners, guessing and bad addresses: slowed, then refused at both doors; decay, allow-list, restarts; and what a stranger learns.

Every test comes from loopback addresses of its own: 127.0.0.1 alone is allowed, for the harness.
"""
import itertools
import json
import os
import re
import signal
import socket
import ssl
import time

import pytest
from lib.instance import PASSWORD, Instance

_fresh = itertools.count(1)
SETTINGS = {"AllowAddresses": "127.0.0.1", "SlowDelay": "1s"}


def fresh_address():
    """Of a /24 of its own: networks are counted, too."""
    return f"127.50.{next(_fresh)}.7"


class Stranger:
    """Somebody at an address."""

    def __init__(self, server, address=None):
        self.server, self.address = server, address or fresh_address()
        self.context = ssl.create_default_context(cafile=str(server.certificate))
        self.context.check_hostname = False

    def connect(self, port=None):
        return socket.create_connection(("127.0.0.1", port or self.server.port), timeout=20, source_address=(self.address, 0))

    def tls(self):
        return self.context.wrap_socket(self.connect(), server_hostname="127.0.0.1")

    def send(self, request):
        """The whole answer to raw bytes."""
        with self.tls() as s:
            s.sendall(request)
            return drained(s)

    def ask(self, target, method="GET", body=b"", **headers):
        head = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
        return self.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body)

    def refused(self, port=None):
        """Closed before a byte was said, at this door."""
        try:
            with self.connect(port) as s:
                if port != self.server.sftp_port:
                    try:
                        self.context.wrap_socket(s, server_hostname="127.0.0.1").close()
                        return False
                    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                        return True
                return s.recv(1) == b""
        except ConnectionError:
            return True

    def show(self):
        return self.server.run("address", "show", self.address, "--json").json()

    def state(self):
        return self.show()["treated_as"]

    def until(self, state, seconds=15):
        deadline = time.monotonic() + seconds
        while self.state() != state:
            assert time.monotonic() < deadline, f"{self.show()} is not {state}\n{self.server.log_tail()}"
            time.sleep(0.1)

    def ban(self):
        self.ask("/moveitisapi/moveitisapi.dll?action=m2")
        self.ask("/human2.aspx")
        self.until("refused")
        return self

    def login(self, name, password=PASSWORD):
        return self.ask("/api/v1/token", "POST", f"grant_type=password&username={name}&password={password}".encode(),
                        Content_Type="application/x-www-form-urlencoded")


def drained(s):
    data = b""
    while True:
        try:
            part = s.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return data
        if not part:
            return data
        data += part


def events(server, kind, address):
    return [{**e, **e.get("detail", {})} for e in server.audit() if e["event"] == kind and address in json.dumps(e)]


def eventually(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def server(identity):
    with Instance(identity, settings=SETTINGS, sftp=True) as instance:
        instance.add_user("alice")
        yield instance


# ---- slowed, refused ----


def test_slowed_then_refused_at_both_doors(server):
    bad, other = Stranger(server), Stranger(server)
    assert b" 404 " in bad.ask("/human2.aspx").split(b"\r\n")[0]
    bad.until("slowed")
    begin = time.monotonic()
    assert b" 404 " in bad.ask("/api/v1/x").split(b"\r\n")[0]
    assert time.monotonic() - begin > 0.9
    begin = time.monotonic()
    assert b" 404 " in other.ask("/api/v1/x").split(b"\r\n")[0]
    assert time.monotonic() - begin < 0.9
    bad.ask("/goanywhere/images/..;/wizard/InitialAccountSetup.xhtml")
    bad.until("refused")
    for port in (server.port, server.admin_port, server.sftp_port):
        eventually(lambda: bad.refused(port))
        assert not other.refused(port)
    assert [e["probe"] for e in events(server, "scanner", bad.address)] == ["moveit-human2", "goanywhere-setup"]
    assert events(server, "scanner", bad.address)[0]["request"] == "/human2.aspx"
    assert len(events(server, "address.slowed", bad.address)) == 1
    assert len(events(server, "address.banned", bad.address)) == 1
    rows = server.run("address", "list", "--json").json()["rows"]
    assert any(r["address"] == bad.address and r["state"] == "refused" for r in rows)
    assert server.run("status", "--json").json()["addresses_refused"] >= 1


def test_what_is_open_ends(server):
    """The connections that a refused address has left, of both doors; not those of others."""
    bad, other = Stranger(server), Stranger(server)
    with bad.tls() as idle, bad.connect(server.sftp_port) as ssh, other.tls() as theirs:
        assert ssh.recv(4) == b"SSH-"
        bad.ban()
        assert drained(idle) == b""
        drained(ssh)
        theirs.sendall(b"GET /api/v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 404 " in drained(theirs)


def test_connections_of_a_slowed_address_are_few(server):
    server.set("SlowConnections", 3)
    server.process.send_signal(signal.SIGHUP)
    bad = Stranger(server)
    bad.ask("/human2.aspx")
    bad.until("slowed")
    time.sleep(0.5)
    held = [bad.connect(server.sftp_port) for _ in range(6)]
    try:
        said = []
        for s in held:
            s.settimeout(10)
            said.append(s.recv(4))
        assert sorted(said) == [b""] * 3 + [b"SSH-"] * 3
    finally:
        for s in held:
            s.close()
        server.set("SlowConnections", 8)
        server.process.send_signal(signal.SIGHUP)


def test_unban(server):
    bad = Stranger(server).ban()
    eventually(bad.refused)
    server.run("address", "unban", bad.address)
    assert bad.state() == "ok"
    eventually(lambda: not bad.refused())
    assert bad.show()["score"] == 0 and bad.show()["bans"] == 0
    entry = events(server, "address.unbanned", bad.address)[-1]
    assert entry["user"].startswith("local:")
    assert server.run("address", "unban", "203.0.113.77", check=False).code == 66


def test_by_hand(server):
    who = Stranger(server)
    with who.tls() as idle:
        server.run("address", "ban", who.address, "--for", "2h")
        assert drained(idle) == b""
    eventually(who.refused)
    entry = events(server, "address.banned", who.address)
    assert len(entry) == 1 and entry[0]["user"].startswith("local:") and entry[0]["seconds"] == "7200"
    # a whole network, for a moment
    near = Stranger(server, "127.51.1.1"), Stranger(server, "127.51.2.2")
    server.run("address", "ban", "127.51.0.0/16", "--for", "3s")
    for n in near:
        eventually(n.refused)
    for n in near:
        eventually(lambda: not n.refused())
    for wrong in (["nonsense"], ["0.0.0.0/0"], ["127.0.0.1"], ["192.0.2.1/24"], ["192.0.2.1", "--for", "yesterday"],
                  ["192.0.2.1", "--for", "0s"], ["192.0.2.1", "--for", "2020-01-01"]):
        assert server.run("address", "ban", *wrong, check=False).code == 64, wrong
    assert server.run("address", "show", "x", check=False).code == 64


# ---- what scores, and what does not ----


def test_guessing(server):
    bad = Stranger(server)
    for i in range(24):
        bad.login(f"nobody{i}")
    assert bad.state() == "slowed"
    for i in range(24, 30):
        if bad.state() != "refused":
            bad.login(f"nobody{i}")
    bad.until("refused")
    assert bad.show()["last"] == "unknown user"


def test_one_guesser_does_not_shut_out_a_neighbour(server):
    """Behind one address: somebody logs in, somebody else guesses. It is slowed, and not refused."""
    nat = Stranger(server)
    assert b" 200 " in nat.login("alice")
    for i in range(35):
        nat.login(f"nobody{i}")
    assert nat.state() == "slowed"
    assert b" 200 " in nat.login("alice")


def test_handshakes(server):
    """Plain HTTP and noise where TLS is spoken; noise where SSH is."""
    http, noise, ssh = Stranger(server), Stranger(server), Stranger(server)
    for _ in range(11):
        with http.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            drained(s)
        with noise.connect() as s:
            s.sendall(os.urandom(16).replace(b"\x16", b"\x00") + b"\x00" * 300)
            drained(s)
        with ssh.connect(server.sftp_port) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            drained(s)
    assert http.show()["last"] == "no TLS" and noise.show()["last"] == "no TLS" and ssh.show()["last"] == "no SSH"
    assert {http.state(), noise.state(), ssh.state()} == {"slowed"}


def test_broken_key_exchange(server):
    bad = Stranger(server)
    with bad.connect(server.sftp_port) as s:
        s.sendall(b"SSH-2.0-x\r\n" + b"\xff" * 64)
        drained(s)
    assert bad.show()["last"] == "SSH exchange"


def test_monitors_are_no_scanners(server):
    """A connection that is closed at once, an untrusting client, one with nothing in common, a browser's requests."""
    kind = Stranger(server)
    for port in (server.port, server.sftp_port):
        for _ in range(20):
            kind.connect(port).close()
    for _ in range(20):
        with kind.connect() as s, pytest.raises(ssl.SSLError):
            ssl.create_default_context().wrap_socket(s, server_hostname="127.0.0.1")
    for _ in range(10):
        for target in ("/favicon.ico", "/robots.txt", "/api/v1/packages", "/.well-known/security.txt"):
            assert b" 404 " in kind.ask(target)
        for target in ("/", "/app/folder/7"):
            assert b" 200 " in kind.ask(target)
    assert kind.show()["score"] == 0
    assert not events(server, "scanner", kind.address)


def test_names_of_files_are_not_held_against_anybody(server):
    """alice stores what a scanner would ask for, under its name, before and without a login."""
    user = Stranger(server)
    token = json.loads(user.login("alice").split(b"\r\n\r\n")[1])["access_token"]
    names = ["human2.aspx", "shell.php", ".env", "wp-login.php", "web.config", "passwd", "%24%7Bjndi%3Ax%7D", "cmd.jsp"]
    for name in names:
        target = f"/api/v1/files/by-path/Home/alice/{name}"
        assert b" 201 " in user.ask(target, "PUT", b"x", Authorization=f"Bearer {token}")
        assert b" 200 " in user.ask(target, Authorization=f"Bearer {token}")
        for method in ("GET", "PUT", "DELETE"):
            assert b" 401 " in user.ask(target, method)
        assert b" 405 " in user.ask(target, "POST")
    assert b" 401 " in user.ask("/api/v1/folders?path=../../etc/passwd&q=union+select+1")
    assert user.show()["score"] == 0
    assert not events(server, "scanner", user.address)


def test_after_a_login_the_account_answers(server):
    user = Stranger(server)
    token = json.loads(user.login("alice").split(b"\r\n\r\n")[1])["access_token"]
    with user.tls() as s:
        head = f"Host: x\r\nAuthorization: Bearer {token}\r\n"
        s.sendall(f"GET /api/v1/users/self HTTP/1.1\r\n{head}\r\nGET /human2.aspx HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        assert b" 404 " in drained(s)
    assert user.show()["score"] == 0


def test_a_network_is_slowed(server):
    """Many addresses of a /24 that each stay below the mark."""
    for host in range(1, 13):
        Stranger(server, f"127.52.1.{host}").ask("/wp-login.php")
    assert Stranger(server, "127.52.1.200").state() == "ok"
    for host in range(13, 16):
        Stranger(server, f"127.52.1.{host}").ask("/human2.aspx")
    assert Stranger(server, "127.52.1.200").state() == "slowed"
    assert Stranger(server, "127.52.2.200").state() == "ok"
    assert any(r["address"] == "127.52.1.0/24" for r in server.run("address", "list", "--json").json()["rows"])


# ---- what a stranger learns ----


def normal(reply):
    reply = re.sub(rb"Date: [^\r]*", b"Date:", reply)
    return re.sub(rb'"instance":"[^"]*"', b'"instance":""', reply)


def test_a_probe_is_answered_like_any_address(server):
    """The same bytes but for date and the asked address itself, whose length is the client's."""
    who = [Stranger(server) for _ in range(2)]
    for target in ("/human2.aspx", "/WebInterface/function/?command=getUserList", "/.env", "/Synchronization"):
        path = target.partition("?")[0]
        other = "/" + "x" * (len(path) - 1) + target[len(path):]
        assert normal(who[0].ask(target)) == normal(who[1].ask(other))
        for w in who:
            server.run("address", "unban", w.address)


NAMES = re.compile(rb"sally.?port|0\.1\.0|openssl|moveit[^a-z]?transfer|debian|linux|nginx|apache", re.I)


def test_nothing_tells_the_product(server):
    """Every banner, header, error and the certificate, before a login: no product, no version."""
    who, seen = Stranger(server), []
    assets = [name.decode() for name in re.findall(rb'"(/assets/[^"]+)"', who.ask("/"))]
    assert len(assets) == 3
    targets = ["/", *assets, "/app/folder/7", "/assets/app.js", "/api/v1/info", "/api/v1/token", "/api/v1/users/self", "/nothing", "/metrics", "/health", "/api/v1/files/by-path/x", "/%00",
               "/api/v1/folders/1/files", "/" + "x" * 9000]
    for target in targets:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X"):
            seen.append(who.ask(target, method))
        server.run("address", "unban", who.address, check=False)
    seen.append(who.login("nobody"))
    seen.append(who.ask("/api/v1/token", "POST", b"grant_type=x", Content_Type="application/x-www-form-urlencoded"))
    for raw in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 100,
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 40000 + b"\r\n\r\n"):
        seen.append(who.send(raw))
        server.run("address", "unban", who.address, check=False)
    for plain in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"noise\r\n"):
        with who.connect() as s:
            s.sendall(plain)
            seen.append(drained(s))
    for line in (b"SSH-2.0-x\r\n", b"SSH-1.5-x\r\n", b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n" + b"\0" * 64):
        with who.connect(server.sftp_port) as s:
            s.settimeout(3)
            s.sendall(line)
            try:
                seen.append(s.recv(65536) + s.recv(65536))
            except TimeoutError:
                pass
    with who.tls() as s:
        certificate = s.getpeercert(binary_form=True)
    seen.append(certificate)
    seen.append(ssl.DER_cert_to_PEM_cert(certificate).encode())
    assert len(seen) > 100 and sum(map(len, seen)) > 20000
    for answer in seen:
        assert not NAMES.search(answer), NAMES.search(answer)
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"\r\nserver:" not in head and b"x-powered-by" not in head
    server.run("address", "unban", who.address, check=False)


# ---- servers of their own ----


def test_decay_and_longer_bans(identity):
    quick = {**SETTINGS, "ScoreHalfLife": "2s", "BanTime": "2s", "SlowDelay": "0s"}
    with Instance(identity, settings=quick, sftp=True) as server:
        bad = Stranger(server)
        bad.ask("/human2.aspx")
        bad.until("slowed")
        bad.until("ok")
        for ban, length in ((1, 2), (2, 4)):
            eventually(lambda: bad.state() == "refused" or bad.ask("/human2.aspx") is None)
            begin = time.monotonic()
            assert bad.show()["bans"] == ban
            eventually(lambda: bad.state() != "refused")
            assert length - 1.5 < time.monotonic() - begin < length + 2
        eventually(lambda: len(events(server, "address.unbanned", bad.address)) == 2)
        eventually(lambda: bad.state() == "ok" and not bad.refused())


def test_allow_list_and_reload(identity):
    with Instance(identity, settings=SETTINGS, sftp=True) as server:
        bad = Stranger(server).ban()
        eventually(bad.refused)
        server.set("AllowAddresses", f"127.0.0.1, {bad.address}")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: not bad.refused())
        for _ in range(5):
            bad.ask("/human2.aspx")
        shown = bad.show()
        assert shown["allowed"] and shown["treated_as"] == "ok" and shown["score"] == 0
        eventually(lambda: len(events(server, "scanner", bad.address)) >= 6)  # on record all the same, in groups a little later
        server.set("AllowAddresses", "127.0.0.1/8")
        refused = server.run("serve", check=False)  # the running one keeps its settings
        assert refused.code == 78 and "AllowAddresses" in refused.err


def test_kept_over_restarts(identity):
    """Of the server; of the broker, the gates, killed."""
    with Instance(identity, settings=SETTINGS, sftp=True) as server:
        bad, other = Stranger(server).ban(), Stranger(server)

        def shut():
            for port in (server.port, server.sftp_port):
                eventually(lambda: bad.refused(port))
                assert not other.refused(port)

        shut()
        server.restart()
        assert bad.state() == "refused"
        shut()
        for room in ("gate-https", "gate-sftp", "broker"):
            rooms = {r["room"]: r for r in server.run("status", "--json").json()["rooms"]}
            os.kill(rooms[room]["pid"], signal.SIGKILL)

            def back():
                done = server.run("status", "--json", check=False)
                now = {r["room"]: r for r in done.json()["rooms"]}[room] if done.code == 0 else {}
                return now.get("state") == "up" and now["pid"] != rooms[room]["pid"] and server.healthy()

            eventually(back, 30)
            shut()
        assert len(events(server, "address.banned", bad.address)) == 1


ROWS = """# of our own
PROBE("our-canary", path, "^/payroll-backup", 100, "nobody has business there")
PROBE("our-header", header, "X-Probe: yes", 50, "t")
"""


def test_scanner_file(identity):
    instance = Instance(identity, settings=SETTINGS)
    try:
        instance.init()
        instance.set("ScannerFile", "scanner.conf")
        instance.start(wait=False)
        assert instance.process.wait(20) == 78
        instance.end()
        assert "ScannerFile" in instance.log()
        path = instance.dir / "scanner.conf"

        def write(text):
            path.write_text(text)
            if os.geteuid() == 0:
                os.chown(path, identity.uid, identity.uid)

        write('\nPROBE("x", path, "/abc", 5000, "t")\n')
        instance.start(wait=False)
        assert instance.process.wait(20) == 78
        instance.end()
        assert "line 2: a score is 1 to 1000" in instance.log()
        write(ROWS)
        instance.start()
        bad, next_bad, headed = (Stranger(instance) for _ in range(3))
        bad.ask("/payroll-backup/2023.zip")
        bad.until("refused")
        headed.ask("/nothing", X_Probe="yes")
        headed.until("slowed")
        assert events(instance, "scanner", bad.address)[0]["probe"] == "our-canary", events(instance, "scanner", bad.address)
        # a file that is wrong is not taken up; a new one is
        write("nonsense\n")
        instance.process.send_signal(signal.SIGHUP)
        eventually(lambda: "line 1: this is not PROBE" in instance.log())
        write(ROWS + 'PROBE("our-second", path, "/second", 100, "t")\n')
        instance.process.send_signal(signal.SIGHUP)
        eventually(lambda: (next_bad.ask("/second") if next_bad.state() != "refused" else None) is None, 30)
        instance.stop()
    finally:
        instance.end()
        instance.remove()


def test_ipv6(identity):
    """The 64 bits that one customer has are one address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.fail("this machine has no IPv6 loopback: the test cannot say anything")
    instance = Instance(identity, settings=SETTINGS)
    try:
        instance.init()
        instance.set("HttpsListen", f"[::1]:{instance.port}")
        instance.start(wait=False)
        eventually(lambda: instance.run("status", check=False).code == 0, 30)
        context = ssl.create_default_context(cafile=str(instance.certificate))
        context.check_hostname = False

        def ask(target):
            with socket.create_connection(("::1", instance.port), timeout=20) as s, context.wrap_socket(s) as t:
                t.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                return drained(t)

        assert b" 404 " in ask("/human2.aspx")
        assert b" 404 " in ask("/Synchronization")
        eventually(lambda: instance.run("address", "show", "::1", "--json").json()["treated_as"] == "refused")
        assert instance.run("address", "show", "::1", "--json").json()["address"] == "::/64"
        with pytest.raises((ConnectionError, ssl.SSLError)):
            ask("/")
        instance.stop()
    finally:
        instance.end()
        instance.remove()
