"""What the entry points and the timers of a CDK share: sending, removing, calling handlers.

Under the Motoko CDK every call of a handler is awaited, and an await is a commit point: what was
done before it stays even if the handler traps. Under the Rust CDK a trap undoes the whole call.
"""

from __future__ import annotations

from collections.abc import Callable

from ..constants import NS_PER_MS
from ..messages import ClientKey
from ..principal import Principal
from ..service_messages import CloseMessage, CloseReason, ServiceMessage, encode_service
from .clients import Client
from .config import CdkConfig, Handlers
from .state import CdkState
from .system_api import SystemApi

PRINT_PREFIX = "[IC-WEBSOCKET-CDK]: "


class Sessions:
    """The clients' sessions of one canister: state.rs and State.mo as far as they need the replica."""

    def __init__(self, system: SystemApi, config: CdkConfig, handlers: Handlers) -> None:
        self.system = system
        self.config = config
        self.handlers = handlers
        self.state = CdkState(config)

    @property
    def is_motoko(self) -> bool:
        return self.config.flavour == "motoko"

    def awaits(self) -> None:
        """The Motoko CDK awaits something here."""
        if self.is_motoko:
            self.system.commit()

    def open(self, key: ClientKey, gateway: Principal) -> Client:
        """Register a client, and its gateway if it is new (state.rs, add_client)."""
        self.state.gateways.client_came(gateway)
        return self.state.clients.add(key, gateway, self.system.time_ns())

    def send(self, client: Client, content: bytes, *, is_service_message: bool = False) -> None:
        self.state.enqueue(client, content, is_service_message=is_service_message, now_ns=self.system.time_ns())
        self._certify()

    def send_service(self, client: Client, message: ServiceMessage) -> None:
        self.send(client, encode_service(message, inner_first=self.is_motoko), is_service_message=True)

    def remove(self, client: Client, reason: CloseReason | None) -> None:
        """Forget a client and call on_close; with a reason it is sent a CloseMessage first."""
        if reason is not None:
            self.send_service(client, CloseMessage(reason))
        self.state.clients.remove(client.key)
        self.state.gateways.client_left(client.gateway, self.system.time_ns())
        self.call(self.handlers.on_close, client.key.client_principal)

    def remove_expired_gateways(self) -> None:
        keys = self.state.gateways.remove_expired(self.system.time_ns(), self.config.send_ack_interval_ms * NS_PER_MS)
        if keys is not None:
            self.state.delete(keys)
            self._certify()

    def call(self, handler: Callable[..., None] | None, *args: object) -> None:
        """Call a handler of the application; its Trap goes through."""
        self.awaits()
        if handler is not None:
            handler(*args)

    def print(self, text: str) -> None:
        self.system.print(PRINT_PREFIX + text)

    def _certify(self) -> None:
        self.system.set_certified_data(self.state.certified.root_hash)
