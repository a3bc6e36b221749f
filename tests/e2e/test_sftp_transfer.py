"""Big files, many files, every algorithm; what is cut off, continued, replaced, and when others see it."""
import hashlib
import os
import re
import secrets
import signal
import statistics
import subprocess
import threading
import time

import pytest

from lib.instance import PASSWORD, Instance, descendants, random_file
from lib.sftp import Door
from lib.ssh import Ssh
from lib.ssh_sftp import CREAT, EXCL, FAILURE, NO_SUCH_FILE, PERMISSION_DENIED, READ, TRUNC, WRITE, Fx, Status, attributes
from lib.ssh_wire import CIPHERS, HOST_KEYS, KEXES, MACS, Closed, Reader, string, u32

BIG = int(os.environ.get("SALLYPORT_BIG", 4 << 30))
ENTRIES = int(os.environ.get("SALLYPORT_ENTRIES", 20_000))
MIB = 1 << 20


def sha256_of(path):
    return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]


def eventually(check, seconds=10):
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        time.sleep(0.1)
    return check()


def visible(door, path):
    """Is it there for whoever looks: in the listing of its folder?"""
    folder, _, name = path.rpartition("/")
    with door.raw().to("sftp") as c:
        return name in c.sftp.list(folder or ".")


def hash_of(c, path, names="sha256"):
    """(algorithm, hash) of a stored file, by check-file-name."""
    r = c.sftp.extended("check-file-name", string(path) + string(names) + bytes(20), Fx.EXTENDED_REPLY)
    assert r.text() == "check-file"
    return r.text(), r.rest()


# ---- long ones, with new keys on the way ----

@pytest.fixture(scope="module")
def rekeying(identity):
    """A server that changes keys every 100 MiB."""
    with Instance(identity, sftp=True, settings={"RekeyBytes": "100M"}) as instance:
        instance.add_user("alice")
        yield instance


def key_changes(text):
    """How often ssh -v took up new keys."""
    return text.count("SSH2_MSG_NEWKEYS sent")


def test_huge_file_there_and_back_with_rekeying(rekeying, identity, tmp_path):
    """Both sides ask for new keys, at other places: neither loses its way."""
    size = BIG if identity.name == "root" else BIG // 4
    door = Door(rekeying, "alice", tmp_path).with_key()
    digest = random_file(tmp_path / "big", size)
    up = door.sftp("put big big", "RekeyLimit=64M", "LogLevel=DEBUG1", "Ciphers=aes256-gcm@openssh.com", timeout=1800)
    (tmp_path / "big").unlink()
    assert key_changes(up.err) > size / (100 * MIB), "too few key exchanges for this much data"
    down = door.sftp("get big back", "RekeyLimit=64M", "LogLevel=DEBUG1", "Ciphers=aes256-gcm@openssh.com", timeout=1800)
    assert key_changes(down.err) > size / (100 * MIB)
    assert sha256_of(tmp_path / "back") == digest
    (tmp_path / "back").unlink()
    with door.raw().to("sftp") as c:
        assert c.sftp.stat("big")["size"] == size
        c.sftp.remove("big")


def test_the_server_asks_for_new_keys(rekeying, tmp_path):
    """A client without a limit of its own is made to, in both directions."""
    door = Door(rekeying, "alice", tmp_path).with_key()
    digest = random_file(tmp_path / "x", 350 * MIB)
    up = door.sftp("put x x", "LogLevel=DEBUG1", "Ciphers=aes128-gcm@openssh.com")
    assert key_changes(up.err) >= 4, "1 at the start, 3 on the way"
    down = door.sftp("get x back", "LogLevel=DEBUG1", "Ciphers=aes128-gcm@openssh.com")
    assert key_changes(down.err) >= 4
    assert sha256_of(tmp_path / "back") == digest


@pytest.mark.parametrize("cipher", CIPHERS)
def test_rekeying_all_the_time(door, place, cipher):
    """With every cipher, a new key every MiB, in both directions."""
    digest = random_file(door.folder / "x", 7 * MIB)  # rekeys are paced: as many as can be saved up
    options = [f"Ciphers={cipher}", "MACs=hmac-sha2-256-etm@openssh.com", "RekeyLimit=1M", "LogLevel=DEBUG1"]
    done = door.sftp(f"put x {place}/x\nget {place}/x back", *options)
    assert sha256_of(door.folder / "back") == digest
    assert key_changes(done.err) >= 12


