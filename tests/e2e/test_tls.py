"""TLS of the HTTPS door, asked by other implementations: what is offered, what is refused, what never happens."""
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lib.instance import Instance

GOOD_12 = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
GOOD_12_RSA = [s.replace("ECDSA", "RSA") for s in GOOD_12]
GOOD_13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
BAD_12 = ["AES128-GCM-SHA256", "AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256",
          "ECDHE-RSA-AES256-SHA", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM", "AECDH-AES128-SHA",
          "ECDHE-ECDSA-CAMELLIA128-SHA256", "ECDHE-ECDSA-ARIA128-GCM-SHA256", "NULL-SHA256"]


def s_client(server, *args, stdin="", timeout=20):
    """openssl s_client's exit status and all that it says."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", str(server.certificate),
            "-servername", "localhost", *args]
    done = subprocess.run(argv, input=stdin.encode(), capture_output=True, timeout=timeout)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def agreed(text):
    """(version, suite) of s_client's summary; None when no suite was agreed on."""
    m = re.search(r"^New, (\S+), Cipher is (\S+)", text, re.M)
    return None if m is None or m.group(2) == "(NONE)" else (m.group(1), m.group(2))


def healthy(server):
    assert server.curl("-o", "/dev/null", "-w", "%{http_code}", server.base + "/api/v1/info").code == 0


# ---- versions and suites ----

@pytest.mark.parametrize("suite", GOOD_12)
def test_good_suites_12(server, suite):
    code, text = s_client(server, "-tls1_2", "-cipher", suite)
    assert code == 0 and agreed(text) == ("TLSv1.2", suite), text
    assert "Verify return code: 0 (ok)" in text


@pytest.mark.parametrize("suite", GOOD_13)
def test_good_suites_13(server, suite):
    code, text = s_client(server, "-tls1_3", "-ciphersuites", suite)
    assert code == 0 and agreed(text) == ("TLSv1.3", suite), text


@pytest.mark.parametrize("suite", BAD_12)
def test_bad_suites(server, suite):
    code, text = s_client(server, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0")
    assert code != 0 and agreed(text) is None, text
    assert "handshake failure" in text, text
    healthy(server)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions(server, version):
    code, text = s_client(server, version, "-cipher", "ALL:@SECLEVEL=0")
    assert code != 0 and agreed(text) is None, text
    assert "protocol version" in text, text


def test_the_client_chooses(server):
    """All suites that are offered are good ones, so the client's order counts: a telephone without AES picks ChaCha20."""
    for order in (GOOD_13, GOOD_13[::-1]):
        _, text = s_client(server, "-tls1_3", "-ciphersuites", ":".join(order))
        assert agreed(text)[1] == order[0]
    for order in (GOOD_12, GOOD_12[::-1]):
        _, text = s_client(server, "-tls1_2", "-cipher", ":".join(order))
        assert agreed(text)[1] == order[0]


@pytest.mark.parametrize("group,name", [("X25519", "X25519"), ("P-256", "ECDH, prime256v1"), ("P-384", "ECDH, secp384r1")])
def test_groups(server, group, name):
    code, text = s_client(server, "-tls1_3", "-groups", group)
    assert code == 0 and f"Server Temp Key: {name}" in text, text


@pytest.mark.parametrize("group", ["P-521", "X448", "ffdhe2048"])
def test_other_groups(server, group):
    code, text = s_client(server, "-tls1_3", "-groups", group)
    assert code != 0 and agreed(text) is None, text


# ---- nothing is remembered, nothing is negotiated anew ----

@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_resumption(server, version, tmp_path):
    session = tmp_path / "session"
    _, text = s_client(server, version, "-sess_out", str(session), stdin="GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert "TLS session ticket" not in text, text
    assert "NewSessionTicket" not in text
    if session.exists() and session.stat().st_size:
        _, text = s_client(server, version, "-sess_in", str(session))
    assert not re.search(r"^Reused, ", text, re.M), text


def test_no_early_data(server):
    _, text = s_client(server, "-tls1_3")
    assert "Early data was not sent" in text and "Max Early Data:" not in text, text


def test_no_renegotiation(server):
    argv = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{server.port}", "-CAfile", str(server.certificate)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        time.sleep(0.5)
        p.stdin.write(b"R\n")  # s_client's command
        p.stdin.flush()
        out, _ = p.communicate(timeout=20)
    text = out.decode(errors="replace")
    assert "RENEGOTIATING" in text, text
    assert "no renegotiation" in text, text
    assert "Secure Renegotiation IS supported" in text
    healthy(server)


def test_no_compression(server):
    _, text = s_client(server, "-tls1_2", "-comp")
    assert "Compression: NONE" in text


def test_extended_master_secret(server):
    _, text = s_client(server, "-tls1_2")
    assert "Extended master secret: yes" in text


# ---- ALPN ----

def test_alpn(server):
    _, text = s_client(server, "-alpn", "h2,http/1.1")
    assert "ALPN protocol: http/1.1" in text, text
    code, text = s_client(server, "-alpn", "h2")
    assert code != 0 and "no application protocol" in text, text
    _, text = s_client(server)
    assert "No ALPN negotiated" in text


# ---- noise ----

@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\x01" * 64,
                                   b"\x80\x2e\x01\x03\x01" + b"\0" * 60, b"\x15\x03\x03\x00\x02\x02\x28", os.urandom(4096)],
                         ids=["http", "oversized", "sslv2", "alert", "random"])
