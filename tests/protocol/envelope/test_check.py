from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.envelope import (
    Envelope,
    call_content,
    check_envelope,
    query_content,
    read_state_content,
    sign_envelope,
)
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.keys import AnonymousIdentity, Ed25519Identity, Secp256k1Identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step, first_failure, passed
from icws_explore.protocol.wording import time_text
from support.identity_cases import CANISTER, ED25519_SECRET, NOW_NS, OTHER_CANISTER, SECP256K1_SECRET

IDENTITY = Ed25519Identity.from_secret(ED25519_SECRET)
OTHER = Secp256k1Identity.from_secret(SECP256K1_SECRET)
CONTENT = call_content(CANISTER, "ws_open", b"DIDL\0\0", IDENTITY.principal, NOW_NS + 1, bytes(16))
ENVELOPE = sign_envelope(CONTENT, IDENTITY)
WINDOW_NS = 330 * NS_PER_S


def check(envelope: Envelope, **options: Any) -> dict[str, Step]:
    """The steps by name."""
    given_options: dict[str, Any] = {"now_ns": NOW_NS, "canister_id": CANISTER} | options
    steps = check_envelope(envelope, **given_options)
    assert [step.step for step in steps] == ["parse", "request_id", "sender", "delegation", "signature", "expiry"]
    return {step.step: step for step in steps}


def failures(envelope: Envelope, **options: Any) -> dict[str, str]:
    return {name: step.detail for name, step in check(envelope, **options).items() if not step.ok}


class TestVectors:
    def test_every_call_of_the_sdk_is_valid(self, vectors: Any) -> None:
        for vector in vectors("calls")["vectors"]:
            envelope = Envelope.decode_frame(bytes.fromhex(vector["frame_hex"]))
            now_ns = vector["inputs"]["date_now_ms"] * NS_PER_MS
            canister_id = Principal.from_text(vector["inputs"]["canister_id"])
            for checked in (envelope, envelope.relayed(), Envelope.decode(envelope.encode())):
                steps = check_envelope(checked, now_ns=now_ns, canister_id=canister_id)
                assert passed(steps), first_failure(steps)
            links = [step for step in steps if step.step == "delegation"]
            assert len(links) == max(1, vector["identity"].get("hops", 1))

    def test_a_flipped_bit_is_found_anywhere(self, vectors: Any) -> None:
        vector = vectors("calls")["vectors"][7]
        frame = bytes.fromhex(vector["frame_hex"])
        now_ns = vector["inputs"]["date_now_ms"] * NS_PER_MS
        for at in range(len(frame)):
            flipped = frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]
            with contextlib.suppress(DecodeError):
                steps = check_envelope(Envelope.decode_frame(flipped), now_ns=now_ns)
                assert first_failure(steps) is not None, at


class TestAllSteps:
    @pytest.mark.parametrize("identity", [IDENTITY, OTHER], ids=lambda identity: type(identity).__name__)
    def test_of_a_valid_call(self, identity: Any) -> None:
        content = CONTENT | {"sender": identity.principal.raw}
        steps = check(sign_envelope(content, identity))
        assert all(step.ok for step in steps.values())
        assert steps["request_id"].actual == sign_envelope(content, identity).request_id
        assert steps["sender"].expected == steps["sender"].actual == str(identity.principal)
        assert steps["signature"].expected == sign_envelope(content, identity).signed_bytes

    def test_of_queries_and_state_reads(self) -> None:
        query = query_content(CANISTER, "m", b"", IDENTITY.principal, NOW_NS)
        read = read_state_content([[b"time"]], IDENTITY.principal, NOW_NS)
        assert failures(sign_envelope(query, IDENTITY)) == {}
        assert failures(sign_envelope(read, IDENTITY)) == {}

    def test_of_an_anonymous_query(self) -> None:
        query = query_content(CANISTER, "m", b"", Principal.ANONYMOUS, NOW_NS)
        steps = check(sign_envelope(query, AnonymousIdentity()))
        assert all(step.ok for step in steps.values())
        assert "anonymous" in steps["signature"].detail


class TestParse:
    @pytest.mark.parametrize("name", ["request_type", "sender", "ingress_expiry", "canister_id", "method_name", "arg"])
    def test_a_missing_field_is_named(self, name: str) -> None:
        content = {field: value for field, value in CONTENT.items() if field != name}
        assert f"'{name}' is missing" in failures(sign_envelope(content, IDENTITY))["parse"]

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"request_type": "update"}, "request_type is 'update'"),
            ({"sender": bytes(30)}, "30 bytes are more than 29"),
            ({"sender": "2vxsx-fae"}, "'sender' is text"),
            ({"ingress_expiry": "soon"}, "'ingress_expiry' is text"),
            ({"nonce": bytes(33)}, "33 bytes; at most 32"),
            ({"nonce": 7}, "'nonce' is an integer"),
            ({"canister_id": bytes(30)}, "30 bytes"),
            ({"method_name": b""}, "'method_name' is a byte string"),
            ({"arg": ""}, "'arg' is text"),
            ({"request_type": "read_state"}, "'paths' is missing"),
            ({"request_type": "read_state", "paths": ["time"]}, "not an array of arrays"),
            ({"priority": 1, "fee": 2}, "the content has 'priority', 'fee', which the gateway drops"),
        ],
    )
    def test_a_wrong_field_is_named(self, change: dict[str, Any], fault: str) -> None:
        assert fault in failures(sign_envelope(CONTENT | change, IDENTITY))["parse"]

    def test_another_canister_than_it_was_sent_to(self) -> None:
        step = check(ENVELOPE, canister_id=OTHER_CANISTER)["parse"]
        assert (step.ok, step.expected, step.actual) == (False, str(OTHER_CANISTER), str(CANISTER))
        assert failures(ENVELOPE, canister_id=None) == {}

    def test_the_management_canister_is_called_through_any_canister(self) -> None:
        content = call_content(Principal.MANAGEMENT, "raw_rand", b"", IDENTITY.principal, NOW_NS)
        assert failures(sign_envelope(content, IDENTITY)) == {}


