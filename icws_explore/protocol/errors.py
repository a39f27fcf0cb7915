"""Every exception that leaves the package, in one place. `icws_explore.errors` exports them all.

::

    IcwsError
    ├── ArgumentTypeError    an argument of a wrong type (also a TypeError)
    ├── ArgumentValueError   an argument that cannot be used (also a ValueError)
    ├── ValueMismatchError   a Python value that does not fit its Candid or CBOR type
    │                        (also a TypeError and a ValueError)
    ├── DecodeError          bytes or text from outside that cannot be decoded (also a ValueError)
    │   ├── CborError
    │   ├── CandidError
    │   ├── PrincipalError   (also a TypeError)
    │   └── MessageError     well-formed CBOR or Candid of the wrong shape
    ├── DidError             a .did text that cannot be read; has line and column (also a ValueError)
    ├── IdentityError        a key file or a delegation that cannot be used (also a ValueError)
    ├── StateError           a method that the state does not allow (send before open)
    ├── BackendError         no library for BLS12-381 signatures is installed
    ├── CaptureError         a recording that cannot be read or written
    ├── ConnectError         a gateway, network or canister that cannot be reached or used
    ├── CallRejectedError    a canister or its network rejected a call; has the reject code and text
    ├── VerificationError    an answer of a network that is not authentic; has the steps of its check
    ├── SessionClosedError   the session has ended; has the close code and reason
    └── LabError             the lab could not do what was asked

The facts are attributes as well as text, so that no caller needs to parse messages. Each text is one
line. It says what is wrong and, where possible, what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .credentials import without_credentials

if TYPE_CHECKING:
    from .steps import Step

__all__ = [
    "ArgumentTypeError",
    "ArgumentValueError",
    "BackendError",
    "CallRejectedError",
    "CandidError",
    "CaptureError",
    "CborError",
    "ConnectError",
    "DecodeError",
    "DidError",
    "IcwsError",
    "IdentityError",
    "LabError",
    "MessageError",
    "PrincipalError",
    "SessionClosedError",
    "StateError",
    "ValueMismatchError",
    "VerificationError",
]


def count_of(number: int, noun: str) -> str:
    """A count for a text: ``1 byte``, ``2 bytes``, ``3 entries``."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number} {noun}"


class IcwsError(Exception):
    """Base of every documented error of the package."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would call the class with the text alone, but some classes below take their facts.
        return _rebuilt, (type(self), str(self), vars(self))


def _rebuilt(kind: type[IcwsError], text: str, facts: dict[str, Any]) -> IcwsError:
    error = kind.__new__(kind, text)
    vars(error).update(facts)
    return error


class ArgumentTypeError(IcwsError, TypeError):
    """An argument of a public function has a wrong type. The text says what to pass."""


class ArgumentValueError(IcwsError, ValueError):
    """An argument of a public function has a value that cannot be used. The text says what to pass."""


class ValueMismatchError(IcwsError, TypeError, ValueError):
    """A Python value does not fit its Candid or CBOR type. ``path`` leads to the part that does not fit."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path or 'value'}: {reason}")


class DecodeError(IcwsError, ValueError):
    """Bytes or text from outside could not be decoded.

    ``what`` names the thing that was being read and ``reason`` the fault. ``offset`` is the byte at
    which it shows, counted from the start of ``what``; None where the reader cannot tell.
    """

    def __init__(self, what: str, reason: str, offset: int | None = None) -> None:
        self.what = what
        self.reason = reason
        self.offset = offset
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{what}: {reason}{at}")


class CborError(DecodeError):
    """The bytes are not CBOR, or CBOR that the protocol does not use."""


class CandidError(DecodeError):
    """The bytes are not Candid, or Candid of another type than expected, or would cost too much to decode."""


class PrincipalError(DecodeError, TypeError):
    """The bytes or the text are not a principal, or the value is neither bytes nor text."""


class MessageError(DecodeError):
    """Well-formed CBOR or Candid is not the expected protocol message."""


class DidError(IcwsError, ValueError):
    """A .did text cannot be read. ``line`` and ``column`` count from 1 (None: the fault has no place)."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        self.reason = reason
        self.line = line
        self.column = column
        where = "" if line is None else f"line {line}, column {column}: "
        super().__init__(f"{where}{reason}")


class IdentityError(IcwsError, ValueError):
    """A key or a delegation cannot be used."""


class StateError(IcwsError):
    """A method was called that the object's state does not allow. The caller misused it, not the peer."""


class BackendError(IcwsError):
    """A library that this machine lacks is needed. The text says which to install."""


class CaptureError(IcwsError):
    """A recording cannot be read or written."""


class ConnectError(IcwsError):
    """A gateway, a network or a canister cannot be reached, or is not what it should be.

    Its text contains no passwords and no URL queries; they are removed here. ``http_status`` is the status of the HTTP
    answer that was not the expected one; None if there was none.
    """

    def __init__(self, text: str, *, http_status: int | None = None) -> None:
        self.http_status = http_status
        super().__init__(without_credentials(text))


class CallRejectedError(IcwsError):
    """A canister, or the network in its place, rejected a call.

    ``method`` was called. ``code`` is the reject code (1 to 6), ``reason`` the text of the canister or the network,
    ``error_code`` the replica's (such as "IC0503", or empty). ``verified`` says whether the reject was authentic: a
    reject by a single node, before the call was accepted, has no certificate.
    """

    def __init__(self, method: str, code: int, reason: str, error_code: str = "", *, verified: bool) -> None:
        self.method = method
        self.code = code
        self.reason = reason
        self.error_code = error_code
        self.verified = verified
        said = "".join(each if each.isprintable() else "�" for each in " ".join(reason.split()))
        shown = said if len(said) <= 1000 else f"{said[:1000]}…"
        named = f"{code} {error_code}".rstrip()
        super().__init__(f"{method} was rejected ({named}): {without_credentials(shown)}")


class VerificationError(IcwsError):
    """An answer of a network is not authentic, so it was not used. ``steps`` are the steps of its check."""

    def __init__(self, text: str, steps: Sequence[Step] = ()) -> None:
        self.steps = tuple(steps)
        super().__init__(text)


class SessionClosedError(IcwsError):
    """The session has ended. ``code`` and ``reason`` are the WebSocket's (1005: no code given, 1006: no close frame).

    ``detail`` says why, as far as it is known.
    """

    def __init__(self, code: int, reason: str, detail: str = "") -> None:
        self.code = code
        self.reason = reason
        self.detail = detail
        text = f"the session is closed ({code}{f' {reason}' if reason else ''})"
        super().__init__(f"{text}: {detail}" if detail else text)


class LabError(IcwsError):
    """The lab could not do what was asked."""
