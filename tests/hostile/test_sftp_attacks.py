"""The attacks on SSH and SFTP servers that are on record, replayed against the SFTP door: the steps, and what the thief gets, counted.

test_sftp_abuse.py tries the same mechanisms one by one; here each case is told as it happened.
"""
import os
import re
import socket
import time

import pytest

from lib.instance import PASSWORD, Instance, descendants
from lib.sftp import add_key
from lib.ssh import STRICT, Ssh
from lib.ssh_sftp import CREAT, TRUNC, WRITE, Fx, Status
from lib.ssh_wire import Closed, Msg, UserKey, string, u32

SECRET = b"what everybody is after " * 1000


class Prey:
    """A server with a victim, a file of his, and a user who is a thief; and the count of what the thief got."""

    def __init__(self, server):
        self.server, self.port = server, server.sftp_port
        self.key = UserKey.make()
        for name in ("victim", "thief"):
            server.add_user(name)
        add_key(server, "victim", self.key.line)
        with Ssh(self.port, "victim", key=self.key).to("sftp") as c:
            c.sftp.put("secret", SECRET)

    def strange(self, user="victim"):
        """A connection of somebody who has nothing to log in with."""
        return Ssh(self.port, user).to("auth")

    def thief(self):
        return Ssh(self.port, "thief", password=PASSWORD).to("sftp")

    def __enter__(self):
        self.first = self.server.audit()[-1]["n"]
        return self

    def __exit__(self, kind, value, trace):
        """Nothing of the victim's was read, nobody was in as the victim, no process fell over, and the door works."""
        if kind is not None:
            return
        with Ssh(self.port, "victim", key=self.key).to("sftp") as c:
            assert c.sftp.get("secret") == SECRET
            mine = c.peer
        new = [e for e in self.server.audit() if e["n"] > self.first and e.get("addr") != mine]
        loot = [e for e in new if e["event"] in ("file.read", "upload.resumed") and str(e.get("path")).startswith("/Home/victim/")]
        assert not loot, f"the thief got {len(loot)} keys: {loot[:3]}"
        assert not [e for e in new if e["event"] == "login" and e["user"] == "victim"], "somebody is in as the victim"
        assert not [e for e in new if e["event"] in ("worker.killed", "worker.violation", "room.died")], new[-3:]


@pytest.fixture(scope="module")
def prey(identity):
    with Instance(identity, sftp=True, settings={"LockoutFailures": "1000", "LockoutAddress": "100000", "LoginGraceTime": "2s"}) as server:
        yield Prey(server)


def tries(c, *payloads):
    """Each is sent whatever came of the one before; the messages that came back."""
    got = []
    try:
        for p in payloads:
            c.send(p)
        c.socket.settimeout(1)
        while True:
            got.append(c.recv_packet())
    except (Closed, TimeoutError):
        pass
    assert not any(p[0] == Msg.OPEN_CONFIRMATION for p in got), "a channel was opened"
    return got


CHANNEL = bytes([Msg.CHANNEL_OPEN]) + string("session") + u32(0) + u32(1 << 20) + u32(32768)
SUBSYSTEM = bytes([Msg.CHANNEL_REQUEST]) + u32(0) + string("subsystem") + b"\1" + string("sftp")


def test_moveit_cve_2024_5806_empty_name(prey):
    """(a) A publickey probe with an empty name, then the victim's name with any RSA key, as the Metasploit module does it."""
    with prey:
        key = UserKey.make("2048")
        for algorithm in ("rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"):
            with prey.strange() as c:
                first = c.key_request("", key, algorithm=algorithm, sign=False)
                got = tries(c, first, c.key_request("victim", key, algorithm=algorithm), CHANNEL, SUBSYSTEM)
                assert not any(p[0] == Msg.USERAUTH_SUCCESS for p in got)
    assert [e for e in prey.server.audit("--event", "login.failed") if e["n"] > prey.first], "nothing is on record of it"


