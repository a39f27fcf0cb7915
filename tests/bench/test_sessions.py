"""How `bench.sessions` finds the largest number of sessions."""

from __future__ import annotations

from typing import Any

import pytest

from bench import sessions


def result(number: int, **changes: Any) -> dict[str, Any]:
    whole = {"opened": number, "failed": {}, "sent": 9, "answered": 9, "round_trip_p99_ms": 999.0}
    return whole | changes


@pytest.mark.parametrize("limit", [0, 25, 250, 600, 1000])
def test_finds_the_limit(limit: int) -> None:
    def load(number: int) -> dict[str, Any]:
        return result(number, round_trip_p99_ms=1.0 if number <= limit else 1000.0)

    assert sessions._most(load) == limit


@pytest.mark.parametrize(
    "changes", [{"opened": 4}, {"failed": {"why": 1}}, {"answered": 8}, {"round_trip_p99_ms": None}]
)
def test_counts_only_what_was_served_whole(changes: dict[str, Any]) -> None:
    assert sessions.is_served(5, result(5))
    assert not sessions.is_served(5, result(5, **changes))
