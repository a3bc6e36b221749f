"""SFTP clients that put, overwrite, rename, get and resume while processes die, and remember what they were told.

    with SftpLoad(server, key) as load:
        ...kill...
    load.check()

What was told is held to: CLOSE answered OK is there, whole; fsync@openssh.com answered OK is there to go on from; a rename has happened or
has not; what was never closed is not listed.
"""
import hashlib
import random
import threading
import time

from lib.ssh import Ssh
from lib.ssh_sftp import CREAT, NO_SUCH_FILE, READ, TRUNC, WRITE, Status
from lib.ssh_wire import Closed, string

SIZES = [0, 1, 5_000, 65_536, 65_537, 300_000, 1_500_000]
RESUMED = 900_000
PIECE = 32_768
SLOTS = 8


def digest(body):
    return hashlib.sha256(body).hexdigest()


class Partial:
    """An upload that was cut off: what it was to become, and how much of it is promised."""

    def __init__(self, body):
        self.body, self.promised, self.closing = body, 0, False


class Names:
    """What one client knows of its own names."""

    def __init__(self, prefix):
        self.prefix, self.number, self.resumed = prefix, 0, 0
        self.stored = {}  # name: digest that was acknowledged
        self.tried = {}  # name: digests that may be there, None: nothing may be
        self.moves = []  # (from, to, digest, digest of what was there before): renames that nobody answered
        self.partials = {}  # name: Partial

    def new(self, kind):
        self.number += 1
        return f"{self.prefix}-{kind}{self.number}"


class Promise(AssertionError):
    """What was acknowledged is not so."""