def test_moveit_cve_2024_5806_path_for_a_key(prey):
    """(b) A key was put into a log by the web door; its path is then offered as a key.  A worker has no files: nothing is opened, local or remote."""
    with prey:
        key = UserKey.make()
        poisoned = f"PuTTY-User-Key-File-2: ssh-ed25519 {key.line}"
        with prey.server.anonymous() as web:
            prey.server.grant(web, grant_type="password", username=poisoned[:200], password=poisoned)
        listener = socket.create_server(("127.0.0.1", 0))  # where a UNC path or URL would lead
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        log = str(prey.server.log_path)
        for path in (log, f"//127.0.0.1@{port}/share/key.ppk", f"\\\\127.0.0.1@{port}\\share\\key", f"http://127.0.0.1:{port}/key", str(prey.server.dir / "keys/https.key"), "/proc/self/fd/3"):
            for algorithm in ("ssh-ed25519", "rsa-sha2-256"):
                with prey.strange() as c:
                    wanted = c.key_request("victim", key, algorithm="ssh-ed25519", blob=path.encode(), signed_blob=path.encode()).replace(string("ssh-ed25519"), string(algorithm))
                    got = tries(c, c.request("victim", "publickey", b"\0" + string(algorithm) + string(path)), wanted, CHANNEL)
                    assert not any(p[0] in (Msg.USERAUTH_SUCCESS, Msg.PK_OK_OR_INFO_REQUEST) for p in got)
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.close()


def test_libssh_cve_2018_10933(prey):
    """USERAUTH_SUCCESS from the client, in every phase in which a dispatcher might take it."""
    with prey:
        for phase in ("version", "kexinit", "kex", "newkeys", "auth"):
            with Ssh(prey.port, "victim").to(phase) as c:
                tries(c, bytes([Msg.USERAUTH_SUCCESS]), CHANNEL, SUBSYSTEM)
        with prey.strange() as c:
            tries(c, c.request("victim", "none"), bytes([Msg.USERAUTH_SUCCESS]), CHANNEL, SUBSYSTEM)


def test_libssh_cve_2026_59847_tags(prey):
    """AES-GCM tags that do not fit were taken, "since its introduction": a login that was changed on its way."""
    with prey:
        for cipher in ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com"):
            for back in range(1, 17):
                with Ssh(prey.port, "victim", cipher=cipher).to("auth") as c:
                    c.send(c.key_request("victim", prey.key), mangle=lambda w: w[:-back] + bytes([w[-back] ^ 0x80]) + w[len(w) - back + 1:])
                    assert not any(p[0] == Msg.USERAUTH_SUCCESS for p in tries(c))


def test_libssh_cve_2026_59843_59844(prey):
    """A channel whose packets may hold nothing; a READ of 4 GiB: neither loops, nor takes memory."""
    with prey:
        with Ssh(prey.port, "thief", password=PASSWORD).to("open") as c:
            c.send(c.open_request(maximum=0))
            assert c.recv()[0] == Msg.OPEN_FAILURE
            c.to("sftp")
            c.sftp.put("own", b"x" * 100_000)
            handle = c.sftp.open("own")
            before = memory(prey.server)
            for _ in range(50):
                c.sftp.ask(Fx.READ, string(handle) + bytes(8) + u32(0xFFFFFFFF))
            for _ in range(50):
                _, kind, r = c.sftp.reply()
                assert kind == Fx.DATA and len(r.string()) == 100_000
            assert memory(prey.server) - before < 8 << 20


