"""What people use to reach an SFTP server: each client program, told where the door is and who is asking.

    door = Door(server, "alice", tmp_path).with_key()
    door.sftp("put local remote")
    door.lftp("mirror -R folder")

Host keys are always checked, against the known_hosts lines that `sallyport hostkey show` prints.
"""
import asyncio
import contextlib
import os
import subprocess
import time
import warnings
from pathlib import Path

from lib.instance import PASSWORD, Result
from lib.ssh import Ssh
from lib.ssh_wire import UserKey

SECONDS = 120
SMALL_KEYS = {"ed25519": ["-t", "ed25519"], "ecdsa": ["-t", "ecdsa", "-b", "256"], "ecdsa-384": ["-t", "ecdsa", "-b", "384"],
              "ecdsa-521": ["-t", "ecdsa", "-b", "521"], "rsa": ["-t", "rsa", "-b", "3072"]}


# ---- the command line of the server ----

def add_key(server, user, line, check=True):
    """Register a line of a .pub file."""
    return server.run("user", "key", "add", user, stdin=line.strip() + "\n", check=check)


def host_keys(server):
    """The rows of `hostkey show`."""
    return server.run("hostkey", "show", "--json").json()["rows"]


def write_known_hosts(server, path):
    """What `hostkey show` prints for known_hosts, as a user would paste it."""
    Path(path).write_text(server.run("hostkey", "show", "--known-hosts").out)
    return path


def make_key(path, kind="ed25519"):
    """A key pair made by ssh-keygen; returns the public line."""
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", path.name, *SMALL_KEYS[kind], "-f", str(path)], check=True)
    return Path(f"{path}.pub").read_text().strip()


def fingerprint(path):
    """SHA256:... of a public key, as ssh-keygen prints it."""
    return subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True).stdout.split()[1]


