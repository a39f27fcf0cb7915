"""Clients that do not behave like ic-websocket-js 0.5.0: its earlier versions, and custom clients.

Each is a `ClientMachine`, so it works wherever one does: in a plan, in the lab and in the simulator. The first
group sends or reads something different; the second group, from `TimedClient` on, acts at the wrong time or
not at all. Versions are tags of omnia-network/ic-websocket-sdk-js.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from icws_explore.protocol.arguments import decode_open_args, encode_open_args
from icws_explore.protocol.candid import label_hash
from icws_explore.protocol.client.events import ClientEvent, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.session import ClientSession
from icws_explore.protocol.client.states import ClientState, ClientTrigger, ClientTriggerKind
from icws_explore.protocol.client.table import TRANSITIONS, ClientTable
from icws_explore.protocol.client.wire import Verifier
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.envelope import Envelope, sign_envelope
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

WRONG_GATEWAY: Final = Principal.self_authenticating(b"the key that a gateway had before")
RAW_DELTA_MS: Final = 300_000  # DEFAULT_INGRESS_EXPIRY_DELTA_IN_MSECS
_CLOSE_MESSAGE: Final = f"Cannot find field hash _{label_hash('CloseMessage')}_"
_NOT_INCOMING: Final = "[onWsMessage] Incoming message is not a ClientIncomingMessage, ignoring message"


class CustomSigner(ClientMachine):
    """Sends the envelope that the method ``envelope`` makes from a request's content."""

    def __init__(self, config: ClientConfig, identity: Identity, **given: Any) -> None:
        super().__init__(config, identity, sign=self.envelope, **given)

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return sign_envelope(content, identity)


class AgentV3(CustomSigner):
    """ic-websocket-js with @dfinity/agent 3: it sends a duration as ingress_expiry.

    In agent 3, ``new Expiry(delta)`` stores the duration itself; Expiry.fromDeltaInMilliseconds does what the
    constructor did before. The client gets this far only on a WebSocket that delivers Uint8Arrays (a polyfill);
    otherwise see `AgentV3Unread`. Source: ic-websocket-js agent/index.ts; @dfinity/agent 3 transforms.ts.
    """

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return sign_envelope({**content, "ingress_expiry": RAW_DELTA_MS}, identity)


class AgentV3Unread(ClientMachine):
    """ic-websocket-js with @dfinity/agent 3 in a browser or Node: it cannot decode any frame.

    The SDK passes every frame as an ArrayBuffer, which agent 3 does not accept. Source: @dfinity/agent 3
    cbor.ts; the error text is from 3.4.3.
    """

    def _receive(self, data: bytes, now_ns: int) -> None:
        del data
        text = "Error receiving message: Error: Uint8Array expected"
        self._fire(ClientTrigger(ClientTriggerKind.BAD_FRAME, now_ns, error=text))


class ExtendsExpiry(CustomSigner):
    """A custom client that extends a request's expiry by a minute after signing, so the signature does not match."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        signed = sign_envelope(content, identity)
        return replace(signed, content={**content, "ingress_expiry": content["ingress_expiry"] + 60 * NS_PER_S})


class NamesWrongGateway(CustomSigner):
    """A custom client that takes the gateway's principal from its configuration instead of from the handshake."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        if content["method_name"] == "ws_open":
            nonce = decode_open_args(content["arg"]).client_nonce
            content = {**content, "arg": encode_open_args(nonce, WRONG_GATEWAY)}
        return sign_envelope(content, identity)


class Unsigned(ClientMachine):
    """A custom client with the anonymous identity, which the SDK's constructor refuses."""

    needs_key: ClassVar[bool] = False


class BareSocket(ClientMachine):
    """``new WebSocket(url)`` without the SDK: it sends JSON in a text frame and then only listens. It has no timers."""

    def _connected(self, now_ns: int) -> None:
        del now_ns
        self._session.events.append(SendFrame(b'{"type":"hello"}', "text"))

    def _receive(self, data: bytes, now_ns: int) -> None:
        """Ignore the frame."""


