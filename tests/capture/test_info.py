"""Line 1 of a capture."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture import ClockInfo, SessionInfo
from icws_explore.protocol.errors import CaptureError

infos = st.builds(
    SessionInfo,
    gateway_url=st.none() | st.just("ws://127.0.0.1:8080"),
    root_key=st.none() | st.binary(max_size=140),
    ack_interval_ms=st.none() | st.integers(0, 10**9),
    app_type=st.none() | st.text(max_size=40),
    clock=st.builds(ClockInfo, st.sampled_from(["real", "scaled", "virtual"]), st.floats(0.01, 1e6)),
    origin=st.sampled_from(["live", "tap", "har", "simulated"]),
    crypto=st.sampled_from(["real", "stand-in"]),
)


class TestRoundTrip:
    @given(infos)
    def test_json_gives_the_same_facts(self, info):
        assert SessionInfo.from_json(json.loads(json.dumps(info.to_json()))) == info

    def test_what_is_unknown_is_null_or_missing(self):
        assert SessionInfo.from_json({"icws": 1}) == SessionInfo()

    def test_stand_in_cryptography_is_named_and_real_cryptography_is_not(self):
        assert SessionInfo(crypto="stand-in").to_json()["crypto"] == "stand-in"
        assert "crypto" not in SessionInfo().to_json()


class TestMalformed:
    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"icws": 2}, "icws"),
            ({"icws": None}, "icws"),
            ({"gateway_url": 1}, "gateway_url"),
            ({"root_key": "xyz"}, "root_key"),
            ({"ack_interval_ms": -1}, "ack_interval_ms"),
            ({"ack_interval_ms": 10**400}, "ack_interval_ms"),
            ({"ack_interval_ms": 1.5}, "ack_interval_ms"),
            ({"clock": "real"}, "clock"),
            ({"clock": {"kind": "lunar"}}, "clock"),
            ({"clock": {"kind": "scaled", "scale": 0}}, "scale"),
            ({"clock": {"kind": "scaled", "scale": True}}, "scale"),
            ({"origin": "dream"}, "origin"),
            ({"crypto": "none"}, "crypto"),
        ],
    )
    def test_names_the_member(self, change, named):
        with pytest.raises(CaptureError, match=named):
            SessionInfo.from_json({"icws": 1} | change)


class TestText:
    def test_lone_surrogates_are_replaced_by_what_can_be_written(self):
        assert SessionInfo.from_json(json.loads('{"icws": 1, "app_type": "a\\ud800"}')).app_type == "a?"

    def test_a_scaled_clock_says_by_how_much(self):
        assert str(ClockInfo("scaled", 60)) == "scaled × 60"
        assert str(ClockInfo()) == "real"
