"""A session of the gateway as a table: gateway 1.4.6, client_session.rs and client_session_handler.rs.

``Close(None)`` is a close frame without a code; after a client's close frame it would be the answer, which repeats
the client's code. ``ABNORMAL_CLOSURE`` (1006) is the end of the TCP connection without a close frame. The action
``panic`` stands for what the real task does when a session ends in INIT: it panics, and cleans nothing up, because no
client is registered yet.
"""

from __future__ import annotations

from typing import TypeAlias

from ..close_codes import CloseCode
from ..transitions import Close, Transition, TransitionTable
from .session import GatewaySession, SessionState, SessionTrigger, SessionTriggerKind

SessionTable: TypeAlias = TransitionTable[SessionState, SessionTriggerKind, GatewaySession, SessionTrigger]

_S, _K, _G = SessionState, SessionTriggerKind, GatewaySession
_R = Transition
_DROP = Close(CloseCode.ABNORMAL_CLOSURE)
_LEAVE = (_G.remove_client, _G.call_ws_close)

SESSION_TRANSITIONS: SessionTable = TransitionTable(
    [
        _R(_S.INIT, _K.FRAME, _S.SETUP, _G.is_ws_open, (_G.add_client, _G.relay_up, _G.start_poller)),
        _R(_S.INIT, _K.FRAME, _S.CLOSED, None, (_G.log_fault, _G.panic), Close(None)),
        _R(_S.INIT, _K.CLOSE_FRAME, _S.CLOSED, None, (_G.panic,), _DROP),
        _R(_S.INIT, _K.LOST, _S.CLOSED, None, (_G.panic,)),
        _R(_S.SETUP, _K.FRAME, _S.SETUP, None, (_G.warn_setup,)),
        _R(_S.SETUP, _K.CLOSE_FRAME, _S.CLOSED, None, _LEAVE, _DROP),
        _R(_S.SETUP, _K.LOST, _S.CLOSED, None, _LEAVE),
        _R(_S.SETUP, _K.CANISTER_MESSAGE, _S.OPEN, None, (_G.relay_down,)),
        _R(_S.SETUP, _K.POLLER_GONE, _S.CLOSED, None, (_G.warn_poller,), Close(None)),
        _R(_S.OPEN, _K.FRAME, _S.OPEN, _G.is_call, (_G.relay_up,)),
        _R(_S.OPEN, _K.FRAME, _S.CLOSED, None, (_G.log_fault, *_LEAVE), _DROP),
        _R(_S.OPEN, _K.CLOSE_FRAME, _S.CLOSED, None, _LEAVE, _DROP),
        _R(_S.OPEN, _K.LOST, _S.CLOSED, None, _LEAVE),
        _R(_S.OPEN, _K.CANISTER_MESSAGE, _S.OPEN, None, (_G.relay_down,)),
        _R(_S.OPEN, _K.POLLER_GONE, _S.CLOSED, None, (_G.warn_poller,), Close(None)),
    ]
)
