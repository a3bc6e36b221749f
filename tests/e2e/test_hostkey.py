"""Host keys of the SFTP door: made, shown, refused, taken up anew, backed up."""
import os
import signal
import socket
import subprocess

import pytest

from lib.instance import Instance, binary

KEYS = {"ssh_host_ed25519.key": ("ssh-ed25519", "4"), "ssh_host_ecdsa.key": ("ecdsa-sha2-nistp256", "3"), "ssh_host_rsa.key": ("ssh-rsa", "1")}
ALGORITHMS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"]


@pytest.fixture
def door(identity):
    instance = Instance(identity, sftp=True)
    try:
        instance.init()
        yield instance
    finally:
        instance.end()
        instance.remove()


def shown(instance, *args):
    return instance.run("hostkey", "show", *args).out.splitlines()


def keygen(tmp_path, line, *args):
    """What OpenSSH says of the key in a line of known_hosts."""
    path = tmp_path / "key.pub"
    path.write_text(" ".join(line.split()[1:]) + "\n")
    return subprocess.run(["ssh-keygen", *args, "-f", path], capture_output=True, text=True, check=True).stdout.strip()


def greeted(instance, known_hosts, algorithm):
    """Does OpenSSH, which trusts known_hosts only, get past the key exchange?  Nobody is let in."""
    done = subprocess.run(["ssh", "-F", "none", "-p", str(instance.sftp_port), "-o", f"UserKnownHostsFile={known_hosts}",
                           "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
                           "-o", f"HostKeyAlgorithms={algorithm}", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20",
                           "nobody@127.0.0.1"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 255
    return "Permission denied" in done.stderr, done.stderr


def ends(instance):
    """`serve` that must refuse to start: its status and what it said."""
    argv = instance.identity.command([binary(), "-C", instance.dir, "serve"])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, cwd="/")
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_what_is_shown(door, tmp_path):
    """Fingerprints, DNS records and known_hosts are OpenSSH's of the same keys."""
    rows = door.run("--json", "hostkey", "show").json()["rows"]
    known, dns = shown(door, "--known-hosts"), shown(door, "--sshfp")
    assert [r["type"] for r in rows] == [line.split()[1] for line in known] == [kind for kind, _ in KEYS.values()]
    assert [r["known_hosts"] for r in rows] == known and [r["sshfp"] for r in rows] == dns
    for row, line, (_, number) in zip(rows, known, KEYS.values()):
        assert line.startswith(f"[127.0.0.1]:{door.sftp_port} ")
        assert keygen(tmp_path, line, "-l").split()[1] == row["fingerprint"]
        assert keygen(tmp_path, line, "-r", socket.gethostname()).splitlines()[1] == row["sshfp"]
        assert row["sshfp"].split()[1:5] == ["IN", "SSHFP", number, "2"]
    text = "\n".join(shown(door))
    assert all(r["fingerprint"] in text and r["sshfp"] in text and r["known_hosts"] in text for r in rows)


@pytest.mark.parametrize("listen, prefix", [("127.0.0.1:22", "127.0.0.1 "), ("[::1]:2222", "[::1]:2222 "), ("[::1]:22", "::1 ")])
def test_where_the_door_is(door, listen, prefix):
    door.set("SftpListen", listen)
    assert all(line.startswith(prefix) for line in shown(door, "--known-hosts"))


@pytest.mark.parametrize("listen", ["0.0.0.0:22", "[::]:22", "none"])
def test_the_door_is_everywhere(door, listen):
    door.set("SftpListen", listen)
    assert all(line.startswith(socket.gethostname() + " ") for line in shown(door, "--known-hosts"))


def test_keys_are_private(door):
    for name in KEYS:
        assert (door.dir / "keys" / name).stat().st_mode & 0o777 == 0o400
        assert (door.dir / "keys" / name).read_text().startswith("-----BEGIN PRIVATE KEY-----\n")


def test_clients_recognise_the_server(door, tmp_path):
    """Each key signs the exchange, and a client that knows other keys refuses."""
    door.start()
    known = tmp_path / "known_hosts"
    known.write_text("\n".join(shown(door, "--known-hosts")) + "\n")
    for algorithm in ALGORITHMS:
        good, said = greeted(door, known, algorithm)
        assert good, f"{algorithm}: {said}\n{door.log_tail()}"
    (door.dir / "keys/ssh_host_ed25519.key").unlink()
    assert door.run("--json", "hostkey", "make").json() == {"made": 1}
    assert greeted(door, known, "ssh-ed25519")[0], "only a reload takes it up"
    door.process.send_signal(signal.SIGHUP)
    other = tmp_path / "other"
    other.write_text("\n".join(shown(door, "--known-hosts")) + "\n")
    for _ in range(100):
        good, said = greeted(door, other, "ssh-ed25519")
        if good:
            break
    assert good, f"{said}\n{door.log_tail()}"
    good, said = greeted(door, known, "ssh-ed25519")
    assert not good and "HOST IDENTIFICATION HAS CHANGED" in said
    door.stop()


def test_make_what_is_missing(door):
    before = shown(door, "--known-hosts")
    assert door.run("--json", "hostkey", "make").json() == {"made": 0}
    assert shown(door, "--known-hosts") == before
    (door.dir / "keys/ssh_host_ecdsa.key").unlink()
    assert len(shown(door, "--known-hosts")) == 2
    door.run("hostkey", "make")
    after = shown(door, "--known-hosts")
    assert [b == a for b, a in zip(before, after)] == [True, False, True]
    for name in KEYS:
        (door.dir / "keys" / name).unlink()
    result = door.run("hostkey", "show", check=False)
    assert result.code == 66 and "hostkey make" in result.err


def test_no_host_key(door):
    for name in KEYS:
        (door.dir / "keys" / name).unlink()
    code, lines = ends(door)
    assert code == 78 and len(lines) == 1 and "hostkey make" in lines[0], lines
    door.run("hostkey", "make")
    door.start()
    door.stop()


def test_a_door_that_is_closed_needs_no_key(fresh):
    fresh.init()
    assert not any((fresh.dir / "keys" / name).exists() for name in KEYS), "nobody asked for them"
    fresh.start()
    status = fresh.run("--json", "status").json()
    assert status["sftp"] == "none"
    rooms = {r["room"]: r for r in status["rooms"]}
    assert rooms["gate-sftp"]["state"] == "up" and rooms["worker-sftp"]["processes"] == 0
    fresh.stop()


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_others_can_read(door, name):
    os.chmod(door.dir / "keys" / name, 0o440)
    code, lines = ends(door)
    assert code == 78 and len(lines) == 1 and name in lines[0] and "can be read by others" in lines[0], lines


def test_a_key_that_is_none(door):
    door.replace("keys/ssh_host_rsa.key", b"-----BEGIN NONSENSE-----\n", 0o400)
    code, lines = ends(door)
    assert code == 78 and any("ssh_host_rsa.key" in line for line in lines), lines
    result = door.run("hostkey", "show", check=False)
    assert result.code != 0 and "ssh_host_rsa.key" in result.err


def test_a_bad_reload_changes_nothing(door):
    door.start()
    name = "keys/ssh_host_ed25519.key"
    key = (door.dir / name).read_bytes()
    door.replace(name, key, 0o444)
    door.process.send_signal(signal.SIGHUP)
    for _ in range(200):
        if "not reloaded" in door.log():
            break
        door.run("status")
    assert "not reloaded" in door.log() and "can be read by others" in door.log()
    door.stop()


def test_a_backup_has_them(door, tmp_path, identity):
    door.start()
    place = door.temp / "backup"
    before = shown(door, "--known-hosts")
    door.run("backup", place, "--with-root-key")
    door.stop()
    for name in KEYS:
        assert (place / "keys" / name).read_bytes() == (door.dir / "keys" / name).read_bytes()
    again = door.temp / "again"
    door.run("restore", place, again)
    argv = identity.command([binary(), "-C", again, "hostkey", "show", "--known-hosts"])
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines() == before
