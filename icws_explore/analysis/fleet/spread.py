"""How values are spread: percentiles of any number of values in little memory, which can be added up.

Each value is counted in a bucket whose bounds are 2 % apart, so a percentile is off by at most 1 % of itself, in
however many parts the values were counted. (That is a DDSketch without its limit of buckets: Masson, Rim and Lee 2019.
Its library keeps sketches in Protobuf only.)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

_RATIO: Final = 1.02
_LEAST: Final = 1e-6  # smaller values count as 0
_MOST: Final = 1e12  # larger ones as this


@dataclass(slots=True)
class Spread:
    """Values from 0 on, in any unit; negative ones count as 0, and what is not known (None) not at all."""

    buckets: Counter[int] = field(default_factory=Counter)
    zeros: int = 0
    most: float = 0.0

    def add(self, value: float | None) -> None:
        """Count a value."""
        if value is None or math.isnan(value):
            return
        self.most = max(self.most, value)
        if value < _LEAST:
            self.zeros += 1
        else:
            self.buckets[math.ceil(math.log(min(value, _MOST), _RATIO))] += 1

    def extend(self, values: Iterable[float | None]) -> None:
        """Count each of the values."""
        for value in values:
            self.add(value)

    def merge(self, other: Self) -> None:
        """Count what another spread has counted."""
        self.buckets.update(other.buckets)
        self.zeros += other.zeros
        self.most = max(self.most, other.most)

    def __len__(self) -> int:
        return self.zeros + self.buckets.total()

    def at(self, share: float) -> float | None:
        """The value that ``share`` (0 to 1) of the values do not exceed; None without values."""
        wanted = max(1, math.ceil(share * len(self)))
        if not len(self):
            return None
        if wanted >= len(self):
            return self.most
        seen = self.zeros
        if seen >= wanted:
            return 0.0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(self.most, _RATIO**bucket * 2 / (1 + _RATIO))
        raise AssertionError("the buckets hold all values but the zeros")

    def to_json(self) -> dict[str, Any]:
        return {"buckets": sorted(self.buckets.items()), "zeros": self.zeros, "most": self.most}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(
            Counter({int(bucket): int(count) for bucket, count in value["buckets"]}), value["zeros"], value["most"]
        )
