"""The client's session as a table: ic-websocket-js 0.5.0, ic-websocket.ts.

Codes and reasons are those that the SDK passes to ``WebSocket.close``. A trigger without a row is
ignored in that state: a frame is not looked at, a message is not sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..close_codes import CloseCode
from ..transitions import Close, Transition, TransitionTable
from .session import ClientSession
from .states import ClientState, ClientTrigger, ClientTriggerKind

Row: TypeAlias = Transition[ClientState, ClientTriggerKind, ClientSession, ClientTrigger]
ClientTable: TypeAlias = TransitionTable[ClientState, ClientTriggerKind, ClientSession, ClientTrigger]
Guard: TypeAlias = Callable[[ClientSession, ClientTrigger], bool]
Action: TypeAlias = Callable[[ClientSession, ClientTrigger], None]

_S, _K, _C = ClientState, ClientTriggerKind, ClientSession


def _closing(
    state: ClientState, trigger: ClientTriggerKind, *actions: Action, reason: str, guard: Guard | None = None
) -> Row:
    return Transition(state, trigger, _S.CLOSING, guard, actions, Close(CloseCode.CLOSED_BY_SDK, reason))


def _handshake() -> list[Row]:
    return [
        Transition(_S.HANDSHAKE, _K.HANDSHAKE_FRAME, _S.OPENING, None, (_C.report, _C.send_ws_open)),
        _closing(_S.HANDSHAKE, _K.BAD_FRAME, _C.fail, reason="Error receiving message"),
        _closing(_S.OPENING, _K.OPEN_UNSENT, _C.log, reason="Handshake message error"),
        _closing(_S.OPENING, _K.OPEN_TIMEOUT, _C.fail, reason="Open connection timeout"),
    ]


def _after_handshake(state: ClientState) -> list[Row]:
    """The rows that OPENING and OPEN share: the SDK accepts an OpenMessage late, and more than once."""
    return [
        Transition(state, _K.OPEN_MESSAGE, _S.OPEN, _C.is_own_client_key, (_C.stop_open_timer, _C.report)),
        _closing(state, _K.OPEN_MESSAGE, _C.log_foreign_key, reason="Service message error"),
        _closing(
            state,
            _K.ACK_MESSAGE,
            _C.report,
            _C.fail_ack,
            reason="Ack message error",
            guard=_C.is_ack_of_unsent_message,
        ),
        Transition(state, _K.ACK_MESSAGE, state, None, (_C.report, _C.take_ack, _C.send_keep_alive)),
        Transition(
            state,
            _K.CLOSE_MESSAGE,
            _S.CLOSING,
            _C.is_closed_by_application,
            (_C.report,),
            Close(CloseCode.CLOSED_BY_APPLICATION, "ClosedByApplication"),
        ),
        _closing(
            state,
            _K.CLOSE_MESSAGE,
            _C.report,
            _C.fail_canister_closed,
            reason="Received close message from canister",
        ),
        Transition(state, _K.APPLICATION_MESSAGE, state, None, (_C.report,)),
        _closing(state, _K.BAD_SERVICE_MESSAGE, _C.log, reason="Service message error"),
        _closing(state, _K.BAD_FRAME, _C.fail, reason="Error receiving message"),
        _closing(state, _K.ACK_TIMEOUT, _C.fail, reason="Ack message timeout"),
        _closing(state, _K.MESSAGE_UNSENT, _C.fail, reason="Message sending failed"),
    ]


def _sending() -> list[Row]:
    return [
        Transition(_S.OPEN, _K.SEND, _S.OPEN, None, (_C.send_message,)),
        # MESSAGE_UNSENT comes first and closes. This second close changes nothing.
        _closing(_S.CLOSING, _K.KEEP_ALIVE_UNSENT, _C.fail, reason="Keep alive message was not sent"),
    ]


def _ending() -> list[Row]:
    connected = (_S.HANDSHAKE, _S.OPENING, _S.OPEN)
    normal = Close(CloseCode.NORMAL_CLOSURE)
    rows: list[Row] = [Transition(state, _K.CLOSE, _S.CLOSING, None, (), normal) for state in connected]
    rows += [Transition(state, _K.CONNECTION_ERROR, state, None, (_C.fail,)) for state in ClientState]
    rows += [
        Transition(state, _K.CONNECTION_LOST, _S.CLOSED, None, (_C.clear_acks, _C.report))
        for state in (*connected, _S.CLOSING)
    ]
    return rows


TRANSITIONS: ClientTable = TransitionTable(
    [*_handshake(), *_after_handshake(_S.OPENING), *_after_handshake(_S.OPEN), *_sending(), *_ending()]
)
