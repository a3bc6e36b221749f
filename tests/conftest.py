"""Fixtures of every test below tests/: a running server per module and identity, and clients of it."""
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib.instance import Identity, Instance, binary  # noqa: E402


def pytest_sessionstart(session):
    if not binary().exists():
        pytest.exit(f"{binary()} is missing: run scripts/build, or scripts/test", returncode=2)
    if os.geteuid() == 0 and not all(folder.stat().st_mode & 0o001 for folder in binary().resolve().parents):
        session.config.sallyport_programs = copy_programs()


def pytest_sessionfinish(session):
    if hasattr(session.config, "sallyport_programs"):
        shutil.rmtree(session.config.sallyport_programs)


def copy_programs():
    """A tree below /root, say, is closed to the ordinary user that half of the tests run as: copy the programs out of it."""
    folder = Path(tempfile.mkdtemp(prefix="sallyport-programs-", dir=os.environ.get("SALLYPORT_TMP", "/var/tmp")))
    folder.chmod(0o755)
    rooms = binary().parent.parent / "libexec/sallyport"
    for program in [binary(), *(rooms if rooms.is_dir() else binary().parent).glob("sallyport-*")]:
        shutil.copy(program, folder / program.name)
    evil = "tests/hostile"  # lib/evil.py looks for them above the programs
    (folder / evil).mkdir(parents=True)
    for name in ("evil_worker", "evil_worker_sftp", "evil_broker", "evil_messenger"):
        shutil.copy(next(p / evil / name for p in binary().parents if (p / evil / name).exists()), folder / evil / name)
    os.environ["SALLYPORT_BIN"] = str(folder / "sallyport")
    return folder


def pytest_configure(config):
    config.addinivalue_line("markers", "root: only root can do this (mount, look into others' processes); no variant for others exists")
    config.addinivalue_line("markers", "release: of the release build only (sanitizers load libraries of their own)")


def pytest_collection_modifyitems(config, items):
    """Tests marked root have no variant as an ordinary user, those marked release none under the sanitizers."""
    under_sanitizers = b"__asan_init" in binary().read_bytes()

    def is_for(item):
        if under_sanitizers and item.get_closest_marker("release") is not None:
            return False
        if item.get_closest_marker("root") is None:
            return True
        identity = item.callspec.params.get("identity") if hasattr(item, "callspec") else None
        return os.geteuid() == 0 and (identity is None or identity.uid == 0)

    gone = [item for item in items if not is_for(item)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if is_for(item)]


@pytest.fixture(scope="module", params=Identity.all(), ids=repr)
def identity(request):
    """Everything that asks for a server runs as root and as an ordinary user, as far as this run may."""
    return request.param


@pytest.fixture(scope="module")
def server(identity):
    """A server with the users alice and bob. It must stop cleanly and its audit log must verify."""
    with Instance(identity) as instance:
        instance.add_user("alice", "--full-name", "Alice Adams", "--email", "alice@example.com")
        instance.add_user("bob")
        yield instance


@pytest.fixture(scope="module")
def alice(server):
    with server.login("alice") as client:
        yield client


@pytest.fixture(scope="module")
def bob(server):
    with server.login("bob") as client:
        yield client


@pytest.fixture
def fresh(identity):
    """An instance that is not made yet: the test calls init and start; leftovers are ended."""
    instance = Instance(identity)
    try:
        yield instance
    finally:
        instance.end()
        instance.remove()
