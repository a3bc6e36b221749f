"""Who gets in by SFTP, with what, and what is written down about it."""
import base64
import itertools
import os
import re
import secrets
import select
import signal
import subprocess
import time

import pytest

from lib.instance import PASSWORD, Instance
from lib.sftp import Door, add_key, fingerprint, host_keys, make_key, one_time_code
from lib.ssh import Ssh
from lib.ssh_wire import CIPHERS, HOST_KEYS, KEXES, Closed, Msg, Reader, SkKey, UserKey, string, u32

KINDS = ["ed25519", "nistp256", "nistp384", "nistp521", "3072"]
ALGORITHMS = {"ed25519": ["ssh-ed25519"], "nistp256": ["ecdsa-sha2-nistp256"], "nistp384": ["ecdsa-sha2-nistp384"],
              "nistp521": ["ecdsa-sha2-nistp521"], "3072": ["rsa-sha2-256", "rsa-sha2-512"]}
LONE = itertools.count()


def last(server, event, user=None):
    """The newest entry of the audit log of this kind, with its detail beside the rest."""
    found = [{**e, **e.get("detail", {})} for e in server.audit("--event", event) if user is None or e.get("user") == user]
    return found[-1] if found else None


def eventually(look, seconds=10):
    deadline = time.monotonic() + seconds
    while not look() and time.monotonic() < deadline:
        time.sleep(0.1)
    return look()


def lone():
    """An address that nobody else comes from: of the failures of one address, all beyond 20 a minute are counted together in the ledger."""
    n = next(LONE)
    return f"127.0.{100 + n // 250}.{1 + n % 250}"


def goes_on(c):
    """The connection is still in its authentication: an attempt is answered."""
    return c.try_none() is not True


@pytest.fixture(scope="module")
def keys(sftp_server):
    """A key of each kind, alice's."""
    made = {kind: UserKey.make(kind) for kind in KINDS}
    for key in made.values():
        add_key(sftp_server, "alice", key.line)
    return made


@pytest.fixture
def person(sftp_server, tmp_path):
    """A user of the test's own: person(*arguments of user add) -> name."""
    counter = iter(range(100))

    def make(*args):
        name = f"p{os.getpid() % 10000}-{abs(hash(tmp_path)) % 10**6}-{next(counter)}"
        sftp_server.add_user(name, *args)
        return name

    return make


# ---- passwords ----

def test_password(sftp_server):
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        assert set(c.try_none()) == {"publickey", "password", "keyboard-interactive"}
        assert "password" in c.try_password("wrong password")
        assert c.try_password("") is not True
        assert c.try_password(PASSWORD) is True
    entry = last(sftp_server, "login", "alice")
    assert entry["proof"] == "password" and entry["addr"] == c.peer


def test_keyboard_interactive(sftp_server):
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        assert c.ask_interactive() == [("Password: ", False)]
        c.respond("wrong password")
        assert c.prompts() is None and c.answer() is not True
        assert c.try_interactive(PASSWORD) is True
    assert last(sftp_server, "login", "alice")["proof"] == "keyboard-interactive"


@pytest.mark.parametrize("answers", [[], [PASSWORD, PASSWORD], [""] * 50], ids=len)
def test_interactive_with_another_number_of_answers(sftp_server, answers):
    """One was asked for; RFC 4256 section 3.4: anything else is no login."""
    with Ssh(sftp_server.sftp_port, "alice").to("prompt") as c:
        c.respond(*answers)
        try:
            assert c.prompts() is None and c.answer() is not True
        except Closed:
            pass


def test_interactive_without_a_question(sftp_server):
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        c.respond(PASSWORD)
        c.probe_not_in()


def test_openssh_asks_for_a_password(sftp_server, tmp_path):
    door = Door(sftp_server, "alice", tmp_path).with_password()
    for method in ("password", "keyboard-interactive"):
        assert "Remote working" in door.sftp("pwd", f"PreferredAuthentications={method}").out
        assert door.with_password("wrong password").sftp("pwd", f"PreferredAuthentications={method}", check=False).code != 0
        door.with_password()


# ---- keys ----

@pytest.mark.parametrize("kind,algorithm", [(k, a) for k in KINDS for a in ALGORITHMS[k]])
def test_keys(sftp_server, keys, kind, algorithm):
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        assert c.offer_key(keys[kind], algorithm=algorithm) is True
        assert goes_on(c), "an offered key is not a login"
        assert c.try_key(keys[kind], algorithm=algorithm) is True
        c.phase = "open"
        c.to("sftp")
    entry = last(sftp_server, "login", "alice")
    assert entry["proof"] == "publickey"
    assert entry["key"].startswith("SHA256:"), entry


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "ecdsa-384", "ecdsa-521", "rsa"])
def test_openssh_keys(sftp_server, tmp_path, kind):
    door = Door(sftp_server, "alice", tmp_path).with_key(kind)
    algorithms = ["rsa-sha2-256", "rsa-sha2-512"] if kind == "rsa" else [None]
    for algorithm in algorithms:
        options = [f"PubkeyAcceptedAlgorithms={algorithm}"] if algorithm else []
        door.sftp("pwd", *options)
        entry = last(sftp_server, "login", "alice")
        assert entry["key"] == fingerprint(f"{door.key}.pub")
        assert "OpenSSH" in entry["agent"]


