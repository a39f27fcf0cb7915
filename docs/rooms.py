"""The picture of the rooms in docs/architecture.md, drawn from the package's own imports.

``python -m docs.rooms`` writes docs/images/rooms.svg. A test compares the file with the imports, so the
picture cannot fall behind the code. The file carries its own style for light and dark pages.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parent
PACKAGE: Final = DOCS.parent / "icws_explore"
PICTURE: Final = DOCS / "images" / "rooms.svg"

# From the top down; rooms of one row do not import each other.
ROWS: Final = (
    ("cli",),
    ("notebook", "testing"),
    ("views",),
    ("lab",),
    ("live",),
    ("analysis",),
    ("capture",),
    ("protocol",),
)
PURPOSE: Final = {
    "notebook": "widgets",
    "cli": "the icws command",
    "testing": "for pytest",
    "views": "how things draw themselves",
    "lab": "replica, canisters, gateway, simulator",
    "live": "sessions, tap, HTTP, clock",
    "analysis": "decode, verify, time, diagnose",
    "capture": "frames and the files that hold them",
    "protocol": "the protocol itself, pure",
}

WIDTH: Final = 760  # SVG units, as are all lengths below
LEFT: Final = 12
BOX: Final = 540  # width of a row of boxes
HEIGHT: Final = 62  # of a box
STEP: Final = 82  # from one row to the next
LANE: Final = 24  # between the lanes in which the arrows run down
FEW: Final = 20  # imports: fewer make a thin arrow …
MANY: Final = 80  # … and this many a thick one

STYLE: Final = """
  text { font-family: system-ui, sans-serif; fill: #1f2328 }
  .room { fill: #f6f8fa; stroke: #57606a }
  .name { font-weight: 600; font-size: 15px }
  .purpose { font-weight: 400; font-size: 13px; fill: #57606a }
  .folders { font-size: 12px; fill: #57606a; font-style: italic }
  .arrow { fill: none; stroke: #0969da; stroke-linejoin: round }
  .head { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .room { fill: #161b22; stroke: #8b949e }
    .purpose, .folders { fill: #9da7b1 }
    .arrow { stroke: #58a6ff }
    .head { fill: #58a6ff }
  }
"""


@dataclass(frozen=True, slots=True)
class Room:
    """One top-level folder of the package, with the names of its inner folders."""

    name: str
    folders: tuple[str, ...]


def rooms() -> dict[str, Room]:
    """The rooms by name, as they are on disk."""
    found = {}
    for folder in sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()):
        inner = sorted(path.name for path in folder.iterdir() if (path / "__init__.py").is_file())
        found[folder.name] = Room(folder.name, tuple(inner))
    return found


@functools.cache
def imports() -> Counter[tuple[str, str]]:
    """How many import statements lead from one room to another; those inside functions count as well."""
    counted: Counter[tuple[str, str]] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        if len(parts) == 1:  # the front door loads from every room
            continue
        counted.update((parts[0], room) for room in _rooms_named(path) if room != parts[0])
    return counted


def _rooms_named(path: Path) -> Iterator[str]:
    package = path.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{source}.{alias.name}" for alias in node.names] if source == PACKAGE.name else [source]
        else:
            continue
        yield from {name.split(".")[1] for name in names if name.startswith(f"{PACKAGE.name}.")}


def picture() -> str:
    """The SVG. An arrow leads from a room to each room that it imports from; its width grows with the number."""
    known, counted = rooms(), imports()
    row_of = {name: row for row, names in enumerate(ROWS) for name in names}
    height = STEP * (len(ROWS) - 1) + HEIGHT + 2 * LEFT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
        '<title id="title">The rooms of the package, each with the rooms below it that it imports from</title>',
        f"<style>{STYLE}</style>",
    ]
    for row, names in enumerate(ROWS):
        width = (BOX - LEFT * (len(names) - 1)) / len(names)
        for place, name in enumerate(names):
            lines += _box(known[name], LEFT + place * (width + LEFT), LEFT + row * STEP, width)
    between: Counter[tuple[int, int]] = Counter()
    for (source, target), number in counted.items():
        between[row_of[source], row_of[target]] += number
    for lane, target in enumerate(range(1, len(ROWS))):
        lines += _arrows(target, lane, {above: n for (above, below), n in between.items() if below == target})
    return "\n".join([*lines, "</svg>", ""])


def _box(room: Room, x: float, y: float, width: float) -> list[str]:
    folders = ", ".join(f"{name}/" for name in room.folders)
    purpose = f'<tspan class="purpose" dx="8">{escape(PURPOSE[room.name])}</tspan>'
    return [
        f'<rect class="room" x="{x:g}" y="{y}" width="{width:g}" height="{HEIGHT}" rx="6"/>',
        f'<text class="name" x="{x + 12:g}" y="{y + 24}">{escape(room.name)}/{purpose}</text>',
        f'<text class="folders" x="{x + 12:g}" y="{y + 46}">{escape(folders)}</text>',
    ]


def _arrows(target: int, lane: int, sources: dict[int, int]) -> list[str]:
    """The lane of one row: every row that imports from it joins the lane, which ends at the row in an arrow head."""
    x = LEFT + BOX + LANE * (lane + 1)
    end = LEFT + target * STEP + HEIGHT / 2
    lines = []
    for row, number in sorted(sources.items()):
        begin = LEFT + row * STEP + 14 + 6 * lane
        width = 1 if number < FEW else 2 if number < MANY else 4
        lines.append(
            f'<path class="arrow" stroke-width="{width:.1f}" d="M{LEFT + BOX} {begin}H{x}V{end:g}H{LEFT + BOX + 7}">'
            f"<title>{' and '.join(ROWS[row])} from {' and '.join(ROWS[target])}</title></path>"
        )
    tip = LEFT + BOX + 1
    lines.append(f'<path class="head" d="M{tip} {end:g}l9 -5v10z"/>')
    return lines


def main(path: Path = PICTURE) -> int:
    """Write the picture. Returns the exit code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
