"""Faults over real sockets: every hook of the one vocabulary, and what can be done from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import icws_explore as icws
from icws_explore.lab import Faults, Lab
from icws_explore.lab.faults import Delivery, Direction, Stage, tampered
from icws_explore.live.session import Session
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.gateway.events import PollOutcome
from support.lab_requests import PATIENCE_S, eventually

SCALE = 60.0


async def ended(faults: Faults, *, sessions: int = 1, wait_open: bool = False) -> tuple[list[Any], Lab]:
    """How each session ended, in the order of connecting: (code, reason)."""
    lab = Lab("ticker", time_scale=SCALE, seed=3, faults=faults)
    with lab:
        opened = [await icws.connect(lab, wait_open=wait_open) for _ in range(sessions)]
        lab.begin()
        try:
            async with asyncio.timeout(PATIENCE_S):
                for session in opened:
                    await session.wait_closed()
        finally:
            for session in opened:
                await session.close()
        return [(session.close_code, session.close_reason) for session in opened], lab


async def opened(faults: Faults, use: Callable[[Session, Lab], Any]) -> Any:
    with Lab("echo", time_scale=SCALE, seed=3, faults=faults) as lab:
        async with asyncio.timeout(PATIENCE_S), icws.connect(lab) as session:
            lab.begin()
            return await use(session, lab)


class Noting(Faults):
    """Honest; notes which session or gateway each hook was asked about."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {"client_frame": [], "gateway_frame": [], "call": [], "poll_answer": []}

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        self.seen["client_frame"].append(session)
        return super().client_frame(session, data)

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        self.seen["gateway_frame"].append(session)
        return super().gateway_frame(session, data)

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        self.seen["call"].append(session)
        return super().call(session, envelope)

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        self.seen["poll_answer"].append(gateway)
        return super().poll_answer(gateway, outcome)


class TestHooks:
    async def test_sessions_are_numbered_over_all_gateways(self) -> None:
        faults = Noting()
        with Lab("echo", time_scale=SCALE, seed=3, gateways=2, faults=faults) as lab:
            for gateway in (lab.gateways[1], lab.gateways[0], lab.gateways[1]):
                async with icws.connect(
                    gateway.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock
                ):
                    pass
        for hook in ("client_frame", "gateway_frame", "call"):
            assert sorted(set(faults.seen[hook])) == [0, 1, 2], hook
            assert faults.seen[hook] == sorted(faults.seen[hook]), hook
        assert set(faults.seen["poll_answer"]) == {0, 1}

    async def test_what_a_client_s_frame_becomes(self) -> None:
        class Mangled(Faults):
            def client_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(b"nonsense")]

        assert (await ended(Mangled()))[0] == [(1005, "")]

    async def test_what_a_gateway_s_frame_becomes(self) -> None:
        class Altered(Faults):
            def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(tampered(data))]

        assert (await ended(Altered()))[0] == [(4000, "Error receiving message")]

    async def test_what_a_call_becomes(self) -> None:
        class Altered(Faults):
            def call(self, session: int, envelope: bytes) -> list[Delivery]:
                return [Delivery(envelope.replace(b"ws_open", b"ws_opem"))]

        ends, lab = await ended(Altered())
        assert ends == [(4000, "Open connection timeout")]
        assert any("Invalid signature" in event.text for event in lab.events)

    async def test_a_late_answer_to_a_poll(self) -> None:
        class Late(Faults):
            def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
                return outcome, 3_000.0

        async def use(session: Session, lab: Lab) -> list[float]:
            return list(session.recording.timing().certificates["age_s"])

        ages_s = await opened(Late(), use)
        assert ages_s
        assert min(ages_s) >= 3.0


class Held(Faults):
    """The frame behind ws_open is held up; for ten real seconds, so that a busy machine has time, if nobody waits."""

    def __init__(self, *, overtakable: bool) -> None:
        self.arrived: list[bytes] = []
        self._overtakable = overtakable
        self._count = 0

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        self._count += 1
        held_ms = 600_000.0 if self._overtakable else 20_000.0
        delay_ms = held_ms if self._count == 2 else 0.0  # ws_open passes
        return [Delivery(data, delay_ms, self._overtakable)]

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        self.arrived.append(envelope)
        return [Delivery(envelope)]


class TestOrder:
    async def first(self, *, overtakable: bool) -> bytes:
        """What the replica gets first of three messages, the first of which is held up."""
        faults = Held(overtakable=overtakable)

        async def use(session: Session, lab: Lab) -> None:
            for text in ("one", "two", "three"):
                await session.send({"text": text})
            await eventually(lambda: len(faults.arrived) >= 2)

        await opened(faults, use)
        return next(word for word in (b"one", b"two", b"three") if word in faults.arrived[1])

    async def test_a_frame_that_is_held_up_holds_up_the_rest(self) -> None:
        assert await self.first(overtakable=False) == b"one"

    async def test_unless_it_is_overtakable(self) -> None:
        assert await self.first(overtakable=True) == b"two"


