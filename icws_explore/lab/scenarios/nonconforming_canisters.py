"""Canisters that are not as the CDK 0.4.1 is: old ones, ones that were set up wrong, ones that err.

Each is an `App` and goes wherever an App goes: a plan, the lab, the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from icws_explore.protocol.arguments import decode_open_args, encode_poll_result, encode_result
from icws_explore.protocol.canister import (
    App,
    AppCanister,
    CanisterFactory,
    CdkConfig,
    Flavour,
    Handlers,
    SystemApi,
    WebSocketCdk,
)
from icws_explore.protocol.canister.state import Client
from icws_explore.protocol.principal import Principal

# The Err of CDK 0.3.0, lib.rs, check_is_registered_gateway.
NOT_AUTHORIZED: Final = (
    "principal is not one of the authorized gateways that have been registered during CDK initialization"
)


@dataclass(frozen=True, slots=True)
class WithoutTimers(App):
    """Motoko's CDK from 0.4.0 on without ``ws.init<system>()``: all works but acks and keep-alive checks.

    In Rust the forgotten init loses the handlers too, as after an upgrade without it in post_upgrade.
    """

    flavour: Flavour = "motoko"

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        chosen = replace(config or CdkConfig(flavour=self.flavour), forget_init=True)
        return lambda system: AppCanister(system, self, chosen)


@dataclass(frozen=True, slots=True)
class AcksAhead(App):
    """Counts wrong: its acks are for messages that were not sent yet, ``ahead`` of the last one."""

    ahead: int = 6

    def make_cdk(self, system: SystemApi, handlers: Handlers, config: CdkConfig) -> WebSocketCdk:
        return _CountsWrong(system, handlers, config, self.ahead)


@dataclass(frozen=True, slots=True)
class ListsGateways(App):
    """As CDKs up to 0.3.0: it knows the gateways of its ``list`` alone and answers any other with an Err.

    An Err to a poll ends the gateway's poller, and so the sessions.
    """

    listed: tuple[Principal, ...] = ()

    def make_cdk(self, system: SystemApi, handlers: Handlers, config: CdkConfig) -> WebSocketCdk:
        return _KnowsItsGateways(system, handlers, config, frozenset(self.listed))


class _CountsWrong(WebSocketCdk):
    def __init__(self, system: SystemApi, handlers: Handlers, config: CdkConfig, ahead: int) -> None:
        super().__init__(system, handlers, config)
        self._ahead = ahead

    def ack_number(self, client: Client) -> int:
        return super().ack_number(client) + self._ahead


class _KnowsItsGateways(WebSocketCdk):
    def __init__(self, system: SystemApi, handlers: Handlers, config: CdkConfig, listed: frozenset[Principal]) -> None:
        super().__init__(system, handlers, config)
        self._system, self._listed = system, listed

    def ws_open(self, arg: bytes) -> bytes:
        if decode_open_args(arg).gateway_principal not in self._listed:
            return encode_result(NOT_AUTHORIZED)
        return super().ws_open(arg)

    def ws_get_messages(self, arg: bytes) -> bytes:
        if self._system.caller() not in self._listed:
            return encode_poll_result(NOT_AUTHORIZED)
        return super().ws_get_messages(arg)

    def has_news(self, gateway: Principal, nonce: int) -> bool:
        return gateway not in self._listed or super().has_news(gateway, nonce)
