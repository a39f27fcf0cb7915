"""Options that several commands share."""

import click
import pytest

from icws_explore.cli.options import parse_hex


class TestHex:
    def test_with_or_without_its_prefix(self):
        assert parse_hex("0x0a", "--root-key") == parse_hex("0A", "--root-key") == b"\x0a"

    @pytest.mark.parametrize("text", ["xyz", "0", "0x1", "à"])
    def test_else_a_usage_error_names_the_option(self, text):
        with pytest.raises(click.BadParameter) as caught:
            parse_hex(text, "--root-key")
        assert "--root-key" in caught.value.format_message()