def test_noise(server, noise):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(noise)
        s.shutdown(socket.SHUT_WR)
        try:
            answer = b"".join(iter(lambda: s.recv(4096), b""))
        except ConnectionResetError:
            answer = b""
    assert len(answer) < 100 and not answer.startswith(b"HTTP"), answer
    healthy(server)


def test_many_handshakes_at_once(server):
    context = ssl.create_default_context(cafile=str(server.certificate))
    failed = []

    def one():
        try:
            for _ in range(10):
                with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s, \
                        context.wrap_socket(s, server_hostname="127.0.0.1") as t:
                    assert t.version() == "TLSv1.3"
        except Exception as e:  # shown below
            failed.append(e)

    threads = [threading.Thread(target=one) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed


# ---- keys ----

def make_key(folder, kind):
    """A key and a self-signed certificate of some kind, as files; made by openssl."""
    key, cert = folder / "tls.key", folder / "tls.crt"
    how = {"rsa": ["-newkey", "rsa:2048"], "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
           "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed25519": ["-newkey", "ed25519"]}[kind]
    subprocess.run(["openssl", "req", "-x509", *how, "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    for f in (folder, key, cert):
        f.chmod(0o755 if f.is_dir() else 0o644)
    return key, cert


def put_key(server, kind, folder):
    folder.mkdir(exist_ok=True)
    key, cert = make_key(folder, kind)
    for source, name in ((key, "https.key"), (cert, "https.crt")):
        server.replace(f"keys/{name}", source.read_bytes())
    server.certificate.write_bytes(cert.read_bytes())


@pytest.mark.parametrize("kind", ["rsa", "p384", "ed25519"])
def test_every_kind_of_key(fresh, kind):
    fresh.init()
    put_key(fresh, kind, fresh.temp / "made")
    fresh.start()
    suites = GOOD_12_RSA if kind == "rsa" else GOOD_12
    for suite in suites:
        code, text = s_client(fresh, "-tls1_2", "-cipher", suite)
        assert code == 0 and agreed(text) == ("TLSv1.2", suite), text
    code, text = s_client(fresh, "-tls1_3")
    assert code == 0 and agreed(text)[0] == "TLSv1.3", text
    peer = {"rsa": "RSA-PSS", "p384": "ECDSA", "ed25519": "ed25519"}[kind]
    assert f"Peer signature type: {peer}" in text, text
    if kind == "rsa":
        _, text = s_client(fresh, "-tls1_2", "-sigalgs", "RSA+SHA256")
        assert agreed(text) and "Peer signature type: RSA\n" in text, text
        code, text = s_client(fresh, "-tls1_3", "-sigalgs", "RSA+SHA256")
        assert code != 0, text
    fresh.stop()


def test_key_that_does_not_fit(fresh):
    """A certificate with another key: no handshake, but no worker dies of it either."""
    fresh.init()
    made = fresh.temp / "made"
    made.mkdir()
    key, _ = make_key(made, "p256")
    fresh.replace("keys/https.key", key.read_bytes())
    try:
        fresh.start()
    except AssertionError:
        return  # said at start: as good
    code, text = s_client(fresh, "-tls1_3")
    assert code != 0 and "Verify return code: 0 (ok)" not in text.split("---")[0], text


def test_reload_keeps_transfers(fresh):
    """SIGHUP: new connections see the new certificate, a transfer that runs goes on."""
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    old = fresh.certificate.read_bytes()
    data = os.urandom(24 << 20)
    with fresh.login("alice") as alice:
        assert alice.store("/Home/alice/big.bin", data).status_code in (200, 201)
        with alice.get(alice.url("/Home/alice/big.bin"), stream=True) as r:
            assert r.status_code == 200
            body = r.iter_content(1 << 16)
            got = [next(body)]
            put_key(fresh, "rsa", fresh.temp / "made")
            assert fresh.certificate.read_bytes() != old
            os.kill(fresh.process.pid, signal.SIGHUP)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                code, text = s_client(fresh, "-tls1_3")
                if code == 0 and "Verify return code: 0 (ok)" in text:
                    break
                time.sleep(0.2)
            assert "Peer signature type: RSA-PSS" in text, text
            got += list(body)
    assert b"".join(got) == data
    fresh.stop()
