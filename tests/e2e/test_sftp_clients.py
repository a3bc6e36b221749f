"""The SFTP door with every client that people bring: what each can do is done, and compared byte by byte."""
import hashlib
import os
import re
import secrets
import subprocess
import threading
import time

import pytest

NAMES = ["plain.txt", "with space.txt", "quote's.txt", "Grüße aus Köln.txt", "данные.bin", "数据.csv", "😀.dat", "-dash", "a" * 200, "semi;colon&.txt"]
OLD = 1_234_567_890  # a time of last modification that nothing has by accident
MIB = 1 << 20


def tree(folder):
    """{path: content} below a folder of the client's."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def forest(door):
    """A folder of the client's: files of many sizes and names, folders in folders, an empty one."""
    for i, size in enumerate([0, 1, 1000, 65535, 65536, 65537, 300_000, 2_500_000]):
        door.file(f"forest/a/size-{i}", secrets.token_bytes(size))
    for name in NAMES:
        door.file(f"forest/names/{name}", name.encode())
    door.file("forest/deep/er/and/deeper/leaf", b"leaf")
    (door.folder / "forest/nothing").mkdir()
    return door.folder / "forest"


def quote(name):
    """For a shell, in the one way that scp -O's own check of the answer understands too."""
    return re.sub(r"([^\w./-])", r"\\\1", name)


def stored(door, path):
    """What the server has, asked by a client of our own."""
    with door.raw().to("sftp") as c:
        return c.sftp.get(path, piece=200_000)


def store(door, path, data):
    with door.raw().to("sftp") as c:
        c.sftp.put(path, data)


def names(door, path):
    with door.raw().to("sftp") as c:
        return sorted(n for n in c.sftp.list(path) if n not in (".", ".."))


def stat(door, path):
    with door.raw().to("sftp") as c:
        return c.sftp.stat(path)


# ---- OpenSSH: sftp ----

def test_sftp_every_command(door, place):
    door.file("one.txt", b"one" * 1000)
    done = door.sftp(f"""pwd
lpwd
version
help
cd {place}
pwd
mkdir inner
-mkdir inner
put one.txt
put one.txt inner/two.txt
ls
ls -1
ls -la
ls -lh inner
ls -t
ls -S
ls inner/*.txt
get one.txt back.txt
rename one.txt three.txt
copy three.txt four.txt
cp inner/two.txt five.txt
chmod 640 three.txt
df
df -h
lmkdir mine
lcd mine
get ../{place}/inner/two.txt
get -p three.txt
reget three.txt
rm five.txt
rm inner/*.txt
rmdir inner
ls -n
progress
lls
lumask 022
bye""")
    assert door.read("back.txt") == door.read("mine/two.txt") == door.read("mine/three.txt") == b"one" * 1000
    assert "Remote working directory: " in done.out and place in done.out
    assert "SFTP protocol version 3" in done.out
    assert names(door, place) == ["four.txt", "three.txt"]
    assert stored(door, f"{place}/four.txt") == b"one" * 1000


def test_sftp_refuses_what_the_store_has_not(door, place):
    """Links do not exist: refused, in words, and the connection goes on."""
    store(door, f"{place}/real", b"real")
    for line in (f"symlink {place}/real {place}/soft", f"ln -s {place}/real {place}/soft", f"ln {place}/real {place}/hard"):
        done = door.sftp(f"-{line}\nget {place}/real real", check=True)
        assert door.read("real") == b"real"
        assert done.err.strip(), f"{line}: refused without a word"
    assert names(door, place) == ["real"]


def test_sftp_says_what_is_wrong(door, place):
    """Failures end a batch, say why, and change nothing."""
    store(door, f"{place}/file", b"x")
    door.file("local", b"y")
    for line, words in ((f"get {place}/none", "not found"), (f"put local {place}/no/such/folder", "No such file"), (f"rm {place}/none", "No such file"),
                        (f"rmdir {place}/none", "No such file"), (f"cd {place}/none", "No such file"), (f"rmdir {place}/file", ""),
                        (f"mkdir {place}/file", ""), (f"ls {place}/none", "not found"), ("cd /Home/bob", ""), ("put local /nowhere", "")):
        done = door.sftp(line, check=False)
        assert done.code == 1 and words in done.err, f"{line}: {done}"
    assert names(door, place) == ["file"]


