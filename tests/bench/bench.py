#!/usr/bin/python3
"""Run Sallyport and its peers (nginx for HTTPS, OpenSSH for SFTP) in turn on the same files, with the same client and cipher,
and print ratios.

Encryption at rest, hashing, sync and the audit log are always on in Sallyport; the peers have none of them.
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
import time

import sftp
from measure import GIB, PeakWatch, cpu_of, free_port, private_kib, run, timed, worker_pids

NGINX = "/usr/sbin/nginx"


class Sallyport:
    name = "sallyport"

    def __init__(self, bindir, base):
        self.dir = os.path.join(base, "instance")
        self.port, self.sftp_port = free_port(), free_port()
        self.cmd = os.path.join(bindir, "sallyport")
        run([self.cmd, "init", self.dir, "--https", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{free_port()}",
             "--sftp", f"127.0.0.1:{self.sftp_port}", "--org", "bench"])
        with open(os.path.join(self.dir, "sallyport.conf"), "a") as f:
            f.write("WorkersPerAddress 2000\n")  # a thousand idle connections come from one address here
        with open(os.path.join(self.dir, "limits.conf"), "a") as f:  # one user reads in minutes what partners read in weeks
            for who in ("User", "Address", "Network", "Org", "Server"):
                f.write(f"{who}FloorFiles 1000000\n{who}FloorBytes 16T\n")
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
        self.proc = subprocess.Popen([NGINX, "-c", conf, "-p", self.dir], stdout=self.log, stderr=self.log)
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


def get_big(server):
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


# ---- running and printing ----

def median(rows):
    return [statistics.median(r[i] for r in rows) for i in range(2)]


class Bench:
    """The rounds of each case, and what is said about them."""

    def __init__(self, base, rounds, quick, only):
        self.base, self.rounds, self.quick, self.only, self.results = base, rounds, quick, only, {}
        self.logins = 20 if quick else 100

    def wants(self, name):
        return self.only is None or self.only.lower() in name.lower()

    def case(self, name, servers, fn, size=None, count=None, apart=None, rounds=None):
        """fn(server) -> wall and processor seconds, over `size` bytes or `count` things, for ours and its peer in turn.
        Ratios are medians over the rounds, each run against its neighbour, because what else the machine does changes more
        slowly than the rounds do.  apart: (what, processor seconds a GiB of ours) that the peer does not do at all."""
        if not self.wants(name):
            return
        rows = {s.name: [] for s in servers}
        for s in servers:
            fn(s)  # warm up
        for _ in range(min(rounds or self.rounds, self.rounds)):
            for s in servers:
                rows[s.name].append(fn(s))
        ours, theirs = (rows[s.name] for s in servers)
        speed = statistics.median(t[0] / o[0] for o, t in zip(ours, theirs))
        cost = statistics.median(o[1] / max(t[1], .01) for o, t in zip(ours, theirs))
        result = {"size": size, "count": count, "rows": rows, "speed": speed, "cost": cost}
        said = [f"{s.name} {self.figure(*median(rows[s.name]), size, count)}" for s in servers]
        tail = f"{'throughput' if size else 'rate'} {speed:5.2f}x  cpu {cost:5.2f}x"
        if apart:
            what, seconds = apart
            without = statistics.median(max(o[1] - seconds * size / GIB, 0) / max(t[1], .01) for o, t in zip(ours, theirs))
            tail += f" (without {what}, {seconds:.2f} s/GiB: {without:.2f}x)"
            result["apart"] = {"what": what, "seconds_per_gib": seconds, "cost_without": without}
        self.results[name] = result
        print(f"{name:34s} {' | '.join(said)} | {tail}")
        sys.stdout.flush()

    @staticmethod
    def figure(wall, cpu, size, count):
        if size:
            return f"{size / wall / 1e6:7.0f} MB/s {cpu * GIB / size:6.2f} cpu s/GiB"
        return f"{count / wall:7.0f} /s {cpu / count * 1e6:7.0f} cpu us each"

    def peak(self, pid, fn):
        watch = PeakWatch(pid)
        watch.start()
        fn()
        return watch.done()

    def note(self, name, title, text, figures):
        print(f"{title:34s} {text}")
        self.results[name] = figures


def https_cases(bench, sp, base, big, files):
    names = ["HTTPS download", "HTTPS upload", "10 KiB upload, 1 connection", "10 KiB upload, 8 connections", "10 KiB download, 1 connection",
             "10 KiB download, 8 connections", "TLS handshakes, one after another", "HTTPS memory"]
    if not any(bench.wants(n) for n in names):
        return
    if not os.path.exists(NGINX):
        raise SystemExit("bench: /usr/sbin/nginx is missing: scripts/deps --bench")
    ng = Nginx(base, sp.dir + "/keys/https.crt", sp.dir + "/keys/https.key")
    try:
        servers, size, n = [sp, ng], os.path.getsize(big), len(files)
        for s in servers:
            run(CURL + s.auth + ["-T", big, s.base + "big.bin"])
        bench.case(names[0], servers, get_big, size=size)
        bench.case(names[1], servers, lambda s: put_big(s, big), size=size)
        bench.case(names[2], servers, lambda s: many(s, files, 1, True, base), count=n)
        bench.case(names[3], servers, lambda s: many(s, files, 8, True, base), count=n)
        if bench.only is not None:  # a download alone needs its files
            for s in servers:
                many(s, files, 1, True, base)
        bench.case(names[4], servers, lambda s: many(s, files, 1, False, base), count=n)
        bench.case(names[5], servers, lambda s: many(s, files, 8, False, base), count=n)
        bench.case(names[6], servers, lambda s: handshakes(s, 200), count=200)
        if bench.wants(names[7]):
            https_memory(bench, sp, size, big)
    finally:
        ng.stop()


def https_memory(bench, sp, size, big):
    down = bench.peak(sp.pid, lambda: [get_big(sp) for _ in range(1 if bench.quick else 4)])
    up = bench.peak(sp.pid, lambda: put_big(sp, big))
    n_idle = 100 if bench.quick else 1000
    held = idle_connections(sp, n_idle)
    sizes = sorted(private_kib(p) for p in worker_pids(sp.pid))
    wall, _ = get_big(sp)
    for h in held:
        h.close()
    bench.note("memory_kib", "private memory of a worker", f"download {down / 1024:.1f} MiB, upload {up / 1024:.1f} MiB, idle connection "
               f"{sizes[len(sizes) // 2] / 1024:.2f} MiB (median), {sizes[-1] / 1024:.2f} (most)",
               {"download": down, "upload": up, "idle_median": sizes[len(sizes) // 2]})
    bench.note("beside_idle", "download beside idle connections", f"{size / wall / 1e6:.0f} MB/s with {n_idle} held",
               {"connections": n_idle, "mb_s": size / wall / 1e6})


def random_bytes(path, size):
    with open("/dev/urandom", "rb") as src, open(path, "wb") as dst:
        for _ in range(size >> 20):
            dst.write(src.read(1 << 20))
    return path


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--bin", required=True, help="folder with the release binaries")
    ap.add_argument("--quick", action="store_true", help="256 MiB, 500 small files, 2 rounds")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--only", metavar="CASE", help="only the cases with this in their names, such as SFTP")
    ap.add_argument("--json", help="also write the figures there")
    ap.add_argument("--dir", help="work folder (default: a temporary one)")
    a = ap.parse_args()
    base = tempfile.mkdtemp(prefix="sallyport-bench-", dir=a.dir)
    os.chmod(base, 0o755)
    bench = Bench(base, 2 if a.quick else a.rounds, a.quick, a.only)
    sp = None
    try:
        big = random_bytes(os.path.join(base, "big.bin"), GIB // 4 if a.quick else GIB)
        files = []
        os.makedirs(os.path.join(base, "small"))
        for i in range(500 if a.quick else 2000):
            files.append(os.path.join(base, "small", f"{i:05d}.bin"))
            with open(files[-1], "wb") as f:
                f.write(os.urandom(10240))
        sp = Sallyport(a.bin, base)
        https_cases(bench, sp, base, big, files)
        sftp.run_cases(bench, sp, os.path.join(os.path.dirname(a.bin.rstrip("/")), "tests/bench/delay_relay"), big, os.path.join(base, "small"))
        if not bench.results:
            raise SystemExit(f"bench: no case has {a.only!r} in its name")
        print("load averages (1, 5, 15 minutes): " + ", ".join(f"{x:.1f}" for x in os.getloadavg()))
        if a.json:
            with open(a.json, "w") as f:
                json.dump({"rounds": bench.rounds, "cpus": os.cpu_count(), "results": bench.results}, f, indent=1)
    finally:
        if sp is not None:
            sp.stop()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