class Door:
    """One person's way in.  folder: a scratch folder of the client's own."""

    def __init__(self, server, user, folder):
        self.server, self.user, self.folder, self.port = server, user, Path(folder), server.sftp_port
        self.folder.mkdir(parents=True, exist_ok=True)
        self.known_hosts = write_known_hosts(server, self.folder / "known_hosts")
        self.key = self.password = None

    def with_key(self, kind="ed25519"):
        self.key = self.folder / f"id-{kind}-{self.user}"
        if not self.key.exists():
            add_key(self.server, self.user, make_key(self.key, kind))
        return self

    def with_password(self, password=PASSWORD):
        self.password = password
        return self

    def raw(self, **how):
        """lib/ssh.py's client, as this user."""
        if self.key is not None:
            how.setdefault("key", UserKey.load(self.key))
        return Ssh(self.port, **{"user": self.user, "password": self.password or PASSWORD, **how})

    # ---- OpenSSH ----

    def options(self, *more):
        """-o options for ssh, sftp and scp; more come first and so count more."""
        all_of_them = [*more, f"UserKnownHostsFile={self.known_hosts}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes",
                       "UpdateHostKeys=no", "LogLevel=ERROR", "IdentitiesOnly=yes", "NumberOfPasswordPrompts=1", f"User={self.user}",
                       f"Port={self.port}", "IdentityAgent=none", "ConnectTimeout=30"]
        if self.key is not None:
            all_of_them += [f"IdentityFile={self.key}"]
        all_of_them += ["PreferredAuthentications=" + ("publickey" if self.password is None else "password"), f"BatchMode={'no' if self.password else 'yes'}"]
        return ["-F", "none"] + [word for option in all_of_them for word in ("-o", option)]

    def environment(self):
        """What makes ssh ask a program for the password."""
        if self.password is None:
            return os.environ
        ask = self.folder / f"ask-{self.user}"
        ask.write_text("#!/bin/sh\nprintf '%s\\n' \"$SALLYPORT_TEST_ANSWER\"\n")
        ask.chmod(0o700)
        return {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "SALLYPORT_TEST_ANSWER": self.password}

    def run(self, argv, stdin=None, check=True, cwd=None, timeout=SECONDS, env=None):
        done = Result(subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout,
                                     cwd=cwd or self.folder, env=env or self.environment(), start_new_session=True))
        if check:
            assert done.code == 0, f"{argv[0]}: {done}\n{self.server.log_tail(15)}"
        return done

    def sftp(self, batch, *options, flags=(), **kw):
        """sftp -b: one command a line."""
        return self.run(["sftp", *flags, *self.options(*options), "-b", "-", "127.0.0.1"], stdin=batch + "\n", **kw)

    def sftp_start(self, batch, *options, flags=()):
        """The same, running: a Popen."""
        argv = ["sftp", *flags, *self.options(*options), "-b", "-", "127.0.0.1"]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder,
                                   env=self.environment(), start_new_session=True)
        process.stdin.write(batch.encode() + b"\n")
        process.stdin.close()
        return process

    def scp(self, *args, legacy=False, options=(), **kw):
        """scp; a remote path is written ":path"."""
        paths = [f"127.0.0.1{a}" if str(a).startswith(":") else a for a in args]
        return self.run(["scp", *(["-O"] if legacy else []), *self.options(*options), *paths], **kw)

    def ssh(self, *args, flags=(), options=(), **kw):
        return self.run(["ssh", *flags, *self.options(*options), "127.0.0.1", *args], **kw)

    @contextlib.contextmanager
    def sshfs(self, remote="", *options):
        """The folder mounted; unmounted at the end."""
        where = self.folder / "mounted"
        where.mkdir(exist_ok=True)
        command = "ssh " + " ".join(self.options())
        self.run(["sshfs", f"127.0.0.1:{remote}", where, "-o", ",".join([f"ssh_command={command}", "dcache_timeout=1", *options])])
        try:
            yield where
        finally:
            for _ in range(50):  # busy while somebody still looks
                if subprocess.run(["fusermount3", "-u", str(where)], capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)

    # ---- others ----

    def lftp(self, script, check=True, **kw):
        command = "ssh -a -x " + " ".join(self.options())
        home = self.folder / "lftp-home"
        home.mkdir(exist_ok=True)
        lines = [f"set sftp:connect-program '{command}'", "set net:max-retries 1", "set net:timeout 30", "set cmd:fail-exit yes",
                 "set xfer:use-temp-file no", f"open -u {self.user},x sftp://127.0.0.1:{self.port}", script]
        return self.run(["lftp", "--norc", "-c", "\n".join(lines)], check=check, env={**self.environment(), "HOME": str(home)}, **kw)

    def psftp(self, script, *options, check=True, **kw):
        """PuTTY's; the host key is given by its fingerprint."""
        batch = self.folder / "psftp.batch"
        batch.write_text(script + "\n")
        argv = ["psftp", "-batch", "-P", self.port, "-b", batch, "-hostkey", self.ed25519_fingerprint(), *options]
        if self.key is not None:
            ppk = Path(f"{self.key}.ppk")
            if not ppk.exists():
                self.run(["puttygen", self.key, "-o", ppk, "-O", "private"])
            argv += ["-i", ppk]
        if self.password is not None:
            argv += ["-pw", self.password]
        home = self.folder / "putty-home"
        home.mkdir(exist_ok=True)
        return self.run([*argv, f"{self.user}@127.0.0.1"], check=check, env={**os.environ, "HOME": str(home)}, **kw)

    def ed25519_fingerprint(self):
        return next(row["fingerprint"] for row in host_keys(self.server) if "ed25519" in row["type"])

    def rclone(self, *args, options="", **kw):
        """rclone; a remote path is written ":path"."""
        remote = f":sftp,host=127.0.0.1,port={self.port},user={self.user},known_hosts_file='{self.known_hosts}'{options}"
        if self.key is not None:
            remote += f",key_file='{self.key}'"
        else:
            remote += f",pass='{self.run(['rclone', 'obscure', self.password]).out.strip()}'"
        paths = [remote + str(a) if str(a).startswith(":") else a for a in args]
        flags = ["--config", "/dev/null", "--retries", "1", "--low-level-retries", "2", "--stats", "0"]
        return self.run(["rclone", *flags, *paths], env={**os.environ, "HOME": str(self.folder)}, **kw)

    def curl(self, *args, path="/~/", **kw):
        home = self.folder / "curl-home"
        (home / ".ssh").mkdir(parents=True, exist_ok=True)
        (home / ".ssh/known_hosts").write_text(self.known_hosts.read_text())
        argv = ["curl", "-sS", "--noproxy", "*"]
        if self.key is not None:
            argv += ["--key", self.key, "--pubkey", f"{self.key}.pub", "--user", f"{self.user}:"]
        else:
            argv += ["--user", f"{self.user}:{self.password}"]
        return self.run([*argv, *args, f"sftp://127.0.0.1:{self.port}{path}"], env={**os.environ, "HOME": str(home)}, **kw)

    @contextlib.contextmanager
    def paramiko(self):
        """A paramiko.SFTPClient."""
        import paramiko

        with paramiko.SSHClient() as client:
            client.load_host_keys(str(self.known_hosts))
            client.connect("127.0.0.1", self.port, self.user, password=self.password, key_filename=str(self.key) if self.key else None,
                           look_for_keys=False, allow_agent=False, timeout=30, auth_timeout=30, banner_timeout=30)
            with client.open_sftp() as sftp:
                yield sftp

    def asyncssh(self, work):
        """work(client) is a coroutine with an asyncssh SFTP client; returns its result."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import asyncssh

        async def session():
            keys = [str(self.key)] if self.key else []
            async with asyncssh.connect("127.0.0.1", self.port, username=self.user, client_keys=keys, password=self.password, config=None,
                                        known_hosts=str(self.known_hosts), agent_path=None) as connection:
                async with connection.start_sftp_client() as client:
                    return await work(client)

        return asyncio.run(asyncio.wait_for(session(), SECONDS))

    # ---- the client's own files ----

    def file(self, name, data=b""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def read(self, name):
        return (self.folder / name).read_bytes()



def one_time_code(seed, when=None):
    """The code of a base32 seed, by oathtool; when: seconds since 1970."""
    argv = ["oathtool", "--totp", "-b", seed] + ([] if when is None else ["-N", f"@{int(when)}"])
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
