"""Workers that are copies of a template: what they share with one another, and what they must not."""
import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from lib.instance import Identity, Instance

SETUID, SETGID = 7, 6
TLS_RANDOM = slice(11, 43)  # of a ServerHello in its record


def supervised(server):
    """name -> pids of what the supervisor has started."""
    supervisor = int((server.dir / "run/pid").read_text())
    found = {}
    for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
        try:
            name = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode().removeprefix("sallyport-")
        except OSError:
            continue
        found.setdefault(name, set()).add(int(pid))
    return found


def eventually(what, why):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            found = what()
        except OSError:  # a process that has just ended
            found = None
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(why)


def status(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {k: v.strip() for k, _, v in (line.partition(":") for line in lines)}


def jailed(server, room="worker-https"):
    """Workers that are past their start."""
    return {pid for pid in supervised(server).get(room, ()) if status(pid)["Seccomp"] == "2"}


def layout(pid):
    """Where the program, the stack and the kernel's page lie."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    found = tuple(line.split("-")[0] for line in maps if line.endswith(("[stack]", "[vdso]")) or " 00000000 " in line and "sallyport-worker" in line)
    if not found:
        raise ProcessLookupError(f"{pid} has ended")
    return found


def settled(server, idle=4):
    """Both listeners' pools are full."""
    return eventually(lambda: len(jailed(server)) == 2 * idle and jailed(server), "the pools are not filled")


@pytest.fixture
def server(identity, request):
    settings = {"WorkersIdle": "4", "WorkerStart": "template", **getattr(request, "param", {})}
    with Instance(identity, sftp=True, settings=settings) as instance:
        instance.add_user("alice")
        yield instance


def reload(server):
    os.kill(int((server.dir / "run/pid").read_text()), signal.SIGHUP)


def hello(server):
    """The ServerHello that a new connection gets, as bytes, and the connection."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=str(server.certificate)).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    s = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    s.sendall(outgoing.read())
    data = b""
    while len(data) < 5 or len(data) < 5 + int.from_bytes(data[3:5], "big"):
        piece = s.recv(4096)
        assert piece, "the server hung up"
        data += piece
    assert data[0] == 22 and data[5] == 2, data[:8].hex()
    return data[:5 + int.from_bytes(data[3:5], "big")], s


def test_template_holds_nothing(server, identity):
    """It has two capabilities when started by root, else none; no file, no listener, no socket but the supervisor's."""
    settled(server)
    found = supervised(server)
    templates = found["template-https"] | found["template-sftp"]
    assert len(found["template-https"]) >= 2 and found["template-sftp"], "one for each listener"
    for pid in templates:
        s = status(pid)
        wanted = (1 << SETUID | 1 << SETGID) if identity.uid == 0 else 0
        assert int(s["CapPrm"], 16) == int(s["CapEff"], 16) == wanted, s["CapPrm"]
        assert int(s["CapInh"], 16) == int(s["CapAmb"], 16) == 0
        if identity.uid == 0:
            assert int(s["CapBnd"], 16) == 0
        assert s["NoNewPrivs"] == "1"
        assert set(s["Uid"].split()) == {str(identity.uid)}
        fds = {int(fd.name): os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        assert set(fds) == {0, 1, 2, 3} and fds[0] == fds[1] == "/dev/null" and fds[3].startswith("socket:"), fds
        for what in ("maps", "environ", "mem"):
            done = subprocess.run(Identity("other", 54399).command(["cat", f"/proc/{pid}/{what}"]), capture_output=True)
            assert done.returncode != 0 and not done.stdout
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits


def test_copies_are_the_supervisors_children(server):
    """They end with it, though the template is between them."""
    workers = settled(server)
    for pid in workers:
        s = status(pid)
        assert int(s["PPid"]) == int((server.dir / "run/pid").read_text())
        assert s["NoNewPrivs"] == "1" and int(s["CapPrm"], 16) == 0
        assert os.getsid(pid) == pid
    os.kill(int((server.dir / "run/pid").read_text()), signal.SIGKILL)
    server.process.wait(10)
    server.process = None
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "workers outlive the supervisor")
    server.start()


def test_siblings_draw_different_numbers(server):
    """Random numbers and key shares of copies of one template: none comes twice."""
    settled(server)
    held = [hello(server) for _ in range(24)]
    randoms = {data[TLS_RANDOM] for data, _ in held}
    shares = {data[-32:] for data, _ in held}  # X25519 is the last extension's end
    assert len(randoms) == len(held) and len(shares) == len(held)
    assert len({layout(pid) for pid in jailed(server)}) < len(jailed(server)), "no two are copies of one template: the test shows nothing"
    for _, s in held:
        s.close()


@pytest.mark.parametrize("server", [{"TemplateForks": "4"}], indirect=True)
def test_template_is_replaced_after_its_copies(server):
    """No more than TemplateForks workers have the same memory layout."""
    seen = {}
    templates = set()
    for _ in range(24):
        for pid, where in eventually(lambda: {pid: layout(pid) for pid in settled(server)}, "workers end while they are looked at").items():
            seen.setdefault(where, set()).add(pid)
        templates |= supervised(server).get("template-https", set())
        hello(server)[1].close()
    assert max(len(pids) for pids in seen.values()) <= 4
    assert len(seen) >= 24 // 4
    assert len(templates) >= 24 // 4


@pytest.mark.parametrize("sig", [signal.SIGSEGV, signal.SIGSYS, signal.SIGABRT])
def test_template_is_replaced_after_a_crash(server, sig):
    """Whoever made one worker crash knows nothing of where things lie in the next."""
    before = settled(server)
    seen = {layout(pid) for pid in before}
    held = hello(server)[1]
    victim = eventually(lambda: [pid for pid in before if serves(pid, held)], "nobody serves the connection")[0]
    known = layout(victim)
    assert known in {layout(pid) for pid in jailed(server) - {victim}}, "it has no sibling: the test shows nothing"
    os.kill(victim, sig)

    def all_others():
        pids = jailed(server)
        return pids if len(pids) == 8 and victim not in pids and known not in layouts(pids) else None

    others = eventually(all_others, "idle siblings go on")
    assert len(layouts(others) - seen) == 1, "one new template for this listener, none for the other"
    eventually(lambda: "was killed by signal" in server.log(), "nothing in the log")
    hello(server)[1].close()
    held.close()


def serves(pid, connection):
    """Has the process the other end of this TCP connection?"""
    here, there = connection.getsockname(), connection.getpeername()
    inodes = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
              if int(line.split()[1].split(":")[1], 16) == there[1] and int(line.split()[2].split(":")[1], 16) == here[1]}
    return any(os.readlink(fd).removeprefix("socket:[").removesuffix("]") in inodes for fd in Path(f"/proc/{pid}/fd").iterdir())


