"""Nonces against tests/canister_poller.rs of gateway 1.4.6, and what Rust parses as a u64."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.arguments import PollMessage
from icws_explore.protocol.errors import MessageError
from icws_explore.protocol.gateway.poller import next_nonce, nonce_of_key
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

KEY = ClientKey(Principal.ANONYMOUS, 0)


def messages(count: int, base_nonce: int) -> tuple[PollMessage, ...]:
    return tuple(PollMessage(KEY, f"_{base_nonce + offset}", b"") for offset in range(count))


class TestTheRustTests:
    """The names are those of the gateway's tests."""

    def test_should_poll_and_validate_nonces(self) -> None:
        assert [nonce_of_key(message.key) for message in messages(10, 0)] == list(range(10))

    def test_should_poll_and_fail_to_validate_last_nonce(self) -> None:
        with pytest.raises(MessageError, match="Could not parse nonce") as caught:
            nonce_of_key("_not-a-u64")
        assert caught.value.reason == "Could not parse nonce. Error: ParseIntError { kind: InvalidDigit }"


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "nonce"),
        [("x_00000000000000000007", 7), ("7", 7), ("a_b_7", 7), ("_+7", 7), (f"_{2**64 - 1}", 2**64 - 1)],
    )
    def test_keys_are_parsed_as_in_rust(self, key: str, nonce: int) -> None:
        assert nonce_of_key(key) == nonce

    @pytest.mark.parametrize(
        ("key", "kind"),
        [
            ("_", "Empty"),
            ("", "Empty"),
            ("_+", "InvalidDigit"),
            ("_-1", "InvalidDigit"),
            ("_ 1", "InvalidDigit"),
            ("_٣", "InvalidDigit"),
            ("_1_0x", "InvalidDigit"),
            (f"_{2**64}", "PosOverflow"),
            ("_" + "9" * 100_000, "PosOverflow"),
        ],
    )
    def test_keys_without_a_u64(self, key: str, kind: str) -> None:
        with pytest.raises(MessageError, match="parse nonce") as caught:
            nonce_of_key(key)
        assert caught.value.reason == f"Could not parse nonce. Error: ParseIntError {{ kind: {kind} }}"

    def test_leading_zeros_do_not_overflow(self) -> None:
        assert nonce_of_key("_" + "0" * 5_000 + "12") == 12

    def test_the_last_nonce_wraps_to_0(self) -> None:
        assert next_nonce(messages(1, 2**64 - 1), 0) == 0

    @given(st.integers(0, 2**64 - 1), st.text(max_size=40))
    def test_any_nonce_after_the_last_underscore(self, nonce: int, before: str) -> None:
        assert nonce_of_key(f"{before}_{nonce:020d}") == nonce


class TestNext:
    @given(st.integers(0, 2**32), st.integers(1, 60))
    def test_consecutive_nonces(self, base: int, count: int) -> None:
        assert next_nonce(messages(count, base), base) == next_nonce(messages(count, base), 0) == base + count

    def test_no_messages(self) -> None:
        assert next_nonce((), 5) == 5

    @given(st.integers(1, 2**32), st.integers(0, 2**32))
    def test_any_other_nonce_is_refused(self, expected: int, nonce: int) -> None:
        if nonce == expected:
            return
        with pytest.raises(MessageError) as caught:
            next_nonce(messages(1, nonce), expected)
        assert caught.value.reason == f"Non consecutive nonce: expected {expected}, got {nonce}"
