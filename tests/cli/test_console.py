"""What commands print cannot play tricks on a terminal."""

import io
import json
import sys

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.cli.console import error_line, json_line, printable, width
from icws_explore.protocol.principal import Principal


class TestPrintable:
    @given(st.text())
    def test_is_one_line_without_control_characters(self, text):
        shown = printable(text)
        assert all(character.isprintable() for character in shown)
        assert len(shown) == len(text)

    def test_errors_go_to_stderr(self, capsys):
        error_line("a\nb\x1b[31m")
        assert capsys.readouterr().err == "icws: a b·[31m\n"


class TestJson:
    def test_bytes_are_hex_and_principals_text(self, capsys):
        json_line({"b": b"\x01", "p": Principal.MANAGEMENT, "n": 2**70})
        assert json.loads(capsys.readouterr().out) == {"b": "01", "p": "aaaaa-aa", "n": 2**70}


class TestWidth:
    def test_of_what_is_no_terminal_is_wide(self, monkeypatch):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stdout", stream)
        assert width() == 120
        stream.close()
        assert width() == 120
