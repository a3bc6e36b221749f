#!/usr/bin/python3
"""Run Sallyport and nginx in turn on the same files, with the same client and cipher, and print ratios.

Encryption at rest, hashing, sync and the audit log are always on in Sallyport; nginx has none of them.
Called by scripts/bench.  Loopback only; every loop is bounded; only processes started here are ended.
"""
import argparse
import json
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
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


class Sallyport:
    name = "sallyport"

    def __init__(self, bindir, base):
        self.dir = os.path.join(base, "instance")
        self.port = free_port()
        self.cmd = os.path.join(bindir, "sallyport")
        run([self.cmd, "init", self.dir, "--https", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{free_port()}",
             "--org", "bench"])
        with open(os.path.join(self.dir, "sallyport.conf"), "a") as f:
            f.write("WorkersPerAddress 2000\n")  # a thousand idle connections come from one address here
        self.log = open(os.path.join(base, "sallyport.log"), "w")
        self.proc = subprocess.Popen([self.cmd, "-C", self.dir, "serve"], stdout=self.log, stderr=self.log)
        for _ in range(100):
            if subprocess.run([self.cmd, "-C", self.dir, "status", "--json"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise SystemExit("bench: sallyport did not start: see " + self.log.name)
        password = "correct horse battery 1"
        run([self.cmd, "-C", self.dir, "user", "add", "bench", "--password-stdin"], input=password.encode())
        out = run([self.cmd, "-C", self.dir, "token", "add", "bench", "--name", "bench", "--json"]).stdout
        self.token = json.loads(out)["token"]
        self.base = f"https://127.0.0.1:{self.port}/api/v1/files/by-path/Home/bench/"
        self.auth = ["-H", "Authorization: Bearer " + self.token]
        self.pid = self.proc.pid

    def put_argv(self):
        return []

    def stop(self):
        self.proc.terminate()
        self.proc.wait(60)
        self.log.close()
        out = run([self.cmd, "-C", self.dir, "audit", "verify"]).stdout.decode().strip()
        print("  " + out.splitlines()[-1])


class Nginx:
    name = "nginx"

    def __init__(self, base, cert, key):
        self.dir = os.path.join(base, "nginx")
        os.makedirs(os.path.join(self.dir, "root"))
        os.makedirs(os.path.join(self.dir, "tmp"))
        if os.getuid() == 0:
            for d in (self.dir, self.dir + "/root", self.dir + "/tmp"):
                os.chmod(d, 0o777)
        self.port = free_port()
        conf = os.path.join(self.dir, "nginx.conf")
        user = "user root;\n" if os.getuid() == 0 else ""
        with open(conf, "w") as f:
            f.write(f"""{user}worker_processes 2; daemon off; pid {self.dir}/pid; error_log {self.dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {self.dir}/tmp; proxy_temp_path {self.dir}/tmp; fastcgi_temp_path {self.dir}/tmp;
  uwsgi_temp_path {self.dir}/tmp; scgi_temp_path {self.dir}/tmp;
  server {{
    listen 127.0.0.1:{self.port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets off;
    root {self.dir}/root; location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
""")
        self.log = open(os.path.join(base, "nginx.log"), "w")
        self.proc = subprocess.Popen(["/usr/sbin/nginx", "-c", conf, "-p", self.dir], stdout=self.log, stderr=self.log)
        self.base = f"https://127.0.0.1:{self.port}/"
        self.auth = []
        self.pid = self.proc.pid
        for _ in range(100):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.05)

    def stop(self):
        self.proc.terminate()
        self.proc.wait(30)
        self.log.close()


CURL = ["curl", "-sSfk", "--tlsv1.3", "--tls13-ciphers", "TLS_AES_256_GCM_SHA384"]


def timed(server, argvs):
    """Wall and server processor seconds of client commands that run together."""
    os.sync()  # what an earlier run left unwritten (nginx syncs nothing) is not this one's to wait for
    cpu, t = cpu_of(server.pid), time.monotonic()
    procs = [subprocess.Popen(a, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for a in argvs]
    for p in procs:
        err = p.communicate()[1]
        if p.returncode != 0:
            raise SystemExit(f"bench: {server.name}: {' '.join(p.args[:3])}: {err.decode()[:300]}")
    wall = time.monotonic() - t
    time.sleep(0.3)  # reaping: processor time of ended workers is counted in their parent
    return wall, cpu_of(server.pid) - cpu


def get_big(server, size):
    return timed(server, [CURL + server.auth + ["-o", "/dev/null", server.base + "big.bin"]])


def put_big(server, path):
    return timed(server, [CURL + server.auth + ["-H", "Expect:", "-T", path, server.base + "up.bin"]])


def many(server, files, conns, put, base):
    """All files over `conns` keep-alive connections, one curl each."""
    argvs = []
    for c in range(conns):
        conf = os.path.join(base, f"many-{server.name}-{c}.conf")
        with open(conf, "w") as f:
            for i, path in enumerate(files):
                if i % conns != c:
                    continue
                f.write(f'url = "{server.base}small-{os.path.basename(path)}"\n')
                f.write(f'upload-file = "{path}"\n' if put else 'output = "/dev/null"\n')
        argvs.append(CURL + server.auth + ["-H", "Expect:", "-K", conf])
    return timed(server, argvs)


def idle_connections(server, n):
    """n TLS connections that have sent nothing."""
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    held = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", server.port), 20)
        held.append(ctx.wrap_socket(s, server_hostname="localhost"))
    return held


def handshakes(server, n):
    t, cpu = time.monotonic(), cpu_of(server.pid)
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", server.port), 20) as s:
            with ctx.wrap_socket(s, server_hostname="localhost") as t_:
                t_.version()
    wall = time.monotonic() - t
    time.sleep(0.5)
    return wall, cpu_of(server.pid) - cpu


def median(rows):
    return [statistics.median(r[i] for r in rows) for i in range(2)]


def ratios(ours, theirs):
    """Speed and processor time against nginx: the median over rounds, each run against its neighbour, because
    what else the machine does changes more slowly than the rounds do."""
    speed = statistics.median(t[0] / o[0] for o, t in zip(ours, theirs))
    return speed, statistics.median(o[1] / max(t[1], .01) for o, t in zip(ours, theirs))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--bin", required=True, help="folder with the release binaries")
    ap.add_argument("--quick", action="store_true", help="256 MiB, 2 rounds")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--json", help="also write the figures there")
    ap.add_argument("--dir", help="work folder (default: a temporary one)")
    a = ap.parse_args()
    size = GIB // 4 if a.quick else GIB
    rounds = 2 if a.quick else a.rounds
    base = tempfile.mkdtemp(prefix="sallyport-bench-", dir=a.dir)
    os.chmod(base, 0o755)
    sp = ng = None
    results = {}
    try:
        big = os.path.join(base, "big.bin")
        with open("/dev/urandom", "rb") as src, open(big, "wb") as dst:
            for _ in range(size >> 20):
                dst.write(src.read(1 << 20))
        files = []
        os.makedirs(os.path.join(base, "small"))
        for i in range(500 if a.quick else 2000):
            p = os.path.join(base, "small", f"{i:05d}.bin")
            with open(p, "wb") as f:
                f.write(os.urandom(10240))
            files.append(p)
        sp = Sallyport(a.bin, base)
        ng = Nginx(base, sp.dir + "/keys/https.crt", sp.dir + "/keys/https.key")
        servers = [sp, ng]
        for s in servers:
            run(CURL + s.auth + ["-T", big, s.base + "big.bin"])

        def case(name, fn, unit):
            rows = {s.name: [] for s in servers}
            for s in servers:
                fn(s)  # warm up
            for _ in range(rounds):
                for s in servers:
                    rows[s.name].append(fn(s))
            results[name] = {"unit": unit, "rows": rows}
            (w1, c1), (w2, c2) = median(rows["sallyport"]), median(rows["nginx"])
            speed, cost = ratios(rows["sallyport"], rows["nginx"])
            if unit == "bytes":
                print(f"{name:34s} sallyport {size / w1 / 1e6:7.0f} MB/s {c1 * GIB / size:6.2f} cpu s/GiB | nginx "
                      f"{size / w2 / 1e6:7.0f} MB/s {c2 * GIB / size:6.2f} | throughput {speed:5.2f}x  cpu {cost:5.2f}x")
            else:
                n = unit
                print(f"{name:34s} sallyport {n / w1:7.0f} /s {c1 / n * 1e6:7.0f} cpu us each | nginx {n / w2:7.0f} /s "
                      f"{c2 / n * 1e6:7.0f} | rate {speed:5.2f}x  cpu {cost:5.2f}x")
            sys.stdout.flush()

        case("HTTPS download", lambda s: get_big(s, size), "bytes")
        case("HTTPS upload", lambda s: put_big(s, big), "bytes")
        n = len(files)
        case("10 KiB upload, 1 connection", lambda s: many(s, files, 1, True, base), n)
        case("10 KiB upload, 8 connections", lambda s: many(s, files, 8, True, base), n)
        case("10 KiB download, 1 connection", lambda s: many(s, files, 1, False, base), n)
        case("10 KiB download, 8 connections", lambda s: many(s, files, 8, False, base), n)
        case("TLS handshakes, one after another", lambda s: handshakes(s, 200), 200)

        print("load averages (1, 5, 15 minutes): " + ", ".join(f"{x:.1f}" for x in os.getloadavg()))
        watch = PeakWatch(sp.pid)
        watch.start()
        for _ in range(1 if a.quick else 4):
            get_big(sp, size)
        down = watch.done()
        watch = PeakWatch(sp.pid)
        watch.start()
        put_big(sp, big)
        up = watch.done()
        n_idle = 100 if a.quick else 1000
        held = idle_connections(sp, n_idle)
        sizes = sorted(private_kib(p) for p in worker_pids(sp.pid))
        wall, _ = get_big(sp, size)
        for h in held:
            h.close()
        print(f"{'private memory of a worker':34s} download {down / 1024:.1f} MiB, upload {up / 1024:.1f} MiB, "
              f"idle connection {sizes[len(sizes) // 2] / 1024:.2f} MiB (median), {sizes[-1] / 1024:.2f} (most)")
        print(f"{'download beside idle connections':34s} {size / wall / 1e6:.0f} MB/s with {n_idle} held")
        results["memory_kib"] = {"download": down, "upload": up, "idle_median": sizes[len(sizes) // 2]}
        results["beside_idle"] = {"connections": n_idle, "mb_s": size / wall / 1e6}
        if a.json:
            with open(a.json, "w") as f:
                json.dump({"size": size, "rounds": rounds, "cpus": os.cpu_count(), "results": results}, f, indent=1)
    finally:
        for s in (sp, ng):
            if s is not None:
                s.stop()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