def test_rekeying_by_asyncssh(door, place):
    """Another implementation's idea of when to rekey: asyncssh, every 2 MiB."""
    import asyncio
    import warnings

    data = secrets.token_bytes(15 * MIB)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import asyncssh

    async def session():
        async with asyncssh.connect("127.0.0.1", door.port, username=door.user, client_keys=[str(door.key)], known_hosts=str(door.known_hosts),
                                    config=None, rekey_bytes=2 * MIB) as connection, connection.start_sftp_client() as sftp:
            async with sftp.open(f"{place}/x", "wb") as f:
                await f.write(data)
            async with sftp.open(f"{place}/x", "rb") as f:
                return await f.read() == data

    assert asyncio.run(asyncio.wait_for(session(), 120))


def test_gigabyte_there_and_back(door, place):
    """1 GiB by OpenSSH, as root and as an ordinary user."""
    digest = random_file(door.folder / "x", 1 << 30)
    door.sftp(f"put x {place}/x", timeout=600)
    (door.folder / "x").unlink()
    door.sftp(f"get {place}/x back", timeout=600)
    assert sha256_of(door.folder / "back") == digest
    (door.folder / "back").unlink()
    with door.raw().to("sftp") as c:
        assert hash_of(c, f"{place}/x") == ("sha256", bytes.fromhex(digest))
        c.sftp.remove(f"{place}/x")


# ---- every algorithm ----

