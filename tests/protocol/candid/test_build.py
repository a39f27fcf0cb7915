from __future__ import annotations

import pytest

from icws_explore.protocol.candid.did import unquoted
from icws_explore.protocol.errors import DidError


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
