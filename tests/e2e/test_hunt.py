"""A theft over HTTPS and SFTP against a running server, and what `sallyport hunt` says of it: exactly what was taken."""
import hashlib
import json
import os
import shutil
import subprocess
import time
from html.parser import HTMLParser

import pytest

from lib.instance import PASSWORD, Instance, binary
from lib.sftp import Door
from lib.tlog_verify import verify_proof

FILES = 140
STOLEN_HTTPS = range(20, 120)
STOLEN_SFTP = range(110, 140)  # some of them again
EVIL_NAME = "a<img src=x onerror=alert(1)>&quot;\u00e9 'x'.txt"
EVIL_AGENT = "evil-client/6.6 <img src=x onerror=alert(1)>"
SETTINGS = {"LockoutFailures": "1000", "LockoutAddress": "100000"}


def content(i):
    return hashlib.sha256(str(i).encode()).digest() * (10 + i)


def url(client, path):
    return client.url(path)


class Crime:
    """What was really done, counted by the thief's own clients."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.taken = {}  # path -> content

    def prepare(self):
        with self.server.login("owner") as owner:
            for i in range(FILES):
                assert owner.store(f"/Home/owner/f{i}.bin", content(i)).status_code in (200, 201)
            assert owner.store(f"/Home/owner/{EVIL_NAME}", b"evil").status_code in (200, 201)
            assert owner.store("/Home/owner/f5.bin", b"a second version of five").status_code in (200, 201, 204)
            for i in (1, 2):
                assert owner.fetch(f"/Home/owner/f{i}.bin").content == content(i)
        self.server.run("acl", "set", "/Home/owner", "--user", "thief", "--rights", "read,list")

    def commit(self):
        for guess in range(6):
            refused = self.server.grant(self.server.anonymous(), grant_type="password", username="thief", password=f"wrong guess {guess}")
            assert refused.status_code in (400, 401)
        bad = self.server.grant(self.server.anonymous(), grant_type="password", username="\x1b[31mroot\u202eX", password="x")
        assert bad.status_code in (400, 401)
        with self.server.login("thief") as thief:
            thief.headers["User-Agent"] = EVIL_AGENT
            for i in STOLEN_HTTPS:
                data = thief.fetch(f"/Home/owner/f{i}.bin").content
                assert data == content(i)
                self.taken[f"/Home/owner/f{i}.bin"] = data
            part = thief.fetch("/Home/owner/f5.bin", Range="bytes=0-3")  # the key opens the whole file
            assert part.content == b"a se"
            self.taken["/Home/owner/f5.bin"] = b"a second version of five"
            assert thief.fetch(f"/Home/owner/{EVIL_NAME}").content == b"evil"
            self.taken[f"/Home/owner/{EVIL_NAME}"] = b"evil"
            assert thief.fetch("/Home/owner/none.bin").status_code in (403, 404)
            assert thief.store("/Home/thief/loot.txt", b"mine", **{"User-Agent": EVIL_AGENT}).status_code in (200, 201)
        door = Door(self.server, "thief", self.folder / "sftp").with_key()
        door.sftp("\n".join(f"get /Home/owner/f{i}.bin {self.folder}/s{i}" for i in STOLEN_SFTP))
        for i in STOLEN_SFTP:
            assert (self.folder / f"s{i}").read_bytes() == content(i)
            self.taken[f"/Home/owner/f{i}.bin"] = content(i)
        deadline = time.monotonic() + 10
        while json.loads(self.server.run("audit", "verify", "--json").out)["after_checkpoint"]:
            assert time.monotonic() < deadline, "no checkpoint within 10 s"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def scene(identity, tmp_path_factory):
    with Instance(identity, sftp=True, settings=SETTINGS) as server:
        server.add_user("owner")
        server.add_user("thief")
        crime = Crime(server, tmp_path_factory.mktemp("crime"))
        crime.prepare()
        crime.commit()
        yield crime


def hunt(server, *args, code=3):
    done = server.run("hunt", *args, check=False)
    assert done.code == code, done
    return done


def findings(server, *args):
    said = json.loads(hunt(server, "--json", *args).out)
    return {f["detector"]: f for f in reversed(said["findings"])}, said


def story(server, *args):
    return json.loads(hunt(server, "--json", *args, code=0).out)


def check_exact(said, taken):
    """0 missing, 0 extra, and every hash is that of the bytes that the thief holds."""
    assert {t["path"]: t["size"] for t in said["taken"]} == {path: len(data) for path, data in taken.items()}
    for t in said["taken"]:
        assert t["sha256"] == hashlib.sha256(taken[t["path"]]).hexdigest(), t
        assert t["stored"]["version"] == t["version"] and t["stored"]["path"] == t["path"]
    assert said["totals"]["versions"] == said["totals"]["files"] == len(taken)
    assert said["totals"]["bytes"] == sum(len(data) for data in taken.values())


def test_the_story_is_exact(scene):
    said = story(scene.server, "--user", "thief")
    check_exact(said, scene.taken)
    assert said["totals"]["readings"] == len(STOLEN_HTTPS) + len(STOLEN_SFTP) + 2
    assert {e["event"] for e in said["entries"]} >= {"login", "login.failed", "file.read", "file.created", "acl.set", "user.added"}
    by_number = {e["n"]: e for e in scene.server.audit("--user", "thief")}
    for t in said["taken"]:
        assert by_number[t["first_entry"]]["path"] == t["path"] and by_number[t["last_entry"]]["file"] == t["file"]
    numbers = [e["n"] for e in said["entries"]]
    assert numbers == sorted(set(numbers))


def test_every_reading_of_a_file(scene):
    said = story(scene.server, "--file", "/Home/owner/f115.bin")
    assert [e["user"] for e in said["entries"] if e["event"] == "file.read"] == ["thief", "thief"]
    assert said["taken"][0]["times"] == 2
    said = story(scene.server, "--file", "/Home/owner")
    check_exact(said, {**scene.taken, "/Home/owner/f1.bin": content(1), "/Home/owner/f2.bin": content(2)})
    said = story(scene.server, "--file", "/Home/own")
    assert not said["taken"] and not said["entries"]


def test_by_address(scene):
    said = story(scene.server, "--address", "127.0.0.0/8", "--user", "thief")
    check_exact(said, scene.taken)
    said = story(scene.server, "--address", "203.0.113.7")
    assert not said["entries"]


def test_what_is_found(scene):
    by_name, said = findings(scene.server)
    mass = by_name["mass-reads"]
    assert mass["user"] == "thief" and mass["files"] == len(STOLEN_HTTPS) + len(STOLEN_SFTP) + 2
    assert mass["score"] >= 70
    assert by_name["guessed-login"]["user"] == "thief"
    widened = by_name["widened-reads"]
    assert widened["user"] == "thief" and "/Home/owner" in widened["what"]
    scores = [f["score"] for f in said["findings"]]
    assert scores == sorted(scores, reverse=True)
    assert said["verified"]["entries"] + said["verified"]["not_signed_for"] == said["entries"]
    entries = {e["n"]: e for e in scene.server.audit()}
    assert all(entries[n]["user"] == "thief" for n in mass["entries"])


def test_indicators(scene, tmp_path):
    plain, stix = tmp_path / "plain.txt", tmp_path / "feed.json"
    plain.write_text("# known bad\nagent:" + EVIL_AGENT + "\n198.51.100.0/24\nuser:nobody\n")
    digest = hashlib.sha256(content(33)).hexdigest()
    pattern = f"[file:hashes.'SHA-256' = '{digest}' OR file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"
    stix.write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": [
        {"type": "indicator", "id": "indicator--1", "pattern_type": "stix", "pattern": pattern},
        {"type": "indicator", "id": "indicator--2", "pattern_type": "stix", "pattern": "[domain-name:value = 'evil.example']"}]}))
    for path in (tmp_path, plain, stix):
        path.chmod(0o755)
    if scene.server.identity.uid != os.geteuid():
        shutil.copytree(tmp_path, scene.server.temp / "iocs", dirs_exist_ok=True)
        plain, stix = scene.server.temp / "iocs/plain.txt", scene.server.temp / "iocs/feed.json"
    said = json.loads(hunt(scene.server, "--json", "--ioc", plain, "--ioc", stix).out)
    found = [f for f in said["findings"] if f["detector"] == "indicators"]
    assert len(found) == 2, found
    by_hash = next(f for f in found if digest[:16] in f["what"])
    assert by_hash["files"] == 1 and by_hash["count"] == 2  # stored, and read
    assert next(f for f in found if "client" in f["what"])["user"] == "thief"
    assert said["indicators"]["compared"]["SHA-256"] == 1 and said["indicators"]["compared"]["address"] == 1
    assert said["indicators"]["not_used"] == 2
    assert {n["what"][:14] for n in said["indicators"]["not_used_first"]} == {pattern[:14], "[domain-name:v"}
    text = hunt(scene.server, "--ioc", plain, "--ioc", stix).out
    assert "domain-name" in text and "not used" in text


def test_proofs(scene):
    folder = scene.server.temp / "proofs"
    said = json.loads(hunt(scene.server, "--json", "--user", "thief", "--proofs", folder, code=0).out)
    key = (scene.server.dir / "keys/ledger.pub").read_text()
    proved = {}
    for path in folder.iterdir():
        entry = verify_proof(path.read_bytes(), key)  # by the second verifier
        entry = json.loads(entry) if isinstance(entry, (bytes, str)) else entry
        assert str(entry["n"]) == path.stem
        proved[entry["n"]] = entry["event"]
    for t in said["taken"]:
        assert proved[t["first_entry"]] == proved[t["last_entry"]] == "file.read"
        assert proved[t["stored"]["entry"]] in ("file.created", "file.replaced")
    one = next(iter(folder.iterdir()))
    assert json.loads(scene.server.run("audit", "check", one).out)["n"] == int(one.stem)


class Page(HTMLParser):
    """Elements that are open, texts, and everything that could load or run something."""

    VOID = {"meta", "br", "rect", "line"}

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes, self.text = [], set(), [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        self.attributes += [(tag, *a) for a in attributes]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.add(tag)
        self.attributes += [(tag, *a) for a in attributes]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


def page_of(path):
    page = Page()
    page.feed(path.read_text())
    page.close()
    assert not page.open
    assert not page.seen & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    for tag, name, value in page.attributes:
        assert not name.startswith("on") and name not in ("src", "href", "xlink:href", "action"), (tag, name, value)
        assert "url(" not in (value or "") and "http:" not in (value or "")
    assert "@import" not in path.read_text() and "url(" not in path.read_text()
    assert ("meta", "http-equiv", "Content-Security-Policy") in page.attributes
    return page


def test_the_page(scene):
    path = scene.server.temp / "report.html"
    hunt(scene.server, "--html", path)
    page = page_of(path)
    assert "svg" in page.seen and "mass reads" in page.text and "thief" in page.text
    assert path.stat().st_mode & 0o077 == 0
    hunt(scene.server, "--user", "thief", "--html", path, code=0)
    page = page_of(path)
    assert EVIL_NAME in page.text  # as text
    for data in scene.taken.values():
        assert hashlib.sha256(data).hexdigest() in page.text


def test_nothing_reaches_the_terminal(scene):
    for args, code in (((), 3), (("--user", "thief"), 0), (("--address", "127.0.0.1"), 0)):
        out = hunt(scene.server, *args, code=code).out
        assert "\x1b" not in out and "\u202e" not in out
    assert "\\u{202e}" in out and "\\x1b" in out
    for line in hunt(scene.server).out.splitlines():
        assert len(line) <= 100, line


def test_ranges_and_status(scene):
    later = json.loads(hunt(scene.server, "--json", "--until", "2020-01-01", code=0).out)
    assert later["entries"] == 0 and later["findings"] == []
    assert hunt(scene.server, "--until", "2020-01-01", code=0).out.count("no entries") == 1
    everything = json.loads(hunt(scene.server, "--json", "--since", "1h").out)
    assert everything["first_entry"] == 0
    entries = scene.server.audit()
    middle = entries[len(entries) // 2]
    since = middle["t"][:19] + "Z"
    first = next(e["n"] for e in entries if e["t"] >= since[:19])
    said = json.loads(scene.server.run("hunt", "--json", "--since", since, check=False).out)
    assert first - 60 <= said["first_entry"] <= first
    for wrong in (["--since", "yesterday"], ["--limit", "0"], ["--address", "nowhere"], ["--proofs", "x"], ["--ioc", "x", "--user", "y"], ["--what"]):
        assert scene.server.run("hunt", *wrong, check=False).code == 64, wrong
    assert hunt(scene.server, "--ioc", "/nonexistent", code=66)
    assert "the whole log" in hunt(scene.server, "--verify").out


@pytest.fixture(scope="module")
def copy_of_log(scene, tmp_path_factory):
    """The log's files: as much of an instance as hunt needs, and no server."""
    copy = tmp_path_factory.mktemp("copy") / "instance"
    (copy / "keys").mkdir(parents=True)
    shutil.copy(scene.server.dir / "keys/ledger.pub", copy / "keys")
    for _ in range(5):
        shutil.copytree(scene.server.dir / "ledger", copy / "ledger", dirs_exist_ok=True)
        if subprocess.run([binary(), "-C", copy, "audit", "verify"], capture_output=True, timeout=60).returncode == 0:
            return copy
        shutil.rmtree(copy / "ledger")
    raise AssertionError("no consistent copy")


