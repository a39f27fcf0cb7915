from __future__ import annotations

from icws_explore.analysis.verify import MessageVerdict, verify_capture
from icws_explore.protocol.steps import Step
from icws_explore.views.steps import MAX_SHOWN, Side, step_rows, steps_heading, verdict_line
from support.session_captures import healthy, hostile


class TestStepRows:
    def test_are_in_the_order_of_the_steps(self) -> None:
        verdict = next(verify_capture(healthy()))
        assert [row.name for row in step_rows(verdict.steps)] == [
            "parse", "delegation", "signature", "time", "certified_data", "lookup", "body", "sequence", "client_key",
        ]  # fmt: skip

    def test_name_the_mark(self) -> None:
        rows = step_rows([Step("a", True, ""), Step("b", False, ""), Step("c", None, "")])
        assert [(row.mark, row.outcome) for row in rows] == [("✓", "passed"), ("✗", "failed"), ("–", "not checked")]

    def test_give_equal_values_once(self) -> None:
        (row,) = step_rows([Step("body", True, "", b"\x01" * 32, b"\x01" * 32)])
        assert [name for name, _ in row.sides] == ["both"]

    def test_give_both_of_two_different_values(self) -> None:
        (row,) = step_rows([Step("body", False, "", b"\x01" * 32, b"\x02" * 32)])
        assert [(name, s.full) for name, s in row.sides] == [
            ("expected", f"0x{'01' * 32}"),
            ("found", f"0x{'02' * 32}"),
        ]

    def test_of_a_signature_are_what_it_signs_and_the_signature(self) -> None:
        signed, sig = b"\x01" * 59, b"\x02" * 64
        rows = step_rows([Step("signature", True, "", "a root hash", sig), Step("delegation", True, "", signed, sig)])
        assert [[name for name, _ in row.sides] for row in rows] == [["signed", "sig"]] * 2
        (ranges,) = step_rows([Step("delegation", True, "", "a range with this canister", "a … b")])
        assert [name for name, _ in ranges.sides] == ["expected", "found"]

    def test_of_a_step_that_compares_nothing_have_no_values(self) -> None:
        assert step_rows([Step("parse", True, "")])[0].sides == []


def side(value: bytes | str) -> Side | None:
    return step_rows([Step("body", True, "", value)])[0].expected


class TestSide:
    def test_long_bytes_are_shortened_and_given_in_full(self) -> None:
        shown = side(bytes(range(32)))
        assert shown is not None
        assert shown.short == "0x0001020304050607…1c1d1e1f (32 bytes)"
        assert shown.full == "0x" + bytes(range(32)).hex()

    def test_the_full_value_is_bounded(self) -> None:
        shown = side(b"\xff" * 1_000_000)
        assert shown is not None
        assert shown.full is not None
        assert len(shown.full) < 2 * MAX_SHOWN + 100
        assert "1000000 bytes" in shown.full

    def test_text_stays_on_one_line(self) -> None:
        shown = side("a\nb")
        assert shown is not None
        assert shown.short == "a\\nb"


class TestVerdictLine:
    def test_of_a_verified_message(self) -> None:
        assert verdict_line(next(verify_capture(healthy()))) == "✓ frame 2: verified, all 9 steps passed"

    def test_names_the_failed_step(self) -> None:
        bad = next(v for v in verify_capture(hostile()) if not v.ok)
        assert verdict_line(bad).startswith("✗ frame 8: sequence failed: message 9 came instead of 4")

    def test_names_steps_that_were_not_checked(self) -> None:
        steps = (Step("body", True, ""), Step("client_key", None, "no ws_open"))
        assert verdict_line(MessageVerdict(1, "k", steps)) == (
            "✓ frame 1: verified, 1 step passed, client_key not checked"
        )

    def test_without_any_checked_step_nothing_is_verified(self) -> None:
        line = verdict_line(MessageVerdict(1, "k", (Step("parse", None, "no root key"),)))
        assert line == "– frame 1: not checked, parse: no root key"


class TestHeading:
    def test_gives_the_verdict_and_its_weight(self) -> None:
        assert steps_heading("x", ()) == ("– x: not checked", "note")
        assert steps_heading("x", [Step("a", True, "")]) == ("✓ x: 1 step passed", "good")
        assert steps_heading("x", [Step("a", True, ""), Step("b", False, "")]) == ("✗ x: b failed", "bad")
