"""Alarms: every way, what they say, when a receiver is away, slow or not the one it should be, and when rooms die meanwhile."""
import base64
import json
import os
import shutil
import signal
import socket
import threading
import time

import pytest

from lib.instance import Instance, descendants, free_ports
from lib.receivers import Authority, MailServer, Syslog, Webhook, syslog_parse

KEY = bytes(range(32))


def secret_file(instance, name, text):
    path = instance.dir / "keys" / name
    path.write_text(text)
    path.chmod(0o400)
    os.chown(path, instance.identity.uid, instance.identity.uid) if os.geteuid() == 0 else None


class World:
    """An instance that is configured for three receivers."""

    def __init__(self, identity, folder, digest="0s", start=True):
        self.authority = Authority(folder)
        self.mail = MailServer(self.authority.context())
        self.webhook = Webhook(self.authority.context(), KEY)
        self.syslog = Syslog(self.authority.context())
        self.instance = Instance(identity)
        i = self.instance
        i.init("--name", "test.example")
        secret_file(i, "mail.password", MailServer.PASSWORD + "\n")
        secret_file(i, "webhook.key", "whsec_" + base64.b64encode(KEY).decode() + "\n")
        ca = i.dir / "alarm-ca.pem"
        ca.write_bytes(self.authority.file.read_bytes())
        ca.chmod(0o644)
        for keyword, value in {
            "AlarmMailTo": '"ops@example.org, security@example.org"', "AlarmMailFrom": "sallyport@example.net",
            "AlarmMailServer": f"localhost:{self.mail.port}", "AlarmMailUser": MailServer.USER,
            "AlarmMailPassword": "file:keys/mail.password", "AlarmWebhook": f"https://localhost:{self.webhook.port}/alarms",
            "AlarmWebhookKey": "file:keys/webhook.key", "AlarmSyslog": f"127.0.0.1:{self.syslog.port}",
            "AlarmCaFile": "alarm-ca.pem", "AlarmDigest": digest,
        }.items():
            i.set(keyword, value)
        if start:
            i.start()

    def receivers(self):
        return self.mail, self.webhook, self.syslog

    def list(self):
        return self.instance.run("alarm", "list", "--json").json()

    def way(self, name):
        return next(w for w in self.list()["ways"] if w["way"] == name)

    def pid(self, room):
        for pid, _ in descendants(self.instance.process.pid):
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    if f"sallyport-{room}" in f.read().split("\0")[0]:
                        return pid
            except OSError:
                continue
        return None

    def kill(self, room):
        pid = self.pid(room)
        if pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def close(self):
        self.instance.end()
        self.instance.remove()
        for r in self.receivers():
            r.close()


@pytest.fixture(scope="module")
def world(identity, tmp_path_factory):
    w = World(identity, tmp_path_factory.mktemp("receivers"))
    yield w
    w.instance.stop()
    w.instance.verify()
    assert "AddressSanitizer" not in w.instance.log() and "runtime error" not in w.instance.log(), w.instance.log_tail(200)
    w.close()


@pytest.fixture
def away(identity, tmp_path):
    """The same, for a test that makes something fail."""
    w = World(identity, tmp_path)
    yield w
    w.instance.stop()
    w.instance.verify()
    w.close()


def test_test_goes_every_way(world):
    r = world.instance.run("alarm", "test", "--json").json()
    assert {row["way"]: row["result"] for row in r["rows"]} == dict.fromkeys(("mail", "webhook", "syslog", "journal"), "delivered")
    for receiver in world.receivers():
        assert "test" in receiver.kinds()
    assert "ALARM test" in world.instance.log()
    entry = world.instance.audit("--event", "alarm.test")[-1]
    assert entry["sev"] == "alarm"
    mail = next(g for g in world.mail.got if g["kind"] == "test")
    assert mail["tls"] and mail["user"] and mail["from"] == "sallyport@example.net" and mail["helo"] == "example.net"
    assert mail["to"] == ["ops@example.org", "security@example.org"]
    assert f"entry {entry['n']}" in mail["text"] and f"audit prove {entry['n']}" in mail["text"]
    assert mail["mail"]["Auto-Submitted"] == "auto-generated" and mail["mail"]["Date"].datetime.timestamp() == pytest.approx(time.time(), abs=60)
    hook = next(g for g in world.webhook.got if g["kind"] == "test")
    assert hook["good"] and hook["type"] == "alarm.test" and hook["content"] == "application/json"
    assert hook["data"]["instance"] == "test.example" and hook["data"]["alarms"][0]["entry"] == entry["n"]
    line = next(g for g in world.syslog.got if g["kind"] == "test")
    assert line["priority"] == 81 and line["host"] == "test.example" and line["app"] == "sallyport"
    state = world.list()
    assert all(not w["messages"] and w["delivered"] >= 1 for w in state["ways"]) and state["taken"] > entry["n"]
    assert "delivered" in world.instance.run("alarm", "list").out


