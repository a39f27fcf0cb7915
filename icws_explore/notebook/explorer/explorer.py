"""`icws_explore.explore`: frames that pass or have passed, each with its bytes, its proof and its deadlines.

An `Explorer` puts widgets together: the list of frames, the detail of the selected one, and tabs below them. A tab's
panel is made when it is first opened, by a function in `PANELS`. What the explorer started itself (a lab from the start
page, a tap in front of a lab) ends with it; what it was given stays as it is.

Three things run beside the kernel: a thread that takes new frames in, a thread that verifies them, and the comms of the
widgets, which JupyterLab calls on threads of their own. `close` ends all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, Self, TypeAlias

import ipywidgets

from icws_explore.analysis.doctor import Findings
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.lab.process import ProcessLab
from icws_explore.live.session import Session
from icws_explore.live.tap import Tap
from icws_explore.protocol.errors import ArgumentValueError, ConnectError
from icws_explore.views.facts import Fact, Weight, recording_facts
from icws_explore.views.formatting import one_line

from ..live_timing import CellRun, current_cell
from .checker import Checker, Proofs
from .compare_panel import compare_panel
from .export_panel import export_panel
from .fault_panel import fault_panel
from .findings_panel import findings_panel
from .frame_detail import FrameDetail
from .frame_index import FrameIndex, ProofState
from .frame_list import FrameList
from .live.lab_clock import LabClock
from .live_panel import live_panel
from .parties_panel import parties_panel
from .release import release
from .source import Follower, Source, may_grow, recording_of, source_line, source_name
from .start_page import start_page
from .static_twin import static_twin
from .timing_panel import timing_panel

Panel: TypeAlias = Callable[["Explorer"], Any]

# Title and maker of each tab. A panel is a DOMWidget; its `close` releases all that it holds.
PANELS: Final[list[tuple[str, Panel]]] = [
    ("Findings", findings_panel),
    ("Live", live_panel),
    ("Timing", timing_panel),
    ("Parties", parties_panel),
    ("Faults", fault_panel),
    ("Compare", compare_panel),
    ("Export", export_panel),
]

_TWIN_WAITS_S: Final = 2.0  # real seconds for the doctor's first look, before the static twin is made

_open: dict[Explorer, CellRun] = {}


class _Root(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The explorer on the page. Closed by anybody, it takes the explorer with it."""

    def __init__(self, explorer: Explorer, children: list[Any]) -> None:
        super().__init__(children)
        self._explorer: Explorer | None = explorer

    def close(self) -> None:
        explorer, self._explorer = self._explorer, None
        if explorer is not None:
            explorer.close()
        super().close()


