"""What happens at the edges: quotas, full disks, slow and vanishing clients, many connections, lockouts."""
import secrets
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lib.instance import PASSWORD, Client, Instance

MIB = 1 << 20


def chunks(total, size=64 << 10):
    block = secrets.token_bytes(size)
    for _ in range(total // size):
        yield block


def blobs(server):
    return sum(f.stat().st_size for f in (server.dir / "blobs").rglob("*") if f.is_file())


def eventually(check, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.1)
    return bool(check())


# ---- quota ----

@pytest.fixture(scope="module")
def carol(server):
    server.add_user("carol", "--quota", "4M")
    with server.login("carol") as client:
        yield client


def test_quota_known_before(server, carol):
    r = carol.store("/Home/carol/big.bin", b"x" * (5 * MIB))
    assert r.status_code == 507, r.text
    assert r.json()["title"] == "the quota is used up"
    assert carol.fetch("/Home/carol/big.bin").status_code == 404


def test_quota_reached_in_the_middle(server, carol):
    """The size is not known before: it goes wrong on the way, and nothing stays."""
    before = blobs(server)
    try:
        r = carol.store("/Home/carol/stream.bin", chunks(16 * MIB))
        assert r.status_code == 507, r.text
    except OSError:
        pass  # the server answered and closed while the client was still sending
    with Client(server, carol.token) as again:
        assert again.fetch("/Home/carol/stream.bin").status_code == 404
        assert eventually(lambda: blobs(server) <= before)
        assert again.store("/Home/carol/fits.bin", b"x" * (3 * MIB)).status_code == 201
        assert again.store("/Home/carol/over.bin", b"x" * (2 * MIB)).status_code == 507
        assert again.delete(again.url("/Home/carol/fits.bin")).status_code == 204


def test_two_uploads_cannot_share_one_quota(server, carol):
    """Reservations count: of two uploads that fit alone but not together, at most one is stored."""
    codes = []

    def send(name):
        with Client(server, carol.token) as c:
            codes.append(c.store(f"/Home/carol/{name}", b"y" * (2 * MIB + 500_000)).status_code)

    threads = [threading.Thread(target=send, args=(n,)) for n in ("left.bin", "right.bin")]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(codes) == [201, 507], codes


# ---- clients ----

def head(client, path, length):
    return (f"PUT {client.url(path)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()


def test_a_client_that_vanishes_in_the_middle(server, alice):
    before = blobs(server)
    s = server.raw()
    s.sendall(head(alice, "/Home/alice/vanished.bin", 50 * MIB) + secrets.token_bytes(4 * MIB))
    assert eventually(lambda: blobs(server) > before)
    s.close()
    assert alice.fetch("/Home/alice/vanished.bin").status_code == 404
    assert eventually(lambda: blobs(server) <= before), "the unfinished blob stays"
    assert eventually(lambda: [e for e in server.audit("--event", "upload.aborted") if e.get("path") == "/Home/alice/vanished.bin"])
    assert alice.store("/Home/alice/vanished.bin", b"now").status_code == 201


def test_a_client_that_resets_a_download(server, alice):
    alice.store("/Home/alice/long.bin", secrets.token_bytes(30 * MIB))
    for _ in range(5):
        s = server.raw()
        s.sendall(f"GET {alice.url('/Home/alice/long.bin')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n".encode())
        s.recv(1000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        s.close()
    assert len(alice.fetch("/Home/alice/long.bin").content) == 30 * MIB


def test_slow_clients_do_not_hold_up_others(server, alice):
    slow = []
    for _ in range(20):
        s = server.raw()
        s.sendall(head(alice, "/Home/alice/slow.bin", MIB) + b"x")
        slow.append(s)
    begin = time.monotonic()
    assert alice.store("/Home/alice/quick.txt", b"q" * 200_000).status_code == 201
    assert alice.fetch("/Home/alice/quick.txt").status_code == 200
    assert time.monotonic() - begin < 5
    [s.close() for s in slow]


def test_a_stalled_transfer_is_ended(fresh):
    fresh.init()
    fresh.set("StallTimeout", "2s")
    fresh.start()
    fresh.add_user("alice")
    alice = fresh.login("alice")
    s = fresh.raw(30)
    s.sendall(head(alice, "/Home/alice/stalled.bin", MIB) + b"x" * 1000)
    begin = time.monotonic()
    try:
        data = s.recv(1000)
    except OSError:
        data = b""
    assert time.monotonic() - begin < 20
    assert data == b"" or b" 408 " in data.split(b"\r\n")[0]
    assert alice.fetch("/Home/alice/stalled.bin").status_code == 404
    fresh.stop()
    fresh.verify()


def test_many_idle_connections_and_a_transfer(server, alice):
    context = ssl.create_default_context(cafile=str(server.certificate))
    idle = []
    for _ in range(100):
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        idle.append(context.wrap_socket(raw, server_hostname="127.0.0.1"))
    data = secrets.token_bytes(8 * MIB)
    assert alice.store("/Home/alice/crowd.bin", data).status_code in (200, 201, 204)
    assert alice.fetch("/Home/alice/crowd.bin").content == data
    for s in idle:
        s.sendall(b"GET /api/v1/info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert all(s.recv(20).startswith(b"HTTP/1.1 200") for s in idle)
    [s.close() for s in idle]


def test_uploads_to_one_name_at_once(server, alice):
    """Whoever is last wins whole; no reader ever sees a mixture."""
    done = []

    def send(letter):
        with Client(server, alice.token) as c:
            done.append(c.store("/Home/alice/contested.bin", letter * MIB).status_code)

    threads = [threading.Thread(target=send, args=(bytes([65 + i]),)) for i in range(8)]
    [t.start() for t in threads]
    while any(t.is_alive() for t in threads):
        with Client(server, alice.token) as reader:
            got = reader.fetch("/Home/alice/contested.bin")
        assert got.status_code == 404 or (len(set(got.content)) == 1 and len(got.content) == MIB)
    assert all(code in (200, 201, 204, 409) for code in done) and 201 in done


def test_small_files_at_once(server, alice):
    """Eight connections of fifty files each: all durable, all right."""
    failures = []

    def send(k):
        with Client(server, alice.token) as c:
            for i in range(50):
                body = f"{k}-{i}".encode() * 100
                if c.store(f"/Home/alice/many-{k}-{i}.txt", body).status_code != 201:
                    failures.append((k, i))
                elif i % 10 == 0 and c.fetch(f"/Home/alice/many-{k}-{i}.txt").content != body:
                    failures.append((k, i, "content"))

    threads = [threading.Thread(target=send, args=(k,)) for k in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures


# ---- lockout ----

def login_from(server, address, user, password):
    """A password grant from a loopback address of choice; returns the status and the head."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=30, source_address=(address, 0))
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as s:
        body = f"grant_type=password&username={user}&password={password.replace(' ', '+')}"
        s.sendall(f"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                  f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        data = b""
        while part := s.recv(65536):
            data += part
    return int(data.split(b" ")[1]), data


def test_lockout_of_an_account_and_address_together(server):
    server.add_user("dave")
    for _ in range(5):
        assert login_from(server, "127.0.0.9", "dave", "wrong password")[0] == 400
    status, reply = login_from(server, "127.0.0.9", "dave", PASSWORD)
    assert status == 429 and b"retry-after:" in reply.lower()
    assert login_from(server, "127.0.0.10", "dave", PASSWORD)[0] == 200, "a stranger locked a partner out"
    assert login_from(server, "127.0.0.9", "bob", PASSWORD)[0] == 200
    assert [e for e in server.audit("--event", "login.lockout")]


def test_a_suspended_user_is_out_at_once(server):
    server.add_user("erin")
    erin = server.login("erin")
    assert erin.get("/api/v1/users/self").status_code == 200
    server.run("user", "suspend", "erin")
    with Client(server, erin.token) as again:
        assert again.get("/api/v1/users/self").status_code == 401
    assert server.grant(server.anonymous(), grant_type="password", username="erin", password=PASSWORD).status_code == 400
    server.run("user", "activate", "erin")
    server.login("erin").close()


# ---- a full disk: only root can mount one ----

@pytest.mark.root
def test_disk_full(identity):
    """On a small tmpfs uploads fail with 507, reads go on, nothing half-made stays, and space freed is usable."""
    with Instance(identity) as small:
        small.add_user("alice")
        alice = small.login("alice")
        assert alice.store("/Home/alice/kept.bin", b"k" * MIB).status_code == 201
        small.stop()
        old = small.dir / "blobs.old"
        (small.dir / "blobs").rename(old)
        (small.dir / "blobs").mkdir()
        stat = old.stat()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=12m,uid={stat.st_uid},gid={stat.st_gid},mode=700", "none",
                        small.dir / "blobs"], check=True)
        try:
            subprocess.run(["cp", "-a", f"{old}/.", small.dir / "blobs"], check=True)
            small.start()
            alice = small.login("alice")
            try:
                r = alice.store("/Home/alice/huge.bin", b"h" * (30 * MIB))
                assert r.status_code == 507, r.text
            except OSError:
                pass
            with Client(small, alice.token) as again:
                assert again.fetch("/Home/alice/huge.bin").status_code == 404
                assert again.fetch("/Home/alice/kept.bin").content == b"k" * MIB
                assert eventually(lambda: blobs(small) < 3 * MIB)
                assert again.store("/Home/alice/after.bin", b"a" * (4 * MIB)).status_code == 201
                assert again.fetch("/Home/alice/after.bin").content == b"a" * (4 * MIB)
            small.stop()
            small.verify()
        finally:
            small.end()
            subprocess.run(["umount", small.dir / "blobs"], check=True)
