"""A worker is taken over: what it tries against stored files, its own and others', and against quotas."""
import time

import pytest
from lib.evil import Closed, Evil, Following, Gone

BY_FOLDER, BY_FILE, BY_NAME = 1, 2, 3
UNKNOWN = 2**64 - 1
ERR = {"RANGE": 2, "PERM": 43, "NAME": 60, "NOTFOUND": 61, "PRECOND": 66, "QUOTA": 67, "DAMAGED": 71, "DEPTH": 74}
MIB = 1 << 20


@pytest.fixture
def bob(evil):
    with Evil(evil) as w:
        yield w.login(evil.people["bob"].token)


def served(server):
    for size in ("small", "large"):
        assert server.people["alice"].fetch(f"/Home/alice/{size}").status_code == 200


def ciphertext(size, segment):
    """Bytes of a FLOE ciphertext: a header of 74, 32 for each segment."""
    room = segment - 32
    return 74 + size + 32 * max(1, -(-size // room))


def begin(w, path, size=UNKNOWN, **more):
    """PUT of a large file: its number, segment length, and the writable descriptor inside the worker."""
    up = w.ask("PUT", path=path, size=size, **more)
    assert up.name == "UPLOAD", up
    key = w.key()
    assert key.fresh == 1 and key.blob == up.blob
    return up.upload, up.segment, w.fds[-1]


def fill(w, fd, size):
    """So many bytes of garbage, written by the worker."""
    at = 0
    while at < size:
        n = min(size - at, MIB // 4)
        assert w.call("pwrite64", fd, b"\xa5" * n, n, at) == n
        at += n
    w.call("fdatasync", fd)


def commit(w, upload, size, **more):
    return w.ask("COMMIT", upload=upload, size=size, **more)


def cut_off(audit, w, action, about):
    with pytest.raises((Gone, Closed)):
        reply = action()
        raise AssertionError(f"{about}: {reply}")
    assert w.gone()
    audit.expect(w.peer, "worker.violation", "seen by broker", about)


def no_key(w):
    assert w.key(0.05) is None and not w.fds


def refused(reply, *names):
    assert reply.name == "FAILED" and reply.err in [ERR[n] for n in names], reply


def test_other_peoples_files(evil, bob):
    """By path, by number, by name in a folder: no descriptor, no key, no difference between forbidden and absent."""
    large = evil.people["alice"].get("/api/v1/files/by-path/Home/alice/large", headers={"Range": "bytes=0-0"})
    assert large.status_code == 206
    with Evil(evil) as w:
        w.login(evil.people["alice"].token)
        stat = w.ask("STAT", path="/Home/alice/large")
    for path in ("/Home/alice/large", "/Home/alice/small", "/Home/bob/../alice/large", "/Home/alice/large\x01", "//Home/alice/large",
                 "/Home/bob/./../alice/small", "/home/ALICE/large"):
        refused(bob.ask("OPEN", path=path), "NOTFOUND", "PERM", "NAME")
        refused(bob.ask("STAT", path=path), "NOTFOUND", "PERM", "NAME")
        refused(bob.ask("REMOVE", path=path, kind=2), "NOTFOUND", "PERM", "NAME")
    for number in list(range(40)) + [2**31, 2**32 + stat.id, 2**63 - 1]:
        own = bob.ask("OPEN", by=BY_FILE, id=number)
        if own.name != "FAILED":
            assert own.path.startswith(b"/Home/bob/") and bob.key().blob == own.blob
    bob.fds.clear()
    refused(bob.ask("OPEN", by=BY_FILE, id=stat.id), "NOTFOUND", "PERM")
    refused(bob.ask("OPEN", by=BY_FILE, id=stat.id, version=stat.version), "NOTFOUND", "PERM")
    refused(bob.ask("OPEN", by=BY_NAME, id=stat.parent, path="large"), "NOTFOUND", "PERM")
    refused(bob.ask("LIST", by=BY_FOLDER, id=stat.parent, what=3, limit=10), "NOTFOUND", "PERM")
    refused(bob.ask("REMOVE", by=BY_FILE, id=stat.id, kind=1), "NOTFOUND", "PERM")
    refused(bob.ask("DAMAGED", file=stat.id, version=stat.version), "NOTFOUND", "PERM")
    refused(bob.ask("PUT", by=BY_FOLDER, id=stat.parent, name="mine", size=5), "NOTFOUND", "PERM")
    refused(bob.ask("PUT", path="/Home/alice/large", size=5), "NOTFOUND", "PERM")
    refused(bob.ask("FOLDER_MAKE", by=BY_FOLDER, id=stat.parent, name="mine"), "NOTFOUND", "PERM")
    seen = bob.ask("LIST", path="/", what=7, limit=1000)
    assert b"alice" not in seen.rows
    no_key(bob)
    served(evil)


def test_names(evil, bob):
    """What is no name never becomes one."""
    for name in ("..", ".", "a\nb", "\x7f", "\u0085", "x" * 256, b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xae\xc0\xae", b"\xf4\x90\x80\x80"):
        value = name if isinstance(name, bytes) else name.encode()
        for values in ({"path": b"/Home/bob/" + value}, {"path": b"/Home/bob/" + value + b"/x"}):
            refused(bob.ask("PUT", size=5, small=1, **values), "NAME", "DEPTH")
            refused(bob.ask("FOLDER_MAKE", **values), "NAME", "DEPTH")
    with Following(evil) as audit:
        cut = Evil(evil).login(evil.people["bob"].token)
        with pytest.raises(Gone):
            cut.send("broker", b"")  # an empty packet is no message
            cut.take(1)
        audit.expect(cut.peer, "worker.violation", "seen by broker", "an empty packet")
    reply = bob.ask("PUT", path="/Home/bob/a\0b", size=5)
    refused(reply, "RANGE")
    refused(bob.ask("FOLDER_MAKE", path="/Home/bob" + "/d" * 80), "DEPTH", "NOTFOUND", "NAME")


def test_writer_after_commit(evil):
    """A second descriptor, kept: the upload is dropped, the worker ended, and the file never was."""
    with Following(evil) as audit, Evil(evil) as w:
        w.login(evil.people["bob"].token)
        upload, segment, fd = begin(w, "/Home/bob/kept", 100000)
        fill(w, fd, ciphertext(100000, segment))
        second = w.call("fcntl", fd, 1030, 0)
        assert second > 0
        w.call("close", fd)
        cut_off(audit, w, lambda: commit(w, upload, 100000), "a writer is left")
    assert evil.people["bob"].fetch("/Home/bob/kept").status_code == 404
    for message in ("ABORT", "PUT"):
        with Following(evil) as audit, Evil(evil) as w:
            w.login(evil.people["bob"].token)
            upload, _, _ = begin(w, "/Home/bob/kept", 100000)
            values = {"upload": upload} if message == "ABORT" else {"path": "/Home/bob/kept", "size": 5}
            cut_off(audit, w, lambda: w.ask(message, **values), f"a writer is left at {message}")


def test_reader_cannot_write(evil, bob):
    """The descriptor of a stored file is for reading, and no path leads to another."""
    assert bob.ask("OPEN", path="/Home/bob/large").name == "FILE_OPEN" and bob.key()
    fd = bob.fds[-1]
    assert bob.call("pread64", fd, bytes(100), 100, 0) == 100
    for name, arguments in (("pwrite64", (b"x", 1, 0)), ("write", (b"x", 1)), ("ftruncate", (0,)), ("pwritev", (bytes(16), 1, 0, 0))):
        assert bob.call(name, fd, *arguments) in (-9, -22), name


def test_lengths(evil):
    """Understated or overstated: the size is the file's and the proof's, or there is no file."""
    token = evil.people["bob"].token
    cases = [  # size asked, size written, size committed
        (100000, 100000, 50000),
        (100000, 100000, 0),
        (100000, 100000, 100001),
        (100000, 50000, 100000),
        (100000, 0, 100000),
        (UNKNOWN, 300000, 1),
        (UNKNOWN, 300000, 300000),
        (UNKNOWN, 300000, 2**62),
    ]
    for asked, written, said in cases:
        with Evil(evil) as w:
            w.login(token)
            upload, segment, fd = begin(w, "/Home/bob/lie", asked)
            fill(w, fd, ciphertext(written, segment) if written else 0)
            w.call("close", fd)
            reply = commit(w, upload, said, proof=b"\x5a" * 32)
            assert reply.name == "FAILED", (asked, written, said, reply)
            assert commit(w, upload, written).name == "FAILED"
    for size, said, content in ((500, 400, 500), (500, 500, 400), (500, 5000, 5000), (500, 500, 0)):
        with Evil(evil) as w:
            w.login(token)
            up = w.ask("PUT", path="/Home/bob/lie", size=size, small=1)
            assert up.name == "UPLOAD_SMALL" and w.key()
            reply = commit(w, up.upload, said, content=bytes(content + 106 if content else 0))
            assert reply.name == "FAILED", (size, said, content, reply)
    with Evil(evil) as w:
        refused(w.login(token).ask("PUT", path="/Home/bob/lie", size=70000, small=1), "RANGE")
    assert evil.people["bob"].fetch("/Home/bob/lie").status_code == 404


def test_garbage(evil):
    """What it stores is its own affair; whoever reads gets an error, and not a byte."""
    with Evil(evil) as w:
        w.login(evil.people["bob"].token)
        upload, segment, fd = begin(w, "/Home/bob/garbage", 100000)
        fill(w, fd, ciphertext(100000, segment))
        w.call("close", fd)
        assert commit(w, upload, 100000).name == "ENTRY"
        up = w.ask("PUT", path="/Home/bob/garbage2", size=500, small=1)
        assert w.key()
        assert commit(w, up.upload, 500, content=b"\xa5" * 606).name == "ENTRY"
    for name in ("garbage", "garbage2"):
        r = evil.people["bob"].fetch(f"/Home/bob/{name}")
        assert r.status_code == 500 and b"\xa5\xa5" not in r.content and r.json()["errorCode"] == 5006
    deadline = time.monotonic() + 20
    while len([e for e in evil.audit() if e["event"] == "file.damaged"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_replay(evil, bob):
    """A grant is used once: no second commit, no upload of another's, no key without its entry."""
    refused(commit(bob, 1, 5), "NOTFOUND")
    up = bob.ask("PUT", path="/Home/bob/once", size=500, small=1)
    assert bob.key().fresh == 1
    with Evil(evil) as w:
        w.login(evil.people["alice"].token)
        for number in range(max(up.upload - 5, 0), up.upload + 6):
            refused(commit(w, number, 500, content=bytes(606)), "NOTFOUND")
            refused(w.ask("ABORT", upload=number), "NOTFOUND")
    assert commit(bob, up.upload, 500, content=bytes(606)).name == "ENTRY"
    refused(commit(bob, up.upload, 500, content=bytes(606)), "NOTFOUND")
    refused(bob.ask("ABORT", upload=up.upload), "NOTFOUND")
    assert bob.key(0.05) is None
    first = len([e for e in evil.audit() if e["event"] == "file.read"])
    entries = []
    for _ in range(5):
        assert bob.ask("OPEN", path="/Home/bob/small").name == "FILE_INLINE"
        entries.append(bob.key().entry)
    assert len(set(entries)) == 5
    assert len([e for e in evil.audit() if e["event"] == "file.read"]) == first + 5
    refused(bob.ask("OPEN", path="/Home/bob/small", version=1 << 40), "PRECOND")


def test_more_than_it_said(evil):
    """Writing on past the size that was asked for ends it within seconds, and the disk is free again."""
    with Following(evil) as audit, Evil(evil) as w:
        w.login(evil.people["bob"].token)
        _, _, fd = begin(w, "/Home/bob/more", 100000)
        try:
            fill(w, fd, 4 * MIB)
            assert w.gone()
        except Gone:
            pass
        audit.expect(w.peer, "worker.violation", "seen by broker", "more than it said")
    blobs = [p for p in (evil.dir / "blobs").rglob("*") if p.is_file()]
    assert all(p.stat().st_size < 2 * MIB for p in blobs)


def test_lives_on(evil):
    """One that hangs up on the broker and keeps its descriptor is ended, too."""
    with Following(evil) as audit, Evil(evil) as w:
        w.login(evil.people["bob"].token)
        begin(w, "/Home/bob/on", 100000)
        w.call("close", w.fd["broker"])
        audit.expect(w.peer, "worker.violation", "seen by broker", "it lives on")
        assert w.gone()


def test_quota(evil):
    """A quota is what is left, whatever the worker says."""
    evil.add_user("carol", "--quota", "200000")
    carol = evil.login("carol")
    with Evil(evil) as w:
        w.login(carol.token)
        refused(w.ask("PUT", path="/Home/carol/x", size=200001), "QUOTA")
        up = w.ask("PUT", path="/Home/carol/x", size=UNKNOWN)
        assert up.limit <= 200000 and w.key().length <= 200000
        w.call("close", w.fds[-1])
        assert w.ask("COMMIT", upload=up.upload, size=2**40).name == "FAILED"
    with Evil(evil) as a, Evil(evil) as b:  # the same room twice
        a.login(carol.token), b.login(carol.token)
        begin(a, "/Home/carol/a", 150000)
        refused(b.ask("PUT", path="/Home/carol/b", size=150000), "QUOTA")
