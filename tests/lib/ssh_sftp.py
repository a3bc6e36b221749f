"""A channel of lib/ssh.py's connection, and SFTP version 3 on it, packet by packet."""
import enum
import struct

from lib.ssh_wire import Closed, Msg, Reader, string, u32

WINDOW = 1 << 30

class Channel:
    """The connection's channel: a stream with windows."""

    def __init__(self, ssh, confirmation, window):
        r = Reader(confirmation, 5)
        self.ssh, self.peer, self.peer_window, self.packet_max = ssh, r.u32(), r.u32(), r.u32()
        self.first_window = self.peer_window
        self.window = window
        self.input, self.errors = b"", b""
        self.eof = self.closed = False
        self.status = None

    def message(self, number, rest=b""):
        return bytes([number]) + u32(self.peer) + rest

    def request(self, kind, rest=b"", reply=True, check=True):
        """A channel request; True when it was granted."""
        self.ssh.send(self.message(Msg.CHANNEL_REQUEST, string(kind) + bytes([reply]) + rest))
        if not reply:
            return None
        while True:
            payload = self.ssh.recv()
            if payload[0] in (Msg.CHANNEL_SUCCESS, Msg.CHANNEL_FAILURE):
                break
            self.take(payload)
        assert not check or payload[0] == Msg.CHANNEL_SUCCESS, f"{kind} was refused: {self.errors!r}"
        return payload[0] == Msg.CHANNEL_SUCCESS

    def take(self, payload):
        number, r = payload[0], Reader(payload, 5)
        if number == Msg.CHANNEL_DATA:
            data = r.string()
            self.window -= len(data)
            assert self.window >= 0, "the server overran our window"
            self.input += data
        elif number == Msg.EXTENDED_DATA:
            r.u32()
            data = r.string()
            self.window -= len(data)
            self.errors += data
        elif number == Msg.CHANNEL_EOF:
            self.eof = True
        elif number == Msg.CHANNEL_CLOSE:
            self.closed = True
        elif number == Msg.CHANNEL_REQUEST:
            if r.text() == "exit-status":
                r.u8()
                self.status = r.u32()
        else:
            raise AssertionError(f"{payload[:40]!r} on the channel")
        if self.window < WINDOW // 2 and self.grows:
            self.grow(WINDOW // 2)

    grows = True

    def grow(self, n):
        self.ssh.send(self.message(Msg.WINDOW_ADJUST, u32(n)))
        self.window += n

    def send(self, data, piece=None):
        """Data within the server's window, in packets of what it takes."""
        at = 0
        while at < len(data):
            n = min(len(data) - at, piece or self.packet_max, self.peer_window)
            if n == 0:
                before = self.peer_window
                payload = self.ssh.recv_packet()
                if payload[0] == Msg.WINDOW_ADJUST:
                    self.peer_window += Reader(payload, 5).u32()
                elif payload[0] == Msg.KEXINIT:
                    self.ssh.exchange(theirs=payload)
                else:
                    self.take(payload)
                assert self.peer_window >= before
                continue
            self.ssh.send(self.message(Msg.CHANNEL_DATA, string(data[at:at + n])))
            self.peer_window -= n
            at += n

    def read(self, n):
        while len(self.input) < n:
            if self.closed or self.eof:
                raise Closed(None)
            self.take(self.ssh.recv())
        out, self.input = self.input[:n], self.input[n:]
        return out

    def finish(self):
        """All that comes until the server closes the channel; the exit status."""
        while not self.closed:
            self.take(self.ssh.recv())
        return self.status


class Fx(enum.IntEnum):
    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, NO_CONNECTION, CONNECTION_LOST, UNSUPPORTED = range(9)
READ, WRITE, APPEND, CREAT, TRUNC, EXCL = 1, 2, 4, 8, 16, 32


class Status(Exception):
    def __init__(self, code, text):
        super().__init__(code, text)
        self.code, self.text = code, text


class Sftp:
    """SFTP version 3 on a channel, packet by packet."""

    def __init__(self, channel, version=3):
        self.channel, self.next = channel, 1
        self.packet(bytes([Fx.INIT]) + u32(version))
        r = Reader(self.recv())
        assert r.u8() == Fx.VERSION
        self.version, self.extensions = r.u32(), {}
        while r.at < len(r.data):
            name = r.text()
            self.extensions[name] = r.string()

    def packet(self, body):
        self.channel.send(string(body))

    def recv(self):
        return self.channel.read(struct.unpack(">I", self.channel.read(4))[0])

    def ask(self, kind, body=b""):
        """Send a request; its number."""
        self.next += 1
        self.packet(bytes([kind]) + u32(self.next) + body)
        return self.next

    def reply(self):
        """(number of the request, type, Reader behind it)"""
        r = Reader(self.recv())
        kind = r.u8()
        return r.u32(), kind, r

    def call(self, kind, body=b"", want=Fx.STATUS):
        """One request and its reply, of the type that is wanted; a STATUS that is not OK is raised."""
        n = self.ask(kind, body)
        got, answer, r = self.reply()
        assert got == n, "the reply to another request"
        if answer == Fx.STATUS:
            code, text = r.u32(), r.text()
            if code != OK or want != Fx.STATUS:
                raise Status(code, text)
            return text
        assert answer == want, f"{answer} instead of {want}"
        return r

    def extended(self, name, body=b"", want=Fx.STATUS):
        return self.call(Fx.EXTENDED, string(name) + body, want)

    def open(self, path, flags=READ, attrs=u32(0)):
        return self.call(Fx.OPEN, string(path) + u32(flags) + attrs, Fx.HANDLE).string()

    def close(self, handle):
        return self.call(Fx.CLOSE, string(handle))

    def read(self, handle, offset, n):
        return self.call(Fx.READ, string(handle) + struct.pack(">QI", offset, n), Fx.DATA).string()

    def write(self, handle, offset, data):
        return self.call(Fx.WRITE, string(handle) + struct.pack(">Q", offset) + string(data))

    def realpath(self, path="."):
        r = self.call(Fx.REALPATH, string(path), Fx.NAME)
        assert r.u32() == 1
        return r.text()

    def stat(self, path):
        return attributes(self.call(Fx.STAT, string(path), Fx.ATTRS))

    def list(self, path):
        """All names of a folder."""
        handle, names = self.call(Fx.OPENDIR, string(path), Fx.HANDLE).string(), []
        try:
            while True:
                r = self.call(Fx.READDIR, string(handle), Fx.NAME)
                for _ in range(r.u32()):
                    names.append(r.text())
                    r.string()
                    attributes(r)
        except Status as e:
            if e.code != EOF:
                raise
        self.close(handle)
        return names

    def mkdir(self, path):
        return self.call(Fx.MKDIR, string(path) + u32(0))

    def remove(self, path):
        return self.call(Fx.REMOVE, string(path))

    def rename(self, old, new):
        return self.call(Fx.RENAME, string(old) + string(new))

    def put(self, path, data, piece=32768):
        handle = self.open(path, WRITE | CREAT | TRUNC)
        for at in range(0, len(data), piece):
            self.write(handle, at, data[at:at + piece])
        self.close(handle)

    def get(self, path, piece=32768):
        handle, out = self.open(path), b""
        try:
            while True:
                out += self.read(handle, len(out), piece)
        except Status as e:
            if e.code != EOF:
                raise
        self.close(handle)
        return out


def attributes(r):
    """SFTP's ATTRS as a dictionary."""
    flags, out = r.u32(), {}
    if flags & 1:
        out["size"] = struct.unpack(">Q", r.take(8))[0]
    if flags & 2:
        out["uid"], out["gid"] = r.u32(), r.u32()
    if flags & 4:
        out["mode"] = r.u32()
    if flags & 8:
        out["atime"], out["mtime"] = r.u32(), r.u32()
    if flags & 0x80000000:
        for _ in range(r.u32()):
            name = r.text()
            out[name] = r.string()
    return out
