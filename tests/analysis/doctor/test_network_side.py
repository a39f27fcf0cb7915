"""What the network said to a client's frame, and which cause its words name."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose, examine
from icws_explore.analysis.doctor.facts import CaptureFacts
from icws_explore.analysis.doctor.network_side import MAX_QUOTE, NetworkSide, cause_of, frames_of, quoted
from icws_explore.analysis.network_calls import NetworkCall
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.lab.gateway.gateway import GatewayServer
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.protocol import candid
from icws_explore.protocol.canister import App, error_texts
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from support.certified_canister import CANISTER_ID, GATEWAY
from support.doctor_findings import the_one
from support.network_side import (
    answered,
    err,
    given,
    ok,
    poll_rejected,
    polled,
    received,
    refused,
    rejected,
    trapped,
    with_status,
)
from support.raw_tcp import until
from support.servers import free_port
from support.session_captures import START_S, SessionScript, healthy
from support.timing_captures import never_opened

KEY = SessionScript().client_key


def the_call(answer) -> NetworkCall:
    (call,) = NetworkSide(answered(never_opened(), {1: answer})).calls
    return call


class TestCause:
    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            (refused("Invalid request expiry: Specified ingress_expiry not within expected range: …"), "expiry"),
            (refused("Invalid delegation expiry: Specified sender delegation has expired:\nProvided …"), "delegation"),
            (refused(f"Canister '{CANISTER_ID}' is not one of the delegation targets."), "delegation"),
            (refused("Invalid signature: Invalid basic signature: no"), "signature"),
            (refused("The user id 'x' does not match the public key 'y'"), "signature"),
            (refused("Request 0x00 is too large. Message byte size 9 is larger than the max allowed 8."), "too_large"),
            (refused("", 413), "too_large"),
            (refused("error: canister_not_found details: …"), "canister"),
            (refused("busy", 503), "other"),
            (err(error_texts.ANONYMOUS_NOT_ALLOWED), "anonymous"),
            (err(error_texts.key_mismatch(KEY)), "replaced"),
            (err(error_texts.principal_not_connected(KEY.client_principal)), "forgotten"),
            (err(error_texts.wrong_sequence_num(3, 4)), "sequence"),
            (err(error_texts.gateway_not_registered(GATEWAY)), "gateway"),
            (err("principal is not one of the authorized gateways that are registered"), "gateway"),
            (err("my signature trapped"), "other"),
            (rejected("Canister x not found", 3), "canister"),
            (rejected("IC0508: Canister x is stopped"), "stopped"),
            (rejected("IC0536: Canister has no update method 'ws_open'"), "code"),
            (trapped("failed to decode call arguments: no"), "arguments"),
            (trapped("Panicked at 'gateway is not registered'"), "trap"),
            (rejected("Canister exceeded the limit of 40000000000 instructions"), "trap"),
            (rejected("Canister x is out of cycles"), "cycles"),
        ],
    )
    def test_by_how_it_failed_and_its_words(self, answer, cause):
        assert cause_of(the_call(answer)) == cause


class TestQuoting:
    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (ok(), "the canister answered Ok (frame 3)"),
            (err("no"), 'the canister answered Err "no" (frame 3)'),
            (rejected("never\n  ever", 4), 'the network rejected it with code 4, "never ever" (frame 3)'),
            (refused("no", 400), 'the network refused it with HTTP 400, "no" (frame 3)'),
            ((202, b""), "the network accepted it (frame 3), and the recording does not hold its outcome"),
            (None, "the network's answer is not recorded (frame 2)"),
        ],
    )
    def test_in_its_own_words_with_the_frame(self, answer, told):
        assert quoted(the_call(answer)) == told

    def test_not_at_any_length(self):
        assert len(quoted(the_call(err("x" * 400)))) < MAX_QUOTE + 60

    def test_what_cannot_be_read(self):
        assert quoted(the_call((200, b"\xff"))).startswith("the network's answer cannot be read")

    def test_frames(self):
        assert frames_of(the_call(ok())) == (2, 3)
        assert frames_of(the_call(None)) == (2,)
        assert frames_of(None) == ()


class TestSide:
    def test_nothing_is_recorded(self):
        side = NetworkSide(healthy())
        assert (side.calls, side.answers, side.root_keys) == ([], {}, [])
        assert not side.is_recorded(range(99), GATEWAY)

    def test_of_several_tries_the_one_that_was_taken_up_counts(self):
        capture = answered(answered(never_opened(), {1: refused("busy", 429)}), {1: ok()}, late_s=0.5)
        assert NetworkSide(capture).answers[1].outcome == "replied"

    def test_is_recorded_where_the_gateway_asks_for_itself(self):
        capture = polled(healthy(), START_S + 1, poll_rejected("no"))
        assert NetworkSide(capture).is_recorded([], GATEWAY)
        assert not NetworkSide(capture).is_recorded([], CANISTER_ID)

    @pytest.mark.parametrize(("code", "fatal"), [(1, True), (2, False), (5, True)])
    def test_fatal_polls(self, code, fatal):
        capture = polled(healthy(), START_S + 1, poll_rejected("no", code))
        assert bool(NetworkSide(capture).fatal_polls(CANISTER_ID, GATEWAY)) is fatal
        assert NetworkSide(capture).fatal_polls(CANISTER_ID, CANISTER_ID) == []


class TestFacts:
    def test_a_root_key_that_the_network_named_is_known(self):
        other = MAINNET_ROOT_KEY[:-1] + b"\x00"
        capture = with_status(healthy(), other)
        assert CaptureFacts(capture).known_root_keys == (other, capture.info.root_key, MAINNET_ROOT_KEY)

    @pytest.mark.parametrize("named", [b"short", "text", 7, None, [1]])
    def test_another_one_is_not(self, named):
        capture = with_status(healthy(), named)
        assert CaptureFacts(capture).known_root_keys == (capture.info.root_key, MAINNET_ROOT_KEY)

    def test_what_the_network_took_up_has_no_bad_envelope(self):
        capture = never_opened()
        late = Capture(capture.info, [replace(frame, t=frame.t + 3600) for frame in capture.frames])
        assert CaptureFacts(late).envelope_verdicts[1].failure is not None
        facts = CaptureFacts(answered(late, {1: ok()}))
        (session,) = facts.sessions
        assert facts.envelope_verdicts == {}
        assert session.open_request is not None
        assert session.is_admitted(session.open_request)
        assert session.has_network_side

    def test_the_poll_at_which_a_session_ended(self):
        script = SessionScript().opened().closed(30, "in", 1005)
        far, near = (polled(script.capture, START_S + at, poll_rejected("no")) for at in (-40, 29.9))
        assert CaptureFacts(far).sessions[0].fatal_poll is None
        assert CaptureFacts(near).sessions[0].fatal_poll is not None
        assert CaptureFacts(healthy()).sessions[0].fatal_poll is None


class TestOverRealSockets:
    """A gateway between both faces of a tap, and a canister that traps: from the recording to its words."""

    @pytest.mark.parametrize("every_query", [False, True])
    async def test_healthy_sessions_stay_healthy(self, every_query):
        """With acks, keep-alives and the gateway's own calls in the recording."""
        port = free_port()
        with (
            Lab("pingpong", seed=4, time_scale=60, ack_interval_ms=90_000) as lab,
            Tap(
                f"ws://127.0.0.1:{port}",
                network=lab.network_url,
                clock=lab.clock,
                canister=lab.canister_id,
                ack_interval_ms=90_000,
                every_query=every_query,
            ) as tap,
        ):
            # Ordered: without, two calls of a client may overtake each other, and the canister closes the session.
            gateway = GatewayServer(tap.network_url, port=port, clock=lab.clock)
            await gateway.start()

            async def talk():
                known = {"canister": lab.canister_id, "root_key": lab.root_key, "clock": lab.clock}
                async with connect(tap.url, app_type=lab.app_did, ack_interval_ms=90_000, **known) as session:
                    kinds = []
                    while kinds.count("message") < 12 or kinds.count("keep_alive") < 1:
                        await session.receive(60)
                        await session.clock.sleep(10)
                        await session.send({"text": "pong", "timestamp": 0})
                        kinds = [decoded.kind for decoded in session.recording]

            await asyncio.gather(talk(), talk())
            await until(lambda: tap.open_connections == 0)
            await gateway.stop()
            capture = tap.recording.raw
        facts = CaptureFacts(capture)
        assert len(facts.sessions) == 2
        assert all(session.has_network_side and session.acks for session in facts.sessions)
        assert bool(facts.network.polls.messages) is every_query
        assert diagnose(capture) == []

    async def test_a_trap_in_on_open_is_quoted(self):
        app = App("closed", candid.parse_type("text"), on_open=lambda context, _client: context.trap("closed today"))
        port = free_port()
        with (
            Lab(app, seed=4, time_scale=60) as lab,
            Tap(f"ws://127.0.0.1:{port}", network=lab.network_url, clock=lab.clock, canister=lab.canister_id) as tap,
        ):
            gateway = GatewayServer(tap.network_url, port=port, clock=lab.clock, ordered=False)
            await gateway.start()
            with pytest.raises(IcwsError):
                await connect(
                    tap.url, canister=lab.canister_id, root_key=lab.root_key, clock=lab.clock, app_type=lab.app_did
                )
            await gateway.stop()
            capture = tap.recording.raw
            root_key = lab.root_key
        assert CaptureFacts(capture).network.root_keys == [root_key]
        finding = the_one(capture)
        assert finding.id == "ON_OPEN_TRAP", finding.explanation
        assert "Canister called `ic0.trap` with message: 'closed today'" in finding.explanation
        assert "To tell" not in finding.explanation


