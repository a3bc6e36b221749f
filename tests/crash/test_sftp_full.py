"""A full or read-only disk under the SFTP door, at each stage of an upload; and a quota that is reached in the middle."""
import os
import secrets
import subprocess

import pytest
from test_rooms import wait_until

from lib.instance import Identity, Instance
from lib.sftp import Door
from lib.ssh_sftp import CREAT, FAILURE, TRUNC, WRITE, Status
from lib.ssh_wire import string

MIB = 1 << 20
PIECE = 1 << 17


@pytest.fixture(scope="module")
def identity():
    """One is enough: test_rooms.py has both."""
    return Identity.all()[0]


@pytest.fixture(scope="module")
def small(identity, tmp_path_factory):
    """A server whose blobs lie on 12 MiB; alice's way in; a file that fills all but what is asked for, or goes."""
    with Instance(identity, sftp=True) as server:
        server.add_user("alice")
        door = Door(server, "alice", tmp_path_factory.mktemp("alice")).with_key()
        with door.raw().to("sftp") as c:
            c.sftp.put("kept", b"k" * MIB)
        server.stop()
        blobs, old = server.dir / "blobs", server.dir / "blobs.old"
        stat = blobs.stat()
        blobs.rename(old)
        blobs.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=12m,uid={stat.st_uid},gid={stat.st_gid},mode=700", "none", blobs], check=True)
        try:
            subprocess.run(["cp", "-a", f"{old}/.", blobs], check=True)
            server.start()

            def leave(n):
                filler = blobs / "filler"
                filler.unlink(missing_ok=True)
                if n is None:
                    return
                with open(filler, "wb") as f:
                    f.write(bytes(free(blobs) - n))
            yield server, door, leave
            server.stop()
        finally:
            server.end()
            subprocess.run(["umount", blobs], check=True)


def free(folder):
    s = os.statvfs(folder)
    return s.f_bavail * s.f_bsize


def is_clear(e):
    assert e.code == FAILURE and ("disk" in e.text or "space" in e.text), e
    return True


def write_all(c, handle, data, at=0):
    while at < len(data):
        c.sftp.write(handle, at, data[at:at + PIECE])
        at += PIECE


def afterwards(server, door, leave, name):
    """Reading goes on; nothing half-made is seen; with room again the same name can be stored."""
    with door.raw().to("sftp") as c:
        assert c.sftp.get("kept") == b"k" * MIB
        assert name not in c.sftp.list(".")
    leave(None)
    with door.raw().to("sftp") as c:
        c.sftp.put(name, b"again" * 100_000)
        assert c.sftp.get(name) == b"again" * 100_000
        c.sftp.remove(name)
    server.run("fsck")


@pytest.mark.root
def test_full_in_the_middle(small):
    """WRITE says so, and says so again; CLOSE does not say that all is well."""
    server, door, leave = small
    leave(3 * MIB)
    data = secrets.token_bytes(8 * MIB)
    with door.raw().to("sftp") as c:
        handle = c.sftp.open("middle", WRITE | CREAT | TRUNC)
        with pytest.raises(Status) as e:
            write_all(c, handle, data)
        assert is_clear(e.value)
        with pytest.raises(Status) as e:
            c.sftp.write(handle, len(data), b"x")
        with pytest.raises(Status) as e:
            c.sftp.close(handle)
        assert is_clear(e.value)
        assert c.sftp.get("kept") == b"k" * MIB, "the connection goes on"
    afterwards(server, door, leave, "middle")


@pytest.mark.root
def test_full_before(small):
    """Nothing at all is free: a big file is refused no later than at its CLOSE, and a small one needs no blob."""
    server, door, leave = small
    leave(0)
    with door.raw().to("sftp") as c:
        with pytest.raises(Status) as e:
            handle = c.sftp.open("before", WRITE | CREAT | TRUNC)
            write_all(c, handle, bytes(MIB))
            c.sftp.close(handle)
        assert is_clear(e.value)
        c.sftp.put("tiny", b"t" * 1000)
        assert c.sftp.get("tiny") == b"t" * 1000
    afterwards(server, door, leave, "before")


