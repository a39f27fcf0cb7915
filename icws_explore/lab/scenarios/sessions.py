"""How sessions end that nobody's code ended wrongly: the application says so, or a proxy gets bored."""

from __future__ import annotations

from collections import Counter
from typing import Final

from ..faults import Delivery, Faults, Stage
from .answers import goodbye
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import texts

USUAL_IDLE_S: Final = 60.0  # of nginx (proxy_read_timeout) and of most load balancers


class IdleProxy(Faults):
    """A proxy in front of the gateway: it cuts a connection on which nothing has passed for ``idle_s``."""

    def __init__(self, idle_s: float = USUAL_IDLE_S) -> None:
        self._idle_s = idle_s
        self._passed: Counter[int] = Counter()  # by session, how many frames
        self._stage: Stage | None = None

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        self._note(session)
        return [Delivery(data)]

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        self._note(session)
        return [Delivery(data)]

    def _note(self, session: int) -> None:
        assert self._stage is not None
        self._passed[session] += 1
        passed = self._passed[session]
        self._stage.after(self._idle_s, lambda: self._cut_if_idle(session, passed))

    def _cut_if_idle(self, session: int, passed: int) -> None:
        if self._stage is not None and self._passed[session] == passed:
            self._stage.drop(session, 1006)


@register("CLOSED_BY_APPLICATION", "the canister's code closes the session when the client says bye")
def closed_by_application() -> Plan:
    return Plan(goodbye(), duration_s=60, clients=(ClientPlan(script=texts((5, "hello"), (20, "bye"))),))


@register("PROXY_IDLE", "a proxy in front of the gateway cuts connections that are silent for 60 s")
def proxy_idle() -> Plan:
    clients = (ClientPlan(script=texts((5, "hello"), (30, "still here"))),)
    return Plan("echo", duration_s=150, clients=clients, faults=IdleProxy())
