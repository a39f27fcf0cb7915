"""The page of every byte: a whole session, each frame unfolded, each byte explained where somebody points at it.

One HTML page that loads nothing and runs no script. A field is a focusable run of bytes with its explanation beside
it in the markup. The style sheet shows the explanation at the foot of the window for the field that is pointed at,
focused or touched, and below each field where the reader opens "every field on a line of its own".

The page is bounded for any recording: it says which frames, fields and bytes it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import groupby
from typing import Any, Final, Literal

from markupsafe import Markup

from icws_explore.analysis.annotate import Node, annotate_frame
from icws_explore.analysis.decode import DecodedFrame, application_type
from icws_explore.protocol import candid
from icws_explore.protocol.principal import Principal

from ..facts import Fact, clock_text
from ..fields import direction_text
from ..formatting import count, elide, one_line, shorten
from ..html import render, style
from ..kinds import LOOKS
from ..rows import FrameRow, excerpt, frame_row
from ..steps import StepRow, Verdict, step_rows, steps_heading
from .byte_guide import guide_of, part_of
from .cbor_words import cbor_words
from .contents import Contents

MAX_FRAMES: Final = 80  # that are unfolded
MAX_FIELDS: Final = 12_000  # on the page
MAX_FRAME_FIELDS: Final = 1_500  # of one frame; those of the protocol have about 150
MAX_FIELD_BYTES: Final = 1_024  # of one field in hexadecimal
MAX_BYTES: Final = 160_000  # on the page in hexadecimal
MAX_VALUE: Final = 300  # characters
_MAX_STEP: Final = 30  # characters of a step of a field's path

Looks = Literal["value", "name", "form", "hash", "fault"]


@dataclass(frozen=True, slots=True)
class ByteField:
    """A run of bytes with one meaning. ``left_out`` of its bytes are not in ``hexes``."""

    hexes: str
    left_out: int
    looks: Looks
    way: str
    place: str
    encoding: str
    value: str
    meaning: str
    fault: str


@dataclass(frozen=True, slots=True)
class BytePart:
    """Consecutive fields of one part of a frame, and the steps of the proof that use them."""

    title: str
    text: str
    size: str
    fields: Sequence[ByteField]
    steps: Sequence[StepRow]


@dataclass(frozen=True, slots=True)
class ByteFrame:
    """A frame with its parts. ``cut`` says what of it is not shown; ``other_steps`` belong to no part of it."""

    row: FrameRow
    color: str
    sent: str
    about: str
    proof: Fact | None
    parts: Sequence[BytePart]
    other_steps: Sequence[StepRow]
    cut: str


@dataclass(slots=True)
class _Budget:
    """What the page may still show."""

    fields: int = MAX_FIELDS
    bytes: int = MAX_BYTES
    spent: list[str] = field(default_factory=list)

    def takes(self, leaves: Sequence[Node]) -> bool:
        """Whether a frame with these fields fits; then they are deducted."""
        shown = sum(min(leaf.end - leaf.start, MAX_FIELD_BYTES) for leaf in leaves)
        if len(leaves) > self.fields or shown > self.bytes:
            return False
        self.fields -= len(leaves)
        self.bytes -= shown
        return True


def every_byte_page(contents: Contents) -> str:
    """The page of ``contents``, which must not be redacted: the bytes are what it shows."""
    frames = [decoded for decoded in contents.frames if not decoded.frame.is_http]
    places = {decoded.number: place for place, decoded in enumerate(frames)}
    evidence = [places[number] for number in contents.evidence if number in places]
    verdicts: dict[int, Verdict] = {each.frame: each for each in contents.requests}
    verdicts |= {each.frame: each for each in contents.verdicts}
    app_type = application_type(contents.capture)
    budget = _Budget()
    excerpted = [
        part.map(lambda row: _frame(frames[row], contents, verdicts.get(frames[row].number), app_type, budget))
        for part in excerpt(len(frames), evidence, limit=MAX_FRAMES)
    ]
    requests = len(contents.frames) - len(frames)
    page = render(
        "every_byte.html.j2",
        contents=contents,
        style=style(),
        page_style=Markup(_style_sheet()),  # noqa: S704  # the package's own file
        clock=clock_text(contents.capture) if contents.capture.info.clock.kind != "real" else None,
        excerpted=excerpted,
        total_bytes=sum(decoded.size for decoded in frames),
        total_frames=len(frames),
        requests=requests,
        legend=_LEGEND,
    )
    return str(page)


_LEGEND: Final[Sequence[tuple[Looks, str, str]]] = (
    ("value", "value", "what the frame says"),
    ("name", "name", "the name or the type of a field"),
    ("form", "framing", "lengths, counts and tags of the encoding"),
    ("hash", "hash", "stands for a part of a hash tree that is not sent"),
    ("fault", "fault", "bytes that break the protocol"),
)


def _frame(
    decoded: DecodedFrame, contents: Contents, verdict: Verdict | None, app_type: candid.Type | None, budget: _Budget
) -> ByteFrame:
    root = annotate_frame(decoded.frame, app_type=app_type)
    leaves = list(root.leaves())
    data = decoded.frame.data
    cut = ""
    if len(leaves) > MAX_FRAME_FIELDS:
        last = leaves[MAX_FRAME_FIELDS - 1].end
        cut = f"{count(len(leaves) - MAX_FRAME_FIELDS, 'more field')} ({count(len(data) - last, 'byte')}) not shown."
        leaves = leaves[:MAX_FRAME_FIELDS]
    if not budget.takes(leaves):
        cut = f"The page is full: the {count(len(data), 'byte')} of this frame are not shown."
        leaves = []
    steps = [] if verdict is None else step_rows(verdict.steps)
    parts = list(_parts(leaves, data, {row.name: row for row in steps}))
    used = {row.name for part in parts for row in part.steps}
    proof = None
    if verdict is not None:
        what = "request" if decoded.frame.direction == "out" else "message"
        proof = Fact("proof", *steps_heading(what, verdict.steps))
    return ByteFrame(
        row=frame_row(decoded, contents.start),
        color=LOOKS[decoded.kind].kind,
        sent=direction_text(decoded),
        about=LOOKS[decoded.kind].about,
        proof=proof,
        parts=parts,
        other_steps=[row for row in steps if row.name not in used],
        cut=cut,
    )


def _parts(leaves: Sequence[Node], data: bytes, steps: Mapping[str, StepRow]) -> Iterator[BytePart]:
    """The fields by the part of the frame that they are in. A step is shown at the first part that uses it."""
    shown: set[str] = set()
    for part, grouped in groupby((leaf for leaf in leaves if leaf.type != "frame(0)"), key=lambda n: part_of(n.path)):
        nodes = list(grouped)
        guide = guide_of(part)
        used = [steps[name] for name in guide.steps if name in steps and name not in shown]
        shown.update(row.name for row in used)
        place = _place(nodes[0].start, nodes[-1].end)
        yield BytePart(guide.title, guide.text, place, [byte_field(node, data) for node in nodes], used)


def _place(start: int, end: int) -> str:
    """Which bytes of the frame: "byte 4", or "bytes 4–91 (88 bytes)"."""
    if end - start == 1:
        return f"byte {start}"
    return f"bytes {start}–{end - 1} ({count(end - start, 'byte')})" if end > start else f"no byte, at {start}"


def byte_field(node: Node, data: bytes) -> ByteField:
    """A leaf of the annotated tree of the frame ``data``."""
    size = node.end - node.start
    shown = data[node.start : min(node.end, node.start + MAX_FIELD_BYTES)]
    return ByteField(
        hexes=shown.hex(" ") or "∅",
        left_out=size - len(shown),
        looks=_looks(node),
        way=field_way(node.path) or node.type,
        place=f"{_place(node.start, node.end)}, {one_line(node.type)}",
        encoding=_encoding(data, node),
        value=value_words(node.value),
        meaning=one_line(node.meaning),
        fault=one_line(node.fault or ""),
    )


_NAME_TYPES: Final = ("field id", "opcode", "type", "field")
_FORMS: Final = ("head", "tag", "break", "count", "byte", "magic number", "fork", "labeled", "leaf", "pruned")


def _looks(node: Node) -> Looks:
    if node.fault:
        return "fault"
    if node.path.endswith((":key", ":label")) or node.type in _NAME_TYPES:
        return "name"
    if node.path.endswith(".pruned"):
        return "hash"
    return "form" if node.type in _FORMS else "value"


def field_way(path: str) -> str:
    """The way to a field, for a person: without the forks of a hash tree, and with long steps shortened."""
    before, _, form = path.partition(":")
    steps = [step for step in before.split(".") if step and step not in ("left", "right", "leaf")]
    short = [step if len(step) <= _MAX_STEP else f"{step[:12]}…{step[-12:]}" for step in steps]
    return one_line(" › ".join([*short, *([form] if form else [])]))


def value_words(value: Any) -> str:
    """A value on one line, bounded. Empty for a field that only contains or encodes others."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return elide(value)
    text = value.text if isinstance(value, Principal) else str(value)
    return shorten(one_line(text[: MAX_VALUE + 1]), MAX_VALUE)


_CBOR_TYPES: Final = ("head", "tag", "break", "fork", "labeled", "leaf", "pruned", "uint", "nint", "simple", "float",
                      "text")  # fmt: skip


def _encoding(data: bytes, node: Node) -> str:
    """The first bytes of a CBOR field in words. Candid's fields, and broken ones, have none."""
    if node.fault or not (node.type in _CBOR_TYPES or node.type.startswith(("bytes(", "text("))):
        return ""
    if ":rest" in node.path or (node.type == "text" and not node.path.endswith(":key")):
        return ""
    return cbor_words(data[node.start : min(node.end, node.start + 16)])


def _style_sheet() -> str:
    return resources.files("icws_explore.views").joinpath("every_byte.css").read_text(encoding="utf-8")
