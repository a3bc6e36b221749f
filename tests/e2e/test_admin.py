"""The administrator's side: every verb and its record, who may call, keys, fsck, backup and restore."""
import json
import os
import shutil
import socket
import subprocess
import time

import pytest

from lib.instance import ORDINARY_UID, PASSWORD, Identity, Instance, binary


def events(server, name):
    return [e for e in server.audit("--event", name)]


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("did not come to be")


# ---- verbs ----

def test_every_verb_speaks_json_and_is_recorded(server):
    def say(*args, stdin=None):
        return server.run("--json", *args, stdin=stdin).json()

    say("org", "add", "verbs", "--quota", "10G")
    assert [o["quota"] for o in say("org", "list")["rows"] if o["name"] == "verbs"] == [10 << 30]
    say("org", "set", "verbs", "--quota", "none")
    assert say("org", "show", "verbs")["quota"] is None
    say("user", "add", "vera", "--password-stdin", "--org", "verbs", "--quota", "1M", stdin=PASSWORD + "\n")
    say("user", "set", "vera", "--email", "v@example.com", "--level", "fileadmin")
    assert say("user", "show", "vera")["level"] == "fileadmin"
    assert [u["name"] for u in say("user", "list", "--org", "verbs")["rows"]] == ["vera"]
    say("user", "suspend", "vera")
    assert say("user", "show", "vera")["status"] == "suspended"
    say("user", "activate", "vera")
    say("group", "add", "choir", "--org", "verbs")
    say("group", "member-add", "choir", "vera", "--org", "verbs")
    assert [m["name"] for m in say("group", "show", "choir", "--org", "verbs")["rows"]] == ["vera"]
    assert [g["org"] for g in say("group", "list", "--org", "verbs")["rows"]] == ["verbs"]
    assert say("user", "show", "vera")["groups"] == ["choir"]
    say("folder", "add", "/songs", "--org", "verbs", "--quota", "5M")
    say("acl", "set", "/songs", "--group", "choir", "--rights", "all", "--org", "verbs")
    assert say("acl", "show", "/songs", "--org", "verbs")["rows"][0]["rights"].count(",") == 8
    assert {f["name"] for f in say("folder", "list", "--org", "verbs")["rows"]} == {"Home", "songs"}
    token = say("token", "add", "vera", "--name", "ci", "--scope", "read,list", "--expires", "never")
    assert token["expires"] is None and token["token"].startswith("spt_")
    assert [t["id"] for t in say("token", "list", "vera")["rows"]] == [token["id"]]
    say("token", "remove", str(token["id"]))
    assert say("token", "list", "vera")["rows"] == []
    assert say("session", "list", "--org", "verbs")["rows"] == []
    assert say("session", "revoke", "--user", "vera") == {"ended": 0}
    assert {k["org"] for k in say("key", "status")["rows"]} >= {"main", "verbs"}
    say("acl", "remove", "/songs", "--group", "choir", "--org", "verbs")
    assert say("folder", "remove", "/songs", "--org", "verbs") == {"files": 0, "bytes": 0}
    say("group", "member-remove", "choir", "vera", "--org", "verbs")
    say("group", "remove", "choir", "--org", "verbs")
    say("user", "remove", "vera")
    assert say("fsck")["rows"] == []
    for name in ("org.added", "org.changed", "user.added", "user.changed", "group.added", "group.changed", "folder.created",
                 "acl.set", "token.added", "token.removed", "session.revoked", "acl.removed", "folder.deleted",
                 "group.removed", "user.removed", "fsck"):
        found = events(server, name)
        assert found, name
        assert any(e.get("user") == f"local:{server.identity.uid}" for e in found), (name, found)


def test_home_and_root_stay(server):
    for path in ("/", "/Home"):
        done = server.run("folder", "remove", path, check=False)
        assert done.code == 77 and done.err.count("\n") == 1


def test_a_removed_folder_takes_its_files_along(server, alice):
    server.run("folder", "add", "/Gone")
    server.run("acl", "set", "/Gone", "--user", "alice", "--rights", "read,write,list")
    assert alice.store("/Gone/a.bin", b"a" * 100_000).status_code == 201
    assert server.run("--json", "folder", "remove", "/Gone").json() == {"files": 1, "bytes": 100_000}
    assert alice.fetch("/Gone/a.bin").status_code == 404