@pytest.mark.parametrize("mac", MACS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_ciphers_and_macs(door, place, cipher, mac):
    if cipher.endswith("@openssh.com") and mac != next(iter(MACS)):
        mac = "none"  # the cipher has its own: the client's list does not matter
    data = secrets.token_bytes(3 * MIB + 17)
    door.file("x", data)
    macs = [f"MACs={mac}"] if mac != "none" else []
    done = door.sftp(f"put x {place}/x\nget {place}/x back", f"Ciphers={cipher}", *macs, "LogLevel=DEBUG1")
    assert door.read("back") == data
    agreed = re.findall(r"kex: (?:server->client|client->server) cipher: (\S+) MAC: (\S+)", done.err)
    assert {c for c, _ in agreed} == {cipher} and len(agreed) == 2
    if not cipher.endswith("@openssh.com"):
        assert {m for _, m in agreed} == {mac}


def test_another_cipher_in_each_direction(door, place):
    with door.raw() as c:
        c.lists["cipher_in"], c.lists["cipher_out"], c.lists["mac_in"] = ["aes256-ctr"], ["chacha20-poly1305@openssh.com"], ["hmac-sha2-512-etm@openssh.com"]
        c.to("sftp")
        c.sftp.put(f"{place}/x", b"both ways" * 100_000)
        assert c.sftp.get(f"{place}/x") == b"both ways" * 100_000


@pytest.mark.parametrize("kex", [k for k in KEXES if k != "ecdh-sha2-nistp521"])
@pytest.mark.parametrize("host_key", HOST_KEYS)
def test_exchanges_and_host_keys(door, kex, host_key):
    done = door.sftp("pwd", f"KexAlgorithms={kex}", f"HostKeyAlgorithms={host_key}", "LogLevel=DEBUG1")
    assert f"kex: algorithm: {kex}" in done.err and f"kex: host key algorithm: {host_key}" in done.err


def test_rekeying_into_other_algorithms(door, place):
    """The second exchange may agree on something else; the session identifier stays."""
    with door.raw().to("sftp") as c:
        session = c.session
        for cipher, kex, mac in (("aes128-ctr", "ecdh-sha2-nistp384", "hmac-sha2-512-etm@openssh.com"),
                                 ("chacha20-poly1305@openssh.com", "ecdh-sha2-nistp256", "hmac-sha2-256-etm@openssh.com"),
                                 ("aes128-gcm@openssh.com", "curve25519-sha256", "hmac-sha2-256-etm@openssh.com")):
            c.exchange(cipher_in=[cipher], cipher_out=[cipher], kex=[kex], mac_in=[mac], mac_out=[mac])
            c.sftp.put(f"{place}/x", cipher.encode() * 10_000)
            assert c.sftp.get(f"{place}/x") == cipher.encode() * 10_000
        assert c.session == session


# ---- cut off, and continued ----

def cut_off(door, path, data, n):
    """An upload whose connection breaks after n bytes were acknowledged."""
    c = door.raw().to("sftp")
    handle = c.sftp.open(path, WRITE | CREAT | TRUNC)
    for at in range(0, n, 32768):
        c.sftp.write(handle, at, data[at:min(at + 32768, n)])
    c.reset()


def partial_size(door, path):
    """What the owner sees of it, by its exact name."""
    with door.raw().to("sftp") as c:
        try:
            return c.sftp.stat(path)["size"]
        except Status as e:
            assert e.code == NO_SUCH_FILE
            return 0


def test_cut_off_and_continued(door, place, sftp_server):
    data = secrets.token_bytes(20 * MIB)
    path = f"{place}/cut"
    cut_off(door, path, data, 12 * MIB)
    assert eventually(lambda: partial_size(door, path) > 0), "nothing was kept"
    assert partial_size(door, path) <= 12 * MIB
    assert not visible(door, path), "a partial is listed"
    with door.raw().to("sftp") as c, pytest.raises(Status):
        c.sftp.open(path, READ)
    door.file("cut", data)
    done = door.sftp(f"reput cut {path}", "LogLevel=ERROR", flags=["-v"])
    with door.raw().to("sftp") as c:
        assert c.sftp.get(path, piece=200_000) == data
    assert visible(door, path)
    assert [e for e in sftp_server.audit("--event", "upload.resumed") if e["path"].endswith(path)], done


def test_a_killed_client(door, place):
    """sftp is killed in the middle, at a limited rate; `put -a` goes on."""
    data = secrets.token_bytes(8 * MIB)
    door.file("x", data)
    p = door.sftp_start(f"put x {place}/x", flags=["-l", "16000"])
    time.sleep(2.5)
    os.killpg(p.pid, signal.SIGKILL)
    p.wait()
    assert eventually(lambda: partial_size(door, f"{place}/x") > 0)
    assert not visible(door, f"{place}/x")
    door.sftp(f"put -a x {place}/x")
    with door.raw().to("sftp") as c:
        assert c.sftp.get(f"{place}/x", piece=200_000) == data


@pytest.mark.parametrize("client", ["lftp", "psftp"])
def test_other_clients_go_on(door, place, client):
    data = secrets.token_bytes(6 * MIB)
    door.file("x", data)
    cut_off(door, f"{place}/x", data, 4 * MIB)
    assert eventually(lambda: partial_size(door, f"{place}/x") > 0)
    if client == "lftp":
        door.lftp(f"put -c x -o {place}/x")
    else:
        door.psftp(f"reput x {place}/x")
    with door.raw().to("sftp") as c:
        assert c.sftp.get(f"{place}/x", piece=200_000) == data


def test_cut_off_again_and_again(door, place):
    """Each time a little further; the end is the whole."""
    data = secrets.token_bytes(5 * MIB)
    door.file("x", data)
    cut_off(door, f"{place}/x", data, MIB)
    for _ in range(4):
        assert eventually(lambda: partial_size(door, f"{place}/x") > 0)
        at = partial_size(door, f"{place}/x")
        c = door.raw().to("sftp")
        handle = c.sftp.open(f"{place}/x", WRITE)
        for _ in range(20):
            c.sftp.write(handle, at, data[at:at + 32768])
            at += 32768
        c.reset()
        time.sleep(0.3)
    door.sftp(f"reput x {place}/x")
    with door.raw().to("sftp") as c:
        assert c.sftp.get(f"{place}/x") == data


def test_only_its_owner_goes_on(door, place, sftp_server, tmp_path):
    """Somebody else who may write there neither sees nor continues it."""
    sftp_server.run("acl", "set", f"/Home/alice/{place}", "--user", "bob", "--rights", "read,write,list,delete")
    data = secrets.token_bytes(4 * MIB)
    cut_off(door, f"{place}/x", data, 3 * MIB)
    assert eventually(lambda: partial_size(door, f"{place}/x") > 0)
    bob = Door(sftp_server, "bob", tmp_path / "bob").with_password()
    there = f"/Home/alice/{place}/x"
    with bob.raw().to("sftp") as c:
        with pytest.raises(Status) as e:
            c.sftp.stat(there)
        assert e.value.code == NO_SUCH_FILE
        with pytest.raises(Status):
            c.sftp.open(there, WRITE)
        c.sftp.put(there, b"bob's own")  # the name is free
        assert c.sftp.get(there) == b"bob's own"
    with door.raw().to("sftp") as c:
        assert c.sftp.get(f"{place}/x") == b"bob's own"


def test_a_cut_off_overwrite_leaves_the_old_version(door, place):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"the old one")
    cut_off(door, f"{place}/x", secrets.token_bytes(4 * MIB), 3 * MIB)
    time.sleep(0.5)
    with door.raw().to("sftp") as c:
        assert c.sftp.stat(f"{place}/x")["size"] == 11
        assert c.sftp.get(f"{place}/x") == b"the old one"


