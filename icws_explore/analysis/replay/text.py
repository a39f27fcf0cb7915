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
    for replay in replays:
        if replay.predicted_close is not None and replay.client is None:
            alike.setdefault((replay.predicted_close.code, replay.predicted_close.reason), []).append(replay)
    lines += [_foretold(group, several=several) for group in alike.values()]
    for replay in replays:
        where = f"session {replay.session}: " if several else ""
        lines += [
            f"{where}not as {name}: {told}" for name, told in ((SDK, replay.client), (GATEWAY, replay.gateway)) if told
        ]
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
    frames = ", ".join(str(replay.predicted_close.frame) for replay in group[:8] if replay.predicted_close is not None)
    many = len(group) > 1
    where = (
        f"session{'s' if many else ''} {', '.join(str(replay.session) for replay in group[:8])}: " if several else ""
    )
    if len(group) > 8:
        where = f"{len(group)} sessions: "
        frames += ", …"
    ending = all(replay.recorded_close is None for replay in group)
    seen = "the recording ends before that" if ending else "so did the recorded client"
    by_gateway = any(replay.recorded_close is not None and replay.recorded_close.direction == "in" for replay in group)
    if by_gateway:
        seen = "in the recording the gateway's side was quicker"
    return f"{where}{SDK} makes {close_text(first)} at frame{'s' if many else ''} {frames}; {seen}"


def close_text(close: PredictedClose) -> str:
    """Write a close as in ``close(4000, "reason")``."""
    return f'close({close.code}, "{close.reason}")'


def replay_json(replay: Replay) -> dict[str, Any]:
    """Return the JSON object of `icws doctor --json`. Frames are frame numbers, ``t`` is in seconds since the epoch."""
    predicted, recorded = replay.predicted_close, replay.recorded_close
    return {
        "session": replay.session,
        "agrees": replay.agrees,
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
        "divergence": _divergence(replay.divergence),
        "notes": list(replay.notes),
    }


def _divergence(divergence: Divergence | None) -> dict[str, Any] | None:
    if divergence is None:
        return None
    return {
        "party": divergence.party,
        "frame": divergence.frame,
        "kind": divergence.kind,
        "step": divergence.step,
        "expected": divergence.expected,
        "recorded": divergence.recorded,
    }
