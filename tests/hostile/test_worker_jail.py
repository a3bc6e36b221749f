"""A worker is taken over: what it tries against the kernel, before and after a login."""
import errno
import mmap
import os
import signal
import struct

import pytest
from lib.evil import COMPAT, JUMP, NR, SPIN, THREADS, Evil, Following, Gone
from lib.instance import binary

AT_FDCWD = -100
SANITIZED = b"__asan_init" in binary().read_bytes()
SIGSYS = "was killed by signal 31"
ME = os.getpid()

# name: what it calls; each ends the process with SIGSYS
CALLS = {
    "open": lambda w: w.call("open", b"/etc/passwd\0", os.O_RDONLY),
    "open itself": lambda w: w.call("openat", AT_FDCWD, b"/proc/self/mem\0", os.O_RDWR),
    "open another's memory": lambda w: w.call("openat", AT_FDCWD, b"/proc/%d/mem\0" % ME, os.O_RDWR),
    "open another's descriptors": lambda w: w.call("openat", AT_FDCWD, b"/proc/%d/fd/3\0" % os.getppid(), os.O_RDWR),
    "open beside a descriptor": lambda w: w.call("openat", w.connection, b"..\0", os.O_PATH),
    "openat2": lambda w: w.call("openat2", w.fd["broker"], b"x\0", bytes(24), 24),
    "open by handle": lambda w: w.call("open_by_handle_at", w.fd["broker"], bytes(128), 0),
    "name a handle": lambda w: w.call("name_to_handle_at", AT_FDCWD, b"/\0", bytes(128), bytes(8), 0),
    "creat": lambda w: w.call("creat", b"/tmp/evil\0", 0o777),
    "stat": lambda w: w.call("stat", b"/\0", bytes(256)),
    "statx": lambda w: w.call("statx", AT_FDCWD, b"/\0", 0, 0, bytes(256)),
    "list a folder": lambda w: w.call("getdents64", 3, bytes(1000), 1000),
    "unlink": lambda w: w.call("unlink", b"/tmp/evil\0"),
    "link a descriptor": lambda w: w.call("linkat", 3, b"\0", AT_FDCWD, b"/tmp/evil\0", 0x1000),
    "chdir": lambda w: w.call("chdir", b"/\0"),
    "chroot": lambda w: w.call("chroot", b"/\0"),
    "mount": lambda w: w.call("mount", b"none\0", b"/\0", b"tmpfs\0", 0, 0),
    "a new mount": lambda w: w.call("fsopen", b"tmpfs\0", 0),
    "TCP socket": lambda w: w.call("socket", 2, 1, 0),
    "UDP socket": lambda w: w.call("socket", 2, 2, 0),
    "IPv6 socket": lambda w: w.call("socket", 10, 1, 0),
    "local socket": lambda w: w.call("socket", 1, 1, 0),
    "netlink socket": lambda w: w.call("socket", 16, 3, 0),
    "kernel crypto socket": lambda w: w.call("socket", 38, 5, 0),
    "vsock socket": lambda w: w.call("socket", 40, 1, 0),
    "packet socket": lambda w: w.call("socket", 17, 3, 0),
    "socket pair": lambda w: w.call("socketpair", 1, 1, 0, bytes(8)),
    "connect": lambda w: w.call("connect", w.connection, struct.pack("=HH4s8x", 2, 0x1600, b"\x7f\0\0\1"), 16),
    "connect elsewhere": lambda w: w.call("connect", w.connection, bytes(16), 16),
    "bind": lambda w: w.call("bind", w.connection, bytes(16), 16),
    "listen": lambda w: w.call("listen", w.connection, 1),
    "accept": lambda w: w.call("accept4", w.connection, 0, 0, 0),
    "send to an address": lambda w: w.call("sendto", w.fd["broker"], b"x", 1, 0, bytes(16), 16),
    "pass a descriptor": lambda w: w.call("sendmsg", w.fd["broker"], bytes(56), 0),
    "pass many": lambda w: w.call("sendmmsg", w.fd["broker"], bytes(64), 1, 0),
    "receive many": lambda w: w.call("recvmmsg", w.fd["broker"], bytes(64), 1, 0, 0),
    "whose socket is it": lambda w: w.call("getsockopt", w.fd["broker"], 1, 17, bytes(12), struct.pack("=i", 12)),
    "whose process is it": lambda w: w.call("getsockopt", w.fd["broker"], 1, 77, bytes(4), struct.pack("=i", 4)),
    "a filter on a socket": lambda w: w.call("setsockopt", w.fd["broker"], 1, 26, bytes(16), 16),
    "a larger buffer": lambda w: w.call("setsockopt", w.fd["broker"], 1, 7, struct.pack("=i", 1 << 24), 4),
    "a kernel TLS": lambda w: w.call("setsockopt", w.connection, 6, 31, b"tls\0", 4),
    "execve": lambda w: w.call("execve", b"/bin/sh\0", 0, 0),
    "execveat": lambda w: w.call("execveat", w.connection, b"\0", 0, 0, 0x1000),
    "fork": lambda w: w.call("fork"),
    "vfork": lambda w: w.call("vfork"),
    "clone a process": lambda w: w.call("clone", signal.SIGCHLD, 0, 0, 0, 0),
    "clone without signals shared": lambda w: w.call("clone", 0x100, 0, 0, 0, 0),
    "clone into a namespace": lambda w: w.call("clone", 0x10000000 | 0x10100 | 0x800, 0, 0, 0, 0),
    "unshare": lambda w: w.call("unshare", 0x10000000),
    "setns": lambda w: w.call("setns", w.connection, 0),
    "map W+X": lambda w: w.call("mmap", 0, 4096, mmap.PROT_WRITE | mmap.PROT_EXEC, 0x22, -1, 0),
    "map X": lambda w: w.call("mmap", 0, 4096, mmap.PROT_READ | mmap.PROT_EXEC, 0x22, -1, 0),
    "map shared": lambda w: w.call("mmap", 0, 4096, mmap.PROT_READ | mmap.PROT_WRITE, 0x21, -1, 0),
    "map shared, validated": lambda w: w.call("mmap", 0, 4096, mmap.PROT_READ | mmap.PROT_WRITE, 0x3, w.connection, 0),
    "make memory X": lambda w: w.call("mprotect", w.scratch & ~4095, 4096, mmap.PROT_READ | mmap.PROT_EXEC),
    "make memory X with a key": lambda w: w.call("pkey_mprotect", w.scratch & ~4095, 4096, 4, -1),
    "remap pages of a file": lambda w: w.call("remap_file_pages", w.scratch & ~4095, 4096, 0, 0, 0),
    "shmget": lambda w: w.call("shmget", 0, 4096, 0o1777),
    "memfd": lambda w: w.call("memfd_create", b"x\0", 0),
    "secret memfd": lambda w: w.call("memfd_secret", 0),
    "ptrace": lambda w: w.call("ptrace", 16, ME, 0, 0),
    "ptrace me": lambda w: w.call("ptrace", 0, 0, 0, 0),
    "read another's memory": lambda w: w.call("process_vm_readv", ME, bytes(16), 1, bytes(16), 1, 0),
    "write another's memory": lambda w: w.call("process_vm_writev", ME, bytes(16), 1, bytes(16), 1, 0),
    "advise another": lambda w: w.call("process_madvise", 3, bytes(16), 1, 4, 0),
    "compare with another": lambda w: w.call("kcmp", ME, ME, 0, 0, 0),
    "kill": lambda w: w.call("kill", ME, signal.SIGKILL),
    "kill all": lambda w: w.call("kill", -1, signal.SIGKILL),
    "tgkill": lambda w: w.call("tgkill", ME, ME, signal.SIGKILL),
    "tkill": lambda w: w.call("tkill", ME, signal.SIGKILL),
    "sigqueue": lambda w: w.call("rt_sigqueueinfo", ME, signal.SIGUSR1, bytes(128)),
    "pidfd": lambda w: w.call("pidfd_open", ME, 0),
    "signal a pidfd": lambda w: w.call("pidfd_send_signal", 3, signal.SIGKILL, 0, 0),
    "take another's descriptor": lambda w: w.call("pidfd_getfd", 3, 3, 0),
    "own a descriptor": lambda w: w.call("fcntl", w.connection, 8, ME),
    "own a descriptor, extended": lambda w: w.call("fcntl", w.connection, 15, struct.pack("=ii", 1, ME)),
    "signals for input": lambda w: w.call("fcntl", w.connection, 4, os.O_ASYNC),
    "which signal for input": lambda w: w.call("fcntl", w.connection, 10, signal.SIGKILL),
    "signals by ioctl": lambda w: w.call("ioctl", w.connection, 0x5452, struct.pack("=i", 1)),
    "owner by ioctl": lambda w: w.call("ioctl", w.connection, 0x8901, struct.pack("=i", ME)),
    "type into the terminal": lambda w: w.call("ioctl", 0, 0x5412, b"x"),
    "a lease": lambda w: w.call("fcntl", w.connection, 1024, 0),
    "signals for a folder": lambda w: w.call("fcntl", w.connection, 1026, 1),
    "a seal": lambda w: w.call("fcntl", w.connection, 1033, 1),
    "timer": lambda w: w.call("timer_create", 0, struct.pack("=QiiI", 0, signal.SIGKILL, 4, ME).ljust(64, b"\0"), bytes(8)),
    "interval timer": lambda w: w.call("setitimer", 0, bytes(32), 0),
    "alarm": lambda w: w.call("alarm", 1),
    "a death signal": lambda w: w.call("prctl", 1, 9, 0, 0, 0),
    "be dumpable": lambda w: w.call("prctl", 4, 1, 0, 0, 0),
    "a keeper": lambda w: w.call("prctl", 0x59616D61, ME, 0, 0, 0),
    "setrlimit": lambda w: w.call("setrlimit", 9, struct.pack("=QQ", 1 << 40, 1 << 40)),
    "raise a limit": lambda w: w.call("prlimit64", 0, 9, struct.pack("=QQ", 1 << 40, 1 << 40), 0),
    "limit another": lambda w: w.call("prlimit64", ME, 0, 0, bytes(16)),
    "setuid": lambda w: w.call("setuid", 0),
    "capset": lambda w: w.call("capset", bytes(8), bytes(24)),
    "priority": lambda w: w.call("setpriority", 0, 0, -20),
    "scheduler": lambda w: w.call("sched_setscheduler", 0, 1, struct.pack("=i", 50)),
    "a key ring": lambda w: w.call("keyctl", 0, -3, 1),
    "a key": lambda w: w.call("add_key", b"user\0", b"x\0", b"x", 1, -3),
    "bpf": lambda w: w.call("bpf", 5, bytes(128), 128),
    "userfaultfd": lambda w: w.call("userfaultfd", 1),
    "io_uring": lambda w: w.call("io_uring_setup", 8, bytes(128)),
    "enter an io_uring": lambda w: w.call("io_uring_enter", 3, 1, 0, 0, 0, 0),
    "asynchronous I/O": lambda w: w.call("io_setup", 8, bytes(8)),
    "perf": lambda w: w.call("perf_event_open", bytes(128), 0, -1, -1, 0),
    "a filter of its own": lambda w: w.call("seccomp", 1, 0, bytes(16)),
    "a Landlock of its own": lambda w: w.call("landlock_create_ruleset", bytes(16), 16, 0),
    "inotify": lambda w: w.call("inotify_init1", 0),
    "fanotify": lambda w: w.call("fanotify_init", 0, 0),
    "event descriptor": lambda w: w.call("eventfd2", 0, 0),
    "timer descriptor": lambda w: w.call("timerfd_create", 1, 0),
    "signal descriptor": lambda w: w.call("signalfd4", -1, bytes(8), 8, 0),
    "splice": lambda w: w.call("splice", 3, 0, 4, 0, 1, 0),
    "tee": lambda w: w.call("tee", 3, 4, 1, 0),
    "sendfile": lambda w: w.call("sendfile", w.connection, 3, 0, 1),
    "lock a file": lambda w: w.call("flock", 3, 2),
    "lock all memory": lambda w: w.call("mlockall", 3),
    "fill a disk at once": lambda w: w.call("fallocate", 3, 0, 0, 1 << 40),
    "personality": lambda w: w.call("personality", 0x0400000),
    "the kernel's log": lambda w: w.call("syslog", 3, bytes(100), 100),
    "set the clock": lambda w: w.call("clock_settime", 0, bytes(16)),
    "reboot": lambda w: w.call("reboot", 0, 0, 0, 0),
    "x32 open": lambda w: w.call(0x40000000 | NR["open"], b"/etc/passwd\0", 0),
    "32-bit open": lambda w: w.order(COMPAT, 5),
    "32-bit getpid": lambda w: w.order(COMPAT, 20),
    "no such call": lambda w: w.call(5000),
}
# the sanitizers' run-time is answered instead of killed (seccomp.def)
ANSWERED = {-errno.EACCES, -errno.ENOSYS, -errno.ENOTTY} if SANITIZED else set()


