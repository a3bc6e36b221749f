"""The ledger alone, with this test as its supervisor, broker and vault: what it passes on, when, and what it refuses."""
import base64
import hashlib
import json
import os
import re
import signal
import struct
import select
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lib.instance import binary
from lib.ring import TOP, Room, events, pairs
from lib.tlog_verify import Contradiction, Log, verify_proof

EVENTS = events()
SEED = bytes(range(32))
NAME = "ledger.test"


def ledger_binary():
    beside = binary().parent / "sallyport-ledger"
    for path in (beside, binary().parent.parent / "libexec/sallyport/sallyport-ledger", binary().parent.parent / "rooms/ledger/sallyport-ledger"):
        if path.exists():
            return path
    raise AssertionError(f"no sallyport-ledger near {binary()}")


def err_number(name):
    return int(re.search(rf"^ERR\({name},\s*(\d+)", (TOP / "src/base/err.def").read_text(), re.M).group(1))


def wrap(length):
    """The head of a wrap: version, state sealed, reserved, epoch, salt, length; the rest is for the vault to check."""
    return bytes([1, 2, 0, 0]) + struct.pack(">I", 1) + bytes(32) + struct.pack(">Q", length) + bytes(48)


class Ledger:
    def __init__(self, folder, checkpoint_ms=50, settings=""):
        self.folder = folder
        for name in ("keys", "ledger"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "sallyport.conf").write_text(f"Name {NAME}\nCheckpointInterval {checkpoint_ms}\n{settings}")
        (folder / "keys/ledger.key").write_bytes(SEED)
        public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        key_id = hashlib.sha256(NAME.encode() + b"\n\x01" + public).hexdigest()[:8]
        self.key_line = f"{NAME}+{key_id}+{base64.b64encode(bytes([1]) + public).decode()}\n"
        (folder / "keys/ledger.pub").write_text(self.key_line)

    def start(self, vault_open=True, expect=None):
        self.room = Room(ledger_binary())
        self.supervisor = self.room.supervisor
        self.room.file("CONF", self.folder / "sallyport.conf")
        self.room.file("LEDGER_KEY", self.folder / "keys/ledger.key")
        self.room.file("LEDGER_DIR", self.folder / "ledger", os.O_RDONLY | os.O_DIRECTORY)
        self.broker, self.vault = self.room.link("broker"), self.room.link("vault")
        self.room.go()
        if expect is not None:
            return self.room.ended(expect=expect)
        self.supervisor.receive("READY")
        self.vault.send("V_STATE", open=int(vault_open))
        self.wait_state(vault_open)
        return self

    def wait_state(self, vault_open):
        for _ in range(100):
            if self.head().vault_open == int(vault_open):
                return
            time.sleep(0.02)
        raise AssertionError("the vault's state was not taken")

    def head(self):
        self.broker.send("HEAD_GET", ref=1)
        return self.broker.receive("HEAD")

    def worker(self, serial, room=7, listener=0, address="192.0.2.1:1000"):
        self.supervisor.send("WORKER_REGISTER", serial=serial, room=room, listener=listener)
        self.supervisor.send("WORKER_PEER", serial=serial, address=address)

    def release(self, ref, serial, event="file.read", **more):
        values = dict(org=1, user=2, blob=bytes(16), wrap=wrap(12345), user_name="alice", org_name="acme", path="/in/q3", file=3, version=4)
        self.broker.send("RELEASE", ref=ref, event=EVENTS[event], serial=serial, **{**values, **more})

    def record(self, ref, event="login", **more):
        self.broker.send("RECORD", ref=ref, event=EVENTS[event], **more)

    def verified(self, kept=None):
        return Log(self.folder / "ledger", self.key_line).verify(kept)

    def cli(self, *arguments, expect=0):
        done = subprocess.run([binary(), "-C", self.folder, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == expect, done.stderr + done.stdout
        return done


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path)
    yield made.start()
    made.room.kill()


def test_release_is_durable_before_the_vault_hears_of_it(ledger):
    ledger.worker(7)
    ledger.release(ref=11, serial=7)
    order = ledger.vault.receive("V_RELEASE")
    ledger.vault.send("V_RESULT", order=order.order)
    released = ledger.broker.receive("RELEASED")
    assert (order.order, order.serial, order.org, order.user) == (1, 7, 1, 2)
    assert (released.ref, released.entry) == (11, order.entry)
    ledger.room.kill()  # whatever is in memory is gone; the entry is not
    ledger.start()
    ledger.room.stop()
    entry = ledger.verified()[order.entry]
    assert entry["event"] == "file.read" and entry["path"] == "/in/q3" and entry["user"] == "alice"
    assert (entry["door"], entry["listener"], entry["addr"], entry["serial"]) == ("https", "public", "192.0.2.1:1000", 7)
    assert entry["size"] == 12345  # of the wrap, not the broker's word


def test_orders_and_entries_increase_over_all_kinds(ledger):
    ledger.worker(7)
    blob, proof = bytes(range(16)), bytes(range(32))
    ledger.broker.send("KEY_NEW", ref=1, serial=7, org=1, blob=blob, limit=99)
    order = ledger.vault.receive("V_KEY_NEW")
    assert (order.order, order.limit, order.blob) == (1, 99, blob)
    ledger.vault.send("V_RESULT", order=1, wrap=b"w" * 96)
    wrapped = ledger.broker.receive("WRAPPED")
    assert (wrapped.ref, wrapped.wrap, wrapped.entry) == (1, b"w" * 96, 0)
    ledger.broker.send("SEAL", ref=2, serial=7, org=1, blob=blob, wrap=b"w" * 96, length=50, proof=proof)
    seal = ledger.vault.receive("V_SEAL")
    assert (seal.order, seal.length, seal.proof) == (2, 50, proof)
    ledger.vault.send("V_RESULT", order=2, wrap=b"s" * 96)
    sealed = ledger.broker.receive("WRAPPED")
    assert (sealed.ref, sealed.wrap, sealed.entry) == (2, b"s" * 96, seal.entry)
    ledger.broker.send("REWRAP", ref=3, org=1, blob=blob, wrap=b"s" * 96)
    rewrap = ledger.vault.receive("V_REWRAP")
    assert rewrap.order == 3 and rewrap.entry > seal.entry
    ledger.vault.send("V_RESULT", order=3, wrap=b"r" * 96)
    assert ledger.broker.receive("WRAPPED").ref == 3
    ledger.broker.send("ORG_KEY", ref=4, org=1, op=1, org_name="acme", user="root")
    key = ledger.vault.receive("V_ORG_KEY")
    assert (key.order, key.op) == (4, 1) and key.entry > rewrap.entry
    ledger.vault.send("V_RESULT", order=4, epoch=2)
    done = ledger.broker.receive("ORG_KEY_DONE")
    assert (done.ref, done.err, done.epoch) == (4, 0, 2)
    ledger.room.stop()
    assert [e["event"] for e in ledger.verified()] == ["log.created", "key.seal", "key.rewrap", "key.rotated"]


def test_a_refusal_of_the_vault_is_recorded_and_told(ledger):
    ledger.worker(7)
    ledger.release(ref=5, serial=7)
    order = ledger.vault.receive("V_RELEASE")
    ledger.vault.send("V_RESULT", order=order.order, err=err_number("BUDGET"), retry_after=60, kind=1, budget=2, froze=1)
    refused = ledger.broker.receive("REFUSED")  # and nothing before it
    assert (refused.ref, refused.err, refused.retry_after) == (5, err_number("BUDGET"), 60)
    assert (refused.kind, refused.budget, refused.froze) == (1, 2, 1)
    ledger.room.stop()
    entry, frozen = ledger.verified()[-2:]
    assert frozen["event"] == "principal.frozen" and frozen["sev"] == "alarm"
    assert frozen["detail"] == {"principal": "address", "number": "2"}
    assert (frozen["user"], frozen["addr"]) == ("alice", "192.0.2.1:1000")
    assert entry["event"] == "release.refused" and entry["sev"] == "alarm"
    assert entry["detail"]["limit"] == "address: bytes per hour"
    assert entry["detail"]["entry"] == str(order.entry) and entry["detail"]["error"] == "budget"
    assert entry["path"] == "/in/q3" and entry["addr"] == "192.0.2.1:1000"


def test_a_deletion_is_recorded_when_the_vault_allows_it(ledger):
    ledger.worker(7)
    taken = dict(serial=7, user="alice", org="acme", path="/in/q3", taken_files=3, taken_bytes=99, user_number=2, org_number=1)
    ledger.record(1, "folder.deleted", **taken)
    asked = ledger.vault.receive("V_DELETE")
    assert (asked.order, asked.serial, asked.user, asked.org, asked.files, asked.bytes) == (1, 7, 2, 1, 3, 99)
    assert ledger.broker.quiet()  # not before it has answered
    ledger.vault.send("V_RESULT", order=1)
    assert ledger.broker.receive("RECORDED").ref == 1
    ledger.record(2, "folder.deleted", **taken)
    ledger.vault.receive("V_DELETE")
    ledger.vault.send("V_RESULT", order=2, err=err_number("BUDGET"), retry_after=60, kind=6, budget=1)
    refused = ledger.broker.receive("REFUSED")
    assert (refused.ref, refused.err, refused.retry_after, refused.kind) == (2, err_number("BUDGET"), 60, 6)
    ledger.supervisor.send("WORKER_GONE", serial=7)
    ledger.record(3, "folder.deleted", **taken)
    assert ledger.broker.receive("REFUSED").err == err_number("CLOSED")
    ledger.worker(8)
    ledger.vault.here.close()  # the ledger may see this before the record or after: one answer
    ledger.record(4, "folder.deleted", **{**taken, "serial": 8})
    assert ledger.broker.receive("REFUSED").err == err_number("UNAVAIL")
    ledger.room.stop()
    events = ledger.verified()
    assert [e["event"] for e in events] == ["log.created", "folder.deleted", "release.refused"]
    assert events[2]["detail"]["asked"] == "deletion" and events[2]["user"] == "alice" and "blob" not in events[2]


@pytest.mark.parametrize("case", ["unknown", "gone", "scrubber reads", "worker checks"])
def test_releases_to_the_wrong_one_never_reach_the_vault(ledger, case):
    serial, event = 9, "file.read"
    if case == "gone":
        ledger.worker(9)
        ledger.supervisor.send("WORKER_GONE", serial=9)
    elif case == "scrubber reads":
        ledger.worker(9, room=8, listener=2)
    elif case == "worker checks":
        ledger.worker(9)
        event = "file.check"
    ledger.release(ref=6, serial=serial, event=event)
    refused = ledger.broker.receive("REFUSED")
    assert refused.ref == 6
    assert ledger.vault.quiet()
    ledger.room.stop()
    recorded = [e for e in ledger.verified() if e["event"] == "release.refused"]
    assert len(recorded) == (0 if case == "gone" else 1)
    assert not [e for e in ledger.verified() if e["event"] in ("file.read", "file.check")]


def test_a_locked_or_absent_vault_is_said_and_nothing_is_kept_for_it(ledger):
    ledger.worker(7)
    ledger.vault.send("V_STATE", open=0)
    ledger.wait_state(False)
    ledger.release(ref=1, serial=7)
    assert ledger.broker.receive("REFUSED").err == err_number("LOCKED")
    ledger.vault.send("V_STATE", open=1)
    ledger.wait_state(True)
    ledger.release(ref=2, serial=7)
    ledger.vault.receive("V_RELEASE")
    ledger.vault.here.close()
    refused = ledger.broker.receive("REFUSED")
    assert (refused.ref, refused.err) == (2, err_number("UNAVAIL"))
    ledger.release(ref=3, serial=7)
    assert ledger.broker.receive("REFUSED").err == err_number("UNAVAIL")
    ledger.vault = ledger.room.link("vault")  # a new one: order numbers begin anew
    ledger.vault.send("V_STATE", open=1)
    ledger.wait_state(True)
    ledger.release(ref=4, serial=7)
    assert ledger.vault.receive("V_RELEASE").order == 1


def test_a_worker_that_was_registered_after_the_release_arrived(ledger):
    """Its registration lies in the supervisor's socket when the broker's message is read."""
    ledger.room.process.send_signal(signal.SIGSTOP)
    ledger.release(ref=1, serial=70)
    ledger.worker(70)
    ledger.room.process.send_signal(signal.SIGCONT)
    assert ledger.vault.receive("V_RELEASE").serial == 70


@pytest.mark.parametrize("lie", ["event of another", "no such event", "read as login", "garbage", "short", "vault's word", "supervisor's word"])
def test_a_lying_broker_is_cut_off_and_reported(ledger, lie):
    if lie == "event of another":
        ledger.record(1, "worker.violation")
    elif lie == "no such event":
        ledger.broker.send("RECORD", ref=1, event=9999)
    elif lie == "read as login":
        ledger.release(1, 7, event="login")
    elif lie == "garbage":
        ledger.broker.send_raw(b"\xff\xff\x00")
    elif lie == "short":
        ledger.broker.send_raw(struct.pack(">H", 102) + b"\0")
    elif lie == "vault's word":
        ledger.broker.send("V_STATE", open=1)
    else:
        ledger.broker.send("WORKER_GONE", serial=7)
    violation = ledger.supervisor.receive("VIOLATION")
    assert violation.serial == 0 and violation.err != 0
    assert ledger.broker.receive() is None
    assert ledger.vault.quiet()
    ledger.room.link("broker")  # the next broker is served
    ledger.room.stop()


@pytest.mark.parametrize("lie", ["not asked", "out of order", "twice"])
def test_a_lying_vault_is_cut_off_and_reported(ledger, lie):
    ledger.worker(7)
    if lie != "not asked":
        ledger.release(1, 7)
        ledger.release(2, 7)
        ledger.vault.receive("V_RELEASE")
        ledger.vault.receive("V_RELEASE")
    ledger.vault.send("V_RESULT", order=2 if lie == "out of order" else 1)
    if lie == "twice":
        ledger.vault.send("V_RESULT", order=1)
    assert ledger.supervisor.receive("VIOLATION").serial == 0
    assert ledger.vault.receive() is None


def test_entries_keep_what_they_are_given_whatever_it_is(ledger):
    nasty = bytes(range(1, 256)) * 16
    ledger.worker(7, listener=1, address="[2001:db8::1]:443")
    ledger.record(1, serial=7, user=b"\xff\xfe", org="acme", path=nasty, detail=pairs(agent=nasty[:1000], b=b"\0"))
    ledger.record(2, user="x" * 64, path="/" + "\x01" * 4000, detail=pairs(**{f"k{i}": b"\x02" * 1300 for i in range(6)}))
    ledger.record(3, detail=b"\x05ab")
    numbers = [ledger.broker.receive("RECORDED").entry for _ in range(3)]
    ledger.room.stop()
    entries = [ledger.verified()[n] for n in numbers]
    assert entries[0]["addr"] == "[2001:db8::1]:443" and entries[0]["listener"] == "admin"
    assert entries[0]["path"].startswith("\x01\x02") and "\ufffd" in entries[0]["path"]
    assert entries[1]["path"] == "/" + "\x01" * 4000
    assert "malformed" in entries[1]["detail"]["ledger"] and "malformed" in entries[2]["detail"]["ledger"]


def test_group_commit_of_a_burst_and_intents(ledger):
    for i in range(3000):
        event = ("file.created", "file.replaced", "login")[i % 3]
        ledger.record(i, event, user="alice", path=f"/in/{i}", size=i, detail=pairs(upload=i))
        if i % 100 == 99:
            for k in range(100):
                assert ledger.broker.receive("RECORDED").ref == i - 99 + k
    ledger.broker.send("INTENTS_GET", ref=77, entry=1001)
    found = []
    while True:
        m = ledger.broker.receive("INTENT", "INTENTS_END")
        assert m.ref == 77
        if m.name == "INTENTS_END":
            assert m.size == 3001
            break
        found.append((m.entry, m.event, m.upload.decode(), m.path.decode()))
    assert found == [(i + 1, EVENTS[("file.created", "file.replaced")[i % 3]], str(i), f"/in/{i}") for i in range(1000, 3000) if i % 3 != 2]
    ledger.room.stop()
    assert len(ledger.verified()) == 3001


def test_kill_9_loses_nothing_that_was_answered(tmp_path):
    ledger, answered = Ledger(tmp_path), {}
    for turn in range(12):
        ledger.start()
        for i in range(40):
            ledger.record(i, user=f"u{turn}-{i}")
        for _ in range(40 if turn % 3 else 7 + turn):
            m = ledger.broker.receive("RECORDED")
            answered[m.entry] = f"u{turn}-{m.ref}"
        time.sleep(0.03 * (turn % 4))
        ledger.room.kill()
    ledger.start()
    ledger.room.stop()
    entries = ledger.verified()
    for n, user in answered.items():
        assert entries[n]["user"] == user
    ledger.cli("audit", "verify")


def test_a_torn_end_is_dropped_and_said(tmp_path):
    ledger = Ledger(tmp_path, checkpoint_ms=60000).start()
    for i in range(5):
        ledger.record(i, user=f"u{i}")
        ledger.broker.receive("RECORDED")
    ledger.room.kill()
    wal = tmp_path / "ledger/wal"
    content = bytearray(wal.read_bytes())
    at = content.rindex(b'"user":"u4"')
    content[at + 9] ^= 1
    wal.write_bytes(content)
    ledger.start()
    ledger.room.stop()
    entries = ledger.verified()
    assert [e.get("user") for e in entries] == [None, "u0", "u1", "u2", "u3", None]
    assert entries[-1]["event"] == "log.recovered" and entries[-1]["detail"]["dropped-entries"] == "1"


@pytest.mark.parametrize("damage", ["wal in the middle", "checkpoint size", "checkpoint gone", "edge tile", "edge entry", "another key"])
def test_a_log_that_contradicts_itself_is_not_started_and_not_touched(tmp_path, damage):
    ledger = Ledger(tmp_path, checkpoint_ms=60000).start()
    for i in range(5):
        ledger.record(i, user=f"u{i}")
        ledger.broker.receive("RECORDED")
    if damage == "wal in the middle":
        ledger.room.kill()
    else:
        ledger.room.stop()
    folder = tmp_path / "ledger"
    target = {"wal in the middle": folder / "wal", "edge tile": folder / "tile/0/000.p/6", "edge entry": folder / "tile/entries/000.p/6"}.get(damage, folder / "checkpoint")
    content = bytearray(target.read_bytes())
    if damage == "wal in the middle":
        content[content.index(b'"user":"u2"') + 9] ^= 1
    elif damage == "edge entry":
        content[content.index(b'"user":"u2"') + 9] ^= 1
    elif damage == "edge tile":
        content[70] ^= 1
    elif damage == "checkpoint size":
        content = content.replace(b"\n6\n", b"\n5\n")
    if damage == "checkpoint gone":
        target.unlink()
    elif damage == "another key":
        (tmp_path / "keys/ledger.key").write_bytes(bytes(32))
    else:
        target.write_bytes(content)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    said = ledger.start(expect=2 if damage != "wal in the middle" else 74)
    assert "ledger" in said and len(said.strip().splitlines()) == 1, said
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_clock_that_was_set_back_while_nothing_ran_is_said(tmp_path):
    """A log whose newest entry is of tomorrow, made by hand; it has no wal, as after a restore."""
    ledger, folder = Ledger(tmp_path), tmp_path / "ledger"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 86400))
    raw = json.dumps({"n": 0, "t": stamp, "event": "log.created", "sev": "notice", "salt": "A" * 22}).encode()
    leaf = hashlib.sha256(b"\0" + raw).digest()
    for path, content in (("tile/entries/000.p/1", len(raw).to_bytes(2, "big") + raw), ("tile/0/000.p/1", leaf)):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(content)
    text = f"{NAME}\n1\n{base64.b64encode(leaf).decode()}\n"
    signature = bytes.fromhex(ledger.key_line.split("+")[1]) + Ed25519PrivateKey.from_private_bytes(SEED).sign(text.encode())
    (folder / "checkpoint").write_text(f"{text}\n\u2014 {NAME} {base64.b64encode(signature).decode()}\n")
    ledger.start()
    ledger.record(1)
    ledger.broker.receive("RECORDED")
    ledger.room.stop()
    entries = ledger.verified()
    assert [e["event"] for e in entries] == ["log.created", "clock.step", "log.recovered", "login"]
    assert entries[1]["detail"]["expected"][:16] == stamp[:16] and entries[1]["detail"]["was"] < stamp
    assert entries[2]["detail"]["wal"] == "missing"
    assert entries[1]["t"] <= entries[2]["t"] <= entries[3]["t"] < stamp