def test_a_put_without_resume_starts_anew(door, place):
    data = secrets.token_bytes(4 * MIB)
    cut_off(door, f"{place}/x", data, 3 * MIB)
    assert eventually(lambda: partial_size(door, f"{place}/x") > 0)
    door.file("other", b"something else, and shorter")
    door.sftp(f"put other {place}/x")
    with door.raw().to("sftp") as c:
        assert c.sftp.get(f"{place}/x") == b"something else, and shorter"


def test_a_partial_can_be_removed(door, place):
    cut_off(door, f"{place}/x", secrets.token_bytes(4 * MIB), 3 * MIB)
    assert eventually(lambda: partial_size(door, f"{place}/x") > 0)
    with door.raw().to("sftp") as c:
        c.sftp.call(Fx.RMDIR, string(place))  # the folder is empty to everybody
    with door.raw().to("sftp") as c:
        assert place not in c.sftp.list(".")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_partial_outlives_the_server(fresh, tmp_path, how):
    """Stopped in order, or killed: what fsync@openssh.com acknowledged is still there to go on from."""
    fresh.sftp = True
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    door = Door(fresh, "alice", tmp_path).with_key()
    data = secrets.token_bytes(6 * MIB)
    c = door.raw().to("sftp")
    handle = c.sftp.open("x", WRITE | CREAT | TRUNC)
    for at in range(0, 4 * MIB, 32768):
        c.sftp.write(handle, at, data[at:at + 32768])
    c.sftp.extended("fsync@openssh.com", string(handle))
    if how == "stop":
        fresh.stop()
    else:
        for pid, _ in descendants(fresh.process.pid) | {(fresh.process.pid, 0)}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        fresh.process.wait()
        fresh.process = None
    c.close()
    fresh.start()
    assert partial_size(door, "x") == 4 * MIB
    door.file("x", data)
    door.sftp("reput x x")
    with door.raw().to("sftp") as c:
        assert c.sftp.get("x", piece=200_000) == data
    fresh.stop()
    fresh.verify()


# ---- when others see it ----

def test_invisible_until_it_is_closed(door, place):
    """Neither the name nor a byte; whoever opened the old version reads it to its end."""
    old, new = b"old" * 100_000, b"new" * 200_000
    with door.raw().to("sftp") as writer, door.raw().to("sftp") as reader:
        handle = writer.sftp.open(f"{place}/x", WRITE | CREAT | TRUNC)
        writer.sftp.write(handle, 0, old[:30_000])
        assert reader.sftp.list(place) == [] or set(reader.sftp.list(place)) <= {".", ".."}
        for at in range(30_000, len(old), 30_000):
            writer.sftp.write(handle, at, old[at:at + 30_000])
        assert "x" not in reader.sftp.list(place)
        writer.sftp.close(handle)
        assert "x" in reader.sftp.list(place)
        reading = reader.sftp.open(f"{place}/x")
        assert reader.sftp.read(reading, 0, 3) == b"old"
        handle = writer.sftp.open(f"{place}/x", WRITE | CREAT | TRUNC)
        for at in range(0, len(new), 30_000):
            writer.sftp.write(handle, at, new[at:at + 30_000])
        assert reader.sftp.get(f"{place}/x") == old
        writer.sftp.close(handle)
        assert reader.sftp.read(reading, len(old) - 3, 10) == b"old"
        assert reader.sftp.get(f"{place}/x") == new


def test_an_overwrite_is_a_new_version(door, place, sftp_server):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"first")
        c.sftp.put(f"{place}/x", b"second one")
    entries = [e["event"] for e in sftp_server.audit() if str(e.get("path", "")).endswith(f"{place}/x") and e["event"].startswith("file.")]
    assert entries[:2] == ["file.created", "file.replaced"]
    with sftp_server.login("alice") as https:
        assert https.fetch(f"/Home/alice/{place}/x").content == b"second one"


def test_exclusive_creation(door, place):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"there")
        with pytest.raises(Status) as e:
            c.sftp.open(f"{place}/x", WRITE | CREAT | EXCL)
        assert e.value.code == FAILURE
        c.sftp.close(c.sftp.open(f"{place}/y", WRITE | CREAT | EXCL))
        assert c.sftp.stat(f"{place}/y")["size"] == 0


def test_two_writers_of_one_name(door, place):
    """Whoever closes last wins, whole."""
    with door.raw().to("sftp") as a, door.raw().to("sftp") as b:
        ha, hb = a.sftp.open(f"{place}/x", WRITE | CREAT | TRUNC), b.sftp.open(f"{place}/x", WRITE | CREAT | TRUNC)
        for at in range(0, 300_000, 30_000):
            a.sftp.write(ha, at, b"a" * 30_000)
            b.sftp.write(hb, at, b"b" * 30_000)
        a.sftp.close(ha)
        assert set(b.sftp.get(f"{place}/x")) == {ord("a")}
        b.sftp.close(hb)
        assert set(a.sftp.get(f"{place}/x")) == {ord("b")}


