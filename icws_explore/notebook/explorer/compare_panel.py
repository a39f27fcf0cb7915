"""The tab for comparing: the recording beside another one, or two of its sessions beside each other.

The comparison is made of the frames that there are when it is asked for, on a thread, because it verifies both sides.
It is drawn by `comparison_view`; the page's part makes the frame numbers of the explorer's recording links.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import ipywidgets
import traitlets

from icws_explore.analysis.compare import Comparison
from icws_explore.analysis.compare.comparison import compare
from icws_explore.analysis.recording import load
from icws_explore.capture import Capture
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.cards.comparison import comparison_view
from icws_explore.views.formatting import one_line
from icws_explore.views.html import note_view
from icws_explore.views.theme import color_variables

from .frame_index import FrameIndex
from .release import release
from .widget import ExplorerWidget, FileDrop, source_text

if TYPE_CHECKING:
    from .explorer import Explorer

# The name of the other side, its capture, and the session of it that is wanted; None: all sessions.
Other: TypeAlias = tuple[str, Capture, str | None]

ALL: Final = ("all sessions", ())
# Both sides beside each other also on a projector.
NARROW: Final = """
.icws-comparison { container: icws-comparison / inline-size; }
@container icws-comparison (max-width: 760px) {
  .icws-comparison .icws.icws .icws-view table.icws-compared td { font-size: 11px; padding: 2px 3px; }
  .icws-comparison .icws.icws .icws-view table.icws-compared td.icws-said { min-width: 4rem; }
}
"""
NOTHING: Final = "type the path of a recording first, or upload one"


class ComparedEvents(ExplorerWidget):
    """The comparison on the page. ``on_link`` is called with the number of a frame that was clicked."""

    _esm = source_text("compare_panel.js")
    _css = color_variables() + NARROW

    html = traitlets.Unicode().tag(sync=True)
    first = traitlets.Int(-1).tag(sync=True)  # the explorer's frame at the first difference; -1: it has none
    both = traitlets.Bool(False).tag(sync=True)  # whether both sides are the explorer's recording

    def __init__(self, on_link: Callable[[int], None]) -> None:
        super().__init__()
        self._on_link = on_link
        self.on_msg(self._asked)

    def show(self, comparison: Comparison | None, *, both: bool = False) -> None:
        """Show a comparison, or nothing."""
        with self.hold_sync():
            self.html = "" if comparison is None else comparison_view(comparison).html
            self.first = -1 if comparison is None else _first_frame(comparison)
            self.both = both

    def _asked(self, _widget: Any, message: Any, _buffers: Any) -> None:
        match message:
            case {"type": "link", "frame": int(number)}:
                self._on_link(number)


class ComparePanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Choose what to compare ``explorer``'s recording with, and see what differs, the first difference on top."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._lock = threading.Lock()
        self._index: FrameIndex | None = None
        self._thread: threading.Thread | None = None
        self._wanted = 0  # the number of the newest comparison; an earlier one that ends later is not shown
        self.path = ipywidgets.Text(placeholder="session.icws, session.har", description="compare with")
        self.path.style.description_width = "max-content"
        self.path.layout.flex, self.path.layout.width = "1 1 260px", "auto"
        self.path.continuous_update = False  # Enter
        self.path.observe(lambda _: self.compare_path(), names="value")
        self.upload = FileDrop(self.compare_upload)
        self.mine = ipywidgets.Dropdown(description="of this recording")
        self.theirs = ipywidgets.Dropdown(description="with its session")
        for chooser in (self.mine, self.theirs):
            chooser.style.description_width = "max-content"
            chooser.layout.width = "max-content"
        files = _row(
            self.path, _button("Compare", "a path on the machine of the kernel", self.compare_path), self.upload
        )
        self._sessions = _row(
            self.mine, self.theirs, _button("Compare the sessions", "two of this recording", self.compare_session)
        )
        self.said = ipywidgets.HTML()
        self.events = ComparedEvents(explorer.select)
        super().__init__([files, self._sessions, self.said, self.events])
        self._stop = explorer.on_change(self.update)
        self.update()

    def update(self) -> None:
        """Offer the sessions of the recording; of another recording the comparison is gone."""
        index = self._explorer.index
        names = [name for name in list(index.instants.sessions) if name is not None]
        options = [ALL, *((one_line(name), (name,)) for name in names)]  # a value of None would be no choice
        if list(self.mine.options) != options:
            for chooser, offered, usual in ((self.mine, options, 0), (self.theirs, options[1:] or options, -1)):
                chosen = chooser.value
                chooser.options = offered
                chooser.value = chosen if chosen in [value for _, value in offered] else offered[usual][1]
        self._sessions.layout.display = "" if len(names) > 1 else "none"
        if index is not self._index:
            self._index = index
            self._wanted += 1
            self.events.show(None)
            self._say("")

    def compare_path(self) -> None:
        """Compare with the file whose path was typed."""
        path = self.path.value.strip().strip("'\"")
        if not path:
            self._say(NOTHING, "bad")
            return
        self._begin(lambda: (Path(path).name, load(Path(path).expanduser()).raw, None))

    def compare_upload(self, name: str, content: bytes) -> None:
        """Compare with a file that the browser sent."""
        self._begin(lambda: _uploaded(name, content))

    def compare_session(self) -> None:
        """Compare one session of the recording with another one."""
        mine, theirs = self.mine.value, self.theirs.value
        if not mine or not theirs or mine == theirs:
            self._say("choose two sessions of this recording", "bad")
            return
        capture = self._capture()
        self._begin(lambda: (f"session {theirs[0]}", capture, theirs[0]))

    def _capture(self) -> Capture:
        """The explorer's recording as far as it is read."""
        index = self._explorer.index
        with index.lock:
            raw = index.recording.raw
            return Capture(raw.info, [decoded.frame for decoded in index.frames], list(raw.notes), raw.page_calls)

    def _begin(self, read: Callable[[], Other]) -> None:
        """Read the other side and compare, on a thread."""
        self._say("comparing …", "note")
        capture, session = self._capture(), next(iter(self.mine.value), None)
        self._wanted += 1
        self._thread = threading.Thread(
            target=self._compare,
            args=(self._wanted, capture, session, read),
            name="icws-explorer-compares",
            daemon=True,
        )
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait at most ``timeout_s`` real seconds for the comparison that was asked for last."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _compare(self, number: int, capture: Capture, session: str | None, read: Callable[[], Other]) -> None:
        try:
            name, other, theirs = read()
            this = self._explorer.name if session is None else f"session {session}"
            names = (this, name) if this != name else ("this", f"the other {name}")
            found = compare(capture, other, names=names, sessions=(session, theirs))
        except (IcwsError, OSError) as error:
            self._done(number, None, str(error))
        except Exception as error:  # noqa: BLE001  # in a thread nobody would see it
            self._done(number, None, f"the recordings cannot be compared: {type(error).__name__}: {error}")
        else:
            self._done(number, found, "", both=theirs is not None)

    def _done(self, number: int, comparison: Comparison | None, line: str, *, both: bool = False) -> None:
        with self._lock:
            if number == self._wanted:
                self.events.show(comparison, both=both)
                self._say(line, "bad")

    def _say(self, line: str, weight: Any = "note") -> None:
        self.said.value = note_view(one_line(line), weight).html if line else ""

    def close(self) -> None:
        """Close the panel with everything in it."""
        with self._lock:
            self._wanted += 1
        self._stop()
        for child in self.children:
            release(child)
        self.layout.close()
        super().close()


def _first_frame(comparison: Comparison) -> int:
    first = comparison.first
    if first is None:
        return -1
    row = None if comparison.first_row is None else comparison.rows[comparison.first_row]
    numbers = first.frames or (() if row is None or row.frame is None else (row.frame,))
    return numbers[0] if numbers else -1


def _uploaded(name: str, content: bytes) -> Other:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return name, load(path).raw, None


def _row(*children: Any) -> Any:
    row = ipywidgets.HBox(children)
    row.layout.flex_flow = "row wrap"
    row.layout.align_items = "center"
    return row


def _button(words: str, tooltip: str, action: Callable[[], None]) -> Any:
    button = ipywidgets.Button(description=words, tooltip=tooltip, button_style="primary")
    button.layout.width = "max-content"
    button.on_click(lambda _: action())
    return button


def compare_panel(explorer: Explorer) -> ComparePanel:
    """The panel of the tab."""
    return ComparePanel(explorer)
