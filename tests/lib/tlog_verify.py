#!/usr/bin/python3
"""An independent verifier of the audit log, written from the texts of C2SP tlog-tiles, tlog-checkpoint, signed-note
and tlog-proof and of RFC 6962 section 2.1, and from nothing else of Sallyport.

    tlog_verify.py LEDGER_FOLDER VERIFIER_KEY_FILE [KEPT_CHECKPOINT]

Every entry is hashed; every tile of every level is computed from the entries and compared; the root must be the one that
the Ed25519 signature covers. Exit status 1 and one line on the first contradiction.
"""
import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256


class Contradiction(Exception):
    pass


def need(condition, sentence):
    if not condition:
        raise Contradiction(sentence)


# RFC 6962, section 2.1


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes):
    """MTH over a list of leaf (or subtree) hashes: split at the largest power of two below their number."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(tree_hash(hashes[:k]), tree_hash(hashes[k:]))


# signed-note, tlog-checkpoint


def decode64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as e:
        raise Contradiction(f"not base64: {text}") from e
    need(base64.b64encode(raw).decode() == text, f"not canonical base64: {text}")
    return raw


class VerifierKey:
    """<name>+<key id in hex>+<base64 of 0x01 || public key>"""

    def __init__(self, line):
        self.name, key_id, rest = line.strip().split("+", 2)
        raw = decode64(rest)
        need(raw[:1] == b"\x01" and len(raw) == 33, "the verifier key is not Ed25519")
        self.key_id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        need(self.key_id.hex() == key_id, "the key id is not that of name and key")
        self.public = Ed25519PublicKey.from_public_bytes(raw[1:])


class Checkpoint:
    def __init__(self, note, key):
        need(isinstance(note, bytes), "bytes are wanted")
        try:
            note = note.decode()
        except UnicodeDecodeError as e:
            raise Contradiction("the note is not UTF-8") from e
        need(not any(ord(c) < 0x20 and c != "\n" for c in note), "the note has control characters")
        text, separator, signatures = note.rpartition("\n\n")
        need(separator and signatures.endswith("\n"), "the note has no signatures")
        text += "\n"
        verified = 0
        for line in signatures[:-1].split("\n"):
            need(line.startswith("\u2014 "), f"not a signature line: {line}")
            name, _, encoded = line[2:].partition(" ")
            signature = decode64(encoded)
            if name != key.name or signature[:4] != key.key_id:
                continue
            try:
                key.public.verify(signature[4:], text.encode())
            except InvalidSignature as e:
                raise Contradiction("the checkpoint's signature is wrong") from e
            verified += 1
        need(verified, "no signature by the known key")
        lines = text[:-1].split("\n")
        need(len(lines) >= 3 and all(lines), "the note is not a checkpoint")
        need(lines[0] == key.name, f"the origin is {lines[0]}, not {key.name}")
        need(lines[1].isascii() and lines[1].isdigit() and str(int(lines[1])) == lines[1], f"not a size: {lines[1]}")
        self.origin, self.size, self.root = lines[0], int(lines[1]), decode64(lines[2])
        need(len(self.root) == 32, "the root hash has not 32 bytes")


# tlog-tiles


def resource(level, index, width):
    digits = f"{index:03d}"
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    path = "/".join(["x" + p for p in parts[:-1]] + parts[-1:])
    return f"tile/{level}/{path}" + (f".p/{width}" if width != WIDTH else "")


def widths(size, level):
    """(index, width) of every tile of a level for a tree of that size."""
    count = size // WIDTH**level
    for index in range(count // WIDTH):
        yield index, WIDTH
    if count % WIDTH:
        yield count // WIDTH, count % WIDTH


def split_bundle(raw, width, path):
    entries, at = [], 0
    while at < len(raw):
        need(at + 2 <= len(raw), f"{path}: it is cut off")
        n = int.from_bytes(raw[at : at + 2], "big")
        need(at + 2 + n <= len(raw), f"{path}: an entry is cut off")
        entries.append(raw[at + 2 : at + 2 + n])
        at += 2 + n
    need(len(entries) == width, f"{path}: {len(entries)} entries instead of {width}")
    return entries


class Log:
    def __init__(self, folder, key_line):
        self.folder, self.key = Path(folder), VerifierKey(key_line)

    def read(self, path):
        try:
            return (self.folder / path).read_bytes()
        except OSError as e:
            raise Contradiction(f"{path}: {e.strerror}") from e

    def verify(self, kept=None):
        """All of it; kept: the bytes of an older checkpoint.  Returns the entries, parsed."""
        while True:
            signed = self.read("checkpoint")
            try:
                return self.verify_at(signed, kept)
            except Contradiction:
                if self.read("checkpoint") == signed:
                    raise  # else it grew while it was read, and the partial tiles of then are gone

    def verify_at(self, signed, kept=None):
        self.checkpoint = Checkpoint(signed, self.key)
        size = self.checkpoint.size
        entries, hashes = [], []
        for index, width in widths(size, 0):
            path = resource("entries", index, width)
            bundle = split_bundle(self.read(path), width, path)
            entries += bundle
            hashes += [leaf_hash(e) for e in bundle]
        self.leaves, level, row = hashes, 0, hashes
        while row:
            for index, width in widths(size, level):
                path = resource(level, index, width)
                need(self.read(path) == b"".join(row[index * WIDTH : index * WIDTH + width]), f"{path}: not the hashes of what is below it")
            row = [tree_hash(row[i : i + WIDTH]) for i in range(0, len(row) // WIDTH * WIDTH, WIDTH)]
            level += 1
        need(tree_hash(hashes) == self.checkpoint.root, "the root hash is not the signed one")
        if kept is not None:
            old = Checkpoint(kept, self.key)
            need(old.size <= size, f"the log has {size} entries, the kept checkpoint {old.size}")
            need(tree_hash(hashes[: old.size]) == old.root, "the kept checkpoint is of another log")
        self.raw = entries
        self.entries = [self.parse(n, e) for n, e in enumerate(entries)]
        return self.entries

    @staticmethod
    def parse(n, raw):
        try:
            entry = json.loads(raw.decode())
        except ValueError as e:
            raise Contradiction(f"entry {n} is not JSON") from e
        need(isinstance(entry, dict) and entry.get("n") == n, f"entry {n} says that it is entry {entry.get('n')}")
        need(len(base64.urlsafe_b64decode(entry["salt"] + "==")) == 16, f"entry {n} has no salt of 16 bytes")
        return entry


# tlog-proof; the path is folded as RFC 9162 section 2.1.3.2 tells


def verify_proof(text, key_line):
    """The entry that a c2sp.org/tlog-proof@v1 text proves."""
    key = VerifierKey(key_line)
    head, separator, note = text.partition(b"\n\n")
    need(separator, "the proof has no checkpoint")
    lines = head.decode().split("\n")
    need(lines[0] == "c2sp.org/tlog-proof@v1", "not a tlog-proof")
    need(lines[1].startswith("extra "), "the proof carries no entry")
    entry = decode64(lines[1][6:])
    need(lines[2].startswith("index "), "the proof has no index")
    index, path = int(lines[2][6:]), [decode64(h) for h in lines[3:]]
    checkpoint = Checkpoint(note, key)
    need(index < checkpoint.size, "the index is past the checkpoint")
    fn, sn, r = index, checkpoint.size - 1, leaf_hash(entry)
    for p in path:
        need(sn != 0, "the proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the proof is too short")
    need(r == checkpoint.root, "the proof does not lead to the root")
    return json.loads(entry)


def main(argv):
    try:
        log = Log(argv[1], Path(argv[2]).read_text())
        entries = log.verify(Path(argv[3]).read_bytes() if len(argv) > 3 else None)
    except Contradiction as e:
        print(f"tlog_verify: {e}", file=sys.stderr)
        return 1
    print(f"{log.key.name}: {len(entries)} entries verified")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