def test_across_doors(door, place, sftp_server):
    """What goes in at one door comes out at the other, with the same SHA-256."""
    data = secrets.token_bytes(3_000_000)
    with sftp_server.login("alice") as https, door.raw().to("sftp") as c:
        assert https.store(f"/Home/alice/{place}/h", data).status_code == 201
        assert c.sftp.get(f"{place}/h", piece=200_000) == data
        c.sftp.put(f"{place}/s", data)
        got = https.fetch(f"/Home/alice/{place}/s")
        assert got.content == data
        for name in ("h", "s"):
            assert hash_of(c, f"{place}/{name}") == ("sha256", hashlib.sha256(data).digest())


def test_check_file_refuses_weak_hashes(door, place):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"x")
        for names in ("md5", "sha1", "md5,sha1", "crc32", ""):
            with pytest.raises(Status):
                hash_of(c, f"{place}/x", names)
        assert hash_of(c, f"{place}/x", "md5,sha512,sha256") == ("sha512", hashlib.sha512(b"x").digest())


def test_resume_hashes_are_right(door, place):
    """An upload in two parts has the SHA-256 of the whole."""
    data = secrets.token_bytes(5 * MIB)
    door.file("x", data)
    cut_off(door, f"{place}/x", data, 3 * MIB)
    assert eventually(lambda: partial_size(door, f"{place}/x") > 0)
    door.sftp(f"reput x {place}/x")
    with door.raw().to("sftp") as c:
        assert eventually(lambda: hash_of(c, f"{place}/x") == ("sha256", hashlib.sha256(data).digest()), 30)


# ---- limits ----

def test_quota(sftp_server, tmp_path):
    """Reached in the middle: said so, nothing stays, and what fits still fits."""
    sftp_server.add_user("carol", "--quota", "4M")
    carol = Door(sftp_server, "carol", tmp_path).with_password()
    carol.file("big", secrets.token_bytes(6 * MIB))
    carol.file("fits", b"f" * (3 * MIB))
    assert carol.sftp("put big big", check=False).code != 0
    with carol.raw().to("sftp") as c:
        with pytest.raises(Status) as e:
            c.sftp.put("big", bytes(5 * MIB))
        assert "quota" in e.value.text and e.value.code == FAILURE
        assert [n for n in c.sftp.list(".") if n not in (".", "..")] == []
    carol.sftp("-rm big\nput fits fits")
    with carol.raw().to("sftp") as c:
        r = c.sftp.extended("statvfs@openssh.com", string("."), Fx.EXTENDED_REPLY)
        size, fragment, blocks, free = (int.from_bytes(r.take(8), "big") for _ in range(4))
        assert blocks * fragment == 4 * MIB and MIB // 2 <= free * fragment <= MIB
        r = c.sftp.extended("space-available", string("."), Fx.EXTENDED_REPLY)
        assert int.from_bytes(r.take(8), "big") == 4 * MIB or size
    assert carol.sftp("put fits again", check=False).code != 0


def test_rights(sftp_server, door, place, tmp_path):
    """Each right opens what it says and nothing else."""
    bob = Door(sftp_server, "bob", tmp_path / "bob").with_password()
    there = f"/Home/alice/{place}"
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/file", b"content")
        c.sftp.mkdir(f"{place}/sub")

    def may(*what):
        """What of all this does bob's connection do?"""
        done = set()
        with bob.raw().to("sftp") as c:
            for name, act in (("list", lambda: c.sftp.list(there)), ("read", lambda: c.sftp.get(f"{there}/file")),
                              ("write", lambda: c.sftp.put(f"{there}/bobs", b"x")), ("subfolders", lambda: c.sftp.mkdir(f"{there}/made")),
                              ("delete", lambda: c.sftp.remove(f"{there}/file"))):
                try:
                    act()
                    done.add(name)
                except Status as e:
                    assert e.code in (PERMISSION_DENIED, NO_SUCH_FILE), (name, e)
        with door.raw().to("sftp") as c:
            c.sftp.put(f"{place}/file", b"content")
            for name, kind in (("bobs", Fx.REMOVE), ("made", Fx.RMDIR)):
                try:
                    c.sftp.call(kind, string(f"{place}/{name}"))
                except Status:
                    pass
        assert done == set(what), done

    may()
    for rights in (["list"], ["list", "read"], ["write"], ["list", "write"], ["list", "subfolders"], ["list", "delete"], ["list", "read", "write", "delete", "subfolders"]):
        sftp_server.run("acl", "set", there, "--user", "bob", "--rights", ",".join(rights))
        may(*rights)
    sftp_server.run("acl", "remove", there, "--user", "bob")
    may()


