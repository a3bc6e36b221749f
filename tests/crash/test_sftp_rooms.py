"""The SFTP door while rooms die, are stopped and reloaded: what is under way goes on or is kept, what was promised is there."""
import os
import secrets
import signal
import socket
import subprocess
import time

import pytest
from test_rooms import supervisor, wait_back, wait_until

from lib.instance import PASSWORD, Identity, Instance
from lib.sftp import Door, host_keys, one_time_code, write_known_hosts
from lib.ssh import Ssh
from lib.ssh_sftp import CREAT, TRUNC, WRITE, Status
from lib.ssh_wire import Closed, string

MIB = 1 << 20
PIECE = 32_768


@pytest.fixture(scope="module")
def identity():
    """One is enough: test_rooms.py has both."""
    return Identity.all()[0]


@pytest.fixture(scope="module")
def server(identity):
    with Instance(identity, sftp=True) as instance:
        instance.add_user("alice")
        yield instance


@pytest.fixture(scope="module")
def alices(server, tmp_path_factory):
    return Door(server, "alice", tmp_path_factory.mktemp("alice")).with_key()


class Upload:
    """An upload that is under way: half is written, the rest on demand."""

    def __init__(self, door, name, size=6 * MIB, sync=True):
        self.door, self.name, self.body, self.at = door, name, secrets.token_bytes(size), 0
        self.c = door.raw().to("sftp")
        self.handle = self.c.sftp.open(name, WRITE | CREAT | TRUNC)
        self.write(size // 2)
        if sync:
            self.sync()

    def write(self, end):
        while self.at < end:
            self.c.sftp.write(self.handle, self.at, self.body[self.at:self.at + PIECE])
            self.at += PIECE

    def sync(self):
        self.c.sftp.extended("fsync@openssh.com", string(self.handle))

    def finish(self):
        self.write(len(self.body))
        self.c.sftp.close(self.handle)

    def stored(self):
        with self.door.raw().to("sftp") as c:
            return c.sftp.get(self.name, 200_000) == self.body

    def listed(self):
        with self.door.raw().to("sftp") as c:
            return self.name in c.sftp.list(".")

    def kept(self):
        with self.door.raw().to("sftp") as c:
            try:
                return c.sftp.stat(self.name)["size"]
            except Status:
                return 0

    def reput(self):
        self.door.file(self.name, self.body)
        self.door.sftp(f"reput {self.name} {self.name}")


def workers_with_files(server):
    return [pid for pid in server.pids("worker-sftp") if any("/blobs/" in link for link in links(pid))]


def links(pid):
    found = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    except OSError:
        pass
    return found


@pytest.mark.parametrize("room", ["gate-sftp", "signer", "vault", "ledger"])
def test_upload_outlives_room(server, alices, room):
    """A worker that has its connection and its key needs neither gate nor signer nor ledger to go on, and its CLOSE is honoured."""
    upload = Upload(alices, f"outlives-{room}")
    old = server.pids(room)[0]
    os.kill(old, signal.SIGKILL)
    wait_back(server, room, old)
    if room == "vault":  # a restarted vault ends the workers that it knew
        with pytest.raises(Closed):
            upload.finish()
        assert upload.kept() >= len(upload.body) // 2
        upload.reput()
    else:
        upload.finish()
    assert upload.stored()


def test_upload_when_the_broker_dies(server, alices):
    """The client is told by a closed connection; what fsync acknowledged is kept, unseen, and goes on."""
    upload = Upload(alices, "broker-died")
    promised = upload.at
    old = server.pids("broker")[0]
    os.kill(old, signal.SIGKILL)
    with pytest.raises((Closed, Status)):
        upload.finish()
    wait_back(server, "broker", old)
    wait_until(server, "the partial", lambda: upload.kept() >= promised)
    assert not upload.listed()
    upload.reput()
    assert upload.stored()
    server.run("fsck")


@pytest.mark.parametrize("synced", [True, False])
def test_upload_when_its_worker_dies(server, alices, synced):
    upload = Upload(alices, f"worker-died-{synced}", sync=synced)
    promised = upload.at if synced else 0
    before = len(server.audit("--event", "worker.killed"))
    victims = workers_with_files(server)
    assert len(victims) == 1, "somebody else's upload, or descriptors that this user may not see"
    os.kill(victims[0], signal.SIGKILL)
    with pytest.raises(Closed):
        upload.finish()
    wait_until(server, "the record", lambda: len(server.audit("--event", "worker.killed")) > before)
    assert upload.kept() >= promised
    assert not upload.listed()
    if promised:
        upload.reput()
    else:  # nothing was promised, and to what is not there no client appends
        alices.file(upload.name, upload.body)
        alices.sftp(f"put {upload.name}")
    assert upload.stored()


# ---- reload ----

def reload(server):
    n = len(server.audit("--event", "server.reload"))
    os.kill(supervisor(server), signal.SIGHUP)
    wait_until(server, "the reload", lambda: len(server.audit("--event", "server.reload")) > n)
    wait_until(server, "healthy", server.healthy)


def test_reload_with_another_host_key(server, alices):
    """A transfer goes on and even changes its keys, under the host key that it began with; who comes later sees the new one."""
    upload = Upload(alices, "reloaded")
    old = {row["type"]: row["fingerprint"] for row in host_keys(server)}
    path = server.dir / "keys/ssh_host_ed25519.key"
    path.unlink()
    server.run("hostkey", "make")
    reload(server)
    new = {row["type"]: row["fingerprint"] for row in host_keys(server)}
    assert new["ssh-ed25519"] != old["ssh-ed25519"] and new["ecdsa-sha2-nistp256"] == old["ecdsa-sha2-nistp256"]
    upload.c.exchange()
    upload.finish()
    upload.c.close()
    refused = alices.sftp("pwd", check=False)
    assert refused.code != 0, "a host key that nobody knows was taken"
    write_known_hosts(server, alices.known_hosts)
    alices.sftp("pwd")
    assert upload.stored()


def test_reload_with_other_settings(server, alices):
    """They are for those who come later."""
    with alices.raw().to("sftp") as old:
        server.set("Scp", "no")
        server.set("MaxAuthTries", "2")
        server.set("SftpHandles", "4")
        reload(server)
        alices.file("x", b"x")
        assert alices.scp("x", ":by-scp", legacy=True, check=False).code != 0
        alices.scp("x", ":by-sftp")
        with Ssh(server.sftp_port, "alice").to("auth") as c:
            c.try_password("wrong 1")
            with pytest.raises(Closed):
                c.try_password("wrong 2")
                c.try_password("wrong 3")
        with alices.raw().to("sftp") as c:
            for i in range(4):
                c.sftp.open(f"h{i}", WRITE | CREAT)
            with pytest.raises(Status):
                c.sftp.open("h4", WRITE | CREAT)
        for i in range(8):
            old.sftp.open(f"o{i}", WRITE | CREAT)
    for keyword, value in (("Scp", "yes"), ("MaxAuthTries", "6"), ("SftpHandles", "64")):
        server.set(keyword, value)
    reload(server)
    alices.scp("x", ":by-scp", legacy=True)


# ---- stop ----

@pytest.fixture
def stopped(identity, tmp_path):
    """A server of the test's own, and alice's way in."""
    instance = Instance(identity, sftp=True)
    try:
        instance.init()
        instance.start()
        instance.add_user("alice")
        yield instance, Door(instance, "alice", tmp_path).with_key()
    finally:
        instance.end()
        instance.remove()


def test_stop_lets_an_upload_finish(stopped):
    """SIGTERM: nobody new, nothing new; what is open may be finished, and is there afterwards."""
    server, door = stopped
    upload = Upload(door, "drained", sync=False)
    with door.raw().to("sftp") as idle:
        server.process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        with pytest.raises(Closed):  # it has nothing in hand
            while True:
                idle.recv()
        assert time.monotonic() - begin < 5
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.sftp_port), timeout=2).close()
    assert server.process.poll() is None
    upload.finish()
    assert server.process.wait(10) == 0, "it waits for nobody"
    server.process = None
    server.verify()
    server.start()
    assert upload.stored()


