from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark import Lark

from icws_explore.protocol.candid.did import _Builder
from icws_explore.protocol.candid.did_syntax import GRAMMAR, TERMINAL_NAMES, blank_comments, unquoted
from icws_explore.protocol.errors import DidError

PARSER = Lark(GRAMMAR, parser="lalr", start=["did", "did_or_type"])


class TestGrammar:
    def test_every_terminal_has_a_name_for_error_texts(self) -> None:
        ignored = set(PARSER.ignore_tokens)
        assert {terminal.name for terminal in PARSER.terminals} - ignored <= TERMINAL_NAMES.keys()

    def test_every_rule_is_built(self) -> None:
        rules = {rule.alias or rule.options.template_source or rule.origin.name for rule in PARSER.rules}
        made = {str(rule) for rule in rules if not str(rule).startswith("_")} - {"did", "did_or_type", "datatype"}
        assert {name for name in made if not hasattr(_Builder, f"_{name}")} == set()


class TestUnquoted:
    """Specification, "Values", <text>: escapes stand for bytes or for Unicode scalars."""

    @pytest.mark.parametrize(
        ("literal", "text"),
        [
            ('""', ""),
            ('"a b"', "a b"),
            (r'"\n\r\t\\\"\'"', "\n\r\t\\\"'"),
            (r'"\e2\98\83"', "☃"),
            (r'"\u{2603}\u{26_03}"', "☃☃"),
            (r'"\61\62"', "ab"),
            ('"☃"', "☃"),
        ],
    )
    def test_escapes(self, literal: str, text: str) -> None:
        assert unquoted(literal) == text

    @pytest.mark.parametrize("literal", [r'"\x"', r'"\e2\28"', r'"\ff"', r'"\u{dfff}"', r'"\u{ffffffff}"', r'"\u{}"'])
    def test_wrong(self, literal: str) -> None:
        with pytest.raises(DidError):
            unquoted(literal)


class TestComments:
    @pytest.mark.parametrize(
        ("text", "blanked"),
        [
            ("a // b\nc", "a     \nc"),
            ("a /* b\n */ c", "a     \n    c"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ('"// no" /* "*/ x', '"// no"        x'),
            ("// /* not opened\na", "                \na"),
            ("/* // */ a", "         a"),
            ('/* " */ a /* " */', "        a        "),
            ("/*/ a */ b", "         b"),
            ("a // b", "a     "),
        ],
    )
    def test_become_spaces(self, text: str, blanked: str) -> None:
        assert blank_comments(text) == blanked

    @given(st.text(alphabet='/*"\\\n a'))
    def test_places_stay(self, text: str) -> None:
        try:
            blanked = blank_comments(text)
        except DidError as error:
            assert "has no end" in error.reason
        else:
            assert len(blanked) == len(text)
            assert [i for i, c in enumerate(blanked) if c == "\n"] == [i for i, c in enumerate(text) if c == "\n"]
