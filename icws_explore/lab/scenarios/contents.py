"""Messages that are genuine and of no use: for other eyes, of another type, or for a client that misjudges them."""

from __future__ import annotations

from icws_explore.protocol.candid import NAT, encode
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.constants import LATENCY_BOUND_MS, MAINNET_ROOT_KEY
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal

from ..faults import Delivery, Faults, Stage
from .nonconforming_clients import Js031, Js034
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import TEXT, goodbye, texts

ACK_TIMEOUT_0_3_1_MS = 450_000
GIVEN_AWAY = 4  # the number of the message that the wrong client gets


class GivesAway(Faults):
    """A gateway that mixes two clients up: the first gets the second's message ``number`` in place of its own.

    The first one's messages wait until there is that one.
    """

    def __init__(self, number: int = GIVEN_AWAY) -> None:
        self._number = number
        self._stage: Stage | None = None
        self._foreign: bytes | None = None
        self._waiting: list[bytes] = []  # behind the message that is replaced

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        try:
            number = CanisterMessage.decode(data).message.sequence_num
        except DecodeError:
            return [Delivery(data)]  # the handshake
        if session == 0 and number >= self._number:
            return self._to_the_first(number, data)
        if session == 1 and number == self._number:
            self._arrived(data)
        return [Delivery(data)]

    def _to_the_first(self, number: int, data: bytes) -> list[Delivery]:
        if self._foreign is None:
            self._waiting.append(data)
            return []
        return [Delivery(self._foreign if number == self._number else data)]

    def _arrived(self, foreign: bytes) -> None:
        assert self._stage is not None
        self._foreign = foreign
        for data in [foreign, *self._waiting[1:]] if self._waiting else []:
            self._stage.send(0, data)
        self._waiting.clear()


@register("ROOT_KEY", "the client takes the network for mainnet and trusts that one's root key")
def root_key() -> Plan:
    mistaken = ClientPlan(root_key=MAINNET_ROOT_KEY, script=texts((5, "hello")))
    recorded = {"root_key": MAINNET_ROOT_KEY}
    return Plan("echo", duration_s=30, clients=(mistaken,), recorded=recorded, asks_status=True)


@register(
    "SDK_REJECTS_VALID", "an ic-websocket-js 0.3.4 with @dfinity/agent 1.4.0, to which no certified data is right"
)
def sdk_rejects_valid() -> Plan:
    return Plan("echo", duration_s=30, clients=(ClientPlan(machine=Js034),))


@register("APP_TYPE_MISMATCH", "the canister answers the second message with a number, where text is declared")
def app_type_mismatch() -> Plan:
    def on_message(context: AppContext, client: Principal, message: dict[str, str]) -> None:
        if message["text"] == "how many":
            context.send_bytes(client, encode([NAT], [7]))
        else:
            context.send(client, message)

    app = App("counts", TEXT, on_message=on_message)
    return Plan(app, duration_s=60, clients=(ClientPlan(script=texts((5, "hello"), (20, "how many"))),))


@register("CLIENT_KEY_FOREIGN", "the gateway gives one client a message that the canister made for another")
def client_key_foreign() -> Plan:
    clients = (ClientPlan(), ClientPlan(at_s=1))
    return Plan("ticker", duration_s=90, clients=clients, faults=GivesAway())


@register(
    "UNKNOWN_CLOSE_VARIANT", "the canister closes the session of an ic-websocket-js 0.3.1, which knows no CloseMessage"
)
def unknown_close_variant() -> Plan:
    old = ClientPlan(
        machine=Js031,
        ack_interval_ms=ACK_TIMEOUT_0_3_1_MS - LATENCY_BOUND_MS,
        script=texts((5, "hello"), (20, "bye")),
    )
    return Plan(goodbye(), duration_s=60, clients=(old,))
