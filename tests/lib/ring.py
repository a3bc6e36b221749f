"""Plays the other rooms against one room's binary: the messages of protocol.def over its sockets.

    room = Room("sallyport-ledger")
    broker = room.link("broker")
    room.file("LEDGER_DIR", path)
    room.go()
    broker.send("RELEASE", ref=1, ...)
    message = broker.receive("RELEASED")
"""
import array
import os
import re
import select
import socket
import struct
import subprocess
from pathlib import Path
from types import SimpleNamespace

TOP = Path(__file__).resolve().parents[2]
NUMBERS = {"u8": ">B", "u16": ">H", "u32": ">I", "u64": ">Q"}
FIXED = {"b16": 16, "b32": 32}
PATIENCE = 20


def _table():
    text = re.sub(r"/\*.*?\*/", "", (TOP / "src/ipc/protocol.def").read_text(), flags=re.S).replace("\\\n", " ")
    macros = dict(re.findall(r"#define (\w+)(?:\(F\))?[ \t]+(.*)", text))
    fields = lambda body: re.findall(r"F\((\w+), (\w+), [^)]*\)", re.sub(r"(IPC_[A-Z]+)\(F\)", lambda m: macros[m.group(1)], body))
    rows = re.findall(r"^IPC_MSG\((\d+), (\w+), (\w+),", text, re.M)
    return {NAME: (int(number), fields(macros[f"IPC_FIELDS_{name}"])) for number, NAME, name in rows}


MESSAGES = _table()
NAMES = {number: name for name, (number, _) in MESSAGES.items()}
ROOMS = {name: int(index) for name, index in re.findall(r"^ROOM\(\w+,\s*([\w-]+),\s*(\d+)", (TOP / "src/ipc/rooms.def").read_text(), re.M)}


def _files():
    body = re.search(r"enum ipc_file\w* \{(.*?)\}", (TOP / "src/ipc/ipc.h").read_text(), re.S).group(1)
    return {name: i + 1 for i, name in enumerate(re.findall(r"FILE_(\w+)", re.sub(r"/\*.*?\*/", "", body, flags=re.S)))}


FILES = _files()


def events():
    """{name: number} of events.def."""
    return {name: int(number) for number, name in re.findall(r'EVENT\(\w+,\s*(\d+),\s*"([^"]+)"', (TOP / "src/ipc/events.def").read_text())}


def encode(message, /, **values):
    number, fields = MESSAGES[message]
    out = struct.pack(">H", number)
    for kind, field in fields:
        value = values.pop(field, None)
        if kind in NUMBERS:
            out += struct.pack(NUMBERS[kind], value or 0)
        elif kind in FIXED:
            out += (value or b"").ljust(FIXED[kind], b"\0")
        else:
            value = value.encode() if isinstance(value, str) else value or b""
            out += struct.pack(">I", len(value)) + value
    assert not values, f"{message} has no fields {list(values)}"
    return out


def decode(packet):
    name = NAMES[struct.unpack_from(">H", packet)[0]]
    at, values = 2, {}
    for kind, field in MESSAGES[name][1]:
        if kind in NUMBERS:
            values[field] = struct.unpack_from(NUMBERS[kind], packet, at)[0]
            at += struct.calcsize(NUMBERS[kind])
            continue
        size = FIXED.get(kind)
        if size is None:
            size = struct.unpack_from(">I", packet, at)[0]
            at += 4
        values[field] = packet[at : at + size]
        at += size
    assert at == len(packet), name
    if "name" in values:
        values["name_"] = values.pop("name")
    return SimpleNamespace(name=name, **values)


def pairs(**values):
    """RECORD's detail."""
    out = b""
    for key, value in values.items():
        value = value if isinstance(value, bytes) else str(value).encode()
        out += struct.pack(">B", len(key)) + key.encode() + struct.pack(">H", len(value)) + value
    return out


class Socket:
    def __init__(self):
        self.here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def send_raw(self, packet, fd=None):
        rights = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.here.sendmsg([packet], rights)

    def send(self, message, /, fd=None, **values):
        self.send_raw(encode(message, **values), fd)

    def receive(self, *names, seconds=PATIENCE):
        """The next message, which must be one of names (any, if none are given); None when the peer has closed."""
        ready, _, _ = select.select([self.here], [], [], seconds)
        assert ready, f"nothing arrived within {seconds} s (waiting for {names})"
        try:
            packet = self.here.recv(100000)
        except ConnectionResetError:
            packet = b""
        message = decode(packet) if packet else None
        assert not names or (message.name if message else None) in names, f"{message} instead of {names}"
        return message

    def quiet(self, seconds=0.3):
        """Nothing arrives for this long."""
        return not select.select([self.here], [], [], seconds)[0]

    def close(self):
        self.here.close()
        self.there.close()


class Room:
    """One process of a room, with this test as its supervisor and its peers."""

    def __init__(self, binary, env=None):
        self.supervisor = Socket()
        self.sockets = [self.supervisor]
        there = self.supervisor.there.fileno()
        self.process = subprocess.Popen([str(binary)], pass_fds=[3], preexec_fn=lambda: os.dup2(there, 3), env=env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.supervisor.there.close()

    def link(self, room):
        s = Socket()
        self.sockets.append(s)
        self.supervisor.send("LINK", fd=s.there.fileno(), room=ROOMS[room])
        s.there.close()
        return s

    def file(self, what, path, flags=os.O_RDONLY):
        fd = os.open(path, flags)
        self.supervisor.send("FILE", fd=fd, what=FILES[what], name=str(path))
        os.close(fd)

    def go(self):
        self.supervisor.send("GO", generation=1)

    def stop(self, deadline_ms=10000):
        """End it in order; its standard error."""
        self.supervisor.send("STOP", deadline_ms=deadline_ms)
        for s in self.sockets[1:]:
            s.here.close()
        return self.ended()

    def kill(self):
        self.process.kill()
        return self.ended(expect=None)

    def ended(self, expect=0):
        _, text = self.process.communicate(timeout=PATIENCE)
        for s in self.sockets:
            s.close()
        assert expect is None or self.process.returncode == expect, text
        return text
