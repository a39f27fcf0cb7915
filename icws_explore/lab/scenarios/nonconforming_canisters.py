"""Canisters that do not behave like the CDK 0.4.1: old versions, wrong setups, and bugs.

Each is an `App`, so it works wherever an App does: in a plan, in the lab and in the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from icws_explore.protocol import candid
from icws_explore.protocol.arguments import decode_open_args, encode_poll_result, encode_result
from icws_explore.protocol.canister import (
    CANISTER_ERROR,
    App,
    AppCanister,
    CallRejected,
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
NO_REPLY: Final = "Canister did not reply to the call"  # the replica's text


@dataclass(frozen=True, slots=True)
class WithoutTimers(App):
    """Motoko's CDK 0.4.0 or later without ``ws.init<system>()``: it sends no acks and checks no keep-alives.

    Everything else works. In Rust a missing init loses the handlers too, as after an upgrade without init in
    post_upgrade.
    """

    flavour: Flavour = "motoko"

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        chosen = replace(config or CdkConfig(flavour=self.flavour), forget_init=True)
        return lambda system: AppCanister(system, self, chosen)


@dataclass(frozen=True, slots=True)
class AcksAhead(App):
    """Its acks are wrong: each is ``ahead`` messages beyond the last message that it received."""

    ahead: int = 6

    def make_cdk(self, system: SystemApi, handlers: Handlers, config: CdkConfig) -> WebSocketCdk:
        return _AheadCdk(system, handlers, config, self.ahead)


@dataclass(frozen=True, slots=True)
class ListsGateways(App):
    """Like CDKs up to 0.3.0: it accepts only the gateways in ``listed`` and answers all others with an Err.

    An Err in reply to a poll ends the gateway's poller, and with it the sessions.
    """

    listed: tuple[Principal, ...] = ()

    def make_cdk(self, system: SystemApi, handlers: Handlers, config: CdkConfig) -> WebSocketCdk:
        return _ListedGatewaysCdk(system, handlers, config, frozenset(self.listed))


@dataclass(frozen=True, slots=True)
class InspectsCalls(App):
    """Its canister_inspect_message accepts only the methods in ``accepted``."""

    accepted: tuple[str, ...] = ()

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        chosen = config or CdkConfig(flavour=self.flavour)
        return lambda system: _InspectingCanister(system, self, chosen, self.accepted)


@dataclass(frozen=True, slots=True)
class NeverReplies(App):
    """Its ws_message is a method with manual_reply that does its work and does not call reply."""

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        chosen = config or CdkConfig(flavour=self.flavour)
        return lambda system: _SilentCanister(system, self, chosen)


@dataclass(frozen=True, slots=True)
class Greets(App):
    """It has an update method of its own, ``greet``, besides those of the CDK. It takes and returns nothing."""

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        chosen = config or CdkConfig(flavour=self.flavour)
        return lambda system: _GreetingCanister(system, self, chosen)


class _InspectingCanister(AppCanister):
    def __init__(self, system: SystemApi, app: App, config: CdkConfig, accepted: tuple[str, ...]) -> None:
        super().__init__(system, app, config)
        self._accepted = accepted

    def inspect_message(self, method: str, arg: bytes) -> bool:
        del arg
        return method in self._accepted


class _SilentCanister(AppCanister):
    def __init__(self, system: SystemApi, app: App, config: CdkConfig) -> None:
        super().__init__(system, app, config)
        self._system = system

    def update(self, method: str, arg: bytes) -> bytes:
        reply = super().update(method, arg)
        if method == "ws_message":
            text = f"Error from Canister {self._system.canister_id()}: {NO_REPLY}"
            raise CallRejected(CANISTER_ERROR, text, "IC0506", undoes=False)
        return reply


class _GreetingCanister(AppCanister):
    def update(self, method: str, arg: bytes) -> bytes:
        return candid.encode([], []) if method == "greet" else super().update(method, arg)


class _AheadCdk(WebSocketCdk):
    def __init__(self, system: SystemApi, handlers: Handlers, config: CdkConfig, ahead: int) -> None:
        super().__init__(system, handlers, config)
        self._ahead = ahead

    def ack_number(self, client: Client) -> int:
        return super().ack_number(client) + self._ahead


class _ListedGatewaysCdk(WebSocketCdk):
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
