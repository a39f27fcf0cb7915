from __future__ import annotations

from dataclasses import replace

from icws_explore.capture import Capture, Frame
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.views.report_contents import Contents, gather
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript, healthy, hostile


def checks(contents: Contents) -> dict[str, str]:
    return {fact.name: fact.value for fact in contents.checks}


class TestAnswer:
    def test_names_the_errors(self) -> None:
        assert gather(SCENARIOS["NO_KEEPALIVE"]()).answer == ("✗ NO_KEEPALIVE", "bad")

    def test_of_a_healthy_capture_is_good(self) -> None:
        text, weight = gather(healthy()).answer
        assert (text[0], weight) == ("✓", "good")

    def test_what_no_rule_explains_is_not_called_healthy(self) -> None:
        capture = healthy()
        last = capture.frames.pop()
        junk = Frame(last.t, "in", "binary", b"\xff" * 9)
        capture.frames += [replace(last), junk]  # behind the close, where the doctor no longer looks
        text, weight = gather(capture).answer
        assert weight == "bad"
        assert "1 frames do not decode" in text

    def test_without_a_root_key_nothing_is_verified(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, root_key=None)
        assert gather(capture).answer[1] == "note"
        assert gather(capture).verdicts == []


class TestChecks:
    def test_count_what_holds(self) -> None:
        assert checks(gather(healthy())) == {"canister messages": "13 of 13 hold", "client's requests": "14 of 14 hold"}

    def test_count_which_step_fails(self) -> None:
        found = checks(gather(healthy(), root_key=MAINNET_ROOT_KEY))
        assert found["canister messages"].startswith("0 of 13 hold, 13 fail at ")

    def test_of_a_simulation_without_signatures_say_so(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, crypto="stand-in")
        assert list(checks(gather(capture)).values()) == [gather(capture).unverified]


class TestContents:
    def test_a_live_session_that_goes_on_does_not_change_it(self) -> None:
        capture = healthy()
        contents = gather(capture)
        capture.frames.append(capture.frames[-1])
        assert len(contents.frames) == len(contents.capture) == 29

    def test_evidence_is_that_of_the_findings_each_frame_once(self) -> None:
        contents = gather(hostile())
        assert contents.evidence
        assert len(contents.evidence) == len(set(contents.evidence))
        assert set(contents.evidence) == {number for finding in contents.findings for number in finding.frames}

    def test_sessions_with_findings_come_first(self) -> None:
        capture = SessionScript(session="good").opened().capture
        bad = SessionScript(session="bad").opened().app_says(4.0, "ahead", sequence_num=7)
        capture.frames += bad.capture.frames
        contents = gather(capture)
        assert [session.name for session in contents.sessions] == ["good", "bad"]
        assert [session.name for session in contents.in_detail] == ["bad", "good"]
        assert contents.sessions[1].findings

    def test_of_an_empty_capture_there_is_nothing_to_say(self) -> None:
        contents = gather(Capture())
        assert (contents.start, contents.sessions, contents.limits, contents.calls) == (0.0, [], [], [])

    def test_a_title_is_on_one_line(self) -> None:
        assert gather(Capture(), title="a\nb").title == "a\\nb"