def damaged(capture: Capture, dice: random.Random) -> Capture:
    """Some of the network's frames altered, cut, answered otherwise, or called something else."""
    frames = list(capture.frames)
    for _ in range(dice.randint(1, 4)):
        number = dice.choice([n for n, frame in enumerate(frames) if frame.is_http])
        frame = frames[number]
        data = bytearray(frame.data or b"\x00")
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        change = dice.choice(
            [
                {"data": bytes(data)},
                {"data": bytes(data[: dice.randrange(len(data))])},
                {"code": dice.choice([None, 0, 200, 202, 404, 65535])},
                {"session": dice.choice([None, "http-1", "1"])},
                {"reason": dice.choice([None, "", "GET /api/v2/status"])},
                {"t": dice.choice([0.0, -1e11, frame.t + 1e6])},
            ]
        )
        frames[number] = replace(frame, **change)
    return Capture(capture.info, frames)


class TestHostile:
    @pytest.mark.parametrize("seed", range(40))
    def test_what_the_network_sent_never_raises(self, seed):
        capture = answered(healthy(), {1: ok(), 3: err("x"), 5: trapped("y"), 9: refused("z")})
        capture = polled(given(capture, START_S + 3, received(healthy(), 2)), START_S + 4, poll_rejected("no"))
        found = examine(damaged(with_status(capture, MAINNET_ROOT_KEY), random.Random(seed)))
        assert all(finding.explanation for finding in found.findings)
