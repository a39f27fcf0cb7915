from __future__ import annotations

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.views.report.contents import SequenceRow, SessionSequence, sequence
from support.session_captures import SessionScript, healthy, hostile


def sequence_of(capture: Capture, *evidence: int, limit: int = 100) -> SessionSequence:
    return sequence(list(decode_frames(capture)), evidence, limit=limit)


def rows_of(capture: Capture, *evidence: int) -> list[SequenceRow]:
    return [row for part in sequence_of(capture, *evidence).parts for row in part.rows]


class TestSequence:
    def test_says_who_said_what_to_whom(self) -> None:
        handshake, asked, opened = rows_of(SessionScript().opened().capture)
        assert (handshake.way, handshake.kind) == ("gateway → client", "handshake")
        assert (asked.way, asked.at) == ("client → canister", "0.100")
        assert (opened.way, opened.sequence, opened.beside) == ("canister → client", "1", "made 0.800 s before")

    def test_says_what_an_ack_covers_and_how_old_that_was(self) -> None:
        script = SessionScript().opened().client_says(4.0, "one").client_says(5.0, "two").acked(10.0)
        ack, keep_alive = rows_of(script.capture)[-2:]
        assert ack.beside.startswith("covers 1–2 (oldest 6.000 s)")
        assert keep_alive.beside.startswith("covers 1–2")

    def test_marks_evidence_and_what_is_out_of_order(self) -> None:
        script = SessionScript().opened().app_says(5.0, "far ahead", sequence_num=5)
        rows = rows_of(script.capture, 3)
        assert [row.is_evidence for row in rows] == [False, False, False, True]
        assert rows[3].is_fault
        assert rows[3].beside == "gap: 2–4 missing"

    def test_of_a_long_session_shows_the_ends_and_the_evidence(self) -> None:
        shown = sequence_of(healthy(), 15, limit=12)
        numbers = [row.number for part in shown.parts for row in part.rows]
        assert 15 in numbers
        assert {0, 28} <= set(numbers)
        assert len(numbers) == 12
        assert len(numbers) + sum(part.left_out for part in shown.parts) + shown.left_out == 29

    def test_what_a_peer_sent_stays_on_its_line(self) -> None:
        assert all(row.text.isprintable() for row in rows_of(hostile()))

    def test_times_count_from_where_one_says(self) -> None:
        capture = SessionScript().opened().capture
        whole = sequence(list(decode_frames(capture)), (), limit=5, start=capture.frames[0].t - 20)
        assert [row.at for row in whole.parts[0].rows] == ["20.000", "20.100", "22.300"]

    def test_of_nothing_is_empty(self) -> None:
        assert sequence([], (), limit=5) == SessionSequence((), 0)
