from __future__ import annotations

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.flow import Flow, flow
from icws_explore.capture import Capture
from support.session_captures import SessionScript, healthy, hostile
from support.timing_captures import empty


def of(capture: Capture, **window: int) -> Flow:
    return flow(list(decode_frames(capture)), **window)


def disorder() -> Capture:
    """Down: 1, 2, then 4 before 3, 3 again, 9 and 6; up: 1, 2 and 5."""
    script = SessionScript().opened().client_says(3, "one").client_says(4, "two").app_says(5, "a")
    script.app_says(6, "c", sequence_num=4).app_says(6.1, "b", sequence_num=3).app_says(7, "b", sequence_num=3)
    script.app_says(8, "far", sequence_num=9).app_says(8.5, "late", sequence_num=6)
    return script.client_says(9, "x", sequence_num=5).capture


class TestParties:
    def test_who_sent_what_to_whom(self) -> None:
        first = [(step.kind, step.source, step.target) for step in of(healthy()).steps[:4]]
        assert first == [
            ("handshake", "gateway", "client"),
            ("open_request", "client", "canister"),
            ("open", "canister", "client"),
            ("message", "client", "canister"),
        ]

    def test_unreadable_and_control_frames_go_no_further_than_the_gateway(self) -> None:
        assert {step.target if step.source == "client" else step.source for step in of(hostile()).steps
                if step.kind in ("malformed", "control")} == {"gateway"}  # fmt: skip


class TestOrder:
    def test_gaps_duplicates_swaps_and_late_ones_are_distinguished(self) -> None:
        assert [(s.sequence_num, s.fault, s.fault_text) for s in of(disorder()).steps if s.fault] == [
            (4, "gap", "gap: 3 missing"),
            (3, "swap", "swapped: 3 after 4"),
            (3, "duplicate", "duplicate of 3"),
            (9, "gap", "gap: 5–8 missing"),
            (6, "late", "late: 10 expected"),
            (5, "gap", "gap: 3–4 missing"),
        ]

    def test_a_healthy_session_has_none(self) -> None:
        assert [step for step in of(healthy()).steps if step.fault] == []

    def test_a_capture_that_begins_in_mid_session_is_not_a_gap(self) -> None:
        capture = healthy()
        del capture.frames[:6]
        assert [step for step in of(capture).steps if step.fault] == []


class TestBrackets:
    def test_an_ack_covers_what_none_before_it_did(self) -> None:
        acks = [bracket for bracket in of(healthy()).brackets if bracket.kind == "ack"]
        assert [(b.number, b.first, b.last) for b in acks] == [(5, 1, 5), (8, 6, 8), (11, 9, 11)]
        assert [round(b.oldest_s or 0, 1) for b in acks] == [208.4, 300.4, 300.1]

    def test_a_keep_alive_covers_what_the_canister_sent(self) -> None:
        reports = [bracket for bracket in of(healthy()).brackets if bracket.kind == "keep_alive"]
        assert [(b.number, b.first, b.last) for b in reports] == [(7, 1, 7), (10, 8, 10), (13, 11, 13)]

    def test_an_ack_with_nothing_new_covers_nothing(self) -> None:
        script = SessionScript().opened().client_says(3, "x")
        script.acked(70, answered_after=None).acked(140, answered_after=None)
        _, second = of(script.capture).brackets
        assert (second.rows, second.first, second.oldest_s) == ((), None, None)


class TestPart:
    def test_is_judged_as_in_the_whole(self) -> None:
        whole, part = of(healthy()), of(healthy(), start=10, stop=16)
        assert part.steps == whole.steps[10:16]
        assert (part.before, part.after) == (10, len(whole.steps) - 16)
        ack = part.brackets[0]
        assert part.steps[ack.by].kind == "ack"
        assert (ack.first, ack.last) == (1, 5)
        assert all(0 <= row < 6 for row in ack.rows)

    def test_may_lie_beyond_the_session(self) -> None:
        assert of(healthy(), start=1000).steps == ()
        assert of(empty()) == Flow((), ())


class TestLost:
    def lost(self, capture: Capture) -> list[tuple[int | None, list[int]]]:
        return [(step.sequence_num, [n for part in step.lost for n in part]) for step in of(capture).steps if step.lost]

    def test_are_the_numbers_that_never_came(self) -> None:
        assert self.lost(disorder()) == [(9, [5, 7, 8]), (5, [3, 4])]

    def test_are_not_counted_one_by_one(self) -> None:
        capture = SessionScript().opened().app_says(4, "x", sequence_num=2**64 - 1).capture
        (step,) = [step for step in of(capture).steps if step.lost]
        assert step.lost == (range(2, 2**64 - 1),)
