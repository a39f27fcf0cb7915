"""`FaultSwitches`: the faults of the catalogue, on and off while sessions run, in a lab or in the path of a tap.

::

    lab.faults.on("SEQUENCE_GAP_DOWN")        # from now on
    lab.faults.off("SEQUENCE_GAP_DOWN")
    FaultSwitches(tap).offered                # what a party between dapp and gateway can do
    FaultSwitches(tap).why_not("UPGRADE_WIPE")

A scenario can be switched on if its `Faults` make it happen. Where the client, its configuration or the canister's
code is what misbehaves, `why_not` says so. A tap stands between client and gateway: it can drop, delay, change and
duplicate frames, and end connections. It cannot touch the canister, the gateway's polls, or clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.live.clock import Clock
from icws_explore.live.path import Delivery
from icws_explore.live.scheduler import ClockScheduler
from icws_explore.live.tap import Tap
from icws_explore.protocol.canister import App
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import LabError

from ..faults import Faults
from ..lab import Lab, network_of
from ..switched import Switched, chained, uses_sessions
from .plan import ClientPlan, Plan
from .registry import SCENARIOS, Scenario, scenario

_BEYOND_PATH: Final = {
    "poll_answer": "the answers to the gateway's polls",
    "clock_error_ns": "a clock",
    "refusal": "the answer to an HTTP request",
}
_CLIENTS_OWN: Final = ("SOCKETS_PER_RENDER",)  # its faults only end what the page has opened too often


@runtime_checkable
class _Stand(Protocol):
    """Where faults are switched: a lab, a tap or a simulation."""

    def why_not(self, plan: Plan) -> str | None: ...
    def on(self, name: str, faults: Faults) -> Switched: ...
    def off(self, name: str) -> None: ...
    def active(self) -> tuple[Switched, ...]: ...


class FaultSwitches:
    """The switches of one lab, tap or simulation, by the names of the catalogue.

    `on` and `off` may be called on any thread; for a simulation, on that which runs it.
    """

    def __init__(self, target: Lab | Tap | _Stand) -> None:
        self._stand = _stand_of(target)
        self._why: dict[str, str | None] | None = None

    @property
    def offered(self) -> tuple[Scenario, ...]:
        """The scenarios that can be switched on here."""
        return tuple(scenario for scenario in SCENARIOS.values() if self.why_not(scenario.name) is None)

    @property
    def refused(self) -> dict[str, str]:
        """The names of the others, each with the reason."""
        return {name: why for name in SCENARIOS if (why := self.why_not(name)) is not None}

    def why_not(self, name: str) -> str | None:
        """Return why that scenario cannot be switched on here, on one line, or None. Raises LabError for no name."""
        found = scenario(name)
        if self._why is None:
            self._why = {scenario.name: self._reason(scenario) for scenario in SCENARIOS.values()}
        return self._why[found.name]

    @property
    def active(self) -> tuple[str, ...]:
        """The names of those that are on."""
        return tuple(switched.name for switched in self._stand.active())

    def acts(self, name: str) -> int:
        """How often that fault has done something since it was switched on; 0 if it is off."""
        wanted = scenario(name).name
        return next((switched.acts for switched in self._stand.active() if switched.name == wanted), 0)

    def on(self, name: str) -> None:
        """Switch a fault on; it starts anew if it is on. Raises LabError with the reason if it cannot be."""
        found = scenario(name)
        if (why := self.why_not(found.name)) is not None:
            raise LabError(f"{found.name} cannot be switched on here: {why}")
        self._stand.off(found.name)
        self._stand.on(found.name, found.plan().faults)

    def off(self, name: str) -> None:
        """Switch a fault off. Does nothing if it is off."""
        self._stand.off(scenario(name).name)

    def _reason(self, scenario: Scenario) -> str | None:
        plan = scenario.plan()
        return _made_elsewhere(scenario.name, plan) or self._stand.why_not(plan)

    def __repr__(self) -> str:
        return f"<FaultSwitches: {', '.join(self.active) or 'all off'}; {len(self.offered)} offered>"


def _stand_of(target: Lab | Tap | _Stand) -> _Stand:
    if isinstance(target, _Stand):
        return target
    return _InLab(target) if isinstance(target, Lab) else _InPath(target)


def _made_elsewhere(name: str, plan: Plan) -> str | None:
    """Return who makes the problem, if the plan's faults alone do not."""
    if name in _CLIENTS_OWN or any(_misbehaves(client) for client in plan.clients):
        return "the client makes it, by its code, its identity, its clock or its configuration"
    if plan.page_calls:
        return "the page makes it, by its own calls to the canister"
    if type(plan.faults) is not Faults:
        return None
    if isinstance(plan.app, App):
        return "the canister's code makes it"
    return "the clients' messages or the network's settings make it, and no fault does"


def _misbehaves(client: ClientPlan) -> bool:
    usual = ClientPlan()
    names = ("machine", "identity", "ack_interval_ms", "root_key", "canister_id", "skew_ms")
    return client.machine is not ClientMachine or any(getattr(client, name) != getattr(usual, name) for name in names)


