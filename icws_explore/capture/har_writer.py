"""HAR files as Chrome writes them, from a capture.

Each WebSocket session is an entry with ``_resourceType`` "websocket" and ``_webSocketMessages``: text as text, all
else as base64, times in seconds since the epoch. Each HTTP message between gateway and network is an ordinary entry
with its body. ``_icws`` in an entry, which other tools ignore, holds what `load_har` needs to restore the frames
exactly: the session's name, and the target and times of HTTP messages.

A browser's HAR does not tell how a socket closed: Chrome writes nothing for a lost connection (1006), nor for a close
frame. Here a lost connection is a row of type error, which `load_har` recognises by ``_icws_lost``.

What a HAR has no place for is in `har_loss`.
"""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.credentials import shown_url, without_credentials
from icws_explore.protocol.errors import CaptureError

from .capture import Capture
from .frame import Frame
from .har import LOST_MEMBER, REASON_MEMBER, SWITCHING_PROTOCOLS, stated_time
from .upgrade import Upgrade

Shown = Callable[[Frame], str]  # what a redacted file says instead of a frame's bytes

_OPCODES: Final = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
_TYPES: Final = {"out": "send", "in": "receive"}
_NO_CODE: Final = (None, CloseCode.NO_STATUS_RCVD)
_UNKNOWN_GATEWAY: Final = "ws://gateway.invalid/"
_UNKNOWN_NETWORK: Final = "http://network.invalid"
_LOST: Final = "the connection ended without a close frame (1006)"
_CBOR: Final = "application/cbor"


def save_har(capture: Capture, path: str | os.PathLike[str], *, shown: Shown | None = None) -> Path:
    """Write ``capture`` as a HAR file and return its path. Raises CaptureError.

    With ``shown`` no message's bytes are written but the text that it returns. Credentials are left out always.
    """
    path = Path(path)
    entries = sorted(_entries(capture, shown), key=lambda entry: str(entry["startedDateTime"]))
    log = {
        "version": "1.2",
        "creator": {"name": "icws_explore", "version": _version()},
        "comment": har_loss(capture),
        "pages": [],
        "entries": entries,
    }
    try:
        with path.open("w", encoding="ascii") as stream:
            json.dump({"log": log}, stream, indent=2)
            stream.write("\n")
    except (OSError, ValueError) as error:
        raise CaptureError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    return path


def har_loss(capture: Capture) -> str:
    """What a HAR of this capture does not hold, in one line."""
    lost = ["the root key, the canister, the message type, the ack interval and the clock"]
    if capture.page_calls:
        lost.append("the page's own calls")
    if capture.notes:
        lost.append("the notes of the recording")
    return f"A HAR does not hold {'; '.join(lost)}."


def _version() -> str:
    from importlib.metadata import version

    return version("icws_explore")


def _entries(capture: Capture, shown: Shown | None) -> Iterator[dict[str, Any]]:
    sessions: dict[str | None, list[Frame]] = {}
    exchanges: dict[str | None, list[Frame]] = {}
    for frame in capture.frames:
        (exchanges if frame.is_http else sessions).setdefault(frame.session, []).append(frame)
    url = capture.info.gateway_url or _UNKNOWN_GATEWAY
    for name, frames in sessions.items():
        yield _socket(url, name, frames, shown)
    network = (capture.info.network_url or _UNKNOWN_NETWORK).rstrip("/")
    for name, frames in exchanges.items():
        for request, response in _pairs(frames):
            yield _exchange(network, name, request, response, shown)


def _socket(url: str, name: str | None, frames: Sequence[Frame], shown: Shown | None) -> dict[str, Any]:
    messages = [_message(frame, shown) for frame in frames]
    entry = _entry("GET", url, frames[0].t, frames[-1].t, status=SWITCHING_PROTOCOLS, text="Switching Protocols")
    return {
        "_initiator": {"type": "script"},
        "_priority": "High",
        "_resourceType": "websocket",
        "_webSocketMessages": messages,
        "_icws": {"session": name},
        **entry,
    }


