from __future__ import annotations

from dataclasses import replace

from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.views.report.contents import Contents
from icws_explore.views.report.gather import gather
from support.session_captures import SessionScript, healthy, hostile


def checks(contents: Contents) -> dict[str, str]:
    return {fact.name: fact.value for fact in contents.checks}


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

    def test_what_is_withheld_is_said(self) -> None:
        assert gather(healthy()).withheld == ""
        assert "by type and size" in gather(healthy(), privacy="redacted").withheld
        assert "under other names" in gather(healthy(), privacy="anonymous").withheld
