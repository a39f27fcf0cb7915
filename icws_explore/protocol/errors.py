"""Every exception that leaves the package, in one place.

::

    IcwsError
    ├── DecodeError          bytes from outside that are not what they should be
    │   ├── CborError
    │   ├── CandidError
    │   ├── PrincipalError   (also a ValueError)
    │   └── MessageError     well-formed CBOR of the wrong shape
    ├── VerificationError    a proof or a signature that does not hold; says which step
    ├── DidError             a .did text that cannot be read; says line and column
    ├── ValueMismatchError   a Python value that does not fit the declared Candid type
    ├── IdentityError        a key file or a delegation that cannot be used
    ├── StateError           we used a state machine wrongly (send before open, …)
    ├── CaptureError         a capture file that cannot be read or written
    ├── ConnectError         nobody there, not a gateway, no such network or canister
    ├── SessionClosedError   the session ended; says the close code and reason
    └── LabError             the embedded network could not do what was asked

The facts are attributes as well as text, so that views and rules need not parse messages.
Each text is one line and says what is wrong; where there is something to do, it says that too.
"""

from __future__ import annotations

from typing import Any

from .credentials import without_credentials


class IcwsError(Exception):
    """Base of every documented error of the package."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would call the class with its text alone, but the classes below take their facts.
        return _rebuilt, (type(self), str(self), vars(self))


def _rebuilt(kind: type[IcwsError], text: str, facts: dict[str, Any]) -> IcwsError:
    error = kind.__new__(kind, text)
    vars(error).update(facts)
    return error


class DecodeError(IcwsError):
    """Bytes from outside could not be decoded.

    ``what`` names the thing that was being read, ``reason`` the fault, and ``offset`` the byte
    (from the start of what was being read) where it shows, or None where the reader cannot tell.
    """

    def __init__(self, what: str, reason: str, offset: int | None = None) -> None:
        self.what = what
        self.reason = reason
        self.offset = offset
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{what}: {reason}{at}")


class CborError(DecodeError):
    """Not CBOR, or CBOR that a peer has no business sending."""


class CandidError(DecodeError):
    """Not Candid, or Candid of another type than expected, or one that asks for too much."""


class PrincipalError(DecodeError, ValueError):
    """Neither the bytes nor the text of a principal."""


class MessageError(DecodeError):
    """Well-formed CBOR or Candid that is not the protocol message it should be."""


class VerificationError(IcwsError):
    """A proof or a signature does not hold. ``step`` is a step name of protocol.steps."""

    def __init__(self, step: str, detail: str) -> None:
        self.step = step
        self.detail = detail
        super().__init__(f"{step}: {detail}")


class DidError(IcwsError):
    """A .did text cannot be read. ``line`` and ``column`` count from 1 (None: not tied to a place)."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        self.reason = reason
        self.line = line
        self.column = column
        where = "" if line is None else f"line {line}, column {column}: "
        super().__init__(f"{where}{reason}")


class ValueMismatchError(IcwsError):
    """A Python value does not fit its Candid type. ``path`` leads to the offending part."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path or 'value'}: {reason}")


class IdentityError(IcwsError):
    """A key or a delegation cannot be used."""


class StateError(IcwsError):
    """A state machine was used wrongly by this side (not by its peer)."""


class CaptureError(IcwsError):
    """A capture cannot be read or written."""


class ConnectError(IcwsError):
    """A gateway, a network or a canister cannot be reached, or is not what it should be.

    Its text contains no passwords and no URL queries; they are removed here.
    """

    def __init__(self, text: str) -> None:
        super().__init__(without_credentials(text))


class SessionClosedError(IcwsError):
    """The session is over. ``code`` and ``reason`` are the WebSocket's (1005: none given, 1006: lost)."""

    def __init__(self, code: int, reason: str, detail: str = "") -> None:
        self.code = code
        self.reason = reason
        self.detail = detail
        text = f"the session is closed ({code}{f' {reason}' if reason else ''})"
        super().__init__(f"{text}: {detail}" if detail else text)


class LabError(IcwsError):
    """The embedded network cannot do what was asked."""