@pytest.mark.parametrize("args,code", [
    (("user", "show", "nobody"), 67),
    (("user", "add", "alice", "--password-stdin"), 73),
    (("user", "add", "x", "--password-stdin", "--org", "nowhere"), 67),
    (("user", "set", "alice"), 64),
    (("user", "set", "alice", "--quota", "much"), 64),
    (("user", "set", "alice", "--level", "god"), 64),
    (("folder", "add", "/no/parent"), 66),
    (("folder", "add", "relative"), 65),
    (("folder", "add", "/a/../b"), 65),
    (("acl", "set", "/Home", "--user", "alice", "--rights", "fly"), 64),
    (("acl", "set", "/Home", "--rights", "read"), 64),
    (("acl", "remove", "/Home", "--user", "bob"), 66),
    (("group", "show", "nobody"), 67),
    (("token", "add", "alice", "--expires", "2001-01-01"), 64),
    (("token", "remove", "999999"), 66),
    (("session", "revoke", "999999"), 66),
    (("session", "revoke"), 64),
    (("org", "show", "nowhere"), 67),
    (("user",), 64),
    (("frobnicate",), 64),
    (("user", "add"), 64),
    (("user", "add", "a", "b"), 64),
    (("status", "--loud"), 64),
])
def test_refusals_are_one_sentence_and_a_status(server, args, code):
    done = server.run(*args, stdin=PASSWORD + "\n", check=False)
    assert done.code == code, done
    assert done.out == "" and done.err.count("\n") == 1 and done.err.startswith("sallyport: "), done


def test_an_empty_standard_input_is_no_password(server):
    done = server.run("user", "add", "nina", "--password-stdin", stdin="", check=False)
    assert done.code == 64 and "standard input is empty" in done.err


def test_lists_are_complete_however_long(server):
    server.run("folder", "add", "/Many")
    for i in range(0, 230):
        server.run("folder", "add", f"/Many/{i:04d}")
    rows = server.run("--json", "folder", "list", "/Many").json()["rows"]
    assert [r["name"] for r in rows] == [f"{i:04d}" for i in range(0, 230)]
    assert len(server.run("folder", "list", "/Many").out.splitlines()) == 231


def test_a_terminal_sees_no_control_characters(server):
    server.run("user", "set", "alice", "--full-name", "A\u009b31mlice")
    out = server.run("user", "show", "alice").out
    assert "\u009b" not in out and "\\xc2" in out
    server.run("user", "set", "alice", "--full-name", "Alice Adams")


# ---- who may call ----

def packet(verb, args, secret=b""):
    body = (140).to_bytes(2, "big")
    for part in (verb.encode(), args, secret):
        body += len(part).to_bytes(4, "big") + part
    return body


def control(server):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    s.connect(str(server.dir / "run/control.sock"))
    return s


def test_the_socket_is_its_owners_and_the_super_users(server):
    probe = ("import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\ns.settimeout(10)\n"
             "s.connect(sys.argv[1])\ns.send(bytes.fromhex(sys.argv[2]))\nprint(len(s.recv(65536)))")
    if os.geteuid() != 0:
        return  # only root can be somebody else
    path = server.dir / "run/control.sock"
    changed = [(p, p.stat().st_mode) for p in (server.dir, server.dir / "run", path)]
    for p, _ in changed:
        p.chmod(0o777)
    try:
        for uid, allowed in ((0, True), (server.identity.uid, True), (ORDINARY_UID + 1, False)):
            done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", "/usr/bin/python3",
                                   "-c", probe, path, packet("org list", b"{}").hex()], capture_output=True, text=True)
            answered = done.stdout.strip() not in ("", "0")
            assert answered == allowed, (uid, done)
    finally:
        for p, mode in changed:
            p.chmod(mode & 0o7777)


@pytest.mark.parametrize("message", [
    b"", b"\0", b"\xff" * 64, (141).to_bytes(2, "big") + b"\0" * 16, packet("org list", b"{}")[:-1],
    packet("org list", b"{}") + b"x", (140).to_bytes(2, "big") + b"\xff\xff\xff\xff", packet("x" * 65, b"{}"),
    packet("org list", b" " * 32769),
], ids=range(9))
def test_what_is_no_call_ends_the_connection(server, message):
    with control(server) as s:
        s.send(message)
        assert s.recv(65536) == b""
    assert server.run("status", check=False).code == 0


