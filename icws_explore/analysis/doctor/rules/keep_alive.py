"""The canister closed with KeepAliveTimeout: it got no keep-alive, a late one, or one that did not arrive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.constants import KEEP_ALIVE_TIMEOUT_MS, NS_PER_S
from icws_explore.protocol.service_messages import CloseMessage, CloseReason

from ...decode import DecodedFrame
from ..facts import SessionFacts
from ..finding import RECORD_NETWORK, count, seconds
from ..network_side import frames_of, quoted
from ..registry import Evidence, session_rule

_SDK: Final = (
    "It answers every AckMessage with a keep-alive at once. When it receives the CloseMessage it calls "
    'close(4000, "Received close message from canister").'
)
_SOURCE: Final = "CDK 0.4.1 timers.rs; forum, IC WebSocket: Stable Release, #28-30"


@session_rule(
    "NO_KEEPALIVE",
    sdk=_SDK,
    fix="Answer each AckMessage with a KeepAliveMessage. Application messages do not count.",
    source=_SOURCE,
)
def no_keepalive(session: SessionFacts) -> Iterator[Evidence]:
    window = _window(session)
    if window is None or window.answers:
        return
    messages = [d for d in session.sent if d.kind == "message" and d.number > window.ack.number]
    meanwhile = f" (only {count(len(messages), 'application message')})" if messages else ""
    text = (
        f"The client sent no keep-alive for the AckMessage of frame {window.ack.number}{meanwhile}, and "
        f"{seconds(window.limit_s)} after the ack the canister closed with KeepAliveTimeout (frame "
        f"{window.close.number})."
    )
    yield Evidence((window.ack.number, window.close.number, *session.end_frames), text)


@session_rule(
    "KEEPALIVE_LATE",
    sdk=_SDK,
    fix="Find out what delayed the keep-alive: a throttled background tab, a sleeping machine, a slow connection to "
    "the canister.",
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
    text = (
        f"The keep-alive (frame {answer.number}) left {seconds(after)} after the AckMessage of frame "
        f"{window.ack.number}; the canister closed {seconds(window.limit_s)} after the ack."
    )
    left = window.limit_s - window.delay_s - after
    if window.delay_s > 1:
        text += f" The AckMessage itself took {seconds(window.delay_s)} longer than the session's fastest message."
    if left > 0:
        text += f" The keep-alive had {seconds(left)} left, and took longer than that to reach the canister"
        text += "." if has_arrived else f", or was lost (LOST_UP). {RECORD_NETWORK}"
    if call is not None and has_arrived:
        text += f" It did arrive: {quoted(call)}."
    yield Evidence((window.ack.number, answer.number, *frames_of(call), window.close.number, *session.end_frames), text)


@session_rule(
    "ACK_ANSWERED_WITH_ACK",
    sdk="It answers every AckMessage with a KeepAliveMessage.",
    fix="Answer each AckMessage with a KeepAliveMessage. The protocol document (docs/ic-ws-protocol.md) says "
    "AckMessage there, which is wrong.",
    source="CDK 0.4.1 lib.rs, ws_message; ic-websocket-js 0.5.0 ic-websocket.ts",
    explains=("NO_KEEPALIVE", "KEEPALIVE_LATE"),
)
def ack_answered_with_ack(session: SessionFacts) -> Iterator[Evidence]:
    wrong = next((d for d in session.sent if d.kind == "ack"), None)
    if wrong is None:
        return
    closing = session.canister_close
    text = f"The client answered an AckMessage with an AckMessage (frame {wrong.number}); a KeepAliveMessage is due."
    frames = (wrong.number, *session.end_frames)
    if closing is not None and isinstance(closing.service, CloseMessage):
        text += f" The canister does not count it, and closed with {closing.service.reason} (frame {closing.number})."
        frames = (closing.number, *frames)
    yield Evidence(frames, text)


def lost_answer(session: SessionFacts) -> Iterator[Evidence]:
    """Evidence for LOST_UP: a keep-alive that left in time and did not count."""
    window = _window(session)
    if window is not None and window.answers and window.is_prompt:
        answer = window.answers[0]
        call = session.answer(answer)
        if call is not None and call.is_final:
            return  # the network's answer says what happened
        text = (
            f"The keep-alive of frame {answer.number} left {seconds(answer.frame.t - window.ack.frame.t)} after its "
            f"AckMessage, well within the {seconds(window.limit_s)} allowed, but the canister closed with "
            "KeepAliveTimeout: the keep-alive never arrived."
        )
        text += " The gateway did not relay it." if call is None and session.has_network_side else f" {RECORD_NETWORK}"
        yield Evidence((window.ack.number, answer.number, window.close.number, *session.end_frames), text)


class _Window:
    """An ack, the keep-alives after it, and the close. ``limit_s`` is the canister's, by the canister's clock."""

    def __init__(self, ack: DecodedFrame, close: DecodedFrame, answers: list[DecodedFrame], delay_s: float) -> None:
        self.ack = ack
        self.close = close
        self.answers = answers
        self.delay_s = delay_s
        """How much longer (s) than the session's fastest message the ack took to the client."""

    @property
    def is_prompt(self) -> bool:
        """Whether the answer left in the first half of the time since the ack was made: no latency makes it late."""
        return bool(self.answers) and self.delay_s + self.answers[0].frame.t - self.ack.frame.t < self.limit_s / 2

    @property
    def limit_s(self) -> float:
        """The time (s) from the ack to the close by the canister's timestamps."""
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
    return _Window(ack, closing, answers, _delay_s(session, ack))


def _delay_s(session: SessionFacts, ack: DecodedFrame) -> float:
    """How much longer (s) the ack took than the fastest message; a skew of the clocks cancels out."""
    delays = {
        d.number: d.frame.t - d.message.timestamp_ns / NS_PER_S for d in session.received if d.message is not None
    }
    return delays[ack.number] - min(delays.values()) if ack.number in delays else 0.0