def test_what_raises_alarms(world):
    i = world.instance
    i.add_user("mallory", "--level", "admin")
    i.add_user("carol")
    i.run("folder", "add", "/deals")
    i.run("acl", "set", "/deals", "--user", "carol", "--rights", "read,list")
    i.run("token", "add", "carol", "--name", "script")
    wanted = {"new-administrator", "permission-widened", "new-token"}
    for receiver in world.receivers():
        receiver.wait(lambda got, r=receiver: wanted <= set(r.kinds()))
    # less than before is no alarm, and neither is an ordinary user
    i.run("acl", "set", "/deals", "--user", "carol", "--rights", "list")
    entry = i.audit("--event", "acl.set")[-1]
    assert "widens" not in entry["detail"]
    # the test is behind it in the log: all that was to be said is said
    i.run("alarm", "test")
    hooks = [g["data"] for g in world.webhook.got]
    assert entry["n"] not in {a["entry"] for d in hooks for a in d["alarms"]}
    admins = [a for d in hooks if d["kind"] == "new-administrator" for a in d["alarms"]]
    assert all("carol" not in a["detail"] for a in admins) and any("mallory" in a["detail"] for a in admins)


def test_first_login_from_a_network(world):
    """127.0.0.1 is where she was before; nothing is said of that, nor of her first login ever."""
    i = world.instance
    i.add_user("dora")
    for _ in range(2):
        i.login("dora").close()
    assert not i.audit("--event", "login.newnet", "--user", "dora")
    import requests

    class From(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args, **kw):
            super().init_poolmanager(*args, source_address=("127.0.7.1", 0), **kw)

    with i.anonymous() as c:
        c.mount("https://", From())
        assert i.grant(c, grant_type="password", username="dora", password="correct horse battery").status_code == 200
    entry = i.audit("--event", "login.newnet", "--user", "dora")
    assert [e["detail"]["network"] for e in entry] == ["127.0.7.0/24"]
    world.webhook.wait(lambda got: any(a["entry"] == entry[0]["n"] for g in got for a in g["data"]["alarms"]))


def test_switch(world):
    """A kind that is switched off is not sent, and a reload takes that up."""
    i = world.instance
    i.set("AlarmNewToken", "no")
    i.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 10
    while not i.audit("--event", "server.reload") and time.monotonic() < end:
        time.sleep(0.1)
    i.add_user("erna")
    i.run("token", "add", "erna")
    n = i.audit("--event", "token.added")[-1]["n"]
    i.run("alarm", "test")
    assert n not in {a["entry"] for g in world.webhook.got for a in g["data"]["alarms"]}
    assert next(k for k in i.run("alarm", "kinds", "--json").json()["rows"] if k["kind"] == "new-token")["switch"] == "off"


def test_text_from_outside(world):
    """Names that want to be headers, log lines or terminal commands are text."""
    i = world.instance
    i.set("AlarmLoginLockout", "yes")
    i.set("LockoutFailures", "1")
    i.process.send_signal(signal.SIGHUP)
    evil = "x\r\nBcc: victim@example.org\r\n\r\n.\r\n\u202egnp.exe\x1b[2J<b>"
    end = time.monotonic() + 15
    with i.anonymous() as c:
        while not i.audit("--event", "login.lockout") and time.monotonic() < end:
            assert i.grant(c, grant_type="password", username=evil, password="nothing of the kind").status_code in (400, 401, 429)
    assert any("victim" in e.get("user", "") for e in i.audit("--event", "login.lockout"))
    for receiver in world.receivers():
        receiver.wait(lambda got, r=receiver: "login-lockout" in r.kinds())
    data = next(g["data"] for g in world.webhook.got if g["kind"] == "login-lockout")
    assert "\\u{000D}\\u{000A}Bcc: victim@example.org" in data["alarms"][0]["user"]
    for g in world.mail.got:
        assert g["to"] == ["ops@example.org", "security@example.org"]
        assert g["mail"]["Bcc"] is None and b"Bcc" not in g["raw"]
        text = g["text"].replace("\r\n", "\n")
        assert not any(c in text for c in "\x1b\u202e\r") and "\nBcc" not in text
    for g in world.syslog.got:
        assert not any(c in g["text"] for c in "\x1b\u202e\r\n")
    assert "victim" in i.log() and "\x1b" not in i.log() and "\u202e" not in i.log()


