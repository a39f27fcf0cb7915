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
