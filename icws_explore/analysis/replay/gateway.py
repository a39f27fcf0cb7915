"""The gateway's side of a recorded session, again, through the session table of gateway 1.4.6.

One session shows only a part of what a gateway does: the poll's nonces are shared with other
clients, so that gaps between them are nothing odd. What one session can show is held against the
table: what comes before what, and what ends a session.
"""

from __future__ import annotations

from typing import Final

from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.gateway.events import FrameKind, GatewayEvent
from icws_explore.protocol.gateway.requests import Request
from icws_explore.protocol.gateway.session import GatewaySession, SessionState, SessionTrigger, SessionTriggerKind
from icws_explore.protocol.gateway.table import SESSION_TRANSITIONS
from icws_explore.protocol.messages import ClientKey, parse_message_key
from icws_explore.protocol.principal import Principal

from ..decode import DecodedFrame
from .divergence import Divergence, Kind

PATIENCE_NS: Final = 5 * NS_PER_S  # what was under way when the gateway ended the session
_KINDS: Final[dict[str, FrameKind]] = {"binary": "binary", "text": "text", "ping": "ping", "pong": "pong"}


class _Alone:
    """The rest of the gateway, as one session sees it: nothing to do."""

    def __init__(self) -> None:
        self.events: list[GatewayEvent] = []

    def add_client(self, canister_id: Principal, client_key: ClientKey, session: int | str, now_ns: int) -> None:
        """Other sessions of the same client are not in this one's recording."""

    def remove_client(self, canister_id: Principal, client_key: ClientKey) -> None:
        """Likewise."""

    def start_poller(self, canister_id: Principal, now_ns: int) -> None:
        """What a poll gave shows in the messages that were relayed."""


class GatewayReplay:
    """Feed it the decoded frames of one session in their order. Stops at the first divergence."""

    def __init__(self) -> None:
        self.divergence: Divergence | None = None
        self._gateway = _Alone()
        self._session = GatewaySession("replayed", self._gateway)
        self._principal: Principal | None = None
        self._last_nonce = -1
        self._dropped: tuple[DecodedFrame, int] | None = None  # the frame that ends the session, and when
        self._over = False

    def feed(self, decoded: DecodedFrame) -> None:
        """The next frame. Nothing happens once a divergence was found, or the session is over."""
        if self._over or self.divergence is not None:
            return
        now_ns = decoded.frame.t_ns
        if decoded.frame.op == "close":
            self._over = True
        elif decoded.frame.direction == "out":
            self._take(decoded, now_ns)
        else:
            self._give(decoded, now_ns)

    def _take(self, decoded: DecodedFrame, now_ns: int) -> None:
        """The client sent something."""
        request = Request.read(_KINDS[decoded.frame.op], decoded.frame.data)
        row = SESSION_TRANSITIONS.fire(self._session, SessionTrigger(SessionTriggerKind.FRAME, now_ns, request))
        self._gateway.events.clear()
        if row is not None and row.close is not None:
            self._dropped = (decoded, now_ns)

    def _give(self, decoded: DecodedFrame, now_ns: int) -> None:
        """The gateway sent something."""
        if self._dropped is not None:
            cause, since_ns = self._dropped
            if now_ns - since_ns > PATIENCE_NS:
                self._diverge(cause, "close", "close", "ends the session at such a frame", "went on")
        elif decoded.frame.op != "binary":
            what = f"sent a {decoded.frame.op} frame"
            self._diverge(decoded, "unasked", "op", "sends binary frames only, and never pings", what)
        elif decoded.kind == "handshake":
            self._handshake(decoded)
        elif decoded.canister_message is not None:
            self._relayed(decoded, decoded.canister_message.key, now_ns)
        else:
            self._diverge(decoded, "unasked", "frame", "sends its handshake and canister messages", decoded.summary)

    def _handshake(self, decoded: DecodedFrame) -> None:
        assert decoded.handshake is not None  # its kind says so
        if self._principal is not None:
            self._diverge(decoded, "unasked", "handshake", "introduces itself once", "did so again")
        self._principal = decoded.handshake.gateway_principal

    def _relayed(self, decoded: DecodedFrame, key: str, now_ns: int) -> None:
        if self._principal is None:
            self._diverge(decoded, "silence", "handshake", "begins with its handshake", "began with a message")
            return
        if self._session.state is SessionState.INIT:
            self._diverge(decoded, "unasked", "ws_open", "relays nothing before a ws_open", "relayed a message")
            return
        trigger = SessionTrigger(SessionTriggerKind.CANISTER_MESSAGE, now_ns, data=decoded.frame.data)
        SESSION_TRANSITIONS.fire(self._session, trigger)
        self._gateway.events.clear()
        try:
            owner, nonce = parse_message_key(key)
        except DecodeError as error:
            self._diverge(decoded, "content", "key", "relays keys as its poll gave them", f"relayed one that {error}")
            return
        if owner != self._principal:
            self._diverge(decoded, "content", "key", f"polls for {self._principal}", f"relayed a key of {owner}")
        elif nonce <= self._last_nonce:
            what = f"sent nonce {nonce} after {self._last_nonce}"
            self._diverge(decoded, "content", "nonce", "relays in the order of the nonces, each once", what)
        self._last_nonce = max(nonce, self._last_nonce)

    def _diverge(self, decoded: DecodedFrame, kind: Kind, step: str, expected: str, recorded: str) -> None:
        self.divergence = Divergence("gateway", decoded.number, kind, step, expected, recorded)
