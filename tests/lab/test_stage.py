"""Faults over real sockets: every hook, and every action from outside."""

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
    """Return (code, reason) of the end of each session, in the order of connecting, and the lab."""
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
    """Changes nothing; notes for which session or gateway each hook was called."""

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

    async def test_client_frame_changes_what_a_gateway_receives(self) -> None:
        class Mangled(Faults):
            def client_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(b"nonsense")]

        assert (await ended(Mangled()))[0] == [(1005, "")]

    async def test_gateway_frame_changes_what_a_client_receives(self) -> None:
        class Altered(Faults):
            def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(tampered(data))]

        assert (await ended(Altered()))[0] == [(4000, "Error receiving message")]

    async def test_call_changes_what_the_replica_receives(self) -> None:
        class Altered(Faults):
            def call(self, session: int, envelope: bytes) -> list[Delivery]:
                return [Delivery(envelope.replace(b"ws_open", b"ws_opem"))]

        ends, lab = await ended(Altered())
        assert ends == [(4000, "Open connection timeout")]
        assert any("Invalid signature" in event.text for event in lab.events)

    async def test_poll_answer_delays_the_messages(self) -> None:
        class Late(Faults):
            def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
                return outcome, 3_000.0

        async def use(session: Session, lab: Lab) -> list[float]:
            return list(session.recording.timing().certificates["age_s"])

        ages_s = await opened(Late(), use)
        assert ages_s
        assert min(ages_s) >= 3.0


class DelaysTheSecondFrame(Faults):
    """Delays the frame after ws_open. If it is overtakable, by ten real seconds, so that a busy machine has time."""

    def __init__(self, *, overtakable: bool) -> None:
        self.arrived: list[bytes] = []
        self._overtakable = overtakable
        self._count = 0

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        self._count += 1
        late_ms = 600_000.0 if self._overtakable else 20_000.0
        delay_ms = late_ms if self._count == 2 else 0.0  # ws_open passes
        return [Delivery(data, delay_ms, self._overtakable)]

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        self.arrived.append(envelope)
        return [Delivery(envelope)]


class TestOrder:
    async def first(self, *, overtakable: bool) -> bytes:
        """Return which of three messages the replica gets first if the first one is delayed."""
        faults = DelaysTheSecondFrame(overtakable=overtakable)

        async def use(session: Session, lab: Lab) -> None:
            for text in ("one", "two", "three"):
                await session.send({"text": text})
            await eventually(lambda: len(faults.arrived) >= 2)

        await opened(faults, use)
        return next(word for word in (b"one", b"two", b"three") if word in faults.arrived[1])

    async def test_a_delayed_frame_delays_the_frames_after_it(self) -> None:
        assert await self.first(overtakable=False) == b"one"

    async def test_an_overtakable_frame_does_not(self) -> None:
        assert await self.first(overtakable=True) == b"two"


class DelaysTheSecondCall(Faults):
    """The gateway relays the second call of a session 20 s late."""

    def __init__(self) -> None:
        self.relayed = self.called = 0

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        self.relayed += direction == "up"
        return [Delivery(data, 20_000.0 if (direction, self.relayed) == ("up", 2) else 0.0)]

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        self.called += 1
        return super().call(session, envelope)


class TestDelayedCall:
    async def test_can_be_made_after_its_session_has_ended_and_frees_everything(self) -> None:
        faults = DelaysTheSecondCall()
        with Lab("echo", time_scale=SCALE, seed=3, faults=faults) as lab:
            async with asyncio.timeout(PATIENCE_S), icws.connect(lab) as session:
                await session.send({"text": "late"})
            await eventually(lambda: faults.called == 2)
            await eventually(lambda: not lab.gateways[0]._relays)


class ActsLater(Faults):
    """Calls ``act`` 10 s after the second start of its time. At the first start no client has connected."""

    def __init__(self, act: Callable[[Stage], object]) -> None:
        self._act = act
        self._is_set_up = False

    def begin(self, stage: Stage) -> None:
        if self._is_set_up:
            stage.at(10, lambda: self._act(stage))
        self._is_set_up = True


class TestFromOutside:
    async def test_stopping_the_canister_ends_every_session(self) -> None:
        ends, _ = await ended(ActsLater(lambda stage: stage.stop_canister()), sessions=2, wait_open=True)
        assert ends == [(1005, "")] * 2

    async def test_a_dropped_connection_is_noticed_by_its_gateway(self) -> None:
        with Lab("ticker", time_scale=SCALE, seed=3, faults=ActsLater(lambda stage: stage.drop(0))) as lab:
            session = await icws.connect(lab)
            lab.begin()
            async with asyncio.timeout(PATIENCE_S):
                await session.wait_closed()
            await eventually(lambda: any(event.text.startswith("ws_close") for event in lab.events))  # its gateway
        assert (session.close_code, session.close_reason) == (1006, "")

    async def test_an_upgrade_removes_the_clients(self) -> None:
        async def use(session: Session, lab: Lab) -> None:
            await eventually(lambda: not lab.canister().clients)
            assert any(event.kind == "upgraded" for event in lab.events)

        await opened(ActsLater(lambda stage: stage.upgrade_canister()), use)

    async def test_a_frame_can_be_sent_to_a_client(self) -> None:
        assert (await ended(ActsLater(lambda stage: stage.send(0, b"nonsense"))))[0] == [
            (4000, "Error receiving message")
        ]

    async def test_after_counts_from_now(self) -> None:
        happened: list[int] = []

        def begin_again(stage: Stage) -> None:
            began_ns = stage.now_ns
            stage.after(5, lambda: happened.append(stage.now_ns - began_ns))

        async def use(session: Session, lab: Lab) -> None:
            await eventually(lambda: happened)

        await opened(ActsLater(begin_again), use)
        assert happened[0] >= 5 * NS_PER_S

    async def test_an_exception_is_logged(self) -> None:
        def fail(stage: Stage) -> None:
            raise ValueError("a bug")

        async def use(session: Session, lab: Lab) -> list[str]:
            return await eventually(lambda: [event.text for event in lab.events if event.kind == "error"])

        assert await opened(ActsLater(fail), use) == ["a fault failed: ValueError: a bug"]

    async def test_the_time_of_the_faults_can_be_restarted(self) -> None:
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
    async def test_a_replica_whose_clock_jumps_refuses_every_request(self) -> None:
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
