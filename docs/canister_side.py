"""A client's life as the canister sees it, as a table: CDK 0.4.1, lib.rs, state.rs and timers.rs.

This is a model for docs/state-machines.md. The CDK, real or in `protocol/canister`, keeps maps and
does not run by it. The states are read off what the CDK remembers: whether the client is there, and
whether it was ever acked. A test walks random sessions of `protocol/canister` (which agrees with traces
of the real CDKs) and runs the model beside them: states, messages and handler calls must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from icws_explore.protocol.canister.state import CdkState
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.transitions import Transition, TransitionTable


class CanisterSideState(StrEnum):
    """ABSENT: not known, or not any more. OPEN: no ack was sent yet, so no keep-alive is expected. WATCHED:
    an ack was sent; its keep-alive is checked 60 s after every ack from then on.
    """

    ABSENT = "absent"
    OPEN = "open"
    WATCHED = "watched"


class CanisterSideTriggerKind(StrEnum):
    """What can happen to a client. ANOTHER_OPEN is a ws_open of the same principal with another nonce."""

    WS_OPEN = "ws_open"
    ANOTHER_OPEN = "ws_open of the same principal"
    WS_MESSAGE = "ws_message"
    ACK_TICK = "ack timer"
    KEEP_ALIVE_CHECK = "keep-alive check"
    CLOSED_BY_APPLICATION = "close by the application"
    WS_CLOSE = "ws_close"


@dataclass(frozen=True, slots=True)
class CanisterSideTrigger:
    """One thing that happens to a client. ``holds`` names the guards that hold for it."""

    kind: CanisterSideTriggerKind
    holds: frozenset[str] = frozenset()


@dataclass(slots=True)
class CanisterSide:
    """The model: the state of one client, and the names of the actions that were done."""

    state: CanisterSideState = CanisterSideState.ABSENT
    done: list[str] = field(default_factory=list)

    def take(self, row: Transition[CanisterSideState, Any, Any, Any]) -> None:
        self.state = row.to


Row: TypeAlias = Transition[CanisterSideState, CanisterSideTriggerKind, CanisterSide, CanisterSideTrigger]
Guard: TypeAlias = Callable[[CanisterSide, CanisterSideTrigger], bool]
Action: TypeAlias = Callable[[CanisterSide, CanisterSideTrigger], None]


def _guard(name: str) -> Guard:
    def holds(_side: CanisterSide, trigger: CanisterSideTrigger) -> bool:
        return name in trigger.holds

    holds.__name__ = name
    return holds


def _action(name: str) -> Action:
    def do(side: CanisterSide, _trigger: CanisterSideTrigger) -> None:
        side.done.append(name)

    do.__name__ = name
    return do


IS_ANONYMOUS = _guard("is_anonymous")
IS_WRONG_SEQUENCE_NUM = _guard("is_wrong_sequence_num")
IS_KEEP_ALIVE = _guard("is_keep_alive")
IS_SERVICE_MESSAGE = _guard("is_service_message")
IS_OWN_GATEWAY = _guard("is_own_gateway")
IS_KEEP_ALIVE_OVERDUE = _guard("is_keep_alive_overdue")

SEND_OPEN = _action("send_open")
SEND_ACK = _action("send_ack")
SEND_CLOSE = _action("send_close")
CALL_ON_OPEN = _action("call_on_open")
CALL_ON_MESSAGE = _action("call_on_message")
CALL_ON_CLOSE = _action("call_on_close")
NOTE_KEEP_ALIVE = _action("note_keep_alive")
ANSWER_ERR = _action("answer_err")

_S, _K = CanisterSideState, CanisterSideTriggerKind
_R = Transition


def _while_registered(state: CanisterSideState) -> list[Row]:
    """The rows that OPEN and WATCHED share."""
    return [
        _R(state, _K.WS_OPEN, state, None, (ANSWER_ERR,)),
        _R(state, _K.ANOTHER_OPEN, _S.ABSENT, None, (CALL_ON_CLOSE,)),
        _R(state, _K.WS_MESSAGE, _S.ABSENT, IS_WRONG_SEQUENCE_NUM, (SEND_CLOSE, CALL_ON_CLOSE, ANSWER_ERR)),
        _R(state, _K.WS_MESSAGE, state, IS_KEEP_ALIVE, (NOTE_KEEP_ALIVE,)),
        _R(state, _K.WS_MESSAGE, state, IS_SERVICE_MESSAGE, (ANSWER_ERR,)),
        _R(state, _K.WS_MESSAGE, state, None, (CALL_ON_MESSAGE,)),
        _R(state, _K.ACK_TICK, _S.WATCHED, None, (SEND_ACK,)),
        _R(state, _K.CLOSED_BY_APPLICATION, _S.ABSENT, None, (SEND_CLOSE, CALL_ON_CLOSE)),
        _R(state, _K.WS_CLOSE, _S.ABSENT, IS_OWN_GATEWAY, (CALL_ON_CLOSE,)),
        _R(state, _K.WS_CLOSE, state, None, (ANSWER_ERR,)),
    ]


CANISTER_SIDE_TRANSITIONS: TransitionTable[
    CanisterSideState, CanisterSideTriggerKind, CanisterSide, CanisterSideTrigger
] = TransitionTable(
    [
        _R(_S.ABSENT, _K.WS_OPEN, _S.ABSENT, IS_ANONYMOUS, (ANSWER_ERR,)),
        _R(_S.ABSENT, _K.WS_OPEN, _S.OPEN, None, (SEND_OPEN, CALL_ON_OPEN)),
        _R(_S.ABSENT, _K.WS_MESSAGE, _S.ABSENT, None, (ANSWER_ERR,)),
        _R(_S.ABSENT, _K.WS_CLOSE, _S.ABSENT, None, (ANSWER_ERR,)),
        *_while_registered(_S.OPEN),
        *_while_registered(_S.WATCHED),
        _R(_S.WATCHED, _K.KEEP_ALIVE_CHECK, _S.ABSENT, IS_KEEP_ALIVE_OVERDUE, (SEND_CLOSE, CALL_ON_CLOSE)),
        _R(_S.WATCHED, _K.KEEP_ALIVE_CHECK, _S.WATCHED),
    ]
)


def state_of(cdk: CdkState, key: ClientKey) -> CanisterSideState:
    """The state of one client in what a CDK remembers."""
    client = cdk.clients.get(key)
    if client is None:
        return _S.ABSENT
    return _S.OPEN if client.ack_rank is None else _S.WATCHED
