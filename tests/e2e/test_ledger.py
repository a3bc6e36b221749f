"""The audit log after real traffic: two verifiers that share no code agree on it, and both say no to every change."""
import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.instance import binary
from lib.tlog_verify import Checkpoint, Contradiction, Log, VerifierKey, verify_proof

FILES = 150  # stored and read: more than one tile of entries


@pytest.fixture(scope="module")
def traffic(server, alice, bob):
    """Files stored, read, replaced and deleted by two users at once, a failed login, a refused read; then a checkpoint."""

    def store(i):
        client, home = (alice, "/Home/alice") if i % 2 else (bob, "/Home/bob")
        assert client.store(f"{home}/f{i}.bin", os.urandom(100 + i)).status_code in (200, 201)
        assert client.fetch(f"{home}/f{i}.bin").status_code == 200

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: [store(i) for i in range(part, FILES, 2)], (0, 1)))
    assert server.grant(server.anonymous(), grant_type="password", username="alice", password="wrong wrong wrong").status_code in (400, 401)
    assert bob.fetch("/Home/alice/f1.bin").status_code in (403, 404)
    assert alice.delete(alice.url("/Home/alice/f3.bin")).status_code in (200, 204)
    deadline = time.monotonic() + 10
    while json.loads(server.run("audit", "verify", "--json").out)["after_checkpoint"]:
        assert time.monotonic() < deadline, "no checkpoint within 10 s"
        time.sleep(0.2)
    return server


@pytest.fixture(scope="module")
def frozen(traffic, tmp_path_factory):
    """The log's files as they are now, beside keys/ledger.pub: an instance as far as `audit` needs one."""
    copy = tmp_path_factory.mktemp("frozen") / "instance"
    (copy / "keys").mkdir(parents=True)
    shutil.copy(traffic.dir / "keys/ledger.pub", copy / "keys")
    shutil.copy(traffic.dir / "sallyport.conf", copy)
    for _ in range(5):
        shutil.copytree(traffic.dir / "ledger", copy / "ledger", dirs_exist_ok=True)
        if command(copy).returncode == 0:
            return copy
        shutil.rmtree(copy / "ledger")  # a checkpoint came in between
    raise AssertionError("no consistent copy")


def command(copy, *arguments):
    return subprocess.run([binary(), "-C", copy, "audit", "verify", *arguments], capture_output=True, text=True, timeout=60)


def log_of(copy):
    return Log(copy / "ledger", (copy / "keys/ledger.pub").read_text())


def test_both_verifiers_agree(frozen):
    log = log_of(frozen)
    entries = log.verify()
    said = json.loads(command(frozen, "--json").stdout)
    assert said["verified"] and said["entries"] == len(entries) == log.checkpoint.size
    assert len(entries) > 256
    names = [e["event"] for e in entries]
    assert names[0] == "log.created" and "server.start" in names and "login.failed" in names and "file.deleted" in names
    assert names.count("file.created") == names.count("file.read") == FILES


def test_every_read_is_on_record_before_the_bytes_went_out(frozen, traffic):
    reads = [e for e in log_of(frozen).verify() if e["event"] == "file.read"]
    assert {e["path"].rsplit("/", 1)[1] for e in reads} == {f"f{i}.bin" for i in range(FILES)}
    for e in reads:
        i = int(e["path"].rsplit("/f", 1)[1][:-4])
        assert e["user"] == ("alice" if i % 2 else "bob") and e["size"] == 100 + i
        assert e["addr"].startswith("127.0.0.1:") and e["door"] == "https" and e["listener"] == "public" and e["serial"] > 0
    assert len({e["salt"] for e in reads}) == len(reads)
    stamps = [e["t"] for e in log_of(frozen).verify()]
    assert stamps == sorted(stamps)


def test_a_checkpoint_kept_elsewhere_is_extended(traffic, frozen, alice):
    kept = traffic.temp / "kept"
    kept.write_text(traffic.run("audit", "checkpoint").out)
    kept.chmod(0o644)
    Checkpoint(kept.read_bytes(), VerifierKey((frozen / "keys/ledger.pub").read_text()))
    alice.fetch("/Home/alice/f1.bin")
    assert traffic.run("audit", "verify", "--checkpoint", kept).code == 0
    kept.write_text(kept.read_text().replace("\n", "\n ", 1))
    assert traffic.run("audit", "verify", "--checkpoint", kept, check=False).code == 2


