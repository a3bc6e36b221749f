"""An SSH client of which a test decides every byte: what no honest client would send, in every phase of a connection.

    with Ssh(port).to("auth") as c:
        c.send(bytes([Msg.USERAUTH_SUCCESS]))
        assert c.ended().reason == PROTOCOL_ERROR

Written from RFC 4251 to 4254, 5656, 8308, 8332, 8731 and OpenSSH's PROTOCOL files; the primitives are python3-cryptography's.
"""
import hashlib
import os
import select
import socket
import struct
import time
from collections import deque, namedtuple

from cryptography.exceptions import InvalidSignature

from lib.ssh_sftp import WINDOW, Channel, Sftp
from lib.ssh_wire import CIPHERS, KEXES, LEGACY_MACS, LISTS, MACS, BadTag, Clear, Closed, CtrEtm, CtrLegacy, Curve25519, Msg, Nist, Reader, mpint, string, u32, verify

PATIENCE = 30
PACKET_MAX = 262144  # packet_length that OpenSSH and we accept
STRICT, EXT_INFO = "kex-strict-c-v00@openssh.com", "ext-info-c"
STRICT_S = "kex-strict-s-v00@openssh.com"
PHASES = ["version", "kexinit", "kex", "newkeys", "auth", "prompt", "open", "channel", "sftp"]


PROTOCOL_ERROR, KEX_FAILED, MAC_ERROR = 2, 3, 5


Disconnect = namedtuple("Disconnect", "reason text")