def _message(frame: Frame, shown: Shown | None) -> dict[str, Any]:
    if frame.op == "close" and frame.code == CloseCode.ABNORMAL_CLOSURE:
        error = {"type": "error", "time": frame.t, "opcode": -1, "data": _LOST, LOST_MEMBER: frame.direction}
        return error | ({REASON_MEMBER: without_credentials(frame.reason)} if frame.reason else {})
    head = {"type": _TYPES[frame.direction], "time": frame.t}
    if shown is not None and frame.op in ("text", "binary"):
        return {**head, "opcode": _OPCODES["text"], "data": without_credentials(shown(frame))}
    data = _close_payload(frame) if frame.op == "close" else frame.data
    if frame.op == "text":
        text = data.decode("utf-8", "replace" if _is_damaged(data) else "surrogatepass")
    else:
        text = base64.b64encode(data).decode("ascii")
    return {**head, "opcode": _OPCODES[frame.op], "data": text}


def _is_damaged(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return True
    return False


def _close_payload(frame: Frame) -> bytes:
    if frame.data or frame.code in _NO_CODE:
        return frame.data
    return struct.pack("!H", frame.code) + without_credentials(frame.reason or "").encode()


def _pairs(frames: Sequence[Frame]) -> Iterator[tuple[Frame | None, Frame | None]]:
    """Each request with its response; either may be missing."""
    waiting: Frame | None = None
    for frame in frames:
        if frame.op == "request":
            if waiting is not None:
                yield waiting, None
            waiting = frame
        else:
            yield waiting, frame
            waiting = None
    if waiting is not None:
        yield waiting, None


def _exchange(
    network: str, name: str | None, request: Frame | None, response: Frame | None, shown: Shown | None
) -> dict[str, Any]:
    first = request if request is not None else response
    assert first is not None
    target = _without_query(first.reason or "")
    method, _, address = target.partition(" ")
    upgrade = None if response is None else Upgrade.of(response)
    url = address if "://" in address else f"{network}{address or '/'}"
    began = first.t
    ended = began if response is None else response.t
    status = 0 if response is None else response.code or 0
    entry = _entry(method or "GET", url, began, ended, status=status, text="")
    if request is not None and request.data and shown is None:
        entry["request"]["postData"] = {"mimeType": _CBOR, "text": request.data.decode("latin-1")}
        entry["request"]["bodySize"] = len(request.data)
    if response is not None:
        if response.data and shown is None:
            entry["response"]["content"] = {
                "size": len(response.data),
                "mimeType": _CBOR,
                "text": base64.b64encode(response.data).decode("ascii"),
                "encoding": "base64",
            }
        if upgrade is not None and upgrade.error:
            entry["response"]["_error"] = without_credentials(upgrade.error)
    times = {
        "request_t": None if request is None else request.t,
        "response_t": None if response is None else response.t,
    }
    return {
        "_resourceType": "fetch" if upgrade is None else "websocket",
        "_icws": {"session": name, "target": target, **times},
        **entry,
    }


def _without_query(target: str) -> str:
    """``POST /path`` or ``GET ws://host/path``, without what may be a token."""
    method, space, address = target.partition(" ")
    return f"{method}{space}{shown_url(address)}" if "://" in address else f"{method}{space}{address.partition('?')[0]}"


def _entry(method: str, url: str, began: float, ended: float, *, status: int, text: str) -> dict[str, Any]:
    """The members that HAR 1.2 requires of every entry."""
    took = max(0.0, ended - began) * 1000
    return {
        "cache": {},
        "request": {
            "method": method,
            "url": url,
            "httpVersion": "HTTP/1.1",
            "headers": [],
            "queryString": [],
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": status,
            "statusText": text,
            "httpVersion": "HTTP/1.1",
            "headers": [],
            "cookies": [],
            "content": {"size": 0, "mimeType": "x-unknown"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
            "_transferSize": 0,
            "_error": None,
        },
        "serverIPAddress": "",
        "startedDateTime": stated_time(began) or stated_time(0.0),
        "time": took,
        "timings": {"blocked": -1, "dns": -1, "ssl": -1, "connect": -1, "send": 0, "wait": took, "receive": 0},
    }