def test_receiver_is_away(away):
    """What it missed comes when it is back, once, with the same number; the other ways do not wait for it."""
    port = away.webhook.port
    away.webhook.close()
    away.instance.add_user("gerda", "--level", "admin")
    away.mail.wait(lambda got: "new-administrator" in away.mail.kinds())
    away.syslog.wait(lambda got: "new-administrator" in away.syslog.kinds())
    r = away.instance.run("alarm", "test", "--json", check=False)
    assert r.code == 69 and {row["way"]: row["result"] for row in r.json()["rows"]} == {
        "mail": "delivered", "webhook": "failed", "syslog": "delivered", "journal": "delivered"}
    way = away.way("webhook")
    assert way["messages"][0]["state"] == "sending" and way["attempts"] >= 1 and "connect" in way["error"].lower(), way
    away.instance.restart()
    away.webhook = Webhook(away.authority.context(), KEY, port)
    away.instance.run("alarm", "test")  # the wait is cut short: what failed is tried at once
    away.webhook.wait(lambda got: "new-administrator" in away.webhook.kinds())
    assert all(g["good"] for g in away.webhook.got)
    assert len([k for k in away.webhook.kinds() if k == "new-administrator"]) == 1
    assert not away.way("webhook")["messages"]


def test_slow_receiver_holds_nobody_up(away):
    away.mail.delay = 8
    away.instance.add_user("hanna", "--level", "admin")
    start = time.monotonic()
    away.webhook.wait(lambda got: "new-administrator" in away.webhook.kinds(), 5)
    away.syslog.wait(lambda got: "new-administrator" in away.syslog.kinds(), 5)
    away.instance.run("user", "list")
    assert time.monotonic() - start < 6
    away.mail.wait(lambda got: "new-administrator" in away.mail.kinds())


def test_refusals_are_tried_again(away):
    for r in (away.mail, away.webhook):
        r.refuse = True
    away.instance.add_user("ida", "--level", "admin")
    for r in (away.mail, away.webhook):
        r.wait(lambda got, r=r: r.attempts >= 1)
    time.sleep(0.5)
    assert "451" in away.way("mail")["error"] and "503" in away.way("webhook")["error"]
    for r in (away.mail, away.webhook):
        r.refuse = False
        r.wait(lambda got, r=r: "new-administrator" in r.kinds())


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_certificate_is_checked(identity, tmp_path, wrong):
    """A receiver that cannot prove to be the one that is configured gets nothing: no password, no key, no alarm."""
    away = World(identity, tmp_path, start=False)
    try:
        context = Authority(tmp_path, "somebody else").context() if wrong == "authority" else away.authority.context("other.example")
        for r in away.receivers():
            r.close()
        away.mail = MailServer(context, away.mail.port)
        away.webhook = Webhook(context, KEY, away.webhook.port)
        away.syslog = Syslog(context, away.syslog.port)
        away.instance.start()
        r = away.instance.run("alarm", "test", "--json", check=False)
        rows = {row["way"]: row for row in r.json()["rows"]}
        assert r.code == 69
        for way in ("mail", "webhook", "syslog"):
            assert rows[way]["result"] == "failed" and ("certificate" in rows[way]["reason"].lower() or "subject" in rows[way]["reason"]), rows
        assert not any(r.got for r in away.receivers())
        away.instance.stop()
    finally:
        away.close()