class Js034(ClientMachine):
    """Version 0.3.4 with @dfinity/agent 1.4.0, which npm installs for it: it rejects every canister message.

    In that agent ``Certificate.lookup`` returns an object ``{status, value}``, and the SDK's utils.ts compares
    this object with the root of the witness: "Witness != Tree passed in ic-certification".
    """

    def __init__(
        self, config: ClientConfig, identity: Identity, *, verify: Verifier | None = None, **given: Any
    ) -> None:
        def compares_an_object(frame: CanisterMessage, now_ns: int, expected: int) -> list[Step]:
            steps = (verify or self._check)(frame, now_ns, expected)
            return [_differs(step) if step.step == "certified_data" else step for step in steps]

        super().__init__(config, identity, verify=compares_an_object, **given)


def _send_ws_open_without_timer(session: ClientSession, trigger: ClientTrigger) -> None:
    session.send_ws_open(trigger)
    session.stop_open_timer(trigger)


class Js031(ClientMachine):
    """Versions 0.3.0 and 0.3.1: they know no CloseMessage and have no open timeout.

    Source: idl.ts, WebsocketServiceMessageContentIdl; the error text is @dfinity/candid's. Their ack timeout is
    a setting of its own, 450 s in 0.3.1 and 90 s before. Here it is ack_interval_ms + 30 s, as in 0.5.0.
    """

    transitions: ClassVar[ClientTable] = TRANSITIONS.with_action(
        ClientSession.send_ws_open, _send_ws_open_without_timer
    )

    def _fire(self, trigger: ClientTrigger) -> None:
        if trigger.kind is ClientTriggerKind.CLOSE_MESSAGE:
            text = f"[onWsMessage] Service message error: Error: {_CLOSE_MESSAGE}"
            trigger = ClientTrigger(ClientTriggerKind.BAD_SERVICE_MESSAGE, trigger.now_ns, error=text)
        super()._fire(trigger)


class Js022(Js031):
    """Versions up to 0.2.2: they send ws_open, without a gateway principal, as soon as the socket is open.

    They read a gateway's handshake as a malformed canister message. Source: ic-websocket.ts, _onWsOpen and
    _processIncomingMessage.
    """

    def _connected(self, now_ns: int) -> None:
        self._session.events.append(SendFrame(self._session.outbox.ws_open(None, now_ns)))
        self._session.enter(ClientState.OPENING)

    def _fire(self, trigger: ClientTrigger) -> None:
        if trigger.kind is ClientTriggerKind.BAD_FRAME and trigger.error.endswith("is not a ClientIncomingMessage"):
            trigger = replace(trigger, error=f"Error receiving message: Error: {_NOT_INCOMING}")
        super()._fire(trigger)


class Js021(CustomSigner, Js022):
    """Versions up to 0.2.1: they sign requests themselves and omit a delegated identity's delegations.

    Source: agent/index.ts, _signRequest.
    """

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        return replace(sign_envelope(content, identity), sender_delegation=None)


def _differs(step: Step) -> Step:
    return replace(step, ok=False, detail="the lookup returns an object, which never equals the expected bytes")


PING_INTERVAL_S: Final = 20  # the default ping_interval of Python's websockets
_PING_BYTES: Final = 4

Action = Callable[[int], object]  # called with the time in ns since the epoch


class TimedClient(ClientMachine):
    """A client with timers of its own in addition to the SDK's. They stop when the session ends."""

    def __init__(self, config: ClientConfig, identity: Identity, **given: Any) -> None:
        super().__init__(config, identity, **given)
        self._own: dict[str, tuple[int, Action]] = {}

    @property
    def deadlines(self) -> dict[str, int]:
        """The running timers, soonest first, with the ns since the epoch at which each expires."""
        if self._session.is_ended:
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
    """A client on a WebSocket library that sends pings on its own, as Python's websockets does every 20 s."""

    def __init__(self, config: ClientConfig, identity: Identity, *, entropy: Callable[[int], bytes], **given: Any):
        super().__init__(config, identity, entropy=entropy, **given)
        self._entropy = entropy

    def _connected(self, now_ns: int) -> None:
        self._start("ping", now_ns + PING_INTERVAL_S * NS_PER_S, self._ping)

    def _ping(self, now_ns: int) -> None:
        self._session.events.append(SendFrame(self._entropy(_PING_BYTES), "ping"))
        self._connected(now_ns)


