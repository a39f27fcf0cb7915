"""A session of the gateway as a table: gateway 1.4.6, client_session.rs and client_session_handler.rs.

``Close(None)`` is a close frame without a code, ``Close(1006)`` the end of the TCP connection
without one. "panic" is what the task really does when a session ends in INIT: no clean-up, because
there is no client to clean up after.
"""

from __future__ import annotations

from enum import StrEnum

from ..transitions import Close, Transition, TransitionTable
from .events import NO_CLOSE_FRAME


class SessionState(StrEnum):
    """INIT: the handshake is sent. SETUP: ws_open is relayed. OPEN: the canister has answered."""

    INIT = "init"
    SETUP = "setup"
    OPEN = "open"
    CLOSED = "closed"


class SessionTrigger(StrEnum):
    """What can happen to a session. FRAME is every WebSocket message but close: ping and pong too."""

    FRAME = "frame"
    CLOSE_FRAME = "close frame"
    LOST = "connection lost"
    CANISTER_MESSAGE = "canister message"
    POLLER_GONE = "poller gone"


_S, _T = SessionState, SessionTrigger
_R = Transition
_DROP = Close(NO_CLOSE_FRAME)
_LEAVE = ("remove_client", "call_ws_close")

SESSION_TRANSITIONS: TransitionTable[SessionState, SessionTrigger] = TransitionTable(
    [
        _R(_S.INIT, _T.FRAME, _S.SETUP, "is_ws_open", ("add_client", "relay_up", "start_poller")),
        _R(_S.INIT, _T.FRAME, _S.CLOSED, "", ("log_fault", "panic"), Close(None)),
        _R(_S.INIT, _T.CLOSE_FRAME, _S.CLOSED, "", ("panic",), _DROP),
        _R(_S.INIT, _T.LOST, _S.CLOSED, "", ("panic",)),
        _R(_S.SETUP, _T.FRAME, _S.SETUP, "", ("warn_setup",)),
        _R(_S.SETUP, _T.CLOSE_FRAME, _S.CLOSED, "", _LEAVE, _DROP),
        _R(_S.SETUP, _T.LOST, _S.CLOSED, "", _LEAVE),
        _R(_S.SETUP, _T.CANISTER_MESSAGE, _S.OPEN, "", ("relay_down",)),
        _R(_S.SETUP, _T.POLLER_GONE, _S.CLOSED, "", ("warn_poller",), Close(None)),
        _R(_S.OPEN, _T.FRAME, _S.OPEN, "is_call", ("relay_up",)),
        _R(_S.OPEN, _T.FRAME, _S.CLOSED, "", ("log_fault", *_LEAVE), _DROP),
        _R(_S.OPEN, _T.CLOSE_FRAME, _S.CLOSED, "", _LEAVE, _DROP),
        _R(_S.OPEN, _T.LOST, _S.CLOSED, "", _LEAVE),
        _R(_S.OPEN, _T.CANISTER_MESSAGE, _S.OPEN, "", ("relay_down",)),
        _R(_S.OPEN, _T.POLLER_GONE, _S.CLOSED, "", ("warn_poller",), Close(None)),
    ]
)
