from __future__ import annotations

import pytest

from icws_explore.lab.apps import load
from icws_explore.lab.canister import LabCanister
from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.canister import App, CanisterHost, CdkConfig, Reply
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.principal import Principal
from support.fake_clock import FakeClock

CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
ALICE, GATEWAY = (Ed25519Identity.from_secret(name * 32).principal for name in (b"a", b"g"))


def make_canister(app: str = "pingpong", config: CdkConfig | None = None) -> tuple[LabCanister, CanisterHost]:
    host = CanisterHost(CANISTER)
    return LabCanister(host, load(app), config or CdkConfig(), FakeClock().now_ns), host


class TestInstall:
    def test_publishes_the_interface(self) -> None:
        canister, _ = make_canister()
        assert canister.did == ""
        canister.install()
        assert "ws_get_messages" in canister.did

    def test_a_trap_in_init_raises(self) -> None:
        canister, _ = make_canister(config=CdkConfig(send_ack_interval_ms=60_000))
        with pytest.raises(LabError, match="the pingpong canister could not be installed: Error from Canister bnz7o"):
            canister.install()

    def test_an_upgrade_may_change_the_app(self) -> None:
        canister, _ = make_canister()
        canister.install()
        canister.upgrade(load("chat"))
        assert canister.app.name == "chat"
        assert "JoinedChat" in canister.did

    def test_an_upgrade_that_fails_keeps_the_app(self) -> None:
        canister, host = make_canister()
        canister.install()
        host.uninstall()
        with pytest.raises(LabError, match="the canister contains no code to upgrade"):
            canister.upgrade(load("chat"))
        assert canister.app.name == "pingpong"


class TestView:
    def test_shows_clients_queues_and_memory(self) -> None:
        canister, host = make_canister()
        canister.install()
        outcome = host.update("ws_open", encode_open_args(7, GATEWAY), caller=ALICE, now_ns=FakeClock().ns)
        assert isinstance(outcome, Reply)
        view = canister.view()
        (client,) = view.clients
        assert (client.key.client_principal, client.key.client_nonce, client.gateway) == (ALICE, 7, GATEWAY)
        assert (client.sent, client.expected, client.last_keep_alive_ns) == (2, 1, FakeClock().ns)
        assert view.queues == {GATEWAY: 2}
        assert view.certified_data == host.certified_data
        assert view.memory == {}

    def test_a_gateway_without_a_queue_is_left_out(self) -> None:
        canister, _ = make_canister()
        canister.install()
        assert canister.view([GATEWAY]).queues == {}

    def test_a_canister_without_code_raises(self) -> None:
        canister, _ = make_canister()
        with pytest.raises(LabError, match="has no code"):
            canister.view()

    def test_repr_has_id_and_app(self) -> None:
        canister, _ = make_canister()
        assert repr(canister) == f"LabCanister({CANISTER}, app='pingpong')"
        assert isinstance(canister.app, App)