def test_a_full_disk_passes_no_release_on_and_loses_nothing(tmp_path):
    if os.geteuid() != 0:  # a name space of its own lets an ordinary user mount a tmpfs
        argv = ["unshare", "-rm", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/inner",
                f"{__file__}::test_a_full_disk_passes_no_release_on_and_loses_nothing"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=TOP)
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
        return
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", mount], check=True)
    try:
        ledger = Ledger(mount).start()
        ledger.worker(7)
        filler = mount / "filler"
        with open(filler, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(1 << 16))
            except OSError:
                pass
        refused, records, ref = 0, {}, 0
        while not refused and ref < 4000:
            ref += 1
            ledger.record(ref, user=f"u{ref}", detail=pairs(pad=b"x" * 8000))
            m = ledger.broker.receive("RECORDED", "REFUSED")
            if m.name == "REFUSED":
                assert m.err == err_number("DISKFULL")
                refused += 1
            else:
                records[m.entry] = f"u{ref}"
        assert refused and len(records) > 100
        # releases still have the space that is kept back
        ledger.release(ref=100001, serial=7)
        order = ledger.vault.receive("V_RELEASE")
        ledger.vault.send("V_RESULT", order=order.order)
        ledger.broker.receive("RELEASED")
        # until that is used up too: then no order leaves
        for i in range(20000):
            ledger.release(ref=i, serial=7, path="/" + "y" * 4000)
            ready, _, _ = select.select([ledger.broker.here, ledger.vault.here], [], [], 20)
            if ledger.broker.here in ready:
                assert ledger.broker.receive("REFUSED").err == err_number("DISKFULL")
                break
            ledger.vault.send("V_RESULT", order=ledger.vault.receive("V_RELEASE").order)
            ledger.broker.receive("RELEASED")
        else:
            raise AssertionError("the reserve has no end")
        assert ledger.vault.quiet()
        filler.unlink()
        time.sleep(1.5)  # it tries again by itself
        ledger.record(5, user="after")
        assert ledger.broker.receive("RECORDED").ref == 5
        ledger.room.stop()
        entries = ledger.verified()
        assert all(entries[n]["user"] == user for n, user in records.items())
        assert entries[-1]["user"] == "after"
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_audit_commands_while_it_writes(ledger, tmp_path):
    kept = None
    for i in range(1200):
        ledger.record(i, user=("alice", "bob")[i % 2], path=f"/in/{i % 7}/f", serial=0)
        ledger.broker.receive("RECORDED")
        if i % 300 == 150:
            ledger.cli("audit", "verify")
            kept = kept or ledger.cli("audit", "checkpoint").stdout
    (tmp_path / "kept").write_text(kept)
    time.sleep(0.3)
    assert "extends" in ledger.cli("audit", "verify", "--checkpoint", str(tmp_path / "kept")).stdout
    lines = ledger.cli("audit", "list", "--user", "alice", "--path", "/in/3", "--json").stdout.splitlines()
    assert lines and all(json.loads(x)["path"] == "/in/3/f" and json.loads(x)["user"] == "alice" for x in lines)
    assert len(ledger.cli("audit", "list", "--limit", "5").stdout.splitlines()) == 5
    assert ledger.cli("audit", "list", "--since", "2099-01-01").stdout == ""
    assert len(ledger.cli("audit", "list", "--since", "1h", "--event", "login").stdout.splitlines()) == 1200
    ledger.cli("audit", "list", "--event", "nonsense", expect=64)
    proof = ledger.cli("audit", "prove", "700").stdout
    assert verify_proof(proof.encode(), ledger.key_line)["n"] == 700
    (tmp_path / "proof").write_text(proof)
    assert json.loads(ledger.cli("audit", "check", str(tmp_path / "proof")).stdout)["n"] == 700
    (tmp_path / "proof").write_text(proof.replace("index 700", "index 701"))
    ledger.cli("audit", "check", str(tmp_path / "proof"), expect=2)
    with pytest.raises(Contradiction):
        verify_proof(proof.replace("index 700", "index 701").encode(), ledger.key_line)
    as_json = json.loads(ledger.cli("audit", "prove", "700", "--json").stdout)
    assert as_json["entry"]["n"] == 700 and as_json["index"] == 700
    ledger.room.stop()
    ledger.verified(kept.encode())


