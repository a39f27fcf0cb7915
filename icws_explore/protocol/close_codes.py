"""WebSocket close codes: the one set that the whole package uses.

Names and values of the standard codes are those of websockets' ``CloseCode`` (a test compares them).
They stand here again because `protocol` imports nothing that does I/O.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from .errors import ArgumentValueError


class CloseCode(IntEnum):
    """RFC 6455, section 7.4.1, with IANA's registry, and the two codes of ic-websocket-js."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005  # never sent: the close frame had no code
    ABNORMAL_CLOSURE = 1006  # never sent: the connection ended without a close frame
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015

    CLOSED_BY_SDK = 4000  # ic-websocket.ts: an error or a time-out
    CLOSED_BY_APPLICATION = 4001  # ic-websocket.ts: the canister's CloseMessage says ClosedByApplication

    __repr__ = int.__repr__  # a code is shown as a number, as in recordings and in the SDK's log


MAX_REASON_BYTES: Final = 123  # a close frame holds 125 bytes, two of them the code
_NEVER_SENT: Final = (CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE)


def check_close(code: int, reason: str) -> None:
    """Raise ArgumentValueError unless a close frame can be sent with this code and reason. Source: RFC 6455, 7.4."""
    is_known = code in list(CloseCode) and code not in _NEVER_SENT
    if not is_known and not 3000 <= code <= 4999:
        sent = ", ".join(str(int(each)) for each in CloseCode if each not in _NEVER_SENT and each < 3000)
        raise ArgumentValueError(f"a close frame cannot have the code {code}; use {sent}, or 3000 to 4999")
    size = len(reason.encode("utf-8", "replace"))
    if size > MAX_REASON_BYTES:
        raise ArgumentValueError(f"the reason has {size} bytes; a close frame has room for {MAX_REASON_BYTES}")
