"""The life of a canister's poller as a table: gateway 1.4.6, canister_poller.rs.

An iteration is: ask, relay, rest until the interval since asking is over, see whether any client is
left. Without a rest where the canister has more, or did not answer in time.
"""

from __future__ import annotations

from enum import StrEnum

from ..transitions import Transition, TransitionTable


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