class Ssh:
    """One connection.  to(phase) walks there in good manners; send() sends whatever it is given, in the keys of the moment."""

    def __init__(self, port, user="alice", password=None, key=None, cipher="aes256-gcm@openssh.com", mac="hmac-sha2-256-etm@openssh.com",
                 kex="curve25519-sha256", host_key="ssh-ed25519", strict=True, version=b"SSH-2.0-probe", source=None, rcvbuf=0,
                 host="127.0.0.1"):
        self.user, self.password, self.key = user, password, key
        self.lists = dict(kex=[kex, EXT_INFO] + [STRICT] * strict, host_key=[host_key], cipher_in=[cipher], cipher_out=[cipher], mac_in=[mac],
                          mac_out=[mac], zip_in=["none"], zip_out=["none"], lang_in=[], lang_out=[])
        self.client_version = version
        self.socket = socket.socket()
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.settimeout(PATIENCE)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((host, port))
        self.peer = "%s:%d" % self.socket.getsockname()
        self.buffer = b""
        self.out, self.inn = Clear(), Clear()
        self.out_seq = self.in_seq = 0
        self.session = None  # the first exchange hash
        self.strict = False  # agreed on
        self.pending = deque()
        self.methods, self.ext, self.banner = None, {}, b""
        self.phase = None
        self.last_seen = None  # the last DISCONNECT
        self.channel = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Close with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ---- bytes ----

    def write(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionError):
            raise Closed(self.last_words()) from None

    def fill(self):
        try:
            part = self.socket.recv(1 << 18)
        except ConnectionError:
            part = b""
        if not part:
            raise Closed(self.last_seen)
        self.buffer += part

    def read(self, n):
        if len(self.buffer) < n:
            parts, have = [self.buffer], len(self.buffer)
            self.buffer = b""
            while have < n:
                self.fill()
                parts.append(self.buffer)
                have += len(self.buffer)
                self.buffer = b""
            self.buffer = b"".join(parts)
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def quiet(self, seconds=0.3):
        """Nothing arrives for this long."""
        return not self.buffer and not self.pending and not select.select([self.socket], [], [], seconds)[0]

    # ---- packets ----

    def packet(self, payload, pad=None):
        """length | padding length | payload | padding, as it is before encryption."""
        if pad is None:
            pad = self.out.block - (5 - 4 * self.out.apart + len(payload)) % self.out.block
            pad += self.out.block if pad < 4 else 0
        return u32(1 + len(payload) + pad) + bytes([pad]) + payload + os.urandom(pad)

    def send(self, payload, pad=None, mangle=None):
        """Seal and send one packet; mangle: changes the bytes that go onto the wire."""
        self.send_packet(self.packet(payload, pad), mangle)

    def send_packet(self, packet, mangle=None):
        wire = self.out.seal(self.out_seq, packet)
        self.out_seq = (self.out_seq + 1) % 2**32
        self.write(mangle(wire) if mangle else wire)

    def recv_packet(self):
        """The next payload, whatever it is."""
        head = self.read(4)
        n = self.inn.length(self.in_seq, head)
        assert 5 <= n <= PACKET_MAX, f"the server sent packet_length {n}"
        assert (n + 4 * (not self.inn.apart)) % self.inn.block == 0, f"the server sent packet_length {n}"
        body = self.inn.open(self.in_seq, head, self.read(n + self.inn.tag))
        self.in_seq = (self.in_seq + 1) % 2**32
        pad = body[0]
        assert 4 <= pad < len(body), "the server's padding is too short or too long"
        payload = body[1:len(body) - pad]
        if payload[:1] == bytes([Msg.DISCONNECT]):
            r = Reader(payload, 1)
            self.last_seen = Disconnect(r.u32(), r.text())
            raise Closed(self.last_seen)
        return payload

    def recv(self):
        """The next payload that means something: EXT_INFO, banner, keepalives and the server's rekeying are dealt with."""
        while True:
            payload = self.pending.popleft() if self.pending else self.recv_packet()
            number = payload[0]
            if number in (Msg.IGNORE, Msg.DEBUG):
                continue
            if number == Msg.EXT_INFO:
                r = Reader(payload, 1)
                self.ext = {r.text(): r.text() for _ in range(r.u32())}
            elif number == Msg.USERAUTH_BANNER:
                self.banner += Reader(payload, 1).string()
            elif number == Msg.GLOBAL_REQUEST:
                r = Reader(payload, 1)
                r.string()
                if r.u8():
                    self.send(bytes([Msg.REQUEST_FAILURE]))
            elif number == Msg.KEXINIT and self.session:
                self.exchange(theirs=payload)
            elif number == Msg.WINDOW_ADJUST and self.channel:
                self.channel.peer_window += Reader(payload, 5).u32()
            else:
                return payload

    def expect(self, *numbers):
        payload = self.recv()
        assert payload[0] in numbers, f"{payload[:60]!r} instead of {numbers}"
        return payload

    def last_words(self):
        """Whatever still arrives, until the server closes: its DISCONNECT."""
        try:
            while True:
                self.recv_packet()
        except (Closed, BadTag, OSError, AssertionError):
            return self.last_seen

    def ended(self, seconds=PATIENCE):
        """The server ends the connection: what it said, as Closed.  Anything may arrive before.  No end in time: AssertionError."""
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                self.socket.settimeout(max(deadline - time.monotonic(), 0.01))
                self.recv_packet()
        except Closed as e:
            return e
        except TimeoutError:
            pass
        finally:
            if self.socket.fileno() >= 0:
                self.socket.settimeout(PATIENCE)
        raise AssertionError(f"the connection is still there after {seconds} s")

    # ---- the way in ----

    def to(self, phase):
        for step in PHASES[PHASES.index(self.phase) + 1 if self.phase else 0:PHASES.index(phase) + 1]:
            if step == "prompt" and phase != "prompt":
                continue
            getattr(self, "do_" + step)()
            self.phase = step
        return self

    def do_version(self):
        self.write(self.client_version + b"\r\n")
        while b"\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        self.server_version = line.rstrip(b"\r")
        assert self.server_version.startswith(b"SSH-2.0-"), line

    def kexinit(self, **lists):
        """A KEXINIT's payload; lists replace those that were set up."""
        first = lists.pop("first_follows", 0)
        words = {**self.lists, **lists}
        return bytes([Msg.KEXINIT]) + os.urandom(16) + b"".join(string(",".join(words[name])) for name in LISTS) + bytes([first]) + bytes(4)

    def do_kexinit(self, theirs=None, **lists):
        """Both KEXINITs: what each side would, and what is agreed on."""
        self.i_c = self.kexinit(**lists)
        self.send(self.i_c)
        while theirs is None:
            payload = self.recv_packet()
            if payload[0] == Msg.KEXINIT:
                theirs = payload
            else:
                assert self.session, f"{payload[:20]!r} before a KEXINIT"
                self.pending.append(payload)
        self.i_s = theirs
        r = Reader(theirs, 17)
        self.offered = dict(zip(LISTS, (r.text().split(",") for _ in LISTS)))
        r = Reader(self.i_c, 17)
        mine = dict(zip(LISTS, (r.text().split(",") for _ in LISTS)))
        self.agreed = {name: next((n for n in mine[name] if n in self.offered[name]), None) for name in LISTS}
        if self.session is None:
            self.strict = STRICT in mine["kex"] and STRICT_S in self.offered["kex"]

    def do_kex(self):
        """ECDH_INIT, ECDH_REPLY with its signature verified, and the server's NEWKEYS."""
        name = self.agreed["kex"]
        self.pair = Curve25519() if name.startswith("curve") else Nist(name.rpartition("-")[2].encode())
        self.send(bytes([Msg.ECDH_INIT]) + string(self.pair.public))
        r = Reader(self.take_kex(Msg.ECDH_REPLY), 1)
        self.host_key, q_s, self.host_signature = r.string(), r.string(), r.string()
        self.k = self.pair.agree(q_s)
        parts = [string(s) for s in (self.client_version, self.server_version, self.i_c, self.i_s, self.host_key, self.pair.public, q_s)]
        self.h = hashlib.new(KEXES[name], b"".join(parts) + mpint(self.k)).digest()
        try:
            verify(self.host_key, self.host_signature, self.h)
        except InvalidSignature:
            raise AssertionError("the host key's signature is wrong") from None
        assert Reader(self.host_signature).text() == self.agreed["host_key"]
        self.session = self.session or self.h
        assert self.take_kex(Msg.NEWKEYS) == bytes([Msg.NEWKEYS])
        self.inn = self.keys("cipher_out", "mac_out", "BDF")
        if self.strict:
            self.in_seq = 0

    def take_kex(self, number):
        while True:
            payload = self.recv_packet()
            if payload[0] == number:
                return payload
            assert self.phase not in (None, "version", "kexinit", "kex") and payload[0] >= 80, f"{payload[:20]!r} instead of {number}"
            self.pending.append(payload)

    def keys(self, cipher, mac, letters):
        kind, key, iv = CIPHERS[self.agreed[cipher]]

        def derive(letter, n):
            name = KEXES[self.agreed["kex"]]
            out = hashlib.new(name, mpint(self.k) + self.h + letter.encode() + self.session).digest()
            while len(out) < n:
                out += hashlib.new(name, mpint(self.k) + self.h + out).digest()
            return out[:n]

        mac_bytes = {**MACS, **LEGACY_MACS}[self.agreed[mac]] if kind is CtrEtm else 0
        if mac_bytes and self.agreed[mac] in LEGACY_MACS:
            kind = CtrLegacy
        return kind(derive(letters[1], key), derive(letters[0], iv), derive(letters[2], mac_bytes))

    def do_newkeys(self):
        self.send(bytes([Msg.NEWKEYS]))
        self.out = self.keys("cipher_in", "mac_in", "ACE")
        if self.strict:
            self.out_seq = 0

    def exchange(self, theirs=None, **lists):
        """A key exchange, the first or a later one."""
        self.do_kexinit(theirs, **lists)
        self.do_kex()
        self.do_newkeys()

    def do_auth(self):
        self.send(bytes([Msg.SERVICE_REQUEST]) + string("ssh-userauth"))
        self.expect(Msg.SERVICE_ACCEPT)

    # ---- who ----

    def request(self, user, method, rest=b"", service="ssh-connection"):
        return bytes([Msg.USERAUTH_REQUEST]) + string(user) + string(service) + string(method) + rest

    def answer(self):
        """The reply to an attempt: True, or the list of methods that can go on (self.partial: so far so good)."""
        payload = self.expect(Msg.USERAUTH_SUCCESS, Msg.USERAUTH_FAILURE)
        if payload[0] == Msg.USERAUTH_SUCCESS:
            return True
        r = Reader(payload, 1)
        self.methods = [m for m in r.text().split(",") if m]
        self.partial = bool(r.u8())
        return self.methods

    def try_none(self, user=None):
        self.send(self.request(self.user if user is None else user, "none"))
        return self.answer()

    def try_password(self, password, user=None):
        self.send(self.request(self.user if user is None else user, "password", b"\0" + string(password)))
        return self.answer()

    def ask_interactive(self, user=None):
        """Begin keyboard-interactive: the prompts, or None when it was refused."""
        self.send(self.request(self.user if user is None else user, "keyboard-interactive", string("") + string("")))
        return self.prompts()

    def prompts(self):
        payload = self.recv()
        if payload[0] != Msg.PK_OK_OR_INFO_REQUEST:
            self.pending.appendleft(payload)
            return None
        r = Reader(payload, 1)
        self.prompt_name, self.prompt_text = r.text(), r.text()
        r.string()
        return [(r.text(), bool(r.u8())) for _ in range(r.u32())]

    def respond(self, *answers):
        self.send(bytes([Msg.INFO_RESPONSE]) + u32(len(answers)) + b"".join(map(string, answers)))

    def try_interactive(self, *answers, user=None):
        """One answer a round; empty rounds are answered with nothing."""
        answers = list(answers)
        prompts = self.ask_interactive(user)
        while prompts is not None:
            self.respond(*[answers.pop(0) if answers else "" for _ in prompts])
            prompts = self.prompts()
        return self.answer()

    def key_request(self, user, key, algorithm=None, sign=True, session=None, signed_user=None, blob=None, signed_blob=None):
        """A publickey request's payload; what is signed may be something else than what is sent."""
        algorithm, blob = algorithm or key.algorithm, key.blob if blob is None else blob
        middle = string("ssh-connection") + string("publickey") + b"\1" + string(algorithm)
        if not sign:
            return self.request(user, "publickey", b"\0" + string(algorithm) + string(blob))
        signed = string(self.session if session is None else session) + bytes([Msg.USERAUTH_REQUEST])
        signed += string(user if signed_user is None else signed_user) + middle + string(blob if signed_blob is None else signed_blob)
        base = algorithm.replace("-cert-v01@openssh.com", "@openssh.com" if algorithm.startswith("sk-") else "")
        return self.request(user, "publickey", b"\1" + string(algorithm) + string(blob) + string(key.sign(signed, base)))

    def offer_key(self, key, user=None, algorithm=None, blob=None):
        """Would it do?  True (PK_OK) or the methods."""
        self.send(self.key_request(self.user if user is None else user, key, algorithm, sign=False, blob=blob))
        payload = self.recv()
        if payload[0] == Msg.PK_OK_OR_INFO_REQUEST:
            r = Reader(payload, 1)
            assert (r.text(), r.string()) == (algorithm or key.algorithm, key.blob if blob is None else blob), "PK_OK of another key"
            return True
        self.pending.appendleft(payload)
        return self.answer()

    def try_key(self, key, user=None, **how):
        self.send(self.key_request(self.user if user is None else user, key, **how))
        return self.answer()

    def do_prompt(self):
        assert self.ask_interactive() is not None, "keyboard-interactive is not offered"

    def do_open(self):
        got = self.try_key(self.key) if self.key else self.try_password(self.password)
        assert got is True, f"no login: {got}"

    # ---- the channel ----

    def open_request(self, kind="session", number=0, window=WINDOW, maximum=1 << 18, rest=b""):
        return bytes([Msg.CHANNEL_OPEN]) + string(kind) + u32(number) + u32(window) + u32(maximum) + rest

    def do_channel(self, **how):
        self.send(self.open_request(**how))
        self.channel = Channel(self, self.expect(Msg.OPEN_CONFIRMATION), how.get("window", WINDOW))

    def do_sftp(self):
        self.channel.request("subsystem", string("sftp"))
        self.sftp = Sftp(self.channel)

    def probe_not_in(self):
        """Not logged in: a channel is not opened, whatever else happens."""
        try:
            self.send(self.open_request())
            while True:
                assert self.recv_packet()[0] != Msg.OPEN_CONFIRMATION, "a channel was opened without a login"
        except Closed:
            pass
        except TimeoutError:
            raise AssertionError("neither refused nor closed") from None
