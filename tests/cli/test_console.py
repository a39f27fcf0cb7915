"""What commands print: without control characters, wrapped to the terminal, one line in a pipe."""

import gc
import io
import json
import sys

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from icws_explore.cli.console import MOST, error_line, json_line, note, printable, settle, width
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

    def test_errors_and_notes_are_short(self, capsys):
        """A .did of one name of 20,000 characters was quoted whole."""
        for tell in (error_line, note):
            tell("x" * 100_000)
            line = capsys.readouterr().err
            assert len(line) < MOST + 100
            assert line.endswith("… (100000 characters)\n")


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


class TestNote:
    TEXT = "the file does not say how the sockets closed; record with icws tap to see it, please"

    def test_is_one_line_in_a_pipe(self, capsys):
        note(self.TEXT)
        assert capsys.readouterr().err == f"{self.TEXT}\n"

    def test_is_wrapped_after_words_on_a_terminal(self, monkeypatch):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("COLUMNS", "50")
        note(self.TEXT)
        lines = [Text.from_ansi(line).plain for line in stream.getvalue().splitlines()]
        assert max(map(len, lines)) <= 50
        assert " ".join(lines) == self.TEXT


class TestSettle:
    def test_what_is_there_is_never_searched_and_what_comes_is_freed_in_small_parts(self):
        usual = gc.get_threshold()
        try:
            settle()
            before = gc.get_stats()[2]["collections"]
            kept = []
            for _ in range(20_000):  # sessions that leave cycles behind
                cycle: list[object] = []
                cycle.append(cycle)
                kept.append([cycle])
                if len(kept) > 4_000:
                    kept.clear()
            assert gc.get_freeze_count() > 10_000
            assert gc.get_stats()[2]["collections"] - before >= 2
        finally:
            gc.unfreeze()
            gc.set_threshold(*usual)