def test_no_starttls_no_password(identity, tmp_path):
    """A mail server (or whoever sits before it) that offers no STARTTLS hears neither name nor password nor mail."""
    heard = []

    def serve(listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            with s:
                s.settimeout(10)
                s.sendall(b"220 mail\r\n")
                try:
                    while line := s.recv(4096):
                        heard.append(line)
                        s.sendall(b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n" if line.startswith(b"EHLO") else b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")
                except OSError:
                    pass

    w = World(identity, tmp_path, start=False)
    try:
        w.mail.close()
        with socket.create_server(("127.0.0.1", w.mail.port)) as listener:
            threading.Thread(target=serve, args=(listener,), daemon=True).start()
            w.instance.start()
            r = w.instance.run("alarm", "test", "--json", check=False)
            assert {row["way"]: row["result"] for row in r.json()["rows"]}["mail"] == "failed"
            listener.shutdown(socket.SHUT_RDWR)
        w.mail = MailServer(w.authority.context())
        assert heard and all(line.startswith((b"EHLO", b"QUIT", b"STARTTLS")) for line in heard), heard
        w.instance.stop()
    finally:
        w.close()


def test_instance_of_before_there_were_alarms(fresh):
    """It has no folder for them: the first start makes one, for its room alone."""
    fresh.init()
    shutil.rmtree(fresh.dir / "courier")
    fresh.start()
    assert fresh.run("alarm", "list", "--json").json()["taken"] >= 0
    assert (fresh.dir / "courier").stat().st_mode & 0o777 == 0o700
    fresh.set("AlarmTest", "no")
    fresh.set("AlarmSyslog", "local:/nowhere")
    fresh.restart()
    start = time.monotonic()
    r = fresh.run("alarm", "test", "--json", check=False)
    assert r.code == 69 and r.json()["rows"][0]["reason"] == "AlarmTest is off" and time.monotonic() - start < 30
    fresh.stop()


def test_damaged_state(away):
    """Alarms of the last days go out again, with their numbers; nothing is lost."""
    away.instance.add_user("lena", "--level", "admin")
    away.webhook.wait(lambda got: "new-administrator" in away.webhook.kinds())
    away.instance.stop()
    (away.instance.dir / "courier/state").write_bytes(b"sallyport courier 1\n" + os.urandom(500))
    os.chown(away.instance.dir / "courier/state", *[(away.instance.dir / "courier").stat().st_uid] * 2) if os.geteuid() == 0 else None
    away.instance.start()
    away.webhook.wait(lambda got: away.webhook.kinds().count("new-administrator") == 2)
    assert len({g["id"] for g in away.webhook.got if g["kind"] == "new-administrator"}) == 1
    assert (away.instance.dir / "courier/state.damaged").exists()


def test_wrong_password(away):
    secret = away.instance.dir / "keys/mail.password"
    secret.unlink()
    secret_file(away.instance, "mail.password", "wrong-password-9\n")
    away.instance.restart()
    r = away.instance.run("alarm", "test", "--json", check=False)
    mail = next(row for row in r.json()["rows"] if row["way"] == "mail")
    assert mail["result"] == "failed" and not away.mail.got
    everything = r.out + r.err + away.instance.log() + json.dumps(away.list()) + json.dumps(away.instance.audit())
    assert "wrong-password-9" not in everything and MailServer.PASSWORD not in everything and base64.b64encode(KEY).decode() not in everything


def test_digest(identity, tmp_path):
    """The first at once; what comes within AlarmDigest is one message that counts.  Syslog gets each as it comes."""
    w = World(identity, tmp_path, digest="6s")
    try:
        w.instance.add_user("jane")
        w.instance.run("token", "add", "jane", "--name", "t0")
        w.mail.wait(lambda got: "new-token" in w.mail.kinds(), 5)
        first = time.monotonic()
        for n in range(1, 8):
            w.instance.run("token", "add", "jane", "--name", f"t{n}")
        entries = {e["n"] for e in w.instance.audit("--event", "token.added")}
        assert len(entries) == 8
        time.sleep(max(0, first + 2 - time.monotonic()))
        assert w.mail.kinds().count("new-token") == 1
        w.mail.wait(lambda got: w.mail.kinds().count("new-token") == 2, 15)
        w.webhook.wait(lambda got: w.webhook.kinds().count("new-token") == 2, 15)
        datas = [g["data"] for g in w.webhook.got if g["kind"] == "new-token"]
        assert [d["count"] for d in datas] == [1, 7]
        assert datas[1]["first_entry"] == sorted(entries)[1] and datas[1]["last_entry"] == max(entries)
        assert "(7 times)" in [g["mail"]["Subject"] for g in w.mail.got if g["kind"] == "new-token"][1]
        assert w.syslog.kinds().count("new-token") >= 2
        w.instance.stop()
    finally:
        w.close()


def test_rooms_die_under_load(away):
    """kill -9 of courier, messengers and ledger while alarms come: each is told by every way, at most twice, and then with the same number."""
    i = away.instance
    i.add_user("klara")
    stop = threading.Event()

    def killer():
        for n in range(40):
            if stop.wait(0.25):
                return
            away.kill(("messenger", "courier", "messenger", "courier", "ledger", "messenger")[n % 6])

    thread = threading.Thread(target=killer)
    thread.start()
    for n in range(40):
        i.run("token", "add", "klara", "--name", f"k{n}", check=False)
        time.sleep(0.1)
    stop.set()
    thread.join()
    wanted = {e["n"] for e in i.audit("--event", "token.added")}
    assert len(wanted) > 10, i.log_tail()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        r = i.run("alarm", "test", check=False)
        if r.code == 0 and not any(w["messages"] for w in away.list()["ways"]):
            break
        time.sleep(1)
    ids = {}
    covered = set()
    for g in away.webhook.got:
        assert g["good"]
        assert ids.setdefault(g["id"], g["data"]) == g["data"], "one number, two messages"
    counted = {}
    for ident, data in ids.items():
        if data["kind"] == "new-token":
            counted[ident] = data["count"]
            covered |= {n for n in wanted if data["first_entry"] <= n <= data["last_entry"]}
    assert covered == wanted, wanted - covered
    assert sum(counted.values()) == len(wanted), counted
    assert {g["kind"] for g in away.mail.got} >= {"new-token", "room-died"}


def test_local_syslog(identity, tmp_path):
    folder = tmp_path if os.geteuid() != 0 else tmp_path
    with Instance(identity) as i:
        path = i.temp / "log.sock"
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(str(path))
        path.chmod(0o777)
        s.settimeout(20)
        assert folder.exists()
        r = i.run("alarm", "test", check=False)
        assert r.code == 69 and "no way is configured" in r.err
        assert "configure two" in i.run("status", "--json").json()["alarms"]
        i.set("AlarmSyslog", f"local:{path}")
        i.restart()
        i.run("alarm", "test")
        got = [syslog_parse(s.recv(65536))]
        while got[-1]["kind"] != "test":
            got.append(syslog_parse(s.recv(65536)))
        assert got[-1]["priority"] == 81
        s.close()


def test_settings_that_do_not_fit(fresh):
    fresh.init()
    for settings, word in (
        ({"AlarmMailTo": "a@example.org"}, "AlarmMailFrom"),
        ({"AlarmMailTo": "a@example.org", "AlarmMailFrom": "b@example.org", "AlarmMailServer": "mail.example.org:25", "AlarmMailTls": "none"}, "AlarmMailTls"),
        ({"AlarmWebhook": "http://example.org/x", "AlarmWebhookKey": "file:keys/x"}, "AlarmWebhook"),
        ({"AlarmWebhook": "https://example.org/x", "AlarmWebhookKey": "file:keys/absent"}, "keys/absent"),
        ({"AlarmSyslog": "nothing"}, "AlarmSyslog"),
    ):
        before = (fresh.dir / "sallyport.conf").read_text()
        for keyword, value in settings.items():
            fresh.set(keyword, value)
        r = fresh.run("serve", check=False)
        assert r.code == 78 and word in r.err, r
        (fresh.dir / "sallyport.conf").write_text(before)
    # a secret that everybody can read
    secret_file(fresh, "open.key", "secret\n")
    (fresh.dir / "keys/open.key").chmod(0o644)
    fresh.set("AlarmWebhook", f"https://127.0.0.1:{free_ports(1)[0]}/")
    fresh.set("AlarmWebhookKey", "file:keys/open.key")
    r = fresh.run("serve", check=False)
    assert r.code == 78 and "can be read by others" in r.err
