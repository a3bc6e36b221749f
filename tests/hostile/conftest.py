"""The server of test_worker*.py: its workers are real ones until somebody says 'X' to them."""
import pytest

from lib.evil import evil_instance


@pytest.fixture(scope="module")
def evil(identity):
    """A server whose workers can be taken over, with alice, bob, and a file of each."""
    with evil_instance(identity, CongestionControl="cubic", LockoutFailures="40", LockoutAddress="100000") as server:
        server.people = {}
        for name in ("alice", "bob"):
            server.add_user(name)
            server.people[name] = server.login(name)
            for size, file in ((200000, "large"), (500, "small")):
                body = (f"the content of {name} " * 20000)[:size].encode()
                assert server.people[name].store(f"/Home/{name}/{file}", body).status_code == 201
        yield server
        for name, client in server.people.items():
            assert client.fetch(f"/Home/{name}/large").content == (f"the content of {name} " * 20000)[:200000].encode()