@pytest.mark.parametrize("verb,args", [
    ("", b"{}"), ("org", b"{}"), ("org list", b""), ("org list", b"[]"), ("org list", b'{"x":"y"}'), ("org list", b"{"),
    ("user show", b'{"name":7}'), ("user show", b'{"name":"a","name":"b"}'), ("user show", b'{"name":"a\\u0000b"}'),
    ("org list", b'{"after":"-1"}'), ("fsck known", b'{"ids":"zz,,"}'), ("fsck content", b'{"version":"0"}'),
    ("user show", json.dumps({"name": "n" * 20000}).encode()), ("backup end", b"{}"),
], ids=range(14))
def test_odd_calls_are_answered(server, verb, args):
    with control(server) as s:
        s.send(packet(verb, args))
        answer = s.recv(65536)
        assert answer[:2] == (141).to_bytes(2, "big")
        json.loads(answer[9:])
        s.send(packet("org list", b"{}"))
        assert b"main" in s.recv(65536)


def test_a_second_call_before_the_answer_ends_the_connection(server):
    with control(server) as s:
        add = packet("user add", b'{"name":"twice"}', PASSWORD.encode())
        s.send(add)
        s.send(add)
        assert s.recv(65536) == b""
    server.run("status")


def test_callers_that_leave_do_no_harm(server):
    for i in range(8):
        with control(server) as s:
            s.send(packet("user add", json.dumps({"name": f"left{i}"}).encode(), PASSWORD.encode()))
    with control(server) as s:
        s.send(packet("backup begin", b"{}"))
    server.run("status")
    wait_for(lambda: not (server.dir / "db/backup.db").exists())
    server.run("user", "list")


def test_too_many_connections_are_turned_away_and_it_recovers(server):
    held = [control(server) for _ in range(20)]
    time.sleep(0.3)
    for s in held:
        s.close()
    wait_for(lambda: server.run("status", check=False).code == 0)


def test_an_empty_folder_becomes_an_instance(fresh):
    subprocess.run(fresh.identity.command(["mkdir", fresh.dir]), check=True)
    fresh.init()
    fresh.start()
    fresh.stop()


# ---- keys ----

def test_a_vault_that_needs_its_passphrase(fresh):
    fresh.init("--root-key", "passphrase")
    assert not (fresh.dir / "keys/root.key").exists()
    passphrase = fresh.initialised["recovery_passphrase"]
    fresh.start()
    assert fresh.run("--json", "status").json()["vault"] == "locked"
    fresh.add_user("alice")
    with fresh.login("alice") as alice:
        assert alice.store("/Home/alice/a.bin", b"a").status_code == 503
        wrong = fresh.run("key", "unlock", "--passphrase-stdin", stdin="no such passphrase\n", check=False)
        assert wrong.code == 77 and wrong.err.count("\n") == 1
        fresh.run("key", "unlock", "--passphrase-stdin", stdin=passphrase + "\n")
        assert fresh.run("--json", "status").json()["vault"] == "open"
        again = fresh.run("key", "unlock", "--passphrase-stdin", stdin="no such passphrase\n")
        assert "open already" in again.err and "not tried" in again.err
        wait_for(lambda: alice.store("/Home/alice/a.bin", b"a").status_code == 201)
        fresh.stop()
    fresh.start()
    assert fresh.run("--json", "status").json()["vault"] == "locked"
    fresh.stop()
    fresh.verify()


def test_a_given_recovery_passphrase_is_not_printed(fresh):
    argv = fresh.identity.command([binary(), "--json", "init", fresh.dir, "--recovery-passphrase-stdin"])
    done = subprocess.run(argv, input="a passphrase of my own\n", capture_output=True, text=True, cwd="/")
    assert done.returncode == 0 and "of my own" not in done.stdout
    assert "recovery_passphrase" not in json.loads(done.stdout)


def test_a_rotation_goes_on_after_a_kill(fresh):
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    with fresh.login("alice") as alice:
        for i in range(300):
            assert alice.store(f"/Home/alice/{i}", b"%d" % i).status_code == 201
        assert alice.store("/Home/alice/big", b"b" * 300_000).status_code == 201
        assert fresh.run("--json", "key", "rotate").json()["epoch"] == 2
        fresh.end()
        fresh.start()
        wait_for(lambda: not fresh.run("--json", "key", "status").json()["rows"][0]["rotating"])
        row = fresh.run("--json", "key", "status").json()["rows"][0]
        assert row["epoch"] == 2 and row["keys_left"] == 0
    with fresh.login("alice") as alice:
        for i in range(0, 300, 50):
            assert alice.fetch(f"/Home/alice/{i}").content == b"%d" % i
        assert alice.fetch("/Home/alice/big").content == b"b" * 300_000
    assert events(fresh, "key.destroyed")
    fresh.run("fsck", "--content", timeout=300)
    fresh.stop()
    fresh.verify()


# ---- fsck ----

def faults(server, *args):
    done = server.run("--json", "fsck", *args, timeout=120, check=False)
    rows = done.json()["rows"]
    assert done.code == (2 if rows else 0), done
    return {(r["fault"], r["what"]) for r in rows}


