"""The client's session as a table: ic-websocket-js 0.5.0, ic-websocket.ts.

Codes and reasons are those the SDK hands to ``WebSocket.close``. What has no row means nothing in
that state: a frame is ignored, a message goes nowhere.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from ..constants import CLOSE_BY_APPLICATION, CLOSE_BY_SDK, CLOSE_NORMAL
from ..transitions import Close, Transition, TransitionTable


class ClientState(StrEnum):
    """HANDSHAKE: connected, the gateway has not introduced itself. OPENING: ws_open is sent.
    CLOSING: we asked to close. CLOSED: the connection is gone.
    """

    HANDSHAKE = "handshake"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class ClientTrigger(StrEnum):
    """What can happen to a client. A message trigger means that all checks before it were passed."""

    HANDSHAKE_FRAME = "handshake frame"
    OPEN_MESSAGE = "OpenMessage"
    ACK_MESSAGE = "AckMessage"
    CLOSE_MESSAGE = "CloseMessage"
    APPLICATION_MESSAGE = "application message"
    BAD_SERVICE_MESSAGE = "bad service message"
    BAD_FRAME = "bad frame"
    OPEN_TIMEOUT = "open timeout"
    ACK_TIMEOUT = "ack timeout"
    SEND = "send"
    OPEN_UNSENT = "ws_open cannot be signed"
    MESSAGE_UNSENT = "message cannot be signed"
    KEEP_ALIVE_UNSENT = "keep-alive cannot be signed"
    CLOSE = "close"
    CONNECTION_ERROR = "connection error"
    CONNECTION_LOST = "connection lost"


_S, _T = ClientState, ClientTrigger
Row: TypeAlias = Transition[ClientState, ClientTrigger]


def _closing(state: ClientState, trigger: ClientTrigger, *actions: str, reason: str, guard: str = "") -> Row:
    return Transition(state, trigger, _S.CLOSING, guard, actions, Close(CLOSE_BY_SDK, reason))


def _handshake() -> list[Row]:
    return [
        Transition(_S.HANDSHAKE, _T.HANDSHAKE_FRAME, _S.OPENING, "", ("tell", "send_ws_open")),
        _closing(_S.HANDSHAKE, _T.BAD_FRAME, "fail", reason="Error receiving message"),
        _closing(_S.OPENING, _T.OPEN_UNSENT, "log", reason="Handshake message error"),
        _closing(_S.OPENING, _T.OPEN_TIMEOUT, "fail", reason="Open connection timeout"),
    ]


def _after_handshake(state: ClientState) -> list[Row]:
    """The same in OPENING and in OPEN: the SDK does not insist that the OpenMessage comes first, or once."""
    return [
        Transition(state, _T.OPEN_MESSAGE, _S.OPEN, "own_client_key", ("stop_open_timer", "tell")),
        _closing(state, _T.OPEN_MESSAGE, "log_foreign_key", reason="Service message error"),
        _closing(
            state, _T.ACK_MESSAGE, "tell", "fail_ack", reason="Ack message error", guard="ack_of_something_unsent"
        ),
        Transition(state, _T.ACK_MESSAGE, state, "", ("tell", "take_ack", "send_keep_alive")),
        Transition(
            state,
            _T.CLOSE_MESSAGE,
            _S.CLOSING,
            "closed_by_application",
            ("tell",),
            Close(CLOSE_BY_APPLICATION, "ClosedByApplication"),
        ),
        _closing(
            state,
            _T.CLOSE_MESSAGE,
            "tell",
            "fail_canister_closed",
            reason="Received close message from canister",
        ),
        Transition(state, _T.APPLICATION_MESSAGE, state, "", ("tell",)),
        _closing(state, _T.BAD_SERVICE_MESSAGE, "log", reason="Service message error"),
        _closing(state, _T.BAD_FRAME, "fail", reason="Error receiving message"),
        _closing(state, _T.ACK_TIMEOUT, "fail", reason="Ack message timeout"),
        _closing(state, _T.MESSAGE_UNSENT, "fail", reason="Message sending failed"),
    ]


def _sending() -> list[Row]:
    return [
        Transition(_S.OPEN, _T.SEND, _S.OPEN, "", ("send_message",)),
        # MESSAGE_UNSENT comes first and closes; this close is a second one and changes nothing.
        _closing(_S.CLOSING, _T.KEEP_ALIVE_UNSENT, "fail", reason="Keep alive message was not sent"),
    ]


def _ending() -> list[Row]:
    connected = (_S.HANDSHAKE, _S.OPENING, _S.OPEN)
    rows = [Transition(state, _T.CLOSE, _S.CLOSING, "", (), Close(CLOSE_NORMAL)) for state in connected]
    rows += [Transition(state, _T.CONNECTION_ERROR, state, "", ("fail",)) for state in ClientState]
    rows += [
        Transition(state, _T.CONNECTION_LOST, _S.CLOSED, "", ("forget", "tell")) for state in (*connected, _S.CLOSING)
    ]
    return rows


TRANSITIONS: TransitionTable[ClientState, ClientTrigger] = TransitionTable(
    [*_handshake(), *_after_handshake(_S.OPENING), *_after_handshake(_S.OPEN), *_sending(), *_ending()]
)
