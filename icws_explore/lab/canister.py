"""One canister of the lab: what can be done with it and what can be seen in it from outside the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from icws_explore.protocol.canister import App, CanisterCode, CanisterHost, CdkConfig, Reject, SystemApi
from icws_explore.protocol.canister.state import CdkState
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal


@dataclass(frozen=True, slots=True)
class ClientView:
    """A client as the canister knows it. ``sent`` is the last sequence number that went to it,
    ``expected`` the next that must come from it; ``last_keep_alive_ns`` is protocol time."""

    key: ClientKey
    gateway: Principal
    sent: int
    expected: int
    last_keep_alive_ns: int


@dataclass(frozen=True, slots=True)
class CanisterView:
    """A look into a canister at one moment. ``queues`` counts the messages kept for each gateway."""

    clients: tuple[ClientView, ...]
    queues: dict[Principal, int]
    certified_data: bytes
    memory: dict[str, Any]


class LabCanister:
    """A canister with an app on a CDK. Made by `Lab.add_canister`; used in the lab's thread."""

    def __init__(self, host: CanisterHost, app: App, config: CdkConfig, now_ns: Callable[[], int]) -> None:
        self.id = host.canister_id
        self.app = app
        self.config = config
        self._host = host
        self._now_ns = now_ns
        self._code: CanisterCode | None = None

    @property
    def did(self) -> str:
        """The .did text that the canister publishes."""
        return self._host.candid_interface

    def install(self) -> None:
        """Put the app's code into the canister. Raises LabError when its init traps."""
        self._check(self._host.install(self._factory, now_ns=self._now_ns()))

    def upgrade(self, app: App | None = None) -> None:
        """Replace the code, with the same app or another: the CDK's state is lost, as on the real heap."""
        self.app = app or self.app
        self._check(self._host.upgrade(self._factory, now_ns=self._now_ns()))

    def view(self, gateways: Iterable[Principal] = ()) -> CanisterView:
        """What is in it now, with the queues of ``gateways`` and of those its clients came through."""
        if self._code is None:
            raise LabError(f"canister {self.id} has no code")
        snapshot = self._code.snapshot()
        state, memory = snapshot if isinstance(snapshot, tuple) else (snapshot, {})
        if not isinstance(state, CdkState):
            raise LabError(f"canister {self.id} runs on no CDK that the lab can look into")
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

    def _factory(self, system: SystemApi) -> CanisterCode:
        self._code = self.app.factory(self.config)(system)
        return self._code

    def _check(self, outcome: object) -> None:
        if isinstance(outcome, Reject):
            raise LabError(f"the {self.app.name} canister could not be installed: {outcome.text}")

    def __repr__(self) -> str:
        return f"LabCanister({self.id}, app={self.app.name!r})"
