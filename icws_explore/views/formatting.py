"""How values are written in every view: bytes, durations, counts, and text that a peer sent."""

from __future__ import annotations

from icws_explore.protocol.constants import NS_PER_S

_MAX_BITS = 128  # of a time in ns that is computed with; a nat64 has 64


def one_line(text: str) -> str:
    """``text`` with every character escaped that moves a cursor, breaks a line or changes the writing direction."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, limit: int) -> str:
    """``text`` cut to at most ``limit`` characters; a cut text ends in an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def elide(data: bytes, limit: int = 12) -> str:
    """Bytes as hexadecimal on one line. Of more than ``limit`` bytes the middle is left out and the size is given."""
    if len(data) <= limit:
        return f"0x{data.hex()}" if data else "empty"
    head, tail = limit - limit // 3, limit // 3
    return f"0x{data[:head].hex()}…{data[-tail:].hex()} ({len(data)} bytes)"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 frame", "2 frames"."""
    return f"{number} {noun if number == 1 else f'{noun}s'}"


def all_of(number: int, noun: str) -> str:
    """All of several things: "all 9 steps", or just "1 step"."""
    return f"all {count(number, noun)}" if number > 1 else count(number, noun)


def seconds(value: float) -> str:
    """Seconds to the millisecond, without a unit, for columns of times."""
    return f"{value:.3f}"


def duration(value: float) -> str:
    """A duration given in seconds, to three digits: "0.4 ms", "85 ms", "1.42 s", "12.3 s", "301 s"."""
    size = abs(value)
    if size >= 0.9995:
        return f"{value:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f} s"
    return f"{value * 1000:.{1 if 0 < size < 0.00995 else 0}f} ms"


def distance(ns: int, reference_s: float, event: str) -> str:
    """How far a time (ns since the epoch) is from ``reference_s`` (s since the epoch): "238.2 s after it was sent".

    ``event`` names the reference: "sent", or a noun such as "this frame". The text is empty for absurd times.
    """
    if abs(ns).bit_length() > _MAX_BITS:
        return ""
    apart = ns / NS_PER_S - reference_s
    if abs(apart) < 0.0005:
        return f"at the time {'it was sent' if event == 'sent' else f'of {event}'}"
    when = "after" if apart > 0 else "before"
    return f"{abs(apart):.3f} s {when} {'it was sent' if event == 'sent' else event}"
