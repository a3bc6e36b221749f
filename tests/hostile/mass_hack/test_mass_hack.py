"""The mass-hack of 2023, against a site with the limits that its own past would have taught it (lib/mass_hack.py).

The thief owns every HTTPS and SFTP worker; then has a user's login; then an administrator's password; then the broker.  Budgets are
of an hour and of a day alike, so what is taken at once is what is taken in an hour, and all day.
"""
import json
from datetime import datetime

from lib.mass_hack import LIMITS, Thief


def when(entry):
    return datetime.fromisoformat(entry["t"].replace("Z", "+00:00"))


class Watch:
    """What happens at the site from here on."""

    def __init__(self, site):
        self.server = site.server
        self.first = self.server.audit("--limit", "1")[-1]["n"] + 1

    def entries(self):
        return [e for e in self.server.audit() if e["n"] >= self.first]

    def seconds(self, entries, event):
        """From the thief's first reading, or first try, to the first of these events; None: it did not come."""
        begin = [e for e in entries if e["event"] in {"file.read", "worker.violation", "login"}]
        found = [e for e in entries if event(e)]
        return (when(found[0]) - when(begin[0])).total_seconds() if found and begin else None


def report(capsys, name, site, haul, watch):
    entries = watch.entries()
    alarm = watch.seconds(entries, lambda e: e["sev"] == "alarm")
    frozen = watch.seconds(entries, lambda e: e["event"] == "principal.frozen")
    say = lambda s: "-" if s is None else f"{s:.1f} s"
    with capsys.disabled():
        print(f"\n{name:28} {haul.files:6} of {site.count} files ({100 * haul.files / site.count:.2f} %), {haul.bytes} bytes; "
              f"first alarm {say(alarm)}, frozen {say(frozen)}")
    return alarm, frozen


def told(site, *which):
    """What hunt says was taken: {blob: size}."""
    done = site.server.run("hunt", "--json", *which)
    story = json.loads(done.out)
    return {taken["blob"]: taken["size"] for taken in story["taken"]}


def same(haul):
    return {blob.hex(): size for blob, size in haul.keys.items()}


def test_workers_alone(site, capsys):
    """Before a login a worker can ask for no file: it is ended for it, at once, each time."""
    watch = Watch(site)
    haul = Thief(site.server, "127.60").without_login(site.paths["org-0"][:5])
    alarm, _ = report(capsys, "workers, no login", site, haul, watch)
    assert (haul.files, haul.bytes, haul.ended) == (0, 0, 20)
    assert alarm is not None and alarm < 5


def test_stolen_login(site, capsys):
    """A user's budget, no more, and the account is closed."""
    watch = Watch(site)
    haul = Thief(site.server, "127.61").loot("user-1-3", site.requests("org-1"))
    alarm, frozen = report(capsys, "and a user's login", site, haul, watch)
    assert haul.files == LIMITS["User"] and haul.locked_out
    assert alarm is not None and frozen is not None
    first = next(e for e in watch.entries() if e["event"] == "release.refused")
    assert first["detail"]["limit"] == "user: files per day" or first["detail"]["limit"] == "user: files per hour"
    assert told(site, "--user", "user-1-3") == same(haul), "hunt is not exact"


def test_stolen_administrator(site, capsys):
    """No administrator logs in from the internet, so the password opens nothing there; and it is on record."""
    site.server.run("user", "set", "user-2-7", "--org", "org-2", "--level", "admin")
    watch = Watch(site)
    haul = Thief(site.server, "127.62").loot("user-2-7", site.requests("org-2") + site.requests("org-3"))
    report(capsys, "and an administrator's", site, haul, watch)
    assert (haul.files, haul.locked_out) == (0, True)
    assert [e for e in watch.entries() if e["event"] == "login.failed" and e["user"] == "user-2-7"]
    assert told(site, "--user", "user-2-7") == {}


def test_stolen_broker(site, capsys):
    """With the broker's word for everything: what is left of the server's budget, under 1 % of the store in all."""
    watch = Watch(site)
    before = len({e["blob"] for e in site.server.audit("--event", "file.read")} - refused(site))
    haul = Thief(site.server, "127.63").with_broker("user-3-1", site.versions())
    alarm, _ = report(capsys, "and the broker", site, haul, watch)
    assert 0 < haul.files <= LIMITS["Server"] - before
    assert before + haul.files < site.count / 100 or site.count < 20000
    assert alarm is not None and alarm < 5
    assert told(site, "--address", "127.63.0.0/16") == same(haul), "hunt is not exact"


def refused(site):
    return {e["blob"] for e in site.server.audit("--event", "release.refused")}


def test_the_rest_works_on(site):
    """Who was not robbed of the login goes on after the server's day has passed: sending is not held up at all."""
    client = site.server.login("user-4-9")
    assert client.store("/Home/user-4-9/after.csv", b"still here").status_code == 201
    answer = client.fetch("/Home/user-4-9/after.csv")
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
