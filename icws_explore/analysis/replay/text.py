"""Replays as lines and as JSON: how the real SDK ends a session, and where a recorded party differs from it.

A session without a predicted close and without a divergence gives no line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .divergence import Divergence, PredictedClose
from .replay import Replay

SDK: Final = "ic-websocket-js 0.5.0"
GATEWAY: Final = "gateway 1.4.6"
MAX_LINES: Final = 6


def replay_lines(replays: Sequence[Replay]) -> list[str]:
    """Return a line per predicted close, with the sessions that share it, and a line per divergence."""
    several = len(replays) > 1
    lines = []
    alike: dict[tuple[int, str], list[Replay]] = {}
    for it in replays:
        if it.predicted_close is not None and it.client is None:
            alike.setdefault((it.predicted_close.code, it.predicted_close.reason), []).append(it)
    lines += [_foretold(group, several=several) for group in alike.values()]
    for it in replays:
        where = f"session {it.session}: " if several else ""
        lines += [f"{where}not as {name}: {told}" for name, told in ((SDK, it.client), (GATEWAY, it.gateway)) if told]
    if len(lines) > MAX_LINES:
        return [*lines[: MAX_LINES - 1], f"{len(lines) - MAX_LINES + 1} more"]
    return lines


class Replays(list[Replay]):
    """The replays of all sessions; printed as those lines."""

    def __repr__(self) -> str:
        sessions = f"{len(self)} session{'' if len(self) == 1 else 's'}"
        return "\n".join(replay_lines(self)) or f"{sessions}, as {SDK} and {GATEWAY} would have gone on"


def _foretold(group: Sequence[Replay], *, several: bool) -> str:
    first = group[0].predicted_close
    assert first is not None  # what the group has in common
    frames = ", ".join(str(it.predicted_close.frame) for it in group[:8] if it.predicted_close is not None)
    many = len(group) > 1
    where = f"session{'s' if many else ''} {', '.join(str(it.session) for it in group[:8])}: " if several else ""
    if len(group) > 8:
        where = f"{len(group)} sessions: "
        frames += ", …"
    ending = all(it.recorded_close is None for it in group)
    seen = "the recording ends before that" if ending else "so did the recorded client"
    by_gateway = any(it.recorded_close is not None and it.recorded_close.direction == "in" for it in group)
    if by_gateway:
        seen = "in the recording the gateway's side was quicker"
    return f"{where}{SDK} makes {close_text(first)} at frame{'s' if many else ''} {frames}; {seen}"


def close_text(close: PredictedClose) -> str:
    """Write a close as in ``close(4000, "reason")``."""
    return f'close({close.code}, "{close.reason}")'


def replay_json(it: Replay) -> dict[str, Any]:
    """Return the JSON object of `icws doctor --json`. Frames are frame numbers, ``t`` is in seconds since the epoch."""
    predicted, recorded = it.predicted_close, it.recorded_close
    return {
        "session": it.session,
        "agrees": it.agrees,
        "predicted_close": None
        if predicted is None
        else {
            "code": predicted.code,
            "reason": predicted.reason,
            "frame": predicted.frame,
            "t": predicted.t,
            "error": predicted.error,
            "step": predicted.step,
        },
        "recorded_close": None
        if recorded is None
        else {
            "by": "client" if recorded.direction == "out" else "gateway",
            "code": recorded.code,
            "reason": recorded.reason,
        },
        "divergence": _divergence(it.divergence),
        "notes": list(it.notes),
    }


def _divergence(it: Divergence | None) -> dict[str, Any] | None:
    if it is None:
        return None
    return {
        "party": it.party,
        "frame": it.frame,
        "kind": it.kind,
        "step": it.step,
        "expected": it.expected,
        "recorded": it.recorded,
    }
