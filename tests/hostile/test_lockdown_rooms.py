"""Lockdown and decoys with every room taken over: no room brings a lockdown about or keeps it from being done."""
import os
import socket
import threading
import time

import pytest
from test_supervisor import ONE, stage  # noqa: F401 (a fixture)

ORDERS = {
    "LOCKDOWN": dict(op=0, doors=3, keys=1),
    "DECOY_CHANGE": dict(op=1, line="user\t2026-11-26T05:41:00.000Z\tmain\tbob\t-\n"),
    "DECOY_LIST": {},
    "UNLOCK": dict(passphrase="a passphrase"),
    "VAULT_LOCKED": {},
    "ALARM_RULE": dict(event=21, entry=5),
    "DECOY_TOUCHED": dict(serial=1, user="alice", address="192.0.2.1:1", entry=5),
    "NOTED": dict(ref=1, entry=5),
}
MAY = {"VAULT_LOCKED": ["vault"], "ALARM_RULE": ["ledger"], "DECOY_TOUCHED": ["ledger"], "NOTED": ["ledger"]}


class Command:
    """`sallyport ARGS` at the played server, which has to be stepped meanwhile."""

    def __init__(self, stage, *args):
        self.began, self.result = time.monotonic(), None
        self.thread = threading.Thread(target=self._run, args=(stage, args))
        self.thread.start()

    def _run(self, stage, args):
        self.result = stage.instance.run("--json", *args, check=False)
        self.took = time.monotonic() - self.began

    def done(self, stage):
        stage.until("the command's end", lambda: not self.thread.is_alive())
        return self.result


def show(stage):
    return Command(stage, "lockdown", "--show").done(stage).json()


@pytest.mark.parametrize("order", ORDERS)
def test_no_room_says_what_is_an_operators(stage, order):
    stage.up()
    for room in ONE:
        liar = stage.one(room)
        liar.send(order, **ORDERS[order])
        if room in MAY.get(order, []):
            stage.quiet()
            assert not liar.closed
        else:
            stage.killed(liar)
            assert stage.one(room).pid != liar.pid
    for room in ("worker-https", "worker-sftp", "authenticator", "scrubber"):
        liar = stage.until(f"a {room}", lambda: next((p for p in stage.all(room) if p.ready), None))
        liar.send(order, **ORDERS[order])
        stage.killed(liar)
    assert show(stage)["locked"] is False and not (stage.instance.dir / "lockdown").exists()
    assert (stage.instance.dir / "keys/root.key").exists() and not (stage.instance.dir / "decoys").exists()


def test_a_duplicate_of_the_listener_accepts_no_more(stage):
    """The gate is in our hands, and so are its sockets: we keep them, and the gate's process can be kept from its end by nobody."""
    stage.up()
    held = [socket.socket(fileno=os.dup(fd)) for fd in stage.one("gate-https").fds if is_listener(fd)]
    assert len(held) == 2
    with socket.create_connection(("127.0.0.1", stage.instance.port)) as waiting:
        result = Command(stage, "lockdown", "--door", "https")
        assert result.done(stage).code == 0 and result.took < 1
        for s in held:
            s.setblocking(False)
            with pytest.raises(OSError) as refused:
                s.accept()
            assert not isinstance(refused.value, BlockingIOError), "it does not even listen"
        waiting.settimeout(1)
        with pytest.raises(ConnectionResetError):  # who waited in the queue is turned away
            waiting.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", stage.instance.port))
    with socket.create_connection(("127.0.0.1", stage.instance.sftp_port)):
        pass
    for s in held:
        s.close()


def is_listener(fd):
    try:
        with socket.socket(fileno=os.dup(fd)) as s:
            return s.family == socket.AF_INET and s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    except OSError:
        return False


