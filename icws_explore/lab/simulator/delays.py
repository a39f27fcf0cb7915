"""Delays as users write them: a number of milliseconds, a pair (low, high), or one of the distributions here."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.errors import ArgumentValueError


class Delay(ABC):
    """A distribution of delays in milliseconds."""

    __slots__ = ()

    @abstractmethod
    def draw_ms(self, rng: random.Random) -> float:
        """Draw one delay in milliseconds; it is not negative."""

    @property
    @abstractmethod
    def mean_ms(self) -> float:
        """The mean delay in milliseconds."""

    @property
    def fixed_ms(self) -> float | None:
        """The delay in milliseconds if it is constant, else None."""
        return None

    def draw_ns(self, rng: random.Random) -> int:
        """Draw one delay in whole nanoseconds."""
        return round(self.draw_ms(rng) * NS_PER_MS)


@dataclass(frozen=True, slots=True)
class Constant(Delay):
    """Always ``ms`` milliseconds."""

    ms: float

    def __post_init__(self) -> None:
        _at_least(0, ms=self.ms)

    def draw_ms(self, rng: random.Random) -> float:
        del rng
        return self.ms

    @property
    def mean_ms(self) -> float:
        return self.ms

    @property
    def fixed_ms(self) -> float | None:
        return self.ms


@dataclass(frozen=True, slots=True)
class Uniform(Delay):
    """Uniformly distributed from ``low_ms`` to ``high_ms``."""

    low_ms: float
    high_ms: float

    def __post_init__(self) -> None:
        _at_least(0, low_ms=self.low_ms)
        _at_least(self.low_ms, high_ms=self.high_ms)

    def draw_ms(self, rng: random.Random) -> float:
        return rng.uniform(self.low_ms, self.high_ms)

    @property
    def mean_ms(self) -> float:
        return (self.low_ms + self.high_ms) / 2


@dataclass(frozen=True, slots=True)
class Exponential(Delay):
    """``minimum_ms`` plus an exponentially distributed delay with the mean ``rest_ms``."""

    rest_ms: float
    minimum_ms: float = 0.0

    def __post_init__(self) -> None:
        _at_least(0, rest_ms=self.rest_ms, minimum_ms=self.minimum_ms)

    def draw_ms(self, rng: random.Random) -> float:
        return self.minimum_ms + (rng.expovariate(1 / self.rest_ms) if self.rest_ms else 0.0)

    @property
    def mean_ms(self) -> float:
        return self.minimum_ms + self.rest_ms


@dataclass(frozen=True, slots=True)
class LogNormal(Delay):
    """Log-normally distributed, as network latencies usually are. A greater ``sigma`` makes the tail longer."""

    median_ms: float
    sigma: float = 0.5

    def __post_init__(self) -> None:
        _at_least(0, median_ms=self.median_ms, sigma=self.sigma)

    def draw_ms(self, rng: random.Random) -> float:
        return self.median_ms * math.exp(rng.gauss(0.0, self.sigma))

    @property
    def mean_ms(self) -> float:
        return self.median_ms * math.exp(self.sigma**2 / 2)


@dataclass(frozen=True, slots=True)
class Sampled(Delay):
    """One of the measured delays ``samples_ms``, each with the same probability."""

    samples_ms: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.samples_ms:
            raise ArgumentValueError("samples_ms is empty; give at least one delay in milliseconds")
        _at_least(0, samples_ms=min(self.samples_ms))

    def draw_ms(self, rng: random.Random) -> float:
        return rng.choice(self.samples_ms)

    @property
    def mean_ms(self) -> float:
        return sum(self.samples_ms) / len(self.samples_ms)


DelayLike: TypeAlias = Delay | float | Sequence[float]


def delay(value: DelayLike) -> Delay:
    """Return the distribution: a number is `Constant`, a pair (low, high) is `Uniform`. Raises ArgumentValueError."""
    if isinstance(value, Delay):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Constant(float(value))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and len(value) == 2:
        return Uniform(float(value[0]), float(value[1]))
    raise ArgumentValueError(
        f"{value!r} is not a delay: give milliseconds, a pair (low, high), or a Delay such as LogNormal(40)"
    )


def _at_least(least: float, **values: float) -> None:
    for name, value in values.items():
        if not least <= value < math.inf:
            raise ArgumentValueError(f"{name} must be finite and at least {least:g}, not {value!r}")
