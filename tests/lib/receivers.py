"""Receivers of alarms on the loopback: a mail server with STARTTLS and a password, an HTTPS webhook, a syslog receiver over TLS.

Each keeps what it was given in `got`, and can be told to refuse (`refuse`) or to be slow (`delay`)."""
import base64
import datetime
import email
import email.policy
import hashlib
import hmac
import http.server
import ipaddress
import json
import re
import socket
import ssl
import threading
import time
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib.instance import free_ports


class Authority:
    """A certificate authority and certificates of it, in a folder."""

    def __init__(self, folder, name="alarm test authority"):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = self.sign(self.name, self.key.public_key(), True)
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(self.cert.public_bytes(serialization.Encoding.PEM))
        self.file.chmod(0o644)

    def sign(self, name, key, is_ca, names=()):
        now = datetime.datetime.utcnow()
        b = (x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key)
             .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
             .not_valid_after(now + datetime.timedelta(days=2))
             .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True))
        if names:
            b = b.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return b.sign(self.key, hashes.SHA256())

    def context(self, name="localhost"):
        """A server's TLS context with a certificate for that name and 127.0.0.1 (for localhost)."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name)] + ([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if name == "localhost" else [])
        cert = self.sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key(), False, names)
        path = self.folder / f"server-{id(key)}.pem"
        path.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


class Receiver:
    def __init__(self):
        self.got, self.refuse, self.delay, self.attempts = [], False, 0, 0

    def wait(self, condition, seconds=30):
        """Until condition(got) holds; returns got."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition(self.got):
                return self.got
            time.sleep(0.05)
        raise AssertionError(f"{type(self).__name__} has got {self.got}")

    def kinds(self):
        return [g["kind"] for g in list(self.got)]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class MailServer(Receiver):
    """aiosmtpd: STARTTLS and a login are needed before any mail."""

    USER, PASSWORD = "sallyport", "mail pass wörd"

    def __init__(self, context, port=0):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from aiosmtpd.controller import Controller
            from aiosmtpd.smtp import AuthResult
        outer = self

        def authenticate(server, session, envelope, mechanism, data):
            good = (data.login, data.password) == (outer.USER.encode(), outer.PASSWORD.encode())
            return AuthResult(success=good, handled=False)  # handled: the server then answers 535 by itself

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                import asyncio
                outer.attempts += 1
                if outer.delay:
                    await asyncio.sleep(outer.delay)
                if outer.refuse:
                    return "451 4.3.0 not now"
                mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
                outer.got.append({"kind": mail["X-Sallyport-Alarm"], "id": mail["Message-ID"], "mail": mail, "raw": envelope.content,
                                  "text": mail.get_content(), "from": envelope.mail_from, "to": envelope.rcpt_tos,
                                  "tls": session.ssl is not None, "user": session.authenticated, "helo": session.host_name})
                return "250 OK"

        self.controller = Controller(Handler(), hostname="127.0.0.1", port=port or free_port(), tls_context=context, require_starttls=True,
                                     authenticator=authenticate, auth_required=True, auth_require_tls=True)
        self.controller.start()
        self.port = self.controller.port

    def close(self):
        self.controller.stop()


def free_port():
    return free_ports(1)[0]


class Webhook(Receiver):
    def __init__(self, context, key, port=0):
        super().__init__()
        outer = self
        self.key = key

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.attempts += 1
                body = self.rfile.read(int(self.headers["content-length"]))
                if outer.delay:
                    time.sleep(outer.delay)
                if outer.refuse:
                    self.send_response(503)
                    self.end_headers()
                    return
                outer.got.append(outer.check(self.headers, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass

            def finish_request(self, request, address):
                super().finish_request(context.wrap_socket(request, server_side=True), address)

        self.server = Server(("127.0.0.1", port or free_port()), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def check(self, headers, body):
        """As Standard Webhooks says a receiver does it."""
        ident, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        mac = hmac.new(self.key, f"{ident}.{stamp}.".encode() + body, hashlib.sha256).digest()
        good = f"v1,{base64.b64encode(mac).decode()}" in headers["webhook-signature"].split(" ") and abs(time.time() - int(stamp)) < 60
        data = json.loads(body)
        return {"kind": data["data"]["kind"], "id": ident, "good": good, "data": data["data"], "type": data["type"],
                "content": headers["content-type"]}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Syslog(Receiver):
    """RFC 5425: octet-counted messages over TLS."""

    def __init__(self, context, port=0):
        super().__init__()
        self.context, self.listener = context, socket.create_server(("127.0.0.1", port or free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        self.attempts += 1
        raw.settimeout(10)
        try:
            with self.context.wrap_socket(raw, server_side=True) as s:
                data = b""
                while True:
                    part = s.recv(65536)
                    if not part:
                        break
                    data += part
        except OSError:
            return
        while data:
            length, _, data = data.partition(b" ")
            message, data = data[:int(length)], data[int(length):]
            self.got.append(syslog_parse(message))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # which ends the accept, too
        self.listener.close()


def syslog_parse(message):
    """RFC 5424 section 6."""
    m = re.fullmatch(rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-) (?:\xef\xbb\xbf)?(.*)", message, re.S)
    assert m, message
    text = m[8].decode()
    return {"kind": m[6].decode(), "priority": int(m[1]), "time": m[2].decode(), "host": m[3].decode(), "app": m[4].decode(), "text": text}
