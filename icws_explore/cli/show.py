"""`icws show`: lists the frames of a recording, or shows one in full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import get_args

import click

from icws_explore.analysis.decode import DecodedFrame, Kind, application_type, decode_at, decode_frames
from icws_explore.analysis.filter import compile_filter
from icws_explore.capture import Capture
from icws_explore.protocol.errors import IcwsError

from .console import is_plain, json_line, note, show, show_plain, width
from .options import read_capture


@click.command(
    "show",
    epilog="""\b
Examples:
  icws show session.icws
  icws show session.icws --where 'kind == "ack" and direction == "in"'
  icws show session.icws --where 'size > 1000 or kind in ("close", "malformed")' --json
  icws show session.icws --frame 3
  icws show session.icws --frame 3 --all

An expression can use frame, t, elapsed, direction, kind, sequence_num, size, summary and session.
"""
    f"A kind is one of {', '.join(get_args(Kind))}.",
)
@click.argument("file", type=click.Path())
@click.option("--frame", "number", type=click.IntRange(0), metavar="N", help="Show every layer of frame N.")
@click.option("--where", "expression", metavar="EXPR", help="List only frames for which EXPR is true.")
@click.option("--all", "every_byte", is_flag=True, help="With --frame: show every byte, also lengths and type tables.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per frame.")
def command(file: str, number: int | None, expression: str | None, every_byte: bool, as_json: bool) -> int:
    """List the frames of FILE, or show one in full."""
    if number is not None and expression:
        raise click.UsageError("--frame and --where exclude each other: give one of them")
    wanted = compile_filter(expression) if expression else None
    capture = read_capture(file)
    if number is not None:
        return _show_one(capture, number, every_byte, as_json)
    frames = decode_frames(capture)
    chosen = frames if wanted is None else _only(frames, wanted)
    return _list(capture, chosen, as_json)


def _only(frames: Iterable[DecodedFrame], wanted: Callable[[DecodedFrame, float], bool]) -> Iterator[DecodedFrame]:
    start: float | None = None
    for decoded in frames:
        start = decoded.frame.t if start is None else start
        if wanted(decoded, start):
            yield decoded


def _list(capture: Capture, frames: Iterable[DecodedFrame], as_json: bool) -> int:
    if as_json:
        for decoded in frames:
            json_line(decoded.to_json())
        return 0
    from icws_explore.views.facts import order_facts
    from icws_explore.views.text import frame_header, frame_lines, frame_texts

    start = capture[0].t if len(capture) else 0.0
    show(frame_header(width()))
    if is_plain():
        show_plain(frame_texts(frames, start=start, width=width()))
    else:
        for line in frame_lines(frames, start=start, width=width()):
            show(line)
    for fact in order_facts(capture):
        note(fact.value)
    return 0


def _show_one(capture: Capture, number: int, every_byte: bool, as_json: bool) -> int:
    from icws_explore.analysis.annotate import annotate_frame, one_a_range

    if number >= len(capture):
        raise IcwsError(f"there is no frame {number}: the recording contains {_range(capture)}")
    app_type = application_type(capture)
    decoded = decode_at(capture, number)
    root = annotate_frame(decoded.frame, app_type=app_type)
    if as_json:
        fields = [node.to_json() for node in one_a_range(root)]
        json_line({"frame": number, "kind": decoded.kind, "size": decoded.size, "fields": fields})
    else:
        from icws_explore.views.annotated_text import annotated_frame_lines

        for line in annotated_frame_lines(decoded, root, width=width(), every_byte=every_byte):
            show(line)
    return 1 if decoded.kind == "malformed" else 0


def _range(capture: Capture) -> str:
    return f"frames 0 to {len(capture) - 1}" if len(capture) else "no frames"
