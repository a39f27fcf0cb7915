"""What is typed becomes a value of the canister's type."""

import pytest

from icws_explore.cli.values import value_from_text
from icws_explore.protocol import candid
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal

PING = "record { text : text; timestamp : nat64 }"


def value(declared, text):
    return value_from_text(candid.parse_type(declared), text)


class TestWords:
    def test_go_into_the_one_text_field(self):
        assert value(PING, "hello there") == {"text": "hello there", "timestamp": 0}
        assert value("record { t : text; o : opt nat }", "hi") == {"t": "hi", "o": None}

    def test_are_the_text_itself(self):
        assert value("text", "hello") == "hello"
        assert value("text", "12") == "12"
        assert value("text", '"quoted"') == "quoted"

    @pytest.mark.parametrize(
        "declared",
        ["nat", "variant { A : text }", "record { a : text; b : text }", "record { a : text; p : principal }"],
    )
    def test_elsewhere_say_which_type_is_wanted(self, declared):
        with pytest.raises(IcwsError, match="JSON of type"):
            value(declared, "hello there")


class TestJson:
    @pytest.mark.parametrize(
        ("declared", "text", "expected"),
        [
            (PING, '{"text": "a", "timestamp": "18446744073709551615"}', {"text": "a", "timestamp": 2**64 - 1}),
            ("principal", '"aaaaa-aa"', Principal.MANAGEMENT),
            ("blob", '"0x0102"', b"\x01\x02"),
            ("vec nat8", '"ff"', b"\xff"),
            ("vec nat8", "[1, 2]", [1, 2]),
            ("variant { JoinedChat : text; Left }", '{"JoinedChat": "ann"}', {"JoinedChat": "ann"}),
            ("variant { JoinedChat : text; Left }", '"Left"', {"Left": None}),
            ("opt principal", "null", None),
            ("vec record { who : principal }", '[{"who": "2vxsx-fae"}]', [{"who": Principal.ANONYMOUS}]),
            ("int", '"-5"', -5),
        ],
    )
    def test_fits_and_encodes(self, declared, text, expected):
        got = value(declared, text)
        assert got == expected
        candid.encode([candid.parse_type(declared)], [got])

    @pytest.mark.parametrize(
        ("declared", "text"),
        [
            ("blob", '"xyz"'),
            ("variant { A }", "[1]"),
            ("principal", '"aaaaa-ab"'),
            ("vec nat8", "[" * 60_000),
            ("nat", f'"{"1" * 5000}"'),
            ("int", '"--1"'),
        ],
    )
    def test_what_does_not_fit_is_named(self, declared, text):
        with pytest.raises(IcwsError):
            value(declared, text)
