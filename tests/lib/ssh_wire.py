"""What SSH packets are made of, for lib/ssh.py: strings, ciphers, key exchange, keys and signatures.

Written from RFC 4251 to 4254, 5656, 8332, 8731 and OpenSSH's PROTOCOL files; the primitives are python3-cryptography's.
"""
import base64
import enum
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305


class Msg(enum.IntEnum):
    DISCONNECT = 1
    IGNORE = 2
    UNIMPLEMENTED = 3
    DEBUG = 4
    SERVICE_REQUEST = 5
    SERVICE_ACCEPT = 6
    EXT_INFO = 7
    NEWCOMPRESS = 8
    KEXINIT = 20
    NEWKEYS = 21
    ECDH_INIT = 30
    ECDH_REPLY = 31
    USERAUTH_REQUEST = 50
    USERAUTH_FAILURE = 51
    USERAUTH_SUCCESS = 52
    USERAUTH_BANNER = 53
    PK_OK_OR_INFO_REQUEST = 60
    INFO_RESPONSE = 61
    GLOBAL_REQUEST = 80
    REQUEST_SUCCESS = 81
    REQUEST_FAILURE = 82
    CHANNEL_OPEN = 90
    OPEN_CONFIRMATION = 91
    OPEN_FAILURE = 92
    WINDOW_ADJUST = 93
    CHANNEL_DATA = 94
    EXTENDED_DATA = 95
    CHANNEL_EOF = 96
    CHANNEL_CLOSE = 97
    CHANNEL_REQUEST = 98
    CHANNEL_SUCCESS = 99
    CHANNEL_FAILURE = 100


# ---- RFC 4251 section 5 ----

def u32(n):
    return struct.pack(">I", n)


def string(s):
    s = s.encode() if isinstance(s, str) else bytes(s)
    return u32(len(s)) + s


def mpint(n):
    return string(n.to_bytes(n.bit_length() // 8 + 1, "big") if n else b"")


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, n):
        assert self.at + n <= len(self.data), f"cut short: {self.data!r}"
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.take(1)[0]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def string(self):
        return self.take(self.u32())

    def text(self):
        return self.string().decode(errors="surrogateescape")

    def rest(self):
        return self.take(len(self.data) - self.at)


# ---- packet protection: one object a direction; open() raises BadTag ----

class BadTag(Exception):
    pass


class Clear:
    block, tag, apart = 8, 0, False

    def seal(self, seq, packet):
        return packet

    def length(self, seq, head):
        return struct.unpack(">I", head)[0]

    def open(self, seq, head, rest):
        return rest


class Gcm(Clear):
    block, tag, apart = 16, 16, True

    def __init__(self, key, iv, mac):
        self.aes, self.iv = AESGCM(key), iv

    def nonce(self):
        iv = self.iv
        self.iv = iv[:4] + ((int.from_bytes(iv[4:], "big") + 1) % 2**64).to_bytes(8, "big")
        return iv

    def seal(self, seq, packet):
        return packet[:4] + self.aes.encrypt(self.nonce(), packet[4:], packet[:4])

    def open(self, seq, head, rest):
        try:
            return self.aes.decrypt(self.nonce(), rest, head)
        except InvalidTag:
            raise BadTag from None


class ChaCha(Clear):
    block, tag, apart = 8, 16, True

    def __init__(self, key, iv, mac):
        self.body, self.head = key[:32], key[32:]

    @staticmethod
    def stream(key, seq, counter, data):
        nonce = struct.pack("<Q", counter) + struct.pack(">Q", seq)
        return Cipher(algorithms.ChaCha20(key, nonce), None).encryptor().update(data)

    def poly(self, seq, data):
        return Poly1305.generate_tag(self.stream(self.body, seq, 0, bytes(32)), data)

    def seal(self, seq, packet):
        wire = self.stream(self.head, seq, 0, packet[:4]) + self.stream(self.body, seq, 1, packet[4:])
        return wire + self.poly(seq, wire)

    def length(self, seq, head):
        return super().length(seq, self.stream(self.head, seq, 0, head))

    def open(self, seq, head, rest):
        if self.poly(seq, head + rest[:-16]) != rest[-16:]:
            raise BadTag
        return self.stream(self.body, seq, 1, rest[:-16])


class CtrEtm(Clear):
    block, apart = 16, True

    def __init__(self, key, iv, mac):
        both = Cipher(algorithms.AES(key), modes.CTR(iv))
        self.crypt, self.mac, self.tag = both.encryptor(), mac, len(mac)
        self.hash = {32: "sha256", 64: "sha512"}[len(mac)]

    def sum(self, seq, data):
        return hmac.digest(self.mac, u32(seq) + data, self.hash)

    def seal(self, seq, packet):
        wire = packet[:4] + self.crypt.update(packet[4:])
        return wire + self.sum(seq, wire)

    def open(self, seq, head, rest):
        if self.sum(seq, head + rest[:-self.tag]) != rest[-self.tag:]:
            raise BadTag
        return self.crypt.update(rest[:-self.tag])


class CtrLegacy(CtrEtm):
    """Encrypt-and-MAC: the length field is encrypted with the rest, the MAC is of the plaintext."""
    apart = False

    def seal(self, seq, packet):
        return self.crypt.update(packet) + self.sum(seq, packet)

    def length(self, seq, head):
        self.head = self.crypt.update(head)
        return super().length(seq, self.head)

    def open(self, seq, head, rest):
        body = self.crypt.update(rest[:-self.tag])
        if self.sum(seq, self.head + body) != rest[-self.tag:]:
            raise BadTag
        return body


# name: (class, bytes of key, bytes of IV)
CIPHERS = {
    "aes256-gcm@openssh.com": (Gcm, 32, 12), "aes128-gcm@openssh.com": (Gcm, 16, 12), "chacha20-poly1305@openssh.com": (ChaCha, 64, 0),
    "aes256-ctr": (CtrEtm, 32, 16), "aes128-ctr": (CtrEtm, 16, 16),
}
MACS = {"hmac-sha2-256-etm@openssh.com": 32, "hmac-sha2-512-etm@openssh.com": 64}
LEGACY_MACS = {"hmac-sha2-256": 32, "hmac-sha2-512": 64}  # only with LegacyMacs
KEXES = {"curve25519-sha256": "sha256", "curve25519-sha256@libssh.org": "sha256", "ecdh-sha2-nistp256": "sha256",
         "ecdh-sha2-nistp384": "sha384", "ecdh-sha2-nistp521": "sha512"}
HOST_KEYS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]
CURVES = {b"nistp256": ec.SECP256R1, b"nistp384": ec.SECP384R1, b"nistp521": ec.SECP521R1}
CURVE_HASH = {"nistp256": hashes.SHA256, "nistp384": hashes.SHA384, "nistp521": hashes.SHA512}
LISTS = ["kex", "host_key", "cipher_in", "cipher_out", "mac_in", "mac_out", "zip_in", "zip_out", "lang_in", "lang_out"]


