"""What `connect` takes, checked and resolved; and what a capture says of it."""

import json
from dataclasses import replace

import pytest

from icws_explore.live.clock import RealClock, ScaledClock
from icws_explore.live.target import Target, check_gateway_url, resolve_app_type, resolve_identity, session_info
from icws_explore.protocol import candid
from icws_explore.protocol.errors import ConnectError, IdentityError
from icws_explore.protocol.keys import AnonymousIdentity, Ed25519Identity
from icws_explore.protocol.principal import Principal


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
