"""Exercises in which the learner writes a gateway. Each is checked in the simulator, by what becomes of the session.

A gateway is a function ``relay(number, data)``: it returns the list of frames that the client gets in place of the
canister's message ``number`` (the OpenMessage is 1). An exception of the function is raised.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture, Frame
from icws_explore.lab.faults import Delivery, Faults
from icws_explore.lab.scenarios.faults import Downward
from icws_explore.lab.simulator import Simulation, simulate
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage

from . import Check
from .faults import PARTIES, checked_relay, close_of, noticer
from .programs import WRITE

_ASKED: Final = f"{WRITE}a function relay(number, data) that returns a list of bytes"
_TRIALS: Final = 4
CHEAT_S: Final = 90.0  # the mean delay that the cheating gateway must reach
CHEAT_DURATION: Final = "20m"
TOP_OF_RELAY: Final = 12  # messages that a faulty link may reorder


def check_repair(answer: Any) -> Check:
    """Does the client of a gateway behind a link that swaps messages notice nothing?

    ``answer()`` makes a new gateway, which gets the messages in the order in which the link delivers them.
    """
    if answer is ...:
        return Check(None, f"{WRITE}a function make() that returns a function relay(number, data)")
    if not callable(answer):
        return Check(False, "the answer is a function that returns a gateway")
    for trial in range(_TRIALS):
        repair = answer()
        if not callable(repair):
            return Check(False, "make() must return a function relay(number, data)")
        result = simulate("ticker", duration="3m", seed=trial, faults=_Swapping(trial, checked_relay(repair)))
        close = close_of(result.raw)
        if close is not None and close.code == CloseCode.CLOSED_BY_SDK:
            return Check(False, f"after {_elapsed(result.raw, close):.0f} s the client closes: {close.reason}")
        if _app_messages(result) < TOP_OF_RELAY:
            return Check(False, f"only {_app_messages(result)} messages reached the client: you keep some of them")
    return Check(True, f"in {_TRIALS} sessions over a link that swaps messages, the client noticed nothing")


def check_canister_first(answer: Any) -> Check:
    """Does the canister end the session, before the client, if message ``number`` is ``answer(number)`` ms late?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function late_ms(number) that returns milliseconds")
    if not callable(answer):
        return Check(False, "the answer is a function of a message's number that returns milliseconds")
    faults = Downward(lambda _number, data: [data], late_ms=_checked_delay(answer))
    result = simulate("echo", duration="20m", seed=3, faults=faults)
    close = close_of(result.raw)
    who = noticer(result.raw, close)
    if who == "canister":
        assert close is not None
        return Check(True, f"after {_elapsed(result.raw, close):.0f} s the client received its CloseMessage")
    if who == "client" and close is not None:
        return Check(
            False,
            f"the client closes first, after {_elapsed(result.raw, close):.0f} s: {close.reason}. Which "
            "limit did your delay pass, and how long does the canister wait?",
        )
    return Check(False, "nobody notices in 20 minutes: how long does the canister wait for a keep-alive?")


def check_cheat(answer: Any) -> Check:
    """How late can a gateway deliver a canister's messages without anybody noticing in 20 minutes?

    ``answer()`` makes a new gateway. It passes if all messages arrive, on average `CHEAT_S` late, and neither side
    ends the session.
    """
    if answer is ...:
        return Check(None, f"{WRITE}a function make() that returns a function relay(number, data)")
    if not callable(answer):
        return Check(False, "the answer is a function that returns a gateway")
    relay = answer()
    if not callable(relay):
        return Check(False, "make() must return a function relay(number, data)")
    faults = Downward(checked_relay(relay))
    result = simulate("ticker", duration=CHEAT_DURATION, seed=5, faults=faults)
    close = close_of(result.raw)
    who = noticer(result.raw, close)
    if who != "nobody" and close is not None:
        return Check(False, f"the {who} notices after {_elapsed(result.raw, close):.0f} s: {close.reason}")
    if any("removed" in event.text for event in result.log):
        return Check(False, "the canister gave up: it got no keep-alive within 60 s of its ack")
    delays = list(_delays(result))
    mean = sum(delays) / len(delays) if delays else 0.0
    longest = max(delays, default=0.0)
    if len(delays) < TOP_OF_RELAY:
        return Check(False, f"only {len(delays)} messages arrived in {CHEAT_DURATION}")
    if mean < CHEAT_S:
        return Check(False, f"nobody notices, but the messages are only {mean:.0f} s late on average: keep them longer")
    found = ", ".join(finding.id for finding in diagnose(result.raw)) or "nothing"
    return Check(
        True,
        f"{mean:.0f} s late on average, {longest:.0f} s at most, and neither side noticed. The doctor finds {found}",
    )


