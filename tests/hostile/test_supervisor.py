"""The real supervisor, and every room taken over: the test plays all of them (relay.c)."""
import array
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
from lib.instance import binary
from lib.ring import FILES, ROOMS, TOP, decode, encode, events

ONE = ["ledger", "vault", "signer", "broker", "gate-https", "gate-sftp", "courier"]
POOL = ["authenticator", "worker-https", "worker-sftp", "scrubber"]
SECONDS = 15
FILE_NAMES = {number: name for name, number in FILES.items()}
ROOM_NAMES = {number: name for name, number in ROOMS.items()}


def supervisor_binary():
    beside = binary().parent / "sallyport-supervisor"
    return beside if beside.exists() else binary().parent.parent / "libexec/sallyport/sallyport-supervisor"


class Player:
    """One process that the supervisor started, in our hands."""

    def __init__(self, connection):
        self.socket = connection
        self.room, self.pid = None, None
        self.messages, self.closed, self.ready, self.fds = [], False, False, []

    def hello(self):
        """Its first words; the supervisor may have ended it before it could say them."""
        try:
            name, pid = self.socket.recv(200).decode().rsplit(" ", 1)
            self.room, self.pid = name.removeprefix("sallyport-"), int(pid)
        except (ConnectionResetError, ValueError):
            self.closed = True

    def send_raw(self, packet, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([packet], rights)

    def send(self, message, /, fds=(), **values):
        self.send_raw(encode(message, **values), fds)

    def take(self):
        try:
            packet, rights, _, _ = self.socket.recvmsg(100000, 64)
        except ConnectionResetError:
            packet, rights = b"", []
        for _, _, data in rights:
            self.fds += struct.unpack(f"{len(data) // 4}i", data)
        if not packet:
            self.closed = True
            self.drop()
            return None
        self.messages.append(decode(packet))
        return self.messages[-1]

    def of(self, name):
        return [m for m in self.messages if m.name == name]

    def drop(self):
        """What a process was given goes with it."""
        while self.fds:
            os.close(self.fds.pop())

    def end(self):
        self.drop()
        self.socket.close()


class Stage:
    def __init__(self, instance):
        self.instance, self.players, self.late = instance, [], set()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def __enter__(self):
        self.instance.sftp = True
        self.instance.init()
        self.instance.set("WorkerStart", "exec")  # what is played here starts as a program: test_template.py
        programs = self.instance.temp / "programs"
        programs.mkdir()
        programs.chmod(0o755)
        subprocess.run(["cc", "-O1", "-o", programs / "relay", TOP / "tests/hostile/relay.c"], check=True)
        for room in ONE + POOL:
            os.link(programs / "relay", programs / f"sallyport-{room}")
        shutil.copy(supervisor_binary(), programs / "sallyport-supervisor")
        path = str(self.instance.dir / "stage.sock")
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(100)
        log = open(self.instance.log_path, "ab")
        self.instance.process = subprocess.Popen(
            self.instance.identity.command([programs / "sallyport-supervisor", self.instance.dir]), stdout=log, stderr=log,
            env=self.instance.env, cwd="/", start_new_session=True)
        log.close()
        return self

    def __exit__(self, *exception):
        for p in self.players:
            p.end()
        self.listener.close()

    def step(self, seconds):
        """Take what has arrived; a room that gets GO says READY unless the test holds it back."""
        ready, _, _ = select.select([self.listener] + [p.socket for p in self.players if not p.closed], [], [], seconds)
        if self.listener in ready:
            self.players.append(Player(self.listener.accept()[0]))
        for p in self.players:
            if p.socket in ready and p.room is None:
                p.hello()
            elif p.socket in ready:
                m = p.take()
                if m and m.name == "GO" and p.room not in self.late:
                    self.say_ready(p)

    def say_ready(self, player):
        try:
            player.send("READY", landlock_abi=7, note="played")
            player.ready = True
        except OSError:
            pass  # ended in the meantime

    def until(self, what, check, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        while True:
            found = check()
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.instance.log_tail()}"
            self.step(0.05)

    def quiet(self, seconds=0.3):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step(0.02)

    def all(self, room):
        return [p for p in self.players if p.room == room and not p.closed]

    def one(self, room):
        return self.until(f"a {room}", lambda: next((p for p in self.all(room) if p.ready), None))

    def up(self):
        """Every room is ready, and the gate has its idle workers."""
        for room in ONE:
            self.one(room)
        self.until("idle workers", lambda: len([m for m in self.one("gate-https").of("WORKER_NEW")]) >= 2)
        return self

    def killed(self, player):
        self.until(f"the end of {player.room}", lambda: player.closed)

    def notices(self, event):
        number = events()[event]
        return [m for p in self.players if p.room == "ledger" for m in p.of("NOTICE") if m.event == number]

    def stop(self):
        """Rooms say nothing to STOP but end: the supervisor ends with 0."""
        self.instance.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 60
        while self.instance.process.poll() is None:
            assert time.monotonic() < deadline, self.instance.log_tail()
            self.step(0.05)
            for p in self.players:
                if not p.closed and p.of("STOP"):
                    p.closed = True
                    os.kill(p.pid, signal.SIGKILL)
        code = self.instance.process.returncode
        self.instance.process = None
        assert code == 0, self.instance.log_tail()


@pytest.fixture
def stage(fresh):
    with Stage(fresh) as s:
        yield s
    assert "AddressSanitizer" not in fresh.log() and "runtime error" not in fresh.log(), fresh.log_tail(100)


def test_wiring(stage):
    """Each process gets exactly the sockets and files of its row, and GO only after those it needs."""
    stage.late = {"ledger"}
    stage.until("all rooms", lambda: sum(len(stage.all(r)) for r in ONE) == len(ONE))
    stage.quiet()
    assert [p.room for p in stage.players if p.of("GO")] == ["ledger"]
    stage.late = set()
    stage.say_ready(stage.all("ledger")[0])
    stage.up()
    for room in ("scrubber", "authenticator", "worker-sftp"):
        stage.until(f"a {room}", lambda: any(p.ready for p in stage.all(room)))
    files = {
        "ledger": {"CONF", "LEDGER_KEY", "LEDGER_DIR", "DECOYS"},
        "vault": {"CONF", "ROOT_KEY", "ROOT_RECOVERY", "VAULT_STATE", "VAULT_EGRESS", "LIMITS"},
        "signer": {"CONF", "TLS_KEY", "SSH_ED25519", "SSH_ECDSA", "SSH_RSA"},
        "broker": {"CONF", "DATABASE_DIR", "BLOB_DIR", "CONTROL_SOCKET", "SCANNER"},
        "gate-https": {"CONF"},
        "gate-sftp": {"CONF"},
        "authenticator": {"CONF"},
        "worker-https": {"CONF", "CERTIFICATE", "SCANNER"},
        "worker-sftp": {"CONF"},
        "scrubber": {"CONF"},
        "courier": {"CONF", "COURIER_DIR", "ALARM_CA"},
    }
    links = {
        "ledger": {"vault", "broker", "courier"},
        "vault": {"ledger"},
        "signer": {"broker"},
        "broker": {"ledger", "signer", "courier", "gate-https", "gate-sftp"},
        "gate-https": {"broker"},
        "gate-sftp": {"broker"},
        "authenticator": {"broker", "vault"},
        "worker-https": {"broker", "vault", "signer", "gate-https"},
        "worker-sftp": {"broker", "vault", "signer", "gate-sftp"},
        "scrubber": {"broker", "vault"},
        "courier": {"ledger", "broker"},
    }
    for p in stage.players:
        if p.ready:
            assert {FILE_NAMES[m.what] for m in p.of("FILE")} == files[p.room], p.room
            assert {ROOM_NAMES[m.room] for m in p.of("LINK")} == links[p.room], p.room
    listeners = {room: [m.listener for p in stage.all(room) for m in p.of("LISTENER")] for room in ("gate-https", "gate-sftp")}
    assert listeners == {"gate-https": [0, 1], "gate-sftp": [0]}
    stage.stop()


@pytest.mark.parametrize("door", ["https", "sftp"])
def test_registration(stage, door):
    """A worker is known to ledger, broker, signer and vault under a number of its own before the gate has it."""
    gate = f"gate-{door}"
    stage.up()
    stage.until("idle workers", lambda: stage.one(gate).of("WORKER_NEW"))
    serials = [m.serial for m in stage.one(gate).of("WORKER_NEW")]
    assert {m.room for m in stage.one(gate).of("WORKER_NEW")} == {ROOMS[f"worker-{door}"]}
    assert len(set(serials)) == len(serials)
    stage.quiet()
    for room, message in (("ledger", "WORKER_REGISTER"), ("broker", "WORKER_NEW"), ("signer", "WORKER_NEW"), ("vault", "WORKER_NEW")):
        known = [m.serial for m in stage.one(room).of(message)]
        assert set(serials) <= set(known) and len(set(known)) == len(known), room
    serial = serials[0]
    stage.one(gate).send("WORKER_TAKEN", serial=serial, address="192.0.2.1:5")
    for room in ("ledger", "vault", "broker"):
        stage.until(f"the address at the {room}",
                    lambda: [m for m in stage.one(room).of("WORKER_PEER") if (m.serial, m.address) == (serial, b"192.0.2.1:5")])
    stage.one("broker").send("WORKER_KILL", serial=serial)
    for room in ("ledger", "vault", "broker", "signer", gate):
        stage.until(f"the end at the {room}", lambda: [m for m in stage.one(room).of("WORKER_GONE") if m.serial == serial])
    # asked for by the broker: no alarm
    assert not stage.notices("worker.killed")


LIES = {
    "garbage": b"\xff\xff\xff",
    "nothing but a number": struct.pack(">H", 14),
    "an empty packet's neighbour": b"\0",
    "a message of another room": encode("KEY", entry=1, blob=bytes(16), length=1, fresh=0, key=bytes(32)),
    "the supervisor's own": encode("GO", generation=1, as_root=1),
    "a second READY": encode("READY", landlock_abi=1, note="again"),
    "trailing bytes": encode("READY", landlock_abi=1, note="") + b"x",
}


@pytest.mark.parametrize("lie", LIES)
def test_liar_is_ended(stage, lie):
    stage.up()
    for room in ONE:
        liar = stage.one(room)
        liar.send_raw(LIES[lie])
        stage.killed(liar)
        other = stage.one(room)
        assert other.pid != liar.pid
        stage.until("the record", lambda: [m for m in stage.notices("room.died") if m.room == room.encode()])


@pytest.mark.parametrize("room", ["vault", "signer", "ledger", "gate-https", "gate-sftp", "courier"])
def test_only_the_broker_ends_workers(stage, room):
    stage.up()
    serial = stage.one("gate-https").of("WORKER_NEW")[0].serial
    liar = stage.one(room)
    liar.send("WORKER_KILL", serial=serial)
    stage.killed(liar)


@pytest.mark.parametrize("room", ["vault", "signer", "ledger", "broker", "gate-sftp", "courier"])
def test_only_the_gate_names_addresses(stage, room):
    stage.up()
    serial = stage.one("gate-https").of("WORKER_NEW")[0].serial
    liar = stage.one(room)
    liar.send("WORKER_TAKEN", serial=serial, address="192.0.2.66:1")
    stage.killed(liar)
    stage.quiet()
    assert not [m for p in stage.players for m in p.of("WORKER_PEER")]


def serials_of_all(stage):
    """A serial of each kind of worker and helper, by room, once the broker has heard of them."""
    stage.up()
    wanted = {ROOMS[name] for name in ("worker-https", "worker-sftp", "scrubber", "authenticator")}
    stage.until("every kind of process", lambda: wanted <= {m.room for m in stage.one("broker").of("WORKER_NEW")})
    return {m.room: m.serial for m in stage.one("broker").of("WORKER_NEW")}


@pytest.mark.parametrize("gate", ["gate-https", "gate-sftp"])
def test_a_gate_names_its_own_workers(stage, gate):
    """Not a worker of the other door, nor a process that has no door."""
    serials = serials_of_all(stage)
    for room in {"worker-https", "worker-sftp", "scrubber", "authenticator"} - {gate.replace("gate", "worker")}:
        liar = stage.one(gate)
        liar.send("WORKER_TAKEN", serial=serials[ROOMS[room]], address="192.0.2.66:1")
        stage.killed(liar)
    assert not [m for p in stage.players for m in p.of("WORKER_PEER")]


@pytest.mark.parametrize("gate", ["gate-https", "gate-sftp"])
def test_a_gate_accuses_its_own_workers(stage, gate):
    """Nobody of the other door, and no process without one, is ended or written down on a gate's word."""
    serials = serials_of_all(stage)
    for room in {"worker-https", "worker-sftp", "scrubber", "authenticator"} - {gate.replace("gate", "worker")}:
        liar = stage.one(gate)
        liar.send("VIOLATION", serial=serials[ROOMS[room]], message=21, err=21)
        stage.killed(liar)
        assert not [m for m in stage.notices("worker.violation") if m.serial == serials[ROOMS[room]]]


def test_the_courier_accuses_messengers_only(stage):
    """No worker is ended, or written down, on the word of a courier that belongs to somebody else."""
    serials = serials_of_all(stage)
    for room in ("worker-https", "worker-sftp", "scrubber", "authenticator"):
        liar = stage.one("courier")
        liar.send("VIOLATION", serial=serials[ROOMS[room]], message=176, err=21)
        stage.killed(liar)
        assert not [m for m in stage.notices("worker.violation") if m.serial == serials[ROOMS[room]]]


def test_descriptors_are_not_taken(stage):
    """A surplus descriptor is a lie, however well-formed the message is."""
    stage.up()
    liar = stage.one("signer")
    serial = stage.one("gate-https").of("WORKER_NEW")[0].serial
    liar.send("VIOLATION", serial=serial, message=21, err=1, fds=[0])
    stage.killed(liar)
    assert not stage.notices("worker.violation")


@pytest.mark.parametrize("room", ["broker", "signer", "vault", "gate-https"])
def test_violation_ends_the_worker(stage, room):
    stage.up()
    new = stage.one("gate-https").of("WORKER_NEW")[0]
    before = {p.pid for p in stage.all("worker-https")}
    stage.one(room).send("VIOLATION", serial=new.serial, message=21, err=21)
    stage.until("one worker less", lambda: before - {p.pid for p in stage.all("worker-https")})
    stage.until("the record", lambda: [m for m in stage.notices("worker.violation") if m.serial == new.serial])
    stage.until("its end is told", lambda: [m for m in stage.one("gate-https").of("WORKER_GONE") if m.serial == new.serial])


@pytest.mark.parametrize("by, message, liar", [("signer", "SSH_LOGGED_IN", "broker"), ("broker", "SSH_VOUCH", "signer"), ("vault", "V_RELEASE", "ledger"), ("ledger", "RECORD", "broker"),
                                               ("ledger", "V_RESULT", "vault"), ("broker", "RECORDED", "ledger")])
def test_a_room_that_lied_to_a_room(stage, by, message, liar):
    stage.up()
    number = struct.unpack(">H", encode(message)[:2])[0]
    old = stage.one(liar)
    stage.one(by).send("VIOLATION", serial=0, message=number, err=2)
    stage.killed(old)
    assert stage.one(liar).pid != old.pid
    stage.until("the record", lambda: stage.notices("worker.violation"))


@pytest.mark.parametrize("gate", ["gate-https", "gate-sftp"])
@pytest.mark.parametrize("message", ["ADDRESS", "ADDRESS_RESET", "RECORD"])
def test_a_gate_judges_no_room(stage, gate, message):
    """It could have the broker started again and again; so it is the one that is."""
    stage.up()
    liar, broker = stage.one(gate), stage.one("broker")
    number = struct.unpack(">H", encode(message)[:2])[0]
    liar.send("VIOLATION", serial=0, message=number, err=2)
    stage.killed(liar)
    assert stage.one(gate).pid != liar.pid
    assert stage.one("broker").pid == broker.pid


def test_the_broker_hears_of_workers_that_broke(stage):
    """With the address; not of those that somebody ended."""
    stage.up()
    new = stage.one("gate-https").of("WORKER_NEW")[0]
    stage.one("gate-https").send("WORKER_TAKEN", serial=new.serial, address="192.0.2.1:5")
    stage.until("the address", lambda: [m for m in stage.one("broker").of("WORKER_PEER") if m.serial == new.serial])
    stage.one("broker").send("VIOLATION", serial=new.serial, message=21, err=21)
    told = stage.until("the word", lambda: stage.one("broker").of("WORKER_BROKE"))
    assert [(m.serial, m.kind, m.address) for m in told] == [(new.serial, 13, b"192.0.2.1:5")]


def test_worker_says_anything(stage):
    stage.up()
    for lie in LIES.values():
        gone = stage.until("a worker", lambda: next((p for p in stage.all("worker-https") if p.ready), None))
        count = len(stage.notices("worker.violation"))
        gone.send_raw(lie)
        stage.killed(gone)
        stage.until("the record", lambda: len(stage.notices("worker.violation")) > count)


def test_unknown_serials_do_nothing(stage):
    stage.up()
    stage.one("gate-https").send("WORKER_TAKEN", serial=7, address="192.0.2.1:5")
    stage.one("broker").send("WORKER_KILL", serial=7)
    stage.one("broker").send("VIOLATION", serial=7, message=43, err=2)
    stage.until("the record", lambda: stage.notices("worker.violation"))
    stage.quiet()
    for room in ONE:
        assert len([p for p in stage.players if p.room == room]) == 1, room


def test_room_that_dies_again_and_again(stage):
    """Longer and longer waits, and all others live."""
    stage.up()
    times = []
    for _ in range(5):
        victim = stage.one("signer")
        os.kill(victim.pid, signal.SIGKILL)
        stage.killed(victim)
        died = time.monotonic()
        stage.one("signer")
        times.append(time.monotonic() - died)
    assert times[4] > 8 * times[0] * 0.5 and times[4] > 1, times
    for room in ("ledger", "vault", "broker", "gate-https", "gate-sftp"):
        assert len([p for p in stage.players if p.room == room]) == 1, room


def test_worker_that_dies_before_it_is_ready(stage):
    """A pool whose processes die at once is not filled in a busy loop."""
    stage.late = {"scrubber"}
    stage.up()
    started = time.monotonic()
    while time.monotonic() - started < 3:
        stage.step(0.05)
        for p in stage.all("scrubber"):
            p.closed = True
            os.kill(p.pid, signal.SIGKILL)
    assert 2 <= len([p for p in stage.players if p.room == "scrubber"]) <= 7


def test_room_that_does_not_stop(stage):
    """One that ignores STOP is ended, and the rest stops in order."""
    stage.up()
    stage.instance.process.send_signal(signal.SIGTERM)
    for gate in ("gate-https", "gate-sftp"):
        stage.until(f"STOP at {gate}", lambda: [p for p in stage.players if p.room == gate and p.of("STOP")])
        for p in stage.all(gate):
            os.kill(p.pid, signal.SIGKILL)
    stage.until("STOP at the broker", lambda: [p for p in stage.players if p.room == "broker" and p.of("STOP")])
    assert not [p for p in stage.players if p.room == "ledger" and p.of("STOP")]
    stage.until("the broker is ended", lambda: [p for p in stage.players if p.room == "broker" and p.closed], 20)
    stage.until("STOP at the signer", lambda: [p for p in stage.players if p.room == "signer" and p.of("STOP")])
    stage.stop()