def test_sftp_not_empty(door, place):
    store(door, f"{place}/file", b"x")
    assert door.sftp(f"rmdir {place}", check=False).code == 1
    assert names(door, place) == ["file"]


def test_sftp_recursive(door, place, forest):
    door.sftp(f"put -rp forest {place}/\nget -rp {place}/forest back")
    assert tree(door.folder / "back") == tree(forest)
    assert (door.folder / "back/nothing").is_dir()


@pytest.mark.parametrize("name", NAMES)
def test_sftp_names(door, place, name):
    door.file("local", name.encode())
    quoted = '"' + name.replace('"', '\\"') + '"'
    door.sftp(f"put local {place}/{quoted}\nls -1 {place}\nget {place}/{quoted} back")
    assert door.read("back") == name.encode()
    assert names(door, place) == [name]


def test_sftp_preserves_times(door, place):
    local = door.file("dated", b"x" * 100_000)
    os.utime(local, (OLD, OLD))
    door.sftp(f"put -p dated {place}/dated\nget -p {place}/dated again")
    assert stat(door, f"{place}/dated")["mtime"] == OLD
    assert int((door.folder / "again").stat().st_mtime) == OLD


@pytest.mark.parametrize("size", [0, 1, 32767, 32768, 32769, 65536, 65537, 261120, 261121, 1 << 20, 10_000_019])
def test_sftp_sizes(door, place, size):
    data = secrets.token_bytes(size)
    door.file("local", data)
    door.sftp(f"put local {place}/x\nget {place}/x back")
    assert door.read("back") == data


@pytest.mark.parametrize("flags", [["-B", "1"], ["-B", "1000"], ["-B", "261120"], ["-R", "1"], ["-R", "1024"], ["-B", "1024", "-R", "256"]], ids=" ".join)
def test_sftp_requests_of_every_size(door, place, flags):
    data = secrets.token_bytes(3_000 if flags == ["-B", "1"] else 2_000_003)
    door.file("local", data)
    door.sftp(f"put local {place}/x\nget {place}/x back", flags=flags)
    assert door.read("back") == data


def test_sftp_reget(door, place):
    data = secrets.token_bytes(3_000_000)
    store(door, f"{place}/whole", data)
    door.file("part", data[:1_234_567])
    door.sftp(f"reget {place}/whole part")
    assert door.read("part") == data


def test_sftp_put_fsync(door, place):
    door.file("local", b"f" * 200_000)
    door.sftp(f"put -f local {place}/synced")
    assert stored(door, f"{place}/synced") == b"f" * 200_000


def test_sftp_with_a_password(door, place):
    door.key = None
    door.with_password().file("local", b"by password")
    door.sftp(f"put local {place}/x\nget {place}/x back")
    assert door.read("back") == b"by password"


# ---- OpenSSH: scp, both protocols ----

