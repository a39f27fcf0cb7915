"""A load is put on this machine alone, unless a host is named twice; then there are limits."""

from dataclasses import replace

import pytest

from icws_explore.live.load.plan import LoadPlan, check_target
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.principal import Principal

HERE = LoadPlan("ws://127.0.0.1:8080", Principal(b"\x01"), b"", b"", sessions=1000, rate=50, opens_per_s=500)
FAR = replace(HERE, gateway_url="wss://gateway.example/ws", sessions=10, rate=1, opens_per_s=1)
LOCAL, MAINNET = "http://localhost:4943", "https://icp-api.io"


class TestTarget:
    def test_on_this_machine_may_be_loaded_at_will(self):
        check_target(HERE, LOCAL, [])

    @pytest.mark.parametrize("named", [[], ["other.example"], ["example"], ["127.0.0.1"]])
    def test_elsewhere_must_be_named_again(self, named):
        with pytest.raises(ArgumentValueError, match=r"gateway\.example is not this machine: if it is yours"):
            check_target(FAR, LOCAL, named)

    def test_elsewhere_may_be_loaded_a_little(self):
        check_target(FAR, LOCAL, ["Gateway.example"])

    @pytest.mark.parametrize("url", ["ws://127.0.0.1.example:80", "ws://10.0.0.5:80", "ws://0.0.0.0:80", "ws://a@b:80"])
    def test_that_only_looks_like_this_machine(self, url):
        with pytest.raises(ArgumentValueError, match="is not this machine"):
            check_target(replace(FAR, gateway_url=url), LOCAL, [])

    def test_a_network_elsewhere_counts_too(self):
        """A gateway on this machine passes on what it gets."""
        with pytest.raises(ArgumentValueError, match=r"icp-api\.io is not this machine"):
            check_target(replace(FAR, gateway_url=HERE.gateway_url), MAINNET, [])
        with pytest.raises(ArgumentValueError, match="too many sessions"):
            check_target(HERE, MAINNET, ["icp-api.io"])

    @pytest.mark.parametrize(
        ("over", "what"),
        [
            ({"sessions": 21, "rate": 0.1}, "sessions"), ({"opens_per_s": 2.1}, "openings a second"),
            ({"rate": 2.1}, "messages a second"), ({"duration_s": 301}, "seconds"),
        ],
    )  # fmt: skip
    def test_has_limits_elsewhere(self, over, what):
        with pytest.raises(
            ArgumentValueError, match=f"too many {what} for gateway.example: the limits are 20 sessions"
        ):
            check_target(replace(FAR, **over), LOCAL, ["gateway.example"])


class TestParts:
    @pytest.mark.parametrize("number", [1, 2, 3, 7, 1000])
    def test_are_the_whole(self, number):
        plan = replace(HERE, sessions=7)
        parts = plan.parts(number)
        assert sum(part.sessions for part in parts) == 7
        assert sum(part.opens_per_s for part in parts) == pytest.approx(plan.opens_per_s)
        due = [part.due_s(each) for part in parts for each in range(part.sessions)]
        assert due == pytest.approx([plan.due_s(each) for each in range(7)])

    def test_send_at_moments_of_their_own(self):
        plan = replace(HERE, sessions=4, rate=2)
        assert [plan.due_s(each) for each in range(4)] == [0, 0.125, 0.25, 0.375]

    def test_without_messages_only_wait(self):
        assert replace(HERE, rate=0, duration_s=9).due_s(3) == 9


class TestWrong:
    @pytest.mark.parametrize("wrong", [{"sessions": 0}, {"rate": -1}, {"duration_s": float("nan")}, {"opens_per_s": 0}])
    def test_numbers_are_refused(self, wrong):
        with pytest.raises(ArgumentValueError, match="must be"):
            replace(HERE, **wrong)