class Curve25519:
    def __init__(self):
        self.private = x25519.X25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def agree(self, other):
        return int.from_bytes(self.private.exchange(x25519.X25519PublicKey.from_public_bytes(other)), "big")


class Nist:
    def __init__(self, name):
        self.private = ec.generate_private_key(CURVES[name]())
        self.public = self.private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)

    def agree(self, other):
        return int.from_bytes(self.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self.private.curve, other)), "big")


def verify(key, signature, data):
    """A host key's signature blob over data: raises InvalidSignature."""
    key, sig = Reader(key), Reader(signature)
    kind, algorithm = key.text(), sig.text()
    raw = sig.string()
    if kind == "ssh-ed25519":
        assert algorithm == kind
        ed25519.Ed25519PublicKey.from_public_bytes(key.string()).verify(raw, data)
    elif kind.startswith("ecdsa"):
        assert algorithm == kind
        curve = key.string()
        pair = Reader(raw)
        der = utils.encode_dss_signature(*(int.from_bytes(pair.string(), "big") for _ in range(2)))
        public = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[curve](), key.string())
        public.verify(der, data, ec.ECDSA(CURVE_HASH[curve.decode()]()))
    else:
        e, n = (int.from_bytes(key.string(), "big") for _ in range(2))
        digest = {"rsa-sha2-256": hashes.SHA256, "rsa-sha2-512": hashes.SHA512}[algorithm]()
        rsa.RSAPublicNumbers(e, n).public_key().verify(raw, data, padding.PKCS1v15(), digest)


class UserKey:
    """A user's private key: blob is its public half, sign() makes signature blobs."""

    def __init__(self, private, blob=None):
        self.private = private
        line = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        self.line = line.decode()
        self.blob = blob or base64.b64decode(line.split()[1])
        self.kind = self.line.split()[0]

    @classmethod
    def make(cls, kind="ed25519"):
        if kind == "ed25519":
            return cls(ed25519.Ed25519PrivateKey.generate())
        if kind.startswith("nistp"):
            return cls(ec.generate_private_key(CURVES[kind.encode()]()))
        return cls(rsa.generate_private_key(65537, int(kind)))  # an RSA key of so many bits

    @classmethod
    def load(cls, path):
        with open(path, "rb") as f:
            return cls(serialization.load_ssh_private_key(f.read(), None))

    @property
    def algorithm(self):
        return "rsa-sha2-512" if self.kind == "ssh-rsa" else self.kind

    def sign(self, data, algorithm=None):
        algorithm = algorithm or self.algorithm
        if self.kind == "ssh-ed25519":
            raw = self.private.sign(data)
        elif self.kind == "ssh-rsa":
            digest = {"rsa-sha2-256": hashes.SHA256, "rsa-sha2-512": hashes.SHA512, "ssh-rsa": hashes.SHA1}[algorithm]()
            raw = self.private.sign(data, padding.PKCS1v15(), digest)
        else:
            der = self.private.sign(data, ec.ECDSA(CURVE_HASH[self.kind.rpartition("-")[2]]()))
            raw = b"".join(map(mpint, utils.decode_dss_signature(der)))
        return string(algorithm) + string(raw)


class SkKey:
    """A security key (PROTOCOL.u2f) in software: present=False is one that nobody touched."""
    kind = algorithm = "sk-ssh-ed25519@openssh.com"

    def __init__(self, application="ssh:"):
        self.private = ed25519.Ed25519PrivateKey.generate()
        public = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.application = application
        self.blob = string(self.kind) + string(public) + string(application)
        self.line = f"{self.kind} {base64.b64encode(self.blob).decode()}"
        self.counter, self.flags = 0, 1

    def sign(self, data, algorithm=None):
        self.counter += 1
        tail = struct.pack(">BI", self.flags, self.counter)
        body = hashlib.sha256(self.application.encode()).digest() + tail + hashlib.sha256(data).digest()
        return string(self.kind) + string(self.private.sign(body)) + tail


class Closed(Exception):
    """The server has closed the connection; `disconnect` is what it said: (reason, text), or None."""

    def __init__(self, disconnect=None):
        super().__init__(disconnect)
        self.disconnect = disconnect

    @property
    def reason(self):
        return self.disconnect and self.disconnect.reason
