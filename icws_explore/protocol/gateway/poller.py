"""Polling one canister for messages, and knowing when to give up: gateway 1.4.6, canister_poller.rs.

Pure: outcomes of polls and instants (ns) come in, ``PollerEvent``s go out. Every step is a row of
``poller_table.POLLER_TRANSITIONS``.

The nonces in message keys, as the gateway reads and follows them: gateway 1.4.6, canister_poller.rs.

The life of a canister's poller as a table: gateway 1.4.6, canister_poller.rs.

An iteration is: ask, relay, rest until the interval since asking is over, see whether any client is
left. Without a rest where the canister has more, or did not answer in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..arguments import PollMessage, PollResult, decode_poll_result
from ..cbor import MAX_U64
from ..constants import NS_PER_MS
from ..errors import DecodeError, MessageError, StateError
from ..transitions import Transition, TransitionTable
from .events import AgentFailed, Ask, Dead, Deliver, Note, PollerEvent, PollOutcome, Rejected, Replied, Stopped


def nonce_of_key(key: str) -> int:
    """The nonce at the end of a message key, as Rust reads a u64.

    Raises MessageError, its reason the gateway's text.
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
    """The nonce after ``messages``. Raises MessageError, its reason the gateway's text, where one is not the next.

    Expecting 0 means not knowing: the canister may have deleted what earlier pollers relayed.
    """
    for message in messages:
        nonce = nonce_of_key(message.key)
        if expected not in (0, nonce):
            raise MessageError("message key", f"Non consecutive nonce: expected {expected}, got {nonce}")
        expected = (nonce + 1) & MAX_U64  # as a release build wraps
    return expected


class PollerState(StrEnum):
    """ASKING: a query is under way. RESTING: the next one is not due yet. STOPPED: the last client has
    left. DEAD: failed, with every session of the canister.
    """

    RESTING = "resting"
    ASKING = "asking"
    STOPPED = "stopped"
    DEAD = "dead"


class PollerTrigger(StrEnum):
    """What can happen to a poller."""

    WAKE = "iteration due"
    MESSAGES = "messages"
    NO_MESSAGES = "no messages"
    TIMEOUT = "timeout"
    TRANSIENT = "recoverable error"
    FATAL = "unrecoverable error"


_S, _T = PollerState, PollerTrigger
_R = Transition

POLLER_TRANSITIONS: TransitionTable[PollerState, PollerTrigger] = TransitionTable(
    [
        _R(_S.RESTING, _T.WAKE, _S.ASKING, "has_clients", ("ask",)),
        _R(_S.RESTING, _T.WAKE, _S.STOPPED, "", ("tell_stopped",)),
        _R(_S.ASKING, _T.MESSAGES, _S.DEAD, "nonces_broken", ("tell_dead",)),
        _R(_S.ASKING, _T.MESSAGES, _S.RESTING, "more_queued", ("count", "relay", "log", "wake")),
        _R(_S.ASKING, _T.MESSAGES, _S.RESTING, "", ("count", "relay", "rest")),
        _R(_S.ASKING, _T.NO_MESSAGES, _S.RESTING, "", ("rest",)),
        _R(_S.ASKING, _T.TIMEOUT, _S.RESTING, "", ("log", "wake")),
        _R(_S.ASKING, _T.TRANSIENT, _S.RESTING, "", ("log", "rest")),
        _R(_S.ASKING, _T.FATAL, _S.DEAD, "", ("tell_dead",)),
    ]
)


SYS_TRANSIENT = 2  # the one reject code that a poller survives

# is_recoverable_error: whatever a bad replica or boundary node can cause on its own.
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
class _Happening:
    trigger: PollerTrigger
    now_ns: int
    text: str = ""
    result: PollResult | None = None
    next_nonce: int = 0
    is_broken: bool = False


