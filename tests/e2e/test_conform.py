"""tests/conform/http as data, against a server: statuses in order, and whether the connection goes on."""
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "conform/http"
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def unescape(line):
    return re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda m: bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" else ESCAPES[m[1]], line)


def cases():
    for path in sorted(FOLDER.glob("*.txt")):
        name = want = request = None
        for line in path.read_bytes().split(b"\n"):
            if request is None and line.startswith(b"case "):
                name = line[5:].decode()
            elif line.startswith(b"want "):
                statuses, end = line[5:].decode().split()
                want, request = [int(s) for s in statuses.split(",")], b""
            elif line == b"end":
                yield pytest.param(request, want, end, id=f"{path.stem}: {name}")
                request = None
            elif request is not None:
                request += unescape(line)


def replies(s, count):
    """The statuses of the next `count` replies."""
    data, found = b"", []
    while len(found) < count:
        head, sep, rest = data.partition(b"\r\n\r\n")
        if sep:
            status, field = int(head.split()[1]), re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
            assert (field is None) == (status == 204), head  # RFC 9110 section 8.6: MUST NOT
            length = int(field[1]) if field else 0
        if sep and len(rest) >= length:
            found.append(status)
            data = rest[length:]
            continue
        part = s.recv(65536)
        assert part, f"the connection ended after {found} and {data!r}"
        data += part
    assert data == b""
    return found


@pytest.mark.parametrize("request_bytes,want,end", list(cases()))
def test_case(server, request_bytes, want, end):
    s = server.raw(20)
    s.sendall(request_bytes)
    assert replies(s, len(want)) == want
    if end == "closed":
        try:
            assert s.recv(1) == b""
        except OSError:
            pass
    else:
        s.sendall(b"GET /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n")
        assert replies(s, 1) == [200]
    s.close()
