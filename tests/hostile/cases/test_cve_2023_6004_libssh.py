"""CVE-2023-6004, CVE-2026-59846: libssh (and SFTPGo CVE-2025-24366, CVE-2024-52309: arguments of helper programs)

There: names of hosts and users went through a shell on their way to a helper program; SFTPGo started rsync and commands of administrators with a user's words as arguments.
Needs: here a program that is started with, or because of, something that a client said.
Here: P6: workers cannot start programs, and the only ones that the supervisor starts are ours; a command that is asked for is refused or spoken by us (scp).
"""
from lib.instance import PASSWORD
from lib.ssh_sftp import Status
from lib.ssh_wire import Closed, Msg, string


def tries_command(c, command):
    try:
        c.channel.request("exec", string(command), check=False)
        c.send(c.channel.message(Msg.CHANNEL_EOF))
        c.channel.finish()
    except Closed:
        pass


def test_names_and_commands_for_shells(house):
    mark = house.trace
    with house.attack(inside="thief") as thief:
        for evil in (f"$(touch {mark})", f"`touch {mark}`", f"; touch {mark}", f"| touch {mark}", f"\n touch {mark}\n", f"%0atouch {mark}", f"-oProxyCommand=touch {mark}"):
            with thief.strange(evil) as c:
                try:
                    c.send(c.request(evil, "password", b"\0" + string(evil)))
                    c.recv_packet()
                except Closed:
                    pass
            for command in (f"scp -t {evil}", f"scp -f {evil}", f"scp {evil}"):
                with thief.ssh("thief", password=PASSWORD).to("channel") as c:
                    tries_command(c, command)
            with thief.sftp() as c:
                try:
                    c.sftp.put(evil.replace("/", "_"), b"x")
                except Status:
                    pass


def test_helper_programs(house):
    """SFTPGo's system commands: git and rsync with options that read and write elsewhere; and a shell itself."""
    secret = house.server.dir / "keys/root.key"
    with house.attack(inside="thief") as thief:
        for command in ("rsync --server --sender -vlogDtpr . /etc/passwd", f"rsync --server -e.LsfxC --config={secret} . /Home/thief", f"rsync --server --log-file={house.trace} . x", "git-receive-pack '/Home/victim'",
                        "git-upload-pack --strict /", "md5sum /Home/victim/secret", "cd /; pwd", "sftpgo-copy /Home/victim/secret /Home/thief/x", f"scp -f {secret}", "scp -f /Home/victim/secret", "sh", "cat /etc/passwd", f"touch {house.trace}"):
            with thief.ssh("thief", password=PASSWORD).to("channel") as c:
                tries_command(c, command)
        assert b"root:x:" not in b"".join(bytes(s) for s in thief.loot)
