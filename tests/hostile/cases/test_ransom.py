"""RANSOM: deletion and overwriting of all that a stolen user may write to (CrushFTP and GoAnywhere in 2025: Medusa)

There: a partner's login, or a web user that the thieves had made, was enough to encrypt or remove what lay there, versions and all.
Needs: here a deletion that is one at once, or an overwriting that leaves nothing of what was there.
Here: P7: versions are immutable, what is deleted or replaced is held back for DeleteHold with its key, and each deletion is on record; P1: only what that user may write to is touched.
"""
import contextlib
import sqlite3
import tempfile

from lib.instance import Client

COUNT = 60


def blobs(house):
    """Every version with its blob and whether its key and its ciphertext are still there."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(sqlite3.connect(house.database(folder))) as db:
        rows = db.execute("SELECT version.id, version.size, hex(blob.id), length(blob.wrap), blob.segment, length(content.data) FROM version JOIN extent ON extent.version = version.id"
                          " JOIN blob ON blob.id = extent.blob LEFT JOIN content ON content.blob = blob.id WHERE version.uploader = (SELECT id FROM user WHERE name = 'thief')").fetchall()
        held = {version for version, in db.execute("SELECT version FROM held")}
    names = {"".join(p.relative_to(house.server.dir / "blobs").parts) for p in (house.server.dir / "blobs").rglob("*")}
    for version, size, blob, wrap, segment, content in rows:
        assert wrap == 96 and (content if segment == 0 else any(blob.lower() in name for name in names)), f"version {version} is gone"
    return {row[0]: row for row in rows}, held


def test_everything_deleted_and_overwritten(build):
    house = build()
    s = house.server
    with s.login("thief") as c:  # the account was a partner's before it was stolen
        for n in range(COUNT):
            assert c.store(f"/Home/thief/work-{n}", b"a partner's work %d " % n * (20000 if n % 20 == 0 else 20)).status_code == 201
    before, _ = blobs(house)
    with house.attack(inside="thief") as thief:
        token = thief.log_in()
        for n in range(0, COUNT, 2):
            assert thief.http("PUT", f"/api/v1/files/by-path/Home/thief/work-{n}", body=b"pay up", token=token).status == 204
        with thief.sftp() as c:
            c.sftp.put("work-1", b"pay up")
            for name in c.sftp.list("."):
                if name not in (".", ".."):
                    c.sftp.remove(name)
            assert set(c.sftp.list(".")) <= {".", ".."}
            for path in ("/Home/victim/secret", "/Home", "/"):
                thief.denied(c.sftp.remove, path)
        for path in ("Home/victim/secret", "Home/victim", "Home"):
            thief.refused("DELETE", f"/api/v1/files/by-path/{path}", token=token)
            thief.refused("PUT", f"/api/v1/files/by-path/{path}", body=b"pay up", token=token)
        for number in range(1, 12):
            if thief.http("GET", f"/api/v1/folders/{number}", token=token).status != 200:
                thief.refused("DELETE", f"/api/v1/folders/{number}", token=token)
        # there is no verb that empties what is held back
        for method, path in (("DELETE", "/api/v1/trash"), ("POST", "/api/v1/files/purge"), ("DELETE", "/api/v1/files?permanent=true"), ("DELETE", "/api/v1/files")):
            thief.refused(method, path, token=token)
    after, held = blobs(house)
    assert set(before) <= set(after) and set(before) <= held, "a version was shredded, not held back"
    lost = {e["path"] for e in thief.record if e["event"] in ("file.deleted", "file.replaced")}
    assert lost >= {f"/Home/thief/work-{n}" for n in range(COUNT)}, "the record does not name all that was lost"
    assert not [e for e in thief.record if e["event"] == "file.shredded"]
    s.restart()  # nor does a start of the server shred anything early
    assert set(before) <= set(blobs(house)[0])
    assert s.run("fsck", "--content", timeout=120).code == 0
    with Client(s, house.victim.token) as c:
        assert c.fetch("/Home/victim/secret").content == house.victim.small
