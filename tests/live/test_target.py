"""The arguments of `connect`: checked, resolved and described in a recording."""

import json
from dataclasses import replace

import pytest
from aiohttp import web

from icws_explore.live.clock import RealClock, ScaledClock
from icws_explore.live.http import Network
from icws_explore.live.target import (
    Target,
    check_gateway_url,
    find_application_type,
    require_websocket_canister,
    resolve_app_type,
    resolve_identity,
    session_info,
)
from icws_explore.protocol import candid, cbor
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, ConnectError, IdentityError
from icws_explore.protocol.keys import AnonymousIdentity, Ed25519Identity
from icws_explore.protocol.principal import Principal
from support.servers import http_server


class TestGatewayUrl:
    @pytest.mark.parametrize("url", ["ws://127.0.0.1:8080", "wss://gateway.example", "ws://[::1]:80/path?x=1"])
    def test_a_right_one_is_returned_unchanged(self, url):
        assert check_gateway_url(url) == url

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "gateway",
            "http://a",
            "ws:///x",
            "ws://h:0x1",
            "ws://h:70000",
            "ws://[::1",
            "ws://a..b",
            f"ws://{'a' * 64}.example",
        ],
    )
    def test_a_wrong_one_is_reported_with_an_example(self, url):
        with pytest.raises(ArgumentValueError, match="write ws://"):
            check_gateway_url(url)


class TestIdentity:
    def test_none_gives_a_new_one_each_time(self):
        assert resolve_identity(None).principal != resolve_identity(None).principal

    def test_an_identity_is_returned_unchanged(self):
        identity = Ed25519Identity.generate()
        assert resolve_identity(identity) is identity

    def test_an_identity_of_ic_py_has_the_same_principal(self):
        from ic.identity import Identity as IcPyIdentity

        foreign = IcPyIdentity()
        assert resolve_identity(foreign).principal.raw == foreign.sender().bytes

    def test_the_anonymous_one_and_other_objects_raise(self, tmp_path):
        with pytest.raises(IdentityError, match="anonymous"):
            resolve_identity(AnonymousIdentity())
        with pytest.raises(ArgumentTypeError):
            resolve_identity(3.5)
        with pytest.raises(IdentityError, match="gone"):
            resolve_identity(tmp_path / "gone.pem")


class TestSessionInfo:
    def target(self, clock):
        return Target(
            gateway_url="ws://127.0.0.1:1",
            network_url=None,
            canister_id=Principal.MANAGEMENT,
            identity=Ed25519Identity.from_secret(b"\x07" * 32),
            root_key=b"key",
            app_type=resolve_app_type("record { a : nat }"),
            ack_interval_ms=5,
            max_certificate_age_s=300,
            clock=clock,
            record=None,
            ssl=None,
            wait_open=True,
        )

    def test_has_no_password(self):
        target = replace(self.target(ScaledClock(60)), gateway_url="wss://me:pass@h:1/p?q=1", network_url="http://t@n")
        info = session_info(target)
        assert (info.gateway_url, info.network_url) == ("wss://h:1/p?…", "http://n")

    def test_has_what_is_not_in_the_frames(self):
        info = session_info(self.target(ScaledClock(60)))
        assert (info.canister_id, info.root_key, info.ack_interval_ms) == ("aaaaa-aa", b"key", 5)
        assert candid.parse_type(info.app_type) == candid.parse_type("record { a : nat }")
        assert (info.clock.kind, info.clock.scale, info.origin) == ("scaled", 60, "live")
        assert info.started_at.endswith("Z")

    def test_has_no_private_key(self):
        target = self.target(RealClock())
        assert (b"\x07" * 32).hex() not in json.dumps(session_info(target).to_json())
        assert "0707" not in repr(target)


SOMEONE = Principal.from_text("bkyz2-fmaaa-aaaaa-qaaaq-cai")


def rejecting(code, message, error_code=None):
    answer = {"status": "rejected", "reject_code": code, "reject_message": message}

    async def handle(_request):
        return web.Response(body=cbor.dumps(answer | ({"error_code": error_code} if error_code else {})))

    return handle


class TestRequireWebsocketCanister:
    async def test_accepts_the_canister_of_a_lab(self, lab):
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
    async def test_raises_for_a_canister_that_cannot_have_sessions(self, answer, said):
        async with http_server(answer) as url, Network(url) as network:
            with pytest.raises(ConnectError, match=said):
                await require_websocket_canister(network, SOMEONE)

    async def test_understands_the_http_error_of_a_boundary_node(self):
        async def handle(_request):
            return web.Response(
                status=400, text="error: canister_not_found\ndetails: The specified canister does not exist."
            )

        async with http_server(handle) as url, Network(url) as network:
            with pytest.raises(ConnectError, match="does not exist"):
                await require_websocket_canister(network, SOMEONE)

    async def test_accepts_a_canister_that_traps(self):
        async with http_server(rejecting(5, "Canister trapped: oh")) as url, Network(url) as network:
            await require_websocket_canister(network, SOMEONE)


class TestFindApplicationType:
    async def test_reads_the_public_metadata(self, lab):
        async with Network(lab.network_url, clock=lab.clock) as network:
            found = await find_application_type(network, lab.canister_id, lab.root_key)
        assert candid.type_text(found) == candid.type_text(
            candid.parse_type("record { text : text; timestamp : nat64 }")
        )

    async def test_is_none_under_another_root_key(self, lab, echo):
        async with Network(lab.network_url, clock=lab.clock) as network:
            assert await find_application_type(network, lab.canister_id, echo.root_key) is None

    async def test_is_none_for_an_unknown_canister(self, lab):
        async with Network(lab.network_url, clock=lab.clock) as network:
            assert await find_application_type(network, SOMEONE, lab.root_key) is None
