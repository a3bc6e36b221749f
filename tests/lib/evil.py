"""A taken-over worker: the test runs system calls of its choice inside the jailed process (tests/hostile/evil.c).

    with evil_instance(identity) as server, Evil(server) as w:
        w.login(token)
        assert w.ask("OPEN", path="/Home/bob/x").name == "FAILED"
        w.dies("openat", AT_FDCWD, b"/etc/passwd\\0", 0)
"""
import collections
import contextlib
import itertools
import json
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time

import pytest

from lib.instance import PASSWORD, Instance, binary
from lib.ring import ROOMS, TOP, decode, encode

ORDER = struct.Struct("=IIQ7Q")
FACTS, CALL, PEEK, FLOOD, COMPAT, JUMP, THREADS, SPIN = range(1, 9)
# the scratch memory: arguments, and what recvmsg(2) needs
BUFFER, CONTROL, HEADER = 1 << 19, 3 << 18, 7 << 17
PACKET = 100000
SECONDS = 20


def _numbers():
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], capture_output=True, text=True,
                          check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)$", text, re.M)}


NR = _numbers()


def _rooms(text):
    """The rooms of a set in protocol.def, by their names in rooms.def; sets of the doors' rooms are spelled out."""
    names = set(re.findall(r"R_(\w+)", text))
    for several, one in (("WORKERS", "WORKER_"), ("GATES", "GATE_")):
        if several in names:
            names = names - {several} | {n for n in (room.upper().replace("-", "_") for room in ROOMS) if n.startswith(one)}
    return names


def _rules():
    """(name, senders, receivers, phase, [(type, field, maximum)]) of every row of protocol.def."""
    text = re.sub(r"/\*.*?\*/", "", (TOP / "src/ipc/protocol.def").read_text(), flags=re.S).replace("\\\n", " ")
    macros = dict(re.findall(r"#define (\w+)(?:\(F\))?[ \t]+(.*)", text))
    greatest = {"UINT64_MAX": 2**64 - 1, "INT64_MAX": 2**63 - 1, "UINT32_MAX": 2**32 - 1, "INT32_MAX": 2**31 - 1, "UINT16_MAX": 2**16 - 1}
    out = []
    for name, low, senders, receivers, phase in re.findall(r"^IPC_MSG\(\d+, (\w+), (\w+), ([^,]+), ([^,]+), (\w+), \d\)", text, re.M):
        body = re.sub(r"(IPC_[A-Z]+)\(F\)", lambda m: macros[m.group(1)], macros[f"IPC_FIELDS_{low}"])
        fields = [(kind, field, greatest.get(top) if top in greatest else int(top))
                  for kind, field, top in re.findall(r"F\((\w+), (\w+), (\w+)\)", body)]
        out.append(Rule(name, _rooms(senders), _rooms(receivers), phase, fields))
    return out


AUTH = {name: i for i, name in enumerate(re.findall(r"SSH_AUTH_(\w+)", re.search(r"enum ssh_auth_state \{(.*?)\}", (TOP / "src/ipc/ipc.h").read_text(), re.S).group(1)))}
Rule = collections.namedtuple("Rule", "name senders receivers phase fields")
RULES = _rules()


def may_send(rule, room, worker="WORKER_HTTPS"):
    """May a worker of this door send that to that room?"""
    return bool(rule.senders & {worker, "EVERY"}) and bool(rule.receivers & {room.upper().replace("-", "_"), "EVERY"})


def filled(rule, least=False):
    """The message with every field at its limit."""
    values = {}
    for kind, field, top in rule.fields:
        if kind in ("str", "blob", "secret"):
            values[field] = b"" if least else b"x" * top
        elif kind in ("b16", "b32"):
            values[field] = b"\xff" * int(kind[1:])
        else:
            values[field] = 0 if least else top
    return encode(rule.name, **values)


def beyond(rule):
    """The message with one field past its limit, for each field that has one."""
    for kind, field, top in rule.fields:
        if kind in ("str", "blob", "secret"):
            yield field, encode(rule.name, **{field: b"x" * (top + 1)})
        elif kind in ("u8", "u16", "u32", "u64") and top + 1 < 1 << int(kind[1:]):
            yield field, encode(rule.name, **{field: top + 1})


class Gone(Exception):
    """The worker's process has ended."""


class Closed(Exception):
    """The room at the other end has closed its socket."""


_sources = itertools.count(1)


def fresh_source():
    """An address of the loopback that few have used: what becomes of workers is recorded one by one up to a rate for each address, and
    for so many addresses a minute (supervisor/crashes.c)."""
    n = next(_sources) // 10
    return f"127.66.{n // 250 % 250}.{n % 250 + 1}"