def test_security_key(sftp_server):
    """sk-ssh-ed25519: user presence is required (PROTOCOL.u2f)."""
    key = SkKey()
    add_key(sftp_server, "alice", key.line)
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        key.flags = 0
        assert c.try_key(key) is not True, "nobody touched the key"
        key.flags = 1
        assert c.try_key(key) is True
    other = SkKey(application="ssh:elsewhere")
    other.private = key.private
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        assert c.try_key(other) is not True, "the application is part of the key"
        assert c.try_key(other, blob=key.blob) is not True


def test_rsa_with_sha1_is_refused(sftp_server, keys):
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        assert c.try_key(keys["3072"], algorithm="ssh-rsa") is not True
        assert "ssh-rsa" not in c.ext["server-sig-algs"].split(",")
        assert "rsa-sha2-512" in c.ext["server-sig-algs"].split(",")


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 !!!", "ssh-dss AAAAB3NzaC1kc3MAAAAA", "1024", "dsa", "private",
                                  'command="/bin/sh" {good}', "{good} {good}\n{good}", "../../keys/root.key", "//evil/share/key"])
def test_keys_that_are_not_registered(sftp_server, tmp_path, line):
    if line == "1024":
        line = UserKey.make("1024").line
    elif line == "dsa":
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", "dsa", "-f", tmp_path / "dsa"], check=True)
        line = (tmp_path / "dsa.pub").read_text()
    elif line == "private":
        make_key(tmp_path / "k")
        line = (tmp_path / "k").read_text()
    line = line.replace("{good}", UserKey.make().line)
    assert add_key(sftp_server, "bob", line, check=False).code != 0


def test_key_is_one_users(sftp_server, keys):
    with Ssh(sftp_server.sftp_port, "bob", source=lone()).to("auth") as c:
        assert c.offer_key(keys["ed25519"]) is not True
        assert c.try_key(keys["ed25519"]) is not True
    assert last(sftp_server, "login.failed", "bob")


def test_key_list_and_remove(sftp_server, person):
    name, key = person(), UserKey.make()
    add_key(sftp_server, name, key.line + " a comment")
    assert add_key(sftp_server, name, key.line, check=False).code != 0, "the same key twice"
    rows = sftp_server.run("user", "key", "list", name, "--json").json()["rows"]
    assert len(rows) == 1 and rows[0]["fingerprint"].startswith("SHA256:") and "a comment" in str(rows[0])
    with Ssh(sftp_server.sftp_port, name, key=key).to("sftp") as c:
        sftp_server.run("user", "key", "remove", name, rows[0]["fingerprint"])
        with Ssh(sftp_server.sftp_port, name).to("auth") as again:
            assert again.offer_key(key) is not True
            assert again.try_key(key) is not True
        assert c.peer
    assert sftp_server.run("user", "key", "remove", name, rows[0]["fingerprint"], check=False).code != 0
    assert last(sftp_server, "sshkey.added", None) and last(sftp_server, "sshkey.removed", None)


def test_unknown_users_look_like_known_ones(sftp_server, keys):
    """The same methods, the same answers; a key that is nobody's is not OK."""
    seen = []
    for user in ("bob", "nobody-of-that-name"):
        with Ssh(sftp_server.sftp_port, user).to("auth") as c:
            seen.append((c.try_none(), c.offer_key(keys["ed25519"]), c.try_key(keys["ed25519"]), c.try_password("wrong password"),
                         c.ask_interactive()))
    assert seen[0] == seen[1]


def test_a_suspended_user(sftp_server, person):
    name, key = person(), UserKey.make()
    add_key(sftp_server, name, key.line)
    with Ssh(sftp_server.sftp_port, name, key=key).to("sftp") as c:
        c.sftp.realpath()
        sftp_server.run("user", "suspend", name)
        with pytest.raises((Closed, Exception)):
            c.sftp.put("after", b"x")
        with Ssh(sftp_server.sftp_port, name).to("auth") as again:
            assert again.try_key(key) is not True
            assert again.try_password(PASSWORD) is not True
    sftp_server.run("user", "activate", name)
    with Ssh(sftp_server.sftp_port, name, key=key).to("sftp") as c:
        assert "after" not in c.sftp.list(".")


@pytest.mark.parametrize("level", ["admin", "sysadmin"])
def test_administrators_do_not_log_in_here(sftp_server, person, level):
    name, key = person("--level", level), UserKey.make()
    add_key(sftp_server, name, key.line, check=False)
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_password(PASSWORD) is not True
        assert c.try_key(key) is not True


# ---- certificates ----

