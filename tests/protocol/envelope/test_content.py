from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.envelope import (
    Envelope,
    call_content,
    ingress_expiry_ns,
    query_content,
    read_state_content,
    sign_envelope,
)
from icws_explore.protocol.errors import ValueMismatchError
from icws_explore.protocol.keys import AnonymousIdentity, Ed25519Identity
from icws_explore.protocol.principal import Principal
from support.identity_cases import CANISTER, ED25519_SECRET, NOW_NS, identity_of_vector

SENDER = Principal.ANONYMOUS


class TestVectors:
    def test_calls_are_the_same_bytes(self, vectors: Any) -> None:
        for vector in vectors("calls")["vectors"]:
            inputs = vector["inputs"]
            identity = identity_of_vector(vector)
            content = call_content(
                Principal.from_text(inputs["canister_id"]),
                inputs["method_name"],
                bytes.fromhex(vector["arg_hex"]),
                identity.principal,
                ingress_expiry_ns(inputs["date_now_ms"] * NS_PER_MS),
                bytes.fromhex(inputs["nonce_hex"]),
            )
            assert sign_envelope(content, identity).encode_frame().hex() == vector["frame_hex"]


class TestExpiry:
    def test_is_that_of_the_agent(self, vectors: Any) -> None:
        for vector in vectors("calls")["vectors"]:
            now_ns = vector["inputs"]["date_now_ms"] * NS_PER_MS
            assert ingress_expiry_ns(now_ns) == int(vector["ingress_expiry"])

    @given(st.integers(0, 2**62))
    def test_is_a_whole_minute_between_3_and_4_minutes_from_now(self, now_ns: int) -> None:
        expiry_ns = ingress_expiry_ns(now_ns)
        assert expiry_ns % (60 * NS_PER_S) == 0
        assert 180 * NS_PER_S - NS_PER_MS < expiry_ns - now_ns <= 240 * NS_PER_S


class TestContents:
    def test_of_a_call(self) -> None:
        assert call_content(CANISTER, "ws_open", b"arg", SENDER, 7, b"nonce") == {
            "request_type": "call",
            "canister_id": CANISTER.raw,
            "method_name": "ws_open",
            "arg": b"arg",
            "sender": b"\x04",
            "ingress_expiry": 7,
            "nonce": b"nonce",
        }

    def test_without_a_nonce(self) -> None:
        assert "nonce" not in call_content(CANISTER, "ws_open", b"", SENDER, 7, None)

    def test_of_a_query(self) -> None:
        content = query_content(CANISTER, "ws_get_messages", b"arg", SENDER, 7)
        assert content == call_content(CANISTER, "ws_get_messages", b"arg", SENDER, 7) | {"request_type": "query"}

    def test_of_read_state(self) -> None:
        assert read_state_content([(b"time",), [b"request_status", bytes(32)]], SENDER, 7) == {
            "request_type": "read_state",
            "paths": [[b"time"], [b"request_status", bytes(32)]],
            "sender": b"\x04",
            "ingress_expiry": 7,
        }

    @pytest.mark.parametrize("expiry_ns", [-1, 2**64, 1.0])
    def test_an_expiry_is_a_u64(self, expiry_ns: Any) -> None:
        with pytest.raises(ValueMismatchError, match="ingress_expiry"):
            call_content(CANISTER, "m", b"", SENDER, expiry_ns)
        with pytest.raises(ValueMismatchError, match="ingress_expiry"):
            read_state_content([], SENDER, expiry_ns)

    def test_misuse_is_named(self) -> None:
        with pytest.raises(ValueMismatchError, match="arg: takes a byte string, not str"):
            call_content(CANISTER, "m", "text", SENDER, 0)  # type: ignore[arg-type]  # the misuse under test
        with pytest.raises(ValueMismatchError, match="paths: takes a byte string, not str"):
            read_state_content([["time"]], SENDER, 0)  # type: ignore[list-item]  # the misuse under test


class TestSigning:
    def test_anonymous_requests_go_unsigned(self) -> None:
        content = query_content(CANISTER, "m", b"", SENDER, NOW_NS)
        assert sign_envelope(content, AnonymousIdentity()) == Envelope(content)

    def test_the_content_is_not_shared(self) -> None:
        content = query_content(CANISTER, "m", b"", SENDER, NOW_NS)
        envelope = sign_envelope(content, Ed25519Identity.from_secret(ED25519_SECRET))
        content["arg"] = b"changed"
        assert envelope.arg == b""

    def test_content_that_no_request_holds_is_not_signed(self) -> None:
        with pytest.raises(ValueMismatchError, match="arg"):
            sign_envelope({"arg": 1.5}, Ed25519Identity.from_secret(ED25519_SECRET))