class Evil:
    def __init__(self, server, port=None, source=None):
        """source: the address that it comes from; else one that nobody has used."""
        self.server = server
        self.socket = socket.create_connection(("127.0.0.1", port or server.port), timeout=60, source_address=(source or fresh_source(), 0))
        self.peer = "%s:%d" % self.socket.getsockname()
        self.socket.sendall(b"X")
        self.order(FACTS)
        facts = struct.unpack(f"={len(ROOMS) + 2}q", self.take(8 * (len(ROOMS) + 2)))
        self.scratch, self.connection = facts[0], facts[-1]
        self.fd = {name: facts[1 + index] for name, index in ROOMS.items()}
        self.fds = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def take(self, size):
        out = b""
        while len(out) < size:
            try:
                part = self.socket.recv(size - len(out))
            except ConnectionError:
                part = b""
            if not part:
                raise Gone(self.peer)
            out += part
        return out

    def start(self, op, *args, data=b"", at=0):
        """An order whose answer is not awaited."""
        args = [a & 0xFFFFFFFFFFFFFFFF for a in args] + [0] * (7 - len(args))
        try:
            self.socket.sendall(ORDER.pack(op, len(data), at, *args) + data)
        except ConnectionError:
            raise Gone(self.peer) from None

    def order(self, op, *args, data=b"", at=0):
        self.start(op, *args, data=data, at=at)
        return struct.unpack("=q", self.take(8))[0]

    def peek(self, at, size):
        self.order(PEEK, at, size)
        return self.take(size)

    def call(self, name, *args):
        """A system call; bytes are put into its memory and their address is given. The result, or -errno."""
        data, values = b"", []
        for a in args:
            if isinstance(a, (bytes, bytearray)):
                values.append(self.scratch + len(data))
                data += a + bytes(-len(a) % 16)
            else:
                values.append(a)
        number = NR[name] if isinstance(name, str) else name
        return self.order(CALL, number, *values, data=data)

    # ---- its sockets ----

    def send(self, room, packet, extra=0):
        return self.call("sendto", self.fd[room], packet, len(packet), socket.MSG_NOSIGNAL | extra, 0, 0)

    def readable(self, room, seconds):
        return self.call("poll", struct.pack("=ihh", self.fd[room], select.POLLIN, 0), 1, int(seconds * 1000)) == 1

    def receive(self, room, seconds=SECONDS):
        """The next packet, None when there is none in time; its descriptors join self.fds."""
        if not self.readable(room, seconds):
            return None
        base = self.scratch
        vector = struct.pack("=QQ", base + BUFFER, PACKET)
        header = struct.pack("=QIIQQQQi4x", 0, 0, 0, base + HEADER + 64, 1, base + CONTROL, 64, 0)
        size = self.order(CALL, NR["recvmsg"], self.fd[room], base + HEADER, socket.MSG_CMSG_CLOEXEC,
                          data=header.ljust(64, b"\0") + vector, at=HEADER)
        if size <= 0:
            raise Closed(room)
        control, = struct.unpack("=Q", self.peek(HEADER + 40, 8))
        if control:
            self.fds.append(struct.unpack_from("=i", self.peek(CONTROL, 20), 16)[0])
        return self.peek(BUFFER, size)

    def ask(self, message, /, **values):
        """One request of the broker and its reply."""
        self.send("broker", encode(message, **values))
        return self.reply()

    def reply(self):
        packet = self.receive("broker")
        assert packet is not None, "the broker does not answer"
        return decode(packet)

    def key(self, seconds=SECONDS):
        packet = self.receive("vault", seconds)
        return packet and decode(packet)

    def login(self, token):
        reply = self.ask("LOGIN_TOKEN", token=token)
        assert reply.name == "PRINCIPAL", reply
        return self

    def gone(self):
        """Wait for the end of its process."""
        try:
            self.take(1)
        except Gone:
            return True
        return False


METHOD, HOST_KEY = 1, 1  # curve25519-sha256, ssh-ed25519: enum ssh_kex_method, enum ssh_host_key
SERVER_VERSION = re.search(r'#define SSH_VERSION_STRING "(.*?)"', (TOP / "src/ipc/ipc.h").read_text()).group(1).encode()


