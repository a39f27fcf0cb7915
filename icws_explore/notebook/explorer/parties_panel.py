"""The tab of parties: clients, gateway and canister in one sequence diagram, each message at each of them.

With a lab, its gateways and canisters tell what they had (`Lab.sightings`); a tap with the network's side has recorded
it. The diagram is drawn on a thread, of the newest messages or of those that the reader chose. A click on a message
selects its frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from icws_explore.analysis.passages import Passages, Sighting, passages
from icws_explore.protocol.errors import LabError
from icws_explore.views.figures.figure import DPI, WIDTH_IN, Paper
from icws_explore.views.figures.parties import MAX_CLIENTS, client_name, parties_figure
from icws_explore.views.formatting import count, one_line
from icws_explore.views.html import note_view
from icws_explore.views.theme import color_variables

from ..newest import Newest
from .frame_detail import DRAWING
from .frame_index import FrameIndex
from .release import release
from .widget import ExplorerWidget, source_text

if TYPE_CHECKING:
    from .explorer import Explorer

MESSAGES: Final = 24  # of one picture
_PERIOD_S: Final = 1.0
_SHARE: Final = 4  # a picture that took d seconds is not made again for 4 d
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)  # matplotlib repeats each label in one
_LOOK_S: Final = 2.0  # a lab's queue changes while no frame passes

_CSS: Final = """
.icws-parties { max-width: 1100px; overflow-x: auto; }
.icws-parties svg { display: block; width: 100%; min-width: 560px; height: auto; }
.icws-parties [data-frame] { cursor: pointer; pointer-events: bounding-box; }
.icws-parties [data-frame]:is(:hover, .icws-chosen) path { stroke-width: 2.2; }
.icws-parties [data-frame]:focus-visible { outline: 2px solid var(--icws-k-message); }
.icws-parties [data-frame].icws-chosen[data-part="label"] path:first-child {
  fill: color-mix(in srgb, var(--icws-k-message) 30%, var(--icws-paper)) !important;
}
"""


class PartiesPicture(ExplorerWidget):
    """The diagram on the page. ``on_link`` is called with the number of a frame that was clicked."""

    _esm = source_text("parties_panel.js")
    _css = color_variables() + _CSS

    svg = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)  # what the picture shows
    selected = traitlets.Int(-1).tag(sync=True)  # the explorer's frame; -1: none

    def __init__(self, on_link: Callable[[int], None], on_width: Callable[[], None]) -> None:
        super().__init__()
        self._on_link = on_link
        self._on_width = on_width
        self.width_in = WIDTH_IN  # of the picture; the page says how much room it has
        self.on_msg(self._asked)

    def _asked(self, _widget: Any, message: Any, _buffers: Any) -> None:
        match message:
            case {"type": "link", "frame": int(number)}:
                self._on_link(number)
            case {"type": "width", "pixels": int(pixels)}:
                width_in = round(max(0.6 * WIDTH_IN, min(pixels / DPI, WIDTH_IN)), 1)
                if width_in != self.width_in:
                    self.width_in = width_in
                    self._on_width()


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A picture, and what it was made of. ``start`` is the first of the ``total`` messages of its clients."""

    svg: str
    words: str
    known: Passages
    start: int
    total: int
    took_s: float


class PartiesPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The diagram of ``explorer``'s recording, with buttons for earlier and later messages and a choice of clients."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self.newest = Newest()
        self._start: int | None = None  # the first message of the picture; None: it shows the newest ones
        self._total = 0
        self._known: Passages | None = None
        self._index: FrameIndex | None = None
        self._made_of: object = None
        self._next = 0.0  # by the machine's monotonic clock
        self._due: asyncio.TimerHandle | None = None
        self._is_closed = False
        self.clients = ipywidgets.Dropdown(options=[("all clients", ())], description="clients")
        self.first = _button("first", "the first messages", lambda: self.move_to(0))
        self.earlier = _button("◂ earlier", "earlier messages", lambda: self._move(-MESSAGES))
        self.later = _button("later ▸", "later messages", lambda: self._move(MESSAGES))
        self.last = _button("newest", "the newest messages, and those that pass from now on", self.follow)
        self.place = ipywidgets.HTML()
        self.notice = ipywidgets.HTML()
        self.picture = PartiesPicture(explorer.select, self.draw)
        self.clients.observe(lambda _: self._chosen(), names="value")
        self.clients.layout.width = "max-content"
        buttons = ipywidgets.HBox([self.clients, self.first, self.earlier, self.later, self.last, self.place])
        buttons.layout.flex_flow = "row wrap"
        super().__init__([buttons, self.notice, self.picture])
        self._explorer.frame_list.observe(self._selected, names="selected")
        self._stop = explorer.on_change(self.update)
        if not explorer.frame_list.live:
            self._start = 0
        self.draw()

    # What is shown

    def follow(self) -> None:
        """Show the newest messages, also those that pass later."""
        self.move_to(None)

    def move_to(self, start: int | None) -> None:
        """Show the messages from number ``start`` on, counted from 0 in the order of time; None: the newest ones."""
        self._start = None if start is None else max(0, min(start, max(0, self._total - 1)))
        self.draw()

    def _move(self, by: int) -> None:
        begin = max(0, self._total - MESSAGES) if self._start is None else self._start
        self.move_to(begin + by)

    def _chosen(self) -> None:
        if self._start is not None:
            self._start = 0
        self.draw()

    def _selected(self, change: Any) -> None:
        """Mark the selected frame, and bring it into the picture unless that follows the newest messages."""
        self.picture.selected = int(change["new"])
        known = self._known
        if known is None or self._start is None or change["new"] < 0:
            return
        names = self.clients.value or known.clients[:MAX_CLIENTS]
        messages = known.of(names).messages
        at = next((n for n, message in enumerate(messages) if message.frame == change["new"]), None)
        if at is not None and not self._start <= at < self._start + MESSAGES:
            self.move_to(at - MESSAGES // 3)

    # Drawing

    def update(self) -> None:
        """Draw anew, now or as soon as it may be drawn again."""
        if self._is_closed:
            return
        if self._index is not self._explorer.index:  # another source was opened
            self._start = None if self._explorer.frame_list.live else 0
            self._known = None
        left = self._next - time.monotonic()
        if left <= 0:
            self.draw()
        else:
            self._plan(left)

    def _plan(self, in_s: float) -> None:
        if self._due is None:
            with contextlib.suppress(RuntimeError):  # no loop runs: the next change draws
                self._due = asyncio.get_running_loop().call_later(in_s, self.draw)

    def draw(self) -> None:
        """Draw the chosen messages on a thread. What cannot be drawn is said in its place."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._is_closed or self._explorer.recording is None:
            return
        self._index = index = self._explorer.index
        self._next = time.monotonic() + _PERIOD_S
        wanted: tuple[str, ...] = self.clients.value
        start = self._start
        self.newest.ask(lambda: self._make(index, wanted, start), self._show, self._failed)

    def _make(self, index: FrameIndex, wanted: tuple[str, ...], start: int | None) -> _Drawn | None:
        began = time.monotonic()
        sightings = self._sightings()
        with index.lock:
            frames = list(index.frames)
        made_of = (id(index), len(frames), len(sightings), wanted, start, self.picture.width_in)
        if made_of == self._made_of:
            return None
        known = passages(index.recording.raw, sightings, frames=frames)
        names = tuple(name for name in wanted if name in known.clients) or known.clients[:MAX_CLIENTS]
        total = len(known.of(names).messages)
        begin = max(0, total - MESSAGES) if start is None else min(start, max(0, total - 1))
        with DRAWING:
            figure = parties_figure(
                index.recording.raw, known=known, clients=names, start=begin, stop=begin + MESSAGES,
                paper=Paper(self.picture.width_in),
            )  # fmt: skip
            svg = _COMMENT.sub("", figure.inline_svg(secrets.token_hex(8)))
        self._made_of = made_of
        return _Drawn(svg, figure.description, known, begin, total, time.monotonic() - began)

    def _sightings(self) -> list[Sighting]:
        lab = self._explorer.lab
        if lab is None:
            return []
        try:
            return lab.sightings
        except LabError:  # it ends just now, or the code of its app blocks it
            return []

    def _show(self, drawn: _Drawn | None) -> None:
        if self._is_closed:
            return
        if drawn is not None:
            self._next = time.monotonic() + max(_PERIOD_S, _SHARE * drawn.took_s)
            self._known, self._total = drawn.known, drawn.total
            with self.picture.hold_sync():
                self.picture.svg, self.picture.words = drawn.svg, drawn.words
                self.picture.selected = -1 if self._explorer.selected is None else self._explorer.selected
            self._offer(drawn.known)
            last = min(drawn.start + MESSAGES, drawn.total)
            self.place.value = f"{drawn.start + 1 if drawn.total else 0} to {last} of {count(drawn.total, 'message')}"
            self.first.disabled = self.earlier.disabled = drawn.start == 0
            self.later.disabled = last == drawn.total
            self.last.disabled = self._start is None
            self.notice.value = self._note(drawn.known)
        if self._explorer.lab is not None and self._explorer.lab.running:
            self._plan(_LOOK_S)

    def _note(self, known: Passages) -> str:
        if known.knows_gateway or self._explorer.lab is not None:
            return ""
        words = (
            "This recording holds only the client's side. Open a lab, or let a tap stand in front of the network as "
            "well (icws tap … --network URL --all-queries), to see what gateway and canister had."
        )
        return note_view(words, "note").html

    def _failed(self, error: Exception) -> None:
        if not self._is_closed:
            line = f"the parties cannot be drawn: {type(error).__name__}: {error}"
            self.notice.value = note_view(one_line(line), "bad").html

    def _offer(self, known: Passages) -> None:
        names = known.clients
        options: list[tuple[str, tuple[str, ...]]] = []
        if len(names) <= MAX_CLIENTS:
            options.append(("all clients", ()))
        else:
            groups = [names[at : at + MAX_CLIENTS] for at in range(0, len(names), MAX_CLIENTS)]
            options.append((f"the first {MAX_CLIENTS}", ()))
            options += [(f"{client_name(group[0])} to {client_name(group[-1])}", group) for group in groups[1:]]
        if len(names) > 1:
            options += [(client_name(name), (name,)) for name in names]
        if list(self.clients.options) != options:
            chosen = self.clients.value
            with self.hold_trait_notifications():
                self.clients.options = options
                self.clients.value = chosen if chosen in [value for _, value in options] else ()
        self.clients.layout.display = "" if len(names) > 1 else "none"

    def close(self) -> None:
        """Close the panel, everything in it, and what waits to be drawn."""
        self._is_closed = True
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._stop()
        with contextlib.suppress(ValueError):  # the list is closed already
            self._explorer.frame_list.unobserve(self._selected, names="selected")
        for child in self.children:
            release(child)
        self.layout.close()
        super().close()


def _button(name: str, tooltip: str, act: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=name, tooltip=tooltip)
    button.layout.width = "max-content"
    button.on_click(lambda _: act())
    return button


def parties_panel(explorer: Explorer) -> PartiesPanel:
    """The panel of the tab."""
    return PartiesPanel(explorer)
