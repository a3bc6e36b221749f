"""The portal in Chromium: tests/browser has the journeys, this starts their host and does for them what only a test can."""
import json
import os
import subprocess

from lib.instance import TOP

SHOTS = TOP / "build/shots"


class Portal:
    """Chromium; close ends it."""

    def __init__(self):
        self.host = subprocess.Popen(["node", TOP / "tests/browser/host.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                     env={k: v for k, v in os.environ.items() if k not in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")})

    def send(self, what):
        self.host.stdin.write(json.dumps(what) + "\n")
        self.host.stdin.flush()

    def walk(self, journey, server, calls=None, view="desktop", scheme="light", locale="en-GB", **given):
        """One journey; calls: what it may ask for, by name.  Returns what it returned."""
        self.send({"journey": journey, "with": {"base": server.base, **given}, "as": {"view": view, "scheme": scheme, "locale": locale},
                   "shots": str(SHOTS)})
        for line in self.host.stdout:
            said = json.loads(line)
            if "call" in said:
                self.send(calls[said["call"]](*said["args"]))
                continue
            assert "done" in said, said["failed"]
            return said["done"]
        raise AssertionError(f"the browser's host ended with {self.host.wait(10)}")

    def close(self):
        self.host.stdin.close()
        try:
            self.host.wait(20)
        except subprocess.TimeoutExpired:
            self.host.kill()