class EvilSftp(Evil):
    """The SFTP door's: it can ask the signer for its one signature, and the broker for logins."""

    def __init__(self, server, source=None):
        super().__init__(server, server.sftp_port, source)

    def ask_signer(self, message, /, **values):
        self.send("signer", encode(message, **values))
        packet = self.receive("signer")
        assert packet is not None, "the signer does not answer"
        return decode(packet)

    def inputs(self, **other):
        """Of an exchange hash, all of them this worker's choice but the cookie, which the signer drew."""
        keys = self.ask_signer("SSH_KEYS_GET")
        lists = bytes(10 * 4 + 5)
        values = dict(method=METHOD, host_key=HOST_KEY, v_c=b"SSH-2.0-evil", v_s=SERVER_VERSION, i_c=b"\x14" + bytes(16) + lists, i_s=b"\x14" + keys.cookie + lists,
                      q_c=b"c" * 32, q_s=b"s" * 32, k=b"k" * 32)
        return {**values, **other}

    def kex(self, **other):
        """The signer's answer to an exchange."""
        return self.ask_signer("SSH_KEX", **self.inputs(**other))

    def vouched(self, **other):
        """With a session identifier that the broker knows."""
        reply = self.kex(**other)
        assert reply.name == "SSH_SIGNATURE" and reply.err == 0, reply
        self.session = reply.hash
        return self

    def login(self, name, password=PASSWORD):
        reply = self.vouched().ask("LOGIN_SECRET", user=name, kind=0, secret=password, algorithms="evil", agent="evil")
        assert reply.name == "SSH_AUTH" and reply.state == AUTH["DONE"], reply
        return self


def ends(audit, w, room, packet, about):
    """It says this, is heard no more, and that is on record."""
    try:
        w.send(room, packet)
        with pytest.raises((Gone, Closed)):
            while True:
                assert w.receive(room) is not None, f"{about}: nothing happened"
        assert w.gone()
    except Gone:
        pass
    audit.expect(w.peer, "worker.violation", f"seen by {room}" if room != "supervisor" else "", about)


class Following:
    """What the audit log must hold at the end of the block: an event and a text for a connection's address."""

    def __init__(self, server):
        self.server, self.wanted = server, []

    def __enter__(self):
        self.first = self.server.audit()[-1]["n"]
        return self

    def expect(self, peer, event, text="", about=None):
        self.wanted.append((peer, event, text, about))

    def missing(self):
        seen = [e for e in self.server.audit() if e["n"] > self.first]
        held = {(e.get("addr"), e["event"]): "" for e in seen}
        for e in seen:
            held[e.get("addr"), e["event"]] += json.dumps(e)
        return [w for w in self.wanted if w[2] not in held.get((w[0], w[1]), "") or (w[0], w[1]) not in held]

    def tail(self):
        last = [e for e in self.server.audit() if e["n"] > self.first and "addr" not in e]
        return f"of no address: {last}\n{self.server.log_tail()}"

    def __exit__(self, kind, value, trace):
        deadline = time.monotonic() + SECONDS
        while kind is None and self.missing():
            assert time.monotonic() < deadline, f"not in the audit log: {self.missing()}\n{self.tail()}"
            time.sleep(0.1)


class EvilMessenger(Evil):
    """A messenger whose call `listener` answers.  Its job has been given to it; the courier waits for the result."""

    def __init__(self, server, listener):
        self.server = server
        listener.settimeout(60)
        self.socket, address = listener.accept()
        self.peer = "%s:%d" % address
        self.socket.settimeout(60)
        self.socket.sendall(b"X")
        self.order(FACTS)
        facts = struct.unpack(f"={len(ROOMS) + 2}q", self.take(8 * (len(ROOMS) + 2)))
        self.scratch, self.connection = facts[0], facts[-1]
        self.fd = {name: facts[1 + index] for name, index in ROOMS.items()}
        self.fds = []


@contextlib.contextmanager
def evil_instance(identity, broker=False, **settings):
    """A server whose workers and messengers can be taken over, and the broker too if wanted. It must stop cleanly and its audit log must verify."""
    real = binary()
    rooms = real.parent if (real.parent / "sallyport-broker").exists() else real.parent.parent / "libexec/sallyport"
    build = next(p for p in real.parents if (p / "tests/hostile/evil_worker").exists())
    instance = Instance(identity, settings=settings, sftp=True)
    programs = instance.temp / "programs"
    programs.mkdir()
    programs.chmod(0o755)
    for program in [real, *rooms.glob("sallyport-*")]:
        shutil.copy(program, programs / program.name)
    shutil.copy(build / "tests/hostile/evil_worker", programs / "sallyport-worker-https")
    shutil.copy(build / "tests/hostile/evil_worker_sftp", programs / "sallyport-worker-sftp")
    shutil.copy(build / "tests/hostile/evil_messenger", programs / "sallyport-messenger")
    if broker:
        shutil.copy(build / "tests/hostile/evil_broker", programs / "sallyport-broker")
    before = dict(os.environ)
    os.environ["SALLYPORT_BIN"] = str(programs / "sallyport")
    try:
        with instance as server:
            yield server
    finally:
        os.environ.clear()
        os.environ.update(before)
