"""Meanings in one line: times relative to the frame's, sequence numbers, any value without an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate import meanings
from icws_explore.analysis.annotate.meanings import (
    Context,
    instant,
    key_meaning,
    principal_meaning,
    public_key_meaning,
    span,
    time_meaning,
)
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, NS_PER_MS, NS_PER_S
from icws_explore.protocol.keys import Ed25519Identity, Secp256k1Identity
from icws_explore.protocol.messages import message_key
from icws_explore.protocol.principal import Principal

AT_NS = 1_763_896_562 * NS_PER_S  # 2025-11-23 11:16:02 UTC
SENT, RECEIVED = Context(AT_NS, sent=True), Context(AT_NS, sent=False)

anything = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats()


class TestTimes:
    @pytest.mark.parametrize(
        ("apart_ns", "context", "text"),
        [
            (238 * NS_PER_S, SENT, "2025-11-23 11:20:00 UTC, 3 min 58 s after it was sent"),
            (-250 * NS_PER_MS, RECEIVED, "2025-11-23 11:16:01.750 UTC, 250 ms before it was received"),
            (0, SENT, "2025-11-23 11:16:02 UTC, when it was sent"),
            (50 * 3600 * NS_PER_S, SENT, "2025-11-25 13:16:02 UTC, 2 d 2 h after it was sent"),
        ],
    )
    def test_are_relative_to_the_frame(self, apart_ns, context, text):
        assert meanings.time_meaning(AT_NS + apart_ns, context) == text

    def test_outside_the_calendar(self):
        assert meanings.instant(2**64 - 1).startswith("2554-")
        assert meanings.instant(2**70) == "not a date: out of range"

    @pytest.mark.parametrize(
        ("ns", "text"),
        [(5_000, "0.005 ms"), (1_500 * NS_PER_MS, "1.5 s"), (3600 * NS_PER_S, "1 h"), (90 * NS_PER_S, "1 min 30 s")],
    )
    def test_spans(self, ns, text):
        assert meanings.span(ns) == text


class TestNumbers:
    @pytest.mark.parametrize(
        ("number", "text"),
        [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (112, "112th"), (121, "121st")],
    )
    def test_ordinals(self, number, text):
        assert meanings.ordinal(number) == text

    def test_name_the_sender(self):
        assert meanings.sequence_meaning(3, SENT) == "the client's 3rd message"
        assert meanings.sequence_meaning(1, RECEIVED) == "the canister's 1st message"
        assert "first message has 1" in meanings.sequence_meaning(0, RECEIVED)

    def test_name_the_messages_received(self):
        assert meanings.last_incoming_meaning(4, RECEIVED) == (
            "the canister has received the client's messages up to the 4th"
        )


class TestNames:
    def test_principals(self):
        assert meanings.principal_meaning(Principal.ANONYMOUS.raw, SENT) == "2vxsx-fae (anonymous)"
        assert "not a principal" in meanings.principal_meaning(bytes(40), SENT)

    def test_message_keys(self):
        gateway = Principal.self_authenticating(b"key")
        assert meanings.key_meaning(message_key(gateway, 7), RECEIVED) == f"message 7 of gateway {gateway.short}"
        assert "not <gateway" in meanings.key_meaning("nonsense", RECEIVED)

    def test_public_keys(self):
        der = bytes.fromhex("302a300506032b6570032100") + bytes(32)
        assert meanings.public_key_meaning(der, SENT).startswith("Ed25519 key")
        assert meanings.public_key_meaning(b"", SENT).startswith("unknown key")

    def test_methods(self):
        assert meanings.method_meaning("ws_open", SENT) == "opens the session"
        assert meanings.method_meaning("transfer", SENT).startswith("not a method")


@given(anything)
@pytest.mark.parametrize(
    "explain",
    [
        meanings.time_meaning,
        meanings.principal_meaning,
        meanings.key_meaning,
        meanings.public_key_meaning,
        meanings.sequence_meaning,
        meanings.last_incoming_meaning,
        meanings.service_meaning,
        meanings.client_nonce_meaning,
        meanings.method_meaning,
    ],
)
def test_any_value_gives_a_line(explain, value):
    assert "\n" not in repr(explain(value, SENT))


NOON = 1_700_000_000 * NS_PER_S
SENT_AT_NOON = Context(NOON, sent=True)
RECEIVED_AT_NOON = Context(NOON, sent=False)


class TestInstant:
    def test_leaves_out_a_fraction_of_zero(self):
        assert instant(NOON) == "2023-11-14 22:13:20 UTC"
        assert instant(NOON + 250_000_000) == "2023-11-14 22:13:20.250 UTC"

    @given(st.integers())
    def test_any_number_gives_a_date_or_says_that_it_is_not_one(self, ns):
        assert instant(ns).endswith("UTC") or instant(ns) == "not a date: out of range"


class TestSpan:
    @pytest.mark.parametrize(
        ("ns", "text"),
        [
            (0, "0 ms"),
            (1_500_000, "1.5 ms"),
            (999_000_000, "999 ms"),
            (12_340_000_000, "12.34 s"),
            (238 * NS_PER_S, "3 min 58 s"),
            (60 * NS_PER_S, "1 min"),
            (3 * 3600 * NS_PER_S + 60 * NS_PER_S, "3 h 1 min"),
            (50 * 3600 * NS_PER_S, "2 d 2 h"),
            (-5 * NS_PER_S, "5 s"),
        ],
    )
    def test_is_in_words(self, ns, text):
        assert span(ns) == text

    @given(st.integers(-(2**70), 2**70))
    def test_is_short(self, ns):
        assert 0 < len(span(ns)) < 30


class TestTime:
    def test_is_relative_to_the_frame(self):
        assert time_meaning(NOON + 238 * NS_PER_S, SENT_AT_NOON).endswith("3 min 58 s after it was sent")
        assert time_meaning(NOON - 7 * NS_PER_S, RECEIVED_AT_NOON).endswith("7 s before it was received")
        assert time_meaning("later", SENT) == ""


class TestPrincipals:
    def test_in_their_text(self):
        assert principal_meaning(b"\x04", SENT) == "2vxsx-fae (anonymous)"
        assert principal_meaning(b"x" * 30, SENT).startswith("not a principal")


class TestKeys:
    @pytest.mark.parametrize(
        ("der", "kind"),
        [
            (Ed25519Identity.from_secret(b"\x01" * 32).public_key_der, "Ed25519"),
            (Secp256k1Identity.from_secret(b"\x01" * 32).public_key_der, "secp256k1"),
            (MAINNET_ROOT_KEY, "BLS12-381"),
            (b"nonsense", "unknown"),
        ],
    )
    def test_are_recognised_by_their_prefix(self, der, kind):
        assert public_key_meaning(der, SENT).startswith(kind)

    def test_a_message_key_is_taken_apart(self):
        assert key_meaning("2vxsx-fae_00000000000000000012", SENT) == "message 12 of gateway 2vxsx-fae"
        assert "not <gateway principal>" in key_meaning("nonsense", SENT)
