"""What the gateway sends, judged in the order in which ic-websocket-js 0.5.0 judges it.

``_processIncomingMessage`` of ic-websocket.ts: decode the frame; before the handshake it must be
one; then its shape, its content, its certificate, its sequence number, and only then what it says.
The first thing that fails decides the error text; the SDK puts "Error: " in front of it because it
prints an Error object.

Messages sent and not yet acknowledged, with the one timer that watches over them.

Source: AckMessagesQueue of ic-websocket-js 0.5.0, queues.ts. Its corners are kept, because a
session of the real SDK ends by them:

* one timer for the whole queue: started by the first message, restarted by every ack, even with
  nothing outstanding, so it can expire with an empty list;
* once it has expired, only an ack starts it again (a further message does not);
* an ack also expires what is still queued and too old, and then leaves the running timer alone;
* ages are differences of whole milliseconds (``Date.now()``), the timer runs from its exact start.

What the client sends: numbered, timed, signed, encoded as frames.

Sources: ic-websocket.ts ``_makeWsMessageArguments`` (the number is used up before signing, so a
message that cannot be signed leaves a gap; the timestamp is in whole milliseconds), actor.ts and
agent/index.ts of ic-websocket-js 0.5.0 (a fresh 16-byte nonce for every call).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .. import candid
from ..arguments import encode_message_args, encode_open_args
from ..constants import FIRST_SEQUENCE_NUM, NS_PER_MS
from ..envelope import Envelope, call_content, ingress_expiry_ns, sign_envelope
from ..errors import DecodeError, StateError
from ..keys import Identity
from ..messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
from ..principal import Principal
from ..service_messages import AckMessage, CloseMessage, OpenMessage, decode_service
from ..steps import Step, first_failure, passed
from ..verify import PROOF_STEPS
from .events import AckReceived, CanisterClosed, Event, HandshakeReceived, MessageReceived, Opened, Verified
from .table import ClientTrigger


@dataclass(frozen=True, slots=True)
class _Sent:
    sequence_num: int
    added_ms: int


class AckQueue:
    """``expiration_ms`` is the ack interval plus the latency bound. Instants are ns since the epoch."""

    def __init__(self, expiration_ms: int) -> None:
        if expiration_ms <= 0:
            raise StateError("the ack timeout must be longer than 0 ms")
        self.expiration_ms = expiration_ms
        self._queue: list[_Sent] = []
        self._started = False
        self._due_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """When the timer expires next; None: it is not running."""
        return self._due_ns

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Sequence numbers that wait for an ack, oldest first."""
        return tuple(item.sequence_num for item in self._queue)

    @property
    def oldest(self) -> int | None:
        return self._queue[0].sequence_num if self._queue else None

    @property
    def last(self) -> int | None:
        return self._queue[-1].sequence_num if self._queue else None

    def add(self, sequence_num: int, now_ns: int) -> None:
        """A message was sent. Raises StateError with the SDK's text when numbers do not ascend."""
        if self.last is not None and sequence_num <= self.last:
            raise StateError(f"Sequence number {sequence_num} is not greater than last: {self.last}")
        self._queue.append(_Sent(sequence_num, now_ns // NS_PER_MS))
        if not self._started:
            self._start(now_ns)

    def refusal(self, sequence_num: int) -> str | None:
        """The SDK's text when an ack for ``sequence_num`` is an error; None when it may be taken."""
        if sequence_num in self.outstanding or self.last is None or sequence_num <= self.last:
            return None
        return f"Sequence number {sequence_num} is greater than last: {self.last}"

    def ack(self, sequence_num: int, now_ns: int) -> tuple[int, ...]:
        """Drop everything up to ``sequence_num`` and return what has expired by now (usually nothing).

        Raises StateError with the SDK's text for an ack of something that was never sent.
        """
        refusal = self.refusal(sequence_num)
        if refusal is not None:
            raise StateError(refusal)
        outstanding = self.outstanding
        if sequence_num in outstanding:
            del self._queue[: outstanding.index(sequence_num) + 1]
        now_ms = now_ns // NS_PER_MS
        expired = tuple(i.sequence_num for i in self._queue if now_ms - i.added_ms >= self.expiration_ms)
        if expired:
            self._queue.clear()
        else:
            self._start(now_ns)
        return expired

    def expire(self) -> tuple[int, ...]:
        """The timer has expired: everything outstanding is given up and returned."""
        overdue = self.outstanding
        self._queue.clear()
        self._due_ns = None
        return overdue

    def clear(self) -> None:
        """The connection is gone."""
        self._queue.clear()
        self._started = False
        self._due_ns = None

    def _start(self, now_ns: int) -> None:
        self._started = True
        self._due_ns = now_ns + self.expiration_ms * NS_PER_MS


# check_message with the client's own parameters bound: (message, now_ns, expected_sequence_num) -> steps
Verifier = Callable[[CanisterMessage, int, int], Sequence[Step]]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that may move the machine: ``news`` is the event it makes, ``text`` the text of an
    error, ``number`` the sequence number of an ack, ``content`` what is to be sent.
    """

    trigger: ClientTrigger
    now_ns: int
    news: Event | None = None
    text: str = ""
    number: int = 0
    content: bytes = b""


class Inbox:
    """Judges frames and counts the canister's sequence numbers."""

    def __init__(self, verify: Verifier, application_type: candid.Type | None) -> None:
        self._verify = verify
        self._application_type = application_type
        self.expected_sequence_num = FIRST_SEQUENCE_NUM

    @property
    def last_sequence_num(self) -> int:
        """The last number taken from the canister, 0 before the first."""
        return self.expected_sequence_num - 1

    def handshake(self, data: bytes, now_ns: int) -> Happening:
        """The first frame. Anything but a handshake is a bad frame."""
        try:
            handshake = Handshake.decode(data)
        except DecodeError:
            # The SDK's text is the same for every CBOR value; its decoder's texts for non-CBOR are its own.
            return _bad_frame(now_ns, "First message is not a GatewayHandshakeMessage")
        return Happening(ClientTrigger.HANDSHAKE_FRAME, now_ns, HandshakeReceived(handshake.gateway_principal))

    def message(self, data: bytes, now_ns: int) -> tuple[Verified | None, Happening]:
        """Any later frame: the verification, once it could be done, and what the frame amounts to."""
        try:
            frame = CanisterMessage.decode(data)
        except DecodeError:
            return None, _bad_frame(now_ns, "Incoming message is not a ClientIncomingMessage")
        try:
            message = WebsocketMessage.decode(frame.content)
        except DecodeError as error:
            return None, _bad_frame(now_ns, str(error))
        steps = tuple(self._verify(frame, now_ns, self.expected_sequence_num))
        return Verified(frame.key, steps), self._judge(message, steps, now_ns)

    def _judge(self, message: WebsocketMessage, steps: tuple[Step, ...], now_ns: int) -> Happening:
        fault = _proof_fault(steps)
        if fault is not None:
            return _bad_frame(now_ns, fault)
        if message.sequence_num != self.expected_sequence_num:
            return _bad_frame(
                now_ns,
                "[onWsMessage] Received message sequence number does not match next expected value. "
                f"Expected: {self.expected_sequence_num}, received: {message.sequence_num}",
            )
        self.expected_sequence_num += 1
        if message.is_service_message:
            return _service(message.content, now_ns)
        return self._application(message, now_ns)

    def _application(self, message: WebsocketMessage, now_ns: int) -> Happening:
        value: Any = None
        if self._application_type is not None:
            try:
                value = candid.decode(message.content, [self._application_type])[0]
            except DecodeError as error:
                return _bad_frame(now_ns, str(error))
        latency_ms = now_ns // NS_PER_MS - message.timestamp_ns // NS_PER_MS
        news = MessageReceived(message.content, message, value, latency_ms)
        return Happening(ClientTrigger.APPLICATION_MESSAGE, now_ns, news)


def _bad_frame(now_ns: int, reason: str) -> Happening:
    return Happening(ClientTrigger.BAD_FRAME, now_ns, text=f"Error receiving message: Error: {reason}")


def _proof_fault(steps: Sequence[Step]) -> str | None:
    """Why the SDK would refuse the proof; None: it holds. isMessageBodyValid in utils.ts.

    It judges the sequence number elsewhere, and client_key never.
    """
    proof = [step for step in steps if step.step in PROOF_STEPS]
    if passed(proof):
        return None
    failed = first_failure(proof)
    if failed is not None and failed.step == "certified_data" and not isinstance(failed.actual, bytes):
        return "Could not find certified data for this canister in the certificate."
    return "[onWsMessage] Certificate validation failed"


def _service(content: bytes, now_ns: int) -> Happening:
    try:
        service = decode_service(content)
    except DecodeError as error:
        return _bad_service(now_ns, str(error))
    match service:
        case OpenMessage(client_key):
            return Happening(ClientTrigger.OPEN_MESSAGE, now_ns, Opened(client_key))
        case AckMessage(number):
            return Happening(ClientTrigger.ACK_MESSAGE, now_ns, AckReceived(number), number=number)
        case CloseMessage(reason):
            return Happening(ClientTrigger.CLOSE_MESSAGE, now_ns, CanisterClosed(reason))
        case _:
            return _bad_service(now_ns, "Invalid service message from canister")


def _bad_service(now_ns: int, reason: str) -> Happening:
    text = f"[onWsMessage] Service message error: Error: {reason}"
    return Happening(ClientTrigger.BAD_SERVICE_MESSAGE, now_ns, text=text)


CALL_NONCE_BYTES = 16

# A request's content and who sends it -> what goes out. May raise IcwsError.
Signer: TypeAlias = Callable[[Mapping[str, Any], Identity], Envelope]


class Outbox:
    """Makes the frames of one session. ``entropy(n)`` gives n random bytes; ``sign`` makes the envelopes."""

    def __init__(
        self,
        canister_id: Principal,
        client_key: ClientKey,
        identity: Identity,
        entropy: Callable[[int], bytes],
        sign: Signer = sign_envelope,
    ) -> None:
        self._canister_id = canister_id
        self._client_key = client_key
        self._identity = identity
        self._entropy = entropy
        self._sign = sign
        self._next_sequence_num = FIRST_SEQUENCE_NUM

    def ws_open(self, gateway_principal: Principal | None, now_ns: int) -> bytes:
        """The frame that asks the canister for a session; without a gateway as SDKs before 0.3.0 asked.

        Raises IcwsError when it cannot be signed.
        """
        arg = encode_open_args(self._client_key.client_nonce, gateway_principal)
        return self._call("ws_open", arg, now_ns)

    def number(self, content: bytes, now_ns: int, *, is_service_message: bool) -> WebsocketMessage:
        """``content`` as the next message of the session."""
        message = WebsocketMessage(
            self._client_key,
            self._next_sequence_num,
            now_ns // NS_PER_MS * NS_PER_MS,
            is_service_message,
            content,
        )
        self._next_sequence_num += 1
        return message

    def ws_message(self, message: WebsocketMessage, now_ns: int) -> bytes:
        """The frame that carries ``message``. Raises IcwsError when it cannot be signed."""
        return self._call("ws_message", encode_message_args(message), now_ns)

    def _call(self, method_name: str, arg: bytes, now_ns: int) -> bytes:
        content = call_content(
            self._canister_id,
            method_name,
            arg,
            self._identity.principal,
            ingress_expiry_ns(now_ns),
            self._entropy(CALL_NONCE_BYTES),
        )
        return self._sign(content, self._identity).encode_frame()
