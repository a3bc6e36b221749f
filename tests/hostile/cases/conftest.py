"""The houses that the cases break into: one for all of them (each attack is checked by itself), and one of a case's own where it breaks things."""
import contextlib

import pytest

from lib.cases import House


@pytest.fixture(scope="session")
def houses():
    """One for each identity, made when first asked for."""
    built = {}
    yield built
    for house in built.values():
        house.close()


@pytest.fixture
def house(identity, houses):
    if identity.name not in houses:
        houses[identity.name] = House(identity)
    return houses[identity.name]


@pytest.fixture
def build(identity):
    """build(Setting=value, ...): a house of the test's own."""
    with contextlib.ExitStack() as stack:
        def make(**settings):
            house = House(identity, **settings)
            stack.callback(house.close)
            return house
        yield make