class Authority:
    def __init__(self, server, folder, kind="ed25519"):
        self.server, self.path = server, folder / "ca"
        self.line = make_key(self.path, kind)
        self.folder, self.made, self.name = folder, 0, "ca-" + secrets.token_hex(4)

    def trust(self):
        self.server.run("ca", "add", self.name, stdin=self.line + "\n")
        return self

    def certify(self, *flags, principals="alice", kind="ed25519"):
        """A key of alice's with a certificate: UserKey whose blob is the certificate."""
        self.made += 1
        path = self.folder / f"user{self.made}"
        make_key(path, kind)
        who = ["-n", principals] if principals else []
        subprocess.run(["ssh-keygen", "-q", "-s", self.path, "-I", f"id {self.made}", *who, *flags, f"{path}.pub"], check=True, capture_output=True)
        word = (self.folder / f"user{self.made}-cert.pub").read_text().split()
        key = UserKey.load(path)
        key.blob, key.certificate, key.path = base64.b64decode(word[1]), word[0], path
        return key


@pytest.fixture(scope="module")
def authority(sftp_server, tmp_path_factory):
    return Authority(sftp_server, tmp_path_factory.mktemp("ca")).trust()


def by_certificate(server, key, user="alice", **how):
    algorithm = how.pop("algorithm", key.certificate.replace("ssh-rsa", "rsa-sha2-512"))
    with Ssh(server.sftp_port, user, **how).to("auth") as c:
        return c.try_key(key, algorithm=algorithm)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_certificates(sftp_server, authority, kind):
    assert by_certificate(sftp_server, authority.certify(kind=kind)) is True
    entry = last(sftp_server, "login", "alice")
    assert f"id {authority.made}" in str(entry), entry


def test_openssh_certificate(sftp_server, authority, tmp_path):
    key = authority.certify()
    door = Door(sftp_server, "alice", tmp_path)
    door.key = key.path
    assert "Remote working" in door.sftp("pwd", f"CertificateFile={key.path}-cert.pub").out


GOOD = {
    "several principals": dict(flags=[], principals="bob,alice,carol"),
    "its address": dict(flags=["-O", "source-address=127.0.0.0/8"]),
    "an interval": dict(flags=["-V", "-1h:+1h"]),
    "internal-sftp": dict(flags=["-O", "force-command=internal-sftp"]),
    "nothing but its name": dict(flags=["-O", "clear"]),
}
BAD = {
    "another principal": dict(flags=[], principals="bob"),
    "a longer principal": dict(flags=[], principals="alice2,alic"),
    "no principal": dict(flags=[], principals=None),
    "expired": dict(flags=["-V", "-2h:-1h"]),
    "not yet valid": dict(flags=["-V", "+1h:+2h"]),
    "another address": dict(flags=["-O", "source-address=192.0.2.0/24"]),
    "another command": dict(flags=["-O", "force-command=/bin/sh"]),
    "an unknown critical option": dict(flags=["-O", "critical:unheard-of@example.com=x"]),
    "verify-required": dict(flags=["-O", "verify-required"]),
    "a host's": dict(flags=["-h"]),
}


@pytest.mark.parametrize("what", GOOD)
def test_good_certificates(sftp_server, authority, what):
    how = dict(GOOD[what])
    assert by_certificate(sftp_server, authority.certify(*how.pop("flags"), **how)) is True


@pytest.mark.parametrize("what", BAD)
def test_bad_certificates(sftp_server, authority, what):
    how = dict(BAD[what])
    assert by_certificate(sftp_server, authority.certify(*how.pop("flags"), **how)) is not True
    assert by_certificate(sftp_server, authority.certify()) is True


def test_certificate_of_a_stranger(sftp_server, authority, tmp_path):
    assert by_certificate(sftp_server, Authority(sftp_server, tmp_path).certify()) is not True


def test_certificate_signed_by_itself(sftp_server, authority, tmp_path):
    """A user's registered key is no authority."""
    stranger = Authority(sftp_server, tmp_path)
    add_key(sftp_server, "alice", stranger.line)
    assert by_certificate(sftp_server, stranger.certify()) is not True


@pytest.mark.parametrize("bit", range(0, 8 * 32, 37))
def test_certificate_changed_by_a_bit(sftp_server, authority, bit):
    key = authority.certify()
    at = len(key.blob) - 33 + bit // 8  # in the signature
    key.blob = key.blob[:at] + bytes([key.blob[at] ^ 1 << bit % 8]) + key.blob[at + 1:]
    assert by_certificate(sftp_server, key) is not True


def test_certificate_changed_in_what_is_signed(sftp_server, authority):
    key = authority.certify(principals="bobby")
    key.blob = key.blob.replace(b"bobby", b"alice")
    assert by_certificate(sftp_server, key) is not True


def test_certificate_without_its_private_key(sftp_server, authority):
    key = authority.certify()
    key.private = UserKey.make().private
    assert by_certificate(sftp_server, key) is not True


def test_certificate_as_a_plain_key(sftp_server, authority):
    key = authority.certify()
    assert by_certificate(sftp_server, key, algorithm="ssh-ed25519") is not True


def test_an_authority_that_is_not_trusted_any_more(sftp_server, tmp_path):
    ca = Authority(sftp_server, tmp_path).trust()
    assert by_certificate(sftp_server, ca.certify()) is True
    print_of_it = fingerprint(f"{ca.path}.pub")
    assert print_of_it in sftp_server.run("ca", "list").out
    sftp_server.run("ca", "remove", ca.name)
    assert by_certificate(sftp_server, ca.certify()) is not True


