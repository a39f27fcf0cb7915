"""What a check says: holds, fails, or cannot be judged, and why."""

from __future__ import annotations

from typing import NamedTuple


class Verdict(NamedTuple):
    """``ok`` is None where a fact is missing that the check needs; ``detail`` is one line for a person."""

    ok: bool | None
    detail: str
