"""The nonces in message keys, as the gateway reads and follows them: gateway 1.4.6, canister_poller.rs."""

from __future__ import annotations

from collections.abc import Sequence

from ..arguments import PollMessage
from ..errors import MessageError
from ..fields import MAX_U64


def nonce_of_key(key: str) -> int:
    """The nonce at the end of a message key, as Rust reads a u64.

    Raises MessageError, its reason the gateway's text.
    """
    number = key.rsplit("_", 1)[-1]
    digits = number.removeprefix("+")
    significant = digits.lstrip("0") or "0"
    if not number:
        kind = "Empty"
    elif not (digits.isascii() and digits.isdigit()):
        kind = "InvalidDigit"
    elif len(significant) > len(str(MAX_U64)) or int(significant) > MAX_U64:
        kind = "PosOverflow"
    else:
        return int(significant)
    raise MessageError("message key", f"Could not parse nonce. Error: ParseIntError {{ kind: {kind} }}")


def next_nonce(messages: Sequence[PollMessage], expected: int) -> int:
    """The nonce after ``messages``. Raises MessageError, its reason the gateway's text, where one is not the next.

    Expecting 0 means not knowing: the canister may have deleted what earlier pollers relayed.
    """
    for message in messages:
        nonce = nonce_of_key(message.key)
        if expected not in (0, nonce):
            raise MessageError("message key", f"Non consecutive nonce: expected {expected}, got {nonce}")
        expected = (nonce + 1) & MAX_U64  # as a release build wraps
    return expected