class Poller:
    """Polls from ``start`` until it stops or dies. ``interval_ms`` counts from asking to asking."""

    def __init__(self, interval_ms: int, timeout_ms: int, has_clients: Callable[[], bool]) -> None:
        self.interval_ms = interval_ms
        self.timeout_ms = timeout_ms
        self.state = PollerState.RESTING
        self.taken: list[Transition[PollerState, PollerTrigger]] = []  # rows taken by the last call
        self._has_clients = has_clients
        self._next_nonce = 0
        self._ticket: int | None = None
        self._asked_ns = 0
        self._due_ns = 0
        self._events: list[PollerEvent] = []

    @property
    def next_nonce(self) -> int:
        """Where the next query begins; 0 until the first message."""
        return self._next_nonce

    @property
    def ticket(self) -> int | None:
        """Of the latest query; None before the first."""
        return self._ticket

    @property
    def deadline_ns(self) -> int | None:
        """When to ``tick``: the next iteration, or the time-out of the query under way."""
        return self._due_ns if self.state in (PollerState.RESTING, PollerState.ASKING) else None

    def start(self, now_ns: int) -> list[PollerEvent]:
        """Begin with the first query, at once."""
        return self._run(_Happening(PollerTrigger.WAKE, now_ns))

    def tick(self, now_ns: int) -> list[PollerEvent]:
        """Carry on with what is due."""
        self.taken = []
        if self.deadline_ns is None or self.deadline_ns > now_ns:
            return []
        if self.state is PollerState.RESTING:
            return self._run(_Happening(PollerTrigger.WAKE, now_ns))
        text = "Poller timed out. Polling immediately"
        return self._run(_Happening(PollerTrigger.TIMEOUT, now_ns, text))

    def skip(self, polls: int, asked_ns: int, answered_ns: int | None) -> None:
        """Pass over ``polls`` rounds that brought nothing: as if each had been asked, answered and rested after.

        For a simulator, which knows that a canister's queue has not changed. The latest was asked at
        ``asked_ns`` and answered at ``answered_ns``, None: not yet. Only while there are clients.
        Raises StateError for a poller that does not run.
        """
        if self._ticket is None or self.deadline_ns is None:
            raise StateError("only a poller that runs can be put forward")
        self._ticket += polls
        self._asked_ns = asked_ns
        if answered_ns is None:
            self.state, self._due_ns = PollerState.ASKING, asked_ns + self.timeout_ms * NS_PER_MS
        else:
            self.state = PollerState.RESTING
            self._due_ns = max(asked_ns + self.interval_ms * NS_PER_MS, answered_ns)

    def answered(self, outcome: PollOutcome, ticket: int, now_ns: int) -> list[PollerEvent]:
        """The query with that ticket has come to an end. One that was given up already counts for nothing.

        At the very instant of the time-out the answer wins, as in tokio's ``timeout``.
        """
        self.taken = []
        if self.state is not PollerState.ASKING or ticket != self._ticket:
            return []
        return self._run(self._weigh(outcome, now_ns))

    def _weigh(self, outcome: PollOutcome, now_ns: int) -> _Happening:
        match outcome:
            case Replied(arg):
                return self._weigh_reply(arg, now_ns)
            case Rejected(reject_code, reject_message):
                text, is_transient = f"reject code {reject_code}: {reject_message}", reject_code == SYS_TRANSIENT
            case AgentFailed(kind, detail):
                text, is_transient = f"{kind}: {detail}", kind in RECOVERABLE_FAILURES
        if is_transient:
            return _Happening(PollerTrigger.TRANSIENT, now_ns, f"Ignoring replica error: {text}")
        return _Happening(PollerTrigger.FATAL, now_ns, f"Unrecoverable agent error: {text}")

    def _weigh_reply(self, arg: bytes, now_ns: int) -> _Happening:
        try:
            result = decode_poll_result(arg)
        except DecodeError as error:
            return _Happening(PollerTrigger.FATAL, now_ns, f"Unrecoverable candid error: {error}")
        if isinstance(result, str):
            return _Happening(PollerTrigger.FATAL, now_ns, f"Unrecoverable CDK error: {result}")
        if not result.messages:
            return _Happening(PollerTrigger.NO_MESSAGES, now_ns)
        try:
            following = next_nonce(result.messages, self._next_nonce)
        except MessageError as error:
            return _Happening(PollerTrigger.MESSAGES, now_ns, error.reason, result, is_broken=True)
        text = "Canister queue is not fully drained. Polling immediately"
        return _Happening(PollerTrigger.MESSAGES, now_ns, text, result, following)

    def _run(self, it: _Happening) -> list[PollerEvent]:
        self._events = []
        self._fire(it)
        return self._events

    def _fire(self, it: _Happening) -> None:
        row = POLLER_TRANSITIONS.find(self.state, it.trigger, lambda guard: getattr(self, f"if_{guard}")(it))
        if row is None:
            return
        self.taken.append(row)
        self.state = row.to
        for action in row.actions:
            getattr(self, f"do_{action}")(it)

    def if_has_clients(self, _it: _Happening) -> bool:
        return self._has_clients()

    def if_nonces_broken(self, it: _Happening) -> bool:
        return it.is_broken

    def if_more_queued(self, it: _Happening) -> bool:
        # CDKs before 0.3.1 do not say: None counts as the end.
        return it.result is not None and it.result.is_end_of_queue is False

    def do_ask(self, it: _Happening) -> None:
        self._ticket = 0 if self._ticket is None else self._ticket + 1
        self._asked_ns = it.now_ns
        self._due_ns = it.now_ns + self.timeout_ms * NS_PER_MS
        self._events.append(Ask(self._next_nonce, self._ticket))

    def do_count(self, it: _Happening) -> None:
        self._next_nonce = it.next_nonce

    def do_relay(self, it: _Happening) -> None:
        if it.result is not None:
            result = it.result
            self._events.extend(Deliver(message, result.cert, result.tree) for message in result.messages)

    def do_rest(self, it: _Happening) -> None:
        elapsed_ns = it.now_ns - self._asked_ns
        self._due_ns = max(self._asked_ns + self.interval_ms * NS_PER_MS, it.now_ns)
        if elapsed_ns > self.interval_ms * NS_PER_MS:
            text = f"Polling messages took too long: {elapsed_ns / NS_PER_MS:g}ms. Polling immediately"
            self._events.append(Note(text, "warn"))
            self.do_wake(it)

    def do_wake(self, it: _Happening) -> None:
        self._fire(_Happening(PollerTrigger.WAKE, it.now_ns))

    def do_log(self, it: _Happening) -> None:
        self._events.append(Note(it.text, "warn"))

    def do_tell_stopped(self, _it: _Happening) -> None:
        self._events.append(Stopped())

    def do_tell_dead(self, it: _Happening) -> None:
        self._events.append(Dead(it.text))