def taken_over(server, who):
    w = Evil(server)
    return w.login(server.people[who].token) if who else w


@pytest.mark.parametrize("who", [None, "bob"], ids=["before", "after"])
def test_kernel(evil, who):
    """No path, no socket, no process, no signal, no executable memory, no other kernel than its filter's: each try is its last."""
    with Following(evil) as audit:
        for name, attack in CALLS.items():
            with taken_over(evil, who) as w:
                try:
                    result = attack(w)
                    assert result in ANSWERED, f"{name}: {result}"
                except Gone:
                    audit.expect(w.peer, "worker.killed", SIGSYS, name)
    assert evil.people["alice"].fetch("/Home/alice/small").status_code == 200


def test_crashes(evil):
    """Jumping into data ends it, and the record says so."""
    with Following(evil) as audit:
        with Evil(evil) as w:
            with pytest.raises(Gone):
                w.order(JUMP, data=b"\xc3" * 16)
            audit.expect(w.peer, "worker.killed", "signal 11", "jump")


def limits_of(w, what):
    w.call("prlimit64", 0, what, 0, bytes(16))
    return struct.unpack("=QQ", w.peek(0, 16))


def test_memory(evil):
    """Neither data nor page tables beyond its limit."""
    if SANITIZED:
        return  # its limits are off: the run-time's shadow needs terabytes
    with Evil(evil) as w:
        assert limits_of(w, 2) == (64 << 20, 64 << 20)
        assert w.call("mmap", 0, 1 << 30, 3, 0x22, -1, 0) == -errno.ENOMEM
        assert w.call("mmap", 0, 1 << 36, mmap.PROT_READ, 0x4022, -1, 0) == -errno.ENOMEM
        assert w.call("mmap", 0, 1 << 36, 0, 0x4022, -1, 0) == -errno.ENOMEM
        top = w.call("brk", 0)
        assert w.call("brk", top + (1 << 28)) == top
        got = 0
        while w.call("mmap", 0, 1 << 20, 3, 0x8022, -1, 0) > 0:
            got += 1
        assert got < 64


def test_processor(evil):
    """Its processor time has an end that it cannot move, and while it spins the others are served."""
    with Evil(evil) as w, Evil(evil) as v:
        assert limits_of(v, 0) == (86400, 86400)
        w.start(SPIN, 2_000_000_000)
        for _ in range(20):
            assert evil.people["alice"].fetch("/Home/alice/small").status_code == 200


def test_threads(evil, identity):
    """Where its uid is its own it cannot fill the machine with threads; where not, its memory ends them."""
    with Evil(evil) as w:
        most = 3 if identity.uid == 0 else 64 * 1024
        assert w.order(THREADS, 5000) <= most
        assert evil.people["alice"].fetch("/Home/alice/small").status_code == 200


def test_descriptors(evil):
    """What it can park has an end."""
    with Evil(evil) as w:
        n = 0
        while w.call("fcntl", w.connection, 1030, 0) >= 0:
            n += 1
            assert n < 64
        assert evil.people["alice"].fetch("/Home/alice/small").status_code == 200


def test_nobody_else_died(evil):
    assert not [e for e in evil.audit() if e["event"] == "room.died"]
