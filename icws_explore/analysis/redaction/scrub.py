"""Takes out of lines of ours what they have in common with private texts, whoever put it there.

Redaction withholds payloads before lines are made. This is the second fence: a rule that quotes what it
should not is caught by comparing, not by trusting. Time is bounded by the texts' length, not by its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_GRAM: Final = 6
LEAST: Final = 2 * _GRAM  # characters in a row; shorter whole texts count too, unless they are a mere word
MASK: Final = "‹withheld›"


class Scrubber:
    """Feed it private texts, then ask for the lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._private = [bytearray(len(line)) for line in lines]
        self._places: dict[str, list[tuple[int, int]]] = {}
        for number, line in enumerate(lines):
            for at in range(len(line) - _GRAM + 1):
                self._places.setdefault(line[at : at + _GRAM], []).append((number, at))

    def __len__(self) -> int:
        return len(self._lines)

    def feed(self, text: str) -> None:
        """Mark what the lines share with a private text."""
        if len(text) < LEAST:
            self._mark_whole(text)
            return
        seen: set[tuple[str, str]] = set()
        for at in range(0, len(text) - _GRAM + 1, _GRAM):  # a run of LEAST covers one of these whole
            gram = text[at : at + _GRAM]
            if gram not in self._places:
                continue
            around = text[max(0, at - LEAST) : at], text[at : at + _GRAM + LEAST]
            if around in seen:
                continue
            seen.add(around)
            for number, place in self._places[gram]:
                self._mark_run(text, at, number, place)

    def _mark_whole(self, text: str) -> None:
        if len(text) < _GRAM or (text.isascii() and text.isalpha()):
            return
        for number, place in self._places.get(text[:_GRAM], ()):
            if self._lines[number].startswith(text, place):
                self._mark(number, place, place + len(text))

    def _mark_run(self, text: str, at: int, number: int, place: int) -> None:
        line = self._lines[number]
        before = 0
        while before < min(at, place) and text[at - before - 1] == line[place - before - 1]:
            before += 1
        length = _GRAM
        room = min(len(text) - at, len(line) - place)
        while length < room and text[at + length] == line[place + length]:
            length += 1
        if before + length >= LEAST:
            self._mark(number, place - before, place + length)

    def _mark(self, number: int, start: int, end: int) -> None:
        self._private[number][start:end] = b"\x01" * (end - start)

    def line(self, number: int) -> str:
        """A line with what is private replaced."""
        parts: list[str] = []
        hidden = False
        for character, private in zip(self._lines[number], self._private[number], strict=True):
            if not private:
                parts.append(character)
            elif not hidden:
                parts.append(MASK)
            hidden = bool(private)
        return "".join(parts)
