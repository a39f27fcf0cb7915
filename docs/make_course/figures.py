"""The figures of the gallery as files, each as SVG and PNG, with its caption and the code that draws it.

Each is also drawn anew for a slide (PNG), a page of text and a column (PDF).

docs/gallery.md is the only source: a section there is a figure here.
"""

from __future__ import annotations

import ast
import asyncio
import html
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Polygon

from docs.trust import COLORS, PICTURE, picture
from icws_explore.views.figures.figure import PAPERS, Paper, SessionFigure, Size
from icws_explore.views.figures.trust import HEIGHT, TITLE, WIDTH

from .fragments import CODE_STYLE, code, markdown
from .handout import STYLE

ROOT: Final = Path(__file__).parents[2]
SIZED: Final[tuple[tuple[Size, str], ...]] = (("slide", ".png"), ("page", ".pdf"), ("column", ".pdf"))
_SHOWN: Final = "_shown"
GALLERY: Final = ROOT / "docs" / "gallery.md"


@dataclass(frozen=True, slots=True)
class GalleryFigure:
    """A section of the gallery: its heading, its text without links, and the cell that draws the figure."""

    title: str
    caption: str
    source: str

    @property
    def name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def gallery() -> tuple[str, list[GalleryFigure]]:
    """The cells before the first section, which load the recordings, and the figures."""
    head, *sections = re.split(r"^### ", GALLERY.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return "\n".join(_cells(head)), [figure for section in sections for figure in _figures(section)]


def _cells(text: str) -> list[str]:
    cells: list[str] = re.findall(r"```\{code-cell\}\n(?!:tags: \[remove-cell\])(.*?)```", text, re.DOTALL)
    return cells


def _figures(section: str) -> Iterator[GalleryFigure]:
    title, _, body = section.partition("\n")
    text = re.sub(r"```.*?```", "", body.partition("\n## ")[0], flags=re.DOTALL)
    caption = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))
    drawing = [cell.strip() for cell in _cells(body) if not cell.startswith("print(")]  # that is a figure as text
    yield from (GalleryFigure(title.strip(), caption, cell) for cell in drawing[:1])


def draw_gallery(folder: Path) -> list[Path]:
    """Write every figure and a page about them into ``folder``. Raises ValueError for a cell without a figure."""
    folder.mkdir(parents=True, exist_ok=True)
    setup, figures = gallery()
    namespace: dict[str, Any] = {}
    before = Path.cwd()
    os.chdir(ROOT)  # the cells read data/
    try:
        with asyncio.Runner() as runner:
            _run(setup, namespace, runner)
            drawn = {figure: _run(figure.source, namespace, runner) for figure in figures}
    finally:
        os.chdir(before)
    written: list[Path] = []
    for figure, result in drawn.items():
        if not hasattr(result, "save"):
            raise ValueError(f"{figure.title}: its cell shows no figure")
        paths = [folder / f"{figure.name}{suffix}" for suffix in (".svg", ".png")]
        result.save(*paths)
        for size, suffix in SIZED:
            paths.append(folder / f"{figure.name}-{size}{suffix}")
            result.at(size).save(paths[-1])
        written += paths
    written += draw_trust(folder)
    page = _page(figures)
    (folder / "index.html").write_text(page, encoding="utf-8")
    return [*written, folder / "index.html"]


def draw_trust(folder: Path) -> list[Path]:
    """Write the picture of the parties as SVG, with a light and a dark form, and as PNG and PDF, which are light."""
    written = [Path(shutil.copyfile(PICTURE, folder / PICTURE.name)), folder / "trust.png"]
    _trust_on(Paper()).save(written[-1])
    for size, suffix in SIZED:
        written.append(folder / f"trust-{size}{suffix}")
        _trust_on(PAPERS[size]).save(written[-1])
    return written


def _trust_on(paper: Paper) -> SessionFigure:
    """What docs/trust.py draws, drawn by matplotlib, as wide as ``paper`` or, if that is to be filled, as high."""
    scale = paper.width_in / WIDTH
    figure = SessionFigure(paper.height_in if paper.fills else HEIGHT * scale, paper)
    figure.description = TITLE
    width_in, height_in = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    scale = min(width_in / WIDTH, height_in / HEIGHT)
    across, down = width_in / scale - WIDTH, height_in / scale - HEIGHT  # of the drawing's units, left around it
    axes.set(xlim=(-across / 2, WIDTH + across / 2), ylim=(HEIGHT + down / 2, -down / 2))
    for part in ET.fromstring(picture()):  # noqa: S314  # our own
        _draw_part(axes, part.tag.rpartition("}")[2], part, points=scale * 72)
    return figure


