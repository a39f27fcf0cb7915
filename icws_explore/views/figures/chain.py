"""The chain of trust of a canister message: root key → subnet → certificate → witness → message.

Next to each link are the verification steps that check it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from icws_explore.protocol import hashtree
from icws_explore.protocol.certificate import shown_ranges
from icws_explore.protocol.certificate.delegation import ranges_text
from icws_explore.protocol.certificate.format import key_text
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.steps import Step
from icws_explore.protocol.wording import hash_text, time_text

from ..formatting import one_line
from ..proof import Proof
from ..steps import mark, outcome
from ..text import wrap_cells
from ..theme import SHADES
from .figure import BAD, INK, LANE, RULE, SCREEN, SOFT, Paper, SessionFigure, inch_axes

GOOD: Final = SHADES["good"].light
_LEFT_IN: Final = 0.3
_TOP_IN: Final = 0.75
_LINE_IN: Final = 0.17
_LINK_IN: Final = 0.5
_ABOVE_STEPS_IN: Final = 0.36  # on narrow paper, where the steps are below a link's meaning
_BOX_CHARACTER_IN, _STEP_CHARACTER_IN = 0.0641, 0.062
_MAX_BOX_LINES: Final = 3
_MAX_STEP_LINES: Final = 5
_MAX_TEXT: Final = 1000  # characters of a text that a peer sent; the figure shows a few lines of it
_STYLE: Final[dict[bool | None, dict[str, Any]]] = {
    True: {"color": GOOD, "linewidth": 2.2},
    False: {"color": BAD, "linewidth": 2.2, "linestyle": (0, (1, 1))},
    None: {"color": SOFT, "linewidth": 1.2, "linestyle": (0, (4, 3))},
}


@dataclass(frozen=True, slots=True)
class Station:
    """One station of the chain, with what it states in ``lines``.

    ``link`` says how the station above vouches for this one, and ``steps`` are those that check it.
    """

    title: str
    lines: tuple[str, ...]
    link: str = ""
    steps: tuple[Step, ...] = ()


def stations(proof: Proof) -> list[Station]:
    """The chain from the root key downwards, as far as it can be read."""
    key = "unknown" if proof.root_key is None else key_text(proof.root_key)
    found = [Station("root key", (key, "known in advance; everything below follows from it"))]
    certificate = proof.certificate
    if certificate is None:
        return [*found, Station("certificate", ("cannot be read",), "", _steps(proof, "parse"))]
    if proof.subnet is not None and certificate.delegation is not None:
        found.append(Station("subnet", _subnet_lines(proof), "signed a delegation", _steps(proof, "delegation")))
    data = None if proof.canister_id is None else certificate.canister_data(proof.canister_id)
    lines = [f"root hash {hash_text(certificate.tree.digest)}", _time_line(certificate.time_ns)]
    if isinstance(data, hashtree.Found):
        lines.append(f"certified_data {hash_text(data.value)} of {proof.canister_id}")
    found.append(Station("certificate", tuple(lines), "signed the state tree", _steps(proof, "signature", "time")))
    if proof.witness is not None and proof.message is not None:
        root = f"root hash {hash_text(proof.witness.digest)}"
        found.append(Station("witness", (root,), "contains the root hash of", _steps(proof, "certified_data")))
        steps = _steps(proof, "lookup", "body", "sequence", "client_key")
        found.append(Station("message", _message_lines(proof), "contains the hash of", steps))
    return found


def _steps(proof: Proof, *names: str) -> tuple[Step, ...]:
    return tuple(step for step in proof.steps if step.step in names)


def _time_line(time_ns: int | None) -> str:
    return "no time" if time_ns is None else f"time {time_text(time_ns)}"


def _subnet_lines(proof: Proof) -> tuple[str, ...]:
    assert proof.certificate is not None
    assert proof.certificate.delegation is not None
    assert proof.subnet is not None
    subnet_id = proof.certificate.delegation.subnet_id
    key = hashtree.lookup_value(proof.subnet.tree, (b"subnet", subnet_id.raw, b"public_key"))
    lines = [str(subnet_id), f"key {'not shown' if key is None else key_text(key)}"]
    if proof.canister_id is not None:
        held = shown_ranges(proof.subnet.tree, subnet_id, proof.canister_id).holding(proof.canister_id)
        lines.append(f"canisters {ranges_text([held])}" if held else f"no canister range with {proof.canister_id}")
    return (*lines, _time_line(proof.subnet.time_ns))


def _message_lines(proof: Proof) -> tuple[str, ...]:
    message = proof.message
    assert message is not None
    digest = f"SHA-256 of content {hash_text(sha256(message.content).digest())}"
    try:
        number = f"sequence_num {message.message.sequence_num}"
    except DecodeError as error:
        number = f"content does not decode: {error}"
    return tuple(one_line(line[:_MAX_TEXT]) for line in (f"key {message.key}", digest, number))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where boxes and steps are, in inches, and how many characters fit into a line of either."""

    box_in: float
    steps_in: float  # from the left
    box_characters: int
    step_characters: int
    below: bool  # the steps are below a link's meaning, not next to it

    @classmethod
    def of(cls, paper: Paper) -> _Plan:
        right = paper.width_in - 0.15
        if paper.is_narrow:
            box, steps = right - _LEFT_IN, _LEFT_IN + 0.68
        else:
            box = 0.46 * paper.width_in
            steps = _LEFT_IN + box + 0.2
        of_box = int((box - 0.24) / _BOX_CHARACTER_IN)
        return cls(box, steps, of_box, int((right - steps) / _STEP_CHARACTER_IN), paper.is_narrow)


