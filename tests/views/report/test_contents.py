from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.views.findings import evidence_rows
from icws_explore.views.report.contents import Contents, SequenceRow, session_sequence
from icws_explore.views.report.gather import gather
from icws_explore.views.rows import Part
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript, healthy, hostile


def checks(contents: Contents) -> dict[str, str]:
    return {fact.name: fact.value for fact in contents.checks}


class TestChecks:
    def test_count_what_passed(self) -> None:
        assert checks(gather(healthy())) == {
            "canister messages": "13 of 13 passed",
            "client requests": "14 of 14 passed",
        }

    def test_count_failed_steps(self) -> None:
        found = checks(gather(healthy(), root_key=MAINNET_ROOT_KEY))
        assert found["canister messages"].startswith("0 of 13 passed, 13 failed at ")

    def test_of_a_simulation_without_signatures_were_not_made(self) -> None:
        capture = healthy()
        capture.info = replace(capture.info, crypto="stand-in")
        assert list(checks(gather(capture)).values()) == [gather(capture).unverified]


class TestContents:
    def test_have_the_evidence_of_the_findings_once(self) -> None:
        contents = gather(hostile())
        assert contents.evidence
        assert len(contents.evidence) == len(set(contents.evidence))
        assert set(contents.evidence) == {number for finding in contents.findings for number in finding.frames}

    def test_have_sessions_with_findings_first(self) -> None:
        capture = SessionScript(session="good").opened().capture
        bad = SessionScript(session="bad").opened().app_says(4.0, "ahead", sequence_num=7)
        capture.frames += bad.capture.frames
        contents = gather(capture)
        assert [session.name for session in contents.sessions] == ["good", "bad"]
        assert [session.name for session in contents.in_detail] == ["bad", "good"]
        assert contents.sessions[1].findings

    def test_say_what_is_left_out(self) -> None:
        assert gather(healthy()).withheld == ""
        assert "by type and size" in gather(healthy(), privacy="redacted").withheld
        assert "replaced by other names" in gather(healthy(), privacy="anonymous").withheld


def sequence_of(capture: Capture, *evidence: int, limit: int = 100) -> list[Part[SequenceRow]]:
    return session_sequence(list(decode_frames(capture)), evidence, limit=limit)


def rows_of(capture: Capture, *evidence: int) -> list[SequenceRow]:
    return [row for part in sequence_of(capture, *evidence) for row in part.items]


class TestSequence:
    def test_has_the_parties_of_each_frame(self) -> None:
        handshake, asked, opened = rows_of(SessionScript().opened().capture)
        assert (handshake.way, handshake.kind) == ("gateway → client", "handshake")
        assert (asked.way, asked.at) == ("client → canister", "0.100")
        assert (opened.way, opened.sequence, opened.beside) == ("canister → client", "1", "made 800 ms before")

    def test_says_what_an_ack_covers_and_how_old_it_was(self) -> None:
        script = SessionScript().opened().client_says(4.0, "one").client_says(5.0, "two").acked(10.0)
        ack, keep_alive = rows_of(script.capture)[-2:]
        assert ack.beside.startswith("covers 1–2 (oldest 6.00 s)")
        assert keep_alive.beside.startswith("covers 1–2")

    def test_marks_evidence_and_breaks_of_the_order(self) -> None:
        script = SessionScript().opened().app_says(5.0, "far ahead", sequence_num=5)
        rows = rows_of(script.capture, 3)
        assert [row.is_evidence for row in rows] == [False, False, False, True]
        assert rows[3].is_fault
        assert rows[3].beside == "2–4 lost on the way to the client"

    def test_of_a_long_session_shows_the_ends_and_the_evidence(self) -> None:
        shown = sequence_of(healthy(), 15, limit=12)
        numbers = [row.number for part in shown for row in part.items]
        assert 15 in numbers
        assert {0, 28} <= set(numbers)
        assert len(numbers) == 12
        assert len(numbers) + sum(part.left_out for part in shown) == 29

    def test_keeps_what_a_peer_sent_on_one_line(self) -> None:
        assert all(row.text.isprintable() for row in rows_of(hostile()))

    def test_counts_times_from_a_given_start(self) -> None:
        capture = SessionScript().opened().capture
        (whole,) = session_sequence(list(decode_frames(capture)), (), limit=5, start=capture.frames[0].t - 20)
        assert [row.at for row in whole.items] == ["20.000", "20.100", "22.300"]

    def test_of_no_frames_is_empty(self) -> None:
        assert session_sequence([], (), limit=5) == []


class TestEvidenceRows:
    def test_are_the_named_frames_and_their_neighbours(self) -> None:
        contents = gather(SCENARIOS["NO_KEEPALIVE"]())
        (finding, *_) = contents.findings
        rows = evidence_rows(contents.frames, finding)
        assert [row.number for is_named, row in rows if is_named and row is not None] == list(finding.frames)
        assert len(rows) > len(finding.frames)

    def test_are_bounded(self) -> None:
        contents = gather(SCENARIOS["NO_KEEPALIVE"]())
        assert len([row for _, row in evidence_rows(contents.frames, contents.findings[0], limit=2) if row]) <= 3
