"""The client's machine and its configuration. The package's docstring has the theory of operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .. import candid
from ..constants import ACK_INTERVAL_MS, MAINNET_ROOT_KEY, MAX_CERTIFICATE_AGE_S, ack_timeout_ms
from ..envelope import sign_envelope
from ..errors import ArgumentTypeError, IdentityError, StateError
from ..keys import Identity
from ..messages import CanisterMessage, ClientKey
from ..principal import Principal
from ..steps import Step
from ..verify import check_message
from .events import ClientEvent, CloseConnection, ConnectionClosed
from .session import ClientSession
from .states import ENDED, ClientState, ClientTrigger, ClientTriggerKind
from .table import TRANSITIONS, ClientTable, Row
from .wire import AckQueue, Inbox, Outbox, Signer, Verifier

_CLIENT_NONCE_BYTES = 8


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """What the protocol needs of the SDK's IcWebSocketConfig.

    ``root_key`` (DER): None until the network's status has answered; until then mainnet's key is used,
    as in the SDK. ``ack_interval_ms`` must equal the canister's. ``max_certificate_age_s``: an older
    certificate is refused. ``application_type``: if given, application messages are decoded, and one
    that does not fit the type ends the session, as in the SDK.
    """

    canister_id: Principal
    root_key: bytes | None = None
    ack_interval_ms: int = ACK_INTERVAL_MS
    max_certificate_age_s: int = MAX_CERTIFICATE_AGE_S
    application_type: candid.Type | None = None


class ClientMachine:
    """One session of one client. ``entropy(n)`` returns n random bytes.

    ``client_nonce`` (u64) is drawn from ``entropy`` if it is not given. ``verify`` replaces
    `protocol.verify.check_message`, ``sign`` replaces `protocol.envelope.sign_envelope`: for replays, tests and clients
    that deviate from the SDK. Raises IdentityError for the anonymous identity.
    """

    needs_key: ClassVar[bool] = True  # the SDK refuses the anonymous identity
    session_class: ClassVar[type[ClientSession]] = ClientSession
    transitions: ClassVar[ClientTable] = TRANSITIONS

    def __init__(
        self,
        config: ClientConfig,
        identity: Identity,
        *,
        entropy: Callable[[int], bytes],
        client_nonce: int | None = None,
        verify: Verifier | None = None,
        sign: Signer = sign_envelope,
    ) -> None:
        if self.needs_key and identity.principal.is_anonymous:
            raise IdentityError("Identity must be a SignIdentity: a canister refuses anonymous clients, use a key")
        if client_nonce is None:
            client_nonce = int.from_bytes(entropy(_CLIENT_NONCE_BYTES), "little")
        self.config = config
        self.client_key = ClientKey(identity.principal, client_nonce)
        self._root_key = config.root_key or MAINNET_ROOT_KEY
        self._session = self.session_class(
            self.client_key,
            Inbox(verify or self._check, config.application_type),
            Outbox(config.canister_id, self.client_key, identity, entropy, sign),
            AckQueue(ack_timeout_ms(config.ack_interval_ms)),
            fire=self._fire,
        )

    # -- what the owner may ask ----------------------------------------------------------------

    @property
    def state(self) -> ClientState:
        return self._session.state

    @property
    def is_open(self) -> bool:
        return self.state is ClientState.OPEN

    @property
    def taken(self) -> tuple[Row, ...]:
        """The rows of the table that the last call took, in order."""
        return tuple(self._session.taken)

    @property
    def gateway_principal(self) -> Principal | None:
        """The principal in the gateway's handshake; None before the handshake."""
        return self._session.gateway_principal

    @property
    def deadlines(self) -> dict[str, int]:
        """Running timers, soonest first: "open" and "ack", each with the instant (ns) at which it expires."""
        return self._session.deadlines

    @property
    def deadline_ns(self) -> int | None:
        """The instant of the next ``tick``; None if no timer runs."""
        return min(self.deadlines.values(), default=None)

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Sequence numbers of messages that were sent and not acknowledged yet."""
        return self._session.acks.outstanding

    def sign_again(self, frame: bytes) -> bytes:
        """An edited request with a signature of this client's key, for a debugger. It changes nothing here.

        Raises DecodeError for what is no request, and IcwsError if it cannot be signed.
        """
        return self._session.outbox.sign_again(frame)

    # -- what the owner does -------------------------------------------------------------------

    def set_root_key(self, root_key: bytes) -> None:
        """Use this root key (DER) from the next frame on."""
        self._root_key = root_key

    def connected(self, now_ns: int) -> list[ClientEvent]:
        """The WebSocket is open. This client waits for the gateway's handshake; SDKs before 0.3.0 did not."""
        return self._run(now_ns, lambda: self._connected(now_ns))

    def receive(self, data: bytes | str, now_ns: int) -> list[ClientEvent]:
        """A frame came in. A text frame (str) is as wrong as bytes that are not CBOR."""
        return self._run(now_ns, lambda: self._receive(data.encode() if isinstance(data, str) else data, now_ns))

    def send(self, content: bytes, now_ns: int) -> list[ClientEvent]:
        """Send an application message, already encoded as Candid.

        Raises StateError while the session is not open, and ArgumentTypeError if ``content`` is not
        bytes. After our own close it raises StateError too, where the SDK would accept the message and
        lose it. If a time-out that is due ends the session in this very call, the message is lost.
        """
        if not isinstance(content, bytes):
            raise ArgumentTypeError(f"content must be bytes (encoded Candid), not {type(content).__name__}")
        if not self._can_send:
            self._session.taken = []
            raise StateError("Connection is not established yet")
        return self._run(now_ns, lambda: self._fire(ClientTrigger(ClientTriggerKind.SEND, now_ns, content=content)))

    def close(self, now_ns: int) -> list[ClientEvent]:
        """End the session from this side. A second call changes nothing."""
        return self._run(now_ns, lambda: self._fire(ClientTrigger(ClientTriggerKind.CLOSE, now_ns)))

    def connection_error(self, description: str, now_ns: int) -> list[ClientEvent]:
        """The socket reports an error (the SDK's text says "[object Event]" instead of a description)."""
        trigger = ClientTrigger(ClientTriggerKind.CONNECTION_ERROR, now_ns, error=f"WebSocket error: {description}")
        return self._run(now_ns, lambda: self._fire(trigger))

    def connection_lost(self, code: int, reason: str, now_ns: int) -> list[ClientEvent]:
        """The socket was closed by either side; ``code`` is 1006 if there was no close frame."""
        trigger = ClientTrigger(ClientTriggerKind.CONNECTION_LOST, now_ns, ConnectionClosed(code, reason))
        return self._run(now_ns, lambda: self._fire(trigger))

    def tick(self, now_ns: int) -> list[ClientEvent]:
        """Fire the time-outs that are due."""
        return self._run(now_ns, lambda: None)

    # -- how it runs ---------------------------------------------------------------------------

    @property
    def _can_send(self) -> bool:
        return self.is_open

    def _run(self, now_ns: int, call: Callable[[], object]) -> list[ClientEvent]:
        """Fire what was due by ``now_ns``, each time-out at its own instant; then ``call``."""
        self._session.events, self._session.taken = [], []
        while (due_ns := self.deadline_ns) is not None and due_ns <= now_ns:
            self._expire(next(iter(self.deadlines)), due_ns)
        call()
        return self._session.events

    def _expire(self, timer: str, due_ns: int) -> None:
        """A timer of ``deadlines`` has run out."""
        self._fire(self._session.expire(timer, due_ns))

    def _connected(self, now_ns: int) -> None:
        """What the client does at once on a new connection: nothing."""

    def _fire(self, trigger: ClientTrigger) -> None:
        """Take the table's row for ``trigger``, and close the connection if the row says so."""
        session = self._session
        had_ended = session.is_ended
        row = self.transitions.fire(session, trigger)
        if row is None:
            return
        if row.close is not None and row.close.code is not None and not had_ended:
            session.events.append(CloseConnection(row.close.code, row.close.reason))
        if session.is_ended:
            session.stop_timers()

    def _receive(self, data: bytes, now_ns: int) -> None:
        session = self._session
        if session.state in ENDED:
            return
        if session.state is ClientState.HANDSHAKE:
            self._fire(session.inbox.handshake(data, now_ns))
            return
        verified, trigger = session.inbox.message(data, now_ns)
        if verified is not None:
            session.events.append(verified)
        self._fire(trigger)

    def _check(self, frame: CanisterMessage, now_ns: int, expected_sequence_num: int) -> list[Step]:
        return check_message(
            frame,
            canister_id=self.config.canister_id,
            root_key=self._root_key,
            now_ns=now_ns,
            max_age_s=self.config.max_certificate_age_s,
            client_key=self.client_key,
            expected_sequence_num=expected_sequence_num,
        )
