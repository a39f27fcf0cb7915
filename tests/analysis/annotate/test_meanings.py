"""Lines for a person: instants against the frame's, numbers in words, garbage without a crash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate import meanings
from icws_explore.analysis.annotate.meanings import Context
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
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
            (0, SENT, "2025-11-23 11:16:02 UTC, as it was sent"),
            (50 * 3600 * NS_PER_S, SENT, "2025-11-25 13:16:02 UTC, 2 d 2 h after it was sent"),
        ],
    )
    def test_stand_against_the_frames(self, apart_ns, context, text):
        assert meanings.time_meaning(AT_NS + apart_ns, context) == text

    def test_beyond_the_calendar(self):
        assert meanings.instant(2**64 - 1).startswith("2554-")
        assert meanings.instant(2**70) == "no date: out of range"

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

    def test_say_whose_message_it_is(self):
        assert meanings.sequence_meaning(3, SENT) == "the client's 3rd message"
        assert meanings.sequence_meaning(1, RECEIVED) == "the canister's 1st message"
        assert "first is 1" in meanings.sequence_meaning(0, RECEIVED)

    def test_say_what_was_received(self):
        assert meanings.last_incoming_meaning(4, RECEIVED) == (
            "the canister has received the client's messages up to the 4th"
        )


class TestNames:
    def test_principals(self):
        assert meanings.principal_meaning(Principal.ANONYMOUS.raw, SENT) == "2vxsx-fae (anonymous)"
        assert "no principal" in meanings.principal_meaning(bytes(40), SENT)

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
        assert meanings.method_meaning("transfer", SENT).startswith("none of")


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
