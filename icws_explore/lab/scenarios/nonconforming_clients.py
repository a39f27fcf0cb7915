"""Clients that are not as ic-websocket-js 0.5.0 is: its earlier versions, and clients of somebody's own making.

Each is a `ClientMachine` and goes wherever one goes: a plan, the lab, the simulator. Those that are
odd in when they do things are in odd_timing. Versions are tags of omnia-network/ic-websocket-sdk-js.

Clients that do the right things at the wrong time, or never: pings, silence, sleep, slow signatures.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from icws_explore.protocol.arguments import decode_open_args, encode_open_args
from icws_explore.protocol.candid import label_hash
from icws_explore.protocol.client.events import Event, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine, ClientSession
from icws_explore.protocol.client.table import ClientState, ClientTrigger
from icws_explore.protocol.client.wire import Happening, Verifier
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.envelope import Envelope, sign_envelope
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

ANOTHER_GATEWAY: Final = Principal.self_authenticating(b"the key that a gateway had before")
RAW_DELTA_MS: Final = 300_000  # DEFAULT_INGRESS_EXPIRY_DELTA_IN_MSECS
_CLOSE_MESSAGE: Final = f"Cannot find field hash _{label_hash('CloseMessage')}_"
_NOT_INCOMING: Final = "[onWsMessage] Incoming message is not a ClientIncomingMessage, ignoring message"


class SignsInItsWay(ClientMachine):
    """What goes out is what ``envelope`` makes of a request's content."""

    def __init__(self, config: ClientConfig, identity: Identity, **given: Any) -> None:
        super().__init__(config, identity, sign=self.envelope, **given)

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return sign_envelope(content, identity)


class AgentV3(SignsInItsWay):
    """ic-websocket-js with @dfinity/agent 3: ``new Expiry(delta)`` keeps the duration, and that is sent as the time.

    It comes that far where the WebSocket gives Uint8Arrays (a polyfill's); else see `AgentV3Unread`.
    Source: ic-websocket-js agent/index.ts; @dfinity/agent 3 transforms.ts, where Expiry.fromDeltaInMilliseconds
    took over what the constructor did.
    """

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return sign_envelope({**content, "ingress_expiry": RAW_DELTA_MS}, identity)


class AgentV3Unread(ClientMachine):
    """The same in a browser or in Node: agent 3 reads no ArrayBuffer, and the SDK hands it every frame as one.

    Source: @dfinity/agent 3 cbor.ts; the words are those of 3.4.3.
    """

    def _receive(self, data: bytes, now_ns: int) -> None:
        del data
        text = "Error receiving message: Error: Uint8Array expected"
        self._fire(Happening(ClientTrigger.BAD_FRAME, now_ns, text=text))


class RenewsTheExpiry(SignsInItsWay):
    """A client of somebody's own that puts off a request's expiry by a minute, and keeps the signature it had."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        signed = sign_envelope(content, identity)
        return replace(signed, content={**content, "ingress_expiry": content["ingress_expiry"] + 60 * NS_PER_S})


class NamesAnotherGateway(SignsInItsWay):
    """A client of somebody's own with the gateway's principal in its configuration, instead of the handshake's."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        if content["method_name"] == "ws_open":
            nonce = decode_open_args(content["arg"]).client_nonce
            content = {**content, "arg": encode_open_args(nonce, ANOTHER_GATEWAY)}
        return sign_envelope(content, identity)


class Unsigned(ClientMachine):
    """A client of somebody's own that takes the anonymous identity; the SDK's constructor throws."""

    needs_key: ClassVar[bool] = False


class BareSocket(ClientMachine):
    """``new WebSocket(url)`` without any SDK: it says hello in JSON, in a text frame, and listens. No timers."""

    def _connected(self, now_ns: int) -> None:
        del now_ns
        self._session.events.append(SendFrame(b'{"type":"hello"}', "text"))

    def _receive(self, data: bytes, now_ns: int) -> None:
        """Whatever comes means nothing to it."""


class Js034(ClientMachine):
    """Version 0.3.4, for which npm picks @dfinity/agent 1.4.0: no canister message is good enough for it.

    There ``Certificate.lookup`` returns an object ``{status, value}``, and utils.ts compares that with the
    root of the witness: "Witness != Tree passed in ic-certification".
    """

    def __init__(
        self, config: ClientConfig, identity: Identity, *, verify: Verifier | None = None, **given: Any
    ) -> None:
        def compares_an_object(frame: CanisterMessage, now_ns: int, expected: int) -> list[Step]:
            steps = (verify or self._check)(frame, now_ns, expected)
            return [_differs(step) if step.step == "certified_data" else step for step in steps]

        super().__init__(config, identity, verify=compares_an_object, **given)


class _WithoutOpenTimer(ClientSession):
    def do_send_ws_open(self, it: Happening) -> None:
        super().do_send_ws_open(it)
        self.do_stop_open_timer(it)


class Js031(ClientMachine):
    """Versions 0.3.0 and 0.3.1: no CloseMessage among the service messages, no open timeout.

    Source: idl.ts, WebsocketServiceMessageContentIdl; the words are @dfinity/candid's. Their ack timeout
    is a setting of its own, 450 s in 0.3.1 and 90 s before; here, as elsewhere, ack_interval_ms + 30 s.
    """

    session_class: ClassVar[type[ClientSession]] = _WithoutOpenTimer

    def _fire(self, it: Happening) -> None:
        if it.trigger is ClientTrigger.CLOSE_MESSAGE:
            text = f"[onWsMessage] Service message error: Error: {_CLOSE_MESSAGE}"
            it = Happening(ClientTrigger.BAD_SERVICE_MESSAGE, it.now_ns, text=text)
        super()._fire(it)


class Js022(Js031):
    """Versions up to 0.2.2: ws_open goes out as soon as the socket is open, and names no gateway.

    A gateway's handshake is to them a canister message that is none. Source: ic-websocket.ts, _onWsOpen
    and _processIncomingMessage.
    """

    def _connected(self, now_ns: int) -> None:
        self._session.events.append(SendFrame(self._session.outbox.ws_open(None, now_ns)))
        self._enter(ClientState.OPENING)

    def _fire(self, it: Happening) -> None:
        if it.trigger is ClientTrigger.BAD_FRAME and it.text.endswith("is not a ClientIncomingMessage"):
            it = replace(it, text=f"Error receiving message: Error: {_NOT_INCOMING}")
        super()._fire(it)


class Js021(SignsInItsWay, Js022):
    """Versions up to 0.2.1: they sign themselves, and leave out what a delegated identity would add.

    Source: agent/index.ts, _signRequest.
    """

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return replace(sign_envelope(content, identity), sender_delegation=None)


def _differs(step: Step) -> Step:
    return replace(step, ok=False, detail="the look-up's result is an object, which equals no bytes")


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
