"""What a network tells of a canister before a session."""

import pytest
from aiohttp import web

from icws_explore.live.http import Network
from icws_explore.live.target import find_application_type, require_websocket_canister
from icws_explore.protocol import candid, cbor
from icws_explore.protocol.errors import ConnectError
from icws_explore.protocol.principal import Principal
from support.servers import http_server

SOMEONE = Principal.from_text("bkyz2-fmaaa-aaaaa-qaaaq-cai")


def rejecting(code, message, error_code=None):
    answer = {"status": "rejected", "reject_code": code, "reject_message": message}

    async def handle(_request):
        return web.Response(body=cbor.dumps(answer | ({"error_code": error_code} if error_code else {})))

    return handle


class TestTheCanister:
    async def test_of_the_lab_will_do(self, lab):
        async with Network(lab.network_url, clock=lab.clock) as network:
            await require_websocket_canister(network, lab.canister_id)

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (rejecting(3, "Canister … not found"), "does not exist"),
            (rejecting(5, "Canister has no query method 'ws_get_messages'"), "not built with an IC WebSocket CDK"),
            (rejecting(5, "Canister is stopped", "IC0508"), "is stopped: start it"),
        ],
    )
    async def test_that_cannot_take_part_is_named(self, answer, said):
        async with http_server(answer) as url, Network(url) as network:
            with pytest.raises(ConnectError, match=said):
                await require_websocket_canister(network, SOMEONE)

    async def test_boundary_nodes_say_it_by_http(self):
        async def handle(_request):
            return web.Response(
                status=400, text="error: canister_not_found\ndetails: The specified canister does not exist."
            )

        async with http_server(handle) as url, Network(url) as network:
            with pytest.raises(ConnectError, match="does not exist"):
                await require_websocket_canister(network, SOMEONE)

    async def test_a_trap_settles_nothing(self):
        async with http_server(rejecting(5, "Canister trapped: oh")) as url, Network(url) as network:
            await require_websocket_canister(network, SOMEONE)


class TestItsType:
    async def test_comes_from_the_public_metadata(self, lab):
        async with Network(lab.network_url, clock=lab.clock) as network:
            found = await find_application_type(network, lab.canister_id, lab.root_key)
        assert candid.type_text(found) == candid.type_text(
            candid.parse_type("record { text : text; timestamp : nat64 }")
        )

    async def test_is_not_believed_under_another_key(self, lab, echo):
        async with Network(lab.network_url, clock=lab.clock) as network:
            assert await find_application_type(network, lab.canister_id, echo.root_key) is None

    async def test_may_be_unknown(self, lab):
        async with Network(lab.network_url, clock=lab.clock) as network:
            assert await find_application_type(network, SOMEONE, lab.root_key) is None