class HeldByTheGateway(Faults):
    """Of a session's calls, the second leaves the gateway 20 s late."""

    def __init__(self) -> None:
        self.relayed = self.called = 0

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        self.relayed += direction == "up"
        return [Delivery(data, 20_000.0 if (direction, self.relayed) == ("up", 2) else 0.0)]

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        self.called += 1
        return super().call(session, envelope)


class TestLateCall:
    async def test_is_made_though_its_session_has_left_and_leaves_nothing_behind(self) -> None:
        faults = HeldByTheGateway()
        with Lab("echo", time_scale=SCALE, seed=3, faults=faults) as lab:
            async with asyncio.timeout(PATIENCE_S), icws.connect(lab) as session:
                await session.send({"text": "late"})
            await eventually(lambda: faults.called == 2)
            await eventually(lambda: not lab.gateways[0]._relays)


class From(Faults):
    """Does something from outside once time has begun anew: at the lab's start nobody is there yet."""

    def __init__(self, act: Callable[[Stage], object]) -> None:
        self._act = act
        self._is_set_up = False

    def begin(self, stage: Stage) -> None:
        if self._is_set_up:
            stage.at(10, lambda: self._act(stage))
        self._is_set_up = True


class TestFromOutside:
    async def test_a_stopped_canister_drops_everybody(self) -> None:
        ends, _ = await ended(From(lambda stage: stage.stop_canister()), sessions=2, wait_open=True)
        assert ends == [(1005, "")] * 2

    async def test_a_dropped_connection(self) -> None:
        with Lab("ticker", time_scale=SCALE, seed=3, faults=From(lambda stage: stage.drop(0))) as lab:
            session = await icws.connect(lab)
            lab.begin()
            async with asyncio.timeout(PATIENCE_S):
                await session.wait_closed()
            await eventually(lambda: any(event.text.startswith("ws_close") for event in lab.events))  # its gateway
        assert (session.close_code, session.close_reason) == (1006, "")

    async def test_an_upgrade_forgets_the_clients(self) -> None:
        async def use(session: Session, lab: Lab) -> None:
            await eventually(lambda: not lab.canister().clients)
            assert any(event.kind == "upgraded" for event in lab.events)

        await opened(From(lambda stage: stage.upgrade_canister()), use)

    async def test_a_frame_of_somebody_s_own(self) -> None:
        assert (await ended(From(lambda stage: stage.send(0, b"nonsense"))))[0] == [(4000, "Error receiving message")]

    async def test_after_counts_from_now(self) -> None:
        happened: list[int] = []

        def begin_again(stage: Stage) -> None:
            began_ns = stage.now_ns
            stage.after(5, lambda: happened.append(stage.now_ns - began_ns))

        async def use(session: Session, lab: Lab) -> None:
            await eventually(lambda: happened)

        await opened(From(begin_again), use)
        assert happened[0] >= 5 * NS_PER_S

    async def test_what_fails_is_in_the_log(self) -> None:
        def fail(stage: Stage) -> None:
            raise ValueError("a fault of its own")

        async def use(session: Session, lab: Lab) -> list[str]:
            return await eventually(lambda: [event.text for event in lab.events if event.kind == "error"])

        assert await opened(From(fail), use) == ["a fault failed: ValueError: a fault of its own"]

    async def test_time_can_begin_anew(self) -> None:
        class Counting(Faults):
            def __init__(self) -> None:
                self.done: list[int] = []
                self.done_before: list[int] = []
                self._begun = 0

            def begin(self, stage: Stage) -> None:
                self._begun += 1
                self.done_before = list(self.done)
                stage.at(20, lambda number=self._begun: self.done.append(number))

        faults = Counting()
        with Lab("echo", time_scale=SCALE, faults=faults) as lab:
            before_ns = lab.clock.now_ns()
            assert before_ns <= lab.begin() <= lab.clock.now_ns()
            await eventually(lambda: 2 in faults.done)
        assert faults.done == [*faults.done_before, 2]


class TestClocks:
    async def test_a_replica_s_clock_that_jumps_takes_nobody_s_requests_any_more(self) -> None:
        class Jump(Faults):
            has_jumped = False

            def clock_error_ns(self, clock: Any, number: int, now_ns: int) -> int:
                return 360 * NS_PER_S if clock == "canister" and self.has_jumped else 0

        faults = Jump()

        async def use(session: Session, lab: Lab) -> list[str]:
            faults.has_jumped = True
            return await eventually(lambda: [event.text for event in lab.events if event.kind == "refused"])

        refused = await opened(faults, use)
        assert all("Invalid request expiry" in text for text in refused)
