"""The scenarios by name; each module of this package registers its own when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from icws_explore.analysis.recording import Recording
from icws_explore.protocol.errors import LabError

from ..simulator import Simulation
from .live import Progress, Watch, play
from .plan import Plan
from .simulated import run_simulated


@dataclass(frozen=True, slots=True)
class Scenario:
    """``name`` is the catalogue's id, ``about`` what is made to go wrong, ``plan()`` how."""

    name: str
    about: str
    plan: Callable[[], Plan]

    def run(self, seed: int = 1) -> Simulation:
        """In the simulator: the same again for the same seed. Raises LabError."""
        return run_simulated(self.plan(), seed)

    def play(
        self,
        *,
        time_scale: float | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> Recording:
        """Over real sockets, which takes some seconds (see `live.play`). Raises LabError."""
        return play(self.plan(), time_scale=time_scale, seed=seed, progress=progress, watch=watch)


SCENARIOS: Final[dict[str, Scenario]] = {}


def register(name: str, about: str) -> Callable[[Callable[[], Plan]], Callable[[], Plan]]:
    """Decorates a function that makes a scenario's plan."""

    def enter(plan: Callable[[], Plan]) -> Callable[[], Plan]:
        if name in SCENARIOS:
            raise ValueError(f"there is a scenario {name} already")
        SCENARIOS[name] = Scenario(name, about, plan)
        return plan

    return enter


def scenario(name: str) -> Scenario:
    """The scenario of that name, in capitals or not. Raises LabError that names the nearest one, or all."""
    asked = name.strip().upper().replace("-", "_")
    if asked not in SCENARIOS:
        near = get_close_matches(asked, SCENARIOS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(SCENARIOS))}"
        raise LabError(f"there is no fault {name!r}: {hint}")
    return SCENARIOS[asked]
