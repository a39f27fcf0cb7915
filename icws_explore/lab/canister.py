"""One canister of the lab: install and upgrade its code, and view its state from outside the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from icws_explore.protocol.arguments import PollMessage
from icws_explore.protocol.canister import App, CanisterCode, CanisterHost, CdkConfig, Outcome, Reject, SystemApi
from icws_explore.protocol.canister.state import CdkState
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

from .queues import PolledQueues
from .wasm.canister import WasmCanister
from .wasm.stable import WASM_PAGE


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client in the canister's state.

    ``gateway`` is the gateway that it came through. ``sent`` is the sequence number of the last message to it,
    ``expected`` that of the next message from it. ``last_keep_alive_ns`` is protocol time, ns since the epoch.
    """

    key: ClientKey
    gateway: Principal
    sent: int
    expected: int
    last_keep_alive_ns: int


@dataclass(frozen=True, slots=True)
class CanisterView:
    """The state of a canister at one moment.

    ``queues`` is the number of messages kept for each gateway, ``certified_data`` the root hash that the canister
    certifies, and ``memory`` the app's ``context.state``. Of a compiled canister the clients are not known, and
    ``memory`` has the sizes of its memories and its cycles.
    """

    clients: tuple[ClientView, ...]
    queues: dict[Principal, int]
    certified_data: bytes
    memory: dict[str, Any]


class LabCanister:
    """A canister that runs an app on the CDK's model, or compiled code.

    `Lab.add_canister` creates it; use it in the lab's thread.

    ``config`` is the CDK's configuration. ``now_ns`` is the replica's clock, ns since the epoch.
    """

    def __init__(self, host: CanisterHost, app: App, config: CdkConfig, now_ns: Callable[[], int]) -> None:
        self.id = host.canister_id
        self.app = app
        self.config = config
        self._host = host
        self._now_ns = now_ns
        self._code: CanisterCode | None = None

    @property
    def did(self) -> str:
        """The .did text that the canister publishes; empty before its code is installed."""
        return self._host.candid_interface

    def install(self, app: App | None = None) -> None:
        """Install the code of ``app``, or the same code again. The canister forgets everything.

        Raises LabError if its init traps; then the code is the one before.
        """
        self._put(app, self._host.install)

    def upgrade(self, app: App | None = None) -> None:
        """Install the code of ``app``, or the same code again. As in a real upgrade, the CDK's state is lost.

        Raises LabError if its init traps or the canister has no code; then the code is the one before.
        """
        self._put(app, self._host.upgrade)

    def _put(self, app: App | None, put: Callable[..., Outcome]) -> None:
        before, self.app = self.app, app or self.app
        try:
            self._check(put(self._factory, now_ns=self._now_ns()))
        except LabError:
            self.app = before
            raise

    def view(self, gateways: Iterable[Principal] = ()) -> CanisterView:
        """Return the state now, with the queues of ``gateways`` and of the gateways of its clients. Raises LabError."""
        if self._code is None:
            raise LabError(f"canister {self.id} has no code")
        if isinstance(self._code, WasmCanister):
            return self._view_from_outside(self._code, gateways)
        snapshot = self._code.snapshot()
        state, memory = snapshot if isinstance(snapshot, tuple) else (snapshot, {})
        if not isinstance(state, CdkState):
            raise LabError(f"the code of canister {self.id} is not built on the CDK's model, so its state is unknown")
        clients = tuple(
            ClientView(
                client.key,
                client.gateway,
                client.sent_sequence_num,
                client.expected_sequence_num,
                client.last_keep_alive_ns,
            )
            for client in state.clients
        )
        known = {*gateways, *(client.gateway for client in clients)}
        registered = {principal: state.gateways.get(principal) for principal in known}
        queues = {principal: len(gateway.queue) for principal, gateway in registered.items() if gateway is not None}
        return CanisterView(clients, queues, self._host.certified_data, memory)

    def queue(self, gateway: Principal) -> list[PollMessage]:
        """Return the messages that it keeps for a gateway, polled or not; none of code that cannot be looked into."""
        if isinstance(self._code, WasmCanister):
            return PolledQueues(self._host, self._now_ns).messages_from(gateway, 0)
        state = self._state()
        registered = None if state is None else state.gateways.get(gateway)
        return [] if registered is None else [message for message, _ in registered.queue]

    def _state(self) -> CdkState | None:
        """The memory of code that is built on the CDK's model."""
        snapshot = None if self._code is None else self._code.snapshot()
        state = snapshot[0] if isinstance(snapshot, tuple) else snapshot
        return state if isinstance(state, CdkState) else None

    def _view_from_outside(self, code: WasmCanister, gateways: Iterable[Principal]) -> CanisterView:
        polled = PolledQueues(self._host, self._now_ns)
        queues = {gateway: len(polled.messages_from(gateway, 0)) for gateway in gateways}
        sizes = {
            "memory_bytes": code.memory_size,
            "stable_bytes": code.stable.pages * WASM_PAGE,
            "cycles": code.cycles,
        }
        return CanisterView(
            (), {key: count for key, count in queues.items() if count}, self._host.certified_data, sizes
        )

    def _factory(self, system: SystemApi) -> CanisterCode:
        self._code = self.app.factory(self.config)(system)
        return self._code

    def _check(self, outcome: object) -> None:
        if isinstance(outcome, Reject):
            raise LabError(f"the {self.app.name} canister could not be installed: {outcome.text}")

    def __repr__(self) -> str:
        return f"LabCanister({self.id}, app={self.app.name!r})"
