"""A worker is taken over: what it can make of the broker's trust in its word about scanners, and what its crashes earn."""
import itertools
import json
import struct
import time

import pytest
from lib.evil import FLOOD, Closed, Evil, Gone, evil_instance
from lib.ring import encode

_fresh = itertools.count(1)
PROBE, UNKNOWN_PATH, LOGIN_UNKNOWN, CRASH = 1, 2, 11, 12  # src/ipc/contacts.def


def fresh():
    """Of a /24 of its own."""
    return f"127.70.{next(_fresh)}.9"


@pytest.fixture(scope="module")
def server(identity):
    with evil_instance(identity, AllowAddresses="127.0.0.1", SlowDelay="0s") as instance:
        yield instance


def state(server, address):
    return server.run("address", "show", address, "--json").json()


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def scored(server):
    return {r["address"] for r in server.run("address", "list", "--json").json()["rows"]}


def test_it_accuses_nobody_but_its_own(server):
    """There is no field for another address; what it writes into those that there are changes nobody's score."""
    own, victim = fresh(), fresh()
    before = scored(server)
    with Evil(server, source=own) as w:
        for text in (victim, victim + ":443", f"{victim}/8", "' OR 1=1"):
            reply = w.ask("CONTACT", kind=PROBE, probe="php", request=text, agent=f"{victim}:1")
            assert reply.name == "DONE"
    assert state(server, own)["score"] > 0 and state(server, victim)["score"] == 0
    assert scored(server) - before <= {own, own.rpartition(".")[0] + ".0/24"}


def test_it_accuses_only_so_often(server):
    """The 17th time it is killed; whatever it made up by then is one connection's worth."""
    own = fresh()
    with Evil(server, source=own) as w:
        for _ in range(16):
            assert w.ask("CONTACT", kind=UNKNOWN_PATH).name == "DONE"
        with pytest.raises((Gone, Closed)):
            w.send("broker", encode("CONTACT", kind=UNKNOWN_PATH))
            w.reply()
        assert w.gone()
    until(lambda: state(server, own)["last"] == "violation")


@pytest.mark.parametrize("kind", [0, 8, LOGIN_UNKNOWN, CRASH, 31])
def test_what_others_see_is_not_its_to_say(server, kind):
    own = fresh()
    with Evil(server, source=own) as w:
        with pytest.raises((Gone, Closed)):
            w.send("broker", encode("CONTACT", kind=kind))
            w.reply()
        assert w.gone()
    until(lambda: state(server, own)["last"] == "violation")


def test_it_cannot_speak_to_the_gates(server):
    """ADDRESS is the broker's word, on a socket that no worker has."""
    own, victim = fresh(), fresh()
    for name in ("ADDRESS", "ADDRESS_RESET", "WORKER_BROKE"):
        for room in ("broker", "supervisor"):
            with Evil(server, source=own) as w, pytest.raises((Gone, Closed)):
                w.send(room, encode(name, prefix=bytes(10) + b"\xff\xff" + bytes(map(int, victim.split("."))), bits=128, state=2, left_s=1000)
                       if name == "ADDRESS" else encode(name))
                for _ in range(100):
                    w.receive(room, 1)
        server.run("address", "unban", own, check=False)
    with Evil(server, source=victim) as w:
        assert w.ask("ORG_GET").name == "ORG"


def test_whoever_crashes_workers_is_slowed_then_refused(server):
    """One crash slows its address, two refuse it; each is on record."""
    own = fresh()
    for times, then in ((1, "slowed"), (2, "refused")):
        with Evil(server, source=own) as w, pytest.raises(Gone):
            w.call("socket", 2, 1, 0)
        until(lambda: state(server, own)["treated_as"] == then)
        assert state(server, own)["last"] == "crash"
        until(lambda: len([e for e in server.audit() if e["event"] == "worker.killed" and own in json.dumps(e)]) == times)
    with pytest.raises((Gone, ConnectionError)):
        Evil(server, source=own)
    with Evil(server, source=fresh()) as w:
        assert w.ask("ORG_GET").name == "ORG"


def test_a_flood_of_accusations_holds_nobody_up(server):
    """Many workers at once, all they may say: others are served, and the log has counted entries."""
    own, n = fresh(), 0
    before = len(server.audit())
    workers = [Evil(server, source=own) for _ in range(6)]
    for w in workers:
        w.start(FLOOD, w.fd["broker"], 16, data=encode("CONTACT", kind=UNKNOWN_PATH))
    with Evil(server, source=fresh()) as w:
        assert w.ask("ORG_GET").name == "ORG"
    for w in workers:
        try:
            n += struct.unpack("=q", w.take(8))[0]
        except Gone:
            pass
        w.socket.close()
    assert n >= 16 and state(server, own)["contacts"] >= 16
    assert len([e for e in server.audit()[before:] if own in json.dumps(e)]) < 30