# ---- alarms: the courier, played ----


def alarms(ledger, first=0):
    """A courier that asks from that entry on."""
    courier = ledger.room.link("courier")
    courier.send("ALARMS_FROM", entry=first)
    return courier


def add_token(ledger, ref):
    ledger.record(ref=ref, event="token.added", user="alice", detail=pairs(name=f"t{ref}"))
    return ledger.broker.receive("RECORDED").entry


def test_alarms_are_told_when_they_are_durable(ledger):
    before = add_token(ledger, 1)
    courier = alarms(ledger)
    told = courier.receive("ALARM")
    assert told.entry == before and json.loads(told.json)["event"] == "token.added"
    courier.send("ALARM_TAKEN", entry=before)
    ledger.record(ref=2, event="login", user="alice")  # no kind of alarm
    ledger.broker.receive("RECORDED")
    after = add_token(ledger, 3)
    assert courier.receive("ALARM").entry == after
    ledger.room.kill()
    ledger.start()  # the courier did not say that it has `after`: whoever asks from there on hears of it
    courier = alarms(ledger, before + 1)
    told = courier.receive("ALARM")
    assert told.entry == after
    courier.send("ALARM_TAKEN", entry=after)
    ledger.room.stop()
    assert json.loads(told.json) == ledger.verified()[after]  # as it stands in the log


