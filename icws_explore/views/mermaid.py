"""The same sequence diagram as Mermaid text, for documents that draw it themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.flow import Bracket, Flow, Party, Step, flow
from icws_explore.capture import Capture

from .figures.figure import one_session
from .rows import one_line

_SHORT: Final[dict[Party, str]] = {"client": "C", "gateway": "G", "canister": "K"}
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._,:'()[]{}=+-–…→/×")
_TEXT_CHARS: Final = 60


def mermaid(
    capture: Capture,
    *,
    frames: Sequence[DecodedFrame] | None = None,
    session: str | None = None,
    start: int = 0,
    stop: int | None = None,
) -> str:
    """A Mermaid sequenceDiagram of steps ``start`` to ``stop`` (rows from 0) of one session.

    Whatever a peer wrote is escaped: it cannot become part of the diagram. Same steps, same text.
    """
    mine = one_session(list(shared_frames(capture)) if frames is None else frames, session)
    return text_of(flow(mine, start=start, stop=stop))


def text_of(chosen: Flow) -> str:
    """A flow as Mermaid text; participants C (client), G (gateway) and K (canister)."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant {short} as {party}" for party, short in _SHORT.items()]
    if chosen.before:
        lines.append(f"    Note over C,K: {chosen.before} steps before")
    brackets = {bracket.by: bracket for bracket in chosen.brackets}
    for row, step in enumerate(chosen.steps):
        lines.append(f"    {_arrow(step)}: {escaped(_words(step))}")
        if step.fault:
            lines.append(f"    Note over C,K: {escaped(step.fault_text)}")
        if row in brackets:
            lines.append(f"    {_note(brackets[row])}")
    if chosen.after:
        lines.append(f"    Note over C,K: {chosen.after} steps after")
    return "\n".join(lines) + "\n"


def _arrow(step: Step) -> str:
    lost = step.fault is not None
    return f"{_SHORT[step.source]}{'-x' if lost else '->>'}{_SHORT[step.target]}"


def _words(step: Step) -> str:
    number = "" if step.sequence_num is None else f"{step.sequence_num} "
    text = "" if step.kind in ("open", "ack", "keep_alive") else f" {one_line(step.text)}"
    whole = f"{step.at_s:.2f} s, {number}{step.kind}{text}"
    return whole if len(whole) <= _TEXT_CHARS else whole[: _TEXT_CHARS - 1] + "…"


def _note(bracket: Bracket) -> str:
    side, verb = ("right of K", "acks") if bracket.kind == "ack" else ("left of C", "has")
    if bracket.first is None:
        return f"Note {side}: {verb} up to {bracket.number}"
    covered = f"{bracket.first}" if bracket.first == bracket.last else f"{bracket.first}–{bracket.last}"
    return f"Note {side}: {verb} {covered}"


def escaped(text: str) -> str:
    """Characters that could mean something to Mermaid or to HTML as entity codes (``#59;``)."""
    return "".join(character if character in _PLAIN else f"#{ord(character)};" for character in text)
