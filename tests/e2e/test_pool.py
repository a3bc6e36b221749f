"""The pools of workers: connections beyond the limits wait or are turned away, and places come back."""
import socket
import ssl
import time

import pytest
from lib.instance import Instance


def connect(server, timeout=5):
    context = ssl.create_default_context(cafile=str(server.certificate))
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=timeout)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def use(connection):
    """The connection has a worker that answers."""
    connection.sendall(b"GET /api/v1/info HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.fixture
def server(identity, request):
    with Instance(identity, settings=request.param) as instance:
        yield instance


@pytest.mark.parametrize("server", [{"WorkersPerAddress": "4", "WorkersIdle": "2"}], indirect=True)
def test_too_many_from_one_address(server):
    held = [connect(server) for _ in range(4)]
    assert all(use(c) for c in held)
    with pytest.raises(OSError):  # accepted and closed at once: no worker is spent on it
        use(connect(server))
    held.pop().close()
    deadline = time.monotonic() + 10
    while True:
        try:
            held.append(connect(server))
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert use(held[-1])
    for c in held:
        c.close()
    deadline = time.monotonic() + 10
    while "turned away" not in server.log():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("server", [{"WorkersMax": "3", "WorkersIdle": "8", "WorkersPerAddress": "100"}], indirect=True)
def test_all_workers_busy(server):
    """The fourth waits in the listener's queue and is served when one has ended; the other listener is not concerned."""
    held = [connect(server) for _ in range(3)]
    assert all(use(c) for c in held)
    waiting = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    context = ssl.create_default_context(cafile=str(server.certificate))
    waiting.settimeout(0.5)
    with pytest.raises(TimeoutError):
        context.wrap_socket(waiting, server_hostname="127.0.0.1")
    admin = socket.create_connection(("127.0.0.1", server.admin_port), timeout=10)
    context.wrap_socket(admin, server_hostname="127.0.0.1").close()
    held.pop().close()
    again = connect(server, timeout=10)
    assert use(again)
    again.close()
    for c in held:
        c.close()
