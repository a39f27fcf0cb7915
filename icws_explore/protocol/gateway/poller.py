"""Polling one canister for messages: gateway 1.4.6, canister_poller.rs.

Outcomes of polls and instants (ns since the epoch) go in, ``PollerEvent``s come out. Every step is a
row of ``POLLER_TRANSITIONS``. One iteration: query, relay the messages, rest until the interval since
the query has passed, see whether any client is left. There is no rest if the canister has more
messages, or did not answer in time.

`nonce_of_key` and `next_nonce` read and follow the nonces in message keys, as the gateway does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from ..arguments import PollMessage, PollResult, decode_poll_cached
from ..cbor import MAX_U64
from ..constants import NS_PER_MS
from ..errors import DecodeError, MessageError, StateError
from ..transitions import Transition, TransitionTable
from .events import AgentFailed, Ask, Dead, Deliver, Note, PollerEvent, PollOutcome, Rejected, Replied, Stopped


def nonce_of_key(key: str) -> int:
    """The nonce at the end of a message key, parsed as Rust parses a u64.

    Raises MessageError with the gateway's text as its reason.
    """
    number = key.rsplit("_", 1)[-1]
    digits = number.removeprefix("+")
    significant = digits.lstrip("0") or "0"
    if not number:
        kind = "Empty"
    elif not (digits.isascii() and digits.isdigit()):
        kind = "InvalidDigit"
    elif len(significant) > len(str(MAX_U64)) or int(significant) > MAX_U64:
        kind = "PosOverflow"
    else:
        return int(significant)
    raise MessageError("message key", f"Could not parse nonce. Error: ParseIntError {{ kind: {kind} }}")


def next_nonce(messages: Sequence[PollMessage], expected: int) -> int:
    """The nonce that follows ``messages``. If one is not consecutive, raises MessageError with the gateway's text.

    ``expected`` 0 accepts any first nonce: the canister may have deleted what earlier pollers relayed.
    """
    for message in messages:
        nonce = nonce_of_key(message.key)
        if expected not in (0, nonce):
            raise MessageError("message key", f"Non consecutive nonce: expected {expected}, got {nonce}")
        expected = (nonce + 1) & MAX_U64  # a release build wraps
    return expected


class PollerState(StrEnum):
    """RESTING: the next query is not due yet. ASKING: a query is under way. STOPPED: the last client has
    left. DEAD: the poller has failed, and with it every session of the canister.
    """

    RESTING = "resting"
    ASKING = "asking"
    STOPPED = "stopped"
    DEAD = "dead"


class PollerTriggerKind(StrEnum):
    """What can happen to a poller."""

    WAKE = "iteration due"
    MESSAGES = "messages"
    NO_MESSAGES = "no messages"
    TIMEOUT = "timeout"
    TRANSIENT = "recoverable error"
    FATAL = "unrecoverable error"


SYS_TRANSIENT = 2  # the only reject code that a poller survives

# is_recoverable_error: errors that a bad replica or boundary node can cause without the canister.
RECOVERABLE_FAILURES = frozenset(
    {
        "InvalidReplicaUrl",
        "TimeoutWaitingForResponse",
        "InvalidCborData",
        "HttpError",
        "InvalidReplicaStatus",
        "RequestStatusDoneNoReply",
        "LookupPathAbsent",
        "LookupPathUnknown",
        "LookupPathError",
        "CertificateVerificationFailed",
        "CertificateNotAuthorized",
        "ResponseSizeExceededLimit",
        "TransportError",
        "CallDataMismatch",
        "InvalidRejectCode",
    }
)


@dataclass(frozen=True, slots=True)
class PollerTrigger:
    """One thing that happens to a poller. ``has_broken_nonces``: the nonces of ``result`` are not consecutive."""

    kind: PollerTriggerKind
    now_ns: int
    text: str = ""
    result: PollResult | None = None
    next_nonce: int = 0
    has_broken_nonces: bool = False


class Poller:
    """Polls from ``start`` until it stops or dies. ``interval_ms`` counts from query to query.

    ``has_clients`` is asked before each query. ``taken`` are the rows of the table that the last call took.
    """

    def __init__(self, interval_ms: int, timeout_ms: int, has_clients: Callable[[], bool]) -> None:
        self.interval_ms = interval_ms
        self.timeout_ms = timeout_ms
        self.state = PollerState.RESTING
        self.taken: list[Transition[Any, Any, Any, Any]] = []
        self._has_clients = has_clients
        self._next_nonce = 0
        self._ticket: int | None = None
        self._asked_ns = 0
        self._due_ns = 0
        self._events: list[PollerEvent] = []

    @property
    def next_nonce(self) -> int:
        """The nonce from which the next query asks; 0 until the first message."""
        return self._next_nonce

    @property
    def ticket(self) -> int | None:
        """The ticket of the latest query; None before the first."""
        return self._ticket

    @property
    def deadline_ns(self) -> int | None:
        """When to ``tick``: at the next iteration, or at the time-out of the running query."""
        return self._due_ns if self.state in (PollerState.RESTING, PollerState.ASKING) else None

    def start(self, now_ns: int) -> list[PollerEvent]:
        """Make the first query at once."""
        return self._run(PollerTrigger(PollerTriggerKind.WAKE, now_ns))

    def tick(self, now_ns: int) -> list[PollerEvent]:
        """Do what is due."""
        self.taken = []
        if self.deadline_ns is None or self.deadline_ns > now_ns:
            return []
        if self.state is PollerState.RESTING:
            return self._run(PollerTrigger(PollerTriggerKind.WAKE, now_ns))
        text = "Poller timed out. Polling immediately"
        return self._run(PollerTrigger(PollerTriggerKind.TIMEOUT, now_ns, text))

    def skip(self, polls: int, asked_ns: int, answered_ns: int | None) -> None:
        """Skip ``polls`` iterations that brought nothing, as if each query had been made and answered.

        This is for a simulator, which knows that a canister's queue has not changed. The latest query
        was made at ``asked_ns`` and answered at ``answered_ns`` (None: not yet). There must be clients.
        Raises StateError if the poller does not run.
        """
        if self._ticket is None or self.deadline_ns is None:
            raise StateError("only a running poller can skip polls")
        self._ticket += polls
        self._asked_ns = asked_ns
        if answered_ns is None:
            self.state, self._due_ns = PollerState.ASKING, asked_ns + self.timeout_ms * NS_PER_MS
        else:
            self.state = PollerState.RESTING
            self._due_ns = max(asked_ns + self.interval_ms * NS_PER_MS, answered_ns)

    def answered(self, outcome: PollOutcome, ticket: int, now_ns: int) -> list[PollerEvent]:
        """The query with that ticket has ended. The answer to an abandoned query is ignored.

        At the very instant of the time-out the answer wins, as in tokio's ``timeout``.
        """
        self.taken = []
        if self.state is not PollerState.ASKING or ticket != self._ticket:
            return []
        return self._run(self._weigh(outcome, now_ns))

    def take(self, row: Transition[PollerState, Any, Any, Any]) -> None:
        """Enter the row's state."""
        self.taken.append(row)
        self.state = row.to

    def _weigh(self, outcome: PollOutcome, now_ns: int) -> PollerTrigger:
        match outcome:
            case Replied(arg):
                return self._weigh_reply(arg, now_ns)
            case Rejected(reject_code, reject_message):
                text, is_transient = f"reject code {reject_code}: {reject_message}", reject_code == SYS_TRANSIENT
            case AgentFailed(kind, detail):  # pragma: no branch
                text, is_transient = f"{kind}: {detail}", kind in RECOVERABLE_FAILURES
        if is_transient:
            return PollerTrigger(PollerTriggerKind.TRANSIENT, now_ns, f"Ignoring replica error: {text}")
        return PollerTrigger(PollerTriggerKind.FATAL, now_ns, f"Unrecoverable agent error: {text}")

    def _weigh_reply(self, arg: bytes, now_ns: int) -> PollerTrigger:
        try:
            result = decode_poll_cached(arg)
        except DecodeError as error:
            return PollerTrigger(PollerTriggerKind.FATAL, now_ns, f"Unrecoverable candid error: {error}")
        if isinstance(result, str):
            return PollerTrigger(PollerTriggerKind.FATAL, now_ns, f"Unrecoverable CDK error: {result}")
        if not result.messages:
            return PollerTrigger(PollerTriggerKind.NO_MESSAGES, now_ns)
        try:
            following = next_nonce(result.messages, self._next_nonce)
        except MessageError as error:
            return PollerTrigger(PollerTriggerKind.MESSAGES, now_ns, error.reason, result, has_broken_nonces=True)
        text = "Canister queue is not fully drained. Polling immediately"
        return PollerTrigger(PollerTriggerKind.MESSAGES, now_ns, text, result, following)

    def _run(self, trigger: PollerTrigger) -> list[PollerEvent]:
        self._events = []
        POLLER_TRANSITIONS.fire(self, trigger)
        return self._events

    # -- guards --------------------------------------------------------------------------------

    def has_clients(self, _trigger: PollerTrigger) -> bool:
        return self._has_clients()

    def has_broken_nonces(self, trigger: PollerTrigger) -> bool:
        return trigger.has_broken_nonces

    def has_more_queued(self, trigger: PollerTrigger) -> bool:
        # CDKs before 0.3.1 do not tell. None counts as the end of the queue.
        return trigger.result is not None and trigger.result.is_end_of_queue is False

    # -- actions -------------------------------------------------------------------------------

    def ask(self, trigger: PollerTrigger) -> None:
        self._ticket = 0 if self._ticket is None else self._ticket + 1
        self._asked_ns = trigger.now_ns
        self._due_ns = trigger.now_ns + self.timeout_ms * NS_PER_MS
        self._events.append(Ask(self._next_nonce, self._ticket))

    def set_next_nonce(self, trigger: PollerTrigger) -> None:
        self._next_nonce = trigger.next_nonce

    def relay(self, trigger: PollerTrigger) -> None:
        result = trigger.result
        assert result is not None
        self._events.extend(Deliver(message, result.cert, result.tree) for message in result.messages)

    def rest(self, trigger: PollerTrigger) -> None:
        elapsed_ns = trigger.now_ns - self._asked_ns
        self._due_ns = max(self._asked_ns + self.interval_ms * NS_PER_MS, trigger.now_ns)
        if elapsed_ns > self.interval_ms * NS_PER_MS:
            text = f"Polling messages took too long: {elapsed_ns / NS_PER_MS:g}ms. Polling immediately"
            self._events.append(Note(text, "warn"))
            self.wake(trigger)

    def wake(self, trigger: PollerTrigger) -> None:
        POLLER_TRANSITIONS.fire(self, PollerTrigger(PollerTriggerKind.WAKE, trigger.now_ns))

    def log(self, trigger: PollerTrigger) -> None:
        self._events.append(Note(trigger.text, "warn"))

    def report_stopped(self, _trigger: PollerTrigger) -> None:
        self._events.append(Stopped())

    def report_dead(self, trigger: PollerTrigger) -> None:
        self._events.append(Dead(trigger.text))