def test_authorities_are_an_organisations(sftp_server, authority):
    """An authority vouches for the users of the organisation that trusts it, and for no other's."""
    sftp_server.run("org", "add", "other")
    sftp_server.add_user("olivia", "--org", "other")
    assert by_certificate(sftp_server, authority.certify(principals="olivia"), user="olivia") is not True


# ---- one-time codes ----

class Clock:
    """Codes are good once: each step of 30 s gives one login."""

    def __init__(self, seed):
        self.seed, self.used = seed, 0

    def code(self):
        """A code that was not used yet, waiting for it when need be: of now, or a step to either side."""
        step = max(int(time.time()) // 30, self.used + 1)
        while step > int(time.time()) // 30 + 1:
            time.sleep(0.5)
        self.used = step
        return one_time_code(self.seed, step * 30)


@pytest.fixture(scope="module")
def careful(sftp_server):
    """(name, key, Clock) of somebody with one-time codes."""
    sftp_server.add_user("careful")
    key = UserKey.make()
    add_key(sftp_server, "careful", key.line)
    given = sftp_server.run("user", "otp", "add", "careful", "--json").json()
    assert given["uri"].startswith("otpauth://totp/") and f"secret={given['secret']}" in given["uri"]
    return "careful", key, Clock(given["secret"])


def test_password_alone_is_not_enough(sftp_server, careful):
    name, _, clock = careful
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_password(PASSWORD) == ["keyboard-interactive"] and c.partial
        assert [p for p, _ in c.ask_interactive()] == ["Verification code: "]
        c.respond("000000")
        assert c.prompts() is None and c.answer() is not True
        c.probe_not_in()
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_password(PASSWORD) == ["keyboard-interactive"]
        assert c.try_interactive(clock.code()) is True


def test_interactive_asks_for_both(sftp_server, careful):
    name, _, clock = careful
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.ask_interactive() == [("Password: ", False)]
        c.respond(PASSWORD)
        assert c.prompts() == [("Verification code: ", False)]
        code = clock.code()
        c.respond(code)
        assert c.prompts() is None and c.answer() is True
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_interactive(PASSWORD, code) is not True, "a code is good once"
    assert last(sftp_server, "otp.check") and last(sftp_server, "login", name)


def test_a_key_is_not_enough_either(sftp_server, careful):
    name, key, clock = careful
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_key(key) == ["keyboard-interactive"] and c.partial
        c.send(c.open_request())
        c.ended()
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_key(key) == ["keyboard-interactive"]
        assert c.try_interactive(clock.code()) is True


def test_code_at_the_https_door(sftp_server, careful):
    """The second factor is the account's: it holds at every door."""
    with sftp_server.anonymous() as c:
        form = dict(grant_type="password", username=careful[0], password=PASSWORD)
        r = sftp_server.grant(c, **form)
        assert r.status_code == 401 and '"access_token"' not in r.text, r.text
        code = careful[2].code()
        assert "access_token" in sftp_server.grant(c, **form, otp=code).json()
        assert sftp_server.grant(c, **form, otp=code).status_code in (400, 401), "a code is good once"
    with Ssh(sftp_server.sftp_port, careful[0]).to("auth") as c:
        assert c.try_interactive(PASSWORD, code) is not True, "nor is it at another door"


def test_codes_of_other_times(sftp_server, careful):
    name, _, clock = careful
    for steps in (-120, -20, 20, 120):
        with Ssh(sftp_server.sftp_port, name).to("auth") as c:
            c.try_password(PASSWORD)
            assert c.try_interactive(one_time_code(clock.seed, time.time() + 30 * steps)) is not True
            if steps == -20:  # a good login in between: these are not to lock the account
                c.close()


def test_openssh_with_a_code(sftp_server, careful, tmp_path):
    """ssh asks twice; the program that answers says the password, then the code."""
    name, _, clock = careful
    door = Door(sftp_server, name, tmp_path).with_password()
    environment = door.environment()
    (tmp_path / f"ask-{name}").write_text(
        "#!/bin/sh\ncase \"$1\" in *code*) printf '%s\\n' \"$CODE\" ;; *) printf '%s\\n' \"$SALLYPORT_TEST_ANSWER\" ;; esac\n")
    environment["CODE"] = clock.code()
    assert "Remote working" in door.sftp("pwd", "PreferredAuthentications=keyboard-interactive", env=environment).out


def test_codes_taken_away(sftp_server, person):
    name = person()
    sftp_server.run("user", "otp", "add", name)
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_password(PASSWORD) is not True
    sftp_server.run("user", "otp", "remove", name)
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_password(PASSWORD) is True
    assert last(sftp_server, "otp.added") and last(sftp_server, "otp.removed")


# ---- several methods together ----

@pytest.fixture(scope="module")
def both(sftp_server):
    """Somebody of whom a key and a password are asked."""
    sftp_server.add_user("both")
    key = UserKey.make()
    add_key(sftp_server, "both", key.line)
    sftp_server.run("user", "set", "both", "--auth-methods", "publickey,keyboard-interactive")
    return key


def test_both_in_their_order(sftp_server, both):
    with Ssh(sftp_server.sftp_port, "both").to("auth") as c:
        assert c.try_key(both) == ["keyboard-interactive"] and c.partial
        c.send(c.open_request())
        c.ended()
    with Ssh(sftp_server.sftp_port, "both").to("auth") as c:
        c.try_key(both)
        assert c.try_interactive("wrong password") is not True
        assert c.try_interactive(PASSWORD) is True
        c.phase = "open"
        c.to("sftp")
    entry = last(sftp_server, "login", "both")
    assert "publickey" in entry["proof"] and "keyboard-interactive" in entry["proof"], entry


def test_neither_alone(sftp_server, both):
    with Ssh(sftp_server.sftp_port, "both").to("auth") as c:
        assert c.try_password(PASSWORD) is not True
        assert c.try_interactive(PASSWORD) is not True
        assert c.try_key(both) is not True
        assert c.try_key(both) is not True, "the same method twice is one"
        c.probe_not_in()


def test_openssh_with_both(sftp_server, both, tmp_path):
    door = Door(sftp_server, "both", tmp_path).with_password()
    path = tmp_path / "id"
    make_key(path)
    add_key(sftp_server, "both", (tmp_path / "id.pub").read_text())
    door.key = path
    assert "Remote working" in door.sftp("pwd", "PreferredAuthentications=publickey,keyboard-interactive").out
    assert door.sftp("pwd", "PreferredAuthentications=publickey", check=False).code != 0


def test_alternatives(sftp_server, person):
    name, key = person(), UserKey.make()
    add_key(sftp_server, name, key.line)
    sftp_server.run("user", "set", name, "--auth-methods", "publickey password,keyboard-interactive")
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_password(PASSWORD) == ["keyboard-interactive"] or "keyboard-interactive" in c.methods
        assert c.try_interactive(PASSWORD) is True
    with Ssh(sftp_server.sftp_port, name).to("auth") as c:
        assert c.try_key(key) is True
    for nonsense in ("publickey,", "shell", ",", "publickey,publickey", "x" * 5000):
        assert sftp_server.run("user", "set", name, "--auth-methods", nonsense, check=False).code != 0


# ---- names ----

@pytest.mark.parametrize("user", ["", " ", "alice ", "alice\0", "alice\0bob", "../alice", "a" * 255, "a" * 256, "a" * 5000, "\xff\xfe", "alice@main",
                                  "root", "%s%n", "alice'--", "😀"], ids=repr)
def test_names_that_are_nobodys(sftp_server, user):
    with Ssh(sftp_server.sftp_port, "alice").to("auth") as c:
        try:
            c.send(c.request(user.encode("utf-8") if user != "\xff\xfe" else b"\xff\xfe", "password", b"\0" + string(PASSWORD)))
            if user == "alice@main":  # the organisation may be said
                c.answer()
                return
            assert c.answer() is not True
        except Closed:
            pass


# ---- limits ----

@pytest.fixture(scope="module")
def strict(identity):
    """A server with limits that a test can reach."""
    with Instance(identity, sftp=True, settings={"LoginGraceTime": "2s", "MaxAuthTries": "3", "ConnectionsPerUser": "3", "ClientAliveInterval": "1s",
                                                 "ClientAliveCountMax": "2", "SftpIdleTimeout": "10s", "SftpBanner": "Only for partners of Example.",
                                                 "WorkersPerAddress": "12", "LockoutFailures": "8", "Scp": "no"}) as instance:
        for name in ("alice", "bob", "carol"):
            instance.add_user(name)
        yield instance


def test_max_auth_tries(strict):
    with Ssh(strict.sftp_port, "bob").to("auth") as c:
        assert c.try_password("wrong password") is not True
        assert c.try_password("wrong password") is not True
        with pytest.raises(Closed) as closed:
            c.try_password("wrong password")
            c.try_password(PASSWORD)
        assert closed.value.disconnect and "too many" in closed.value.disconnect.text.lower()


def test_lockout(strict):
    """Of an account and address together: a stranger does not lock a partner out."""
    tried = 0
    while tried < 9:
        with Ssh(strict.sftp_port, "carol", source="127.0.0.9").to("auth") as c:
            try:
                while tried < 9:
                    tried += 1
                    assert c.try_password("wrong password") is not True
            except Closed:
                pass
    with Ssh(strict.sftp_port, "carol", source="127.0.0.9").to("auth") as c:
        try:
            assert c.try_password(PASSWORD) is not True, "not locked out"
        except Closed:
            pass
    with Ssh(strict.sftp_port, "carol", source="127.0.0.10").to("auth") as c:
        assert c.try_password(PASSWORD) is True
    with Ssh(strict.sftp_port, "alice", source="127.0.0.9").to("auth") as c:
        assert c.try_password(PASSWORD) is True
    assert last(strict, "login.lockout")


@pytest.mark.parametrize("phase", [None, "version", "kexinit", "kex", "newkeys", "auth", "prompt"])
def test_login_grace_time(strict, phase):
    """Whoever does not log in is shown out, wherever he stopped."""
    begin = time.monotonic()
    with Ssh(strict.sftp_port, "alice") as c:
        if phase:
            c.to(phase)
        if phase in (None, "version"):
            while c.socket.recv(4096):  # no packets yet
                pass
        else:
            c.ended(20)
    assert 1 < time.monotonic() - begin < 10


def test_login_grace_time_is_not_extended_by_talk(strict):
    begin = time.monotonic()
    with Ssh(strict.sftp_port, "alice").to("auth") as c:
        with pytest.raises(Closed):
            while time.monotonic() - begin < 20:
                c.send(bytes([Msg.IGNORE]) + string(b"still here"))
                time.sleep(0.1)
    assert 1 < time.monotonic() - begin < 10


def test_banner(strict, tmp_path):
    with Ssh(strict.sftp_port, "alice").to("auth") as c:
        c.try_none()
        assert c.banner.strip() == b"Only for partners of Example."
    door = Door(strict, "alice", tmp_path).with_password()
    assert "Only for partners of Example." in door.sftp("pwd", "LogLevel=INFO").err


def test_connections_per_user(strict):
    open_ones = [Ssh(strict.sftp_port, "alice", password=PASSWORD).to("sftp") for _ in range(3)]
    try:
        with Ssh(strict.sftp_port, "alice").to("auth") as c:
            try:
                assert c.try_password(PASSWORD) is not True, "a fourth connection"
            except Closed:
                pass
        with Ssh(strict.sftp_port, "bob", password=PASSWORD).to("sftp") as c:
            c.sftp.realpath()
        open_ones.pop().close()

        def again():
            with Ssh(strict.sftp_port, "alice").to("auth") as c:
                try:
                    return c.try_password(PASSWORD) is True
                except Closed:
                    return False
        assert eventually(again)
    finally:
        [c.close() for c in open_ones]


def test_connections_per_address(strict):
    held = []
    try:
        for _ in range(30):
            held.append(Ssh(strict.sftp_port, "alice", source="127.0.0.7"))
        time.sleep(0.5)

        def served(c):
            ready, _, _ = select.select([c.socket], [], [], 0.2)
            return bool(ready) and c.socket.recv(1, 2) != b""  # MSG_PEEK
        assert 1 <= sum(served(c) for c in held) <= 12
        with Ssh(strict.sftp_port, "bob", password=PASSWORD, source="127.0.0.8").to("sftp") as c:
            c.sftp.realpath()
    finally:
        [c.close() for c in held]


def test_client_alive(strict):
    """Asked, and without an answer shown out; one that answers stays."""
    with Ssh(strict.sftp_port, "bob", password=PASSWORD).to("sftp") as c:
        begin = time.monotonic()
        payload = c.recv_packet()
        assert payload[0] == Msg.GLOBAL_REQUEST and Reader(payload, 1).text() == "keepalive@openssh.com"
        c.ended(20)
        assert 1.5 < time.monotonic() - begin < 9
    with Ssh(strict.sftp_port, "bob", password=PASSWORD).to("sftp") as c:
        for _ in range(5):  # more than ClientAliveCountMax
            assert c.recv_packet()[0] == Msg.GLOBAL_REQUEST
            c.send(bytes([Msg.REQUEST_FAILURE]))
        c.sftp.realpath()


def test_idle_timeout(strict):
    """One that answers keepalives and asks for nothing is idle all the same."""
    begin = time.monotonic()
    with Ssh(strict.sftp_port, "bob", password=PASSWORD).to("sftp") as c:
        with pytest.raises(Closed):
            while time.monotonic() - begin < 40:
                c.recv()
    assert 8 < time.monotonic() - begin < 25


def test_scp_off(strict, tmp_path):
    door = Door(strict, "alice", tmp_path).with_password()
    door.file("x", b"x")
    done = door.scp("x", ":y", legacy=True, check=False)
    assert done.code != 0 and done.err.strip(), "refused without a word"
    door.scp("x", ":y")


def test_settings_are_taken_up(fresh):
    """SIGHUP: the next connection sees the new settings, one that is there goes on."""
    fresh.sftp = True
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    with Ssh(fresh.sftp_port, "alice", password=PASSWORD).to("sftp") as old:
        fresh.set("SftpBanner", "A new banner")
        fresh.process.send_signal(signal.SIGHUP)

        def seen():
            with Ssh(fresh.sftp_port, "alice").to("auth") as c:
                c.try_none()
                return c.banner.strip() == b"A new banner"
        assert eventually(seen)
        assert old.sftp.realpath()
    fresh.stop()
    fresh.verify()


# ---- what there is not ----

def test_no_shell_no_commands(sftp_server, tmp_path):
    door = Door(sftp_server, "alice", tmp_path).with_password()
    for command in ([], ["id"], ["sftp-server"], ["/bin/sh -c id"], ["scp"], ["scp -t x; id"], ["scp -t $(id)"], ["rsync --server . ."], ["scp -S /bin/sh -t x"]):
        done = door.ssh(*command, check=False)
        assert done.code != 0, command
        assert "uid=" not in done.out + done.err
        assert len(done.err.strip()) > 10, f"{command}: refused without a word: {done}"


def test_no_other_subsystem(sftp_server, tmp_path):
    door = Door(sftp_server, "alice", tmp_path).with_password()
    for name in ("netconf", "shell", "sftp2", "SFTP", "/usr/lib/openssh/sftp-server"):
        assert door.ssh(name, flags=["-s"], check=False).code != 0


@pytest.mark.parametrize("kind,rest", [("pty-req", string("xterm") + u32(80) * 4 + string("")), ("x11-req", b"\0" + string("MIT-MAGIC-COOKIE-1") + string("00") + u32(0)),
                                       ("auth-agent-req@openssh.com", b""), ("env", string("LD_PRELOAD") + string("/tmp/x.so")), ("shell", b""),
                                       ("exec", string("id")), ("subsystem", string("shell")), ("unheard-of@example.com", b""),
                                       ("window-change", u32(1) * 4), ("signal", string("KILL")), ("break", u32(1)), ("xon-xoff", b"\1")],
                         ids=lambda v: v if isinstance(v, str) else "")
def test_channel_requests_that_are_refused(sftp_server, kind, rest):
    """A failure, and sftp can still be had; or, for what a person typed, a sentence and the end of the channel."""
    with Ssh(sftp_server.sftp_port, "alice", password=PASSWORD).to("channel") as c:
        if c.channel.request(kind, rest, check=False):
            assert kind in ("shell", "exec")
            assert c.channel.finish() not in (0, None)
            assert c.channel.input == b"" and len(c.channel.errors) > 10
            return
        c.to("sftp")
        assert c.sftp.realpath()


@pytest.mark.parametrize("kind,rest", [("direct-tcpip", string("127.0.0.1") + u32(22) + string("127.0.0.1") + u32(1)),
                                       ("forwarded-tcpip", string("127.0.0.1") + u32(22) + string("127.0.0.1") + u32(1)),
                                       ("direct-streamlocal@openssh.com", string("/run/control.sock") + string("") + u32(0)), ("x11", string("127.0.0.1") + u32(1)),
                                       ("auth-agent@openssh.com", b""), ("tun@openssh.com", u32(1) + u32(0)), ("unheard-of@example.com", b"")],
                         ids=lambda v: v if isinstance(v, str) else "")
def test_channels_that_are_refused(sftp_server, kind, rest):
    with Ssh(sftp_server.sftp_port, "alice", password=PASSWORD).to("open") as c:
        c.send(c.open_request(kind, number=7, rest=rest))
        r = Reader(c.expect(Msg.OPEN_FAILURE), 1)
        assert r.u32() == 7
        assert r.u32() in (1, 3) and r.text(), "no reason"
        c.to("sftp")
        assert c.sftp.realpath()


@pytest.mark.parametrize("kind,rest", [("tcpip-forward", string("") + u32(0)), ("cancel-tcpip-forward", string("") + u32(0)),
                                       ("streamlocal-forward@openssh.com", string("/tmp/x")), ("hostkeys-prove-00@openssh.com", b""),
                                       ("no-more-sessions@openssh.com", b""), ("unheard-of@example.com", b"")], ids=lambda v: v if isinstance(v, str) else "")
def test_global_requests_that_are_refused(sftp_server, kind, rest):
    with Ssh(sftp_server.sftp_port, "alice", password=PASSWORD).to("open") as c:
        for wants in (1, 0):
            c.send(bytes([Msg.GLOBAL_REQUEST]) + string(kind) + bytes([wants]) + rest)
            if wants:
                c.expect(Msg.REQUEST_FAILURE, *([Msg.REQUEST_SUCCESS] if kind.startswith("no-more") else []))
        c.to("sftp")
        assert c.sftp.realpath()


def test_openssh_forwardings(sftp_server, tmp_path):
    door = Door(sftp_server, "alice", tmp_path).with_password()
    done = door.ssh(flags=["-N", "-R", "0:127.0.0.1:1"], options=["ExitOnForwardFailure=yes", "LogLevel=INFO"], check=False)
    assert done.code != 0 and "remote port forwarding failed" in done.err
    done = door.ssh(flags=["-W", f"127.0.0.1:{sftp_server.port}"], options=["LogLevel=INFO"], check=False)
    assert done.code != 0 and "open failed" in done.err
    done = door.ssh(flags=["-A", "-X", "-tt"], options=["LogLevel=INFO"], check=False)
    assert done.code != 0


def test_a_second_session(sftp_server):
    """One channel: a second one is refused and takes nothing from the first."""
    with Ssh(sftp_server.sftp_port, "alice", password=PASSWORD).to("sftp") as c:
        c.send(c.open_request(number=1))
        c.expect(Msg.OPEN_FAILURE)
        assert c.sftp.realpath()


# ---- what is said about it ----

def test_the_ledger_has_it_all(sftp_server, keys):
    """Method, fingerprint, client and algorithms of a login, and the address it came from."""
    with Ssh(sftp_server.sftp_port, "alice", key=keys["nistp384"], cipher="aes128-ctr", mac="hmac-sha2-512-etm@openssh.com", kex="ecdh-sha2-nistp384",
             host_key="rsa-sha2-256", version=b"SSH-2.0-Probe_7.1 with a comment").to("sftp") as c:
        entry = last(sftp_server, "login", "alice")
    assert entry["addr"] == c.peer
    assert entry["proof"] == "publickey"
    assert entry["agent"] == "SSH-2.0-Probe_7.1 with a comment" or entry["agent"] == "Probe_7.1 with a comment"
    for word in ("ecdh-sha2-nistp384", "rsa-sha2-256", "aes128-ctr", "hmac-sha2-512-etm@openssh.com"):
        assert word in entry["algorithms"], entry
    assert entry["key"].startswith("SHA256:")


def test_failures_are_in_the_ledger(sftp_server, keys):
    with Ssh(sftp_server.sftp_port, "bob", source=lone()).to("auth") as c:
        c.try_password("wrong password")
        c.try_key(keys["ed25519"])
    found = [e for e in sftp_server.audit("--event", "login.failed") if e.get("addr") == c.peer]
    assert len(found) >= 2 and all(e["user"] == "bob" for e in found)
    assert "wrong password" not in str(found), "what was typed is in the log"


@pytest.mark.parametrize("first", ["none", "password", "interactive"])
def test_the_name_that_changes_is_in_the_ledger(sftp_server, first):
    with Ssh(sftp_server.sftp_port, "alice", source=lone()).to("auth") as c:
        {"none": c.try_none, "password": lambda: c.try_password("wrong password"), "interactive": c.ask_interactive}[first]()
        with pytest.raises(Closed):
            c.try_password(PASSWORD, user="bob")
            c.try_password(PASSWORD, user="bob")
    assert eventually(lambda: [e for e in sftp_server.audit("--event", "login.failed") if e.get("addr") == c.peer and "changed" in e["detail"]["reason"]])


def test_what_is_no_name_is_in_the_ledger(sftp_server):
    """Empty names, names with a NUL."""
    for name in (b"", b"alice\0"):
        with Ssh(sftp_server.sftp_port, "alice", source=lone()).to("auth") as c:
            with pytest.raises(Closed):
                c.send(c.request(name, "none"))
                c.answer()
                c.probe_not_in()
                raise Closed
        assert eventually(lambda: [e for e in sftp_server.audit("--event", "login.failed") if e.get("addr") == c.peer]), name


def test_the_version_says_no_version(sftp_server):
    with Ssh(sftp_server.sftp_port).to("version") as c:
        assert re.fullmatch(rb"SSH-2\.0-[A-Za-z]+", c.server_version), c.server_version


def test_host_keys(sftp_server, tmp_path):
    """hostkey show says what ssh-keyscan sees and ssh-keygen computes."""
    scanned = subprocess.run(["ssh-keyscan", "-p", str(sftp_server.sftp_port), "-t", "ed25519,ecdsa,rsa", "127.0.0.1"], capture_output=True, text=True)
    lines = {" ".join(line.split()[1:3]) for line in scanned.stdout.splitlines() if not line.startswith("#")}
    rows = host_keys(sftp_server)
    assert {" ".join(r["known_hosts"].split()[1:3]) for r in rows} == lines and len(lines) == 3
    for row in rows:
        path = tmp_path / "key.pub"
        path.write_text(" ".join(row["known_hosts"].split()[1:3]) + "\n")
        assert fingerprint(path) == row["fingerprint"]
        records = subprocess.run(["ssh-keygen", "-r", "host.example", "-f", path], capture_output=True, text=True, check=True).stdout
        assert row["sshfp"].split(" IN ")[1] in [line.split(" IN ")[1] for line in records.splitlines()]
        if row["type"] == "ssh-rsa":
            assert subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True).stdout.startswith("3072 ")