def _send_no_keep_alive(_session: ClientSession, _trigger: ClientTrigger) -> None:
    """The application's messages do not count as keep-alives."""


class NeverAnswersAcks(ClientMachine):
    """A custom client that does not answer acks with a KeepAliveMessage."""

    transitions: ClassVar[ClientTable] = TRANSITIONS.with_action(ClientSession.send_keep_alive, _send_no_keep_alive)


class FrozenTab(TimedClient):
    """The SDK in a tab that the browser freezes ``from_s`` seconds after the session opens and thaws at ``to_s``.

    The socket stays open. Incoming frames, timers and the page's own messages wait until the tab thaws.
    Source: Page Lifecycle, frozen state (Chromium freezes hidden tabs after five minutes).
    """

    def __init__(
        self, config: ClientConfig, identity: Identity, *, from_s: float = 280, to_s: float = 400, **given: Any
    ) -> None:
        super().__init__(config, identity, **given)
        self._from_ns, self._to_ns = round(from_s * NS_PER_S), round(to_s * NS_PER_S)
        self._thaw_ns: int | None = None  # ns since the epoch at which the frozen tab thaws; None: not frozen
        self._waiting: deque[Action] = deque()

    @property
    def deadlines(self) -> dict[str, int]:
        """The running timers, soonest first. While the tab is frozen, the only one is the end of that."""
        if self._thaw_ns is not None and not self._session.is_ended:
            return {"thaw": self._thaw_ns}
        return super().deadlines

    def receive(self, data: bytes | str, now_ns: int) -> list[ClientEvent]:
        events = self.tick(now_ns)
        if self._thaw_ns is None:
            return events + super().receive(data, now_ns)
        frame = data.encode() if isinstance(data, str) else data
        self._waiting.append(lambda at_ns: self._receive(frame, at_ns))
        return events

    def send(self, content: bytes, now_ns: int) -> list[ClientEvent]:
        events = self.tick(now_ns)
        if self._thaw_ns is None:
            return events + super().send(content, now_ns)
        self._waiting.append(lambda at_ns: self._fire(ClientTrigger(ClientTriggerKind.SEND, at_ns, content=content)))
        return events

    def _fire(self, trigger: ClientTrigger) -> None:
        was_open = self.is_open
        super()._fire(trigger)
        if self.is_open and not was_open:
            self._start("freeze", trigger.now_ns + self._from_ns, self._freeze)

    def _freeze(self, now_ns: int) -> None:
        self._thaw_ns = now_ns + self._to_ns - self._from_ns
        self._start("thaw", self._thaw_ns, self._thaw)

    def _thaw(self, now_ns: int) -> None:
        self._thaw_ns = None
        while self._waiting:
            self._waiting.popleft()(now_ns)


class _SlowMessages(ClientSession):
    on_message: Callable[[bytes, int], None]


def _pass_on_message(session: ClientSession, trigger: ClientTrigger) -> None:
    assert isinstance(session, _SlowMessages)
    session.on_message(trigger.content, trigger.now_ns)


class SlowSigner(TimedClient):
    """The SDK with a key that takes ``signing_ms`` milliseconds to sign, so a keep-alive can overtake a message.

    The SDK takes a message's sequence number before it signs. Application messages wait for each other in the
    SDK's queue; keep-alives bypass the queue, and here they are signed immediately. The message that is signed
    later is still sent, but then the ack queue refuses its number. Source: ic-websocket.ts,
    _sendMessageToCanister and _sendKeepAliveMessage; queues.ts, AckMessagesQueue.add.
    """

    session_class: ClassVar[type[ClientSession]] = _SlowMessages
    transitions: ClassVar[ClientTable] = TRANSITIONS.with_action(ClientSession.send_message, _pass_on_message)

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
            self._fire(ClientTrigger(ClientTriggerKind.MESSAGE_UNSENT, now_ns, error=text))
            return
        if self._queue:
            self._next(now_ns)