def run_on(copy, *args):
    return subprocess.run([binary(), "-C", copy, "hunt", *args], capture_output=True, text=True, timeout=60)


def test_without_a_server(copy_of_log, scene):
    said = run_on(copy_of_log, "--json", "--user", "thief")
    assert said.returncode == 0, said
    check_exact(json.loads(said.stdout), scene.taken)


def test_what_is_tampered_with_is_not_believed(copy_of_log, tmp_path):
    first = "ledger/tile/entries/000"
    for name, offset in ((first, 300), (first, 5000), ("ledger/tile/0/000", 100)):
        bad = tmp_path / name.replace("/", "-") / str(offset)
        shutil.copytree(copy_of_log, bad)
        data = bytearray((bad / name).read_bytes())
        data[offset] ^= 1
        (bad / name).chmod(0o600)
        (bad / name).write_bytes(data)
        for args in ((), ("--user", "thief")):
            done = run_on(bad, *args)
            if name == first:
                assert done.returncode == 2 and "audit verify" in done.stderr, done
        assert run_on(bad, "--verify").returncode == 2
    bad = tmp_path / "missing"
    shutil.copytree(copy_of_log, bad)
    (bad / first).unlink()
    assert run_on(bad).returncode == 2


def test_a_quiet_server(fresh):
    fresh.init()
    fresh.start()
    fresh.add_user("alice")
    with fresh.login("alice", PASSWORD) as alice:
        assert alice.store("/Home/alice/a", b"a").status_code in (200, 201)
        assert alice.fetch("/Home/alice/a").status_code == 200
    said = json.loads(hunt(fresh, "--json", code=0).out)
    assert said["findings"] == [] and said["entries"] > 3
    assert "found     0" in hunt(fresh, code=0).out
    fresh.stop()
    assert json.loads(hunt(fresh, "--json", code=0).out)["findings"] == []


