"""The list of frames: a widget that asks for the rows that are in sight, and follows a recording that grows.

The state that every view of the list gets holds the first rows, so that it paints without a round trip. Further rows
are asked for in blocks, with the generation of the choice they belong to. What is appended comes with `grew`, marks of
rows that are there already with `mark`. The selection is the number of a frame, so that it survives a filter.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

import traitlets

from icws_explore.analysis.filter import NAMES
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.formatting import one_line
from icws_explore.views.kinds import LOOKS
from icws_explore.views.theme import color_variables

from .frame_index import Choice, FrameIndex
from .widget import ExplorerWidget, source_text

HEAD: Final = 200  # rows that come with the state, and with each growth at most
TAIL: Final = 100  # last rows that come with another choice while the list follows
MAX_BLOCK: Final = 500  # rows in one answer
COLUMNS: Final = ("frame", "time", "session", "direction", "kind", "seq", "size", "summary")
TIMES: Final = ("relative", "since previous", "absolute")

_MEANINGS: Final[Mapping[str, str]] = {
    "frame": "number of the frame, from 0",
    "t": "seconds since the epoch",
    "elapsed": "seconds since the first frame",
    "direction": '"in": received by the client, "out": sent by it',
    "kind": "what the frame is",
    "sequence_num": "its number within its direction",
    "size": "bytes",
    "summary": "the text of the last column",
    "session": "name of the session",
}


class FrameList(ExplorerWidget):
    """The rows of ``index``. ``selected`` is the number of the selected frame, -1 for none."""

    _esm = source_text("frame_list.js")
    _css = color_variables() + source_text("explorer.css")

    total = traitlets.Int().tag(sync=True)  # rows
    frames = traitlets.Int().tag(sync=True)  # frames of the recording
    start = traitlets.Float().tag(sync=True)  # s since the epoch
    generation = traitlets.Int().tag(sync=True)
    head: Any = traitlets.List().tag(sync=True)
    tail: Any = traitlets.Dict().tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    selected_row = traitlets.Int(-1).tag(sync=True)
    where = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    session = traitlets.Unicode().tag(sync=True)
    sessions: Any = traitlets.List().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    paused = traitlets.Bool(False).tag(sync=True)
    times = traitlets.Enum(TIMES, "relative").tag(sync=True)
    columns: Any = traitlets.List([*COLUMNS]).tag(sync=True)
    kinds: Any = traitlets.Dict({kind: look.glyph for kind, look in LOOKS.items()}).tag(sync=True)
    names: Any = traitlets.List([[name, _MEANINGS[name]] for name in NAMES]).tag(sync=True)
    empty = traitlets.Unicode("no frames yet").tag(sync=True)

    def __init__(self, index: FrameIndex) -> None:
        super().__init__()
        self.index = index
        self._sending = threading.RLock()
        self._views = 0
        self.on_msg(self._asked)
        self.observe(self._chosen, names=["where", "text", "session"])
        self.observe(self._paused, names="paused")
        self.observe(self._selected, names="selected")
        self.publish()

    def show(self, index: FrameIndex) -> None:
        """Show another recording, with the same filter."""
        with self._sending:
            self.index = index
            self.paused = False
            if self.session not in index.sessions:
                self.session = ""
            self.selected = -1
            self._chosen(None)

    def publish(self) -> None:
        """Send the list anew: after a choice, or for another recording."""
        with self._sending, self.index.lock, self.hold_sync():
            index = self.index
            self.frames, self.total, self.start = len(index.frames), index.total, index.start
            self.sessions = self._named_sessions()
            self.generation += 1
            self.head = index.rows(0, HEAD)
            # A list that follows shows its end: with these rows it need not ask for them.
            self.tail = self._tail(max(0, index.total - TAIL)) if self.live else {}
            self.selected_row = index.row_of(self.selected)

    def grew(self) -> None:
        """Send what was appended, unless the list is paused."""
        with self._sending, self.index.lock:
            index = self.index
            if self.paused:
                self.frames = len(index.frames)
                return
            begin = max(self.total, index.total - HEAD)
            with self.hold_sync():
                self.start = index.start
                self.frames = len(index.frames)
                self.sessions = self._named_sessions()
                if index.total > self.total:
                    if self.total < HEAD:
                        self.head = index.rows(0, HEAD)
                    self.total = index.total
                    self.tail = self._tail(begin)

    def _tail(self, begin: int) -> dict[str, Any]:
        return {"generation": self.generation, "start": begin, "rows": self.index.rows(begin, self.index.total)}

    def _named_sessions(self) -> list[str]:
        names = [name for name in self.index.sessions if name]
        return names if len(names) > 1 else []

    def mark(self, marks: Mapping[int, list[str]]) -> None:
        """Send marks of frames: the state of the proof and the worst finding of each."""
        if marks:
            self.send({"type": "marks", "marks": [[number, *both] for number, both in marks.items()]})

    def reveal(self, number: int) -> None:
        """Select frame ``number`` and bring its row into sight. If the filter hides it, the row stays unselected."""
        with self._sending:
            row = self.index.row_of(number)
            self.selected = number
            self.send({"type": "reveal", "frame": number, "row": row})

    def _chosen(self, _change: Any) -> None:
        with self._sending:
            try:
                self.index.choose(Choice(self.where, self.text.strip(), self.session))
            except IcwsError as error:
                self.error = one_line(str(error)).removeprefix(f"cannot read the filter {self.where!r}: ")
                return
            self.error = ""
            self.publish()

    def _paused(self, _change: Any) -> None:
        if not self.paused:
            self.grew()

    def _selected(self, _change: Any) -> None:
        self.selected_row = self.index.row_of(self.selected)

    @property
    def is_seen(self) -> bool:
        """Whether some view of the list is open."""
        return self._views > 0

    def _asked(self, _widget: Any, message: Any, _buffers: Any) -> None:
        match message:
            case {"type": "rows", "generation": int(generation), "start": int(start), "stop": int(stop)}:
                self._answer(generation, start, min(stop, start + MAX_BLOCK))
            case {"type": "view", "open": bool(opened)}:
                with self._sending:
                    self._views = max(0, self._views + (1 if opened else -1))

    def _answer(self, generation: int, start: int, stop: int) -> None:
        with self._sending:
            if generation != self.generation:
                return
            rows = self.index.rows(start, min(stop, self.total))
            self.send({"type": "rows", "generation": generation, "start": start, "rows": rows})

    def close(self) -> None:
        """Close the list with its layout, whose comm would stay open otherwise."""
        self.unobserve_all()
        super().close()