def chain_figure(proof: Proof, *, paper: Paper = SCREEN) -> SessionFigure:
    """The stations below each other, and the steps next to each link; on narrow paper, below it."""
    plan = _Plan.of(paper)
    chain = [
        (station, [part for line in station.lines for part in _wrapped(line, plan.box_characters, _MAX_BOX_LINES)])
        for station in stations(proof)
    ]
    heights = [0.34 + _LINE_IN * max(len(lines), 1) for _, lines in chain]
    steps = [_lines_of(station, plan) for station, _ in chain]
    links = _link_heights(heights, [len(lines) for lines in steps], plan)
    figure = SessionFigure(_TOP_IN + sum(heights) + sum(links) + 0.15, paper)
    axes = inch_axes(figure)
    heading = _heading(proof)
    axes.text(_LEFT_IN, 0.25, heading, fontsize=11, fontweight="bold", color=INK, va="center", parse_math=False)
    axes.text(_LEFT_IN, 0.47, _verdict(proof), fontsize=8, color=SOFT, va="center", parse_math=False)
    top = _TOP_IN
    for number, ((station, lines), height) in enumerate(zip(chain, heights, strict=True)):
        if number:
            _draw_link(axes, station, steps[number], top, links[number], plan)
            top += links[number]
        _draw_box(axes, station, lines, top, height, plan)
        top += height
    figure.description = chain_text(proof)
    return figure


def _lines_of(station: Station, plan: _Plan) -> list[tuple[str, bool | None]]:
    return [line for step in station.steps for line in _step_lines(step, plan.step_characters)]


def _link_heights(boxes: Sequence[float], lines: Sequence[int], plan: _Plan) -> list[float]:
    """The height of the link above each box. Steps next to two links in a row do not overlap."""
    if plan.below:
        return [0.0, *(_ABOVE_STEPS_IN + _LINE_IN * count + 0.1 for count in lines[1:])]
    links = [0.0]
    for number in range(1, len(boxes)):
        both = _LINE_IN * (lines[number] + (lines[number - 1] if number > 1 else 0)) / 2
        links.append(max(_LINK_IN, 2 * (both + 0.06 - boxes[number - 1] - links[-1] / 2)))
    return links


def _heading(proof: Proof) -> str:
    return f"Chain of trust: {proof.title}"


def _verdict(proof: Proof) -> str:
    failure = proof.failure
    if failure is not None:
        return f"✗ {failure.step} failed"
    return proof.note or ("✓ every link passed" if proof.steps else "– nothing was checked")


def _draw_box(axes: Axes, station: Station, lines: list[str], top: float, height: float, plan: _Plan) -> None:
    bad = any(step.ok is False for step in station.steps)
    box = FancyBboxPatch(
        (_LEFT_IN, top), plan.box_in, height, boxstyle="round,pad=0,rounding_size=0.06", facecolor=LANE,
        edgecolor=BAD if bad else RULE, linewidth=1.8 if bad else 1.0,
    )  # fmt: skip
    axes.add_patch(box)
    axes.text(_LEFT_IN + 0.12, top + 0.16, station.title, fontsize=9, fontweight="bold", color=INK, va="center")
    for number, line in enumerate(lines):
        y = top + 0.35 + number * _LINE_IN
        axes.text(_LEFT_IN + 0.12, y, line, fontsize=7, family="monospace", color=INK, va="center", parse_math=False)


def _draw_link(
    axes: Axes, station: Station, lines: Sequence[tuple[str, bool | None]], top: float, height: float, plan: _Plan
) -> None:
    """The arrow down to ``station``, what it means, and its steps with their marks."""
    x = _LEFT_IN + 0.5
    style = _STYLE[_outcome(station.steps)]
    axes.plot([x, x], [top, top + height - 0.09], **style)
    axes.plot([x], [top + height - 0.06], marker="v", markersize=8, color=style["color"])
    middle = top + height / 2
    axes.text(x + 0.18, top + 0.18 if plan.below else middle, station.link, fontsize=8, color=SOFT, va="center")
    first = top + _ABOVE_STEPS_IN if plan.below else middle - (len(lines) - 1) * _LINE_IN / 2
    for number, (text, ok) in enumerate(lines):
        axes.text(
            plan.steps_in, first + number * _LINE_IN, text, fontsize=7.5, va="center", parse_math=False,
            color=BAD if ok is False else INK if ok else SOFT, fontweight="bold" if ok is False else "normal",
        )  # fmt: skip


def _step_lines(step: Step, characters: int) -> list[tuple[str, bool | None]]:
    text = f"{mark(step.ok)} {step.step}: {one_line(step.detail[:_MAX_TEXT])}"
    parts = _wrapped(text, characters, _MAX_STEP_LINES)
    return [(part if number == 0 else f"    {part}", step.ok) for number, part in enumerate(parts)]


def _wrapped(text: str, width: int, lines: int) -> list[str]:
    """``text`` in at most so many lines. A text that is cut ends in an ellipsis; the description has all of it."""
    parts = wrap_cells(text, width)
    return parts if len(parts) <= lines else [*parts[: lines - 1], f"{parts[lines - 1]} …"]


def _outcome(steps: tuple[Step, ...]) -> bool | None:
    if any(step.ok is False for step in steps):
        return False
    return True if any(step.ok for step in steps) else None


def chain_text(proof: Proof) -> str:
    """The chain on lines, with the content of the figure."""
    lines = [_heading(proof), _verdict(proof)]
    for station in stations(proof):
        if station.link:
            lines.append(f"  ↓ {station.link}")
        lines += [
            f"    {mark(step.ok)} {step.step} {outcome(step.ok)}: {one_line(step.detail[:_MAX_TEXT])}"
            for step in station.steps
        ]
        lines.append(f"{station.title}: {'; '.join(station.lines)}")
    return "\n".join(lines)
