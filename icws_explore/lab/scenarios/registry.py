"""The registry of scenarios. Each module of this package registers its scenarios when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from icws_explore.analysis.recording import Recording
from icws_explore.protocol.errors import LabError

from ..simulator import Simulation
from .live import Progress, Watch, play
from .plan import Plan
from .simulated import run_simulated

if TYPE_CHECKING:
    from icws_explore.analysis.doctor import Rule


@dataclass(frozen=True, slots=True)
class Scenario:
    """``name`` is the id in the doctor's catalogue, ``about`` says what goes wrong, ``plan()`` makes a new plan.

    ``beside`` are the ids of other problems that the scenario cannot be without.
    """

    name: str
    about: str
    plan: Callable[[], Plan]
    beside: tuple[str, ...] = ()

    @property
    def severity(self) -> str:
        """The severity of the doctor's finding: "error", "warning" or "info"."""
        return self._rule.severity

    @property
    def noticed(self) -> str:
        """Who notices the problem and how it ends: what ic-websocket-js 0.5.0 does about it."""
        return self._rule.sdk_behaviour

    @property
    def fix(self) -> str:
        """What to change."""
        return self._rule.fix

    @property
    def _rule(self) -> Rule:
        from icws_explore.analysis.doctor import RULES  # takes a while to import

        return RULES[self.name]

    def run(self, seed: int = 1) -> Simulation:
        """Run it in the simulator. The same seed gives the same recording. Raises LabError."""
        return run_simulated(self.plan(), seed)

    def play(
        self,
        *,
        time_scale: float | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
        watch: Watch | None = None,
    ) -> Recording:
        """Run it over real sockets, which takes some seconds. The arguments are those of `live.play`.

        Raises LabError.
        """
        return play(self.plan(), time_scale=time_scale, seed=seed, progress=progress, watch=watch)


SCENARIOS: Final[dict[str, Scenario]] = {}


def register(
    name: str, about: str, *, beside: tuple[str, ...] = ()
) -> Callable[[Callable[[], Plan]], Callable[[], Plan]]:
    """Decorate a function that makes a plan: it becomes the scenario ``name``. Raises ValueError for a used name.

    ``beside`` are the ids of other problems that the scenario cannot be without.
    """

    def enter(plan: Callable[[], Plan]) -> Callable[[], Plan]:
        if name in SCENARIOS:
            raise ValueError(f"the scenario {name} is already registered")
        SCENARIOS[name] = Scenario(name, about, plan, beside)
        return plan

    return enter


def scenario(name: str) -> Scenario:
    """Return the scenario of that name; case does not matter, and - is the same as _.

    Raises LabError that suggests the most similar name, or lists all.
    """
    wanted = name.strip().upper().replace("-", "_")
    if wanted not in SCENARIOS:
        similar = get_close_matches(wanted, SCENARIOS, n=1)
        hint = f"did you mean {similar[0]}?" if similar else f"the names are {', '.join(sorted(SCENARIOS))}"
        raise LabError(f"there is no fault {name!r}: {hint}")
    return SCENARIOS[wanted]