def test_stop_keeps_what_does_not_finish(stopped):
    """A client that sends no more: after the grace its upload is kept as it is."""
    server, door = stopped
    upload = Upload(door, "kept")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    server.process = None
    server.start()
    assert upload.kept() == upload.at and not upload.listed()
    upload.reput()
    assert upload.stored()


def test_stop_waits_for_scp(stopped):
    server, door = stopped
    body = secrets.token_bytes(4 * MIB)
    path = door.file("x", body)
    scp = subprocess.Popen(["scp", "-O", "-l", "12000", *door.options(), path, "127.0.0.1:by-scp"], cwd=door.folder)
    wait_until(server, "the upload", lambda: workers_with_files(server))
    server.process.send_signal(signal.SIGTERM)
    assert scp.wait(30) == 0
    assert server.process.wait(10) == 0
    server.process = None
    server.start()
    with door.raw().to("sftp") as c:
        assert c.sftp.get("by-scp", 200_000) == body


def test_a_download_is_finished_before_the_stop(stopped):
    server, door = stopped
    body = secrets.token_bytes(4 * MIB)
    with door.raw().to("sftp") as c:
        c.sftp.put("x", body)
        handle, got = c.sftp.open("x"), b""
        while len(got) < len(body):
            if len(got) == MIB:
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.3)
            got += c.sftp.read(handle, len(got), PIECE)
        assert got == body
        c.sftp.close(handle)
        assert server.process.wait(10) == 0
        server.process = None