def test_home_and_root(sftp_server, door, tmp_path):
    """One starts at home; the root is the organisation's tree, as far as one may see it; nothing leads out of it."""
    with door.raw().to("sftp") as c:
        assert c.sftp.realpath(".") == "/Home/alice"
        for path in ("/", "/..", "/../..", "../../../../..", "/Home/../..", "/./.", "//"):
            assert c.sftp.realpath(path) == "/", path
        assert c.sftp.realpath("../bob/../alice/./x") == "/Home/alice/x"
        for path in ("/etc/passwd", "../../../../../../etc/passwd", "/proc/self/environ", "/../keys/root.key", "/Home/alice/../../keys/root.key"):
            with pytest.raises(Status) as e:
                c.sftp.open(path)
            assert e.value.code in (NO_SUCH_FILE, PERMISSION_DENIED)
        assert "bob" not in c.sftp.list("/Home")
        with pytest.raises(Status) as e:
            c.sftp.list("/Home/bob")
        assert e.value.code in (NO_SUCH_FILE, PERMISSION_DENIED)


@pytest.mark.parametrize("name", [".", "..", "a/../../../b", "nul\0byte", "x" * 256, "new\nline", "\x7f", "\x1b[31m", b"\xff\xfe", "", "a" * 5000, "CON", "a\\b"], ids=repr)
def test_names_that_are_no_names(door, place, name):
    """Stored under exactly that name, or refused: never under another one, never elsewhere."""
    raw = name if isinstance(name, bytes) else name.encode()
    with door.raw().to("sftp") as c:
        before = sorted(c.sftp.list("."))
        path = f"{place}/".encode() + raw
        try:
            handle = c.sftp.call(Fx.OPEN, string(path) + u32(WRITE | CREAT | TRUNC) + u32(0), Fx.HANDLE).string()
            c.sftp.close(handle)
            assert [n for n in c.sftp.list(place) if n not in (".", "..")] == [os.fsdecode(raw)]
        except Status:
            assert [n for n in c.sftp.list(place) if n not in (".", "..")] == []
        assert sorted(c.sftp.list(".")) == before


def test_limits_that_are_announced(door):
    with door.raw().to("sftp") as c:
        r = c.sftp.extended("limits@openssh.com", b"", Fx.EXTENDED_REPLY)
        packet, read, write, handles = (int.from_bytes(r.take(8), "big") for _ in range(4))
        assert packet >= 262144 and read == write == 261120 and handles >= 16
        assert c.channel.first_window >= 2 * MIB, "the window starts large"
        assert c.channel.packet_max >= 32768


def test_times_by_setstat(door, place):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"x")
        c.sftp.call(Fx.SETSTAT, string(f"{place}/x") + u32(8) + u32(1) + u32(1_234_567_890))
        assert c.sftp.stat(f"{place}/x")["mtime"] == 1_234_567_890
        handle = c.sftp.open(f"{place}/y", WRITE | CREAT | TRUNC)
        c.sftp.write(handle, 0, b"y")
        c.sftp.call(Fx.FSETSTAT, string(handle) + u32(8) + u32(1) + u32(987_654_321))
        c.sftp.close(handle)
        assert c.sftp.stat(f"{place}/y")["mtime"] == 987_654_321
        c.sftp.call(Fx.SETSTAT, string(f"{place}") + u32(8) + u32(1) + u32(555_555_555))
        assert c.sftp.stat(place)["mtime"] == 555_555_555


# ---- very many ----

