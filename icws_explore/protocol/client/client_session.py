"""What the rows of the client's table test and do: the session behind the state.

Each guard ``g`` is a method ``if_g``, each action ``a`` a method ``do_a`` (a test compares them with
the table). An action that fails brings about a further happening, through ``fire``.
"""

from __future__ import annotations

from collections.abc import Callable

from ..constants import NS_PER_MS, OPEN_TIMEOUT_MS
from ..errors import IcwsError
from ..messages import ClientKey
from ..principal import Principal
from ..service_messages import CloseReason, KeepAliveMessage, encode_service
from .ack_queue import AckQueue
from .client_outbox import Outbox
from .events import CanisterClosed, Event, Failed, HandshakeReceived, KeepAliveSent, Logged, Opened, SendFrame
from .table import ClientTrigger
from .wire import Happening, Inbox

_OPEN_TIMEOUT_TEXT = "Open timeout expired before receiving the open message"


class ClientSession:
    """Numbers, queues and timers of one session. ``is_ending()``: our close is under way, nothing gets out."""

    def __init__(
        self,
        client_key: ClientKey,
        inbox: Inbox,
        outbox: Outbox,
        acks: AckQueue,
        fire: Callable[[Happening], None],
        is_ending: Callable[[], bool],
    ) -> None:
        self.client_key = client_key
        self.inbox = inbox
        self.outbox = outbox
        self.acks = acks
        self.gateway_principal: Principal | None = None
        self.events: list[Event] = []
        self._fire = fire
        self._is_ending = is_ending
        self._open_due_ns: int | None = None

    # -- timers --------------------------------------------------------------------------------

    @property
    def deadlines(self) -> dict[str, int]:
        """Running timers, soonest first, each with the ns at which it expires."""
        timers = {"open": self._open_due_ns, "ack": self.acks.due_ns}
        running = {name: due_ns for name, due_ns in timers.items() if due_ns is not None}
        return dict(sorted(running.items(), key=lambda item: item[1]))

    def expire(self, timer: str, now_ns: int) -> Happening:
        """The named timer has run out; what that means."""
        if timer == "open":
            self._open_due_ns = None
            return Happening(ClientTrigger.OPEN_TIMEOUT, now_ns, text=_OPEN_TIMEOUT_TEXT)
        return _ack_timeout(self.acks.expire(), now_ns)

    def stop_timers(self) -> None:
        self._open_due_ns = None
        self.acks.clear()

    # -- guards --------------------------------------------------------------------------------

    def if_own_client_key(self, it: Happening) -> bool:
        return it.news == Opened(self.client_key)

    def if_ack_of_something_unsent(self, it: Happening) -> bool:
        return self.acks.refusal(it.number) is not None

    def if_closed_by_application(self, it: Happening) -> bool:
        return it.news == CanisterClosed(CloseReason.CLOSED_BY_APPLICATION)

    # -- actions -------------------------------------------------------------------------------

    def do_tell(self, it: Happening) -> None:
        if it.news is not None:
            self.events.append(it.news)

    def do_fail(self, it: Happening) -> None:
        self.events.append(Failed(it.text))

    def do_fail_ack(self, it: Happening) -> None:
        self.events.append(Failed(f"Ack message error: Error: {self.acks.refusal(it.number)}"))

    def do_fail_canister_closed(self, _it: Happening) -> None:
        # The SDK prints the reason as a JavaScript object; CanisterClosed says which it was.
        self.events.append(Failed("Received close message from canister. Reason: [object Object]"))

    def do_log(self, it: Happening) -> None:
        self.events.append(Logged(it.text))

    def do_log_foreign_key(self, _it: Happening) -> None:
        self.events.append(Logged("[onWsMessage] Service message error: Error: Client key does not match"))

    def do_send_ws_open(self, it: Happening) -> None:
        """ws_open, and the open timer once it is out."""
        if not isinstance(it.news, HandshakeReceived):
            return
        self.gateway_principal = it.news.gateway_principal
        try:
            frame = self.outbox.ws_open(self.gateway_principal, it.now_ns)
        except IcwsError as error:
            text = f"[onWsMessage] Handshake message error: Error: {error}"
            self._fire(Happening(ClientTrigger.OPEN_UNSENT, it.now_ns, text=text))
            return
        self._send(frame)
        self._open_due_ns = it.now_ns + OPEN_TIMEOUT_MS * NS_PER_MS

    def do_stop_open_timer(self, _it: Happening) -> None:
        self._open_due_ns = None

    def do_take_ack(self, it: Happening) -> None:
        expired = self.acks.ack(it.number, it.now_ns)
        if expired:
            self._fire(_ack_timeout(expired, it.now_ns))

    def do_send_keep_alive(self, it: Happening) -> None:
        last = self.inbox.last_sequence_num
        if not self._send_message(encode_service(KeepAliveMessage(last)), it.now_ns, is_service_message=True):
            self._fire(Happening(ClientTrigger.KEEP_ALIVE_UNSENT, it.now_ns, text="Keep alive message was not sent"))
        elif not self._is_ending():
            self.events.append(KeepAliveSent(last))

    def do_send_message(self, it: Happening) -> None:
        self._send_message(it.content, it.now_ns, is_service_message=False)

    def do_forget(self, _it: Happening) -> None:
        """The connection is gone. The SDK leaves its open timer running; see keep_processing_after_close."""
        self.acks.clear()

    # ------------------------------------------------------------------------------------------

    def _send_message(self, content: bytes, now_ns: int, *, is_service_message: bool) -> bool:
        message = self.outbox.number(content, now_ns, is_service_message=is_service_message)
        try:
            frame = self.outbox.ws_message(message, now_ns)
        except IcwsError as error:
            text = f"Message sending failed: Error: {error}"
            self._fire(Happening(ClientTrigger.MESSAGE_UNSENT, now_ns, text=text))
            return False
        self._send(frame)
        self.acks.add(message.sequence_num, now_ns)
        return True

    def _send(self, frame: bytes) -> None:
        # A WebSocket that is closing takes what it is given and drops it.
        if not self._is_ending():
            self.events.append(SendFrame(frame))


def _ack_timeout(overdue: tuple[int, ...], now_ns: int) -> Happening:
    numbers = ",".join(map(str, overdue))
    text = f"Ack message timeout. Not received ack for sequence numbers: {numbers}"
    return Happening(ClientTrigger.ACK_TIMEOUT, now_ns, text=text)