def test_a_courier_that_takes_nothing_costs_nothing(ledger):
    """Nothing waits for it, and it is told no more than a window of alarms until it has taken some."""
    courier = alarms(ledger)
    entries = [add_token(ledger, ref) for ref in range(100)]
    ledger.worker(7)
    ledger.release(ref=1000, serial=7)
    ledger.vault.send("V_RESULT", order=ledger.vault.receive("V_RELEASE").order)
    ledger.broker.receive("RELEASED")
    told = [courier.receive("ALARM").entry for _ in range(32)]
    assert told == entries[:32] and courier.quiet()
    courier.send("ALARM_TAKEN", entry=told[9])
    assert [courier.receive("ALARM").entry for _ in range(10)] == entries[32:42]
    assert courier.quiet()
    courier.here.close()
    ledger.release(ref=1001, serial=7)
    ledger.vault.send("V_RESULT", order=ledger.vault.receive("V_RELEASE").order)
    ledger.broker.receive("RELEASED")
    again = alarms(ledger, told[9] + 1)
    assert again.receive("ALARM").entry == entries[10]


def test_two_thousand_alarms_in_order(ledger):
    courier, got, sent = alarms(ledger), [], []
    for ref in range(2000):
        ledger.record(ref=ref, event="token.added" if ref % 2 else "logout", user="alice")
    for _ in range(2000):
        m = ledger.broker.receive("RECORDED")
        if m.ref % 2:
            sent.append(m.entry)
    while len(got) < len(sent):
        got.append(courier.receive("ALARM").entry)
        courier.send("ALARM_TAKEN", entry=got[-1])
    assert got == sent


