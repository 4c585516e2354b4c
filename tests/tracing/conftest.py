"""The networks that most tests of tracing share."""

import pytest

from circuits import Network, load_network
from tests.support.handmade import handmade_network


@pytest.fixture(scope="module")
def network() -> Network:
    return handmade_network()


@pytest.fixture(scope="module")
def builtin() -> Network:
    return load_network()
