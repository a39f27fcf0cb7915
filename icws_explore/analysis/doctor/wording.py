"""How the doctor names numbers, times and sessions in its explanations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# What to record next where only the network's own words would tell two causes apart.
RECORD_NETWORK: Final = (
    "To tell, record the network side too: icws tap … --network URL, with the gateway pointed at the tap's second "
    "address."
)


def seconds(value: float) -> str:
    """A duration, as precise as one reads it: 4 ms, 0.31 s, 4.2 s, 330 s."""
    size = abs(value)
    if size < 0.0995:
        return f"{value * 1000:.2g} ms"
    if size >= 100:
        return f"{value:.0f} s"
    return f"{value:.1f} s" if size >= 1 else f"{value:.2f} s"


def numbers(values: Sequence[int], limit: int = 8) -> str:
    """1, 2 and 3; of many, the first ones."""
    shown = [str(value) for value in values[:limit]]
    if len(values) > limit:
        return f"{', '.join(shown)} and {len(values) - limit} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def names(sessions: Sequence[str | None], limit: int = 8) -> str:
    """Sessions by their names in the capture."""
    shown = ", ".join(str(name) for name in sessions[:limit])
    return f"{shown} and {len(sessions) - limit} more" if len(sessions) > limit else shown
