"""What is wrong is said in one sentence, with an exit status that is not 0, and nothing half-made stays."""
import secrets
import shutil
import socket
import subprocess

import pytest

from lib.instance import binary


def serve(instance, timeout=30):
    """`serve` that is expected to end by itself; returns its status and its lines."""
    argv = instance.identity.command([binary(), "-C", instance.dir, "serve"])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, cwd="/")
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if line]


def refuses(instance, *words):
    code, lines = serve(instance)
    assert code > 0, lines
    assert len(lines) == 1, lines
    assert all(word in lines[0] for word in words), lines
    assert not (instance.dir / "run/control.sock").exists()


@pytest.fixture
def made(fresh):
    fresh.init()
    return fresh


@pytest.mark.parametrize("line,words", [
    ("Wrokers 5", ["Wrokers", "line"]), ("WorkersIdle 100000", ["WorkersIdle", "256"]), ("WorkersIdle", ["WorkersIdle", "value"]),
    ("SessionIdle soon", ["SessionIdle", "time"]), ("SegmentLength 1", ["SegmentLength", "65536"]),
])
def test_bad_settings(made, line, words):
    made.set(line.split()[0], "".join(line.split()[1:]))
    refuses(made, "sallyport.conf", *words)


@pytest.mark.parametrize("keyword", ["HttpsListen", "AdminListen"])
def test_a_port_in_use(made, keyword):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        made.set(keyword, f"127.0.0.1:{s.getsockname()[1]}")
        refuses(made, f"127.0.0.1:{s.getsockname()[1]}", "in use")


@pytest.mark.parametrize("name", ["keys/root.key", "keys/https.key", "keys/https.crt", "keys/ledger.key"])
def test_a_missing_file(made, name):
    (made.dir / name).unlink()
    refuses(made, name.rpartition("/")[2])


def test_missing_settings(made):
    """A folder without sallyport.conf is no instance."""
    (made.dir / "sallyport.conf").unlink()
    refuses(made, str(made.dir), "sallyport.conf")


def test_a_wrong_root_key(made, identity):
    made.start()
    made.stop()
    made.process = None
    key = made.dir / "keys/root.key"
    key.chmod(0o600)
    key.write_bytes(secrets.token_bytes(32))
    key.chmod(0o400)
    code, lines = serve(made)
    assert code > 0 and any("root key" in line for line in lines), lines


def test_a_root_key_of_a_wrong_length(made):
    key = made.dir / "keys/root.key"
    key.chmod(0o600)
    key.write_bytes(b"short")
    key.chmod(0o400)
    refuses(made, "root.key")


def test_a_key_that_is_not_the_certificates(made):
    (made.dir / "keys/https.key").unlink()  # it is read-only
    subprocess.run(made.identity.command(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out",
                                          made.dir / "keys/https.key"]), check=True, capture_output=True)
    refuses(made, "key", "certificate")


def test_a_certificate_that_is_none(made):
    certificate = made.dir / "keys/https.crt"
    certificate.unlink()  # it is read-only
    certificate.write_text("-----BEGIN NONSENSE-----\n")
    refuses(made, "https.crt")


def test_no_instance_at_all(fresh):
    refuses(fresh, str(fresh.dir))


def test_two_servers_on_one_instance(made):
    made.start()
    code, lines = serve(made)
    assert code == 69 and len(lines) == 1 and "running already" in lines[0], lines
    assert made.run("status").code == 0
    made.stop()


def test_a_newer_database(made):
    import sqlite3

    made.start()
    made.stop()
    db = sqlite3.connect(made.dir / "db/sallyport.db")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {version + 1}")
    db.commit()
    db.close()
    code, lines = serve(made)
    assert code > 0 and any("newer version" in line for line in lines), lines


@pytest.mark.parametrize("args", [
    ["--https", "127.0.0.1"], ["--https", "example.com:443"], ["--https", "127.0.0.1:99999"], ["--org", "a b"],
    ["--certificate", "/nonexistent.pem", "--key", "/nonexistent.key"], ["--certificate", "/etc/hostname"], ["--segment-length", "7"],
    ["--nonsense"]])
def test_init_refuses_and_leaves_nothing(fresh, args):
    argv = fresh.identity.command([binary(), "init", fresh.dir, *args])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, cwd="/")
    assert done.returncode > 0
    assert len(done.stderr.strip().splitlines()) in (1, 2), done.stderr  # --nonsense may add the usage
    assert list(fresh.temp.iterdir()) == []


def test_init_does_not_touch_what_is_there(fresh):
    fresh.dir.mkdir()
    (fresh.dir / "precious").write_text("x")
    done = fresh.init(check=False)
    assert done.code == 73 and done.err.count("\n") == 1
    assert [p.name for p in fresh.dir.iterdir()] == ["precious"]
    shutil.rmtree(fresh.dir)
    fresh.init()
    assert fresh.init(check=False).code == 73


def test_commands_without_a_server(made):
    for command in (["status"], ["user", "list"], ["token", "list"], ["session", "list"]):
        done = made.run(*command, check=False)
        assert done.code == 69 and done.err.count("\n") == 1 and "serve" in done.err


def test_a_folder_without_an_instance(made):
    done = made.run("-C", "/var/empty", "status", check=False)
    assert done.code == 69 and "no instance" in done.err and "sallyport init /var/empty" in done.err
    done = made.run("restore", "/var/empty", made.temp / "restored", check=False)
    assert done.code == 66 and "no backup" in done.err and not (made.temp / "restored").exists()


@pytest.mark.parametrize("args", [["nonsense"], ["user"], ["user", "add"], ["user", "add", "x", "y"], ["user", "list", "--nonsense"], ["-C"], []])
def test_wrong_usage(made, args):
    done = made.run(*args, check=False)
    assert done.code in (0, 64), done
    assert done.code == 64 or not args


def test_a_read_only_disk(made, identity):
    """Only root can mount; an ordinary user's instance is made read-only by its modes."""
    if identity.uid == 0:
        subprocess.run(["mount", "--bind", made.dir, made.dir], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,ro,bind", made.dir], check=True)
            code, lines = serve(made)
        finally:
            subprocess.run(["umount", made.dir], check=True)
    else:
        (made.dir / "run").chmod(0o500)
        code, lines = serve(made)
        (made.dir / "run").chmod(0o700)
    assert code > 0 and len(lines) == 1, lines


def test_settings_are_reloaded_without_dropping_transfers(made):
    import signal
    import threading
    import time

    made.start()
    made.add_user("alice")
    alice = made.login("alice")

    def slowly():
        for _ in range(30):
            yield b"x" * 100_000
            time.sleep(0.05)

    result = []
    sender = threading.Thread(target=lambda: result.append(alice.store("/Home/alice/during.bin", slowly()).status_code))
    sender.start()
    time.sleep(0.4)
    made.set("WorkersIdle", "3")
    made.process.send_signal(signal.SIGHUP)
    sender.join()
    assert result == [201]
    assert len(alice.fetch("/Home/alice/during.bin").content) == 3_000_000
    assert [e for e in made.audit("--event", "server.reload")]
    made.stop()
    made.verify()


def test_a_bad_reload_keeps_the_old_settings(made):
    import signal
    import time

    made.start()
    made.set("WorkersIdle", "nonsense")
    made.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert made.healthy()
    assert "WorkersIdle" in made.log()
    made.stop()