def blobs(server):
    return sorted((f for f in (server.dir / "blobs").rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)


def test_fsck_names_what_is_wrong(fresh):
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    with fresh.login("alice") as alice:
        for name, size in (("short", 200_000), ("missing", 300_000), ("damaged", 400_000)):
            assert alice.store(f"/Home/alice/{name}", b"x" * size).status_code == 201
    assert faults(fresh) == set()
    assert faults(fresh, "--content") == set()
    short, missing, damaged = blobs(fresh)
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    owner = damaged.stat()
    for path, new in ((damaged, bytes(content)), (short, short.read_bytes()[:-1])):
        path.unlink()
        path.write_bytes(new)
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o400)
    missing.unlink()
    orphan = damaged.parent / "notes.txt"  # a blob file that nothing belongs to would be swept away by itself
    orphan.write_bytes(b"")
    found = faults(fresh)
    name = damaged.parent.name + "/notes.txt"
    assert found == {("missing", "/Home/alice/missing"), ("missing", "/Home/alice/short"), ("orphaned", name)}
    found = faults(fresh, "--content")
    assert ("damaged", "/Home/alice/damaged") in found
    assert events(fresh, "file.check"), "content was read without a record"
    assert events(fresh, "file.damaged")
    assert ("damaged", "/Home/alice/damaged") in faults(fresh), "what was found is remembered"
    fresh.stop()


# ---- backup and restore ----

@pytest.fixture(scope="module")
def backup(identity):
    """An instance with some content, and a backup of it that was taken while files were stored."""
    instance = Instance(identity)
    try:
        instance.init()
        instance.start()
        instance.add_user("alice")
        with instance.login("alice") as alice:
            assert alice.store("/Home/alice/first", b"f" * 1_000_000).status_code == 201  # the greatest blob
            for i in range(40):
                assert alice.store(f"/Home/alice/{i}", b"%d" % i * 5000).status_code == 201
            target = instance.temp / "backup"
            job = subprocess.Popen(instance.identity.command([binary(), "-C", instance.dir, "backup", target, "--with-root-key"]))
            more = 40
            while job.poll() is None or more == 40:
                assert alice.store(f"/Home/alice/{more}", b"%d" % more * 50000).status_code == 201
                more += 1
            assert job.returncode == 0
        instance.stop()
        yield instance, target
    finally:
        instance.end()
        instance.remove()


def copy_of(source, target, identity):
    shutil.copytree(source, target)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{identity.uid}:{identity.uid}", target], check=True)


def test_a_backup_during_uploads_restores_and_verifies(backup):
    instance, target = backup
    assert (target.stat().st_mode & 0o777) == 0o700
    restored = Instance(instance.identity, folder=instance.temp)
    restored.dir = instance.temp / "restored"
    restored.certificate = instance.certificate
    done = instance.run("--json", "restore", target, restored.dir, timeout=120)
    assert done.json()["audit_entries"] > 40
    restored.port, restored.admin_port, restored.base = instance.port, instance.admin_port, instance.base
    restored.start()
    try:
        with restored.login("alice") as alice:
            for i in range(40):
                assert alice.fetch(f"/Home/alice/{i}").content == b"%d" % i * 5000
            i = 40
            while alice.head(alice.url(f"/Home/alice/{i}")).status_code == 200:
                assert alice.fetch(f"/Home/alice/{i}").content == b"%d" % i * 50000
                i += 1
            assert alice.store("/Home/alice/new", b"new").status_code == 201
        wait_for(lambda: not faults(restored))  # blobs of later uploads are swept away
        assert faults(restored, "--content") == set()
        restored.stop()
        restored.verify()
    finally:
        restored.end()


@pytest.mark.parametrize("what", ["blob", "database", "tile", "checkpoint", "no blob"])
def test_a_damaged_backup_is_not_restored(backup, what):
    instance, target = backup
    broken, into = instance.temp / "broken", instance.temp / "into"
    copy_of(target, broken, instance.identity)
    try:
        path = {"blob": lambda: max((broken / "blobs").rglob("*"), key=lambda f: f.stat().st_size if f.is_file() else 0),
                "no blob": lambda: max((broken / "blobs").rglob("*"), key=lambda f: f.stat().st_size if f.is_file() else 0),
                "database": lambda: broken / "db/sallyport.db",
                "tile": lambda: next(f for f in (broken / "ledger/tile/entries").rglob("*") if f.is_file()),
                "checkpoint": lambda: broken / "ledger/checkpoint"}[what]()
        content = bytearray(path.read_bytes())
        path.chmod(0o600)
        if what == "no blob":
            path.unlink()
        elif what == "blob":
            path.write_bytes(content[:-1])
        else:
            at = 4096 if what == "database" else len(content) // 2  # a page of the database that is no content
            content[at:at + 2000] = bytes(b ^ 0x55 for b in content[at:at + 2000])
            path.write_bytes(content)
        done = instance.run("restore", broken, into, timeout=120, check=False)
        assert done.code != 0, done
        assert not into.exists() and not list(instance.temp.glob("into*")), "something half-made"
    finally:
        shutil.rmtree(broken)
        shutil.rmtree(into, ignore_errors=True)