class _InLab:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def why_not(self, plan: Plan) -> str | None:
        if not plan.conditions.ordered and self._lab.options.ordered:
            return "it needs a lab with ordered=False, whose calls may overtake each other"
        return None

    def on(self, name: str, faults: Faults) -> Switched:
        network = network_of(self._lab)
        return self._lab.control.call(  # type: ignore[no-any-return]
            lambda: network.switched.switch_on(
                name, faults, network.stage, scale=self._lab.clock.scale, sessions=network.open_sessions
            )
        )

    def off(self, name: str) -> None:
        if self._lab.running:
            network = network_of(self._lab)
            self._lab.control.call(lambda: network.switched.switch_off(name))

    def active(self) -> tuple[Switched, ...]:
        return network_of(self._lab).switched.on if self._lab.running else ()


class _InPath:
    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._on: dict[str, tuple[Switched, TapStage, Callable[[], None]]] = {}

    def why_not(self, plan: Plan) -> str | None:
        kind = type(plan.faults)
        if plan.faults.beyond_path:
            return f"{plan.faults.beyond_path}, which nobody between client and gateway can do"
        for hook, what in _BEYOND_PATH.items():
            if getattr(kind, hook) is not getattr(Faults, hook):
                return f"it changes {what}, which nobody between client and gateway can do"
        return None

    def on(self, name: str, faults: Faults) -> Switched:
        return self._tap.control.call(lambda: self._switch_on(name, faults))  # type: ignore[no-any-return]

    def _switch_on(self, name: str, faults: Faults) -> Switched:
        tap = self._tap
        sessions = [int(session) for session in tap.open_sessions]  # raises ConnectError unless it runs
        stage = TapStage(tap, f"the fault {name}")
        switched = Switched(name, faults, stage, tap.clock.scale, sessions)
        if sessions or not uses_sessions(faults):
            switched.begin(lead_s=0.0)
        remove = tap.control.add_rule(f"the fault {name}", lambda decoded: in_path(switched, decoded))
        self._on[name] = switched, stage, remove
        return switched

    def off(self, name: str) -> None:
        if (entry := self._on.pop(name, None)) is not None:
            switched, stage, remove = entry
            switched.is_on = False

            def end() -> None:
                remove()
                stage.end()

            self._tap.control.call(end)

    def active(self) -> tuple[Switched, ...]:
        return tuple(switched for switched, _, _ in self._on.values())


def in_path(switched: Switched, decoded: DecodedFrame) -> list[Delivery]:
    """Return what a fault makes of a frame in the path of a tap.

    A client's frame is what its gateway relays, so the hook for calls applies to it; calls may overtake each other.
    """
    frame, faults = decoded.frame, switched.faults
    whole = [Delivery(frame.data)]
    if frame.op != "binary" or frame.session is None:
        return whole
    session = switched.number(int(frame.session))
    if frame.direction == "in":
        after = chained(
            chained(whole, lambda data: faults.relay("down", data)), lambda d: faults.gateway_frame(session, d)
        )
    else:
        relayed = chained(chained(whole, lambda d: faults.client_frame(session, d)), lambda d: faults.relay("up", d))
        after = chained(relayed, lambda data: faults.call(session, data))
        after = [Delivery(each.data, each.delay_ms, overtakable=each.delay_ms > 0) for each in after]
    switched.seen(frame.data, after)
    return after


class TapStage:
    """The `Stage` of a tap. Use it on the tap's loop."""

    def __init__(self, tap: Tap, by: str) -> None:
        self._tap = tap
        self._by = by
        self._clock: Clock = tap.clock
        self._start_ns = self._clock.now_ns()
        self._scheduler = ClockScheduler(self._clock, self._failed)

    @property
    def now_ns(self) -> int:
        """The time of the tap's clock, ns since the epoch."""
        return self._clock.now_ns()

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action`` that many seconds of protocol time after the start."""
        self._scheduler.at(self._start_ns + round(seconds * NS_PER_S), action)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action`` that many seconds of protocol time from now."""
        self._scheduler.at(self._clock.now_ns() + round(seconds * NS_PER_S), action)

    def upgrade_canister(self, app: App | None = None) -> None:
        """Raises LabError: nobody in the path can."""
        del app
        raise LabError("a tap cannot upgrade a canister")

    def stop_canister(self) -> None:
        """Raises LabError: nobody in the path can."""
        raise LabError("a tap cannot stop a canister")

    def freeze_canister(self) -> None:
        """Raises LabError: nobody in the path can."""
        raise LabError("a tap cannot use a canister's cycles up")

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client."""
        self._tap.send(str(session), data, by=self._by)

    def drop(self, session: int, code: int | None = 1006) -> None:
        """End a connection."""
        self._tap.drop(str(session), code, by=self._by)

    def end(self) -> None:
        """Drop all planned actions."""
        self._scheduler.clear()

    def _failed(self, error: Exception) -> None:
        self._tap.note(f"{self._by} failed: {type(error).__name__}: {error}")