class SftpClient:
    """One thread: connects, works until the connection breaks, and connects again."""

    def __init__(self, load, names, seed):
        self.load, self.names, self.rng, self.done = load, names, random.Random(seed), 0
        self.thread = threading.Thread(target=self.run, name=names.prefix)

    def run(self):
        try:
            while not self.load.stop.is_set():
                try:
                    with self.load.connect() as c:
                        while not self.load.stop.is_set():
                            self.once(c.sftp)
                except (OSError, Closed):
                    time.sleep(0.02)
        except BaseException as e:  # told to whoever waits for the thread
            self.load.failures.append(f"{self.names.prefix}: {e!r}")

    def once(self, sftp):
        work = self.rng.choices([self.put, self.get, self.move, self.cut], [4, 3, 3, 2])[0]
        name = next((n for n in self.names.partials), None)
        try:
            if name is not None and self.rng.random() < 0.5:
                self.go_on(sftp, name)
            else:
                work(sftp)
        except Status:  # a room was away; what that means for the name is on record already
            time.sleep(0.02)

    def body(self):
        return self.rng.randbytes(self.rng.choice(SIZES))

    def replace(self, sftp, name, body):
        """Put, and count it as stored once CLOSE says so."""
        before = self.names.stored.pop(name, None)
        self.names.tried.setdefault(name, {None}).update({digest(body), before})
        sftp.put(name, body, PIECE)
        self.names.stored[name] = digest(body)
        self.done += 1

    def put(self, sftp):
        self.replace(sftp, f"{self.names.prefix}-f{self.rng.randrange(SLOTS)}", self.body())

    def get(self, sftp):
        if not self.names.stored:
            return
        name = self.rng.choice(sorted(self.names.stored))
        try:
            body = sftp.get(name, PIECE)
        except Status as e:
            if e.code == NO_SUCH_FILE:
                raise Promise(f"{name} is gone") from None
            raise
        if digest(body) != self.names.stored[name]:
            raise Promise(f"{name} is another")

    def move(self, sftp):
        """A new file takes the place of another, or a name that is free."""
        names, body = self.names, self.body()
        old, new = names.new("m"), f"{names.prefix}-r{self.rng.randrange(SLOTS)}"
        if new not in names.stored:
            new = names.new("r")
        self.replace(sftp, old, body)
        move = (old, new, names.stored.pop(old), names.stored.pop(new, None))
        names.moves.append(move)
        sftp.extended("posix-rename@openssh.com", string(old) + string(new))
        names.moves.pop()
        names.tried.pop(old)
        names.tried.setdefault(new, {None}).add(move[2])
        names.stored[new] = move[2]
        self.done += 1

    def cut(self, sftp):
        """An upload that is cut off behind an fsync, by us if by nobody else."""
        name, partial = self.names.new("p"), Partial(self.rng.randbytes(RESUMED))
        handle = sftp.open(name, WRITE | CREAT | TRUNC)
        self.names.partials[name] = partial
        self.write(sftp, handle, partial, 0, self.rng.randrange(RESUMED // 3, RESUMED))
        sftp.channel.ssh.reset()
        raise Closed(None)

    def write(self, sftp, handle, partial, at, end):
        synced = self.rng.randrange(at, end) if at < end else end
        while at < end:
            n = min(PIECE, end - at)
            sftp.write(handle, at, partial.body[at:at + n])
            at += n
            if synced is not None and at > synced:
                sftp.extended("fsync@openssh.com", string(handle))
                partial.promised, synced = at, None

    def go_on(self, sftp, name):
        """As reput does: from the size that the server has."""
        partial = self.names.partials[name]
        try:
            size = sftp.stat(name)["size"]
        except Status as e:
            if e.code != NO_SUCH_FILE:
                raise
            size = 0
        if size < partial.promised:  # the broker may not know yet that its last worker is gone
            if not self.load.eventually(lambda: self.size_of(name) >= partial.promised):
                raise Promise(f"{name}: {size} bytes of {partial.promised} that are promised")
            return
        handle = sftp.open(name, WRITE | (0 if size else CREAT | TRUNC))
        self.write(sftp, handle, partial, size, RESUMED)
        partial.closing = True
        sftp.close(handle)
        del self.names.partials[name]
        self.names.stored[name] = digest(partial.body)
        self.names.resumed += size > 0
        self.done += 1

    def size_of(self, name):
        with self.load.connect() as c:
            try:
                return c.sftp.stat(name)["size"]
            except Status:
                return -1


class SftpLoad:
    def __init__(self, server, key, before=None, clients=2):
        self.server, self.key, self.stop, self.failures = server, key, threading.Event(), []
        names = before.names if before else [Names(f"s{n}") for n in range(clients)]
        self.names = names
        self.clients = [SftpClient(self, n, random.random()) for n in names]

    def connect(self):
        c = Ssh(self.server.sftp_port, "alice", key=self.key)
        try:
            return c.to("sftp")
        except BaseException as e:
            c.close()
            if isinstance(e, AssertionError):  # a login that was refused since a room is away
                raise Closed(e) from None
            raise

    def eventually(self, check, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.stop.is_set():
            try:
                if check():
                    return True
            except (OSError, Closed):
                pass
            time.sleep(0.05)
        return self.stop.is_set()

    @property
    def acknowledged(self):
        return sum(c.done for c in self.clients)

    @property
    def resumed(self):
        """Of all that went before, too."""
        return sum(n.resumed for n in self.names)

    def __enter__(self):
        for c in self.clients:
            c.thread.start()
        return self

    def __exit__(self, *exception):
        self.stop.set()
        for c in self.clients:
            c.thread.join(90)
            assert not c.thread.is_alive()
        assert not self.failures or exception[0], self.failures

    # ---- afterwards, when all rooms are back ----

    def check(self):
        with self.connect() as c:
            listed = set(c.sftp.list("."))
            for names in self.names:
                self.check_files(c.sftp, names)
                self.check_moves(c.sftp, names)
                self.check_partials(c.sftp, names, listed)
            known = {n for names in self.names for n in [*names.stored, *names.tried, *names.partials]}
            odd = {n for n in listed if n.startswith("s") and n not in known}
            assert not odd, f"{odd} that nobody stored\n{self.server.log_tail()}"

    @staticmethod
    def found(sftp, name):
        try:
            return digest(sftp.get(name, 1 << 18))
        except Status as e:
            assert e.code == NO_SUCH_FILE, f"{name}: {e!r}"
            return None

    def check_files(self, sftp, names):
        doubtful = {n for move in names.moves for n in move[:2]}
        for name in [*names.stored, *names.tried]:
            if name in doubtful:
                continue
            have = self.found(sftp, name)
            if name in names.stored:
                assert have == names.stored[name], f"{name}: {have}\n{self.server.log_tail()}"
            else:
                assert have in names.tried[name], f"{name} is what nobody sent\n{self.server.log_tail()}"
        for name in list(names.tried):
            names.tried[name] = {names.stored[name]} if name in names.stored else names.tried[name]

    def check_moves(self, sftp, names):
        """All or nothing."""
        for old, new, what, before in names.moves:
            have = self.found(sftp, old), self.found(sftp, new)
            assert have in ((what, before), (None, what)), \
                f"{old} to {new}: {have}, not {what} instead of {before}\n{self.server.log_tail()}"
            for name, one in zip((old, new), have):
                names.tried[name] = {one}
                if one is not None:
                    names.stored[name] = one
        names.moves.clear()

    def check_partials(self, sftp, names, listed):
        """Kept and unseen; one whose CLOSE went unanswered may be whole instead."""
        for name, partial in list(names.partials.items()):
            if name in listed:
                assert partial.closing and self.found(sftp, name) == digest(partial.body), f"{name} is listed\n{self.server.log_tail()}"
                names.stored[name] = digest(partial.body)
                del names.partials[name]
                continue
            if not partial.promised:
                continue
            size = sftp.stat(name)["size"]
            assert size >= partial.promised, f"{name}: {size} of {partial.promised}\n{self.server.log_tail()}"