def test_what_the_vault_refused_was_not_taken(fresh):
    """A thief who runs into the budget: the story has what got out, and nothing of what did not."""
    fresh.init()
    (fresh.dir / "limits.conf").write_text("UserFilesPerHour 12\nUserFilesPerDay 12\n")
    fresh.start()
    fresh.add_user("owner")
    fresh.add_user("thief")
    with fresh.login("owner") as owner:
        for i in range(20):
            assert owner.store(f"/Home/owner/f{i}", content(i)).status_code in (200, 201)
    fresh.run("acl", "set", "/Home/owner", "--user", "thief", "--rights", "read,list")
    taken, refused = {}, 0
    with fresh.login("thief") as thief:
        for i in range(20):
            answer = thief.fetch(f"/Home/owner/f{i}")
            if answer.status_code == 200:
                assert answer.content == content(i)
                taken[f"/Home/owner/f{i}"] = answer.content
            else:
                assert answer.status_code == 429, answer
                refused += 1
    assert len(taken) == 12 and refused == 8
    said = story(fresh, "--user", "thief")
    check_exact(said, taken)
    assert said["totals"]["refused"] == refused
    by_name, said = findings(fresh)
    assert by_name["refused-releases"]["user"] == "thief" and by_name["refused-releases"]["count"] == refused
    fresh.stop()
    check_exact(story(fresh, "--user", "thief"), taken)