@pytest.mark.parametrize("legacy", [False, True], ids=["sftp", "scp -O"])
class TestScp:
    def test_there_and_back(self, door, place, legacy):
        for size in (0, 1, 65536, 1_000_003):
            data = secrets.token_bytes(size)
            door.file("local", data)
            door.scp("local", f":{place}/x", legacy=legacy)
            door.scp(f":{place}/x", "back", legacy=legacy)
            assert door.read("back") == data

    def test_into_a_folder(self, door, place, legacy):
        door.file("one", b"1")
        door.file("two", b"2")
        door.scp("one", "two", f":{place}", legacy=legacy)
        assert names(door, place) == ["one", "two"]
        door.scp(f":{place}/one", f":{place}/two", ".", legacy=legacy)

    def test_recursive(self, door, place, forest, legacy):
        door.scp("-r", "forest", f":{place}/", legacy=legacy)
        door.scp("-r", f":{place}/forest", "back", legacy=legacy)
        assert tree(door.folder / "back") == tree(forest)

    def test_times(self, door, place, legacy):
        os.utime(door.file("dated", b"x"), (OLD, OLD))
        door.scp("-p", "dated", f":{place}/dated", legacy=legacy)
        assert stat(door, f"{place}/dated")["mtime"] == OLD
        door.scp("-p", f":{place}/dated", "back", legacy=legacy)
        assert int((door.folder / "back").stat().st_mtime) == OLD

    @pytest.mark.parametrize("name", NAMES)
    def test_names(self, door, place, name, legacy):
        """Over the older protocol one quotes as for a shell, as ever."""
        other = f"again {name}"
        quoted = quote if legacy else str
        store(door, f"{place}/{name}", name.encode())
        door.scp(f":{place}/{quoted(name)}", "back", legacy=legacy)
        assert door.read("back") == name.encode()
        door.scp("back", f":{place}/{quoted(other)}", legacy=legacy)
        assert names(door, place) == sorted([name, other])

    def test_missing(self, door, place, legacy):
        done = door.scp(f":{place}/none", "back", legacy=legacy, check=False)
        assert done.code == 1 and "no such file" in (done.err + done.out).lower(), done
        assert not (door.folder / "back").exists()

    def test_a_folder_without_r(self, door, place, legacy):
        done = door.scp(f":{place}", "back", legacy=legacy, check=False)
        assert done.code == 1 and done.err, done

    def test_through_the_client(self, door, place, legacy):
        """From the server to the server, by way of the client."""
        store(door, f"{place}/x", b"around")
        door.scp("-3", f":{place}/x", f":{place}/y", legacy=legacy)
        assert stored(door, f"{place}/y") == b"around"


def test_scp_patterns(door, place):
    """Without a shell: '*' and '?' in the last name of what is fetched, '~', and nothing else that a shell would act on."""
    for name in ("a1", "a2", "b1"):
        store(door, f"{place}/{name}", name.encode())
    door.scp(f":~/{place}/a*", ".", legacy=True)
    assert door.read("a1") == b"a1" and door.read("a2") == b"a2" and not (door.folder / "b1").exists()
    for evil in ("$(id)", "`id`", "a1; rm -r .", "a1 && id", "a1 | tee x", "a1 > x", "${HOME}"):
        done = door.scp(f":{place}/{evil}", "nothing", legacy=True, check=False)
        assert done.code != 0 and not (door.folder / "nothing").exists(), evil
    assert names(door, place) == ["a1", "a2", "b1"]


# ---- sshfs ----

def test_sshfs_reads_and_writes(door, place, forest):
    data = secrets.token_bytes(5_000_000)
    with door.sshfs(place) as root:
        (root / "big").write_bytes(data)
        assert hashlib.sha256((root / "big").read_bytes()).digest() == hashlib.sha256(data).digest()
        (root / "sub").mkdir()
        (root / "big").rename(root / "sub/moved")
        assert sorted(p.name for p in root.iterdir()) == ["sub"]
        assert (root / "sub/moved").stat().st_size == len(data)
        with open(root / "sub/moved", "rb") as f:
            f.seek(4_000_000)
            assert f.read(1000) == data[4_000_000:4_001_000]
            f.seek(17)
            assert f.read(1000) == data[17:1017]
        subprocess.run(["cp", "-r", forest, root / "copied"], check=True)
        assert tree(root / "copied") == tree(forest)
        os.utime(root / "sub/moved", (OLD, OLD))
        assert int((root / "sub/moved").stat().st_mtime) == OLD
        (root / "new").write_bytes(b"new")
        (root / "new").replace(root / "sub/moved")  # as editors save
        assert (root / "sub/moved").read_bytes() == b"new"
        (root / "sub/moved").unlink()
        (root / "sub").rmdir()
        with pytest.raises(OSError):
            os.symlink("x", root / "link")
        assert os.statvfs(root).f_blocks > 0
        subprocess.run(["rm", "-r", root / "copied"], check=True)
    assert names(door, place) == []


