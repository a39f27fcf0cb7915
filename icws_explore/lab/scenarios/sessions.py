"""How sessions end that nobody's code ended wrongly: the application says so, or a proxy gets bored.

Sessions that get into each other's way.

Settings that do not go together: a clock that is wrong, intervals that are not each other's.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from icws_explore.protocol.keys import Identity

from ..faults import Delivery, Faults, Stage
from ..replica.subnet import LabKeys
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import Talker, goodbye, texts

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


def _same_person(keys: LabKeys, start_ns: int) -> Identity:
    del start_ns
    return keys.identity("a person with two tabs")


@register(
    "PRINCIPAL_TAKEOVER", "two tabs with one identity: the second one's ws_open makes the canister forget the first"
)
def principal_takeover() -> Plan:
    first = ClientPlan(identity=_same_person, script=texts((5, "one"), (60, "two")))
    second = ClientPlan(identity=_same_person, script=texts((5, "three"), (40, "four")), at_s=30)
    return Plan("echo", duration_s=420, clients=(first, second))


@register("INGRESS_EXPIRY", "the client's clock is five minutes slow")
def ingress_expiry() -> Plan:
    return Plan("pingpong", duration_s=120, clients=(ClientPlan(skew_ms=-301_000.0),))


@register("ACK_INTERVAL_MISMATCH", "the client expects acks every 90 s, the canister sends them every 200 s")
def ack_interval_mismatch() -> Plan:
    hasty = ClientPlan(script=Talker({"text": "hello"}), ack_interval_ms=90_000)
    return Plan("echo", duration_s=600, clients=(hasty,), ack_interval_ms=200_000)