def memory(server):
    """Private bytes of the door's busiest worker."""
    most = 0
    for pid, _ in descendants(server.process.pid):
        try:
            if "sallyport-worker-sftp" in open(f"/proc/{pid}/cmdline").read():
                most = max(most, sum(int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Private_")) << 10)
        except OSError:
            pass
    return most


def test_libssh_cve_2025_5318_5449_handles(prey):
    """Handles of other lengths and values than were given out, for every request that takes one."""
    with prey, prey.thief() as c:
        real = c.sftp.open("own", WRITE | CREAT | TRUNC)
        for handle in (real + b"\0", real[:-1], real * 2, b"", b"\xff" * len(real), b"\xff" * 256, os.urandom(8), u32(0x7FFFFFFF), u32(0x80000000)):
            for kind, rest in ((Fx.READ, bytes(8) + u32(100)), (Fx.WRITE, bytes(8) + string(b"x")), (Fx.FSTAT, b""), (Fx.FSETSTAT, u32(0)), (Fx.READDIR, b""), (Fx.CLOSE, b"")):
                with pytest.raises(Status):
                    c.sftp.call(kind, string(handle) + rest, Fx.DATA)
        c.sftp.close(real)


def test_libssh_cve_2026_59851_gssapi(prey):
    """Methods that nobody offered let nobody in."""
    with prey:
        for method in ("gssapi-keyex", "gssapi-with-mic", "gssapi", "hostbased", "publickey-hostbound-v00@openssh.com", "external-keyx", ""):
            with prey.strange() as c:
                got = tries(c, c.request("victim", method, string(b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02") + string(b"mic")), CHANNEL)
                assert not any(p[0] == Msg.USERAUTH_SUCCESS for p in got)


def test_libssh_cve_2023_6004_names_for_shells(prey):
    """Names, paths and commands that a shell would act on: nothing runs, nothing is left."""
    mark = f"/tmp/sallyport-attack-{os.getpid()}"
    with prey:
        for evil in (f"$(touch {mark})", f"`touch {mark}`", f"; touch {mark}", f"| touch {mark}", f"\n touch {mark}\n", f"%0atouch {mark}", f"-oProxyCommand=touch {mark}"):
            with Ssh(prey.port, evil).to("auth") as c:
                tries(c, c.request(evil, "password", b"\0" + string(evil)))
            with Ssh(prey.port, "thief", password=PASSWORD).to("channel") as c:
                tries_on_channel(c, f"scp -t {evil}")
            with prey.thief() as c:
                try:
                    c.sftp.put(evil.replace("/", "_"), b"x")
                except Status:
                    pass
    assert not os.path.exists(mark)


def tries_on_channel(c, command):
    try:
        c.channel.request("exec", string(command), check=False)
        c.send(c.channel.message(Msg.CHANNEL_EOF))
        c.channel.finish()
    except Closed:
        pass


def test_terrapin_cve_2023_48795(prey):
    """One in the middle takes the client's first protected message away and makes up for it in the count."""
    with prey:
        for cipher in ("chacha20-poly1305@openssh.com", "aes256-ctr", "aes256-gcm@openssh.com"):
            for strict in (True, False):
                with Ssh(prey.port, "victim", cipher=cipher, strict=strict, key=prey.key) as c:
                    try:
                        c.to("kex")
                        c.send(bytes([Msg.IGNORE]) + string(b"from the middle"))
                        c.out_seq -= 1
                        c.to("newkeys")
                        c.send(bytes([Msg.EXT_INFO]) + u32(0), mangle=lambda wire: b"")
                        c.to("auth")
                        raise RuntimeError(f"{cipher}, strict {strict}: the client is none the wiser")
                    except (Closed, AssertionError):
                        pass
        assert "chacha20-poly1305@openssh.com" in Ssh(prey.port).to("kexinit").offered["cipher_in"] and STRICT


def test_serv_u_cve_2021_35211(prey):
    """Keys used before they are there: NEWKEYS, protected packets and logins in the middle of a handshake."""
    with prey:
        for phase in ("version", "kexinit", "kex"):
            for payload in (bytes([Msg.NEWKEYS]), bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth"), bytes([Msg.USERAUTH_REQUEST]) + string("victim") * 3, os.urandom(300),
                            bytes([Msg.ECDH_INIT]) + string(b""), bytes([Msg.KEXINIT])):
                if phase == "kex" and payload == bytes([Msg.NEWKEYS]):
                    continue
                with Ssh(prey.port, "victim").to(phase) as c:
                    tries(c, payload, payload, CHANNEL)
                with Ssh(prey.port, "victim").to(phase) as c:
                    try:
                        c.write(os.urandom(2000))
                        c.socket.shutdown(1)
                    except (Closed, OSError):
                        pass
                    tries(c)


def test_regresshion_cve_2024_6387(prey):
    """Connections held to the end of LoginGraceTime, again and again, with a half-written packet each: none takes a process with it."""
    with prey:
        for _ in range(3):
            held = []
            for i in range(30):
                c = Ssh(prey.port, "victim").to(("version", "newkeys", "auth")[i % 3])
                c.write(os.urandom(3) if i % 2 else u32(100_000))
                held.append(c)
            begin = time.monotonic()
            for c in held:
                try:
                    while c.socket.recv(65536):
                        pass
                except ConnectionError:
                    pass
                c.close()
            assert time.monotonic() - begin < 15


def test_proftpd_cve_2015_3306_copy_before_a_login(prey):
    """A copy on the server, asked for before the login (SITE CPFR then, copy-data now)."""
    with prey:
        copy = string(bytes([Fx.EXTENDED]) + u32(1) + string("copy-data") + string(b"\0\0\0\0") + bytes(16) + string(b"\0\0\0\1") + bytes(8))
        for phase in ("newkeys", "auth"):
            with Ssh(prey.port, "victim").to(phase) as c:
                tries(c, bytes([Msg.CHANNEL_DATA]) + u32(0) + string(copy))


INJECTIONS = ["'", "' OR '1'='1", "victim' --", "victim'; UPDATE users SET level=15; --", "\\'; DROP TABLE users; --", "victim\" OR \"\"=\"", "%", "_ictim", "victi_", "* FROM users", "${jndi:ldap://x}",
              "{{7*7}}", "<INCLUDE>users/MainUsers/groups.XML</INCLUDE>", "victim%00", "victim\0]]x.lua", "../victim", "thief/../victim", "VICTIM\u0130"]


@pytest.mark.parametrize("text", INJECTIONS, ids=repr)
def test_injections(prey, text):
    """ProFTPD 2026 (mod_sql), CrushFTP CVE-2024-4040, Wing FTP CVE-2025-47812, MOVEit: query, template and path languages in names, passwords, paths, client versions."""
    raw = text.encode()
    with prey:
        for user, password in ((raw, raw), (raw, PASSWORD.encode()), (b"victim", raw)):
            with Ssh(prey.port, "victim").to("auth") as c:
                got = tries(c, c.request(user, "password", b"\0" + string(password)), CHANNEL)
                assert not any(p[0] == Msg.USERAUTH_SUCCESS for p in got)
        printable = re.sub(rb"[^ -~]", b"?", raw)
        with Ssh(prey.port, "thief", password=PASSWORD, version=b"SSH-2.0-x " + printable[:200]).to("sftp") as c:
            for path in (raw, b"/Home/" + raw, b"/Home/" + raw + b"/secret", raw + b"/../../victim/secret"):
                for kind, rest in ((Fx.OPEN, u32(1) + u32(0)), (Fx.STAT, b""), (Fx.OPENDIR, b""), (Fx.REMOVE, b""), (Fx.RMDIR, b""), (Fx.SETSTAT, u32(0))):
                    try:
                        c.sftp.call(kind, string(path) + rest, Fx.HANDLE)
                        raise AssertionError(f"{kind} of {path!r} worked")
                    except Status as e:
                        assert "sql" not in e.text.lower() and "49" not in e.text


TRAVERSALS = ["/Home/victim/secret", "../victim/secret", "../../Home/victim/secret", "/Home/thief/../victim/secret", "/Home/thief/./../victim/secret", "/../Home/victim/secret",
              "..\\victim\\secret", "/..\\..\\Home\\victim\\secret", "%2e%2e/victim/secret", "..%2fvictim%2fsecret", "..;/victim/secret", ".../...//victim/secret", "/Home//victim//secret",
              "/Home/victim/secret/", "/Home/victim/./secret", "/Home/victim\0/thief", "/Home/thief\0/../victim/secret", "\u2025/victim/secret", "/Home/thief2/../victim/secret", "~victim/secret",
              "/proc/self/root/etc/passwd", "/etc/passwd", "//127.0.0.1/share/x", "C:\\windows\\win.ini", "/Home/vic*", "/dev/fd/3", "secret"]


@pytest.mark.parametrize("path", TRAVERSALS, ids=repr)
def test_traversals(prey, path):
    """Serv-U CVE-2024-28995, SFTPGo CVE-2026-30914 and its kin: no spelling of a path leads to what one may not see, by no request."""
    with prey, prey.thief() as c:
        for kind, rest in ((Fx.OPEN, u32(1) + u32(0)), (Fx.STAT, b""), (Fx.LSTAT, b""), (Fx.REMOVE, b""), (Fx.OPENDIR, b""), (Fx.READLINK, b""), (Fx.SETSTAT, u32(0))):
            with pytest.raises(Status):
                c.sftp.call(kind, string(path) + rest, Fx.NAME)
        with pytest.raises(Status):
            c.sftp.rename(path, "moved")
        for extension, body in (("posix-rename@openssh.com", string(path) + string("moved")), ("hardlink@openssh.com", string(path) + string("linked")),
                                ("check-file-name", string(path) + string("sha256") + bytes(20)), ("lsetstat@openssh.com", string(path) + u32(0))):
            with pytest.raises(Status):
                c.sftp.extended(extension, body, Fx.EXTENDED_REPLY)
        try:
            c.sftp.put(path, b"mine")  # an odd name of the thief's own, at the most: __exit__ looks at the victim's
        except Status:
            return
        assert c.sftp.get(path) == b"mine"
        c.sftp.remove(path)


def test_sftpgo_cve_2026_10031_links(prey):
    """There are no links to lead anybody astray."""
    with prey, prey.thief() as c:
        for target in ("/Home/victim/secret", "../victim", "/", "/etc/passwd"):
            for kind in (Fx.SYMLINK,):
                with pytest.raises(Status):
                    c.sftp.call(kind, string(target) + string("link"))
                with pytest.raises(Status):
                    c.sftp.call(kind, string("link") + string(target))
            with pytest.raises(Status):
                c.sftp.extended("hardlink@openssh.com", string(target) + string("link"))
        assert "link" not in c.sftp.list(".")


def test_cleo_cve_2024_55956_autorun(prey):
    """Files are never commands, wherever they are put and whatever they are called."""
    with prey, prey.thief() as c:
        for folder in ("autorun", "hosts", "cron.d", ".ssh", ".config"):
            c.sftp.mkdir(folder)
        for path, body in (("autorun/x", b"-i x.zip\n-r action"), (".ssh/authorized_keys", UserKey.make().line.encode()), (".ssh/rc", b"#!/bin/sh\nid"), ("cron.d/x", b"* * * * * root id"),
                           ("x.jsp", b"<% %>"), ("x.so", b"\x7fELF")):
            c.sftp.put(path, body)
        # an authorized_keys in a home folder is a file like any other
        key = UserKey.make()
        c.sftp.put(".ssh/authorized_keys", key.line.encode())
    with prey:
        with prey.strange("thief") as c:
            assert c.try_key(key) is not True


def test_crushftp_redaction(prey):
    """What is on record of an attempt is whole: words in it do not make it disappear, and what was typed as a password is never there."""
    with prey:
        with Ssh(prey.port, "password=victim", source="127.0.0.77").to("auth") as c:  # its own: failures of one address are counted together
            tries(c, c.request("password=victim", "password", b"\0" + string("hunter2 is my password")))
        entries = [e for e in prey.server.audit("--event", "login.failed") if e.get("addr") == c.peer]
    assert entries and "password=victim" in str(entries)
    assert "hunter2" not in str(prey.server.audit()) and "hunter2" not in prey.server.log()


def test_haul(prey):
    """In MOVEit's case whoever was in had everything: here, one user's session has that user's files, and each reading is an entry."""
    with prey, prey.thief() as c:
        c.sftp.put("mine", b"m" * 1000)
        before = len([e for e in prey.server.audit("--event", "file.read") if e.get("addr") == c.peer])
        names = []
        todo = ["/"]
        while todo:
            folder = todo.pop()
            try:
                for name in c.sftp.list(folder):
                    if name not in (".", ".."):
                        names.append(f"{folder.rstrip('/')}/{name}")
                        todo.append(names[-1])
            except Status:
                pass
        got = 0
        for path in names:
            try:
                got += c.sftp.get(path) is not None
            except Status:
                pass
        assert not [n for n in names if "victim" in n]
        after = len([e for e in prey.server.audit("--event", "file.read") if e.get("addr") == c.peer])
        assert after - before == got >= 1
