"""Faults on and off while sessions run: in a lab, and in the path of a tap."""

import asyncio

import pytest

from icws_explore.lab import Lab
from icws_explore.lab.faults import Delivery, Faults
from icws_explore.lab.lab import network_of
from icws_explore.lab.log import LabLog
from icws_explore.lab.scenarios import SCENARIOS
from icws_explore.lab.scenarios.switches import FaultSwitches
from icws_explore.lab.switched import SwitchedFaults
from icws_explore.live.connect import connect, open_socket
from icws_explore.live.tap import Tap
from icws_explore.protocol.errors import ConnectError, LabError, SessionClosedError
from support.raw_tcp import until

IN_PATH = {
    "ACKS_WITHHELD", "BAD_CERTIFICATE", "BODY_HASH", "CLIENT_KEY_FOREIGN", "CONNECTION_LOST", "GATEWAY_RESTART",
    "LIFETIME_LIMIT", "NO_HANDSHAKE", "OPEN_TIMEOUT", "PROXY_IDLE", "REORDERED_RELAY", "SEQUENCE_DUPLICATE_DOWN",
    "SEQUENCE_GAP_DOWN", "SEQUENCE_SWAP_DOWN", "SLOW_CLIENT_STALL", "STALE_CERTIFICATE", "UNEXPLAINED_END",
}  # fmt: skip
BEYOND_PATH = {
    "GATEWAY_CLOCK", "HANDLERS_LOST", "OUT_OF_CYCLES", "POLLER_DEAD", "POLLS_REFUSED", "SOCKET_NEVER_OPENED",
    "STALE_NONCE", "UPGRADE_WIPE",
}  # fmt: skip


@pytest.fixture
def lab():
    with Lab("echo", time_scale=20) as running:
        yield running


def through(tap, lab):
    return connect(tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock)


async def say(session, *texts):
    for text in texts:
        await session.send({"text": text})
        assert await session.receive(60) == {"text": text}


async def ends(session, text="once more"):
    """Talk until the session ends."""
    with pytest.raises(SessionClosedError):
        for _ in range(20):
            await say(session, text)


class TestOffered:
    def test_in_a_path_is_what_somebody_in_it_can_do(self):
        switches = FaultSwitches(Tap("ws://127.0.0.1:1"))
        assert {scenario.name for scenario in switches.offered} == IN_PATH
        assert {
            name for name, why in switches.refused.items() if "nobody between client and gateway" in why
        } == BEYOND_PATH
        assert set(switches.refused) | IN_PATH == set(SCENARIOS)

    def test_in_a_lab_the_canister_too(self):
        assert {scenario.name for scenario in Lab().faults.offered} == IN_PATH - {"REORDERED_RELAY"} | BEYOND_PATH
        assert "ordered=False" in Lab().faults.why_not("REORDERED_RELAY")
        assert Lab(ordered=False).faults.why_not("REORDERED_RELAY") is None

    def test_each_says_what_should_happen_and_who_should_notice(self):
        for scenario in Lab().faults.offered:
            assert (scenario.about, scenario.severity, scenario.noticed, scenario.fix) == tuple(
                map(str.strip, (scenario.about, scenario.severity, scenario.noticed, scenario.fix))
            )
            assert len(scenario.noticed) > 20

    def test_the_reason_is_one_line(self):
        with pytest.raises(LabError, match="KEEPALIVE_LATE cannot be switched on here: the client makes it"):
            Lab().faults.on("KEEPALIVE_LATE")
        with pytest.raises(LabError, match="did you mean BODY_HASH"):
            Lab().faults.on("BODY_HASSH")

    def test_what_does_not_run_has_no_switches(self):
        with pytest.raises(LabError, match="not running"):
            Lab().faults.on("BODY_HASH")
        with pytest.raises(ConnectError, match="not running"):
            FaultSwitches(Tap("ws://127.0.0.1:1")).on("BODY_HASH")
        assert Lab().faults.active == FaultSwitches(Tap("ws://127.0.0.1:1")).active == ()


