from __future__ import annotations

import pytest

from icws_explore.protocol import interface
from icws_explore.protocol.candid import Type, is_subtype, parse_did, same_type

DID = """
type ClientKey = record { client_principal : principal; client_nonce : nat64 };
type WebsocketMessage = record {
  client_key : ClientKey;
  sequence_num : nat64;
  timestamp : nat64;
  is_service_message : bool;
  content : blob;
};
type OutputMessage = record { client_key : ClientKey; key : text; content : blob };
type CertifiedMessages = record { messages : vec OutputMessage; cert : blob; tree : blob; is_end_of_queue : bool };
type Result = variant { Ok; Err : text };
type AppMessage = record { text : text; timestamp : nat64 };
type ServiceMessage = variant {
  OpenMessage : record { client_key : ClientKey };
  AckMessage : record { last_incoming_sequence_num : nat64 };
  KeepAliveMessage : record { last_incoming_sequence_num : nat64 };
  CloseMessage : record {
    reason : variant { WrongSequenceNumber; InvalidServiceMessage; KeepAliveTimeout; ClosedByApplication };
  };
};
service : {
  ws_open : (record { client_nonce : nat64; gateway_principal : principal }) -> (Result);
  ws_message : (record { msg : WebsocketMessage }, opt AppMessage) -> (Result);
  ws_get_messages : (record { nonce : nat64 }) -> (variant { Ok : CertifiedMessages; Err : text }) query;
  ws_close : (record { client_key : ClientKey }) -> (Result);
}
"""
FILE = parse_did(DID)


class TestMethods:
    @pytest.mark.parametrize(
        ("method", "argument"),
        [
            ("ws_open", interface.OPEN_ARGS),
            ("ws_message", interface.MESSAGE_ARGS),
            ("ws_get_messages", interface.POLL_ARGS),
            ("ws_close", interface.CLOSE_ARGS),
        ],
    )
    def test_accept_our_arguments(self, method: str, argument: Type) -> None:
        assert same_type(FILE.methods[method].args[0], argument)

    @pytest.mark.parametrize(
        ("method", "result"),
        [
            ("ws_open", interface.RESULT),
            ("ws_message", interface.RESULT),
            ("ws_get_messages", interface.POLL_RESULT),
            ("ws_close", interface.RESULT),
        ],
    )
    def test_return_our_results(self, method: str, result: Type) -> None:
        assert same_type(FILE.methods[method].results[0], result)

    def test_the_null_of_the_sdk_fits_any_application_type(self) -> None:
        assert is_subtype(interface.APPLICATION_MESSAGE, FILE.methods["ws_message"].args[1])

    def test_service_messages(self) -> None:
        assert same_type(FILE.types["ServiceMessage"], interface.SERVICE_MESSAGE)


class TestReleases:
    def test_poll_results_of_every_release_can_be_read(self) -> None:
        assert is_subtype(interface.POLL_RESULT, interface.POLL_RESULT_READ)
        assert is_subtype(interface.POLL_RESULT_BEFORE_0_3_1, interface.POLL_RESULT_READ)
        assert not is_subtype(interface.POLL_RESULT_BEFORE_0_3_1, interface.POLL_RESULT)

    def test_an_old_canister_accepts_the_arguments_of_a_new_client(self) -> None:
        assert is_subtype(interface.OPEN_ARGS, interface.OPEN_ARGS_BEFORE_0_3)
