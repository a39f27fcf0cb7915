"""`Population`: the clients of a simulation: how many there are, what they do, when they connect, who they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from icws_explore.protocol.client.machine import ClientConfig
from icws_explore.protocol.constants import MAX_CERTIFICATE_AGE_S, NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.type_checks import checked_fields
from icws_explore.protocol.wording import duration_ns

from .client import ClientSetup
from .delays import DelayLike, delay
from .replica import CANISTER_ID
from .scripts import SCRIPT_NAMES, Script, script_for
from .world import SimulationSetup

ARRIVALS: Final = "10s"


@checked_fields(
    script="an object of a class that extends Script, or the name of a script",
    arrivals="protocol time such as '90s', seconds, a timedelta, or a function from a number to seconds",
)
@dataclass(frozen=True, slots=True)
class Population:
    """The clients of a simulation.

    ::

        icws.simulate("chat", population=icws.Population(20, arrivals="2m", skew_ms=(0, 500)))

    - ``sessions``: the number of clients, at least 1. Each opens one session.
    - ``script``: what they do, a `Script`, or the name of one: "pingpong", "echo", "chat" or "listen". None: the app's
      own script, if it has one; otherwise, and with a compiled canister, they only listen.
    - ``think_ms``: how long the script of an app waits before it sends, milliseconds or a Delay. None: its default.
    - ``ack_interval_ms``: the ack interval that the clients are configured with, milliseconds. None: the canister's.
    - ``max_certificate_age_s``: the age in seconds beyond which they reject a certificate.
    - ``skew_ms``: milliseconds that the clients' clocks are ahead of true time: one number for all, a sequence with
      one for each, a function from the client's number (from 0), or a `Delay` from which each draws.
    - ``arrivals``: when they connect. A duration such as "10s" or 10.0 (seconds): the first connects at once, the
      others at random within that time. A function: from the client's number to seconds after the start.
    - ``identities``: the kinds of their identities, used in turn: "ed25519", "secp256k1", "p256", "passkey",
      "delegation" or "internet-identity". With ``crypto="stand-in"`` only "ed25519".
    - ``gateways``: the number of gateways, used in turn, at least 1.

    Raises ArgumentTypeError for a wrong type and ArgumentValueError for a wrong value.
    """

    sessions: int = 1
    script: Script | str | None = None
    think_ms: DelayLike | None = None
    ack_interval_ms: int | None = None
    max_certificate_age_s: int = MAX_CERTIFICATE_AGE_S
    skew_ms: DelayLike | Sequence[float] | Callable[[int], float] = 0.0
    arrivals: str | float | timedelta | Callable[[int], float] = ARRIVALS
    identities: str | Sequence[str] = "ed25519"
    gateways: int = 1

    def __post_init__(self) -> None:
        for name in ("sessions", "gateways", "ack_interval_ms"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ArgumentValueError(f"{name} must be at least 1, not {value}")
        if isinstance(self.script, str) and self.script not in SCRIPT_NAMES:
            raise ArgumentValueError(f"there is no script {self.script!r}; choose {', '.join(SCRIPT_NAMES)}")
        if not self.identities:
            raise ArgumentValueError("identities is empty; name at least one kind of identity")
        if isinstance(self.skew_ms, Sequence) and len(self.skew_ms) != self.sessions:
            raise ArgumentValueError(
                f"skew_ms has {len(self.skew_ms)} values, but sessions is {self.sessions}; "
                "give one value, or one for each"
            )

    def clients(self, setup: SimulationSetup, ack_interval_ms: int) -> Iterator[ClientSetup]:
        """Yield what each client is made from. ``ack_interval_ms`` is the canister's.

        Raises ArgumentValueError for times or identities that only the run can check, and LabError for identities that
        cannot be made.
        """
        config = ClientConfig(
            canister_id=CANISTER_ID,
            root_key=setup.root_key,
            ack_interval_ms=self.ack_interval_ms or ack_interval_ms,
            max_certificate_age_s=self.max_certificate_age_s,
            application_type=setup.app.message_type,
        )
        script = script_for(setup.app, self.script, self.think_ms)
        kinds = (self.identities,) if isinstance(self.identities, str) else tuple(self.identities)
        starts, skews = self._starts_ns(setup), self._skews_ns(setup)
        for number in range(self.sessions):
            identity = setup.cryptography.client(f"client {number}", kinds[number % len(kinds)], setup.start_ns)
            yield ClientSetup(
                identity, config, script, setup.start_ns + starts[number], skews[number], number % self.gateways
            )

    def _starts_ns(self, setup: SimulationSetup) -> list[int]:
        """When each client connects, in ns after the start."""
        if callable(self.arrivals):
            return [round(self.arrivals(number) * NS_PER_S) for number in range(self.sessions)]
        within_ns, rng = min(duration_ns(self.arrivals), setup.duration_ns), setup.keys.rng("arrivals")
        return [0, *sorted(rng.randrange(within_ns) for _ in range(self.sessions - 1))]

    def _skews_ns(self, setup: SimulationSetup) -> list[int]:
        """How far each client's clock is ahead, in ns."""
        if callable(self.skew_ms):
            skews = [self.skew_ms(number) for number in range(self.sessions)]
        elif isinstance(self.skew_ms, Sequence):
            skews = list(self.skew_ms)
        elif isinstance(self.skew_ms, (int, float)):
            skews = [float(self.skew_ms)] * self.sessions
        else:
            rng, distribution = setup.keys.rng("skew"), delay(self.skew_ms)
            skews = [distribution.draw_ms(rng) for _ in range(self.sessions)]
        return [round(ms * NS_PER_MS) for ms in skews]