class TestInALab:
    async def test_a_fault_counts_from_its_switch(self, lab):
        async with connect(lab) as session:
            await say(session, "one", "two", "three", "four", "five")
            lab.faults.on("body-hash")
            assert (lab.faults.active, lab.faults.acts("BODY_HASH")) == (("BODY_HASH",), 0)
            await say(session, "six", "seven")
            await ends(session)  # the third message from then on
            assert lab.faults.acts("BODY_HASH") == 1
        lab.faults.off("BODY_HASH")
        lab.faults.off("BODY_HASH")
        assert lab.faults.active == ()
        async with connect(lab) as session:
            await say(session, "one", "two", "three", "four", "five")

    async def test_a_planned_action_is_due_at_once_for_the_sessions_that_are_open(self, lab):
        async with connect(lab) as _gone, connect(lab) as session:
            await _gone.close()
            await until(lambda: len(network_of(lab).open_sessions) == 1)
            await say(session, "one")
            lab.faults.on("CONNECTION_LOST")
            await ends(session)
        assert session.recording.doctor().ids == ("CONNECTION_LOST",)

    async def test_the_canister_can_be_stopped(self, lab):
        async with connect(lab) as session:
            await say(session, "one")
            lab.faults.on("POLLER_DEAD")
            await ends(session)

    async def test_several_at_once_add_up(self, lab):
        lab.faults.on("SEQUENCE_DUPLICATE_DOWN")
        lab.faults.on("SLOW_CLIENT_STALL")
        assert lab.faults.active == ("SEQUENCE_DUPLICATE_DOWN", "SLOW_CLIENT_STALL")
        async with connect(lab) as session:
            await ends(session)


class TestInThePath:
    async def test_the_doctor_names_it(self, lab):
        with Tap(lab) as tap:
            switches = FaultSwitches(tap)
            async with through(tap, lab) as session:
                await say(session, "one")
                switches.on("SEQUENCE_GAP_DOWN")
                with pytest.raises(SessionClosedError):
                    for number in range(9):
                        await session.send({"text": str(number)})
                        await session.receive(60)
            await until(lambda: tap.open_connections == 0)
            assert "SEQUENCE_GAP_DOWN" in tap.recording.doctor().ids
            assert any("dropped by the fault SEQUENCE_GAP_DOWN" in note for note in tap.notes)

    async def test_a_client_without_an_answer_to_ws_open_gives_up(self, lab):
        with Tap(lab) as tap:
            FaultSwitches(tap).on("OPEN_TIMEOUT")
            with pytest.raises((ConnectError, SessionClosedError)):
                async with connect(
                    tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock
                ) as session:
                    await session.receive(60)
            await until(lambda: tap.open_connections == 0)
            (asked,) = [f for f in tap.recording.raw.frames if f.did]
            assert (asked.direction, asked.did) == ("out", "dropped by the fault OPEN_TIMEOUT")

    async def test_a_session_without_a_handshake_shows_since_when(self, lab):
        with Tap(lab) as tap:
            FaultSwitches(tap).on("NO_HANDSHAKE")
            socket = await open_socket(tap.url)
            await until(lambda: any("dropped by the fault NO_HANDSHAKE" in note for note in tap.notes))
            await socket.close()
            await until(lambda: tap.open_connections == 0)
        seen = [(frame.op, frame.code) for frame in tap.recording.raw.frames]
        assert seen[:2] == [("response", 101), ("close", 1000)]

    async def test_a_planned_action_waits_for_a_session(self, lab, monkeypatch):
        monkeypatch.setattr("icws_explore.lab.switched.LEAD_S", 0.2)
        with Tap(lab) as tap:
            FaultSwitches(tap).on("UNEXPLAINED_END")
            await asyncio.sleep(0.3)
            async with through(tap, lab) as session:
                await ends(session)
                assert session.close_code == 1011
        assert any("session 1 was ended by the fault UNEXPLAINED_END" in note for note in tap.notes)

    async def test_off_is_off(self, lab):
        with Tap(lab) as tap:
            switches = FaultSwitches(tap)
            switches.on("CONNECTION_LOST")
            switches.on("BODY_HASH")
            switches.off("CONNECTION_LOST")
            switches.off("BODY_HASH")
            assert (switches.active, tap.control.rules) == ((), ())
            async with through(tap, lab) as session:
                await say(session, "one", "two", "three", "four")


class Doubles(Faults):
    def gateway_frame(self, session, data):
        return [Delivery(data, 10), Delivery(data + b"!", overtakable=True)]


class TestSwitchedFaults:
    def test_without_any_change_nothing(self):
        faults = SwitchedFaults(Faults(), LabLog(lambda: 0))
        assert (
            faults.gateway_frame(0, b"x")
            == faults.client_frame(0, b"x")
            == faults.relay("up", b"x")
            == [Delivery(b"x")]
        )
        assert (faults.poll_answer(0, None), faults.clock_error_ns("client", 0, 0)) == ((None, 0.0), 0)

    def test_come_behind_those_of_the_lab(self):
        faults = SwitchedFaults(Doubles(), LabLog(lambda: 0))
        switched = faults.switch_on("D", Doubles(), None, scale=1.0, sessions=[7])
        assert faults.gateway_frame(7, b"x") == [
            Delivery(b"x", 20),
            Delivery(b"x!", 10, overtakable=True),
            Delivery(b"x!", 10, overtakable=True),
            Delivery(b"x!!", 0, overtakable=True),
        ]
        assert (switched.acts, switched.sessions) == (2, [7])
        faults.switch_off("D")
        assert not switched.is_on