COURIER_LIES = {
    "took what it was not sent": lambda c: c.send("ALARM_TAKEN", entry=2**64 - 1),
    "an event that is not its own": lambda c: c.send("ALARM_NOTE", event=EVENTS["login"], way="mail", text="x"),
    "a record": lambda c: c.send("RECORD", ref=1, event=EVENTS["login"]),
    "a release": lambda c: c.send("RELEASE", ref=1, event=EVENTS["file.read"], serial=7, wrap=wrap(1)),
    "too many notes": lambda c: [c.send("ALARM_NOTE", event=EVENTS["alarm.failing"], way="mail", text=f"{n}") for n in range(100)],
    "garbage": lambda c: c.send_raw(b"\0\xaa\0"),
}


@pytest.mark.parametrize("lie", COURIER_LIES)
def test_a_courier_that_lies(ledger, lie):
    """It is heard no more, and nothing that it had no right to say is in the log."""
    courier = alarms(ledger)
    try:
        COURIER_LIES[lie](courier)
    except BrokenPipeError:
        pass  # heard no more in the middle of it
    m = ledger.supervisor.receive("VIOLATION")
    assert m.serial == 0
    ledger.vault.quiet() and add_token(ledger, 5)
    ledger.room.stop()
    seen = [e["event"] for e in ledger.verified()]
    assert seen.count("alarm.failing") <= 65 and "login" not in seen and "file.read" not in seen