@dataclass(frozen=True, slots=True)
class Situation:
    """A row of the quiz: who ends the session, and how many seconds after the first frame."""

    name: str
    who: str
    after_s: float | None


def check_quiz(runs: dict[str, Simulation], answer: Any, *, tolerance_s: float = 5.0) -> Check:
    """Does the quiz say who ends each session of ``runs`` and when?

    ``answer`` maps each name to (party, seconds); the seconds are None for "nobody".
    """
    if answer is ...:
        return Check(None, f'{WRITE}a dictionary such as {{"a": ("client", 330), "b": ("nobody", None)}}')
    if not isinstance(answer, dict) or set(answer) != set(runs):
        return Check(False, f"the answer is a dictionary with the keys {', '.join(runs)}")
    right = 0
    for name, run in runs.items():
        given = answer[name]
        if not isinstance(given, (list, tuple)) or len(given) != 2:
            return Check(False, f'{name}: an answer is a pair such as ("client", 330)')
        who, seconds = given
        if who not in PARTIES:
            return Check(False, f"{name}: one of {', '.join(map(repr, PARTIES))}, not {who!r:.40}")
        if who == "nobody" and seconds is not None:
            return Check(False, f"{name}: if nobody ends it, the seconds are None")
        if who != "nobody" and not isinstance(seconds, (int, float)):
            return Check(False, f"{name}: seconds are a number, or None for nobody")
        situation = _situation(name, run)
        if situation.after_s is None or seconds is None:
            in_time = seconds is situation.after_s
        else:
            in_time = abs(seconds - situation.after_s) <= tolerance_s
        right += who == situation.who and in_time
    if right < len(runs):  # which ones are wrong would give the answers away
        return Check(False, f"{right} of {len(runs)} are right, each with its party and its time")
    return Check(True, "all right: " + "; ".join(_told(_situation(name, run)) for name, run in runs.items()))


class _Swapping(Faults):
    """A link that swaps some neighbours, before the learner's gateway gets them."""

    def __init__(self, seed: int, relay: Callable[[int, bytes], list[bytes]]) -> None:
        self._rng = random.Random(seed)
        self._relay = relay
        self._kept: bytes | None = None
        self._count = 0

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        try:
            CanisterMessage.decode(data)
        except DecodeError:
            return [Delivery(data)]  # the handshake
        if self._kept is None and self._count > 0 and self._rng.random() < 0.4:
            self._kept = data
            return []
        arrived = [data] if self._kept is None else [data, self._kept]
        self._kept = None
        return [Delivery(frame) for each in arrived for frame in self._given(each)]

    def _given(self, data: bytes) -> list[bytes]:
        self._count += 1
        return self._relay(self._count, data)


def _checked_delay(late_ms: Callable[[int], Any]) -> Callable[[int], float]:
    """Return the learner's delays. It raises TypeError if one is not a number of milliseconds."""

    def checked(number: int) -> float:
        late = late_ms(number)
        if not isinstance(late, (int, float)) or not isfinite(late):
            raise TypeError(f"late_ms({number}) must return milliseconds, a number, not {late!r:.40}")
        return late

    return checked


def _delays(result: Simulation) -> Iterator[float]:
    """Seconds from the certificate of each application message to its arrival."""
    certificates = result.timing().certificates
    kinds = {decoded.number: decoded.kind for decoded in result}
    for frame, age in zip(certificates["frame"], certificates["age_s"], strict=True):
        if kinds[int(frame)] == "app":
            yield float(age)


def _app_messages(result: Simulation) -> int:
    return sum(decoded.kind == "app" for decoded in decode_frames(result.raw))


def _elapsed(capture: Capture, frame: Frame) -> float:
    return frame.t - capture.frames[0].t


def _situation(name: str, run: Simulation) -> Situation:
    close = close_of(run.raw)
    who = noticer(run.raw, close)
    return Situation(name, who, None if who == "nobody" or close is None else _elapsed(run.raw, close))


def _told(right: Situation) -> str:
    return f"{right.name} {right.who}" + ("" if right.after_s is None else f" after {right.after_s:.0f} s")