class Explorer:
    """The explorer of one source at a time; made by `icws_explore.explore`. The last line of a cell shows it.

    ``recording`` is what is shown (None on the start page), ``session``, ``lab`` and ``tap`` where the frames come
    from, as far as they are known, ``path`` the file that was opened. ``findings`` is what the doctor has said so
    far. Run again, the cell that showed it closes it first.
    """

    def __init__(self, source: Source | None = None) -> None:
        self.recording: Recording | None = None
        self.session: Session | None = None
        self.lab: Lab | None = None
        self.tap: Tap | None = None
        self.findings = Findings()
        self.index = FrameIndex(Recording(Capture()))
        self.proofs = Proofs(self.index)
        self._facts: list[Fact] = []  # of the recording; to count them takes milliseconds
        self._lock = threading.RLock()
        self._callbacks: list[Callable[[], None]] = []
        self._is_told = False
        self._closed = False
        self._owned: list[Lab | Tap | Session] = []
        self._follower: Follower | None = None
        self._checker: Checker | None = None
        self.name = ""
        self.path: str | None = None
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:  # a script: callbacks come on the thread that found the frames
            self._loop = None
        self._take_the_place_of_earlier()
        self.frame_list = FrameList(self.index)
        self.frame_detail = FrameDetail(self.index, on_link=self.select)
        self._build()
        try:
            if source is not None:
                self.open(source)
            else:
                self._show_start()
        except BaseException:
            self.close()
            raise
        _open[self] = self._cell

    def _take_the_place_of_earlier(self) -> None:
        self._cell = current_cell()
        for other, there in list(_open.items()):
            if self._cell.replaces(there):
                other.close()

    # What is on the page

    def _build(self) -> None:
        self.frame_list.add_class("icws-pane-list")
        self.frame_detail.add_class("icws-pane-detail")
        self.frame_list.observe(self._show_selected, names="selected")
        self._title = ipywidgets.HTML()
        self._title.layout.flex = "1 1 auto"
        self._again = ipywidgets.Button(description="open another …", tooltip="a lab, a gateway or a file")
        self._again.layout.width = "max-content"
        self._again.on_click(lambda _: self._show_start())
        self._clock = LabClock()
        top = ipywidgets.HBox([self._title, self._clock, self._again])
        top.add_class("icws-top")
        self._panes = ipywidgets.Box([self.frame_list, self.frame_detail])
        self._panes.add_class("icws-panes")
        self._panes.add_class("icws-none-selected")
        self._start: Any = None
        self._stage = ipywidgets.VBox([])
        self._panels: dict[int, Any] = {}
        self._tabs = ipywidgets.Tab([ipywidgets.VBox([]) for _ in PANELS], titles=[title for title, _ in PANELS])
        self._tabs.add_class("icws-tabs-below")
        self._tabs.selected_index = 0
        self._tabs.observe(lambda _: self._open_panel(), names="selected_index")
        self.widget = _Root(self, [top, self._stage, self._tabs])
        self.widget.add_class("icws-explorer")

    def _show_selected(self, change: Any) -> None:
        number = _number(change["new"])
        self.frame_detail.show(number)
        set_class = self._panes.add_class if number is None else self._panes.remove_class
        set_class("icws-none-selected")

    def _open_panel(self) -> None:
        """Make the panel of the tab that is in front, if it is not there yet."""
        place = self._tabs.selected_index
        if place is None or place in self._panels or self._closed or self.recording is None:
            return
        _, make = PANELS[place]
        self._panels[place] = make(self)
        self._tabs.children[place].children = [self._panels[place]]

    @property
    def is_diagnosed(self) -> bool:
        """Whether the doctor has looked at this recording."""
        return self._checker is not None and self._checker.first_diagnosis.is_set()

    def panel(self, title: str) -> Any:
        """Open the tab with this title, and return its panel. Raises KeyError for a title that no tab has."""
        titles = [name for name, _ in PANELS]
        if title not in titles:
            raise KeyError(f"there is no tab {title!r}: the tabs are {', '.join(titles)}")
        self._tabs.selected_index = titles.index(title)
        self._open_panel()
        return self._panels.get(titles.index(title))

    def _show_start(self) -> None:
        """Show the start page in place of the frames; a source that is open goes on meanwhile."""
        if self._start is None:
            self._start = start_page(self)
        self._stage.children = [self._start]
        self._tabs.layout.display = "none"
        self._again.layout.display = "none"
        self._tell_title()

    def show_frames(self) -> None:
        """Show the frames, after the start page."""
        self._stage.children = [self._panes]
        self._tabs.layout.display = ""
        self._again.layout.display = ""
        if self._start is not None:
            release(self._start)
            self._start = None
        self._tell_title()
        self._open_panel()

    def _tell_title(self) -> None:
        from markupsafe import Markup

        words, name = "nothing is open", "icws explorer"
        if self.recording is not None:
            words, name = source_line(self.recording), self.name
        value = str(Markup("<span class='icws' title='{1}'><b>{0}</b> · {1}</span>").format(name, words))
        if self._title.value != value:
            self._title.value = value
        self._clock.follow(self.lab)

    def _tell_overview(self, *, grown: bool = False) -> None:
        if self.recording is None:
            return
        if grown:
            self._facts = recording_facts(self.recording.raw)
        self.frame_detail.show_overview([*self._facts, *self._check_facts()])

    def _check_facts(self) -> Iterator[Fact]:
        """What the proofs and the doctor say, as facts of the recording."""
        with self.index.lock:
            states = list(self.index.proofs.values())
        if states:
            failed, unchecked = states.count("failed"), states.count("unchecked")
            parts = [f"{states.count('passed')} passed"]
            parts += [f"{number} {name}" for number, name in ((failed, "failed"), (unchecked, "not checked")) if number]
            yield Fact("proofs", ", ".join(parts), "bad" if failed else "note" if unchecked else "good")
        if self.is_diagnosed:
            weights: dict[str, Weight] = {"failed": "bad", "not checked": "note", "passed": "good"}
            found = ", ".join(self.findings.ids)
            words = f"{self.findings.conclusion}{f': {found}' if found else ''}"
            yield Fact("doctor", words, weights[self.findings.state])

    # What is shown

    def open(self, source: Source, *, owned: bool = False, name: str = "") -> None:
        """Show another source, called ``name``, and release the one before. ``owned``: end this one as well then.

        A session of the lab that is open is shown beside it: the lab and its tap stay. Raises CaptureError for a file
        that cannot be read, LabError for a lab that does not start, ArgumentTypeError for anything else.
        """
        with self._lock:
            if isinstance(source, Session) and self._is_of_the_lab(source):
                self._open_beside_lab(source, owned=owned)
                return
            lab = source if isinstance(source, Lab) else None
            session = source if isinstance(source, Session) else None
            tap = source if isinstance(source, Tap) else None
            owns: list[Lab | Tap | Session] = []
            if isinstance(source, ProcessLab):
                raise ArgumentValueError(
                    "the explorer looks into a lab: leave out process=True, or give it icws.Tap(lab)"
                )
            if isinstance(source, Lab):
                tap = Tap(source.start()).start()
                owns.append(tap)
                recording = tap.recording
            else:
                recording = recording_of(source)
            if owned and isinstance(source, (Lab, Session, Tap)):
                owns.append(source)
            self._end()
            self.lab, self.tap, self.session, self._owned = lab, tap, session, owns
            self.name = name or source_name(source)
            self.path = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
            self._begin(recording, session or tap)

    def _open_beside_lab(self, session: Session, *, owned: bool) -> None:
        self.session = session
        if owned:
            self._owned.append(session)
        if self.tap is not None and session.recording.info.gateway_url == self.tap.url:
            self._changed()  # the tap's recording has its frames
        else:
            self._begin(session.recording, session)

    def _is_of_the_lab(self, session: Session) -> bool:
        if self.lab is None or not self.lab.running:
            return False
        urls = {gateway.url for gateway in self.lab.gateways} | ({self.tap.url} if self.tap is not None else set())
        return session.recording.info.gateway_url in urls

    def _begin(self, recording: Recording, watched: Session | Tap | None) -> None:
        self._stop_threads()
        self.recording = recording
        self.findings = Findings()
        index = self.index = FrameIndex(recording)
        index.take()
        proofs = self.proofs = Proofs(index)
        self.frame_list.live = watched is not None or (self.path is None and may_grow(recording))
        set_class = self._panes.add_class if self.frame_list.live else self._panes.remove_class
        set_class("icws-panes-live")
        self.frame_list.status = ""
        self.frame_list.empty = self._empty(watched)
        self.frame_list.show(index)
        self.frame_detail.show_recording(index, proofs)
        self._checker = Checker(
            index, proofs, on_proofs=self._proved, on_findings=self._found, on_status=self._say_status
        )
        self._checker.start()
        if self.frame_list.live or index.has_more:
            self._follower = Follower(index, watched, self._grown, growing=self.frame_list.live).start()
        self._tell_overview(grown=True)
        self.show_frames()
        self._changed()

    def _empty(self, watched: Session | Tap | None) -> str:
        """What the list says while there is no frame."""
        if isinstance(watched, Tap):
            with contextlib.suppress(ConnectError):  # it was stopped
                here = "press Connect to this lab" if self.lab is not None else "connect"
                return f"no frame has passed yet: {here} in the tab Live, or a client of your own to {watched.url}"
        return "no frame has passed yet" if watched is not None else "the recording holds no frame"

    def _grown(self) -> None:
        """New frames are in the index; on the follower's thread."""
        self.frame_list.grew()
        if self._checker is not None:
            self._checker.wake()
        self._tell_title()
        self._tell_overview(grown=True)
        self._changed()

    def _proved(self, proofs: dict[int, ProofState]) -> None:
        self.frame_list.mark(self.index.mark(proofs))
        self._tell_overview()

    def _found(self, findings: Findings) -> None:
        self.findings = findings
        worst: dict[int, str] = {}
        for finding in findings:
            for number in finding.frames:
                worst.setdefault(number, finding.severity)
        self.frame_list.mark(self.index.mark_findings(worst))
        self.frame_detail.show_findings(findings)
        self._tell_overview()
        self._changed()

    def _say_status(self, words: str) -> None:
        if self.frame_list.status != words:
            self.frame_list.status = words

    def select(self, frame_number: int) -> None:
        """Select a frame: its row, if the filter shows it, and its detail."""
        self.frame_list.reveal(frame_number)

    def select_evidence(self, frame_number: int) -> None:
        """Select a frame that a finding names, with the step of its proof that failed, if one did."""
        self.select(frame_number)
        self.frame_detail.turn_to_failure()

    @property
    def selected(self) -> int | None:
        """The number of the selected frame."""
        return _number(self.frame_list.selected)

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` on the kernel's loop when the source, its frames or its findings changed; returns what
        stops this."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def _changed(self) -> None:
        """Tell everybody, once for all that happens until the loop comes to it."""
        if self._closed:
            return
        if self._loop is None or self._loop.is_closed():
            self._tell()
        elif not self._is_told:
            self._is_told = True
            with contextlib.suppress(RuntimeError):  # the loop was closed just now: the kernel ends
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._is_told = False
        for callback in list(self._callbacks):
            if not self._closed:
                callback()

    # The end

    def close(self) -> None:
        """End all that the explorer started: threads, widgets, its own labs, taps and sessions. Twice is once."""
        if self._closed:
            return
        self._closed = True
        _open.pop(self, None)
        self._end()
        self._callbacks.clear()
        for panel in self._panels.values():
            panel.close()
        if self._start is not None:
            release(self._start)
        # The panels are closed already, and the root closes the explorer.
        for holder in self._tabs.children:
            holder.children = []
        self._stage.children = [self._panes]
        release(self.widget)

    def _stop_threads(self) -> None:
        threads = [thread for thread in (self._follower, self._checker) if thread is not None]
        self._follower = self._checker = None
        for thread in threads:
            thread.stop()

    def _end(self) -> None:
        self._stop_threads()
        owned, self._owned = self._owned, []
        for part in owned:
            if isinstance(part, Session):
                _close_session(part)
            else:
                part.stop()
        self.session = self.lab = self.tap = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # In a notebook

    def _repr_mimebundle_(self, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and where no widget can be shown the static twin."""
        bundle: Any = self.widget._repr_mimebundle_(**more)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        if self._checker is not None:
            self._checker.first_diagnosis.wait(_TWIN_WAITS_S)
        twin = static_twin(self.recording, self.findings, self.selected)
        return {**(data or {}), "text/html": twin.html, "text/plain": twin.text}, dict(metadata)

    def __repr__(self) -> str:
        return f"<Explorer: {'start page' if self.recording is None else one_line(repr(self.recording))}>"


def _number(selected: int) -> int | None:
    return None if selected < 0 else selected


def _close_session(session: Session) -> None:
    """End a session, on whatever loop runs."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(session.close())
        return
    task = loop.create_task(session.close(), name="icws-explorer-closes")
    _closing.add(task)
    task.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()


def explore(source: Source | None = None) -> Explorer:
    """The explorer in a notebook: the frames of ``source`` as a list to filter, and the selected one in full.

    ``source`` is a `Lab` (a tap is put in front of its gateway: clients connect to ``explorer.tap.url``), a `Session`,
    a `Tap`, a `Recording`, or the path of an .icws file, a HAR file or a packet capture. None: a start page, on which a
    lab is one click away. Frames that pass later appear as they pass. `Explorer.close` ends what the explorer started.

    Raises CaptureError for a file that cannot be read, LabError, ConnectError, and ArgumentTypeError for anything else.
    """
    return Explorer(source)