def test_proofs_of_all_entries_verify_elsewhere(frozen):
    log = log_of(frozen)
    entries, key = log.verify(), (frozen / "keys/ledger.pub").read_text()
    for n in [*range(0, len(entries), 23), 255, 256, len(entries) - 1]:
        done = subprocess.run([binary(), "-C", frozen, "audit", "prove", str(n)], capture_output=True, timeout=60, check=True)
        assert verify_proof(done.stdout, key) == entries[n]
        for offset in range(0, len(done.stdout), 37):
            bad = bytearray(done.stdout)
            bad[offset] ^= 1
            with pytest.raises((Contradiction, ValueError)):
                assert verify_proof(bytes(bad), key) != entries[n], "the changed proof gave another entry"
                raise Contradiction("at least it is not that entry")


# ---- tampering ----


def last(copy, folder):
    """The partial tile or bundle at the right edge."""
    return next((copy / "ledger/tile" / folder).rglob("*.p/*"))


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def entry_byte(copy):
    flip(copy / "ledger/tile/entries/000", 500)


def last_entry_byte(copy):
    path = last(copy, "entries")
    flip(path, path.stat().st_size - 3)


def length_prefix(copy):
    flip(copy / "ledger/tile/entries/000", 1)


def tile_byte(copy):
    flip(copy / "ledger/tile/0/000", 32 * 77)


def last_tile_byte(copy):
    flip(last(copy, "0"), 5)


def upper_tile_byte(copy):
    flip(last(copy, "1"), 5)


def both_entry_and_tile(copy):
    """The entry and its hash agree; the root does not."""
    from lib.tlog_verify import leaf_hash, split_bundle

    path, tile = copy / "ledger/tile/entries/000", copy / "ledger/tile/0/000"
    entries = split_bundle(path.read_bytes(), 256, path)
    entries[40] = entries[40].replace(b'"user":"', b'"user":"x', 1)
    path.write_bytes(b"".join(len(e).to_bytes(2, "big") + e for e in entries))
    tile.write_bytes(b"".join(leaf_hash(e) for e in entries))


def rewrite_bundle(copy, change):
    from lib.tlog_verify import split_bundle

    path = copy / "ledger/tile/entries/000"
    entries = change(split_bundle(path.read_bytes(), 256, path))
    path.write_bytes(b"".join(len(e).to_bytes(2, "big") + e for e in entries))


def dropped_entry(copy):
    rewrite_bundle(copy, lambda e: e[:100] + e[101:])


def swapped_entries(copy):
    rewrite_bundle(copy, lambda e: e[:100] + [e[101], e[100]] + e[102:])


def doubled_entry(copy):
    rewrite_bundle(copy, lambda e: e[:100] + [e[100]] + e[100:])


def truncated_bundle(copy):
    path = copy / "ledger/tile/entries/000"
    path.write_bytes(path.read_bytes()[:-7])


def truncated_tile(copy):
    path = copy / "ledger/tile/0/000"
    path.write_bytes(path.read_bytes()[:-32])


def missing_bundle(copy):
    (copy / "ledger/tile/entries/000").unlink()


def missing_tile(copy):
    (copy / "ledger/tile/0/000").unlink()


def checkpoint_size(copy):
    path = copy / "ledger/checkpoint"
    lines = path.read_text().split("\n")
    lines[1] = str(int(lines[1]) - 1)
    path.write_text("\n".join(lines))


def checkpoint_root(copy):
    path = copy / "ledger/checkpoint"
    lines = path.read_text().split("\n")
    lines[2] = ("A" if lines[2][0] != "A" else "B") + lines[2][1:]
    path.write_text("\n".join(lines))


def checkpoint_signature(copy):
    path = copy / "ledger/checkpoint"
    text = path.read_text()
    path.write_text(text[:-30] + ("A" if text[-30] != "A" else "B") + text[-29:])


def checkpoint_unsigned(copy):
    path = copy / "ledger/checkpoint"
    path.write_text(path.read_text().split("\n\n")[0] + "\n\n")


def checkpoint_missing(copy):
    (copy / "ledger/checkpoint").unlink()


def another_key(copy):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    import base64
    import hashlib

    path = copy / "keys/ledger.pub"
    name = path.read_text().split("+")[0]
    raw = b"\x01" + Ed25519PrivateKey.generate().public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    key_id = hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
    path.unlink()  # mode 0444
    path.write_text("+".join([name, key_id, base64.b64encode(raw).decode()]) + "\n")


