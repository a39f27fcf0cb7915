"""Exercises on what a gateway can read: the learner encrypts messages between clients. Checked by attacks."""

from __future__ import annotations

import os
from typing import Any, Final

from . import Check
from .programs import WRITE

_TEXT: Final = "meet me at the harbour"
_KEY: Final = bytes(range(32))


def check_sealed(answer: Any) -> Check:
    """Does ``answer = (seal, unseal)`` keep a text from a gateway, and notice every change?

    ``seal(key, sender, number, text)`` returns bytes, ``unseal(key, sender, number, data)`` the text. ``key`` is 32
    bytes, ``sender`` text, ``number`` the sender's count of its messages.
    """
    if answer is ...:
        return Check(None, f"{WRITE}two functions, as (seal, unseal)")
    if not isinstance(answer, tuple) or len(answer) != 2 or not all(callable(each) for each in answer):
        return Check(False, "the answer is a pair of functions: (seal, unseal)")
    seal, unseal = answer
    sealed = seal(_KEY, "ada", 1, _TEXT)
    if not isinstance(sealed, bytes):
        return Check(False, f"seal must return bytes, not {type(sealed).__name__}")
    if unseal(_KEY, "ada", 1, sealed) != _TEXT:
        return Check(False, "unseal does not give back the text that was sealed")
    if any(part.encode() in sealed for part in (_TEXT, "harbour", "ada")):
        return Check(False, "the gateway can read a part of the text in the sealed bytes")
    if seal(_KEY, "ada", 1, _TEXT) == sealed:
        return Check(False, "the same text gives the same bytes, so the gateway sees repetitions: use a fresh nonce")
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    attacks = [
        ("a changed byte", (_KEY, "ada", 1, changed)),
        ("another key", (os.urandom(32), "ada", 1, sealed)),
        ("another sender's name on the message", (_KEY, "eve", 1, sealed)),
        ("the message repeated under another number", (_KEY, "ada", 2, sealed)),
    ]
    for what, given in attacks:
        if not _refused(unseal, given):
            return Check(False, f"unseal accepts {what}: what else can the cipher authenticate?")
    return Check(True, "the gateway can neither read the text nor move it to another sender or number")


def _refused(unseal: Any, given: tuple[bytes, str, int, bytes]) -> bool:
    try:
        unseal(*given)
    except Exception:  # noqa: BLE001  # the learner chooses the error
        return True
    return False
