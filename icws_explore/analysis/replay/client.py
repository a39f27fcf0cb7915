"""The client's side of a recorded session, again, through the state machine of the real SDK.

What the recorded client received goes into the machine; what it sent is held against what the
machine wants to send. Only decoded content is compared: signatures, call nonces and the times on
messages are every client's own. Frames cross on the wire, so an answer may come a little late, and
numbers are held against the order on the wire, not against the machine's.

The order in which a recorded client sent its numbers, held against the SDK's own ack queue.

A keep-alive of ic-websocket-js 0.5.0 bypasses the queue of messages, and signing is asynchronous: the two
can leave the other way round (misbehaviours: KEEPALIVE_RACE). The SDK notices when it notes down the
lower number behind the higher one, and closes. The client's machine signs at once and never comes to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from icws_explore.capture import Frame
from icws_explore.protocol.arguments import OpenArgs
from icws_explore.protocol.client.events import ClientEvent, CloseConnection, Failed, Logged, SendFrame, Verified
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.client.wire import AckQueue
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM, NS_PER_S, ack_timeout_ms
from icws_explore.protocol.envelope import ingress_expiry_ns
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.service_messages import AckMessage, KeepAliveMessage
from icws_explore.protocol.steps import first_failure

from ..decode import DecodedFrame, decode_frame
from .divergence import Divergence, Kind, PredictedClose, ReplayStep

RACE_REASON = "Message sending failed"


class SendOrder:
    """Feed it the decoded frames of one session in their order. ``ack_timeout_ms`` as the client's machine has it."""

    def __init__(self, ack_timeout_ms: int) -> None:
        self._queue = AckQueue(ack_timeout_ms)
        self._last_kind = ""

    def feed(self, decoded: DecodedFrame) -> str | None:
        """The SDK's text for its user if it closes at this frame, because a keep-alive and a message raced."""
        now_ns = decoded.frame.t_ns
        if decoded.frame.direction == "in":
            if isinstance(decoded.service, AckMessage):
                number = decoded.service.last_incoming_sequence_num
                if self._queue.refusal(number) is None:
                    self._queue.ack(number, now_ns)
            return None
        if decoded.kind not in ("message", "keep_alive") or decoded.sequence_num is None:
            return None
        kinds = {decoded.kind, self._last_kind}
        try:
            self._queue.add(decoded.sequence_num, now_ns)
        except StateError as error:
            return f"{RACE_REASON}: Error: {error}" if kinds == {"message", "keep_alive"} else None
        self._last_kind = decoded.kind
        return None


class Numbering:
    """Counts what a client sends. A keep-alive and a message beside it may have changed places, as the SDK's do."""

    def __init__(self) -> None:
        self._next_number = FIRST_SEQUENCE_NUM
        self._ahead: DecodedFrame | None = None  # came one number too early

    def check(self, decoded: DecodedFrame) -> tuple[DecodedFrame, int] | None:
        """The frame that is out of order for a reason of its own, and the number that the SDK would have given it."""
        expected, self._next_number = self._next_number, self._next_number + 1
        number = decoded.sequence_num
        if (ahead := self._ahead) is not None:
            self._ahead = None
            is_race = number == expected - 1 and {ahead.kind, decoded.kind} == {"message", "keep_alive"}
            return None if is_race else (ahead, expected - 1)
        if number == expected + 1:
            self._ahead = decoded
            return None
        return None if number == expected else (decoded, expected)

    def end(self) -> tuple[DecodedFrame, int] | None:
        """As `check`, when nothing comes any more."""
        return None if self._ahead is None else (self._ahead, self._next_number - 1)


SLACK_NS: Final = NS_PER_S  # two clocks looked at one timer, or a frame was under way
BUSY_NS: Final = NS_PER_S // 10  # likewise, of real time: a scaled clock draws a machine's busy moment out
PATIENCE_NS: Final = 30 * NS_PER_S  # an answer that takes longer than the protocol's latency bound is none
_DAY_NS: Final = 86_400 * NS_PER_S
_SDK_CODES: Final = (CloseCode.CLOSED_BY_SDK, CloseCode.CLOSED_BY_APPLICATION)
_NAMES: Final = {"open_request": "ws_open", "keep_alive": "a KeepAliveMessage"}


@dataclass(frozen=True, slots=True)
class _Due:
    """A frame that the machine wants sent since ``since_ns``, because of frame ``cause``."""

    wanted: DecodedFrame
    cause: int
    since_ns: int