def layouts(pids):
    return {layout(pid) for pid in pids}


def holds(pid, what):
    """Is it anywhere in the memory of the process?"""
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access = line.split()[:2]
            if "r" not in access or line.endswith(("[vvar]", "[vsyscall]")) or "[vvar" in line:
                continue
            first, end = (int(x, 16) for x in span.split("-"))
            mem.seek(first)
            try:
                if what in mem.read(end - first):
                    return True
            except OSError:
                continue
    return False


@pytest.mark.root
def test_no_memory_of_a_former_connection(server):
    """What one client sent is in the process that served it, and in no template and no later worker."""
    mark = secrets.token_hex(16)
    settled(server)
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    s = ssl.create_default_context(cafile=str(server.certificate)).wrap_socket(raw, server_hostname="127.0.0.1")
    s.sendall(f"GET /{mark} HTTP/1.1\r\nHost: localhost\r\n".encode())  # unfinished: kept for the rest
    eventually(lambda: any(holds(pid, mark.encode()) for pid in jailed(server)), "it is not even where it was received: the test shows nothing")
    s.close()
    settled(server)
    for pids in supervised(server).values():
        for pid in pids:
            if pid in jailed(server) | jailed(server, "worker-sftp") or b"template" in Path(f"/proc/{pid}/cmdline").read_bytes():
                assert not holds(pid, mark.encode()), Path(f"/proc/{pid}/cmdline").read_bytes()


def test_templates_that_die(server):
    """A template that is killed again and again: workers are started all the same."""
    for _ in range(6):
        for pid in supervised(server).get("template-https", set()):
            os.kill(pid, signal.SIGKILL)
        hello(server)[1].close()
        time.sleep(0.1)
    settled(server)
    hello(server)[1].close()
    assert "a template of worker-https is ended" in server.log()


@pytest.mark.parametrize("server", [{"WorkerStart": "exec"}], indirect=True)
def test_without_templates(server):
    """WorkerStart exec: no template, and every worker has a layout of its own; a reload changes it, for new workers."""
    workers = settled(server)
    assert not [name for name in supervised(server) if name.startswith("template")]
    assert len({layout(pid) for pid in workers}) == len(workers)
    server.set("WorkerStart", "template")
    reload(server)
    eventually(lambda: supervised(server).get("template-https"), "no template")
    copies = eventually(lambda: not (jailed(server) & workers) and len(jailed(server)) == 8 and jailed(server), "old workers stay")
    assert len({layout(pid) for pid in copies}) == 2, "one for each listener"


def test_a_reload_replaces_templates(server):
    """They hold the certificate of before."""
    settled(server)
    before = supervised(server)
    reload(server)
    eventually(lambda: not (supervised(server).get("template-https", before["template-https"]) & before["template-https"]), "an old template is used")
    settled(server)
    hello(server)[1].close()