def test_sshfs_many_readers(door, place):
    data = secrets.token_bytes(4_000_000)
    store(door, f"{place}/shared", data)
    wrong = []
    with door.sshfs(place) as root:
        def read(start):
            with open(root / "shared", "rb") as f:
                f.seek(start)
                if f.read(500_000) != data[start:start + 500_000]:
                    wrong.append(start)

        threads = [threading.Thread(target=read, args=(i * 400_000,)) for i in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
    assert not wrong


# ---- lftp ----

def test_lftp_commands(door, place):
    door.file("one.txt", b"1" * 100_000)
    done = door.lftp(f"""pwd
cd {place}
mkdir -p x/y/z
put one.txt
put one.txt -o x/two.txt
ls
cls -l
find
du
cat x/two.txt | head -c 3
get x/two.txt -o back.txt
mv one.txt three.txt
mget *.txt
mput one.txt -O x/y
chmod 644 three.txt
rm x/y/one.txt
rm -r x
ls""")
    assert door.read("back.txt") == door.read("three.txt") == b"1" * 100_000
    assert "./x/y/z/" in done.out and "two.txt" in done.out
    assert names(door, place) == ["three.txt"]


def test_lftp_mirror(door, place, forest):
    os.utime(forest / "a/size-3", (OLD, OLD))
    door.lftp(f"mirror -R --parallel=4 forest {place}/up")
    assert stat(door, f"{place}/up/a/size-3")["mtime"] == OLD
    door.lftp(f"mirror --parallel=4 --use-pget-n=3 {place}/up down")
    assert tree(door.folder / "down") == tree(forest)
    assert (door.folder / "down/nothing").is_dir()
    assert int((door.folder / "down/a/size-3").stat().st_mtime) == OLD
    (forest / "a/size-1").unlink()
    (forest / "a/new").write_bytes(b"new")
    done = door.lftp(f"mirror -R --delete --verbose forest {place}/up\nmirror --delete {place}/up down")
    assert tree(door.folder / "down") == tree(forest)
    assert "new" in done.out + done.err and "size-2" not in done.out + done.err, "the second mirror sent what was there already"


def test_lftp_pget(door, place):
    data = secrets.token_bytes(12_000_000)
    store(door, f"{place}/big", data)
    door.lftp(f"pget -n 6 {place}/big -o big")
    assert door.read("big") == data


def test_lftp_resumes_a_download(door, place):
    data = secrets.token_bytes(3_000_000)
    store(door, f"{place}/big", data)
    door.file("big", data[:1_000_001])
    door.lftp(f"get -c {place}/big -o big")
    assert door.read("big") == data


@pytest.mark.parametrize("name", NAMES)
def test_lftp_names(door, place, name):
    door.file("local", name.encode())
    door.lftp(f"put local -o \"{place}/{name}\"\nget \"{place}/{name}\" -o back\nmv \"{place}/{name}\" \"{place}/moved\"")
    assert door.read("back") == name.encode()
    assert names(door, place) == ["moved"]


# ---- PuTTY ----

def test_psftp_commands(door, place):
    door.file("one.txt", b"putty" * 30_000)
    done = door.psftp(f"""pwd
cd {place}
mkdir inner
put one.txt
put one.txt inner/two.txt
dir
ls inner
get inner/two.txt back.txt
mv one.txt three.txt
chmod a-w three.txt
mget *.txt
mput one.txt
reget inner/two.txt back.txt
del inner/two.txt
rmdir inner
dir
quit""")
    assert door.read("back.txt") == door.read("three.txt") == b"putty" * 30_000
    assert "Remote directory is now" in done.out
    assert names(door, place) == ["one.txt", "three.txt"]


def test_psftp_recursive(door, place, forest):
    door.psftp(f"cd {place}\nput -r forest up\nget -r up down")
    assert tree(door.folder / "down") == tree(forest)


def test_psftp_with_a_password(door, place):
    door.key = None
    door.with_password().file("local", b"putty")
    door.psftp(f"put local {place}/x")
    assert stored(door, f"{place}/x") == b"putty"


# ---- rclone ----

def test_rclone_copies_and_checks(door, place, forest):
    for p in forest.rglob("*"):
        os.utime(p, (OLD, OLD))
    door.rclone("copy", "--transfers", "8", "--checkers", "8", "--create-empty-src-dirs", forest, f":{place}/up")
    assert stat(door, f"{place}/up/a/size-3")["mtime"] == OLD
    door.rclone("check", "--download", forest, f":{place}/up")
    done = door.rclone("copy", "-v", forest, f":{place}/up")
    assert "Copied" not in done.err, "the second copy sent what was there already"
    door.rclone("copy", "--transfers", "8", f":{place}/up", "down")
    assert tree(door.folder / "down") == tree(forest)


def test_rclone_syncs(door, place, forest):
    door.rclone("sync", forest, f":{place}/up")
    (forest / "a/size-1").unlink()
    (forest / "a/size-2").write_bytes(b"changed")
    door.rclone("sync", forest, f":{place}/up")
    door.rclone("check", "--download", forest, f":{place}/up")
    assert "size-1" not in names(door, f"{place}/up/a")


def test_rclone_commands(door, place):
    data = secrets.token_bytes(1_000_000)
    door.file("local", data)
    door.rclone("copyto", "local", f":{place}/x/y/deep")
    assert door.rclone("lsf", "-R", f":{place}").out.split() == ["x/", "x/y/", "x/y/deep"]
    assert f"{len(data)} x/y/deep" in door.rclone("ls", f":{place}").out
    door.rclone("moveto", f":{place}/x/y/deep", f":{place}/moved")
    assert door.rclone("cat", "--offset", "5", "--count", "3", f":{place}/moved").code == 0
    door.rclone("copyto", f":{place}/moved", "back")
    assert door.read("back") == data
    door.rclone("rcat", f":{place}/streamed", stdin="from standard input")
    assert stored(door, f"{place}/streamed") == b"from standard input"
    door.rclone("touch", "--timestamp", "2009-02-13T23:31:30", f":{place}/moved")
    assert stat(door, f"{place}/moved")["mtime"] == OLD
    door.rclone("mkdir", f":{place}/empty")
    door.rclone("rmdir", f":{place}/empty")
    door.rclone("deletefile", f":{place}/streamed")
    assert "Free:" in door.rclone("about", f":{place}").out
    door.rclone("purge", f":{place}/x")
    assert names(door, place) == ["moved"]


def test_rclone_parts_of_one_file(door, place):
    data = secrets.token_bytes(20 * MIB)
    store(door, f"{place}/big", data)
    door.rclone("copyto", "--multi-thread-cutoff", "1M", "--multi-thread-streams", "6", f":{place}/big", "big")
    assert door.read("big") == data


def test_rclone_with_a_password(door, place):
    door.key = None
    door.with_password().file("local", b"rclone")
    door.rclone("copyto", "local", f":{place}/x")
    assert stored(door, f"{place}/x") == b"rclone"


# ---- curl: Debian's, with libssh2 1.10, needs LegacyMacs ----

def test_curl_there_and_back(legacy_door, legacy_place):
    data = secrets.token_bytes(1_000_003)
    legacy_door.file("local", data)
    legacy_door.curl("-T", "local", path=f"/~/{legacy_place}/x")
    legacy_door.curl("-o", "back", path=f"/~/{legacy_place}/x")
    assert legacy_door.read("back") == data
    legacy_door.curl("-o", "part", "-r", "1000-1999", path=f"/~/{legacy_place}/x")
    assert legacy_door.read("part") == data[1000:2000]
    assert "x" in legacy_door.curl(path=f"/~/{legacy_place}/").out
    assert "x" in legacy_door.curl("-l", path=f"/~/{legacy_place}/").out.split()


def test_curl_commands(legacy_door, legacy_place):
    legacy_door.file("local", b"curl")
    legacy_door.curl("--ftp-create-dirs", "-T", "local", path=f"/~/{legacy_place}/new/folder/x")
    home = legacy_door.sftp("pwd").out.rpartition(": ")[2].strip()
    legacy_door.curl("-Q", f"-rename '{home}/{legacy_place}/new/folder/x' '{home}/{legacy_place}/y'", "-Q", f"-rmdir '{home}/{legacy_place}/new/folder'",
                     "-Q", f"-mkdir '{home}/{legacy_place}/made'", "-I", path=f"/~/{legacy_place}/")
    assert names(legacy_door, legacy_place) == ["made", "new", "y"]


def test_curl_resumes(legacy_door, legacy_place):
    data = secrets.token_bytes(500_000)
    store(legacy_door, f"{legacy_place}/x", data)
    legacy_door.file("part", data[:123_456])
    legacy_door.curl("-C", "-", "-o", "part", path=f"/~/{legacy_place}/x")
    assert legacy_door.read("part") == data


def test_curl_resumes_an_upload(legacy_door, legacy_place):
    """-C - asks how much is there and sends the rest."""
    data = secrets.token_bytes(500_000)
    legacy_door.file("x", data)
    store(legacy_door, f"{legacy_place}/x", data[:123_456])
    legacy_door.curl("-C", "-", "-T", "x", path=f"/~/{legacy_place}/x")
    assert stored(legacy_door, f"{legacy_place}/x") == data


def test_curl_many_megabytes(legacy_door, legacy_place):
    data = secrets.token_bytes(40 * MIB)
    legacy_door.file("x", data)
    legacy_door.curl("-T", "x", path=f"/~/{legacy_place}/x")
    legacy_door.curl("-o", "back", path=f"/~/{legacy_place}/x")
    assert legacy_door.read("back") == data


def test_curl_with_a_password(legacy_door, legacy_place):
    legacy_door.key = None
    legacy_door.with_password().file("local", b"curl")
    legacy_door.curl("-T", "local", path=f"/~/{legacy_place}/x")
    assert stored(legacy_door, f"{legacy_place}/x") == b"curl"


# ---- paramiko ----

def test_paramiko(door, place, forest):
    data = secrets.token_bytes(3_000_000)
    local = door.file("local", data)
    with door.paramiko() as sftp:
        sftp.chdir(place)
        assert sftp.getcwd().endswith(place)
        sftp.put(local, "x")
        sftp.get("x", door.folder / "back")
        assert door.read("back") == data
        assert sftp.stat("x").st_size == len(data)
        sftp.utime("x", (OLD, OLD))
        assert sftp.lstat("x").st_mtime == OLD
        with sftp.open("x") as f:
            f.seek(2_000_000)
            assert f.read(1000) == data[2_000_000:2_001_000]
            assert f.readv([(5, 10), (1000, 70_000), (2_999_990, 10)]).__next__() == data[5:15]
            assert f.check("sha256") == hashlib.sha256(data).digest()
        with sftp.open("y", "w") as f:
            f.write("written")
        sftp.mkdir("sub", 0o755)
        sftp.rename("y", "sub/z")
        sftp.posix_rename("sub/z", "x")
        assert sftp.open("x").read() == b"written"
        assert sorted(a.filename for a in sftp.listdir_attr()) == ["sub", "x"]
        assert [a.filename for a in sftp.listdir_iter("sub")] == []
        for refused in (lambda: sftp.symlink("x", "link"), lambda: sftp.readlink("x"), lambda: sftp.remove("sub"), lambda: sftp.rmdir("x"),
                        lambda: sftp.open("none"), lambda: sftp.mkdir("sub"), lambda: sftp.rename("x", "sub")):
            with pytest.raises(OSError):
                refused()
        sftp.remove("x")
        sftp.rmdir("sub")
        assert sftp.listdir() == []


def test_paramiko_pipelines(door, place):
    """prefetch() asks for the whole file before it reads a byte."""
    data = secrets.token_bytes(20 * MIB)
    store(door, f"{place}/big", data)
    with door.paramiko() as sftp, sftp.open(f"{place}/big") as f:
        f.prefetch()
        assert hashlib.sha256(f.read()).digest() == hashlib.sha256(data).digest()
    with door.paramiko() as sftp, sftp.open(f"{place}/up", "wb") as f:
        f.set_pipelined(True)
        for at in range(0, len(data), 32768):
            f.write(data[at:at + 32768])
    assert stored(door, f"{place}/up") == data


# ---- asyncssh ----

def test_asyncssh(door, place, forest):
    async def work(sftp):
        await sftp.chdir(place)
        await sftp.put(forest, "up", recurse=True, preserve=True)
        await sftp.get("up", door.folder / "down", recurse=True)
        assert tree(door.folder / "down") == tree(forest)
        assert await sftp.exists("up/a/size-1") and not await sftp.exists("up/none")
        assert await sftp.getsize("up/a/size-4") == 65536
        assert len(await sftp.glob("up/names/*")) == len(NAMES)
        await sftp.makedirs("p/q/r")
        await sftp.utime("up/a/size-1", (OLD, OLD))
        assert await sftp.getmtime("up/a/size-1") == OLD
        async with sftp.open("p/file", "w") as f:
            await f.write("text")
        async with sftp.open("p/file") as f:
            assert await f.read() == "text"
        await sftp.posix_rename("p/file", "up/a/size-1")
        assert (await sftp.statvfs(".")).blocks > 0
        await sftp.rmtree("up")
        await sftp.rmtree("p")
        return await sftp.listdir()

    left = [n for n in door.asyncssh(work) if n not in (".", "..")]
    assert left == []


def test_asyncssh_many_at_once(door, place):
    """A hundred files at a time over one connection."""
    import asyncio

    async def work(sftp):
        async def one(i):
            async with sftp.open(f"{place}/f{i}", "wb") as f:
                await f.write(bytes([i]) * 10_000)
            async with sftp.open(f"{place}/f{i}", "rb") as f:
                return await f.read() == bytes([i]) * 10_000

        limit = asyncio.Semaphore(16)

        async def limited(i):
            async with limit:
                return await one(i)

        return await asyncio.gather(*[limited(i) for i in range(100)])

    assert all(door.asyncssh(work))
    assert len(names(door, place)) == 100


# ---- several of them at once ----

def test_all_together(door, place, forest):
    """Five programs read and write side by side; each gets what is its own."""
    failures = []

    def run(what, *args, **kw):
        try:
            what(*args, **kw)
        except BaseException as e:  # noqa: B902 - shown below
            failures.append(repr(e))

    jobs = [(door.lftp, f"mirror -R --parallel=3 forest {place}/lftp"), (door.sftp, f"put -r forest {place}/sftp"),
            (door.rclone, "copy", "--transfers", "4", forest, f":{place}/rclone"), (door.scp, "-r", "forest", f":{place}/scp"),
            (door.psftp, f"put -r forest {place}/psftp")]
    threads = [threading.Thread(target=run, args=job) for job in jobs]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures
    door.sftp(f"get -r {place} all")
    for program in ("lftp", "sftp", "rclone", "scp", "psftp"):
        assert tree(door.folder / "all" / program) == tree(forest), program


def test_times_are_the_stores(door, place):
    """What was stored without a time has the time of its storing."""
    store(door, f"{place}/now", b"x")
    assert abs(stat(door, f"{place}/now")["mtime"] - time.time()) < 60