class ClientReplay:
    """Feed it the decoded frames of one session in their order.

    ``clock_scale`` is protocol seconds for each real second of the clock under which they were recorded.
    """

    def __init__(self, machine: ClientMachine, *, clock_scale: float = 1.0) -> None:
        self.steps: list[ReplayStep] = []
        self.divergence: Divergence | None = None
        self.predicted: PredictedClose | None = None
        self.recorded_close: Frame | None = None
        self._machine = machine
        self._due: list[_Due] = []
        self._order = SendOrder(ack_timeout_ms(machine.config.ack_interval_ms))
        self._numbering = Numbering()
        self._now_ns = 0
        self._timer_slack_ns = max(SLACK_NS, round(BUSY_NS * clock_scale))

    def feed(self, decoded: DecodedFrame) -> None:
        """The next frame. Behind a divergence only the end is looked for, behind the end nothing."""
        if self.recorded_close is not None:
            return
        raced = self._order.feed(decoded)
        if self.divergence is None:
            self._follow_frame(decoded)
        elif decoded.frame.op == "close":
            self.recorded_close = decoded.frame
        if raced is not None and self.predicted is None:
            self.predicted = PredictedClose(
                CloseCode.CLOSED_BY_SDK, RACE_REASON, decoded.number, decoded.frame.t, raced
            )

    def _follow_frame(self, decoded: DecodedFrame) -> None:
        self._now_ns = max(self._now_ns, decoded.frame.t_ns)
        self._fire_timers(decoded)
        if decoded.frame.op == "close":
            self._misnumbered(self._numbering.end())
        if self._is_silent(decoded):
            return
        if decoded.frame.direction == "in":
            self._received(decoded)
        else:
            self._sent(decoded)

    # -- towards the machine ---------------------------------------------------------------------

    def _fire_timers(self, decoded: DecodedFrame) -> None:
        ends_by_sdk = decoded.frame.op == "close" and decoded.frame.direction == "out"
        while (deadline := self._machine.deadline_ns) is not None:
            if ends_by_sdk and deadline <= self._now_ns + self._timer_slack_ns:
                self._now_ns = max(self._now_ns, deadline)
            elif self._now_ns - self._timer_slack_ns < deadline <= self._now_ns:
                # The recorded client's own timer may not have run out yet when this frame came.
                self._now_ns = deadline - 1
            if deadline > self._now_ns:
                return
            self._follow(decoded, self._machine.tick(deadline), timer_ns=deadline)

    def _received(self, decoded: DecodedFrame) -> None:
        frame = decoded.frame
        if frame.op == "close":
            self.recorded_close = frame
            self._follow(
                decoded,
                self._machine.connection_lost(frame.code or CloseCode.NO_STATUS_RCVD, frame.reason or "", self._now_ns),
            )
        elif frame.op in ("binary", "text"):
            self._follow(decoded, self._machine.receive(frame.data, self._now_ns))

    def _follow(self, decoded: DecodedFrame, events: Sequence[ClientEvent], *, timer_ns: int | None = None) -> None:
        if not events:
            return
        at_ns = self._now_ns if timer_ns is None else timer_ns
        self.steps.append(ReplayStep(decoded.number, tuple(events), timer_ns is not None))
        error = step = ""
        for event in events:
            match event:
                case SendFrame(data):
                    wanted = decode_frame(Frame(decoded.frame.t, "out", "binary", data), number=decoded.number)
                    if wanted.kind in _NAMES:
                        self._due.append(_Due(wanted, decoded.number, at_ns))
                case Failed(text) | Logged(text):
                    error = text
                case Verified(steps=steps):
                    failed = first_failure(steps)
                    step = "" if failed is None else failed.step
                case CloseConnection(code, reason) if self.predicted is None and code in _SDK_CODES:
                    self.predicted = PredictedClose(code, reason, decoded.number, at_ns / NS_PER_S, error, step)

    # -- what the recorded client sent -----------------------------------------------------------

    def _sent(self, decoded: DecodedFrame) -> None:
        match decoded.frame.op:
            case "close":
                self._sent_close(decoded)
            case "binary" if self.predicted is None:
                self._sent_binary(decoded)
            case "text" | "ping":
                self._diverge(decoded, "unasked", "op", "sends binary frames only", f"sent a {decoded.frame.op} frame")

    def _sent_close(self, decoded: DecodedFrame) -> None:
        frame, predicted = decoded.frame, self.predicted
        self.recorded_close = frame
        told = f"closed with {frame.code or 'no code'}" + (f" {frame.reason!r}" if frame.reason else "")
        if predicted is not None:
            if (frame.code, frame.reason or "") != (predicted.code, predicted.reason):
                self._diverge_at_close(predicted, told)
        elif frame.code in _SDK_CODES:
            self._diverge(decoded, "close", "close", "sees no reason to close", told)
        else:  # an application may end its session at any time
            self._follow(decoded, self._machine.close(self._now_ns))

    def _sent_binary(self, decoded: DecodedFrame) -> None:
        match decoded.kind:
            case "open_request":
                self._sent_open(decoded)
            case "keep_alive":
                self._sent_keep_alive(decoded)
            case "message":
                self._sent_message(decoded)
            case _:
                what = "sends ws_open, application messages and keep-alives only"
                self._diverge(decoded, "unasked", decoded.kind, what, f"sent {decoded.summary}")
        if self.divergence is None:
            self._check_message(decoded)

    def _sent_open(self, decoded: DecodedFrame) -> None:
        due = self._take(decoded)
        if due is None:
            self._diverge(decoded, "unasked", "ws_open", "sends one ws_open, after the handshake", "sent another")
            return
        ours, theirs = due.wanted.open_args, decoded.open_args
        if ours != theirs:
            expected, recorded = f"names {_gateway_of(ours)} in ws_open", f"named {_gateway_of(theirs)}"
            self._diverge(decoded, "content", "gateway_principal", expected, recorded)

    def _sent_keep_alive(self, decoded: DecodedFrame) -> None:
        due = self._take(decoded)
        if due is None:
            what = "answers AckMessages with keep-alives, nothing else"
            self._diverge(decoded, "unasked", "keep_alive", what, "sent one unasked")
        elif due.wanted.service != decoded.service:
            step = "last_incoming_sequence_num"
            self._diverge(decoded, "content", step, f"sends {_received_up_to(due.wanted)}", _received_up_to(decoded))

    def _sent_message(self, decoded: DecodedFrame) -> None:
        assert decoded.message is not None  # kind "message" has one
        try:
            self._follow(decoded, self._machine.send(decoded.message.content, self._now_ns))
        except StateError as error:
            self._diverge(decoded, "unasked", "state", f"refuses to send ({error})", "sent an application message")

    def _check_message(self, decoded: DecodedFrame) -> None:
        """What all requests have in common; the ones in front have been compared with the machine's."""
        envelope, message, config = decoded.envelope, decoded.message, self._machine.config
        assert envelope is not None  # every kind that comes here was read from one
        expiry_ns, recorded_ns = ingress_expiry_ns(self._now_ns), envelope.ingress_expiry_ns or 0
        if envelope.canister_id != config.canister_id:
            self._differs(decoded, "canister_id", f"calls {config.canister_id}", f"called {envelope.canister_id}")
        elif abs(recorded_ns - expiry_ns) > _DAY_NS:
            self._differs(decoded, "ingress_expiry", f"lets it expire at {expiry_ns} ns", f"said {recorded_ns}")
        elif message is not None and message.client_key != self._machine.client_key:
            self._differs(decoded, "client_key", f"is {self._machine.client_key}", f"was {message.client_key}")
        elif message is not None:
            self._misnumbered(self._numbering.check(decoded))

    def _misnumbered(self, wrong: tuple[DecodedFrame, int] | None) -> None:
        if wrong is not None:
            decoded, expected = wrong
            self._differs(decoded, "sequence_num", f"counts on to {expected}", f"sent {decoded.sequence_num}")

    def _take(self, decoded: DecodedFrame) -> _Due | None:
        """What was due and is this frame: the same if there is one, else the oldest of its kind."""
        alike = [due for due in self._due if due.wanted.kind == decoded.kind]
        same = [due for due in alike if due.wanted.service == decoded.service]
        found = next(iter(same or alike), None)
        if found is not None:
            self._due.remove(found)
        return found

    # -- what did not come -----------------------------------------------------------------------

    def _is_silent(self, decoded: DecodedFrame) -> bool:
        """Whether what was due has not come by this frame; that is the divergence then."""
        predicted = self.predicted
        if predicted is not None:
            late_ns = self._now_ns - round(predicted.t * NS_PER_S)
            goes_on = late_ns > PATIENCE_NS or (late_ns > SLACK_NS and decoded.frame.direction == "out")
            if not goes_on or decoded.frame.op == "close":
                return False
            if decoded.kind == "keep_alive" and self._take(decoded) is not None:
                return False  # it was being signed; what came meanwhile waited in the SDK's queue
            self._diverge_at_close(predicted, f"went on (frame {decoded.number})")
            return True
        overdue = next((due for due in self._due if self._now_ns - due.since_ns > PATIENCE_NS), None)
        if overdue is None:
            return False
        kind = overdue.wanted.kind
        self.divergence = Divergence(
            "client", overdue.cause, "silence", kind, f"answers with {_NAMES[kind]}", "did not"
        )
        return True

    def _differs(self, decoded: DecodedFrame, step: str, expected: str, recorded: str) -> None:
        self._diverge(decoded, "content", step, expected, recorded)

    def _diverge(self, decoded: DecodedFrame, kind: Kind, step: str, expected: str, recorded: str) -> None:
        self.divergence = Divergence("client", decoded.number, kind, step, expected, recorded)

    def _diverge_at_close(self, predicted: PredictedClose, recorded: str) -> None:
        expected = f"closes with {predicted.code} {predicted.reason!r}"
        self.divergence = Divergence("client", predicted.frame, "close", predicted.step or "close", expected, recorded)


def _received_up_to(decoded: DecodedFrame) -> str:
    assert isinstance(decoded.service, KeepAliveMessage)
    return f"a keep-alive for {decoded.service.last_incoming_sequence_num}"


def _gateway_of(args: OpenArgs | None) -> str:
    return "no gateway" if args is None or args.gateway_principal is None else str(args.gateway_principal)
