"""The published .did, in which the SDK finds the application's type."""

from __future__ import annotations

import pytest

from icws_explore.protocol.candid import parse_did, parse_type, same_type
from icws_explore.protocol.canister import candid_interface
from icws_explore.protocol.errors import DidError

TYPES = [
    "text",
    "record { text : text; timestamp : nat64 }",
    "variant { GroupMessage : record { name : text; message : text; isTyping : bool }; JoinedChat : text }",
    "type List = opt record { head : nat; tail : List }",
    "type AppMessage = opt record { head : nat; tail : AppMessage }",
    "type Tree = variant { leaf; node : Pair }; type Pair = record { Tree; Tree }; type Top = record { tree : Tree }",
]


class TestApplicationType:
    @pytest.mark.parametrize("text", TYPES)
    def test_is_the_given_type(self, text: str) -> None:
        message_type = parse_type(text)
        did = parse_did(candid_interface(message_type))
        assert same_type(did.application_type(), message_type)

    def test_a_recursive_type_with_a_name_of_the_cdk_is_refused(self) -> None:
        with pytest.raises(DidError, match="ClientKey"):
            candid_interface(parse_type("type ClientKey = opt record { next : ClientKey }"))


class TestMethods:
    def test_are_the_four(self) -> None:
        did = parse_did(candid_interface(parse_type("text")))
        assert {name: method.annotations for name, method in did.methods.items()} == {
            "ws_open": (),
            "ws_close": (),
            "ws_message": (),
            "ws_get_messages": ("query",),
        }

    def test_others_follow_them(self) -> None:
        others = parse_did(
            'service : { get : (nat) -> (text) query; "set it" : (record { text : text }) -> () }'
        ).methods
        did = parse_did(candid_interface(parse_type("text"), others))
        assert list(did.methods)[4:] == ["get", "set it"]
        assert {name: did.methods[name] for name in others} == others

    def test_others_with_a_recursive_type_are_refused(self) -> None:
        did = parse_did("type List = opt record { nat; List }; service : { get : (List) -> () }")
        with pytest.raises(DidError, match="the method get uses a recursive type"):
            candid_interface(parse_type("text"), did.methods)
