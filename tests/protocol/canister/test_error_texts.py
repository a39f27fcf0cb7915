"""The texts are on the wire: they are compared whole, with a key as the CDKs print it."""

from __future__ import annotations

from icws_explore.protocol.canister import error_texts
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

GATEWAY = Principal.from_text("sqdfl-mr4km-2hfjy-gajqo-xqvh7-hf4mf-nra4i-3it6l-neaw4-soolw-tae")
KEY = ClientKey(Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai"), 18_446_744_073_709_551_615)
SHOWN = "bnz7o-iuaaa-aaaaa-qaaaa-cai_18446744073709551615"
CLIENT = "bnz7o-iuaaa-aaaaa-qaaaa-cai"


class TestAsCdk041WordsThem:
    def test_of_opening(self) -> None:
        assert error_texts.ANONYMOUS_NOT_ALLOWED == "Anonymous principal is not allowed"
        assert error_texts.already_connected(KEY) == f"Client with key {SHOWN} already has an open connection"

    def test_of_messages(self) -> None:
        assert error_texts.INVALID_SERVICE_MESSAGE == "Invalid service message"
        assert error_texts.wrong_sequence_num(2, 5) == "Expected incoming sequence number 2 but got 5"
        assert error_texts.key_mismatch(KEY) == (
            f"Client with principal {CLIENT} has a different key than the one used in the message"
        )
        assert error_texts.undecodable_service_message("why") == "Error decoding service message content: why"

    def test_of_who_is_not_there(self) -> None:
        no_connection = "doesn't have an open connection"
        assert error_texts.principal_not_connected(KEY.client_principal) == (
            f"Client with principal {CLIENT} {no_connection}"
        )
        assert error_texts.key_not_connected(KEY) == f"Client with key {SHOWN} {no_connection}"
        assert error_texts.gateway_not_registered(GATEWAY) == f"Gateway with principal {GATEWAY} is not registered"
        assert error_texts.not_registered_to_gateway(KEY, GATEWAY) == (
            f"Client with key {SHOWN} was not registered to gateway {GATEWAY}"
        )
