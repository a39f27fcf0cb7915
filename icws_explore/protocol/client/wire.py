"""What goes over the wire in a client's session: frames received, frames sent, and acks awaited.

`Inbox` judges received frames in the order of ic-websocket-js 0.5.0 (``_processIncomingMessage`` of
ic-websocket.ts): decode the frame; until the handshake has come it must be one; then its shape, its
content, its certificate, its sequence number; last what it says. The first check that fails decides
the error text. The SDK puts "Error: " in front of the text because it prints an Error object.

`Outbox` numbers, times, signs and encodes what the client sends. Sources: ic-websocket.ts
``_makeWsMessageArguments`` (the number is used up before signing, so a message that cannot be signed
leaves a gap; the timestamp is in whole milliseconds), actor.ts and agent/index.ts of ic-websocket-js
0.5.0 (a fresh nonce of 16 bytes for every call).

`AckQueue` holds the messages that were sent and not acknowledged yet, with their one timer. Source:
AckMessagesQueue of ic-websocket-js 0.5.0, queues.ts. Its quirks are kept, because sessions of the
real SDK end by them:

* The whole queue has one timer. The first message starts it and every ack restarts it, also when no
  message is outstanding, so it can expire with an empty list.
* Once it has expired, only an ack starts it again; another message does not.
* An ack also gives up messages that are still queued and too old. Then the running timer is left as it is.
* Ages are differences of whole milliseconds (``Date.now()``); the timer runs from its exact start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .. import candid
from ..arguments import encode_message_args, encode_open_args
from ..constants import FIRST_SEQUENCE_NUM, NS_PER_MS
from ..envelope import Envelope, call_content, ingress_expiry_ns, sign_envelope
from ..errors import ArgumentValueError, DecodeError, StateError
from ..keys import Identity
from ..messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
from ..principal import Principal
from ..service_messages import AckMessage, CloseMessage, OpenMessage, decode_service
from ..steps import Step, first_failure, passed
from ..verify import PROOF_STEPS
from .events import AckReceived, CanisterClosed, HandshakeReceived, MessageReceived, Opened, Verified
from .states import ClientTrigger, ClientTriggerKind


@dataclass(frozen=True, slots=True)
class _Sent:
    sequence_num: int
    added_ms: int


class AckQueue:
    """``expiration_ms`` is the ack interval plus the latency bound. Instants are ns since the epoch."""

    def __init__(self, expiration_ms: int) -> None:
        if expiration_ms <= 0:
            raise ArgumentValueError("the ack timeout must be longer than 0 ms")
        self.expiration_ms = expiration_ms
        self._queue: list[_Sent] = []
        self._started = False
        self._due_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """When the timer expires; None while it is not running."""
        return self._due_ns

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Sequence numbers of the messages that wait for an ack, oldest first."""
        return tuple(item.sequence_num for item in self._queue)

    @property
    def oldest(self) -> int | None:
        return self._queue[0].sequence_num if self._queue else None

    @property
    def last(self) -> int | None:
        return self._queue[-1].sequence_num if self._queue else None

    def add(self, sequence_num: int, now_ns: int) -> None:
        """Add a message that was sent. Raises StateError with the SDK's text if the numbers do not ascend."""
        if self.last is not None and sequence_num <= self.last:
            raise StateError(f"Sequence number {sequence_num} is not greater than last: {self.last}")
        self._queue.append(_Sent(sequence_num, now_ns // NS_PER_MS))
        if not self._started:
            self._start(now_ns)

    def refusal(self, sequence_num: int) -> str | None:
        """The SDK's text if an ack for ``sequence_num`` is an error; None if the ack is valid."""
        if sequence_num in self.outstanding or self.last is None or sequence_num <= self.last:
            return None
        return f"Sequence number {sequence_num} is greater than last: {self.last}"

    def ack(self, sequence_num: int, now_ns: int) -> tuple[int, ...]:
        """Drop everything up to ``sequence_num``; return the messages that have expired by now (usually none).

        Raises StateError with the SDK's text for an ack of a message that was never sent.
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
        """The timer has expired: give up all outstanding messages and return their numbers."""
        overdue = self.outstanding
        self._queue.clear()
        self._due_ns = None
        return overdue

    def clear(self) -> None:
        """Drop everything and stop the timer: the connection is gone."""
        self._queue.clear()
        self._started = False
        self._due_ns = None

    def _start(self, now_ns: int) -> None:
        self._started = True
        self._due_ns = now_ns + self.expiration_ms * NS_PER_MS


# (message, now_ns, expected_sequence_num) -> steps: verify.check_message with the client's parameters bound
Verifier = Callable[[CanisterMessage, int, int], Sequence[Step]]


class Inbox:
    """Judges received frames and counts the canister's sequence numbers."""

    def __init__(self, verify: Verifier, application_type: candid.Type | None) -> None:
        self._verify = verify
        self._application_type = application_type
        self.expected_sequence_num = FIRST_SEQUENCE_NUM

    @property
    def last_sequence_num(self) -> int:
        """The number of the canister's last message, 0 before the first."""
        return self.expected_sequence_num - 1

    def handshake(self, data: bytes, now_ns: int) -> ClientTrigger:
        """Read the first frame. Anything but a handshake is a bad frame."""
        try:
            handshake = Handshake.decode(data)
        except DecodeError:
            # The SDK has this one text for every CBOR value. Its decoder's texts for other bytes are not imitated.
            return _bad_frame(now_ns, "First message is not a GatewayHandshakeMessage")
        event = HandshakeReceived(handshake.gateway_principal)
        return ClientTrigger(ClientTriggerKind.HANDSHAKE_FRAME, now_ns, event)

    def message(self, data: bytes, now_ns: int) -> tuple[Verified | None, ClientTrigger]:
        """Read any later frame: its verification (None if it could not be made) and the trigger it amounts to."""
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

    def _judge(self, message: WebsocketMessage, steps: tuple[Step, ...], now_ns: int) -> ClientTrigger:
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

    def _application(self, message: WebsocketMessage, now_ns: int) -> ClientTrigger:
        value: Any = None
        if self._application_type is not None:
            try:
                value = candid.decode(message.content, [self._application_type])[0]
            except DecodeError as error:
                return _bad_frame(now_ns, str(error))
        latency_ms = now_ns // NS_PER_MS - message.timestamp_ns // NS_PER_MS
        event = MessageReceived(message.content, message, value, latency_ms)
        return ClientTrigger(ClientTriggerKind.APPLICATION_MESSAGE, now_ns, event)


def _bad_frame(now_ns: int, reason: str) -> ClientTrigger:
    return ClientTrigger(ClientTriggerKind.BAD_FRAME, now_ns, error=f"Error receiving message: Error: {reason}")


def _proof_fault(steps: Sequence[Step]) -> str | None:
    """Why the SDK would refuse the proof, None if it would accept it. Source: isMessageBodyValid in utils.ts.

    The SDK checks the sequence number elsewhere and never checks the client key.
    """
    proof = [step for step in steps if step.step in PROOF_STEPS]
    if passed(proof):
        return None
    failed = first_failure(proof)
    if failed is not None and failed.step == "certified_data" and not isinstance(failed.actual, bytes):
        return "Could not find certified data for this canister in the certificate."
    return "[onWsMessage] Certificate validation failed"


def _service(content: bytes, now_ns: int) -> ClientTrigger:
    try:
        service = decode_service(content)
    except DecodeError as error:
        return _bad_service(now_ns, str(error))
    match service:
        case OpenMessage(client_key):
            return ClientTrigger(ClientTriggerKind.OPEN_MESSAGE, now_ns, Opened(client_key))
        case AckMessage(number):
            return ClientTrigger(ClientTriggerKind.ACK_MESSAGE, now_ns, AckReceived(number), number=number)
        case CloseMessage(reason):
            return ClientTrigger(ClientTriggerKind.CLOSE_MESSAGE, now_ns, CanisterClosed(reason))
        case _:
            return _bad_service(now_ns, "Invalid service message from canister")


def _bad_service(now_ns: int, reason: str) -> ClientTrigger:
    text = f"[onWsMessage] Service message error: Error: {reason}"
    return ClientTrigger(ClientTriggerKind.BAD_SERVICE_MESSAGE, now_ns, error=text)


CALL_NONCE_BYTES = 16

# A request's content and its sender -> the envelope that is sent. May raise IcwsError.
Signer: TypeAlias = Callable[[Mapping[str, Any], Identity], Envelope]


class Outbox:
    """Makes the frames of one session. ``entropy(n)`` returns n random bytes; ``sign`` makes the envelopes."""

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
        """The frame that asks the canister for a session. SDKs before 0.3.0 name no gateway.

        Raises IcwsError if it cannot be signed.
        """
        arg = encode_open_args(self._client_key.client_nonce, gateway_principal)
        return self._call("ws_open", arg, now_ns)

    def number(self, content: bytes, now_ns: int, *, is_service_message: bool) -> WebsocketMessage:
        """Make ``content`` (Candid) the next message of the session."""
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
        """The frame that carries ``message``. Raises IcwsError if it cannot be signed."""
        return self._call("ws_message", encode_message_args(message), now_ns)

    def sign_again(self, frame: bytes) -> bytes:
        """An edited frame with a signature of this client: its content stays as it is.

        Raises DecodeError for what is no request, and IcwsError if it cannot be signed.
        """
        return self._sign(Envelope.decode_frame(frame).content, self._identity).encode_frame()

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