def test_decoys_and_scanners(fresh):
    """Somebody scans, logs in from the same address, and touches what nobody has business with."""
    fresh.init()
    fresh.start()
    fresh.add_user("owner")
    fresh.add_user("mallory")
    thief = ["--interface", "127.77.0.9"]
    assert fresh.curl(*thief, "-o", "/dev/null", fresh.base + "/human2.aspx").code == 0
    granted = fresh.curl(*thief, "-d", f"grant_type=password&username=mallory&password={PASSWORD}", fresh.base + "/api/v1/token")
    token = json.loads(granted.out)["access_token"]
    with fresh.login("owner") as owner:
        assert owner.store("/Home/owner/payroll.xlsx", b"worth nothing").status_code in (200, 201)
    fresh.run("acl", "set", "/Home/owner", "--user", "mallory", "--rights", "read,list")
    fresh.run("decoy", "mark", "/Home/owner/payroll.xlsx")
    fresh.curl(*thief, fresh.base + "/api/v1/files/by-path/Home/owner/payroll.xlsx", token=token)
    by_name, said = findings(fresh)
    assert said["findings"][0]["detector"] == "decoys" and said["findings"][0]["user"] == "mallory"
    deed = by_name["decoys"]["entries"][0]
    entries = {e["n"]: e for e in fresh.audit()}
    assert entries[deed]["event"] == "file.read" and "payroll.xlsx" in by_name["decoys"]["what"]
    assert by_name["scanner-login"]["address"] == "127.77.0.9" and "mallory" in by_name["scanner-login"]["what"]
    assert entries[by_name["scanner-login"]["entries"][0]]["event"] == "scanner"
    assert [f for f in said["findings"] if f["detector"] == "governor" and "mallory" in f["what"]]
    ioc = fresh.temp / "ioc.txt"
    ioc.write_text("human2.aspx\n")
    ioc.chmod(0o644)
    by_name, _ = findings(fresh, "--ioc", ioc)
    assert by_name["indicators"]["address"] == "127.77.0.9"
    refused = {e["detail"].get("entry") for e in entries.values() if e["event"] == "release.refused"}
    expected = [] if str(deed) in refused else ["/Home/owner/payroll.xlsx"]
    assert [t["path"] for t in story(fresh, "--user", "mallory")["taken"]] == expected
