"""Where a message was lost is told as far as the recording shows it, and no further."""

from __future__ import annotations

from typing import Any

from icws_explore.analysis.decode import shared_frames
from icws_explore.analysis.flow import flow
from icws_explore.capture import Capture
from icws_explore.views.figures.figure import one_session
from icws_explore.views.figures.lost import Losses
from support.network_side import answered, given, ok, received, refused
from support.session_captures import SessionScript, healthy

OPENING, MESSAGES, APPS = 1, (3, 5, 7), (4, 6, 8)  # frames of the healthy session


def losses(capture: Capture) -> list[tuple[int | None, str, str]]:
    """Of each step: its number, and the place and the words of what was lost ahead of it or of itself."""
    frames = one_session(list(shared_frames(capture)), None)
    known = Losses(capture, frames)
    found = []
    for step in flow(frames).steps:
        own = known.of(step)
        of_step = [*known.before(step), *([] if own is None else [own])]
        found += [(step.sequence_num, loss.place, loss.text) for loss in of_step]
    return found


def without(capture: Capture, *frames: Any) -> Capture:
    capture.frames = [frame for frame in capture.frames if not any(frame is gone for gone in frames)]
    return capture


class TestFromTheClientsSideAlone:
    def test_a_healthy_session_lost_nothing(self) -> None:
        assert losses(healthy()) == []

    def test_the_side_of_the_gateway_is_unknown(self) -> None:
        capture = SessionScript().opened().app_says(6, "c", sequence_num=3).capture
        assert losses(capture) == [(3, "unknown", "2 lost between canister and client")]

    def test_numbers_that_the_client_left_out_were_not_sent(self) -> None:
        capture = SessionScript().opened().client_says(7, "a", sequence_num=4).capture
        assert losses(capture) == [(4, "unsent", "1–3 not sent by the client")]

    def test_a_message_that_a_much_later_ack_leaves_out_was_lost(self) -> None:
        script = SessionScript().opened().client_says(7, "a").client_says(8, "b")
        script.acked(300, received=1, answered_after=None)
        assert losses(script.capture) == [(2, "unknown", "2 lost: a later ack covers only up to 1")]

    def test_a_message_that_may_have_been_on_its_way_was_not(self) -> None:
        script = SessionScript().opened().client_says(7, "a").client_says(8, "b")
        script.acked(30, received=1, answered_after=None)
        assert losses(script.capture) == []


class TestWithTheNetworksSide:
    def capture(self, *dropped: int) -> Capture:
        whole = healthy()
        capture = answered(whole, {OPENING: ok(), MESSAGES[0]: ok(), MESSAGES[1]: ok()})
        capture = given(capture, whole.frames[APPS[0]].t - 0.5, *[received(whole, number) for number in APPS[:2]])
        return without(capture, *(whole.frames[number] for number in dropped))

    def test_what_the_gateway_was_given_is_lost_behind_it(self) -> None:
        assert (4, "gateway to client", "3 dropped by the gateway") in losses(self.capture(APPS[1]))

    def test_what_the_gateway_was_not_given_is_lost_before_it(self) -> None:
        assert (5, "canister to gateway", "4 not given to the gateway") in losses(self.capture(APPS[2]))

    def test_both_may_be_missing_ahead_of_one_message(self) -> None:
        found = [loss for loss in losses(self.capture(APPS[1], APPS[2])) if loss[0] == 5]
        assert [place for _, place, _ in found] == ["canister to gateway", "gateway to client"]

    def test_what_the_gateway_did_not_pass_on_is_lost_at_it(self) -> None:
        script = SessionScript().opened().client_says(7, "a").client_says(8, "b").client_says(9, "c")
        frames = [number for number, frame in enumerate(script.capture.frames) if frame.direction == "out"]
        capture = answered(script.capture, {frames[0]: ok(), frames[1]: ok(), frames[3]: ok()})
        assert losses(capture) == [(2, "client to gateway", "2 dropped by the gateway")]

    def test_a_refused_call_says_why(self) -> None:
        script = SessionScript().opened().client_says(7, "a")
        frames = [number for number, frame in enumerate(script.capture.frames) if frame.direction == "out"]
        capture = answered(script.capture, {frames[0]: ok(), frames[1]: refused("too old")})
        assert losses(capture) == [(1, "gateway to canister", "1 refused: too old")]

    def test_what_was_sent_as_the_recording_ended_is_not_called_lost(self) -> None:
        script = SessionScript().opened().client_says(7, "a")
        frames = [number for number, frame in enumerate(script.capture.frames) if frame.direction == "out"]
        assert losses(answered(script.capture, {frames[0]: ok()})) == []
