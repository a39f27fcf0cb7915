from __future__ import annotations

from icws_explore.analysis.verify import MessageVerdict, verify_capture
from icws_explore.protocol.steps import Step
from icws_explore.views.steps import MAX_SHOWN, side, step_rows, verdict_line
from support.session_captures import healthy, hostile


class TestStepRows:
    def test_one_a_step_in_their_order(self) -> None:
        verdict = next(verify_capture(healthy()))
        assert [row.name for row in step_rows(verdict.steps)] == [
            "parse", "delegation", "signature", "time", "certified_data", "lookup", "body", "sequence", "client_key",
        ]  # fmt: skip

    def test_mark_and_word_agree(self) -> None:
        rows = step_rows([Step("a", True, ""), Step("b", False, ""), Step("c", None, "")])
        assert [(row.mark, row.outcome) for row in rows] == [("✓", "holds"), ("✗", "fails"), ("–", "not judged")]

    def test_equal_sides_are_named_once(self) -> None:
        (row,) = step_rows([Step("body", True, "", b"\x01" * 32, b"\x01" * 32)])
        assert [name for name, _ in row.sides] == ["both"]

    def test_unequal_sides_are_both_there(self) -> None:
        (row,) = step_rows([Step("body", False, "", b"\x01" * 32, b"\x02" * 32)])
        assert [(name, s.full) for name, s in row.sides] == [
            ("expected", f"0x{'01' * 32}"),
            ("found", f"0x{'02' * 32}"),
        ]

    def test_a_step_that_compares_nothing_has_no_sides(self) -> None:
        assert step_rows([Step("parse", True, "")])[0].sides == []


class TestSide:
    def test_long_bytes_are_elided_and_there_in_full(self) -> None:
        shown = side(bytes(range(32)))
        assert shown is not None
        assert shown.short == "0x0001020304050607…1c1d1e1f (32 bytes)"
        assert shown.full == "0x" + bytes(range(32)).hex()

    def test_even_all_of_it_is_bounded(self) -> None:
        shown = side(b"\xff" * 1_000_000)
        assert shown is not None
        assert shown.full is not None
        assert len(shown.full) < 2 * MAX_SHOWN + 100
        assert "1000000 bytes" in shown.full

    def test_text_stays_on_a_line(self) -> None:
        shown = side("a\nb")
        assert shown is not None
        assert shown.short == "a\\nb"


class TestVerdictLine:
    def test_of_a_message_that_verifies(self) -> None:
        assert verdict_line(next(verify_capture(healthy()))) == "✓ frame 2: verified, the 9 steps hold"

    def test_of_one_that_does_not_it_names_the_step(self) -> None:
        bad = next(v for v in verify_capture(hostile()) if not v.ok)
        assert verdict_line(bad).startswith("✗ frame 8: sequence fails: message 9 came where 4 was expected")

    def test_says_what_was_not_judged(self) -> None:
        steps = (Step("body", True, ""), Step("client_key", None, "no ws_open"))
        assert verdict_line(MessageVerdict(1, "k", steps)) == (
            "✓ frame 1: verified, client_key not judged, the others hold"
        )

    def test_nothing_judged_is_not_verified(self) -> None:
        line = verdict_line(MessageVerdict(1, "k", (Step("parse", None, "no root key"),)))
        assert line == "– frame 1: not judged, parse: no root key"