def test_notes_of_the_courier(ledger):
    courier = alarms(ledger)
    courier.send("ALARM_NOTE", event=EVENTS["alarm.undelivered"], way="mail", text="no route\r\n\x1b[2J")
    told = json.loads(courier.receive("ALARM").json)  # which is an alarm by itself: another way tells it
    assert told["event"] == "alarm.undelivered" and told["detail"] == {"way": "mail", "text": "no route\r\n\x1b[2J"}


def test_the_broker_cannot_speak_for_the_courier(ledger):
    ledger.record(ref=1, event="alarm.undelivered")
    assert ledger.supervisor.receive("VIOLATION").message == 100


# ---- decoys, rules, entries that somebody waits for ----

DECOY = bytes.fromhex("00112233445566778899aabbccddeeff")
LIST = ("file\t2026-11-26T05:41:00.000Z\tacme\t/in/2026 salaries.xlsx\t" + DECOY.hex() + "\n"
        "user\t2026-11-26T05:41:00.000Z\tacme\tsvc-archive\t-\n")


@pytest.fixture
def watcher(ledger, tmp_path):
    """A ledger that knows two decoys, and two workers."""
    (tmp_path / "decoys").write_text(LIST)
    ledger.room.file("DECOYS", tmp_path / "decoys")
    ledger.worker(7)
    ledger.worker(8, address="198.51.100.9:5")
    return ledger


