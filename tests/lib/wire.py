"""A line between a client and a server: as slow as one likes, and it can be cut."""
import socket
import threading
import time

from lib.instance import free_ports


class Wire:
    """Listens on .port of the loopback and hands on to a port; rate: bytes a second towards the server, for each connection."""

    def __init__(self, to, rate):
        self.to, self.rate, self.ends, self.listener = to, rate, set(), None
        (self.port,) = free_ports(1)
        self.base = f"https://127.0.0.1:{self.port}"

    def mend(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def cut(self):
        """Every connection breaks, and no new one is taken."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in list(self.ends):
            self.end(s)

    def accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:  # the server is away
                near.close()
                continue
            self.ends |= {near, far}
            threading.Thread(target=self.copy, args=(near, far, self.rate), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near, None), daemon=True).start()

    def copy(self, source, to, rate):
        try:
            while data := source.recv(65536):
                to.sendall(data)
                if rate:
                    time.sleep(len(data) / rate)
        except OSError:
            pass
        self.end(source)
        self.end(to)

    def end(self, s):
        self.ends.discard(s)
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        s.close()

    def __enter__(self):
        self.mend()
        return self

    def __exit__(self, *_):
        self.cut()
