"""A capture: recorded frames in order, and the configuration they were recorded under.

`SessionInfo` holds what no frame carries: addresses, the canister, the root key, the clock. It is the first
line of an `.icws` file. A capture is plain data without knowledge of the protocol; users hold a
`Recording` (analysis/recording.py), which adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from icws_explore.protocol.budgets import DID_TEXT, FILE_TEXT
from icws_explore.protocol.credentials import shown_url
from icws_explore.protocol.errors import CaptureError

from .frame import MAX_TIME_S, Frame, encodable

FORMAT_VERSION: Final = 1
MAX_MS: Final = 2**63 - 1  # milliseconds, the longest interval

Crypto = Literal["real", "stand-in"]
Origin = Literal["live", "tap", "har", "pcap", "mitmproxy", "simulated"]
ClockKind = Literal["real", "scaled", "virtual"]
_ORIGINS: Final = get_args(Origin)
_CRYPTO: Final = ("real", "stand-in")
_CLOCKS: Final = ("real", "scaled", "virtual")


def cut_note(session: str | None) -> str:
    """The note of a tap that ended before a session did. It does not say how the session would have ended."""
    return f"session {session} was still open when the tap ended, and was cut"


@dataclass(frozen=True, slots=True)
class ClockInfo:
    """The clock that the frames' times come from. ``scale`` is protocol seconds per real second."""

    kind: ClockKind = "real"
    scale: float = 1.0

    def __str__(self) -> str:
        return f"scaled × {self.scale:g}" if self.kind == "scaled" else self.kind


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """The configuration of a capture. None means "not known".

    It never holds a private key, and its URLs hold no password and no query.

    ``canister_id`` and ``client_principal`` are principals as text, ``root_key`` is DER, ``app_type`` is
    Candid text, ``started_at`` is RFC 3339, ``ack_interval_ms`` is in milliseconds. ``crypto`` "stand-in"
    marks a simulation whose signatures are hashes, so its proofs cannot be verified. Files mention
    ``crypto`` only in that case.
    """

    gateway_url: str | None = None
    network_url: str | None = None
    canister_id: str | None = None
    root_key: bytes | None = field(default=None, repr=False)
    client_principal: str | None = None
    ack_interval_ms: int | None = None
    app_type: str | None = None
    clock: ClockInfo = ClockInfo()
    origin: Origin = "live"
    started_at: str | None = None
    crypto: Crypto = "real"

    def __post_init__(self) -> None:
        for name in ("gateway_url", "network_url"):
            if (url := getattr(self, name)) is not None:
                object.__setattr__(self, name, shown_url(url))

    def to_json(self) -> dict[str, Any]:
        line: dict[str, Any] = {
            "icws": FORMAT_VERSION,
            "gateway_url": self.gateway_url,
            "network_url": self.network_url,
            "canister_id": self.canister_id,
            "root_key": None if self.root_key is None else self.root_key.hex(),
            "client_principal": self.client_principal,
            "ack_interval_ms": self.ack_interval_ms,
            "app_type": self.app_type,
            "clock": {"kind": self.clock.kind, "scale": self.clock.scale},
            "origin": self.origin,
            "started_at": self.started_at,
        }
        if self.crypto != "real":
            line["crypto"] = self.crypto
        return line

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> SessionInfo:
        """Read line 1 of a file. Raises CaptureError that names the first bad member."""
        info, faults = cls.readable(line)
        if faults:
            raise CaptureError(faults[0])
        return info

    @classmethod
    def readable(cls, line: Mapping[str, Any]) -> tuple[SessionInfo, list[str]]:
        """Read the good members of line 1 and describe the bad ones. Raises CaptureError if the version is wrong."""
        if line.get("icws") != FORMAT_VERSION:
            raise CaptureError(
                f'line 1 does not begin an .icws file: "icws" must be {FORMAT_VERSION}, not {_shown(line.get("icws"))}'
            )
        members: dict[str, Any] = {}
        faults: list[str] = []
        for name, read in _MEMBERS.items():
            try:
                members[name] = read(line, name)
            except CaptureError as error:
                faults.append(str(error))
        return cls(**members), faults


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = line.get(name)
    if value is not None and not isinstance(value, str):
        raise CaptureError(f'"{name}" must be text or null')
    most = DID_TEXT if name == "app_type" else FILE_TEXT
    if value is not None and len(value) > most:
        raise CaptureError(f'"{name}" has more than {most} characters')
    return encodable(value)


