"""A lab for the live panel's tests, and a check that widgets leave nothing open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ipywidgets.widgets import widget as registry

from icws_explore.lab import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One chat lab for a module, sixty times as fast as the machine's clock."""
    with Lab(app="chat", time_scale=60, seed=3) as running:
        yield running


@pytest.fixture
def nothing_left_open() -> Iterator[None]:
    """The test closes every widget that it opens, with layouts."""
    before = set(registry._instances)
    yield
    assert set(registry._instances) == before
