"""sallyport witness: another machine remembers what it saw of the audit log, so that it cannot be written anew."""
import base64
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lib.instance import binary, free_ports

DASH = "\u2014 "


class Witness:
    def __init__(self, identity, folder):
        self.identity, self.dir = identity, folder / "witness"
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = self.run("init", self.dir, "--name", "witness.example/w1").stdout.strip()
        self.process = None

    def run(self, *args, check=True):
        done = subprocess.run(self.identity.command([binary(), "witness", *args]), capture_output=True, text=True, timeout=60, cwd="/")
        assert not check or done.returncode == 0, done
        return done

    def start(self):
        self.process = subprocess.Popen(self.identity.command([binary(), "witness", "serve", self.dir, "--listen", f"127.0.0.1:{self.port}"]),
                                        stderr=subprocess.PIPE, cwd="/")
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.05)
        raise AssertionError("the witness does not listen")

    def end(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def ask(self, body, target="/add-checkpoint", method="POST", length=None):
        """A request by hand: status, headers, body."""
        body = body.encode() if isinstance(body, str) else body
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as s:
            s.sendall(f"{method} {target} HTTP/1.1\r\nHost: w\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body)
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode().lower(), rest.decode()


@pytest.fixture
def both(fresh, tmp_path):
    fresh.init()
    fresh.start()
    folder = fresh.temp / "other-machine"
    folder.mkdir()
    os.chown(folder, fresh.identity.uid, fresh.identity.uid) if os.geteuid() == 0 else None
    witness = Witness(fresh.identity, folder).start()
    try:
        yield fresh, witness
    finally:
        witness.end()


def push(server, witness, check=True):
    return server.run("witness", "push", "--to", witness.url, "--witness", witness.key, check=check)


def checkpoint(server, at_least=0):
    """The newest checkpoint, when it covers so many entries: text and size."""
    for _ in range(200):
        note = server.run("audit", "checkpoint").out
        if int(note.split("\n")[1]) >= at_least:
            return note, int(note.split("\n")[1])
        time.sleep(0.1)
    raise AssertionError("no new checkpoint")


def grow(server, name):
    before = checkpoint(server)[1]
    server.add_user(name)
    return checkpoint(server, before + 1)


def test_pushed_and_cosigned(both):
    server, witness = both
    refused = push(server, witness, check=False)
    assert refused.code == 69 and "add-log" in refused.err
    witness.run("add-log", witness.dir, server.dir / "keys/ledger.pub")
    checkpoint(server, 3)
    push(server, witness)
    grow(server, "alice")
    push(server, witness)
    push(server, witness)  # nothing new is no error
    grow(server, "bob")
    push(server, witness)
    out = server.run("audit", "verify", "--witness", witness.key).out
    assert re.search(r"witness.example/w1 cosigned \d+ entries at 20\d\d-", out), out
    report = server.run("verify", "--json", "--witness", witness.key).json()
    assert "checkpoint" not in {p["part"] for p in report["parts"]}
    # the cosignature by the text of C2SP tlog-cosignature, with nothing of ours
    note = witness.run("show", witness.dir, "sallyport").stdout
    assert note == next((server.dir / "cosigned").iterdir()).read_text()
    body, _, signatures = note.partition("\n\n")
    name, _, encoded = next(l for l in signatures.splitlines() if l.startswith(f"{DASH}witness.example/w1 ")).removeprefix(DASH).partition(" ")
    blob = base64.b64decode(encoded)
    vkey_name, key_id, key = witness.key.split("+", 2)
    key = base64.b64decode(key)
    assert name == vkey_name and key[0] == 4
    assert blob[:4].hex() == key_id == hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex()
    at = int.from_bytes(blob[4:12], "big")
    assert abs(at - time.time()) < 120
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[12:], f"cosignature/v1\ntime {at}\n{body}\n".encode())


def test_what_c2sp_says_is_refused(both):
    server, witness = both
    note, size = checkpoint(server, 3)
    assert witness.ask(f"old 0\n\n{note}")[0] == 404  # an origin that was not added
    witness.run("add-log", witness.dir, server.dir / "keys/ledger.pub")
    forged = note[:-10] + ("A" if note[-10] != "A" else "B") + note[-9:]
    assert witness.ask(f"old 0\n\n{forged}")[0] == 403
    assert witness.ask(f"old {size + 1}\n\n{note}")[0] == 400
    assert witness.ask(f"old 00\n\n{note}")[0] == 400
    assert witness.ask(f"old 0\n{note}")[0] == 400
    assert witness.ask("x")[0] == 400
    assert witness.ask("")[0] == 411
    status, head, body = witness.ask(f"old 1\n\n{note}")
    assert (status, body) == (409, "0\n") and "text/x.tlog.size" in head
    proof = base64.b64encode(bytes(32)).decode()
    assert witness.ask(f"old 0\n{proof}\n\n{note}")[0] == 422
    assert witness.ask(f"old 0\n\n{note}", method="GET")[0] == 405
    assert witness.ask(f"old 0\n\n{note}", target="/other")[0] == 404
    assert witness.ask("", length=140000)[0] == 413
    status, _, cosigned = witness.ask(f"old 0\n\n{note}", target="/prefix/add-checkpoint")
    assert status == 200 and cosigned.startswith(DASH + "witness.example/w1 ") and cosigned.endswith("\n")
    assert witness.ask(f"old 0\n\n{note}")[::2] == (409, f"{size}\n")
    newer, more = grow(server, "alice")
    assert witness.ask(f"old {size}\n{proof}\n\n{newer}")[0] == 422
    assert witness.ask(f"old {size}\n\n{note}")[0] == 200  # the same again
    witness.end()  # what it said it remembers
    witness.start()
    assert witness.ask(f"old 0\n\n{newer}")[::2] == (409, f"{size}\n")


def test_a_slow_client_does_not_stop_the_others(both):
    server, witness = both
    with socket.create_connection(("127.0.0.1", witness.port)) as s:
        s.sendall(b"POST /add-checkpoint HTTP/1.1\r\n")
        assert witness.ask("x")[0] == 400  # after its ten seconds


def test_a_log_that_is_cut_and_written_anew(both):
    """The whole server is owned: keys, log and what it keeps of the witness. The witness was not."""
    server, witness = both
    witness.run("add-log", witness.dir, server.dir / "keys/ledger.pub")
    server.stop()
    old = server.temp / "old"
    for name in ("ledger", "db"):
        shutil.copytree(server.dir / name, old / name)
    owner = {p: (p.stat().st_uid, p.stat().st_gid) for p in (server.dir / "ledger", server.dir / "db")}
    server.start()
    grow(server, "thief")
    push(server, witness)
    kept = witness.run("show", witness.dir, "sallyport").stdout
    seen = int(kept.split("\n")[1])
    server.stop()
    for name in ("ledger", "db"):  # back to before the theft
        shutil.rmtree(server.dir / name)
        shutil.copytree(old / name, server.dir / name)
        for p in (server.dir / name, *(server.dir / name).rglob("*")):
            os.chown(p, *owner[server.dir / name])
    server.run("audit", "verify")  # by itself the log is sound
    cut = push(server, witness, check=False)
    assert cut.code == 2 and "it was cut" in cut.err
    assert server.run("audit", "verify", "--witness", witness.key, check=False).code == 2
    server.start()
    for i in range(seen):  # and grown again, past what was witnessed
        if checkpoint(server)[1] > seen + 1:
            break
        grow(server, f"innocent{i}")
    anew = push(server, witness, check=False)
    assert anew.code == 2 and "written anew" in anew.err
    assert server.run("audit", "verify", "--witness", witness.key, check=False).code == 2
    shutil.rmtree(server.dir / "cosigned")  # the cosignature is taken away: then there is none
    gone = server.run("audit", "verify", "--witness", witness.key, check=False)
    assert gone.code == 2 and "cosigned" in gone.err
    theirs = server.temp / "theirs"  # what the other machine has
    theirs.write_text(kept)
    theirs.chmod(0o644)
    assert server.run("audit", "verify", "--checkpoint", theirs, check=False).code == 2
    assert witness.run("show", witness.dir, "sallyport").stdout == kept