@pytest.mark.root
def test_full_at_the_end(small):
    """What is still in memory when CLOSE comes does not fit: CLOSE fails."""
    server, door, leave = small
    with door.raw().to("sftp") as c:
        handle = c.sftp.open("end", WRITE | CREAT | TRUNC)
        write_all(c, handle, bytes(2 * MIB))
        c.sftp.extended("fsync@openssh.com", string(handle))
        leave(0)
        with pytest.raises(Status) as e:
            c.sftp.write(handle, 2 * MIB, bytes(100_000))
            c.sftp.close(handle)
        assert is_clear(e.value)
    afterwards(server, door, leave, "end")


@pytest.mark.root
def test_full_and_continued(small):
    """What was acknowledged before the disk was full is kept, and the owner goes on when there is room."""
    server, door, leave = small
    data = secrets.token_bytes(5 * MIB)
    leave(4 * MIB)
    with door.raw().to("sftp") as c:
        handle = c.sftp.open("continued", WRITE | CREAT | TRUNC)
        write_all(c, handle, data[:2 * MIB])
        c.sftp.extended("fsync@openssh.com", string(handle))
        with pytest.raises(Status) as e:
            write_all(c, handle, data, 2 * MIB)
            c.sftp.close(handle)
        assert is_clear(e.value)
    leave(None)

    def kept():
        with door.raw().to("sftp") as c:
            try:
                return c.sftp.stat("continued")["size"] >= 2 * MIB
            except Status:
                return False
    wait_until(server, "what was acknowledged", kept)
    door.file("continued", data)
    door.sftp("reput continued")
    with door.raw().to("sftp") as c:
        assert c.sftp.get("continued", 200_000) == data
        c.sftp.remove("continued")
    server.run("fsck")


@pytest.mark.root
def test_scp_says_so_too(small):
    server, door, leave = small
    leave(2 * MIB)
    door.file("by-scp", bytes(6 * MIB))
    for legacy in (True, False):
        done = door.scp("by-scp", ":by-scp", legacy=legacy, check=False)
        assert done.code != 0 and done.err.strip(), done
    afterwards(server, door, leave, "by-scp")


@pytest.mark.root
def test_read_only(small):
    """As a file system becomes after an error: storing is refused with a sentence, reading goes on."""
    server, door, leave = small
    leave(None)
    subprocess.run(["mount", "-o", "remount,ro", server.dir / "blobs"], check=True)
    try:
        with door.raw().to("sftp") as c:
            with pytest.raises(Status) as e:
                c.sftp.put("read-only", bytes(MIB), PIECE)
            assert e.value.code == FAILURE and e.value.text, e.value
            assert c.sftp.get("kept", PIECE) == b"k" * MIB
    finally:
        subprocess.run(["mount", "-o", "remount,rw", server.dir / "blobs"], check=True)
    afterwards(server, door, leave, "read-only")


def test_quota_in_the_middle(identity, tmp_path):
    """Refused in time, kept for its owner, and continued when there is more."""
    with Instance(identity, sftp=True) as server:
        server.add_user("carol", "--quota", "4M")
        door = Door(server, "carol", tmp_path).with_key()
        data = secrets.token_bytes(6 * MIB)
        with door.raw().to("sftp") as c:
            handle = c.sftp.open("x", WRITE | CREAT | TRUNC)
            write_all(c, handle, data[:2 * MIB])
            c.sftp.extended("fsync@openssh.com", string(handle))
            with pytest.raises(Status) as e:
                write_all(c, handle, data, 2 * MIB)
                c.sftp.close(handle)
            assert e.value.code == FAILURE and "quota" in e.value.text, e.value
            assert "x" not in c.sftp.list(".")
        server.run("user", "set", "carol", "--quota", "20M")
        door.file("x", data)
        with door.raw().to("sftp") as c:
            size = c.sftp.stat("x")["size"]
        assert 2 * MIB <= size <= 4 * MIB
        done = door.sftp("reput x", check=False)
        if done.code != 0:  # what is kept was made for the quota of then: it cannot grow beyond
            door.sftp("put x")
        with door.raw().to("sftp") as c:
            assert c.sftp.get("x", 200_000) == data
        server.run("fsck")
