"""Times, spans and keys in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate.meanings import (
    Context,
    instant,
    key_meaning,
    principal_meaning,
    public_key_meaning,
    span,
    time_meaning,
)
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, NS_PER_S
from icws_explore.protocol.identity import Ed25519Identity, Secp256k1Identity

NOON = 1_700_000_000 * NS_PER_S
SENT = Context(NOON, sent=True)
RECEIVED = Context(NOON, sent=False)


class TestInstant:
    def test_leaves_out_a_fraction_of_zero(self):
        assert instant(NOON) == "2023-11-14 22:13:20 UTC"
        assert instant(NOON + 250_000_000) == "2023-11-14 22:13:20.250 UTC"

    @given(st.integers())
    def test_any_number_is_a_date_or_none(self, ns):
        assert instant(ns).endswith("UTC") or instant(ns) == "no date: out of range"


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
    def test_is_said_as_a_person_does(self, ns, text):
        assert span(ns) == text

    @given(st.integers(-(2**70), 2**70))
    def test_is_short(self, ns):
        assert 0 < len(span(ns)) < 30


class TestTime:
    def test_is_told_against_the_frames(self):
        assert time_meaning(NOON + 238 * NS_PER_S, SENT).endswith("3 min 58 s after it was sent")
        assert time_meaning(NOON - 7 * NS_PER_S, RECEIVED).endswith("7 s before it was received")
        assert time_meaning("later", SENT) == ""


class TestPrincipals:
    def test_in_their_text(self):
        assert principal_meaning(b"\x04", SENT) == "2vxsx-fae (anonymous)"
        assert principal_meaning(b"x" * 30, SENT).startswith("no principal")


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
    def test_are_told_by_their_prefix(self, der, kind):
        assert public_key_meaning(der, SENT).startswith(kind)

    def test_a_message_key_is_taken_apart(self):
        assert key_meaning("2vxsx-fae_00000000000000000012", SENT) == "message 12 of gateway 2vxsx-fae"
        assert "not <gateway principal>" in key_meaning("nonsense", SENT)
