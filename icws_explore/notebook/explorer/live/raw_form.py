"""Raw frames and closing: send any bytes, send a frame of the recording again after an edit, close with any code.

A frame of the recording is loaded as hexadecimal, and a field of it can be changed by its path, as with `icws.edit`:
the lengths around it are adjusted, so only the proof can notice. Before it is sent, a line says how the frame decodes
and, where it can be checked, which step of the proof catches it.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias, cast

import traitlets

from icws_explore.analysis import edit
from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import application_type, decode_frame, value_text
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Frame, Op
from icws_explore.protocol.close_codes import CloseCode, check_close
from icws_explore.protocol.errors import ArgumentValueError, IcwsError
from icws_explore.views.formatting import count, one_line

from .form_values import Refusal, hex_bytes
from .widget import PanelWidget, script, style
from .worker import Worker

SendRaw: TypeAlias = Callable[[bytes, str], Awaitable[Any]]
CloseWith: TypeAlias = Callable[[int, str], Awaitable[Any]]

OPS: Final = ("binary", "text", "ping")
MAX_BYTES: Final = 64 * 1024  # of a frame that is edited here
MAX_FIELDS: Final = 200
MAX_LINE: Final = 400
CODES: Final = (
    (CloseCode.NORMAL_CLOSURE, "normal: as the SDK's close()"),
    (CloseCode.GOING_AWAY, "going away: as a browser that leaves the page"),
    (CloseCode.PROTOCOL_ERROR, "protocol error"),
    (CloseCode.INTERNAL_ERROR, "internal error"),
    (CloseCode.CLOSED_BY_SDK, "the SDK: an error or a time-out"),
    (CloseCode.CLOSED_BY_APPLICATION, "the SDK: the canister's application closed"),
)


class RawForm(PanelWidget):
    """Sends raw frames with ``on_send(data, op)`` and closes with ``on_close(code, reason)``, both coroutine functions.

    ``sign`` signs an edited request anew; None: nobody here can. ``recording`` gives the recording whose frames can
    be loaded, ``selected`` the number of the frame that is selected beside it; both may give None.
    """

    _esm = script("live_parts.js", "raw_form.js")
    _css = style()

    codes: Any = traitlets.List([[int(code), about] for code, about in CODES]).tag(sync=True)
    ops: Any = traitlets.List(list(OPS)).tag(sync=True)
    loaded: Any = traitlets.Dict().tag(sync=True)  # number, hex, op, about: of the frame that was loaded
    changed: Any = traitlets.List().tag(sync=True)  # [number of the change, hex]: after a field was changed
    fields: Any = traitlets.List().tag(sync=True)  # [path, value] of the frame
    verdict: Any = traitlets.List(["", ""]).tag(sync=True)  # [tone, text]: how the bytes decode and what catches them
    status: Any = traitlets.List(["", ""]).tag(sync=True)
    refusal = traitlets.Unicode().tag(sync=True)  # why nothing can be sent now; "" if it can

    def __init__(
        self,
        on_send: SendRaw,
        on_close: CloseWith,
        *,
        sign: Callable[[bytes], bytes] | None = None,
        recording: Callable[[], Recording | None] = lambda: None,
        selected: Callable[[], int | None] = lambda: None,
        worker: Worker | None = None,
    ) -> None:
        super().__init__(worker)
        self._on_send = on_send
        self._on_close = on_close
        self._sign = sign
        self._recording = recording
        self._selected = selected
        self._lock = threading.RLock()
        self._number: int | None = None  # of the loaded frame
        self._changes = 0

    def say(self, tone: str, text: str) -> None:
        """Show one line below the form. ``tone`` is "good", "bad", "busy" or ""."""
        with self._lock:
            self.status = [tone, one_line(text)[:MAX_LINE]]

    def load(self, number: int | None) -> None:
        """Load a frame of the recording. Raises IcwsError if it cannot be edited here."""
        recording = self._recording()
        if recording is None or not len(recording):
            raise ArgumentValueError("there is no frame yet to load")
        if number is None:
            raise ArgumentValueError("select a frame in the list, or write its number")
        if not 0 <= number < len(recording):
            raise ArgumentValueError(f"there is no frame {number}: the last one is {len(recording) - 1}")
        frame = recording.raw[number]
        if frame.op not in OPS:
            raise ArgumentValueError(f"frame {number} is a {frame.op}, which is not sent from here")
        if len(frame.data) > MAX_BYTES:
            raise ArgumentValueError(f"frame {number} has {len(frame.data)} bytes, too many to edit here")
        decoded = recording[number]
        way = "sent by the client" if frame.direction == "out" else "from the canister, not meant for the gateway"
        with self._lock, self.hold_sync():
            self._number = number
            about = one_line(f"frame {number}: {decoded.kind}, {way}")[:MAX_LINE]
            self.loaded = {"number": number, "hex": spaced(frame.data), "op": frame.op, "about": about}
            self._look(frame.data, frame.op)

    def close(self) -> None:
        """Close the widget and its layout."""
        if self._own_worker is not None:
            self._own_worker.close()
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    @property
    def twin_text(self) -> str:
        return "A form to send raw frames: open the notebook in JupyterLab to use it."

    # -- what the browser says -----------------------------------------------------------------------

    def told(self, message: dict[str, Any]) -> None:
        """A message of raw_form.js. May come on any thread."""
        with self._lock:
            try:
                self._do(message)
            except (IcwsError, Refusal) as error:
                self.say("bad", str(error))

    def _do(self, message: Mapping[str, Any]) -> None:
        op = str(message.get("op") or "binary")
        match message.get("do"):
            case "load":
                self.say("", "")
                self.load(_number(message.get("number")))
            case "load selected":
                self.say("", "")
                self.load(self._selected())
            case "look":
                with self.hold_sync():
                    self._look(hex_bytes(str(message.get("hex"))), op)
            case "change":
                data = hex_bytes(str(message.get("hex")))
                self._change(data, op, str(message.get("path")), str(message.get("value")))
            case "sign":
                self._sign_again(hex_bytes(str(message.get("hex"))), op)
            case "send":
                data = hex_bytes(str(message.get("hex")))
                self._act(self._on_send(data, op), f"sent {count(len(data), 'byte')} as a {op} frame")
            case "close":
                code, reason = _number(message.get("code")), str(message.get("reason") or "")
                check_close(-1 if code is None else code, reason)
                self._act(self._on_close(-1 if code is None else code, reason), f"closed with {code} {reason}".rstrip())

    def _change(self, data: bytes, op: str, path: str, text: str) -> None:
        new = edit.set(self._frame(data, op), path, value_of(text), app_type=self._app_type())
        with self.hold_sync():
            self.say("good", f"{path} is changed")
            self._changes += 1
            self.changed = [self._changes, spaced(new.data)]
            self._look(new.data, op)

    def _sign_again(self, data: bytes, op: str) -> None:
        if self._sign is None or self.refusal:
            raise ArgumentValueError(self.refusal or "there is no identity here that could sign")
        new = self._sign(data)
        with self.hold_sync():
            self.say("good", "signed anew by the session's identity")
            self._changes += 1
            self.changed = [self._changes, spaced(new)]
            self._look(new, op)

    def _look(self, data: bytes, op: str) -> None:
        """Say how the bytes decode, and which step would catch them."""
        if len(data) > MAX_BYTES:
            raise ArgumentValueError(f"{len(data)} bytes are too many to edit here")
        frame = self._frame(data, op)
        decoded = decode_frame(frame, app_type=self._app_type())
        self.fields = fields_of(frame, self._app_type()) if op == "binary" else []
        text = f"{count(len(data), 'byte')}: {decoded.kind}, {decoded.summary}" if data else "no bytes"
        tone, catches = self._caught(frame)
        if data and not tone and decoded.kind == "malformed":
            tone = "note"
        self.verdict = [tone, one_line(text + catches)[:MAX_LINE]]

    def _caught(self, frame: Frame) -> tuple[str, str]:
        """Which step of the proof catches ``frame`` in place of the loaded one: a tone and words."""
        recording, number = self._recording(), self._number
        if recording is None or number is None or frame == recording.raw[number] or frame.op != "binary":
            return "", ""
        try:
            failure = edit.see(recording, number, frame).failure
        except (IcwsError, IndexError) as error:
            return "note", f"; not checked: {error}"
        if failure is None:
            return "", "; no step of the proof catches it"
        return "bad", f"; caught by {failure.step}: {failure.detail}"

    def _frame(self, data: bytes, op: str) -> Frame:
        """``data`` as a frame of the client, or in place of the loaded one."""
        kind = cast(Op, op if op in OPS else "binary")
        recording, number = self._recording(), self._number
        if recording is not None and number is not None and number < len(recording):
            return replace(recording.raw[number], data=data, op=kind)
        return Frame(0.0, "out", kind, data)

    def _app_type(self) -> Any:
        recording = self._recording()
        return None if recording is None else application_type(recording.raw)

    def _act(self, work: Awaitable[Any], done: str) -> None:
        if self.refusal:
            if hasattr(work, "close"):
                work.close()
            self.say("bad", self.refusal)
            return

        async def run() -> None:
            try:
                await work
                self.say("good", done)
            except IcwsError as error:
                self.say("bad", str(error))
            except Exception as error:  # noqa: BLE001  # nobody else would see it
                self.say("bad", f"{type(error).__name__}: {error}")

        self.say("busy", "sending")
        self._worker.start(run())


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def spaced(data: bytes) -> str:
    """Bytes in hexadecimal with spaces between them."""
    return data.hex(" ")


def value_of(text: str) -> Any:
    """What is typed for a field: a Python literal, bytes as 0x…, or else the text itself."""
    stripped = text.strip()
    if stripped.startswith("0x"):
        return hex_bytes(stripped)
    try:
        return ast.literal_eval(stripped)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text


def fields_of(frame: Frame, app_type: Any) -> list[list[str]]:
    """Path and value of each field of a frame that has a value."""
    found = []
    for node in annotate_frame(frame, app_type=app_type).walk():
        if not node.path or ":" in node.path or node.children or node.value is None:
            continue
        value = f"0x{node.value.hex()}" if isinstance(node.value, bytes) else node.value
        shown = value if isinstance(value, str) else value_text(value, 200)
        found.append([one_line(node.path)[:200], one_line(shown)[:200]])
        if len(found) == MAX_FIELDS:
            break
    return found
