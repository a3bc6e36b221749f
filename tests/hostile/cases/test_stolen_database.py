"""STOLEN DATABASE: MOVEit, GoAnywhere, Accellion and all others: whoever had the database had everything (attacks.md 3.1 step 8, 3.3 number 4)

There: keys, session tokens and forgeable password hashes lay in the database, or beside it.
Needs: here content, a token, a password or a key in the database, or one that can be made of it.
Here: P2, P3: the database has wrapped keys, hashes of tokens and Argon2id of passwords; nothing in it opens a blob or a door. Names of files and users are in it (TRUST.md says so).
"""
import base64
import contextlib
import re
import sqlite3

from lib.instance import PASSWORD


def test_what_is_in_it(house, tmp_path):
    """The files as they are on the disk, everything deleted included."""
    house.database(tmp_path)
    stolen = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    stolen += b"".join(p.read_bytes() for p in (house.server.dir / "blobs").rglob("*") if p.is_file())
    assert len(stolen) > 1_000_000 and b"victim" in stolen
    for form, what in house.marks.items():
        assert form not in stolen or what.endswith("'s mark") or what.startswith("the password hash"), f"{what} is in the database or the blobs"
    for p in house.people.values():
        assert p.small[:200] not in stolen and p.large[1000:1200] not in stolen, f"content of {p.name} is there"
        assert p.password.encode() not in stolen
    assert PASSWORD.encode() not in stolen


def test_what_can_be_made_of_it(house, tmp_path):
    """Each value of each row, as a token, a password, a key; at both doors."""
    with contextlib.closing(sqlite3.connect(house.database(tmp_path))) as db:
        tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        values = [v for table in ("session", "api_token", "spent", "otp", "blob") if table in tables for row in db.execute(f"SELECT * FROM {table} LIMIT 12") for v in row if isinstance(v, bytes)]
        hashes = [phc for phc, in db.execute("SELECT phc FROM user")]
    assert len(values) > 12 and len(hashes) >= 6
    assert all(re.fullmatch(r"\$argon2id\$v=19\$m=\d{5,},t=\d+,p=\d+\$[\w+/]{22}\$[\w+/]{43}", h) for h in hashes), hashes
    with house.attack() as thief:
        for value in {v[:32] for v in values if len(v) >= 16}:
            for text in (base64.urlsafe_b64encode(value).decode().rstrip("="), value.hex()):
                for kind in ("spa_", "spt_"):
                    assert thief.refused("GET", "/api/v1/files", token=kind + text).status in (400, 401)
        for phc in hashes:
            for user in ("victim", "boss"):
                thief.refused("POST", "/api/v1/token", form={"grant_type": "password", "username": user, "password": phc})