def test_rooms_that_do_nothing_about_it(stage):
    """The vault does not answer, the broker and the ledger do not read: a second is enough all the same."""
    stage.up()
    vault, gates = stage.one("vault"), [stage.one("gate-https"), stage.one("gate-sftp")]
    result = Command(stage, "lockdown", "--keys")
    answer = result.done(stage)
    assert answer.code == 0 and result.took < 1, (answer, result.took)
    assert vault.of("VAULT_LOCK") and vault.closed, "one that does not forget is killed"
    for gate in gates:
        stage.killed(gate)
    assert not (stage.instance.dir / "keys/root.key").exists()
    fresh = stage.one("vault")
    assert fresh.pid != vault.pid and 4 not in [m.what for m in fresh.of("FILE")], "no root key for the next one"
    assert {m.what for m in fresh.of("FILE")} >= {5, 6}
    stage.quiet(0.5)
    assert not stage.all("gate-https") and not stage.all("worker-https") and not stage.all("worker-sftp")
    assert [m.text for m in stage.notices("lockdown")] == [b"https sftp keys; by user id %d" % stage.instance.identity.uid]


def test_a_vault_that_answers_is_not_killed(stage):
    stage.up()
    vault = stage.one("vault")
    result = Command(stage, "lockdown", "--keys")
    stage.until("the order", lambda: vault.of("VAULT_LOCK"))
    stage.quiet(0.1)
    assert result.thread.is_alive(), "the answer waits for it"
    vault.send("VAULT_LOCKED")
    assert result.done(stage).code == 0 and not vault.closed


def test_what_is_recorded_first_waits_for_the_ledger(stage):
    """A lift is not done before its entry is durable, nor when that fails, nor without a ledger."""
    stage.up()
    assert Command(stage, "lockdown", "--door", "sftp").done(stage).code == 0
    ledger = stage.one("ledger")
    for err, code in ((68, 73), (0, 0)):
        before = len(ledger.of("NOTICE"))
        lift = Command(stage, "lockdown", "--lift")
        notice = stage.until("the notice", lambda: [m for m in ledger.of("NOTICE")[before:] if m.ref != 0])[0]
        stage.quiet()
        assert lift.thread.is_alive() and not stage.all("gate-sftp")
        ledger.send("NOTED", ref=notice.ref + 7, err=0, entry=1)  # of nobody
        stage.quiet()
        assert lift.thread.is_alive()
        ledger.send("NOTED", ref=notice.ref, err=err, entry=1)
        assert lift.done(stage).code == code
    stage.one("gate-sftp")
    assert Command(stage, "lockdown", "--door", "sftp").done(stage).code == 0
    lift = Command(stage, "lockdown", "--lift")
    stage.until("the notice", lambda: len(ledger.of("NOTICE")) and [m for m in ledger.of("NOTICE") if m.ref != 0][2:])
    os.kill(ledger.pid, 9)
    assert lift.done(stage).code == 69 and show(stage)["doors"] == ["sftp"]


def test_a_decoy_was_touched(stage):
    """The ledger's word ends the worker and its neighbours of the same address, and nobody else."""
    stage.up()
    gate = stage.one("gate-https")
    stage.until("workers", lambda: len(gate.of("WORKER_NEW")) >= 3)
    serials = [m.serial for m in gate.of("WORKER_NEW")][:3]
    for serial, address in zip(serials, ("192.0.2.7:1000", "192.0.2.7:2000", "192.0.2.70:1000")):
        gate.send("WORKER_TAKEN", serial=serial, address=address)
    stage.until("the addresses", lambda: len(stage.one("broker").of("WORKER_PEER")) >= 3)
    stage.one("ledger").send("DECOY_TOUCHED", serial=serials[0], user="mallory", address="192.0.2.7:1000", entry=9)
    for serial in serials[:2]:
        stage.until("its end", lambda: [m for m in stage.one("broker").of("WORKER_GONE") if m.serial == serial])
    stage.quiet(0.5)
    gone = {m.serial for m in stage.one("broker").of("WORKER_GONE")}
    assert gone & set(serials) == set(serials[:2])


def test_an_alarm_rule_is_the_supervisors_own_setting(stage):
    """A ledger that says so does not make an event one of LockdownOn."""
    stage.up()
    stage.one("ledger").send("ALARM_RULE", event=160, entry=3)
    stage.quiet(0.5)
    assert show(stage)["locked"] is False
