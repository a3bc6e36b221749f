"""Fixtures of the tests of the SFTP door: a server with one, and alice's way in."""
import secrets

import pytest

from lib.instance import Instance
from lib.sftp import Door

# These tests fail to log in on purpose, and all come from one address; test_sftp_login.py tries the lockouts on a server of their own.
MANY_FAILURES = {"LockoutFailures": "1000", "LockoutAddress": "100000"}


def another(alices, folder):
    mine = Door(alices.server, "alice", folder)
    mine.key = alices.key
    return mine


def new_folder(door):
    name = "t-" + secrets.token_hex(4)
    with door.raw().to("sftp") as c:
        c.sftp.mkdir(name)
    return name


@pytest.fixture(scope="module")
def sftp_server(identity):
    """A server with the SFTP door open, and the users alice and bob. It must stop cleanly and its audit log must verify."""
    with Instance(identity, sftp=True, settings=MANY_FAILURES) as instance:
        instance.add_user("alice")
        instance.add_user("bob")
        yield instance


@pytest.fixture(scope="module")
def legacy_server(identity):
    """One that also speaks with older clients, and alice."""
    with Instance(identity, sftp=True, settings={**MANY_FAILURES, "LegacyMacs": "yes"}) as instance:
        instance.add_user("alice")
        yield instance


@pytest.fixture(scope="module")
def legacy_alices(legacy_server, tmp_path_factory):
    return Door(legacy_server, "alice", tmp_path_factory.mktemp("alice")).with_key()


@pytest.fixture
def legacy_door(legacy_alices, tmp_path):
    return another(legacy_alices, tmp_path)


@pytest.fixture
def legacy_place(legacy_door):
    """The name of a new folder in alice's home there."""
    return new_folder(legacy_door)


@pytest.fixture(scope="module")
def alices(sftp_server, tmp_path_factory):
    """alice with an Ed25519 key that is registered once."""
    return Door(sftp_server, "alice", tmp_path_factory.mktemp("alice")).with_key()


@pytest.fixture
def door(alices, tmp_path):
    """alice's way in, with a scratch folder of the test's own."""
    return another(alices, tmp_path)


@pytest.fixture
def place(door):
    """The name of a new folder in alice's home."""
    return new_folder(door)