# ---- a vault that is locked ----

def test_a_locked_vault(identity, tmp_path):
    """Without the root key one may log in and look; what needs a key says that it is not there now."""
    server = Instance(identity, sftp=True)
    try:
        server.init("--root-key", "passphrase")
        passphrase = server.initialised["recovery_passphrase"]
        server.start()
        server.run("key", "unlock", "--passphrase-stdin", stdin=passphrase + "\n")
        server.add_user("alice")
        server.add_user("careful")
        seed = server.run("user", "otp", "add", "careful", "--json").json()["secret"]
        door = Door(server, "alice", tmp_path).with_key()
        with door.raw().to("sftp") as c:
            c.sftp.put("small", b"s" * 100)
            c.sftp.put("big", b"b" * 200_000)
        server.restart()
        assert server.run("--json", "status").json()["vault"] == "locked"
        with door.raw().to("sftp") as c:
            assert {"small", "big"} <= set(c.sftp.list("."))
            for name, flags in (("small", 1), ("big", 1), ("new", WRITE | CREAT | TRUNC)):
                with pytest.raises(Status) as e:
                    handle = c.sftp.open(name, flags)
                    c.sftp.write(handle, 0, b"n" * 200_000) if flags != 1 else c.sftp.read(handle, 0, 100)
                    c.sftp.close(handle)
                assert e.value.code == 4 and e.value.text, e.value
                print(name, e.value.text)
            server.run("key", "unlock", "--passphrase-stdin", stdin=passphrase + "\n")
            wait_until(server, "it can be read", lambda: readable(c, "small") == b"s" * 100)
            assert c.sftp.get("big") == b"b" * 200_000
            c.sftp.put("new", b"n")
        server.restart()
        with Ssh(server.sftp_port, "careful", password=PASSWORD).to("auth") as c:
            assert c.try_password(PASSWORD) == ["keyboard-interactive"] and c.partial
            begin = time.monotonic()
            try:
                assert c.try_interactive(one_time_code(seed)) is not True, "a code that nobody checked"
            except Closed:
                pass
            assert time.monotonic() - begin < 15
        server.run("key", "unlock", "--passphrase-stdin", stdin=passphrase + "\n")

        def with_code():
            with Ssh(server.sftp_port, "careful", password=PASSWORD).to("auth") as c:
                return c.try_password(PASSWORD) is not True and c.try_interactive(one_time_code(seed)) is True
        wait_until(server, "a code is good again", with_code)
        server.stop()
        server.verify()
    finally:
        server.end()
        server.remove()


def readable(c, name):
    try:
        return c.sftp.get(name)
    except Status:
        return None
