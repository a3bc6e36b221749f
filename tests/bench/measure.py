"""Wall time, processor time and memory of a server and everything it started; used by bench.py and its peers."""
import os
import socket
import subprocess
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
GIB = 1 << 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(argv, **kw):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def stat_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    # ppid, utime, stime, cutime, cstime
    return int(fields[1]), int(fields[11]), int(fields[12]), int(fields[13]), int(fields[14])


def tree(root):
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                parents[int(name)] = stat_of(name)[0]
            except (OSError, IndexError):
                pass
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += [p for p, pp in parents.items() if pp == pid]
    return found


def cpu_of(root):
    """Processor seconds of a process, its living descendants and those it has reaped."""
    total = 0
    for pid in tree(root):
        try:
            _, u, s, cu, cs = stat_of(pid)
        except (OSError, IndexError):
            continue
        total += u + s + cu + cs
    return total / TICK


def private_kib(pid):
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith("Private_"):
                    total += int(line.split()[1])
    except OSError:
        return 0
    return total


def name_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read().split("\0")[0]
    except OSError:
        return ""


def worker_pids(root):
    return [p for p in tree(root) if name_of(p).startswith("sallyport-worker")]


class PeakWatch(threading.Thread):
    """The greatest private memory of any worker while it runs (KiB)."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.peak, self.stop_now = root, 0, threading.Event()

    def run(self):
        while not self.stop_now.wait(0.2):
            for pid in worker_pids(self.root):
                self.peak = max(self.peak, private_kib(pid))

    def done(self):
        self.stop_now.set()
        self.join()
        return self.peak


def timed(server, argvs):
    """Wall and server processor seconds of client commands that run together."""
    os.sync()  # what an earlier run left unwritten (the peers sync nothing) is not this one's to wait for
    cpu, t = cpu_of(server.pid), time.monotonic()
    procs = [subprocess.Popen(a, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for a in argvs]
    for p in procs:
        err = p.communicate()[1]
        if p.returncode != 0:
            raise SystemExit(f"bench: {server.name}: {' '.join(p.args[:3])}: {err.decode()[:300]}")
    wall = time.monotonic() - t
    time.sleep(0.3)  # reaping: processor time of ended workers is counted in their parent
    return wall, cpu_of(server.pid) - cpu
