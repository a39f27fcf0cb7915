from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icws_explore.capture import Capture, Frame
from icws_explore.capture.frame import OPS
from icws_explore.views.report.contents import Privacy
from icws_explore.views.report.gather import gather
from icws_explore.views.report.html import html_report
from icws_explore.views.report.markdown import MAX_CHARACTERS, markdown_report
from support.doctor_scenarios import SCENARIOS
from support.network_side import answered, err, ok, trapped
from support.session_captures import SessionScript, healthy, hostile, settled


class TestAnswer:
    def test_names_the_errors(self) -> None:
        assert gather(SCENARIOS["NO_KEEPALIVE"]()).answer == ("✗ NO_KEEPALIVE", "bad")

    def test_of_a_healthy_recording_is_good(self) -> None:
        text, weight = gather(settled()).answer
        assert (text[0], weight) == ("✓", "good")

    def test_does_not_call_healthy_what_no_rule_explains(self) -> None:
        capture = healthy()
        last = capture.frames.pop()
        junk = Frame(last.t, "in", "binary", b"\xff" * 9)
        capture.frames += [replace(last), junk]  # after the close, where the doctor does not look
        text, weight = gather(capture).answer
        assert weight == "bad"
        assert "1 frame does not decode" in text

    def test_without_a_root_key_is_not_checked(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, root_key=None)
        assert gather(capture).answer[1] == "note"
        assert gather(capture).verdicts == []

    @pytest.mark.parametrize("privacy", ["shown", "redacted"])
    def test_uses_a_root_key_that_fits_as_the_doctor_does(
        self, monkeypatch: pytest.MonkeyPatch, privacy: Privacy
    ) -> None:
        capture = settled()
        monkeypatch.setattr("icws_explore.analysis.doctor.facts.MAINNET_ROOT_KEY", capture.info.root_key)
        capture.info = replace(capture.info, root_key=None)
        contents = gather(capture, privacy=privacy)
        assert contents.answer[1] == "good"
        assert len(contents.verdicts) == 13


class TestContents:
    def test_do_not_change_with_a_live_session(self) -> None:
        capture = healthy()
        contents = gather(capture)
        capture.frames.append(capture.frames[-1])
        assert len(contents.frames) == len(contents.capture) == 29

    def test_of_an_empty_recording_are_empty(self) -> None:
        contents = gather(Capture())
        assert (contents.start, contents.sessions, contents.limits, contents.calls) == (0.0, [], [], [])

    def test_have_a_title_on_one_line(self) -> None:
        assert gather(Capture(), title="a\nb").title == "a\\nb"


class TestReplay:
    def test_says_how_the_real_sdk_would_have_closed(self) -> None:
        contents = gather(SCENARIOS["SEQUENCE_GAP_DOWN"]())
        assert any(line.startswith("ic-websocket-js 0.5.0 makes close(4000, ") for line in contents.replay)
        assert [fact.value for fact in contents.summary_facts if fact.name == "replay"] == contents.replay

    def test_of_a_healthy_session_is_empty(self) -> None:
        assert gather(healthy()).replay == []

    def test_is_redacted_too(self) -> None:
        capture = SCENARIOS["SEQUENCE_GAP_DOWN"]()
        shown, redacted = gather(capture).replay, gather(capture, privacy="anonymous").replay
        assert redacted == shown  # the words are the protocol's

    def test_of_a_simulation_without_signatures_is_empty(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, crypto="stand-in")
        assert gather(capture).replay == []


@st.composite
def broken(draw: st.DrawFn) -> Capture:
    """A recording in which anything may be missing, changed or out of place."""
    base = draw(st.sampled_from([healthy, hostile, on_either_side]))()
    frames = []
    for frame in base.frames:
        what = draw(st.sampled_from(("keep",) * 12 + ("drop", "cut", "byte", "time", "op", "session", "way", "code")))
        at = draw(st.integers(0, max(0, len(frame.data) - 1)))
        changes: dict[str, dict[str, Any]] = {
            "keep": {},
            "cut": {"data": frame.data[:at]},
            "byte": {"data": frame.data[:at] + b"\x9f" + frame.data[at + 1 :]},
            "time": {"t": draw(st.sampled_from((0.0, -1e11, 9e11, frame.t + 400, frame.t - 400)))},
            "op": {"op": draw(st.sampled_from(OPS))},
            "session": {"session": draw(st.sampled_from((None, "1", "\n|`<", "http-3")))},
            "way": {"direction": "in" if frame.direction == "out" else "out"},
            "code": {
                "code": draw(st.sampled_from((None, 0, 200, 4000))),
                "reason": draw(st.sampled_from((None, "\0`"))),
            },
        }
        if what != "drop":
            frames.append(replace(frame, **changes[what]))
    info = draw(st.sampled_from((base.info, replace(base.info, canister_id="x", app_type="{", started_at="x"))))
    return Capture(replace(info, root_key=draw(st.sampled_from((None, b"x", base.info.root_key)))), frames)


def on_either_side() -> Capture:
    script = SessionScript().opened().client_says(4.0, "one").client_says(5.0, "two").closed(9.0)
    return answered(script.capture, {1: ok(), 3: err("no"), 4: trapped("why")})


class TestHostileRecordings:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(broken(), st.sampled_from(("shown", "redacted", "anonymous")))
    def test_can_be_reported(self, capture: Capture, privacy: Privacy) -> None:
        contents = gather(capture, privacy=privacy)
        assert len(markdown_report(contents)) < MAX_CHARACTERS
        page = html_report(contents)
        assert page.endswith("</html>")
        assert "<script" not in page
