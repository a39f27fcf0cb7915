"""The session behind the client's state: numbers, queues and timers, and what the table's rows test and do.

Rows of ``table.TRANSITIONS`` name the methods under "guards" and "actions". An action that fails
fires a further trigger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..constants import NS_PER_MS, OPEN_TIMEOUT_MS
from ..errors import IcwsError
from ..messages import ClientKey
from ..principal import Principal
from ..service_messages import CloseReason, KeepAliveMessage, encode_service
from ..transitions import Transition
from .events import CanisterClosed, ClientEvent, Failed, HandshakeReceived, KeepAliveSent, Logged, Opened, SendFrame
from .states import ENDED, ClientState, ClientTrigger, ClientTriggerKind
from .wire import AckQueue, Inbox, Outbox

_OPEN_TIMEOUT = "Open timeout expired before receiving the open message"


class ClientSession:
    """One session. ``fire`` hands a further trigger to the machine; ``taken`` are the rows of the last call."""

    def __init__(
        self,
        client_key: ClientKey,
        inbox: Inbox,
        outbox: Outbox,
        acks: AckQueue,
        fire: Callable[[ClientTrigger], None],
    ) -> None:
        self.client_key = client_key
        self.inbox = inbox
        self.outbox = outbox
        self.acks = acks
        self.gateway_principal: Principal | None = None
        self.events: list[ClientEvent] = []
        self.taken: list[Transition[Any, Any, Any, Any]] = []
        self._state = ClientState.HANDSHAKE
        self._fire = fire
        self._open_due_ns: int | None = None

    @property
    def state(self) -> ClientState:
        return self._state

    @property
    def is_ended(self) -> bool:
        """The client has asked to close, or the connection is gone: nothing is sent any more."""
        return self._state in ENDED

    def enter(self, state: ClientState) -> None:
        self._state = state

    def take(self, row: Transition[ClientState, Any, Any, Any]) -> None:
        """Note the row and enter its state."""
        self.taken.append(row)
        self.enter(row.to)

    # -- timers --------------------------------------------------------------------------------

    @property
    def deadlines(self) -> dict[str, int]:
        """Running timers, soonest first, each with the instant (ns) at which it expires."""
        timers = {"open": self._open_due_ns, "ack": self.acks.due_ns}
        running = {name: due_ns for name, due_ns in timers.items() if due_ns is not None}
        return dict(sorted(running.items(), key=lambda item: item[1]))

    def expire(self, timer: str, now_ns: int) -> ClientTrigger:
        """The trigger of the named timer, which has run out."""
        if timer == "open":
            self._open_due_ns = None
            return ClientTrigger(ClientTriggerKind.OPEN_TIMEOUT, now_ns, error=_OPEN_TIMEOUT)
        return _ack_timeout(self.acks.expire(), now_ns)

    def stop_timers(self) -> None:
        self._open_due_ns = None
        self.acks.clear()

    # -- guards --------------------------------------------------------------------------------

    def is_own_client_key(self, trigger: ClientTrigger) -> bool:
        return trigger.event == Opened(self.client_key)

    def is_ack_of_unsent_message(self, trigger: ClientTrigger) -> bool:
        return self.acks.refusal(trigger.number) is not None

    def is_closed_by_application(self, trigger: ClientTrigger) -> bool:
        return trigger.event == CanisterClosed(CloseReason.CLOSED_BY_APPLICATION)

    # -- actions -------------------------------------------------------------------------------

    def report(self, trigger: ClientTrigger) -> None:
        """Tell the owner the trigger's event."""
        assert trigger.event is not None
        self.events.append(trigger.event)

    def fail(self, trigger: ClientTrigger) -> None:
        self.events.append(Failed(trigger.error))

    def fail_ack(self, trigger: ClientTrigger) -> None:
        self.events.append(Failed(f"Ack message error: Error: {self.acks.refusal(trigger.number)}"))

    def fail_canister_closed(self, _trigger: ClientTrigger) -> None:
        # The SDK prints the reason as a JavaScript object. The event CanisterClosed tells which reason it was.
        self.events.append(Failed("Received close message from canister. Reason: [object Object]"))

    def log(self, trigger: ClientTrigger) -> None:
        self.events.append(Logged(trigger.error))

    def log_foreign_key(self, _trigger: ClientTrigger) -> None:
        self.events.append(Logged("[onWsMessage] Service message error: Error: Client key does not match"))

    def send_ws_open(self, trigger: ClientTrigger) -> None:
        """Send ws_open and start the open timer."""
        assert isinstance(trigger.event, HandshakeReceived)
        self.gateway_principal = trigger.event.gateway_principal
        try:
            frame = self.outbox.ws_open(self.gateway_principal, trigger.now_ns)
        except IcwsError as error:
            text = f"[onWsMessage] Handshake message error: Error: {error}"
            self._fire(ClientTrigger(ClientTriggerKind.OPEN_UNSENT, trigger.now_ns, error=text))
            return
        self._send(frame)
        self._open_due_ns = trigger.now_ns + OPEN_TIMEOUT_MS * NS_PER_MS

    def stop_open_timer(self, _trigger: ClientTrigger) -> None:
        self._open_due_ns = None

    def take_ack(self, trigger: ClientTrigger) -> None:
        expired = self.acks.ack(trigger.number, trigger.now_ns)
        if expired:
            self._fire(_ack_timeout(expired, trigger.now_ns))

    def send_keep_alive(self, trigger: ClientTrigger) -> None:
        last = self.inbox.last_sequence_num
        if not self._send_message(encode_service(KeepAliveMessage(last)), trigger.now_ns, is_service_message=True):
            text = "Keep alive message was not sent"
            self._fire(ClientTrigger(ClientTriggerKind.KEEP_ALIVE_UNSENT, trigger.now_ns, error=text))
        elif not self.is_ended:
            self.events.append(KeepAliveSent(last))

    def send_message(self, trigger: ClientTrigger) -> None:
        self._send_message(trigger.content, trigger.now_ns, is_service_message=False)

    def clear_acks(self, _trigger: ClientTrigger) -> None:
        self.acks.clear()

    # ------------------------------------------------------------------------------------------

    def _send_message(self, content: bytes, now_ns: int, *, is_service_message: bool) -> bool:
        message = self.outbox.number(content, now_ns, is_service_message=is_service_message)
        try:
            frame = self.outbox.ws_message(message, now_ns)
        except IcwsError as error:
            text = f"Message sending failed: Error: {error}"
            self._fire(ClientTrigger(ClientTriggerKind.MESSAGE_UNSENT, now_ns, error=text))
            return False
        self._send(frame)
        self.acks.add(message.sequence_num, now_ns)
        return True

    def _send(self, frame: bytes) -> None:
        # A WebSocket that is closing accepts data and drops it.
        if not self.is_ended:
            self.events.append(SendFrame(frame))


def _ack_timeout(overdue: tuple[int, ...], now_ns: int) -> ClientTrigger:
    numbers = ",".join(map(str, overdue))
    text = f"Ack message timeout. Not received ack for sequence numbers: {numbers}"
    return ClientTrigger(ClientTriggerKind.ACK_TIMEOUT, now_ns, error=text)
