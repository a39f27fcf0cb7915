"""The sequence diagram of a session as Mermaid text, for documents that render Mermaid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.flow import Bracket, Flow, Party, Step, flow

from .formatting import count, one_line, shorten

_SHORT: Final[dict[Party, str]] = {"client": "C", "gateway": "G", "canister": "K"}
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._,:'()[]{}=+-–…→/×")
_MAX_TEXT: Final = 100  # characters


def mermaid_text(frames: Sequence[DecodedFrame], *, start: int = 0, stop: int | None = None) -> str:
    """A Mermaid sequenceDiagram of the steps ``start`` to ``stop`` (counted from 0) of one session's frames.

    Everything that a peer wrote is escaped, so it cannot become part of the diagram. The same steps give the same text.
    """
    return flow_text(flow(frames, start=start, stop=stop))


def flow_text(chosen: Flow) -> str:
    """A flow as Mermaid text with the participants C (client), G (gateway) and K (canister)."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant {short} as {party}" for party, short in _SHORT.items()]
    if chosen.before:
        lines.append(f"    Note over C,K: {count(chosen.before, 'frame')} before")
    brackets = {bracket.by: bracket for bracket in chosen.brackets}
    latest = 0.0
    for row, step in enumerate(chosen.steps):
        source, target = _SHORT[step.source], _SHORT[step.target]
        if step.lost:
            lines.append(f"    {source}-x{'G' if source == 'C' else 'C'}: {escaped(lost_text(step))}")
        lines.append(f"    {source}->>{target}: {escaped(_label(step))}")
        if step.fault:
            lines.append(f"    Note over C,K: {escaped(step.fault_text)}")
        if step.at_s < latest:
            lines.append(f"    Note over C,K: the time {step.at_s:.2f} s is out of order")
        latest = max(latest, step.at_s)
        if row in brackets:
            side = "right of K" if brackets[row].kind == "ack" else "left of C"
            lines.append(f"    Note {side}: {numbers_text(brackets[row])}")
    if chosen.after:
        lines.append(f"    Note over C,K: {count(chosen.after, 'frame')} after")
    return "\n".join(lines) + "\n"


def _label(step: Step) -> str:
    number = "" if step.sequence_num is None else f"{step.sequence_num} "
    text = "" if step.kind in ("open", "ack", "keep_alive") else f" {one_line(step.text)}"
    return shorten(f"{step.at_s:.2f} s, {number}{step.kind}{text}", _MAX_TEXT)


def lost_text(step: Step) -> str:
    """Which messages are missing ahead of ``step``, and how far they are known to have come."""
    numbers = ", ".join(range_text(numbers[0], numbers[-1]) for numbers in step.lost[:5])
    more = ", …" if len(step.lost) > 5 else ""
    return f"{numbers}{more} {'not sent' if step.source == 'client' else 'lost on the way to the client'}"


def numbers_text(bracket: Bracket) -> str:
    """What an ack or a keep-alive confirms: "acks 1–5", "has up to 7"."""
    verb = "acks" if bracket.kind == "ack" else "has"
    if bracket.first is None or bracket.last is None:
        return f"{verb} up to {bracket.number}"
    return f"{verb} {range_text(bracket.first, bracket.last)}"


def range_text(first: int, last: int) -> str:
    """One number, or the first and the last of several."""
    return f"{first}" if first == last else f"{first}–{last}"


def escaped(text: str) -> str:
    """Characters that could mean something to Mermaid or to HTML as entity codes (``#59;``)."""
    return "".join(character if character in _PLAIN else f"#{ord(character)};" for character in text)