def test_backup_refuses_what_is_there(server):
    taken = server.temp / "taken"
    taken.mkdir()
    (taken / "x").write_text("x")
    done = server.run("backup", taken, check=False)
    assert done.code == 73 and (taken / "x").read_text() == "x"
    done = server.run("backup", "/proc/nowhere", check=False)
    assert done.code != 0 and done.err.count("\n") == 1
    shutil.rmtree(taken)


def test_an_interrupted_backup_leaves_nothing(server, alice):
    import signal

    target = server.temp / "interrupted"
    for i in range(4):
        assert alice.store(f"/Home/alice/bulk{i}", os.urandom(1 << 20) * 32).status_code == 201
    for _ in range(20):
        job = subprocess.Popen(server.identity.command([binary(), "-C", server.dir, "backup", target]), stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a run in the background ignores it
        while job.poll() is None and not list(server.temp.glob("interrupted.tmp-*")):
            pass  # it copies in a tenth of a second: no sleep
        job.send_signal(signal.SIGINT)
        job.wait(30)
        if job.returncode != 0:
            break
        shutil.rmtree(target)  # it was done before the signal came
        job.stderr.close()
    assert job.returncode == -signal.SIGINT
    assert not list(server.temp.glob("interrupted*"))
    job.stderr.close()
    wait_for(lambda: not (server.dir / "db/backup.db").exists())
    server.run("backup", target, timeout=120)
    shutil.rmtree(target)


# ---- a terminal ----

def at_terminal(server, *args):
    """A command with a terminal of its own: its process, and our end of the terminal."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    job = subprocess.Popen(server.identity.command([binary(), "-C", server.dir, *args]), stdin=theirs, stdout=theirs,
                           stderr=theirs, preexec_fn=take_terminal, cwd="/")
    return job, ours, theirs


def read_until(fd, text, seconds=10):
    import select

    out, deadline = b"", time.monotonic() + seconds
    while text not in out and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            out += os.read(fd, 4096)
    assert text in out, out
    return out


def echoes(fd):
    import termios

    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def test_passwords_are_asked_for_without_echo(server):
    job, ours, theirs = at_terminal(server, "user", "add", "petra")
    out = read_until(ours, b"petra: ")
    wait_for(lambda: not echoes(theirs))
    os.write(ours, PASSWORD.encode() + b"\n")
    out += read_until(ours, b"again: ")
    os.write(ours, PASSWORD.encode() + b"\n")
    assert job.wait(20) == 0
    out += read_until(ours, b"id")
    assert PASSWORD.encode() not in out and echoes(theirs)
    server.login("petra").close()
    for fd in (ours, theirs):
        os.close(fd)


def test_two_passwords_that_differ(server):
    job, ours, theirs = at_terminal(server, "user", "add", "quirin")
    read_until(ours, b"quirin: ")
    os.write(ours, PASSWORD.encode() + b"\n")
    read_until(ours, b"again: ")
    os.write(ours, b"something else entirely\n")
    assert job.wait(20) == 64
    assert server.run("user", "show", "quirin", check=False).code == 67
    for fd in (ours, theirs):
        os.close(fd)


def test_an_interrupted_prompt_leaves_the_echo_on(server):
    job, ours, theirs = at_terminal(server, "user", "passwd", "alice")
    read_until(ours, b"alice: ")
    wait_for(lambda: not echoes(theirs))
    os.write(ours, b"half a pass\x03")
    assert job.wait(20) != 0
    assert echoes(theirs)
    for fd in (ours, theirs):
        os.close(fd)


def test_completion_is_bash(server):
    script = server.run("completion").out
    done = subprocess.run(["bash", "-c", script + '\nCOMP_WORDS=(sallyport acl ""); COMP_CWORD=2; _sallyport; echo "${COMPREPLY[@]}"'],
                          capture_output=True, text=True)
    assert done.stdout.split() == ["set", "show", "remove"], done