def test_algorithms(sftp_server):
    """What is offered, and nothing else."""
    with Ssh(sftp_server.sftp_port).to("kexinit") as c:
        assert set(c.offered["kex"]) == {*KEXES, "kex-strict-s-v00@openssh.com"} - {"ecdh-sha2-nistp521"}
        assert set(c.offered["host_key"]) == set(HOST_KEYS)
        assert set(c.offered["cipher_in"]) == set(c.offered["cipher_out"]) == set(CIPHERS)
        assert c.offered["zip_in"] == c.offered["zip_out"] == ["none"]
        assert not any(bad in name for names in c.offered.values() for name in names for bad in ("sha1", "md5", "cbc", "dss", "arcfour", "group", "zlib"))


def test_fips(fresh, tmp_path):
    """What FIPS 140-3 approves, and a client that has nothing else still gets in."""
    fresh.sftp, fresh.settings = True, {"Fips": "yes"}
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    with Ssh(fresh.sftp_port, "alice", password=PASSWORD, kex="ecdh-sha2-nistp256", host_key="ecdsa-sha2-nistp256").to("sftp") as c:
        offered = [name for names in c.offered.values() for name in names]
        assert not any(bad in name for name in offered for bad in ("25519", "chacha"))
        assert c.sftp.realpath()
    with Ssh(fresh.sftp_port, "alice", kex="curve25519-sha256", host_key="ecdsa-sha2-nistp256") as c:
        c.to("kexinit")
        c.ended()
    door = Door(fresh, "alice", tmp_path).with_password()
    assert "Remote working" in door.sftp("pwd").out
    fresh.stop()
    fresh.verify()
