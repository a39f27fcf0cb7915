"""Self-checking exercises of the notebooks.

Each check computes the right answer from the learner's own session. It says whether the learner's answer is right. If
it is wrong, the check hints where to look, and does not say the right answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.verify import verify_capture
from icws_explore.protocol.verify import MESSAGE_STEPS
from icws_explore.views.facts import Weight
from icws_explore.views.html import View, note_view
from icws_explore.views.source import RecordingLike, capture_of

if TYPE_CHECKING:
    import pandas as pd

OPENING = ("handshake", "open_request", "open")


class Check(View):
    """The outcome of an exercise. ``ok`` is None if it was not answered yet. ``hint`` is the text without the mark."""

    def __init__(self, ok: bool | None, text: str) -> None:
        looks: dict[bool | None, tuple[str, Weight]] = {
            True: ("✓", "good"),
            False: ("✗", "bad"),
            None: ("–", "note"),
        }
        mark, weight = looks[ok]
        view = note_view(f"{mark} {text}", weight)
        super().__init__(view.html, view.text)
        self.ok = ok
        self.hint = text


def _right(text: str) -> Check:
    return Check(True, text)


def _wrong(hint: str) -> Check:
    return Check(False, hint)


def _unanswered(task: str) -> Check:
    return Check(None, f"replace the three dots with your answer: {task}")


def check_opening(recording: RecordingLike, answer: Any) -> Check:
    """Which frames (their numbers, as a list) opened the session?"""
    if answer is ...:
        return _unanswered("a list of frame numbers, such as [4, 5]")
    if not _is_list_of_numbers(answer):
        return _wrong("the answer is a list of frame numbers, such as [4, 5]")
    frames = list(shared_frames(capture_of(recording)))
    if any(not 0 <= number < len(frames) for number in answer):
        return _wrong(f"the recording has frames 0 to {len(frames) - 1}")
    opening = _opening(frames)
    strange = next((number for number in answer if number not in opening), None)
    if strange is not None:
        return _wrong(f"frame {strange} is of kind {frames[strange].kind}: was the session open before it?")
    if set(answer) != set(opening):
        return _wrong("these are not all: which party sends first, which one asks, and which one answers?")
    return _right("the gateway says who it is, the client asks, and the canister answers that the session is open")


def _opening(frames: Sequence[DecodedFrame]) -> list[int]:
    firsts = [next((d.number for d in frames if d.kind == kind), None) for kind in OPENING]
    return [number for number in firsts if number is not None]


def check_next_sequence_num(table: pd.DataFrame, answer: Any) -> Check:
    """Which sequence_num does the client's next message have, after those in ``table`` (of `Recording.frames`)?

    This takes a table, not a recording, because a live session goes on while the learner thinks.
    """
    if answer is ...:
        return _unanswered("a whole number")
    if isinstance(answer, bool) or not isinstance(answer, Integral):
        return _wrong("a sequence_num is a whole number")
    used, others = (set(table.sequence_num[table.direction == way].dropna()) for way in ("out", "in"))
    if answer == max(used, default=0) + 1:
        return _right("each direction counts its own messages from 1, without gaps")
    if answer in used:
        return _wrong("an earlier message has this number: the canister would close the session")
    if answer == max(others, default=0) + 1:
        return _wrong("the canister's next message will have this number, but each direction counts for itself")
    if answer == len(table):
        return _wrong("this is the number of the next frame: look at the column sequence_num of the client's messages")
    return _wrong("look at the column sequence_num, only in the rows with the direction out")


def check_failing_step(recording: RecordingLike, root_key: bytes, answer: Any) -> Check:
    """At which step does verification fail when ``root_key`` (DER) is trusted instead of the network's own?"""
    if answer is ...:
        return _unanswered("the name of a step, as text")
    if answer not in MESSAGE_STEPS:
        return _wrong(f"a step is one of {', '.join(MESSAGE_STEPS)}")
    verdict = next(verify_capture(capture_of(recording), root_key=root_key), None)
    failure = None if verdict is None else verdict.failure
    if failure is None:
        return _wrong("no step fails with this key: is it the network's own key?")
    if answer == failure.step:
        return _right(f"{failure.detail}")
    if MESSAGE_STEPS.index(answer) > MESSAGE_STEPS.index(failure.step):
        return _wrong("verification fails before this step: which other key does the root key certify?")
    return _wrong("this step does not depend on the root key: look further down the list")


def _is_list_of_numbers(answer: Any) -> bool:
    return isinstance(answer, (list, tuple, set)) and all(
        isinstance(n, int) and not isinstance(n, bool) for n in answer
    )
