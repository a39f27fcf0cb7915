"""What a .did and two intervals tell before any socket is open."""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor.configuration import check_did, check_intervals
from icws_explore.protocol.errors import DidError

SERVICE = """
type Msg = record {{ text : text }};
type Key = record {{ client_principal : principal; client_nonce : nat64 }};
type Polled = record {{ client_key : Key; key : text; content : blob }};
type Polls = record {{ messages : vec Polled; cert : blob; tree : blob; is_end_of_queue : bool }};
service : {{
  ws_open : (record {{ client_nonce : nat64; gateway_principal : principal }}) -> (variant {{ Ok; Err : text }});
  ws_close : (record {{ client_key : Key }}) -> (variant {{ Ok; Err : text }});
  ws_message : ({arguments}) -> (variant {{ Ok; Err : text }});
  ws_get_messages : (record {{ nonce : nat64 }}) -> (variant {{ Ok : Polls; Err : text }}) query;
}}
"""
MSG = "record { msg : record {} }"


class TestDid:
    def test_a_good_one(self):
        assert check_did(SERVICE.format(arguments=f"{MSG}, opt Msg")) == []

    @pytest.mark.parametrize(
        ("arguments", "said", "quoted"),
        [
            (MSG, "has 1 argument, ", "must have 2 arguments"),
            (f"{MSG}, opt Msg, nat", "3 arguments", "must have 2 arguments"),
            (f"{MSG}, Msg", "not optional", "must be optional"),
        ],
        ids=["one", "three", "not optional"],
    )
    def test_the_second_argument(self, arguments, said, quoted):
        (finding,) = check_did(SERVICE.format(arguments=arguments))
        assert (finding.id, finding.severity) == ("WS_MESSAGE_ARITY", "error")
        assert said in finding.explanation
        assert quoted in finding.sdk_behaviour
        assert "opt Msg" in finding.fix

    def test_missing_methods(self):
        (finding,) = check_did("service : { greet : (text) -> (text) query }")
        assert finding.id == "WS_MESSAGE_ARITY"
        assert "ws_open and no ws_message" in finding.explanation

    def test_a_poll_that_is_no_query(self):
        """The network's answer to a query of an update method is a reject, at which the poller dies."""
        (finding,) = check_did(SERVICE.format(arguments=f"{MSG}, opt Msg").replace(" query;", ";"))
        assert (finding.id, finding.severity) == ("METHOD_MODE", "warning")
        assert "ws_get_messages is an update, not a query" in finding.explanation

    def test_without_ws_close_only_the_canister_suffers(self):
        (finding,) = check_did(SERVICE.format(arguments=f"{MSG}, opt Msg").replace("ws_close", "close"))
        assert "It does not notice" in finding.sdk_behaviour

    def test_what_the_gateway_polls(self):
        text = SERVICE.format(arguments=f"{MSG}, opt Msg").replace("ws_get_messages", "get_messages")
        (finding,) = check_did(text)
        assert finding.id == "POLLER_DEAD"

    def test_no_did_at_all(self):
        with pytest.raises(DidError):
            check_did("service : {")


class TestModesAndTypes:
    GOOD = SERVICE.format(arguments=f"{MSG}, opt Msg")

    @pytest.mark.parametrize("method", ["ws_open", "ws_message", "ws_close"])
    def test_an_update_that_is_a_query(self, method):
        line = next(line for line in self.GOOD.splitlines() if line.strip().startswith(method))
        (finding,) = check_did(
            self.GOOD.replace(line, line.replace(";", "§").rpartition("§")[0].replace("§", ";") + " query;")
        )
        assert (finding.id, finding.severity) == ("METHOD_MODE", "error")
        assert f"{method} is a query" in finding.explanation

    def test_the_cdks_own_type_as_the_applications(self):
        own = (
            "record { client_key : Key; sequence_num : nat64; timestamp : nat64; is_service_message : bool; "
            "content : blob }"
        )
        (finding,) = check_did(SERVICE.format(arguments=f"{MSG}, opt {own}"))
        assert (finding.id, finding.severity) == ("APP_TYPE_IS_CDK_TYPE", "warning")

    def test_nat_for_nat64(self):
        (finding,) = check_did(self.GOOD.replace("record { nonce : nat64 }", "record { nonce : nat }"))
        assert finding.id == "INTERFACE_MISMATCH"
        assert "ws_get_messages declares" in finding.explanation

    def test_a_result_that_the_gateway_cannot_read(self):
        (finding,) = check_did(self.GOOD.replace("cert : blob", "cert : text"))
        assert finding.id == "INTERFACE_MISMATCH"
        assert "which the gateway cannot decode" in finding.explanation

    def test_a_ws_open_of_old_cdks(self):
        (finding,) = check_did(self.GOOD.replace("; gateway_principal : principal", ""))
        assert finding.id == "INTERFACE_MISMATCH"
        assert "no gateway_principal" in finding.explanation


class TestIntervals:
    def test_the_defaults(self):
        assert check_intervals() == []

    @pytest.mark.parametrize("interval_ms", [0, 60_000])
    def test_one_that_the_cdk_refuses(self, interval_ms):
        (finding,) = check_intervals(send_ack_interval_ms=interval_ms, client_ack_interval_ms=interval_ms)
        assert (finding.id, finding.severity) == ("ACK_INTERVAL_TOO_SHORT", "error")
        assert check_intervals(send_ack_interval_ms=60_001, client_ack_interval_ms=60_001) == []

    @pytest.mark.parametrize(
        ("canister_ms", "client_ms", "severity"),
        [
            (300_000, 200_000, "error"),
            (120_000, 90_000, "warning"),
            (120_000, 89_999, "error"),
            (120_000, None, "warning"),
        ],
    )
    def test_unequal_ones(self, canister_ms, client_ms, severity):
        (finding,) = check_intervals(send_ack_interval_ms=canister_ms, client_ack_interval_ms=client_ms)
        assert (finding.id, finding.severity) == ("ACK_INTERVAL_MISMATCH", severity)
