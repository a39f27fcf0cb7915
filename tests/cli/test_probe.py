"""`icws probe`."""

import json

import pytest

from icws_explore.lab import Lab
from support.servers import free_port


@pytest.fixture(scope="module")
def lab():
    with Lab(app="echo", seed=8) as running:
        yield running


class TestProbe:
    def test_tells_the_gateways_principal(self, icws, lab):
        assert icws("probe", lab.gateway_url).code == 0
        assert str(lab.gateway_principal) in icws.out
        assert json.loads(icws("probe", lab.gateway_url, "--json").out)["gateway_principal"] == str(
            lab.gateway_principal
        )

    def test_or_why_not(self, icws, lab):
        assert "nobody listens" in icws.fails(3, "probe", f"ws://127.0.0.1:{free_port()}")
        assert "not a WebSocket" in icws.fails(3, "probe", lab.network_url.replace("http", "ws"))
        assert "write ws://" in icws.fails(3, "probe", "gateway")


class TestNetworks:
    def test_says_what_it_checked(self, icws, lab):
        assert icws("probe", "--network", lab.network_url, "--canister", str(lab.canister_id)).code == 0
        assert "✓ endpoints    call v2, v3, v4" in icws.out
        assert "✗" not in icws.out
        found = json.loads(icws("probe", "--network", lab.network_url, "--json").out)
        assert (found["url"], found["root_key"]) == (lab.network_url, lab.root_key.hex())
        assert [check["ok"] for check in found["checks"]] == [True, True, True, None, None, None]

    def test_a_failed_check_is_exit_code_1_and_has_advice(self, icws):
        shown = icws("probe", "--network", f"http://me:s3cr3t@127.0.0.1:{free_port()}")
        assert shown.code == 1
        assert "✗ status" in shown.out
        assert "→ start the network" in shown.out
        assert "s3cr3t" not in shown.out

    def test_a_file_of_networks(self, icws, lab, tmp_path):
        file = tmp_path / "mine.toml"
        file.write_text(f'[networks.mine]\nurl = "{lab.network_url}"\ncanister = "{lab.canister_id}"\n')
        assert icws("probe", "--network", "mine", "--networks", str(file)).code == 0
        assert f"mine: {lab.network_url}" in icws.out
        assert "✓ poll" in icws.out
        assert "'other' is not a network URL" in icws.fails(3, "probe", "--network", "other", "--networks", str(file))

    def test_wrong_usage(self, icws, lab):
        assert "GATEWAY or a --network" in icws.fails(2, "probe", lab.gateway_url, "--network", "local")
        assert "go with --network" in icws.fails(2, "probe", lab.gateway_url, "--canister", "aaaaa-aa")
        assert "give the URL of a gateway" in icws.fails(2, "probe")

    def test_the_help_says_what_the_real_gateway_logs(self, icws):
        assert "logs a panic at every probe" in " ".join(icws("probe", "--help").out.split())
