"""A clock that a test moves by hand."""

from __future__ import annotations

from dataclasses import dataclass

from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S


@dataclass(slots=True)
class FakeClock:
    """``now_ns`` as a plain value: 2026-11-18 11:06:40 UTC at first."""

    ns: int = 1_795_000_000 * NS_PER_S

    def now_ns(self) -> int:
        return self.ns

    def advance_ms(self, duration_ms: float) -> None:
        self.ns += round(duration_ms * NS_PER_MS)
