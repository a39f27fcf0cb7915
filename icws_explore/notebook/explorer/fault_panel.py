"""The explorer's panel for breakpoints and faults: hold frames and decide about them, switch faults on and off.

It acts on the explorer's tap, or on its lab if there is no tap. Frames are held on the thread of that tap or lab; this
widget shows a snapshot of them at most `UPDATES_PER_S` times a second. The page's part is fault_panel.js. It sends what
the user does as messages, and each message is answered by new state, or by one line in ``error``.
"""

from __future__ import annotations

import ast
import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import anywidget
import ipywidgets
import traitlets

from icws_explore.analysis import edit
from icws_explore.analysis.annotate import annotate_frame
from icws_explore.capture import Frame
from icws_explore.lab import Lab
from icws_explore.lab.scenarios import scenario
from icws_explore.lab.scenarios.switches import FaultSwitches
from icws_explore.live.breakpoints import HeldFrame, Hold, PathControl
from icws_explore.live.path import HOLD_S
from icws_explore.live.session import Session
from icws_explore.live.tap import Tap
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError, IcwsError
from icws_explore.views.formatting import one_line

UPDATES_PER_S: Final = 5
LOOK_S: Final = 1.0  # seconds between two looks at the faults that are on
MAX_SHOWN: Final = 100  # held frames
MAX_EDIT: Final = 64 * 1024  # bytes of a frame that can be edited as hex
MAX_FIELDS: Final = 200
MAX_VALUE: Final = 200  # characters of a field's value
_HERE: Final = Path(__file__).parent


class Explorer(Protocol):
    """What the panel needs of the explorer."""

    @property
    def lab(self) -> Lab | None: ...
    @property
    def tap(self) -> Tap | None: ...
    @property
    def session(self) -> Session | None: ...
    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]: ...


def fault_panel(explorer: Explorer) -> FaultPanel:
    """Return the panel of an explorer. Close it with ``close``."""
    return FaultPanel(explorer)


