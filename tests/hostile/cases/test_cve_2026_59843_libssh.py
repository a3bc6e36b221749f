"""CVE-2026-59843, CVE-2026-59844: libssh (ProFTPD issue 2242 is the same as the first)

There: a channel whose packets may hold nothing sent the server into a loop; a READ of 4 GiB had it allocate as much.
Needs: here a number of the client's that becomes a loop's step or a buffer's size.
Here: P1: both are refused or cut to what a packet holds, in the one process that is the client's own.
"""
from lib.instance import PASSWORD, descendants
from lib.ssh_sftp import Fx
from lib.ssh_wire import Msg, string, u32


def memory(server):
    """Private bytes of the door's busiest worker."""
    most = 0
    for pid, _ in descendants(server.process.pid):
        try:
            if "sallyport-worker-sftp" in open(f"/proc/{pid}/cmdline").read():
                most = max(most, sum(int(line.split()[1]) for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Private_")) << 10)
        except OSError:
            pass
    return most


def test_packets_of_nothing_and_reads_of_everything(house):
    with house.attack(inside="thief") as thief, thief.ssh("thief", password=PASSWORD).to("open") as c:
        c.send(c.open_request(maximum=0))
        assert c.recv()[0] == Msg.OPEN_FAILURE
        c.to("sftp")
        c.sftp.put("long", b"x" * 100_000)
        handle = c.sftp.open("long")
        before = memory(house.server)
        assert before > 0
        for _ in range(50):
            c.sftp.ask(Fx.READ, string(handle) + bytes(8) + u32(0xFFFFFFFF))
        for _ in range(50):
            _, kind, r = c.sftp.reply()
            assert kind == Fx.DATA and len(r.string()) == 100_000
        assert memory(house.server) - before < 8 << 20
