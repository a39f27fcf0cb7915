"""What a load is to be, and whom it may be put on.

A load on somebody else's machine is an attack. So the target is on this machine, unless its host is named a second
time, and then there are limits: too little to hurt, enough to see whether a deployed gateway serves at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.principal import Principal

from ..address import Address

# All sessions of all workers together, if the target is not on this machine
REMOTE_SESSIONS: Final = 20
REMOTE_OPENS_PER_S: Final = 2.0
REMOTE_MESSAGES_PER_S: Final = 20.0
REMOTE_S: Final = 300.0  # seconds of sending
LIMITS: Final = (
    f"{REMOTE_SESSIONS} sessions, {REMOTE_OPENS_PER_S:g} openings and {REMOTE_MESSAGES_PER_S:g} messages a second in "
    f"all, for {REMOTE_S:g} s"
)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """``sessions`` open at ``opens_per_s``. Each sends ``content``, an application message as Candid, at ``rate``
    messages a second for ``duration_s`` real seconds, and closes.

    ``root_key`` is DER, ``app_type`` Candid text. An ``ack_interval_ms`` of None means the SDK's. A plan that is a part
    of another has the sessions from number ``first`` on of the ``whole``'s.
    """

    gateway_url: str
    canister_id: Principal
    root_key: bytes
    content: bytes
    app_type: str | None = None
    sessions: int = 10
    rate: float = 1.0
    duration_s: float = 30.0
    opens_per_s: float = 20.0
    ack_interval_ms: int | None = None
    first: int = 0
    whole: int = 0

    def __post_init__(self) -> None:
        for name, least in (("sessions", 1), ("rate", 0), ("duration_s", 0)):
            if not getattr(self, name) >= least:
                raise ArgumentValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not self.opens_per_s > 0:
            raise ArgumentValueError(f"opens_per_s must be more than 0, not {self.opens_per_s}")

    @property
    def size(self) -> int:
        """As a piece of work of a `Crew`: nothing to read."""
        return 0

    @property
    def name(self) -> str:
        """As a piece of work of a `Crew`: the sessions, counted from 1."""
        return f"sessions {self.first + 1} to {self.first + self.sessions}"

    def due_s(self, session: int) -> float:
        """When session number ``session`` of this plan sends first, after it opened: each at a moment of its own."""
        whole = self.whole or self.sessions
        return (self.first + session) % whole / whole / self.rate if self.rate else self.duration_s

    def parts(self, number: int) -> Sequence[LoadPlan]:
        """The plan in ``number`` parts or fewer, whose sessions take turns as those of the whole plan would."""
        number = min(number, self.sessions)
        bounds = [self.sessions * part // number for part in range(number + 1)]
        return [
            replace(
                self,
                sessions=end - start,
                opens_per_s=self.opens_per_s * (end - start) / self.sessions,
                first=self.first + start,
                whole=self.whole or self.sessions,
            )
            for start, end in pairwise(bounds)
        ]


def check_target(plan: LoadPlan, network_url: str, named: Iterable[str]) -> None:
    """Refuse a load on other machines whose host was not named again, and one over the limits there.

    ``network_url`` counts as well: what a gateway on this machine gets, it passes on. Raises ArgumentValueError.
    """
    addresses = (Address.gateway(plan.gateway_url), Address.network(network_url))
    remote = [address for address in addresses if not address.is_loopback]
    again = {host.lower() for host in named}
    for address in remote:
        if address.host.lower() not in again:
            raise ArgumentValueError(
                f"{address.host} is not this machine: if it is yours, name it again with --target {address.host}; "
                f"the load is then limited to {LIMITS}"
            )
    if not remote:
        return
    over = {
        "sessions": plan.sessions > REMOTE_SESSIONS,
        "openings a second": plan.opens_per_s > REMOTE_OPENS_PER_S,
        "messages a second": plan.sessions * plan.rate > REMOTE_MESSAGES_PER_S,
        "seconds": plan.duration_s > REMOTE_S,
    }
    too_many = ", ".join(what for what, is_over in over.items() if is_over)
    if too_many:
        raise ArgumentValueError(f"too many {too_many} for {remote[0].host}: the limits are {LIMITS}")
