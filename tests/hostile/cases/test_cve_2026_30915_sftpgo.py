"""CVE-2026-30915: SFTPGo, 2026

There: a user's name stood for %username% in the path of the home folder, so that a name could be a path.
Needs: here a name that is put into a path, a mask or a format.
Here: P5: a home folder is a row with a number; names that have a meaning in a path are refused when they are given, and are only themselves where they are taken.
"""
NAMES = ("../victim", "victim/../thief2", "/", ".", "..", "a/b", "a\\b", "\0", "a\nb", "", " ", "x" * 300)
ODD = ("%username%", "%d", "%s%s%n", "{0}", "$HOME", "~", "*", "victim.", "con")


def test_names_that_are_paths(house):
    with house.attack():
        for name in NAMES:
            if "\0" not in name:
                assert house.server.run("user", "add", name, "--password-stdin", stdin="correct horse battery\n", check=False).code != 0, name


def test_names_that_look_like_something(build):
    """Taken or not: they get a home of that very name, and see nobody else's."""
    house = build()
    with house.attack(inside="thief", changes=("user", "folder", "acl", "user.added", "login", "logout", "session", "file.read", "file.created", "file", "version")) as thief:
        for name in ODD:
            if house.server.run("user", "add", "--password-stdin", name, stdin="correct horse battery\n", check=False).code != 0:
                continue
            reply = thief.http("POST", "/api/v1/token", form={"grant_type": "password", "username": name, "password": "correct horse battery"})
            assert reply.status == 200, (name, reply)
            token = reply.json()["access_token"]
            assert thief.http("GET", "/api/v1/files", token=token).json()["items"] == []
            with thief.ssh(name, password="correct horse battery").to("sftp") as c:
                assert c.sftp.realpath(".") == f"/Home/{name}"
                for path in ("../victim/secret", "/Home/victim/secret"):
                    thief.denied(c.sftp.stat, path)
    assert not [e for e in thief.record if e["event"] == "file.read"]
