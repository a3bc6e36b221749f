"""STOLEN BACKUP: copies of servers that were left in reach (GoAnywhere and MOVEit thefts took them along)

There: a backup was a second server without a guard: files, keys and accounts, on somebody's share.
Needs: here a key, content, a password or a token that a backup has in the clear.
Here: P2, P8: without the recovery passphrase a backup is noise; what a thief makes of it serves nothing.
"""
import pytest

from lib.instance import Instance


def test_a_backup_without_its_passphrase(build):
    house = build()
    s = house.server
    target = s.temp / "backup"
    s.run("backup", target, timeout=120)
    root = (s.dir / "keys/root.key").read_bytes()
    kept = {p: p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert sum(map(len, kept.values())) > 1_000_000
    for path, data in kept.items():
        assert root not in data and root.hex().encode() not in data, f"{path} has the root key"
        for p in [*house.people.values(), house.boss]:
            for secret in (p.password.encode(), *(() if p is house.boss else (p.small[:100], p.large[500:600], p.token.encode(), p.session["access_token"].encode(), p.session["refresh_token"].encode()))):
                assert secret not in data, f"{path} has a secret of {p.name}"
        assert house.careful.seed.encode() not in data
    restored = Instance(s.identity, folder=s.temp)
    restored.dir, restored.certificate, restored.log_path = s.temp / "restored", s.certificate, s.temp / "restored.log"
    for guess in ("", "wrong", "A" * 24, s.initialised["recovery_passphrase"][:-1]):
        done = s.run("restore", target, restored.dir, "--passphrase-stdin", stdin=guess + "\n", timeout=120, check=False)
        assert done.code != 0 and not (restored.dir / "keys/root.key").exists(), f"{guess!r} opened it"
    s.stop()
    done = s.run("restore", target, restored.dir, timeout=120, check=False)
    if done.code == 0:  # as a copy that waits for its passphrase
        assert not (restored.dir / "keys/root.key").exists()
        restored.port, restored.admin_port, restored.base = s.port, s.admin_port, s.base
        try:
            restored.start(wait=False)
            with pytest.raises(AssertionError):
                restored.wait_ready()
        finally:
            restored.end()
    s.start()
    house.check_service()