def entry_of(ledger, n):
    """An entry of this number, as soon as a checkpoint has it."""
    for _ in range(100):
        entries = ledger.verified()
        if len(entries) > n:
            return entries[n]
        time.sleep(0.05)
    raise AssertionError(f"no checkpoint over entry {n}")


def all_told(ledger, serial, user, address="192.0.2.1:1000", number=0):
    said = []
    for s in (ledger.supervisor, ledger.broker):
        m = s.receive("DECOY_TOUCHED")
        assert (m.serial, m.user.decode(), m.address.decode()) == (serial, user, address)
        said.append(m.entry)
    assert said[0] == said[1]
    freeze = ledger.vault.receive("V_FREEZE")
    assert (freeze.entry, freeze.user, freeze.address.decode()) == (said[0], number, address)
    ledger.vault.send("V_RESULT", order=freeze.order)
    entry = entry_of(ledger, said[0])
    assert entry["event"] == "decoy.touched" and entry["sev"] == "alarm"
    return entry


def test_a_decoy_is_known_by_its_blob_whatever_the_broker_calls_it(watcher):
    watcher.release(1, 7, path="/harmless", file=99, version=98, org_name="other", user_name="bob", blob=DECOY)
    order = watcher.vault.receive("V_RELEASE")
    assert order.blob == DECOY
    watcher.vault.send("V_RESULT", order=order.order)
    assert all_told(watcher, 7, "bob", number=2)["detail"]["by"] == "file.read"
    watcher.broker.receive("RELEASED")