class TestRequestId:
    @pytest.mark.parametrize("value", [1.5, -1, True, [None]])
    def test_content_without_a_request_id(self, value: object) -> None:
        steps = check(replace(ENVELOPE, content=CONTENT | {"arg": value}))
        assert steps["request_id"].ok is False
        assert steps["signature"].ok is None


class TestSender:
    def test_of_another_key(self) -> None:
        step = check(sign_envelope(CONTENT, OTHER))["sender"]
        assert (step.ok, step.expected, step.actual) == (False, str(OTHER.principal), str(IDENTITY.principal))

    def test_without_key(self) -> None:
        faults = failures(replace(ENVELOPE, sender_pubkey=None))
        assert set(faults) == {"sender", "signature"}
        assert "sender_pubkey is missing" in faults["sender"]

    def test_without_signature(self) -> None:
        assert "sender_sig is missing" in failures(replace(ENVELOPE, sender_sig=None))["signature"]
        assert set(failures(Envelope(CONTENT))) == {"sender", "signature"}

    def test_anonymous_with_key_or_signature(self) -> None:
        content = CONTENT | {"sender": b"\x04"}
        assert "no key" in failures(sign_envelope(content, IDENTITY))["sender"]
        assert "must not be signed" in failures(replace(Envelope(content), sender_sig=bytes(64)))["signature"]

    def test_that_is_not_a_principal(self) -> None:
        assert "not a principal" in failures(replace(ENVELOPE, content=CONTENT | {"sender": 7}))["sender"]


class TestSignature:
    @pytest.mark.parametrize("change", [{"arg": b"changed"}, {"nonce": bytes(15)}, {"ingress_expiry": NOW_NS + 2}])
    def test_of_other_content(self, change: dict[str, Any]) -> None:
        assert set(failures(replace(ENVELOPE, content=CONTENT | change))) == {"signature"}

    @given(st.binary(max_size=70))
    def test_of_random_bytes(self, signature: bytes) -> None:
        assert set(failures(replace(ENVELOPE, sender_sig=signature))) == {"signature"}

    @given(st.binary(max_size=100))
    def test_under_a_random_key(self, key: bytes) -> None:
        assert set(failures(replace(ENVELOPE, sender_pubkey=key))) == {"sender", "signature"}


class TestExpiry:
    """ingress_validation.rs: from now to 5 min and 30 s ahead, both ends included."""

    @pytest.mark.parametrize(
        ("expiry_ns", "fault"),
        [
            (NOW_NS - 1, "expired 1 ns ago"),
            (NOW_NS, None),
            (NOW_NS + WINDOW_NS, None),
            (NOW_NS + WINDOW_NS + 1, "1 ns too far in the future"),
            (NOW_NS - 12_300 * NS_PER_MS, "expired 12.3 s ago: sent too late, or the sender's clock is slow"),
            (NOW_NS + 2 * WINDOW_NS, "330 s too far in the future: the sender's clock is fast"),
            (0, " days) ago"),
            (2**64 - 1, " days) too far"),
        ],
    )
    def test_window(self, expiry_ns: int, fault: str | None) -> None:
        faults = failures(sign_envelope(CONTENT | {"ingress_expiry": expiry_ns}, IDENTITY))
        assert set(faults) == (set() if fault is None else {"expiry"})
        assert (fault or "") in faults.get("expiry", "")

    def test_the_window_is_told_as_times(self) -> None:
        envelope = sign_envelope(CONTENT | {"ingress_expiry": NOW_NS + 300 * NS_PER_S}, IDENTITY)
        step = check_envelope(envelope, now_ns=NOW_NS)[-1]
        assert step.expected == f"from {time_text(NOW_NS)} to {time_text(NOW_NS + WINDOW_NS)}"
        assert step.actual == time_text(NOW_NS + 300 * NS_PER_S)

    def test_the_drift_can_be_set(self) -> None:
        envelope = sign_envelope(CONTENT | {"ingress_expiry": NOW_NS + 300 * NS_PER_S + 1}, IDENTITY)
        assert failures(envelope) == {}
        assert set(failures(envelope, max_drift_s=0)) == {"expiry"}

    def test_missing(self) -> None:
        content = {name: value for name, value in CONTENT.items() if name != "ingress_expiry"}
        assert set(failures(sign_envelope(content, IDENTITY))) == {"parse", "expiry"}


class TestHostileEnvelopes:
    @given(kept=st.integers(0, 954), tail=st.binary(max_size=60))
    def test_nothing_is_raised(self, kept: int, tail: bytes, vectors: Any) -> None:
        frame = bytes.fromhex(vectors("calls")["vectors"][7]["frame_hex"])
        with contextlib.suppress(DecodeError):
            envelope = Envelope.decode_frame(frame[:kept] + tail + frame[kept + len(tail) :])
            check_envelope(envelope, now_ns=NOW_NS, root_key=b"")

    @given(
        st.dictionaries(
            st.sampled_from(["request_type", "sender", "arg", "nonce", "paths", "canister_id", "ingress_expiry", "x"]),
            st.recursive(
                st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text() | st.binary(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            ),
        ),
        st.none() | st.binary(max_size=60),
        st.none() | st.binary(max_size=64),
    )
    def test_nothing_is_raised_for_any_content(
        self, content: dict[str, Any], key: bytes | None, signature: bytes | None
    ) -> None:
        assert not passed(check_envelope(Envelope(content, key, signature), now_ns=NOW_NS))
