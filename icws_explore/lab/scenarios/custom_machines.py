"""Custom clients, each with one mistake that ic-websocket-js does not make.

Each is a `ClientMachine` and works in a plan, in the lab and in the simulator. Clients that deviate in other ways
(earlier SDKs, wrong timing) are in nonconforming_clients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from icws_explore.protocol.arguments import decode_message_args, encode_message_args
from icws_explore.protocol.client.events import CloseConnection, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.session import ClientSession
from icws_explore.protocol.client.states import ClientTrigger, ClientTriggerKind
from icws_explore.protocol.client.table import TRANSITIONS, ClientTable
from icws_explore.protocol.client.wire import Verifier
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, sign_envelope
from icws_explore.protocol.errors import DecodeError, IdentityError
from icws_explore.protocol.keys import Ed25519Identity, Identity
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, encode_service
from icws_explore.protocol.steps import Step

from .nonconforming_clients import CustomSigner, TimedClient

ANOTHER_CLIENT: Final = Principal.self_authenticating(b"the key of another client")
ANOTHER_KEY: Final = Ed25519Identity.from_secret(hashlib.sha256(b"the key after a second login").digest())
ROUNDED_NONCE: Final = 2**53 + 1  # the first integer that a JavaScript Number cannot hold
FIXED_NONCE: Final = 1
RESENT_NUMBER: Final = 2
MAX_FRAME: Final = 2_000  # bytes that a client with a limit accepts in one frame
BOXED: Final = 128  # the first number of which Java makes a new Long each time
IDLE_S: Final = 600.0  # @dfinity/auth-client's IdleManager


class AltersMessages(CustomSigner):
    """Sends what `altered` makes of each message of the session."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        if content["method_name"] == "ws_message":
            message = self.altered(decode_message_args(content["arg"]))
            content = {**content, "arg": encode_message_args(message)}
        return sign_envelope(content, identity)

    def altered(self, message: WebsocketMessage) -> WebsocketMessage:
        """Return the message to send."""
        return message


class NamesAnotherClient(AltersMessages):
    """Its messages have another client's principal in their client_key."""

    def altered(self, message: WebsocketMessage) -> WebsocketMessage:
        return replace(message, client_key=replace(message.client_key, client_principal=ANOTHER_CLIENT))


class RoundsNonce(AltersMessages):
    """It keeps its client_nonce as a JavaScript Number, so its messages have a rounded one."""

    def __init__(self, config: ClientConfig, identity: Identity, **given: Any) -> None:
        super().__init__(config, identity, **{**given, "client_nonce": ROUNDED_NONCE})

    def altered(self, message: WebsocketMessage) -> WebsocketMessage:
        nonce = int(float(message.client_key.client_nonce))
        return replace(message, client_key=replace(message.client_key, client_nonce=nonce))


class CountsFromZero(AltersMessages):
    """It numbers its messages from 0."""

    def altered(self, message: WebsocketMessage) -> WebsocketMessage:
        return replace(message, sequence_num=message.sequence_num - 1)


class ChangesKey(CustomSigner):
    """It signs ws_open with one identity and its messages with another, as after a second login."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        if content["method_name"] == "ws_message":
            return sign_envelope({**content, "sender": ANOTHER_KEY.principal.raw}, ANOTHER_KEY)
        return sign_envelope(content, identity)


class ReusesExpiry(CustomSigner):
    """It computes ingress_expiry once and uses it for every request."""

    _expiry_ns: int | None = None

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        if self._expiry_ns is None:
            self._expiry_ns = content["ingress_expiry"]
        return sign_envelope({**content, "ingress_expiry": self._expiry_ns}, identity)


class CannotSign(CustomSigner):
    """Its identity fails to sign, as a hardware key does that its user does not confirm."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        del content, identity
        raise IdentityError("the user did not confirm the signature")


class _IndefiniteEnvelope(Envelope):
    """An envelope whose frame is a map of indefinite length."""

    def encode_frame(self) -> bytes:
        tag, head, rest = super().encode_frame()[:3], super().encode_frame()[3:4], super().encode_frame()[4:]
        assert head == b"\xa1"  # a map with one member
        return tag + b"\xbf" + rest + b"\xff"


class Ic4j(CustomSigner):
    """ic4j: it writes CBOR of indefinite length, compares numbers with ==, and closes at the message 128."""

    def envelope(self, content: Mapping[str, Any], identity: Identity) -> Envelope:
        signed = sign_envelope(content, identity)
        return _IndefiniteEnvelope(signed.content, signed.sender_pubkey, signed.sender_sig, signed.sender_delegation)

    def _receive(self, data: bytes, now_ns: int) -> None:
        super()._receive(data, now_ns)
        try:
            number = CanisterMessage.decode(data).message.sequence_num
        except DecodeError:
            return  # the handshake
        if number == BOXED:
            close_with(self, CloseCode.INTERNAL_ERROR, now_ns)


