"""Self-checking exercises of the notebooks: each check computes the answer from the learner's own session.

A check never gives the answer away: it says whether, and if not, where to look.
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
    """The outcome of an exercise. ``ok`` is None while it is not answered."""

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


def _right(text: str) -> Check:
    return Check(True, text)


def _wrong(hint: str) -> Check:
    return Check(False, hint)


def _unanswered(task: str) -> Check:
    return Check(None, f"put your answer in the place of the three dots: {task}")


def check_opening(recording: RecordingLike, answer: Any) -> Check:
    """Which frames (their numbers, as a list) opened the session?"""
    if answer is ...:
        return _unanswered("a list of frame numbers, such as [4, 5]")
    if not _is_list_of_numbers(answer):
        return _wrong("the answer is a list of frame numbers, such as [4, 5]")
    frames = list(shared_frames(capture_of(recording)))
    if any(not 0 <= number < len(frames) for number in answer):
        return _wrong(f"the frames so far have the numbers 0 to {len(frames) - 1}")
    opening = _opening(frames)
    strange = next((number for number in answer if number not in opening), None)
    if strange is not None:
        return _wrong(f"frame {strange} is of kind {frames[strange].kind}: is the session not open already by then?")
    if set(answer) != set(opening):
        return _wrong("those belong to it, but not they alone: who speaks first, who asks, and who has the last word?")
    return _right("the gateway introduces itself, the client asks, and the canister itself says that it is open")


def _opening(frames: Sequence[DecodedFrame]) -> list[int]:
    firsts = [next((d.number for d in frames if d.kind == kind), None) for kind in OPENING]
    return [number for number in firsts if number is not None]


def check_next_sequence_num(table: pd.DataFrame, answer: Any) -> Check:
    """Which sequence_num has the client's next message, after those in ``table`` (of `Recording.frames`)?

    A table and no recording: a live session goes on while the learner thinks.
    """
    if answer is ...:
        return _unanswered("a whole number")
    if isinstance(answer, bool) or not isinstance(answer, Integral):
        return _wrong("a sequence_num is a whole number")
    used, others = (set(table.sequence_num[table.direction == way].dropna()) for way in ("out", "in"))
    if answer == max(used, default=0) + 1:
        return _right("each direction counts its own messages from 1, and leaves none out")
    if answer in used:
        return _wrong("that one was used already: the canister would close the session for it")
    if answer == max(others, default=0) + 1:
        return _wrong("that is what the canister's next message will have: each direction counts for itself")
    if answer == len(table):
        return _wrong("that is the number of the next frame; look at the column sequence_num of what the client sent")
    return _wrong("look at the column sequence_num, and only at the rows whose direction is out")


def check_failing_step(recording: RecordingLike, root_key: bytes, answer: Any) -> Check:
    """At which step does verification fail when ``root_key`` (DER) is trusted instead of the network's own?"""
    if answer is ...:
        return _unanswered("the name of a step, as text")
    if answer not in MESSAGE_STEPS:
        return _wrong(f"a step is one of {', '.join(MESSAGE_STEPS)}")
    verdict = next(verify_capture(capture_of(recording), root_key=root_key), None)
    failure = None if verdict is None else verdict.failure
    if failure is None:
        return _wrong("under that key nothing fails: is it not the network's own?")
    if answer == failure.step:
        return _right(f"{failure.detail}")
    if MESSAGE_STEPS.index(answer) > MESSAGE_STEPS.index(failure.step):
        return _wrong("the walk does not get that far: which of the keys in play does the root key itself vouch for?")
    return _wrong("that step does not depend on the root key: go further down the list")


def _is_list_of_numbers(answer: Any) -> bool:
    return isinstance(answer, (list, tuple, set)) and all(
        isinstance(n, int) and not isinstance(n, bool) for n in answer
    )
