"""A HAR without usable times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.imports import identify, retimed
from icws_explore.capture import Capture, Frame, SessionInfo
from support.hand_written import BEGIN_S, Place


def talked() -> Capture:
    visit = Place().visit().starts().chats(3).wait(250).ack_round().chats(2)
    return visit.place.capture("har")


def told(capture: Capture, times: list[float]) -> Capture:
    frames = [replace(frame, t=t) for frame, t in zip(capture.frames, times, strict=True)]
    return Capture(capture.info, frames)


class TestRetimed:
    @pytest.mark.parametrize("at", [0.0, BEGIN_S])
    def test_without_any_times(self, at):
        capture = talked()
        blank = told(capture, [at] * len(capture))
        assert diagnose(blank).has_errors
        found = identify(blank)
        assert diagnose(found).ids == ()
        assert "the file has no usable times, so those inside the messages are used" in found.notes[0]
        times = [frame.t for frame in found.frames]
        assert times == sorted(times)
        assert times[-1] - times[0] > 250

    def test_with_times_from_a_start_that_is_not_known(self):
        capture = talked()
        found = identify(told(capture, [frame.t - BEGIN_S for frame in capture.frames]))
        assert diagnose(found).ids == ()
        shifts = [after.t - before.t for before, after in zip(capture.frames, found.frames, strict=True)]
        assert max(shifts) - min(shifts) < 0.001
        assert abs(shifts[0]) < 2

    def test_one_session_of_two(self):
        place = Place()
        place.visit("one").starts().chats(2)
        place.visit("two").starts().chats(2)
        capture = place.capture("har")
        found = identify(told(capture, [0.0 if frame.session == "1" else frame.t for frame in capture.frames]))
        assert diagnose(found).ids == ()
        assert len(found.notes) == 1

    def test_keeps_recordings_that_have_times_or_cannot_have_any(self):
        capture = talked()
        assert retimed(capture) is capture
        dumb = Capture(SessionInfo(origin="har"), [Frame(0.0, "in", "text", b"hi")] * 4)
        assert retimed(dumb) is dumb
        assert retimed(Capture(SessionInfo(origin="har"))).frames == []
        tap = told(Capture(replace(capture.info, origin="tap"), capture.frames), [0.0] * len(capture))
        assert retimed(tap) is tap