@pytest.fixture(scope="module")
def crowd(sftp_server, alices):
    """A folder of very many files."""
    with alices.raw().to("sftp") as c:
        c.sftp.mkdir("huge")
    failures = []

    def fill(first, last):
        try:
            with sftp_server.login("alice") as https:
                for i in range(first, last):
                    r = https.store(f"/Home/alice/huge/entry-{i:06d}", b"")
                    if r.status_code != 201:
                        failures.append((i, r.status_code, r.text))
                        return
        except Exception as e:  # noqa: B902 - shown below
            failures.append(e)

    threads = [threading.Thread(target=fill, args=(k * ENTRIES // 8, (k + 1) * ENTRIES // 8)) for k in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures, failures[:3]
    return "huge"


def private_kib(server, name="sallyport-worker-sftp"):
    """Private memory of each of the door's workers."""
    out = {}
    for pid, _ in descendants(server.process.pid):
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                if name not in f.read():
                    continue
            with open(f"/proc/{pid}/smaps_rollup") as f:
                out[pid] = sum(int(line.split()[1]) for line in f if line.startswith("Private_"))
        except OSError:
            continue
    return out


def test_huge_folder_first_page(crowd, alices, record_property):
    """The first page of a folder of very many entries comes within 100 ms, the median of several tries."""
    taken = []
    with alices.raw().to("sftp") as c:
        for _ in range(9):
            begin = time.monotonic()
            handle = c.sftp.call(Fx.OPENDIR, string(crowd), Fx.HANDLE).string()
            r = c.sftp.call(Fx.READDIR, string(handle), Fx.NAME)
            taken.append(time.monotonic() - begin)
            assert r.u32() >= 10
            c.sftp.close(handle)
    record_property("first_page_ms", statistics.median(taken) * 1000)
    print(f"first page of {ENTRIES} entries: {statistics.median(taken) * 1000:.1f} ms (most {max(taken) * 1000:.1f})")
    assert statistics.median(taken) < 0.1


def test_huge_folder_complete(crowd, alices):
    """Every name once, with its attributes; in memory that does not grow with their number."""
    with alices.raw().to("sftp") as c:
        c.sftp.list(".")
        before = private_kib(alices.server)
        found = [n for n in c.sftp.list(crowd) if n not in (".", "..")]
        after = private_kib(alices.server)
    assert len(found) == ENTRIES and len(set(found)) == ENTRIES
    assert all(after[pid] - before[pid] < 4096 for pid in before if pid in after)
    begin = time.monotonic()
    assert alices.sftp(f"ls -1 {crowd}").out.count("entry-") == ENTRIES
    print(f"ls of {ENTRIES} entries: {time.monotonic() - begin:.1f} s")


def test_huge_folder_that_changes(crowd, alices):
    """Names come and go while somebody lists: what stays is seen exactly once."""
    stop = threading.Event()

    def churn():
        with alices.raw().to("sftp") as c:
            n = 0
            while not stop.is_set():
                c.sftp.put(f"{crowd}/entry-{n % ENTRIES:06d}-new", b"")
                c.sftp.remove(f"{crowd}/entry-{n % ENTRIES:06d}-new")
                n += 997

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        with alices.raw().to("sftp") as c:
            found = [n for n in c.sftp.list(crowd) if n.startswith("entry-") and not n.endswith("-new")]
    finally:
        stop.set()
        thread.join()
    assert len(found) == len(set(found)) == ENTRIES


def test_many_small_files(door, place):
    """Each acknowledged one is there."""
    for i in range(500):
        door.file(f"many/f{i:03d}", f"content {i}".encode() * 50)
    door.sftp(f"put -r many {place}/\nget -r {place}/many back")
    for i in range(500):
        assert door.read(f"back/f{i:03d}") == f"content {i}".encode() * 50


# ---- far ahead ----

def test_requests_far_ahead(door, place):
    """A thousand reads are asked for before one answer is taken, in any order; each gets its own bytes."""
    data = secrets.token_bytes(8 * MIB)
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", data, piece=200_000)
        handle = c.sftp.open(f"{place}/x")
        wanted = {}
        offsets = [i * 8192 for i in range(1000)]
        offsets = offsets[::2] + offsets[1::2][::-1]
        for at in offsets:
            wanted[c.sftp.ask(Fx.READ, string(handle) + at.to_bytes(8, "big") + u32(8192))] = at
        for _ in range(len(offsets)):
            n, kind, r = c.sftp.reply()
            assert kind == Fx.DATA
            at = wanted.pop(n)
            assert r.string() == data[at:at + 8192]


def test_writes_far_ahead_and_out_of_order(door, place):
    """As parallel writers send them: neighbours swapped; the file is whole."""
    data = secrets.token_bytes(4 * MIB)
    with door.raw().to("sftp") as c:
        handle = c.sftp.open(f"{place}/x", WRITE | CREAT | TRUNC)
        offsets = list(range(0, len(data), 32768))
        for i in range(0, len(offsets) - 1, 2):
            offsets[i], offsets[i + 1] = offsets[i + 1], offsets[i]
        asked = {c.sftp.ask(Fx.WRITE, string(handle) + at.to_bytes(8, "big") + string(data[at:at + 32768])) for at in offsets}
        for _ in offsets:
            n, kind, r = c.sftp.reply()
            assert kind == Fx.STATUS and r.u32() == 0
            asked.remove(n)
        c.sftp.close(handle)
        assert c.sftp.get(f"{place}/x", piece=200_000) == data


def test_reads_past_the_end(door, place):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"0123456789")
        handle = c.sftp.open(f"{place}/x")
        assert c.sftp.read(handle, 8, 100) == b"89"
        for at in (10, 11, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1):
            with pytest.raises(Status) as e:
                c.sftp.read(handle, at, 10)
            assert e.value.code == 1 or at >= (1 << 63) - 1, at


def test_slow_reader_does_not_hold_up_others(door, place):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", secrets.token_bytes(8 * MIB), piece=200_000)
    slow = []
    for _ in range(8):
        c = door.raw(rcvbuf=4096).to("sftp")
        handle = c.sftp.open(f"{place}/x")
        for at in range(0, 8 * MIB, 200_000):
            c.sftp.ask(Fx.READ, string(handle) + at.to_bytes(8, "big") + u32(200_000))
        slow.append(c)
    begin = time.monotonic()
    with door.raw().to("sftp") as c:
        assert len(c.sftp.get(f"{place}/x", piece=200_000)) == 8 * MIB
    assert time.monotonic() - begin < 10
    [c.close() for c in slow]


def test_expand_path_and_home_directory(door):
    with door.raw().to("sftp") as c:
        for name, body in (("expand-path@openssh.com", string("~/x")), ("expand-path@openssh.com", string("x"))):
            r = c.sftp.extended(name, body, Fx.NAME)
            assert r.u32() == 1 and r.text() == "/Home/alice/x"
        for body in (string(""), string("alice")):
            r = c.sftp.extended("home-directory", body, Fx.NAME)
            assert r.u32() == 1 and r.text() == "/Home/alice"
        with pytest.raises(Status):
            c.sftp.extended("home-directory", string("bob"), Fx.NAME)
        with pytest.raises(Status) as e:
            c.sftp.extended("unheard-of@example.com", b"")
        assert e.value.code == 8


def test_users_and_groups_have_names(door):
    with door.raw().to("sftp") as c:
        c.sftp.put("owned", b"x")
        a = c.sftp.stat("owned")
        r = c.sftp.extended("users-groups-by-id@openssh.com", string(u32(a["uid"])) + string(u32(a["gid"])), Fx.EXTENDED_REPLY)
        assert Reader(r.string()).text()


def test_copy_data(door, place):
    """Server-side copy, the whole and a part."""
    data = secrets.token_bytes(3 * MIB)
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", data)
        for start, length, want in ((0, 0, data), (1000, 70_000, data[1000:71_000]), (2 * MIB, 0, data[2 * MIB:])):
            source, target = c.sftp.open(f"{place}/x"), c.sftp.open(f"{place}/copy", WRITE | CREAT | TRUNC)
            c.sftp.extended("copy-data", string(source) + start.to_bytes(8, "big") + length.to_bytes(8, "big") + string(target) + bytes(8))
            c.sftp.close(source)
            c.sftp.close(target)
            assert c.sftp.get(f"{place}/copy", piece=200_000) == want


def test_a_log_entry_for_each(door, place, sftp_server):
    """Stored, read, renamed, deleted: who, what, from where."""
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"logged")
        c.sftp.get(f"{place}/x")
        c.sftp.rename(f"{place}/x", f"{place}/y")
        c.sftp.remove(f"{place}/y")
        c.sftp.call(Fx.RMDIR, string(place))
    seen = [e["event"] for e in sftp_server.audit() if e.get("addr") == c.peer and e.get("user") == "alice"]
    for event in ("login", "file.created", "file.read", "file.renamed", "file.deleted", "folder.deleted"):
        assert event in seen, seen


def test_attributes_of_a_folder_and_a_file(door, place):
    with door.raw().to("sftp") as c:
        c.sftp.put(f"{place}/x", b"12345")
        folder, file = c.sftp.stat(place), c.sftp.stat(f"{place}/x")
        assert folder["mode"] & 0o170000 == 0o040000 and file["mode"] & 0o170000 == 0o100000
        assert file["size"] == 5 and abs(file["mtime"] - time.time()) < 60
        handle = c.sftp.open(f"{place}/x")
        assert attributes(c.sftp.call(Fx.FSTAT, string(handle), Fx.ATTRS)) == file
        assert attributes(c.sftp.call(Fx.LSTAT, string(f"{place}/x"), Fx.ATTRS)) == file


def test_a_wrong_password_user_cannot_use_the_rest(sftp_server):
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        assert c.try_password(PASSWORD + "x") is not True
        c.send(c.open_request())
        with pytest.raises(Closed):
            while True:
                c.recv_packet()
