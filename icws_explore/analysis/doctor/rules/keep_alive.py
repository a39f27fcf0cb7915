"""The canister closed with KeepAliveTimeout: no keep-alive, a late one, or one that did not arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.constants import KEEP_ALIVE_TIMEOUT_MS, NS_PER_S
from icws_explore.protocol.service_messages import CloseMessage, CloseReason

from ...decode import DecodedFrame
from ..facts import SessionFacts
from ..finding import RECORD_NETWORK, seconds
from ..network_side import frames_of, quoted
from ..registry import Evidence, session_rule

_SDK: Final = (
    "It answers every AckMessage with a keep-alive at once. To the CloseMessage: "
    'close(4000, "Received close message from canister").'
)
_SOURCE: Final = "CDK 0.4.1 timers.rs; forum, IC WebSocket: Stable Release, #28-30"


@session_rule(
    "NO_KEEPALIVE",
    sdk=_SDK,
    fix="Answer each AckMessage with a KeepAliveMessage; application messages do not count.",
    source=_SOURCE,
)
def no_keepalive(session: SessionFacts) -> Iterator[Evidence]:
    window = _window(session)
    if window is None or window.answers:
        return
    talk = [d for d in session.sent if d.kind == "message" and d.number > window.ack.number]
    meanwhile = f", though {len(talk)} application messages" if talk else ""
    told = (
        f"The AckMessage of frame {window.ack.number} got no keep-alive{meanwhile}, and {seconds(window.limit_s)} "
        f"after it the canister closed with KeepAliveTimeout (frame {window.close.number})."
    )
    yield Evidence((window.ack.number, window.close.number, *session.end_frames), told)


@session_rule(
    "KEEPALIVE_LATE",
    sdk=_SDK,
    fix="Find what held it up: a throttled background tab, a sleeping machine, a slow way to the canister.",
    source=_SOURCE,
)
def keepalive_late(session: SessionFacts) -> Iterator[Evidence]:
    window = _window(session)
    if window is None or not window.answers:
        return
    answer = window.answers[0]
    call = session.answer(answer)
    has_arrived = call is not None and call.outcome in ("replied", "err")
    if window.is_prompt and not has_arrived:
        return
    after = answer.frame.t - window.ack.frame.t
    told = (
        f"The keep-alive for the AckMessage of frame {window.ack.number} left {seconds(after)} after it (frame "
        f"{answer.number}); the canister had closed {seconds(window.limit_s)} after the ack."
    )
    left = window.limit_s - window.held_s - after
    if window.held_s > 1:
        told += f" The AckMessage itself had been {seconds(window.held_s)} longer on its way than the quickest message."
    if left > 0:
        told += f" It had {seconds(left)} left, and the way to the canister took longer than that"
        told += "." if has_arrived else f", or it was lost (LOST_UP). {RECORD_NETWORK}"
    if call is not None and has_arrived:
        told += f" It did arrive: {quoted(call)}."
    yield Evidence((window.ack.number, answer.number, *frames_of(call), window.close.number, *session.end_frames), told)


def lost_answer(session: SessionFacts) -> Iterator[Evidence]:
    """A keep-alive that left in good time and did not count: LOST_UP."""
    window = _window(session)
    if window is not None and window.answers and window.is_prompt:
        answer = window.answers[0]
        call = session.answer(answer)
        if call is not None and call.is_final:
            return  # the network's answer tells
        told = (
            f"The keep-alive of frame {answer.number} left {seconds(answer.frame.t - window.ack.frame.t)} after its "
            f"AckMessage, {seconds(window.limit_s)} were allowed, and the canister closed with KeepAliveTimeout all "
            "the same: it never arrived."
        )
        told += " The gateway did not relay it." if call is None and session.has_network_side else f" {RECORD_NETWORK}"
        yield Evidence((window.ack.number, answer.number, window.close.number, *session.end_frames), told)


class _Window:
    """An ack, the keep-alives behind it, and the close; ``limit_s`` is the canister's, by its own clock."""

    def __init__(self, ack: DecodedFrame, close: DecodedFrame, answers: list[DecodedFrame], held_s: float) -> None:
        self.ack = ack
        self.close = close
        self.answers = answers
        self.held_s = held_s
        """How much longer (s) the ack took to the client than the session's quickest message."""

    @property
    def is_prompt(self) -> bool:
        """The answer left in the first half of the time since the ack was made: no latency makes that late."""
        return bool(self.answers) and self.held_s + self.answers[0].frame.t - self.ack.frame.t < self.limit_s / 2

    @property
    def limit_s(self) -> float:
        if self.ack.message is None or self.close.message is None:
            return KEEP_ALIVE_TIMEOUT_MS / 1000
        return (self.close.message.timestamp_ns - self.ack.message.timestamp_ns) / NS_PER_S


def _window(session: SessionFacts) -> _Window | None:
    closing = session.canister_close
    if closing is None or not isinstance(closing.service, CloseMessage):
        return None
    if closing.service.reason is not CloseReason.KEEP_ALIVE_TIMEOUT:
        return None
    before = [d for d in session.acks if d.number < closing.number]
    if not before:
        return None
    ack = before[-1]
    answers = [d for d in session.sent if d.kind == "keep_alive" and d.number > ack.number]
    return _Window(ack, closing, answers, _held_s(session, ack))


def _held_s(session: SessionFacts, ack: DecodedFrame) -> float:
    """The ack's way down beyond that of the quickest message (s), so that a skew of the clocks cancels out."""
    ways = {d.number: d.frame.t - d.message.timestamp_ns / NS_PER_S for d in session.received if d.message is not None}
    return ways[ack.number] - min(ways.values()) if ack.number in ways else 0.0
