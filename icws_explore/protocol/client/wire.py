"""What the gateway sends, judged in the order in which ic-websocket-js 0.5.0 judges it.

``_processIncomingMessage`` of ic-websocket.ts: decode the frame; before the handshake it must be
one; then its shape, its content, its certificate, its sequence number, and only then what it says.
The first thing that fails decides the error text; the SDK puts "Error: " in front of it because it
prints an Error object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import candid
from ..constants import FIRST_SEQUENCE_NUM, NS_PER_MS
from ..errors import DecodeError
from ..messages import CanisterMessage, Handshake, WebsocketMessage
from ..service_messages import AckMessage, CloseMessage, OpenMessage, decode_service
from ..steps import Step, first_failure, passed
from ..verify import PROOF_STEPS
from .events import AckReceived, CanisterClosed, Event, HandshakeReceived, MessageReceived, Opened, Verified
from .table import ClientTrigger

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
