"""The filter language: what it says, and that it says nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.filter import compile_filter
from icws_explore.capture import Frame
from icws_explore.protocol.errors import IcwsError

ACK = DecodedFrame(7, Frame(105.0, "in", "binary", b"x" * 900), "ack", "received up to 3", 4)
HANDSHAKE = DecodedFrame(0, Frame(100.0, "in", "binary", b"x" * 50, session="a"), "handshake", "gateway")


def holds(expression, decoded=ACK):
    return compile_filter(expression)(decoded, 100.0)


class TestExpressions:
    @pytest.mark.parametrize(
        "expression",
        [
            'kind == "ack" and direction == "in"',
            "sequence_num == 4",
            "elapsed >= 5 and elapsed < 5.5",
            'kind in ("ack", "keep_alive")',
            "kind not in ['app']",
            "1 <= sequence_num <= 4",
            '"up to" in summary',
            "not size < 900",
            "size > -1",
            'session == None or kind == "open"',
            "frame",
        ],
    )
    def test_true_of_the_ack(self, expression):
        assert holds(expression)

    @pytest.mark.parametrize("expression", ['kind == "app"', "sequence_num > 4", "t < 100", "frame == 0", "1 == 2"])
    def test_false_of_the_ack(self, expression):
        assert not holds(expression)

    def test_a_frame_without_the_number_is_on_neither_side_of_it(self):
        assert not holds("sequence_num > 3", HANDSHAKE)
        assert not holds("sequence_num <= 3", HANDSHAKE)
        assert holds("sequence_num == None", HANDSHAKE)


class TestRefused:
    @pytest.mark.parametrize(
        "expression",
        [
            "kind = 'ack'",
            "kind ==",
            "colour == 'red'",
            "__import__('os').system('true')",
            "kind.upper() == 'ACK'",
            "(lambda: 1)()",
            "[x for x in summary]",
            "-kind == 1",
            "-'?'",
            "-(size)",
            "-(-1) == 1",
            "size + 1 == 2",
            "summary * 1000000000 == ''",
            "f'{kind}' == 'ack'",
            "kind is None",
            "size == b'x'",
            "",
            "(" * 150 + "1" + ")" * 150 + ".x",
            "not " * 600 + "size",
            "size == " + "1" * 3000,
            "\x00",
        ],
    )
    def test_one_line_says_why(self, expression):
        with pytest.raises(IcwsError) as caught:
            holds(expression)
        assert "\n" not in str(caught.value)

    @given(st.text("kindsize=<>()[]'\" andortx10.,+-*", max_size=30))
    def test_anything_typed_is_a_filter_or_an_error(self, expression):
        try:
            wanted = compile_filter(expression)
        except IcwsError:
            return
        assert wanted(ACK, 0.0) in (True, False)


class TestOddTexts:
    """pytest turns every warning into an error, so these would fail if the parser's warnings got through."""

    @pytest.mark.parametrize("expression", [r"summary == '\d'", "1in (1, 2)", "size is 3"])
    def test_cause_no_warning(self, expression):
        try:
            compile_filter(expression)(ACK, 0.0)
        except IcwsError as error:
            assert "cannot read the filter" in str(error)

    @given(
        st.recursive(
            st.sampled_from(["kind", "1", "-", "'?'", "(", ")", "in", "<", "not ", ",", "\\\\", "[", "]"]),
            lambda parts: st.lists(parts, max_size=6).map(" ".join),
            max_leaves=12,
        )
    )
    def test_end_in_a_value_or_in_one_error(self, expression):
        try:
            compile_filter(expression)(ACK, 0.0)
        except IcwsError:
            return