PollerTable: TypeAlias = TransitionTable[PollerState, PollerTriggerKind, Poller, PollerTrigger]

_S, _K, _P = PollerState, PollerTriggerKind, Poller
_R = Transition

POLLER_TRANSITIONS: PollerTable = TransitionTable(
    [
        _R(_S.RESTING, _K.WAKE, _S.ASKING, _P.has_clients, (_P.ask,)),
        _R(_S.RESTING, _K.WAKE, _S.STOPPED, None, (_P.report_stopped,)),
        _R(_S.ASKING, _K.MESSAGES, _S.DEAD, _P.has_broken_nonces, (_P.report_dead,)),
        _R(
            _S.ASKING,
            _K.MESSAGES,
            _S.RESTING,
            _P.has_more_queued,
            (_P.set_next_nonce, _P.relay, _P.log, _P.wake),
        ),
        _R(_S.ASKING, _K.MESSAGES, _S.RESTING, None, (_P.set_next_nonce, _P.relay, _P.rest)),
        _R(_S.ASKING, _K.NO_MESSAGES, _S.RESTING, None, (_P.rest,)),
        _R(_S.ASKING, _K.TIMEOUT, _S.RESTING, None, (_P.log, _P.wake)),
        _R(_S.ASKING, _K.TRANSIENT, _S.RESTING, None, (_P.log, _P.rest)),
        _R(_S.ASKING, _K.FATAL, _S.DEAD, None, (_P.report_dead,)),
    ]
)