class FaultPanel(anywidget.AnyWidget):
    """Breakpoints, held frames and fault switches of the explorer's tap or lab."""

    _esm = (_HERE / "fault_panel.js").read_text(encoding="utf-8")  # a Path would keep every instance alive
    target = traitlets.Unicode("").tag(sync=True)  # what it acts on; empty: nothing
    holds: Any = traitlets.List().tag(sync=True)
    held: Any = traitlets.List().tag(sync=True)
    selected = traitlets.Dict().tag(sync=True)
    faults: Any = traitlets.List().tag(sync=True)
    refused: Any = traitlets.List().tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)
    done: Any = traitlets.List().tag(sync=True)  # what was decided, the newest last

    def __init__(self, explorer: Explorer) -> None:
        super().__init__()
        self._explorer = explorer
        self._lock = threading.RLock()
        self._ids: dict[str, HeldFrame] = {}
        self._hold_ids: dict[str, Hold] = {}
        self._next_id = 0
        self._control: PathControl | None = None
        self._switches: list[FaultSwitches] = []  # of the tap, then of the lab for what the tap cannot do
        self._stop_listening: Callable[[], object] = lambda: None
        self._is_planned = False
        self._is_closed = False
        self._watching: asyncio.TimerHandle | None = None
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:  # a script: nothing is shown while it runs
            self._loop = None
        self.on_msg(self._received)
        self._leave = explorer.on_change(self._explorer_changed)
        self._bind()

    def close(self) -> None:
        """Release what this panel holds, and close its comms. Breakpoints that it has set end."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._leave()
            self._stop_listening()
            if self._watching is not None:
                self._watching.cancel()
            for hold in self._hold_ids.values():
                hold.release()
            self._ids.clear()
            self._hold_ids.clear()
        layout: ipywidgets.Layout = self.layout
        super().close()
        layout.close()

    # -- what it acts on ---------------------------------------------------------------------------

    def _explorer_changed(self, *_: object) -> None:
        self._soon(self._bind)

    def _bind(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            tap, lab = self._explorer.tap, self._explorer.lab
            target: Tap | Lab | None = tap or lab
            control = None if target is None else target.control
            if control is not self._control:
                self._stop_listening()
                self._ids, self._hold_ids = {}, {}
                self._control = control
                self._switches = [] if tap is None else [FaultSwitches(tap)]
                self._switches += [] if lab is None else [lab.faults]
                self._stop_listening = (lambda: None) if control is None else control.listen(self._path_changed)
                self.target = " and ".join(name for name, each in (("lab", lab), ("tap", tap)) if each is not None)
            self._show()

    # -- from the thread of the tap or lab ---------------------------------------------------------

    def _path_changed(self) -> None:
        """Plan one redraw, however much changes meanwhile."""
        if self._is_planned or self._is_closed:
            return
        if self._loop is None:
            self._show()
            return
        self._is_planned = True
        self._soon(lambda: self._loop.call_later(1 / UPDATES_PER_S, self._show) if self._loop else None)

    def _soon(self, what: Callable[[], object]) -> None:
        if self._loop is None or self._loop.is_closed():
            what()
        else:
            self._loop.call_soon_threadsafe(what)

    # -- to the page -------------------------------------------------------------------------------

    def _show(self) -> None:
        with self._lock:
            self._is_planned = False
            if self._is_closed:
                return
            control = self._control
            holds = () if control is None else control.holds
            self._hold_ids = {self._id_of(hold, self._hold_ids): hold for hold in holds}
            frames = [(hold, frame) for hold in holds for frame in hold.frames]
            self._ids = {self._id_of(frame, self._ids): frame for _, frame in frames[:MAX_SHOWN]}
            with self.hold_sync():
                self.holds = [
                    {"id": key, "where": hold.where, "count": len(hold)} for key, hold in self._hold_ids.items()
                ]
                self.held = [_row(key, frame) for key, frame in self._ids.items()]
                if self.selected and self.selected["id"] not in self._ids:
                    self.selected = {}
                self._show_faults()
            self._watch_faults()

    def _show_faults(self) -> None:
        offered = {fault.name: (fault, each) for each in reversed(self._switches) for fault in each.offered}
        self.faults = [
            {
                "name": fault.name,
                "about": fault.about,
                "noticed": fault.noticed,
                "severity": fault.severity,
                "on": fault.name in switches.active,
                "acts": switches.acts(fault.name),
            }
            for fault, switches in offered.values()
        ]
        refused = self._switches[-1].refused if self._switches else {}
        self.refused = [
            {"name": name, "about": scenario(name).about, "why": why}
            for name, why in refused.items()
            if name not in offered
        ]

    def _watch_faults(self) -> None:
        """While a fault is on, look now and then whether it has acted: that changes nothing else."""
        if self._loop is not None and any(fault["on"] for fault in self.faults):
            self._soon(self._look_later)  # this may be another thread than the loop's

    def _look_later(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._loop is not None and not self._is_closed:
            self._watching = self._loop.call_later(LOOK_S, self._show)

    def _id_of(self, item: object, known: dict[str, Any]) -> str:
        for key, each in known.items():
            if each is item:
                return key
        self._next_id += 1
        return str(self._next_id)

    # -- from the page -----------------------------------------------------------------------------

    def _received(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        with self._lock:
            if self._is_closed:
                return
            self.error = ""
            try:
                self._act(str(content.get("do")), content)
            except (IcwsError, ValueError) as error:
                self.error = one_line(str(error))
            self._show()

    def _act(self, what: str, content: dict[str, Any]) -> None:
        if self._control is None or not self._switches:
            return
        match what:
            case "hold":
                self._control.hold(str(content["where"]), timeout_s=float(content.get("timeout_s") or HOLD_S))
            case "release":
                if (hold := self._hold_ids.get(str(content["id"]))) is not None:
                    hold.release()
            case "select":
                self._select(str(content["id"]))
            case "set":
                self._set_field(content)
            case "sign":
                self._sign(content)
            case "fault":
                switches = self._switches_of(str(content["name"]))
                (switches.on if content["on"] else switches.off)(str(content["name"]))
            case _:
                self._decide(what, content)

    def _switches_of(self, name: str) -> FaultSwitches:
        """Those that can switch a fault; the last ones, which say why they cannot, if none can."""
        return next((each for each in self._switches if each.why_not(name) is None), self._switches[-1])

    def _decide(self, what: str, content: dict[str, Any]) -> None:
        held = self._ids.get(str(content.get("id")))
        if held is None:
            raise IcwsError("this frame is not held any more")
        kind = held.decoded.kind
        match what:
            case "forward":
                held.forward(None if content.get("hex") is None else _bytes(content["hex"]))
            case "drop":
                held.drop()
            case "duplicate":
                held.duplicate()
            case "reorder":
                held.reorder()
            case "delay":
                held.delay(float(content.get("seconds") or 0))
            case _:
                raise IcwsError(f"there is no action {what!r}")
        self.done = [*self.done[-9:], f"{kind}: {held.did}"]

    def _select(self, key: str) -> None:
        held = self._ids.get(key)
        if held is not None:
            self.selected = self._detail(key, held, held.frame)

    def _set_field(self, content: dict[str, Any]) -> None:
        key, held, frame = self._edited(content)
        assert self._control is not None
        value = _value(str(content["value"]))
        changed = edit.set(frame, str(content["path"]), value, app_type=self._control.app_type)
        self.selected = self._detail(key, held, changed)

    def _sign(self, content: dict[str, Any]) -> None:
        key, held, frame = self._edited(content)
        refusal = self._sign_refusal(held)
        session = self._explorer.session
        if refusal != "" or session is None:
            raise IcwsError(refusal or "only a client's request can be signed again")
        signed = replace(frame, data=session.sign_frame(frame.data))
        self.selected = self._detail(key, held, signed, is_signed=True)

    def _edited(self, content: dict[str, Any]) -> tuple[str, HeldFrame, Frame]:
        """A held frame by its id, and as it is edited on the page."""
        key = str(content.get("id"))
        held = self._ids.get(key)
        if held is None:
            raise IcwsError("this frame is not held any more")
        return key, held, replace(held.frame, data=_bytes(content["hex"]))

    def _sign_refusal(self, held: HeldFrame) -> str | None:
        """Why a client's request cannot be signed again here; "" if it can, None if the frame is no such request."""
        if held.frame.direction != "out" or held.frame.op != "binary":
            return None
        try:
            sender = Envelope.decode_frame(held.frame.data).content.get("sender")
        except DecodeError:
            return None
        session = self._explorer.session
        if session is None or sender != session.principal.raw:
            return "only the client can sign it: its key is not in this explorer"
        return ""

    def _detail(self, key: str, held: HeldFrame, frame: Frame, *, is_signed: bool = False) -> dict[str, Any]:
        can_edit = frame.op in ("binary", "text") and len(frame.data) <= MAX_EDIT
        assert self._control is not None
        return {
            "id": key,
            "hex": frame.data.hex() if can_edit else "",
            "was": held.frame.data.hex() if can_edit else "",
            "can_edit": can_edit,
            "fields": _fields(frame, self._control) if can_edit else [],
            "sign_refusal": self._sign_refusal(held) if can_edit else None,
            "is_signed": is_signed,
        }


