"""scripts/demo does what it prints."""
import os
import re
import subprocess
import time
from pathlib import Path

from lib.instance import TOP


def test_the_demo(tmp_path):
    out = tmp_path / "out"
    with open(out, "wb") as f:
        demo = subprocess.Popen([TOP / "scripts/demo"], stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        deadline = time.monotonic() + 400
        while "Ctrl-C" not in out.read_text() and time.monotonic() < deadline:
            assert demo.poll() is None, out.read_text()
            time.sleep(0.2)
        text = out.read_text()
        home = Path(re.search(r"Everything is in (\S+) ", text).group(1))
        block = text.split("Three things to try")[1]
        commands = [line.strip() for line in block.splitlines() if line.startswith("   ")]
        script = "set -e\n" + "\n".join(commands).replace("2G", "20M").replace("/var/tmp/big.bin", f"{tmp_path}/big.bin")
        tried = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert tried.returncode == 0, tried
        assert "same" in tried.stdout and "big.bin" in tried.stdout and "bob" in tried.stdout, tried
        stop = subprocess.run([TOP / "scripts/demo", "--stop"], capture_output=True, text=True, timeout=60)
        assert stop.returncode == 0, stop
        demo.wait(30)
        assert not home.exists()
    finally:
        if demo.poll() is None:
            os.kill(demo.pid, 15)
            demo.wait(30)
    again = subprocess.run([TOP / "scripts/demo", "--stop"], capture_output=True, text=True, timeout=60)
    assert again.returncode == 0 and "not running" in again.stdout