def close_with(machine: ClientMachine, code: int, now_ns: int) -> None:
    """Close the machine's connection with another code than 1000."""
    session = machine._session  # noqa: SLF001  # the machines of this module are ClientMachines
    machine._fire(ClientTrigger(ClientTriggerKind.CLOSE, now_ns))  # noqa: SLF001
    session.events[:] = [CloseConnection(code, "") if isinstance(e, CloseConnection) else e for e in session.events]


class LimitsFrames(ClientMachine):
    """A client on a WebSocket library with a frame limit, as Python's websockets has (1 MiB by default)."""

    def _receive(self, data: bytes, now_ns: int) -> None:
        if len(data) > MAX_FRAME:
            close_with(self, CloseCode.MESSAGE_TOO_BIG, now_ns)
        else:
            super()._receive(data, now_ns)


class IdleManager(TimedClient):
    """A page with @dfinity/auth-client's IdleManager: it reloads ten minutes after the client's last message."""

    def send(self, content: bytes, now_ns: int) -> list[Any]:
        self._start("reload", now_ns + round(IDLE_S * NS_PER_S), self._reload)
        return super().send(content, now_ns)

    def _reload(self, now_ns: int) -> None:
        close_with(self, CloseCode.GOING_AWAY, now_ns)


class Silent(ClientMachine):
    """It does nothing at all, whatever it receives."""

    def _receive(self, data: bytes, now_ns: int) -> None:
        """Ignore the frame."""


class FixedNonce(ClientMachine):
    """It has one client_nonce for all connections."""

    def __init__(self, config: ClientConfig, identity: Identity, **given: Any) -> None:
        super().__init__(config, identity, **{**given, "client_nonce": FIXED_NONCE})


class IgnoresProofs(ClientMachine):
    """It logs a failed check of a canister message and goes on, as ic4j does."""

    def __init__(
        self, config: ClientConfig, identity: Identity, *, verify: Verifier | None = None, **given: Any
    ) -> None:
        def logs(frame: CanisterMessage, now_ns: int, expected: int) -> list[Step]:
            steps = (verify or self._check)(frame, now_ns, expected)
            return [replace(step, ok=True) for step in steps]

        super().__init__(config, identity, verify=logs, **given)


class JsonRpc(ClientMachine):
    """A page's WebSocket of another protocol: it sends a JSON-RPC request in a text frame."""

    def _connected(self, now_ns: int) -> None:
        del now_ns
        self._session.events.append(SendFrame(b'{"jsonrpc":"2.0","id":1,"method":"subscribe"}', "text"))

    def _receive(self, data: bytes, now_ns: int) -> None:
        """Ignore the frame."""


class _Repeats(ClientSession):
    """Sends something again right after the frame that it repeats."""

    def _send(self, frame: bytes) -> None:
        super()._send(frame)
        if not self.is_ended:
            self.events += [SendFrame(again) for again in self.repeated(frame)]

    def repeated(self, frame: bytes) -> list[bytes]:
        """Return the frames to send after ``frame``."""
        return [frame]


class _ResendsNumber(_Repeats):
    def repeated(self, frame: bytes) -> list[bytes]:
        envelope = Envelope.decode_frame(frame)
        if envelope.method_name != "ws_message":
            return []
        message = decode_message_args(envelope.content["arg"])
        if message.sequence_num != RESENT_NUMBER:
            return []
        return [self.outbox.ws_message(message, message.timestamp_ns)]


class _RepeatsMessages(_Repeats):
    def repeated(self, frame: bytes) -> list[bytes]:
        return [frame] if Envelope.decode_frame(frame).method_name == "ws_message" else []


class _OpensTwice(_Repeats):
    def repeated(self, frame: bytes) -> list[bytes]:
        envelope = Envelope.decode_frame(frame)
        if envelope.method_name != "ws_open" or envelope.ingress_expiry_ns is None:
            return []
        return [self.outbox.ws_open(self.gateway_principal, envelope.ingress_expiry_ns - 240 * NS_PER_S)]


class ResendsNumber(ClientMachine):
    """It sends its second message in two requests, as after a time-out of its own."""

    session_class: ClassVar[type[ClientSession]] = _ResendsNumber


class RepeatsRequests(ClientMachine):
    """It sends each request of a message twice, byte for byte."""

    session_class: ClassVar[type[ClientSession]] = _RepeatsMessages


class OpensTwice(ClientMachine):
    """It sends ws_open twice."""

    session_class: ClassVar[type[ClientSession]] = _OpensTwice


def _answer_with_ack(session: ClientSession, trigger: ClientTrigger) -> None:
    content = encode_service(AckMessage(session.inbox.last_sequence_num))
    message = session.outbox.number(content, trigger.now_ns, is_service_message=True)
    session.events.append(SendFrame(session.outbox.ws_message(message, trigger.now_ns)))


class AnswersAcksWithAcks(ClientMachine):
    """It answers an AckMessage with an AckMessage, as the protocol's document says, not with a KeepAliveMessage."""

    transitions: ClassVar[ClientTable] = TRANSITIONS.with_action(ClientSession.send_keep_alive, _answer_with_ack)
