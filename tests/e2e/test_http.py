"""The door itself: framing, refusals, expectations, persistence."""
import re
import time

import pytest


def head_of(s):
    """Read one response head; returns (status, fields, what came behind it)."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            break
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {l.partition(":")[0].lower(): l.partition(":")[2].strip() for l in lines[1:]}
    return (int(lines[0].split()[1]) if lines[0] else 0), fields, rest


def ask(server, text, timeout=30):
    s = server.raw(timeout)
    s.sendall(text if isinstance(text, bytes) else text.encode())
    result = head_of(s)
    s.close()
    return result


def put(token, extra, body=b"", path="/Home/alice/smuggle.txt"):
    return (f"PUT /api/v1/files/by-path{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{extra}\r\n").encode() + body


@pytest.mark.parametrize("name,extra,body", [
    ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"),
    ("two equal lengths", "Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"),
    ("list of lengths", "Content-Length: 5, 5\r\n", b"hello"),
    ("length with chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    ("chunked not last", "Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    ("unknown coding", "Transfer-Encoding: gzip\r\n", b""),
    ("coding in a costume", "Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    ("two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    ("obs-fold", "X-A: b\r\n c\r\nContent-Length: 0\r\n", b""),
    ("space before colon", "Content-Length : 5\r\n", b"hello"),
    ("negative length", "Content-Length: -5\r\n", b""),
    ("signed length", "Content-Length: +5\r\n", b"hello"),
    ("hexadecimal length", "Content-Length: 0x5\r\n", b"hello"),
    ("overflowing length", "Content-Length: 18446744073709551621\r\n", b"hello"),
    ("empty length", "Content-Length: \r\n", b""),
    ("NUL in a value", "X-A: a\0b\r\nContent-Length: 0\r\n", b""),
    ("bare CR in a value", "X-A: a\rb\r\nContent-Length: 0\r\n", b""),
    ("bare LF", "X-A: a\nContent-Length: 0\r\n", b""),
    ("chunk size with a sign", "Transfer-Encoding: chunked\r\n", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("chunk size with 0x", "Transfer-Encoding: chunked\r\n", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("chunk size too long", "Transfer-Encoding: chunked\r\n", b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
    ("chunk end with bare LF", "Transfer-Encoding: chunked\r\n", b"5\nhello\n0\n\n"),
    ("chunk longer than its size", "Transfer-Encoding: chunked\r\n", b"5\r\nhelloX\r\n0\r\n\r\n"),
    ("empty chunk size", "Transfer-Encoding: chunked\r\n", b"\r\nhello\r\n0\r\n\r\n"),
])
def test_smuggling_shapes_are_refused_and_the_connection_closed(server, alice, name, extra, body):
    s = server.raw(10)
    s.sendall(put(alice.token, extra, body) + b"GET /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n")
    status, fields, rest = head_of(s)
    assert status in (400, 411, 413, 501), (name, status)
    data = rest
    try:
        while part := s.recv(65536):
            data += part
    except OSError:
        pass
    assert data.count(b"HTTP/1.1 ") == 0, "the bytes behind a refused request were taken for a request"
    s.close()
    assert alice.fetch("/Home/alice/smuggle.txt").status_code == 404


@pytest.mark.parametrize("line,expected", [
    ("GET /api/v1/info HTTP/1.1\nHost: x\n\n", {400}),
    ("GET  /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("GET /api/v1/info\r\n\r\n", {400, 505}),
    ("GET /api/v1/info HTTP/2.0\r\nHost: x\r\n\r\n", {400, 505}),
    ("GET /api/v1/info HTTP/1.1\r\n\r\n", {400}),
    ("GET /api/v1/info HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", {400}),
    ("GET http://x/api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n", {200, 400}),
    ("get /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n", {400, 405, 501}),
    ("BREW /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n", {405, 501}),
    ("PATCH /api/v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", {405, 501}),
    ("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    ("\x16\x03\x01\x00\xa5 nonsense\r\n\r\n", {400}),
    ("GET /" + "a" * 20000 + " HTTP/1.1\r\nHost: x\r\n\r\n", {414, 431, 400}),
    ("GET /api/v1/info HTTP/1.1\r\nHost: x\r\nX: " + "a" * 100_000 + "\r\n\r\n", {431, 400}),
    ("GET /api/v1/info HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 5000 + "\r\n", {431, 400}),
])
def test_request_lines(server, line, expected):
    status, _, _ = ask(server, line.encode("latin-1"))
    assert status in expected, status


def test_many_requests_on_one_connection(server):
    s = server.raw()
    for _ in range(50):
        s.sendall(b"GET /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n")
        status, fields, rest = head_of(s)
        assert status == 200
        need = int(fields["content-length"]) - len(rest)
        while need > 0:
            need -= len(s.recv(need))
    s.close()


def test_pipelined_requests_are_answered_in_order(server):
    s = server.raw()
    s.sendall(b"GET /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data = b""
    while part := s.recv(65536):
        data += part
    assert re.findall(rb"HTTP/1\.1 (\d+)", data) == [b"200", b"404"]
    s.close()


def test_expect_100_continue(server, alice):
    s = server.raw(10)
    s.sendall(put(alice.token, "Content-Length: 5\r\nExpect: 100-continue\r\n", path="/Home/alice/expected.txt"))
    status, _, rest = head_of(s)
    assert (status, rest) == (100, b"")
    s.sendall(b"hello")
    assert head_of(s)[0] == 201
    s.close()


def test_expect_is_answered_finally_when_the_upload_is_refused(server, alice):
    for path, statuses in (("/Home/bob/x", {403, 404}), ("/no/such", {404, 403})):
        s = server.raw(10)
        s.sendall(put(alice.token, "Content-Length: 5000000\r\nExpect: 100-continue\r\n", path=path))
        assert head_of(s)[0] in statuses
        s.close()


def test_an_unknown_expectation(server, alice):
    assert ask(server, put(alice.token, "Content-Length: 5\r\nExpect: tea\r\n", b"hello"))[0] == 417


def test_a_missing_length(server, alice):
    status, _, _ = ask(server, put(alice.token, ""))
    assert status in (201, 200, 204, 411)  # no body at all: an empty file, or a demand for the length


@pytest.mark.parametrize("field", ["", "Authorization: Bearer nonsense\r\n", "Authorization: Basic YWxpY2U6eA==\r\n", "Authorization: Bearer\r\n"])
def test_without_a_valid_token(server, field):
    status, fields, _ = ask(server, f"GET /api/v1/users/self HTTP/1.1\r\nHost: x\r\n{field}\r\n")
    assert status == 401
    assert fields["www-authenticate"].startswith("Bearer")


def test_a_refusal_says_what_is_needed(server):
    refused = server.anonymous().get("/api/v1/users/self?access_token=x").json()
    assert "Authorization: Bearer" in refused["detail"]
    refused = server.anonymous().get("/api/v1/users/self", auth=("alice", "x")).json()
    assert "Bearer" in refused["detail"] and "scheme" in refused["detail"]


def test_head_of_a_folder_is_what_get_says(alice):
    for path in ("/Home/alice", "/Home/alice/", "/"):
        got, head = alice.get(alice.url(path)), alice.head(alice.url(path))
        assert got.status_code == head.status_code == 200
        assert head.content == b"" and got.headers["Content-Type"] == head.headers["Content-Type"]
    for address in ("/api/v1/info", "/api/v1/users/self", "/api/v1/folders"):
        got, head = alice.get(address), alice.head(address)
        assert head.status_code == 200 and head.content == b"" and head.headers["Content-Length"] == str(len(got.content))


def test_another_user_on_the_same_connection_is_misdirected(server, alice, bob):
    s = server.raw(10)
    request = "GET /api/v1/users/self HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n"
    s.sendall(request.format(alice.token).encode())
    status, fields, rest = head_of(s)
    assert status == 200
    need = int(fields["content-length"]) - len(rest)
    while need > 0:
        need -= len(s.recv(need))
    s.sendall(request.format(bob.token).encode())
    assert head_of(s)[0] == 421
    s.settimeout(5)
    left = b"x"
    while left:
        left = s.recv(65536)  # the connection ends
    s.close()


def test_errors_are_problems_with_moveits_members(alice):
    r = alice.fetch("/Home/alice/none.bin")
    assert r.status_code == 404
    assert r.headers["Content-Type"].startswith("application/problem+json")
    problem = r.json()
    assert problem["status"] == 404 and problem["type"].endswith("notfound")
    assert problem["title"] and problem["errorCode"] == 4040 and "detail" in problem


def test_security_fields(server):
    _, fields, _ = ask(server, "GET /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n")
    assert fields.get("x-content-type-options") == "nosniff"
    assert "server" not in fields or not any(c.isdigit() for c in fields["server"])


def test_a_slow_head_is_cut_off(fresh):
    fresh.init()
    fresh.set("RequestTimeout", "2s")
    fresh.start()
    s = fresh.raw(20)
    begin = time.monotonic()
    try:
        for byte in b"GET /api/v1/info HTTP/1.1\r\nX: " + b"a" * 100:
            s.sendall(bytes([byte]))
            time.sleep(0.2)
        data = s.recv(1000)
    except OSError:
        data = b""
    assert time.monotonic() - begin < 15
    assert data == b"" or b" 408 " in data.split(b"\r\n")[0]
    fresh.stop()


def test_a_slow_form_is_cut_off(fresh):
    fresh.init()
    fresh.set("RequestTimeout", "2s")
    fresh.start()
    s = fresh.raw(20)
    begin = time.monotonic()
    s.sendall(b"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n")
    data = b""
    try:
        while time.monotonic() - begin < 15 and not data:
            s.sendall(b"a")
            s.settimeout(0.2)
            try:
                data = s.recv(1000)
            except TimeoutError:
                pass
    except OSError:
        pass
    assert time.monotonic() - begin < 10
    assert data == b"" or b" 408 " in data.split(b"\r\n")[0]
    fresh.stop()


def test_administration_listener(server):
    c = server.anonymous()
    r = c.get(server.admin_base + "/health")
    assert r.status_code == 200 and r.json()["status"] == "ok", r.text
    assert r.headers["Content-Type"].startswith("application/json")
    r = c.get(server.admin_base + "/metrics")
    assert r.status_code == 200 and "sallyport_" in r.text
    assert c.get(server.admin_base + "/api/v1/info").status_code == 404
    assert c.get("/metrics").status_code == 404


def test_plain_http_on_the_tls_port(server):
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            data = s.recv(1000)
        except ConnectionResetError:
            data = b""
    assert not data.startswith(b"HTTP/1.1")


@pytest.mark.parametrize("version,works", [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_tls_versions(server, version, works):
    import socket
    import ssl
    import warnings

    context = ssl.create_default_context(cafile=str(server.certificate))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    if version == "TLSv1_1":
        context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="127.0.0.1") as s:
                assert works and s.version() == version.replace("_", ".")
    except ssl.SSLError:
        assert not works
