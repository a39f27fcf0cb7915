"""A WebSocket that never opened, or of which no message is known: the answer to its upgrade request.

A browser's HAR file says of such a socket which HTTP status came instead of 101, or why the browser gave up. A tap
records which status its gateway gave, or why it could not be reached. In a capture this is one "response" frame: its
code is the HTTP status (0 if there was no answer), its reason is ``GET`` and the socket's URL, and its data is a JSON
object with what else is known.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from .frame import Frame

MAX_DETAIL: Final = 500  # characters of each detail
_METHOD: Final = "GET "
_CODE: Final = re.compile(r"(net::ERR|NS_ERROR|SEC_ERROR|SSL_ERROR)_[A-Z0-9_]{1,80}")


@dataclass(frozen=True, slots=True)
class Upgrade:
    """``status`` is the HTTP status, 0 if there was no answer. ``error`` says why, "" if that is not known.

    ``asked`` are the subprotocols that the page asked for, ``confirmed`` the one that the server chose; "" if none.
    """

    url: str
    status: int = 0
    error: str = ""
    asked: str = ""
    confirmed: str = ""

    @property
    def is_explained(self) -> bool:
        """Whether a status or an error says why the socket did not open."""
        return bool(self.status or self.error)

    @property
    def error_code(self) -> str:
        """The error, if it is one of a browser's codes (net::ERR_CONNECTION_REFUSED), else ""."""
        return self.error if _CODE.fullmatch(self.error) else ""

    def frame(self, t: float, session: str | None) -> Frame:
        """The response frame that stands for it; ``t`` is in seconds since the epoch."""
        details = {name: text for name in ("error", "asked", "confirmed") if (text := getattr(self, name))}
        data = json.dumps(details).encode() if details else b""
        return Frame(t, "in", "response", data, self.status, f"{_METHOD}{self.url}", session)

    @classmethod
    def of(cls, frame: Frame) -> Upgrade | None:
        """The upgrade that a response frame stands for, or None if it is another response."""
        target = frame.reason or ""
        if frame.op != "response" or not target.startswith((f"{_METHOD}ws:", f"{_METHOD}wss:")):
            return None
        details = _details(frame.data)
        return cls(target.removeprefix(_METHOD), frame.code or 0, *(details.get(name, "") for name in _DETAILS))


_DETAILS: Final = ("error", "asked", "confirmed")


def _details(data: bytes) -> dict[str, str]:
    try:
        found: Any = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value[:MAX_DETAIL] for name, value in found.items() if name in _DETAILS and isinstance(value, str)}