def test_a_decoy_is_known_by_its_path_and_by_the_folder_around_it(watcher):
    deeds = [("file.deleted", "/in/2026 salaries.xlsx", {}), ("file.replaced", "/in/2026 salaries.xlsx", {}),
             ("file.renamed", "/in/2026 salaries.xlsx", {"to": "/x"}), ("file.renamed", "/x", {"to": "/in/2026 salaries.xlsx"}),
             ("folder.deleted", "/in", {}), ("folder.renamed", "/in", {"to": "/y"}), ("folder.deleted", "/", {})]
    for ref, (event, path, detail) in enumerate(deeds, 1):
        watcher.record(ref, event, serial=8, user="mallory", org="acme", path=path, detail=pairs(**detail))
        watcher.broker.receive("RECORDED")
        assert all_told(watcher, 8, "mallory", "198.51.100.9:5")["detail"]["by"] == event


def test_a_decoy_user_is_known_by_name(watcher):
    for ref, event in enumerate(("login", "login.failed", "login.lockout"), 1):
        watcher.record(ref, event, serial=7, user="svc-archive")
        watcher.broker.receive("RECORDED")
        assert all_told(watcher, 7, "svc-archive")["detail"]["decoy"] == "user"


def test_what_touches_nothing(watcher):
    near = [("file.deleted", "acme", "/in/2026 salaries.xlsx.bak"), ("file.deleted", "other", "/in/2026 salaries.xlsx"),
            ("folder.deleted", "acme", "/i"), ("folder.created", "acme", "/in"), ("file.deleted", "acme", ""), ("login", "acme", "")]
    for ref, (event, org, path) in enumerate(near, 1):
        watcher.record(ref, event, serial=7, user="svc-archiv", org=org, path=path)
        watcher.broker.receive("RECORDED")
    watcher.record(90, "folder.deleted", serial=0, user="local:0", org="acme", path="/in")  # the operator's own
    watcher.broker.receive("RECORDED")
    watcher.worker(9, room=8, listener=2)
    watcher.release(91, 9, event="file.check", blob=DECOY)  # the scrubber, which has no network
    watcher.vault.send("V_RESULT", order=watcher.vault.receive("V_RELEASE").order)
    watcher.broker.receive("RELEASED")
    assert watcher.supervisor.quiet() and watcher.broker.quiet()
    assert not [e for e in watcher.verified() if e["event"] == "decoy.touched"]


def test_a_release_as_something_else_is_a_touch_all_the_same(watcher):
    """A stolen broker has other names for a reading."""
    watcher.worker(11, room=11)
    watcher.release(1, 11, event="upload.resumed", blob=DECOY)
    watcher.vault.send("V_RESULT", order=watcher.vault.receive("V_RELEASE").order)
    all_told(watcher, 11, "alice", number=2)


def test_a_new_list_takes_the_place_of_the_old(watcher, tmp_path):
    (tmp_path / "decoys").write_text("")
    watcher.room.file("DECOYS", tmp_path / "decoys")
    watcher.record(1, "login", serial=7, user="svc-archive")
    watcher.broker.receive("RECORDED")
    assert watcher.broker.quiet()


@pytest.mark.parametrize("event", ["decoy.touched", "decoy.planted", "decoy.removed", "lockdown", "lockdown.lifted", "lockdown.still"])
def test_what_the_broker_may_not_say(watcher, event):
    watcher.record(1, event, serial=7, user="alice")
    assert watcher.supervisor.receive("VIOLATION").err != 0


def test_a_notice_with_a_ref_is_answered_when_it_is_durable(ledger):
    ledger.supervisor.send("NOTICE", ref=5, event=EVENTS["lockdown.lifted"], room="supervisor", text="https; by user id 0")
    answer = ledger.supervisor.receive("NOTED")
    assert (answer.ref, answer.err) == (5, 0)
    assert entry_of(ledger, answer.entry)["event"] == "lockdown.lifted"
    ledger.supervisor.send("NOTICE", event=EVENTS["lockdown"], room="supervisor", text="https")
    assert ledger.supervisor.quiet()


def test_an_event_of_a_rule_is_told_and_others_are_not(tmp_path):
    ledger = Ledger(tmp_path, settings="LockdownOn login.failed file.read\n").start()
    try:
        ledger.worker(7)
        ledger.record(1, "login", serial=7, user="alice")
        ledger.broker.receive("RECORDED")
        assert ledger.supervisor.quiet()
        ledger.record(2, "login.failed", serial=7, user="alice")
        told = ledger.supervisor.receive("ALARM_RULE")
        assert told.event == EVENTS["login.failed"] and entry_of(ledger, told.entry)["event"] == "login.failed"
        ledger.broker.receive("RECORDED")
        ledger.release(3, 7)
        assert ledger.supervisor.receive("ALARM_RULE").event == EVENTS["file.read"]
    finally:
        ledger.room.kill()