def _hex(line: Mapping[str, Any], name: str) -> bytes | None:
    value = _text(line, name)
    if value is None:
        return None
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise CaptureError(f'"{name}" must be hexadecimal') from error


def _whole(line: Mapping[str, Any], name: str) -> int | None:
    value = line.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_MS):
        raise CaptureError(f'"{name}" must be a whole number up to {MAX_MS}, or null')
    return value


def _clock(line: Mapping[str, Any], name: str) -> ClockInfo:
    value = line.get(name)
    if value is None:
        return ClockInfo()
    if not isinstance(value, dict) or value.get("kind") not in _CLOCKS:
        raise CaptureError(f'"clock" must be {{"kind": {" | ".join(_CLOCKS)}, "scale": number}}')
    scale = value.get("scale", 1)
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < 1e9:
        raise CaptureError('"clock"."scale" must be a positive number')
    return ClockInfo(value["kind"], float(scale))


def _one_of(*allowed: str) -> Callable[[Mapping[str, Any], str], Any]:
    """Return a reader for a member that must be one of the given words; a missing member is the first word."""

    def read(line: Mapping[str, Any], name: str) -> str:
        value = line.get(name, allowed[0])
        if value not in allowed:
            raise CaptureError(f'"{name}" must be one of {", ".join(allowed)}')
        return str(value)

    return read


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


_MEMBERS: Final[Mapping[str, Callable[[Mapping[str, Any], str], Any]]] = {
    "gateway_url": _text,
    "network_url": _text,
    "canister_id": _text,
    "root_key": _hex,
    "client_principal": _text,
    "ack_interval_ms": _whole,
    "app_type": _text,
    "clock": _clock,
    "origin": _one_of(*_ORIGINS),
    "started_at": _text,
    "crypto": _one_of(*_CRYPTO),
}


@dataclass(frozen=True, slots=True)
class PageCall:
    """A call that the page itself sent to a canister over HTTP, as a browser's HAR holds it.

    ``t`` is in seconds since the epoch; ``canister_id`` and ``sender`` are principals as text. Of many calls of
    one sender to one canister only the first is kept.
    """

    t: float
    canister_id: str
    sender: str

    def to_json(self) -> dict[str, Any]:
        return {"t": self.t, "canister_id": self.canister_id, "sender": self.sender}

    @classmethod
    def readable(cls, value: object) -> PageCall | None:
        """Read a call from line 1 of a file; None if it is not one."""
        if not isinstance(value, dict):
            return None
        t, canister, sender = (value.get(name) for name in ("t", "canister_id", "sender"))
        if isinstance(t, bool) or not isinstance(t, (int, float)) or not abs(t) < MAX_TIME_S:
            return None
        if not isinstance(canister, str) or not isinstance(sender, str):
            return None
        return cls(float(t), encodable(canister), encodable(sender))


@dataclass(slots=True)
class Capture:
    """The frames of one session, or of several distinguished by ``Frame.session``.

    ``notes`` describes in plain lines what could not be read from a file, for example a torn last line.
    A live session appends to ``frames`` while views read them, so a view sees a prefix. ``kept`` caches
    decoded frames (analysis/decode.py).
    """

    info: SessionInfo = field(default_factory=SessionInfo)
    frames: list[Frame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept: Any = field(default=None, init=False, repr=False, compare=False)
    page_calls: list[PageCall] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]

    @property
    def session_ids(self) -> list[str | None]:
        """The names of the sessions, in order of their first frames; ``[None]`` if there is only one session."""
        return list(dict.fromkeys(frame.session for frame in self.frames if not frame.is_http)) or [None]

    def session(self, session_id: str | None) -> Capture:
        """Return the frames of one WebSocket session, with the same configuration."""
        frames = [frame for frame in self.frames if frame.session == session_id and not frame.is_http]
        return Capture(self.info, frames, list(self.notes), list(self.page_calls))

    @property
    def http(self) -> list[Frame]:
        """The recorded HTTP messages between gateway and network."""
        return [frame for frame in self.frames if frame.is_http]

    @property
    def duration_s(self) -> float:
        """Seconds between the earliest and the latest frame, on the capture's clock."""
        if not self.frames:
            return 0.0
        times = [frame.t for frame in self.frames]
        return max(times) - min(times)
