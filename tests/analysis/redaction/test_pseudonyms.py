from __future__ import annotations

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.redaction.pseudonyms import Pseudonyms
from icws_explore.protocol.principal import Principal
from support.certified_canister import CANISTER_ID, GATEWAY
from support.session_captures import SessionScript


def names() -> Pseudonyms:
    capture = SessionScript().opened().capture
    return Pseudonyms.of(decode_frames(capture), capture.info.canister_id)


class TestPseudonyms:
    def test_say_what_a_principal_is(self) -> None:
        client = SessionScript().identity.principal
        text = f"{client} asked {CANISTER_ID} through {GATEWAY}"
        assert names().apply(text) == "client-1 asked canister-1 through gateway-1"

    def test_are_the_same_for_the_short_form_and_within_keys(self) -> None:
        assert names().apply(f"gateway {GATEWAY.short}, key {GATEWAY}_00000000000000000001") == (
            "gateway gateway-1, key gateway-1_00000000000000000001"
        )

    def test_are_given_to_whom_only_a_text_names(self) -> None:
        stranger, other = Principal(b"\x05" * 10), Principal(b"\x06" * 10)
        given = names()
        assert given.apply(f"{stranger} and {other} and {stranger}") == "principal-1 and principal-2 and principal-1"
        assert given.apply(str(other)) == "principal-2"

    def test_a_short_form_of_an_unknown_principal_is_hidden_too(self) -> None:
        assert names().apply(Principal(b"\x05" * 10).short) == "a principal"

    def test_leave_unknown_principals_and_other_texts(self) -> None:
        text = "aaaaa-aa and 2vxsx-fae, keep-alive, first-order, 12345-67890"
        assert names().apply(text) == text

    def test_are_found_in_addresses(self) -> None:
        assert names().apply(f"https://{CANISTER_ID}.icp0.io/api/v2/canister/{CANISTER_ID}/call") == (
            "https://canister-1.icp0.io/api/v2/canister/canister-1/call"
        )

    def test_a_message_with_a_bad_key_names_no_client(self) -> None:
        script = SessionScript().opened().frame(3.0, "in", b"\xd9\xd9\xf7\xa1\x63key")
        assert Pseudonyms.of(decode_frames(script.capture), None).apply(str(CANISTER_ID)) == "canister-1"
