"""The site that is robbed: 20,000 files (SALLYPORT_DRILL_FILES) of 200 users in 5 organisations; as an ordinary user fewer."""
import os
import signal

import pytest

from lib.evil import evil_instance
from lib.mass_hack import Site, limits


@pytest.fixture(scope="module")
def site(identity):
    with evil_instance(identity, broker=True, CongestionControl="cubic", Argon2Memory="8M", Argon2Passes="1", WorkersIdle="16") as server:
        limits(server)
        server.process.send_signal(signal.SIGHUP)
        files = int(os.environ.get("SALLYPORT_DRILL_FILES", "20000" if identity.uid == 0 else "2000"))
        yield Site(server, files, users=200 if files > 10000 else 50, orgs=5)