def _draw_part(axes: Axes, kind: str, part: ET.Element, *, points: float) -> None:
    """Draw a rect, line, path or text of docs/trust.py. ``points`` is the length of its unit."""
    roles = dict(name.split("-") for name in part.get("class", "").split())  # fill or line, and the role of its colour
    shades = {use: COLORS[role][0] for use, role in roles.items()}
    at = {name: float(value) for name, value in part.attrib.items() if re.fullmatch(r"-?[0-9.]+", value)}
    match kind:
        case "rect" if "line" in shades:  # the other one is the paper
            box = FancyBboxPatch(
                (at["x"], at["y"]), at["width"], at["height"], boxstyle=f"round,pad=0,rounding_size={at['rx']}",
                facecolor=shades["fill"], edgecolor=shades["line"], linewidth=at["stroke-width"] * points,
                linestyle=(0, (3, 2.5)) if part.get("stroke-dasharray") else "solid",
            )  # fmt: skip
            axes.add_patch(box)
        case "line":
            width = at.get("stroke-width", 1) * points
            axes.plot(
                (at["x1"], at["x2"]), (at["y1"], at["y2"]), color=shades["line"], linewidth=width, solid_capstyle="butt"
            )
        case "path":  # the tip of an arrow: M x,y l dx,dy v height z
            x, y, dx, dy, height = map(float, re.findall(r"-?[0-9.]+", part.get("d", "")))
            axes.add_patch(Polygon([(x, y), (x + dx, y + dy), (x + dx, y + dy + height)], color=shades["fill"]))
        case "text":
            axes.text(
                at["x"], at["y"], part.text or "", color=shades["fill"], fontsize=at["font-size"] * points,
                ha={"start": "left", "middle": "center"}[part.get("text-anchor", "start")],
                fontweight="bold" if at["font-weight"] > 400 else "normal", parse_math=False,
            )  # fmt: skip


def _run(source: str, namespace: dict[str, Any], runner: asyncio.Runner) -> Any:
    """Run a cell as a kernel does, which allows ``await``. Returns the value of its last line, if that has one."""
    tree = ast.parse(source)
    shown = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    if shown:
        tree.body[-1] = ast.Assign([ast.Name(_SHOWN, ast.Store())], tree.body[-1].value)
        ast.fix_missing_locations(tree)
    result = eval(compile(tree, str(GALLERY), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)  # noqa: S307  # our own
    if asyncio.iscoroutine(result):
        runner.run(result)
    return namespace.pop(_SHOWN) if shown else None


def _links(name: str) -> str:
    """Links to the files of a figure."""
    sized = ", ".join(f'<a href="{name}-{size}{suffix}">a {size} ({suffix[1:].upper()})</a>' for size, suffix in SIZED)
    return f'<a href="{name}.svg">SVG</a> · <a href="{name}.png">PNG</a> · drawn for {sized}'


def _page(figures: list[GalleryFigure]) -> str:
    shown = "\n".join(
        f"<article><h2>{html.escape(figure.title)}</h2>"
        f'<p><img alt="{html.escape(figure.caption)}" src="{figure.name}.png" style="max-width: 100%"></p>'
        f"{markdown(figure.caption)}{code(figure.source)}"
        f"<p>{_links(figure.name)}</p></article>"
        for figure in figures
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Figures</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}\n{CODE_STYLE}</style>'
        f'</head><body><p><a href="../index.html">The course</a></p><h1>Figures</h1>'
        f"<p>The recordings of these figures are in data/sessions/.</p>{shown}"
        '<article><h2>The parties</h2><p><img alt="Client, gateway and network, and what each of them trusts" '
        f'src="{PICTURE.name}" style="max-width: 100%"></p><p>Who talks to whom, and who trusts what.</p>'
        f"{code('icws.plots.trust()')}<p>{_links('trust')}</p></article></body></html>\n"
    )
