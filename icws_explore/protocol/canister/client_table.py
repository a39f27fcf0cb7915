"""A client's life as the canister sees it, as a table: CDK 0.4.1, lib.rs, state.rs and timers.rs.

The CDK itself keeps maps, not a state machine; this is the state that is in them, told from whether a
client is there and whether it was ever acked. A test walks random sessions of the Python CDK (which
agrees with the real one's traces) and finds every change in here, with its messages and handlers.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from ..messages import ClientKey
from ..transitions import Transition, TransitionTable
from .state import CdkState


class CanisterSideState(StrEnum):
    """ABSENT: not known, or not any more. OPEN: no ack yet, so no keep-alive is waited for. WATCHED: was
    acked, and is asked for its keep-alive 60 s after every ack from then on.
    """

    ABSENT = "absent"
    OPEN = "open"
    WATCHED = "watched"


class CanisterSideTrigger(StrEnum):
    """What can happen to a client. ANOTHER_OPEN is a ws_open of the same principal with another nonce."""

    WS_OPEN = "ws_open"
    ANOTHER_OPEN = "ws_open of the same principal"
    WS_MESSAGE = "ws_message"
    ACK_TICK = "ack timer"
    KEEP_ALIVE_CHECK = "keep-alive check"
    CLOSED_BY_APPLICATION = "close by the application"
    WS_CLOSE = "ws_close"


_S, _T = CanisterSideState, CanisterSideTrigger
_R = Transition
Row: TypeAlias = Transition[CanisterSideState, CanisterSideTrigger]


def _while_there(state: CanisterSideState) -> list[Row]:
    """The same whether the client was acked before or not."""
    return [
        _R(state, _T.WS_OPEN, state, "", ("answer_err",)),
        _R(state, _T.ANOTHER_OPEN, _S.ABSENT, "", ("call_on_close",)),
        _R(state, _T.WS_MESSAGE, _S.ABSENT, "wrong_sequence_num", ("send_close", "call_on_close", "answer_err")),
        _R(state, _T.WS_MESSAGE, state, "is_keep_alive", ("note_keep_alive",)),
        _R(state, _T.WS_MESSAGE, state, "is_service_message", ("answer_err",)),
        _R(state, _T.WS_MESSAGE, state, "", ("call_on_message",)),
        _R(state, _T.ACK_TICK, _S.WATCHED, "", ("send_ack",)),
        _R(state, _T.CLOSED_BY_APPLICATION, _S.ABSENT, "", ("send_close", "call_on_close")),
        _R(state, _T.WS_CLOSE, _S.ABSENT, "is_own_gateway", ("call_on_close",)),
        _R(state, _T.WS_CLOSE, state, "", ("answer_err",)),
    ]


CANISTER_SIDE_TRANSITIONS: TransitionTable[CanisterSideState, CanisterSideTrigger] = TransitionTable(
    [
        _R(_S.ABSENT, _T.WS_OPEN, _S.ABSENT, "is_anonymous", ("answer_err",)),
        _R(_S.ABSENT, _T.WS_OPEN, _S.OPEN, "", ("send_open", "call_on_open")),
        _R(_S.ABSENT, _T.WS_MESSAGE, _S.ABSENT, "", ("answer_err",)),
        _R(_S.ABSENT, _T.WS_CLOSE, _S.ABSENT, "", ("answer_err",)),
        *_while_there(_S.OPEN),
        *_while_there(_S.WATCHED),
        _R(_S.WATCHED, _T.KEEP_ALIVE_CHECK, _S.ABSENT, "keep_alive_too_old", ("send_close", "call_on_close")),
        _R(_S.WATCHED, _T.KEEP_ALIVE_CHECK, _S.WATCHED),
    ]
)


def state_of(cdk: CdkState, key: ClientKey) -> CanisterSideState:
    """The state of one client in what a CDK remembers."""
    client = cdk.clients.get(key)
    if client is None:
        return _S.ABSENT
    return _S.OPEN if client.ack_rank is None else _S.WATCHED
