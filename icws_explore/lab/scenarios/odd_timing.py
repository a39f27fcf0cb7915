"""Clients that do the right things at the wrong time, or never: pings, silence, sleep, slow signatures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final

from icws_explore.protocol.client.client_session import ClientSession
from icws_explore.protocol.client.events import Event, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.table import ClientTrigger
from icws_explore.protocol.client.wire import Happening
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import WebsocketMessage

PING_INTERVAL_S: Final = 20  # ping_interval of Python's websockets, unless told otherwise
_PING_BYTES: Final = 4

Action = Callable[[int], object]  # of the instant, ns since the epoch


class TimedClient(ClientMachine):
    """Has timers of its own beside the SDK's; they end with the session."""

    def __init__(self, config: ClientConfig, identity: Identity, **given: Any) -> None:
        super().__init__(config, identity, **given)
        self._own: dict[str, tuple[int, Action]] = {}

    @property
    def deadlines(self) -> dict[str, int]:
        """Running timers, soonest first."""
        if self._end is not None:
            return super().deadlines
        running = super().deadlines | {name: due_ns for name, (due_ns, _) in self._own.items()}
        return dict(sorted(running.items(), key=lambda item: item[1]))

    def _start(self, name: str, due_ns: int, action: Action) -> None:
        self._own[name] = (due_ns, action)

    def _expire(self, timer: str, due_ns: int) -> None:
        if timer in self._own:
            _, action = self._own.pop(timer)
            action(due_ns)
        else:
            super()._expire(timer, due_ns)


class Pings(TimedClient):
    """A client on a WebSocket library that pings by itself, as Python's websockets does every 20 s."""

    def __init__(self, config: ClientConfig, identity: Identity, *, entropy: Callable[[int], bytes], **given: Any):
        super().__init__(config, identity, entropy=entropy, **given)
        self._entropy = entropy

    def _connected(self, now_ns: int) -> None:
        self._start("ping", now_ns + PING_INTERVAL_S * NS_PER_S, self._ping)

    def _ping(self, now_ns: int) -> None:
        self._session.events.append(SendFrame(self._entropy(_PING_BYTES), "ping"))
        self._connected(now_ns)


class _NoKeepAlives(ClientSession):
    def do_send_keep_alive(self, _it: Happening) -> None:
        """The application's messages do not count as keep-alives."""


class NeverAnswersAcks(ClientMachine):
    """A client of somebody's own that takes acks for news and does not answer them with a KeepAliveMessage."""

    session_class: ClassVar[type[ClientSession]] = _NoKeepAlives


class FrozenTab(TimedClient):
    """The SDK in a tab that a browser freezes ``from_s`` seconds after opening, and thaws ``to_s`` seconds after it.

    The socket stays open. What comes in waits, timers wait, and what the page would have said waits.
    Source: Page Lifecycle, frozen state (Chromium freezes hidden tabs after five minutes).
    """

    def __init__(
        self, config: ClientConfig, identity: Identity, *, from_s: float = 280, to_s: float = 400, **given: Any
    ) -> None:
        super().__init__(config, identity, **given)
        self._from_ns, self._to_ns = round(from_s * NS_PER_S), round(to_s * NS_PER_S)
        self._thaw_ns: int | None = None  # while it is frozen: until when
        self._waiting: deque[Action] = deque()

    @property
    def deadlines(self) -> dict[str, int]:
        """Running timers, soonest first; while it is frozen, only the end of that."""
        if self._thaw_ns is not None and self._end is None:
            return {"thaw": self._thaw_ns}
        return super().deadlines

    def receive(self, data: bytes | str, now_ns: int) -> list[Event]:
        events = self.tick(now_ns)
        if self._thaw_ns is None:
            return events + super().receive(data, now_ns)
        frame = data.encode() if isinstance(data, str) else data
        self._waiting.append(lambda at_ns: self._receive(frame, at_ns))
        return events

    def send(self, content: bytes, now_ns: int) -> list[Event]:
        events = self.tick(now_ns)
        if self._thaw_ns is None:
            return events + super().send(content, now_ns)
        self._waiting.append(lambda at_ns: self._fire(Happening(ClientTrigger.SEND, at_ns, content=content)))
        return events

    def _fire(self, it: Happening) -> None:
        was_open = self.is_open
        super()._fire(it)
        if self.is_open and not was_open:
            self._start("freeze", it.now_ns + self._from_ns, self._freeze)

    def _freeze(self, now_ns: int) -> None:
        self._thaw_ns = now_ns + self._to_ns - self._from_ns
        self._start("thaw", self._thaw_ns, self._thaw)

    def _thaw(self, now_ns: int) -> None:
        self._thaw_ns = None
        while self._waiting:
            self._waiting.popleft()(now_ns)


class _SlowMessages(ClientSession):
    on_message: Callable[[bytes, int], None]

    def do_send_message(self, it: Happening) -> None:
        self.on_message(it.content, it.now_ns)


class SlowSigner(TimedClient):
    """The SDK with a key that takes ``signing_ms`` to sign a message: meanwhile a keep-alive can overtake it.

    Application messages wait for each other in the SDK's queue; keep-alives pass it by, and are signed
    at once here. A number is used up before signing. Whichever is signed later is sent all the same,
    and then the ack queue refuses its number. Source: ic-websocket.ts, _sendMessageToCanister and
    _sendKeepAliveMessage; queues.ts, AckMessagesQueue.add.
    """

    session_class: ClassVar[type[ClientSession]] = _SlowMessages

    def __init__(self, config: ClientConfig, identity: Identity, *, signing_ms: float = 1_500, **given: Any) -> None:
        super().__init__(config, identity, **given)
        self._signing_ns = round(signing_ms * NS_PER_MS)
        self._queue: deque[bytes] = deque()
        assert isinstance(self._session, _SlowMessages)
        self._session.on_message = self._take

    def _take(self, content: bytes, now_ns: int) -> None:
        self._queue.append(content)
        if "signature" not in self._own:
            self._next(now_ns)

    def _next(self, now_ns: int) -> None:
        outbox = self._session.outbox
        message = outbox.number(self._queue.popleft(), now_ns, is_service_message=False)
        frame = outbox.ws_message(message, now_ns)
        self._start("signature", now_ns + self._signing_ns, lambda at_ns: self._signed(message, frame, at_ns))

    def _signed(self, message: WebsocketMessage, frame: bytes, now_ns: int) -> None:
        self._session.events.append(SendFrame(frame))
        try:
            self._session.acks.add(message.sequence_num, now_ns)
        except StateError as error:
            text = f"Message sending failed: Error: {error}"
            self._fire(Happening(ClientTrigger.MESSAGE_UNSENT, now_ns, text=text))
            return
        if self._queue:
            self._next(now_ns)
