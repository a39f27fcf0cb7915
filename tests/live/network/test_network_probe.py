"""A probe of the lab's replica, and of networks and canisters in which one thing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from icws_explore.lab import Lab
from icws_explore.live.network.network_probe import Check, NetworkProbe, probe_network
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.protocol import cbor
from icws_explore.protocol.canister import AppCanister
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, NS_PER_S
from icws_explore.protocol.principal import Principal
from support.fake_clock import FakeClock
from support.servers import free_port, http_server


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("echo", seed=9) as running:
        yield running


def of(lab: Lab, **options: object) -> NetworkProfile:
    return NetworkProfile("lab", lab.network_url, **options)  # type: ignore[arg-type]


def check(found: NetworkProbe, name: str) -> Check:
    return next(each for each in found.checks if each.name == name)


class TestWell:
    async def test_everything_is_checked(self, lab: Lab) -> None:
        found = await probe_network(of(lab), canister=lab.canister_id)
        assert [(each.name, each.ok) for each in found.checks] == [
            ("status", True), ("root key", True), ("endpoints", True), ("certificate", True), ("clock", True),
            ("canister", True), ("interface", True), ("poll", True),
        ]  # fmt: skip
        assert not found.has_failed
        assert found.root_key == lab.root_key
        assert check(found, "endpoints").found == "call v2, v3, v4; query v2, v3; read_state v2, v3"
        assert "CDK 0.3.1 to 0.4.2" in check(found, "interface").found

    async def test_the_profile_gives_the_canister_and_the_root_key(self, lab: Lab) -> None:
        found = await probe_network(of(lab, canister=lab.canister_id, root_key=lab.root_key))
        assert "the known one" in check(found, "root key").found
        assert check(found, "canister").ok

    async def test_without_a_canister_the_rest_is_not_checked(self, lab: Lab) -> None:
        found = await probe_network(of(lab))
        missing = [each for each in found.checks if each.ok is None]
        assert [each.name for each in missing] == ["certificate", "clock", "canister"]
        assert all("--canister" in each.advice for each in missing)
        assert not found.has_failed


class TestNetworks:
    async def test_nobody_listens(self) -> None:
        found = await probe_network(NetworkProfile("x", f"http://127.0.0.1:{free_port()}"))
        assert [(each.name, each.ok) for each in found.checks] == [("status", False)]
        assert found.has_failed

    @pytest.mark.parametrize(
        ("status", "name", "said"),
        [
            ({"replica_health_status": "starting"}, "status", "it is starting"),
            ({}, "root key", "the status has none"),
            ({"root_key": b"short"}, "root key", "none that can be used"),
        ],
    )
    async def test_a_status_that_is_not_well(self, status: dict[str, object], name: str, said: str) -> None:
        async def handle(request: web.Request) -> web.Response:
            is_status = request.path.endswith("/status")
            return web.Response(body=cbor.dumps(status)) if is_status else web.Response(status=404)

        async with http_server(handle) as url:
            found = await probe_network(NetworkProfile("x", url), canister=Principal(b"c"))
        assert check(found, name).ok is False
        assert said in check(found, name).found
        assert check(found, "endpoints") == Check(
            "endpoints",
            False,
            "call none; query none; read_state none",
            "update the replica (dfx, icp-cli, PocketIC), or check the path of the URL",
        )

    async def test_a_root_key_that_is_known_but_not_shown(self) -> None:
        async def handle(request: web.Request) -> web.Response:
            return web.Response(body=cbor.dumps({})) if request.path.endswith("/status") else web.Response(status=404)

        async with http_server(handle) as url:
            found = await probe_network(NetworkProfile("x", url, root_key=MAINNET_ROOT_KEY))
        assert check(found, "root key").ok is None

    async def test_another_root_key(self, lab: Lab) -> None:
        found = await probe_network(of(lab, root_key=MAINNET_ROOT_KEY), canister=lab.canister_id)
        assert check(found, "root key").ok is False
        assert "not mainnet's" in check(found, "root key").found
        assert check(found, "certificate").ok is False
        assert "canister" not in [each.name for each in found.checks]

    @pytest.mark.parametrize(("seconds", "side"), [(20, "ahead of"), (-20, "behind")])
    async def test_a_clock_that_is_wrong(self, lab: Lab, seconds: int, side: str) -> None:
        clock = FakeClock(lab.clock.now_ns() + seconds * NS_PER_S)
        found = await probe_network(of(lab), canister=lab.canister_id, clock=clock)
        assert check(found, "clock").ok is False
        assert side in check(found, "clock").found
        assert "NTP" in check(found, "clock").advice

    async def test_a_clock_whose_requests_are_refused(self, lab: Lab) -> None:
        clock = FakeClock(lab.clock.now_ns() - 3600 * NS_PER_S)
        found = await probe_network(of(lab), canister=lab.canister_id, clock=clock)
        assert check(found, "certificate").ok is False
        assert "clock" in check(found, "certificate").advice


class TestCanisters:
    async def test_that_do_not_exist(self, lab: Lab) -> None:
        found = await probe_network(of(lab), canister=Principal.from_text("bkyz2-fmaaa-aaaaa-qaaaq-cai"))
        assert check(found, "canister").ok is False
        assert "poll" not in [each.name for each in found.checks]

    async def test_of_another_network(self, lab: Lab) -> None:
        found = await probe_network(of(lab), canister=Principal(b"\x00" * 8 + b"\x01\x01"))
        assert check(found, "certificate").ok is False
        assert "on this network" in check(found, "certificate").advice

    async def test_that_are_stopped(self) -> None:
        with Lab("echo", seed=10) as lab:
            lab.stop_canister()
            found = await probe_network(of(lab), canister=lab.canister_id)
        assert check(found, "poll").ok is False
        assert "is stopped" in check(found, "poll").found

    @pytest.mark.parametrize(
        ("did", "ok", "said"),
        [
            ("", None, "the canister publishes none"),
            ("service : {", False, "cannot be read"),
            ("service : { greet : (text) -> (text) query }", False, "not that of an IC WebSocket CDK"),
        ],
    )
    async def test_with_another_interface(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, did: str, ok: bool | None, said: str
    ) -> None:
        path = tmp_path / "app.py"
        path.write_text("MESSAGE_TYPE = 'text'\ndef on_open(context, client): pass\n")
        monkeypatch.setattr(AppCanister, "candid_interface", property(lambda _: did))
        with Lab(path, seed=11) as lab:
            found = await probe_network(of(lab), canister=lab.canister_id)
        assert check(found, "interface").ok is ok
        assert said in check(found, "interface").found
        assert check(found, "interface").advice