CHANGES = [entry_byte, last_entry_byte, length_prefix, tile_byte, last_tile_byte, upper_tile_byte, both_entry_and_tile, dropped_entry,
           swapped_entries, doubled_entry, truncated_bundle, truncated_tile, missing_bundle, missing_tile, checkpoint_size, checkpoint_root,
           checkpoint_signature, checkpoint_unsigned, checkpoint_missing, another_key]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_both_verifiers_say_no_to(change, frozen, tmp_path):
    copy = tmp_path / "instance"
    shutil.copytree(frozen, copy)
    assert command(copy).returncode == 0
    change(copy)
    done = command(copy)
    assert done.returncode == 2, done
    assert len(done.stderr.strip().splitlines()) == 1 and done.stdout == "", done
    with pytest.raises(Contradiction):
        log_of(copy).verify()
    as_json = json.loads(command(copy, "--json").stdout)
    assert as_json["verified"] is False and as_json["error"]


def test_a_rewritten_log_with_the_stolen_key_does_not_extend_the_kept_checkpoint(traffic, frozen, tmp_path):
    """Who has the ledger's key can sign another history, but not one that a kept checkpoint agrees with."""
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from lib.tlog_verify import leaf_hash, resource, tree_hash, widths

    log = log_of(frozen)
    log.verify()
    copy = tmp_path / "instance"
    shutil.copytree(frozen, copy)
    raw = list(log.raw)
    raw[50] = raw[50].replace(b'"n":50,', b'"n":50 ,')
    row, level = [leaf_hash(e) for e in raw], 0
    root = tree_hash(row)
    for index, width in widths(len(raw), 0):
        part = raw[index * 256 : index * 256 + width]
        (copy / "ledger" / resource("entries", index, width)).write_bytes(b"".join(len(e).to_bytes(2, "big") + e for e in part))
    while row:
        for index, width in widths(len(raw), level):
            (copy / "ledger" / resource(level, index, width)).write_bytes(b"".join(row[index * 256 : index * 256 + width]))
        row, level = [tree_hash(row[i : i + 256]) for i in range(0, len(row) // 256 * 256, 256)], level + 1
    seed = (traffic.dir / "keys/ledger.key").read_bytes()
    text = f"{log.key.name}\n{len(raw)}\n{base64.b64encode(root).decode()}\n"
    signature = log.key.key_id + Ed25519PrivateKey.from_private_bytes(seed).sign(text.encode())
    (copy / "ledger/checkpoint").write_text(f"{text}\n\u2014 {log.key.name} {base64.b64encode(signature).decode()}\n")
    (copy / "ledger/wal").unlink()
    assert command(copy).returncode == 0  # by itself it looks fine
    log_of(copy).verify()
    done = command(copy, "--checkpoint", frozen / "ledger/checkpoint")
    assert done.returncode == 2 and "rewritten" in done.stderr
    with pytest.raises(Contradiction):
        log_of(copy).verify((frozen / "ledger/checkpoint").read_bytes())


def program(pid):
    try:
        return os.path.basename(open(f"/proc/{pid}/cmdline").read().split("\0")[0])
    except OSError:
        return None  # has ended


def test_the_ledger_killed_under_load_loses_nothing(identity):
    from lib.instance import Instance, descendants

    with Instance(identity) as server:
        server.add_user("carol")
        carol = server.login("carol")
        stored = []
        for turn in range(4):
            ledger = [pid for pid, _ in descendants(server.process.pid) if program(pid) == "sallyport-ledger"]
            for i in range(20):
                r = carol.store(f"/Home/carol/{turn}-{i}", b"x" * 100)
                if r.status_code in (200, 201):
                    stored.append(f"/Home/carol/{turn}-{i}")
                if i == 10:
                    assert len(ledger) == 1
                    os.kill(ledger[0], 9)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    if carol.store(f"/Home/carol/again-{turn}", b"y").status_code in (200, 201):
                        break
                    carol = server.login("carol")
                except (AssertionError, OSError):
                    pass
                time.sleep(0.2)
            else:
                raise AssertionError(f"no store after the ledger's restart\n{server.log_tail()}")
        server.stop()
        paths = {e.get("path") for e in server.audit("--event", "file")}
        assert len(stored) > 40 and set(stored) <= paths
        assert any(e["event"] == "room.died" for e in server.audit())
        Log(server.dir / "ledger", (server.dir / "keys/ledger.pub").read_text()).verify()