def _row(key: str, held: HeldFrame) -> dict[str, Any]:
    decoded = held.decoded
    return {
        "id": key,
        "direction": decoded.frame.direction,
        "kind": decoded.kind,
        "seq": decoded.sequence_num,
        "session": decoded.frame.session or "",
        "size": decoded.size,
        "summary": one_line(decoded.summary)[:MAX_VALUE],
    }


def _fields(frame: Frame, control: PathControl) -> list[dict[str, str]]:
    """Return the fields that hold one value, each with its path."""
    root = annotate_frame(frame, app_type=control.app_type)
    # A text has children, but only for how it is encoded.
    leaves = [
        node
        for node in root.walk()
        if node.path and ":" not in node.path and node.value is not None and all(":" in c.path for c in node.children)
    ]
    # The application's message, what is around it, and its proof.
    leaves.sort(key=lambda node: (not node.path.startswith("content.content."), not node.path.startswith("content.")))
    named = {node.path: one_line(_written(node.value))[:MAX_VALUE] for node in leaves[:MAX_FIELDS]}
    return [{"path": path, "value": value} for path, value in named.items()]


def _written(value: Any) -> str:
    """Write a value so that `_value` reads it."""
    return repr(value) if isinstance(value, (str, bytes)) else str(value)


def _bytes(text: object) -> bytes:
    """Read hexadecimal with blanks. Raises IcwsError."""
    try:
        return bytes.fromhex(str(text))
    except ValueError as error:
        raise IcwsError("the bytes are not hexadecimal: write two digits a byte, as 0a ff") from error


def _value(text: str) -> Any:
    """Read a value as Python writes it (7, True, b'…', {'a': 1}); anything else is text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
