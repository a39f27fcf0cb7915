"""A lab for the live tests: real sockets on loopback, protocol time sixty times as fast."""

import pytest

from icws_explore.lab import Lab


@pytest.fixture(scope="module")
def lab():
    """One ping-pong lab for a module. Sessions of different tests do not disturb each other."""
    with Lab(app="pingpong", time_scale=60, seed=1) as running:
        yield running


@pytest.fixture(scope="module")
def echo():
    with Lab(app="echo", time_scale=60, seed=2) as running:
        yield running
