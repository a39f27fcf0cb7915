"""Each message at client, gateway and canister, as recordings, a tap in front of the network and a lab tell of it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given as given_values
from hypothesis import strategies as st

from icws_explore.analysis.passages import Passage, Sighting, passages
from icws_explore.capture import Capture, Frame
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from support.network_side import answered, err, given, ok, received, refused
from support.session_captures import START_S, SessionScript, healthy, hostile

OPENING, MESSAGES, APPS = 1, (3, 5, 7), (4, 6, 8)  # frames of the healthy session


def of_frame(capture: Capture, number: int, sightings: list[Sighting] | None = None) -> Passage:
    """The passage of what was frame ``number`` before a network side was put between the frames."""
    data = healthy().frames[number].data
    found = passages(capture, sightings or [])
    return next(m for m in found.messages if m.frame is not None and capture.frames[m.frame].data == data)


def told(capture: Capture) -> list[tuple[int | None, str | None, str]]:
    """Of each message that went wrong: its number, where, and why."""
    return [(m.sequence_num, m.lost, m.why) for m in passages(capture).messages if m.why]


def seen(capture: Capture, number: int, event: str, at: float, text: str = "") -> Sighting:
    """What a lab's gateway or canister notes of the client's frame ``number``."""
    envelope = Envelope.decode_frame(capture.frames[number].data)
    return Sighting(START_S + at, event, "g", envelope.request_id, content=envelope.encode(), text=text)  # type: ignore[arg-type]


def pushed(message: CanisterMessage, at: float, event: str = "polled") -> Sighting:
    key = WebsocketMessage.decode(message.content).client_key
    return Sighting(START_S + at, event, "g", client_key=key, key=message.key, content=message.content)  # type: ignore[arg-type]


class TestFromTheClientsSide:
    def test_knows_the_clients_times_and_when_the_canister_made_a_message(self) -> None:
        capture = healthy()
        found = passages(capture)
        assert not found.knows_gateway
        assert len(found.messages) == len(capture.frames)
        down = of_frame(capture, APPS[0])
        assert down.gateway_s is None
        assert down.canister_s is not None
        assert down.client_s is not None
        assert down.canister_s < down.client_s
        assert told(capture) == []

    def test_a_missing_number_was_lost_on_either_side(self) -> None:
        capture = SessionScript().opened().app_says(6, "c", sequence_num=4).capture
        assert told(capture) == [(None, "unknown", "2–3 lost between canister and client")]

    @given_values(st.lists(st.sampled_from(hostile().frames), max_size=12))
    def test_takes_any_frames(self, frames: list[Frame]) -> None:
        found = passages(Capture(hostile().info, frames))
        assert sum(m.frame is not None for m in found.messages) == sum(not frame.is_http for frame in frames)
        assert list(found.messages) == sorted(found.messages, key=lambda m: m.start_s)


class TestWithTheNetworksSide:
    def test_a_call_has_the_gateways_and_the_networks_time(self) -> None:
        capture = answered(healthy(), {OPENING: ok(), MESSAGES[0]: ok()}, late_s=0.5)
        call = of_frame(capture, MESSAGES[0])
        assert call.lost is None
        assert call.times == tuple(sorted(call.times))
        assert len(call.times) == 3

    def test_an_err_reached_the_canister(self) -> None:
        call = of_frame(answered(healthy(), {MESSAGES[0]: err("no such client")}), MESSAGES[0])
        assert (call.lost, call.why) == (None, "err: no such client")
        assert call.canister_s is not None

    def test_a_refused_call_did_not(self) -> None:
        call = of_frame(answered(healthy(), {MESSAGES[0]: refused("expired")}), MESSAGES[0])
        assert (call.lost, call.why) == ("gateway to canister", "refused: expired")
        assert call.canister_s is None

    def test_a_call_that_the_gateway_skipped_was_not_relayed(self) -> None:
        capture = answered(healthy(), {OPENING: ok(), MESSAGES[1]: ok()})
        assert of_frame(capture, MESSAGES[0]).lost == "client to gateway"

    def test_a_polled_message_that_did_not_come_was_lost_behind_the_gateway(self) -> None:
        capture = healthy()
        gone = received(capture, APPS[0])
        capture.frames.pop(APPS[0])
        capture = given(capture, START_S + 5, gone)
        (lost,) = [m for m in passages(capture).messages if m.lost is not None]
        assert (lost.lost, lost.frame, lost.sequence_num) == ("gateway to client", None, 2)

    def test_a_number_that_no_poll_held_was_not_given_to_the_gateway(self) -> None:
        capture = healthy()
        capture.frames.pop(APPS[0])
        last = received(capture, APPS[1] - 1)
        assert (2, "canister to gateway", "2 not given to the gateway") in told(given(capture, START_S + 5, last))


class TestWithALab:
    def test_joins_what_gateways_and_canister_noted(self) -> None:
        capture = healthy()
        at = capture.frames[MESSAGES[0]].t - START_S
        noted = [seen(capture, MESSAGES[0], "relayed", at + 0.1), seen(capture, MESSAGES[0], "executed", at + 0.4)]
        call = of_frame(capture, MESSAGES[0], noted)
        assert [round(later - (call.client_s or 0), 3) for later in call.times] == [0, 0.1, 0.4]
        assert call.gateway == "g"

    def test_a_trap_is_told_where_the_call_was(self) -> None:
        capture = healthy()
        noted = [seen(capture, MESSAGES[0], "relayed", 4), seen(capture, MESSAGES[0], "executed", 5, "trapped: x")]
        call = of_frame(capture, MESSAGES[0], noted)
        assert (call.lost, call.why) == (None, "trapped: x")

    def test_an_answer_before_the_execution_is_no_loss(self) -> None:
        capture = healthy()
        noted = [seen(capture, MESSAGES[0], "relayed", 4), seen(capture, MESSAGES[0], "answered", 5)]
        assert of_frame(capture, MESSAGES[0], noted).lost is None

    def test_a_message_in_the_queue_waits(self) -> None:
        capture = healthy()
        waiting = received(capture, APPS[2])
        capture.frames = capture.frames[: APPS[2]]
        (message,) = [m for m in passages(capture, [pushed(waiting, 9, "queued")]).messages if m.is_waiting]
        assert (message.gateway_s, message.lost, message.frame) == (None, None, None)

    def test_a_message_in_the_queue_that_was_polled_does_not(self) -> None:
        capture = healthy()
        message = received(capture, APPS[0])
        at = capture.frames[APPS[0]].t - START_S
        noted = [pushed(message, at - 0.1), pushed(message, at + 1, "queued")]
        assert not any(m.is_waiting for m in passages(capture, noted).messages)
        assert of_frame(capture, APPS[0], noted).gateway_s is not None

    def test_a_message_on_its_way_is_not_lost_yet(self) -> None:
        capture = healthy()
        message = received(capture, APPS[2])
        at = capture.frames[APPS[2]].t - START_S
        capture.frames = capture.frames[: APPS[2]]
        (found,) = [m for m in passages(capture, [pushed(message, at - 0.1)]).messages if m.frame is None]
        assert found.lost is None

    def test_a_message_that_came_twice_was_polled_once(self) -> None:
        capture = healthy()
        copy = replace(capture.frames[APPS[0]], t=capture.frames[APPS[0]].t + 0.1)
        noted = [pushed(received(capture, APPS[0]), capture.frames[APPS[0]].t - START_S - 0.1)]
        capture.frames.insert(APPS[0] + 1, copy)
        both = [m for m in passages(capture, noted).messages if m.frame in (APPS[0], APPS[0] + 1)]
        assert len({m.gateway_s for m in both}) == 1

    def test_another_client_is_named_by_its_principal(self) -> None:
        capture = healthy()
        others = SessionScript()
        others.client_key = replace(others.client_key, client_nonce=7)
        alone = others.opened().client_says(5, "x").capture
        noted = [seen(alone, 1, "relayed", 1), seen(alone, 3, "relayed", 5), seen(alone, 3, "executed", 6)]
        found = passages(capture, noted)
        mine = [m for m in found.messages if m.client == others.identity.principal.short]
        assert [(m.kind, m.sequence_num, m.client_s) for m in mine] == [
            ("open_request", None, None),
            ("message", 1, None),
        ]

    def test_a_held_frame_is_found_by_what_was_passed_on(self) -> None:
        capture = healthy()
        at, original = MESSAGES[0], capture.frames[MESSAGES[0]]
        far = capture.frames[MESSAGES[1]].data
        noted = [seen(capture, MESSAGES[1], "relayed", 5)]
        capture.frames = [*capture.frames[:at], replace(original, far=far, did="edited and forwarded")]
        (edited,) = [m for m in passages(capture, noted).messages if m.frame == at]
        assert (edited.gateway_s, edited.why) == (5.0, "edited and forwarded")
