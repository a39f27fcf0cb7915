"""What `connect` takes, checked and resolved; and what a capture says of it."""

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
    read_app_type,
    require_websocket_canister,
    resolve_app_type,
    resolve_identity,
    session_info,
)
from icws_explore.protocol import candid, cbor
from icws_explore.protocol.errors import ConnectError, DidError, IdentityError
from icws_explore.protocol.keys import AnonymousIdentity, Ed25519Identity
from icws_explore.protocol.principal import Principal
from support.servers import http_server


class TestGatewayUrl:
    @pytest.mark.parametrize("url", ["ws://127.0.0.1:8080", "wss://gateway.example", "ws://[::1]:80/path?x=1"])
    def test_is_kept_as_it_is(self, url):
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
    def test_else_says_how_to_write_one(self, url):
        with pytest.raises(ConnectError, match="write ws://"):
            check_gateway_url(url)


class TestIdentity:
    def test_a_fresh_one_each_time(self):
        assert resolve_identity(None).principal != resolve_identity(None).principal

    def test_one_of_ours_is_taken_as_it_is(self):
        identity = Ed25519Identity.generate()
        assert resolve_identity(identity) is identity

    def test_one_of_ic_py_speaks_for_the_same_principal(self):
        from ic.identity import Identity as IcPyIdentity

        foreign = IcPyIdentity()
        assert resolve_identity(foreign).principal.raw == foreign.sender().bytes

    def test_anonymous_and_unknown_ones_are_refused(self, tmp_path):
        with pytest.raises(IdentityError, match="anonymous"):
            resolve_identity(AnonymousIdentity())
        with pytest.raises(IdentityError):
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

    def test_never_a_password(self):
        target = replace(self.target(ScaledClock(60)), gateway_url="wss://me:pass@h:1/p?q=1", network_url="http://t@n")
        info = session_info(target)
        assert (info.gateway_url, info.network_url) == ("wss://h:1/p?q=1", "http://n")

    def test_holds_what_no_frame_tells(self):
        info = session_info(self.target(ScaledClock(60)))
        assert (info.canister_id, info.root_key, info.ack_interval_ms) == ("aaaaa-aa", b"key", 5)
        assert candid.parse_type(info.app_type) == candid.parse_type("record { a : nat }")
        assert (info.clock.kind, info.clock.scale, info.origin) == ("scaled", 60, "live")
        assert info.started_at.endswith("Z")

    def test_never_the_key(self):
        target = self.target(RealClock())
        assert (b"\x07" * 32).hex() not in json.dumps(session_info(target).to_json())
        assert "0707" not in repr(target)


# What a network tells of a canister before a session.

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


# The application's type from a file, a .did text, or a type's text.

SERVICE = """
type Msg = record { text : text };
service : {
  ws_message : (record { msg : blob }, opt Msg) -> (variant { Ok; Err : text });
}
"""


class TestSources:
    def test_a_file(self, tmp_path):
        path = tmp_path / "service.did"
        path.write_text(SERVICE)
        assert candid.type_text(read_app_type(path)) == candid.type_text(read_app_type(str(path)))

    def test_a_service(self):
        value = {"text": "hi"}
        assert candid.decode(candid.encode([read_app_type(SERVICE)], [value])) == [value]

    @pytest.mark.parametrize("text", ["text", "record { a : nat }", "variant { Hi; Bye : text }", "blob"])
    def test_a_type(self, text):
        assert candid.is_subtype(read_app_type(text), candid.parse_type(text))


class TestErrors:
    def test_name_the_file(self, tmp_path):
        with pytest.raises(DidError, match=r"cannot read .*gone\.did: No such file"):
            read_app_type(tmp_path / "gone.did")
        binary = tmp_path / "binary.did"
        binary.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DidError, match="UTF-8"):
            read_app_type(binary)

    def test_say_what_to_change(self, tmp_path):
        path = tmp_path / "old.did"
        path.write_text("service : { ws_message : (record { msg : blob }) -> (); }")
        with pytest.raises(DidError, match=r"ws_message.*opt.*old\.did"):
            read_app_type(path)

    def test_a_huge_text_is_refused(self):
        with pytest.raises(DidError, match="allowed"):
            read_app_type("type A = nat;\n" * 400_000)
