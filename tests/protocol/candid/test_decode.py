from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import BLOB, BOOL, NAT, TEXT, Field, Opt, Record, Vec, annotate, parse_type
from icws_explore.protocol.candid.decode import refusal
from icws_explore.protocol.candid.limits import VALUES_FREE
from icws_explore.protocol.candid.types import inner_types
from icws_explore.protocol.errors import CandidError
from icws_explore.protocol.leb128 import encode_signed, encode_unsigned
from icws_explore.protocol.principal import Principal
from support.candid_cases import didl, finite_types, typed_values, types, with_little_stack, work_of

SERVICE_MESSAGE = parse_type(
    """
    type ClientKey = record { client_principal : principal; client_nonce : nat64 };
    type Content = record { last_incoming_sequence_num : nat64 };
    type Reason = variant { WrongSequenceNumber; InvalidServiceMessage; KeepAliveTimeout; ClosedByApplication };
    type Message = variant {
      OpenMessage : record { client_key : ClientKey };
      AckMessage : Content;
      KeepAliveMessage : Content;
      CloseMessage : record { reason : Reason };
    };
    """
)


def as_json_says(value: Any) -> Any:
    """A decoded value in the notation of the vectors: numbers and principals as text, blobs as hex."""
    match value:
        case bool() | None:
            return value
        case int():
            return str(value)
        case Principal():
            return value.text
        case bytes():
            return {"hex": value.hex()}
        case dict():
            return {key: as_json_says(each) for key, each in value.items()}
        case list():
            return [as_json_says(each) for each in value]
    return value


def numbered_labels(type_: candid.Type) -> set[int]:
    labels = [field.label for field in getattr(type_, "fields", ())]
    own = {label for label in labels if isinstance(label, int)}
    return own.union(*map(numbered_labels, inner_types(type_)))


class TestVectors:
    """Bytes of the real JavaScript SDK and of the real Rust CDK."""

    def test_service_messages(self, vectors: Callable[[str], Any]) -> None:
        cases = vectors("candid")["service_messages"] + vectors("candid")["rust_cdk_service_messages"]["vectors"]
        assert len(cases) == 16
        for case in cases:
            data = bytes.fromhex(case["encoded_hex"])
            (typed,) = candid.decode(data, [SERVICE_MESSAGE])
            assert as_json_says(typed) == case["value"], case["id"]
            assert candid.decode(data) == [typed], case["id"]
            assert candid.decode(candid.encode([SERVICE_MESSAGE], [typed])) == [typed], case["id"]

    def test_arguments_and_results(self, vectors: Callable[[str], Any]) -> None:
        cases = vectors("candid")["arguments_and_results"]
        assert len(cases) == 21
        for case in cases:
            data = bytes.fromhex(case["encoded_hex"])
            expected = case["value"]
            if case["id"] == "getres2":  # the vector writes `opt true` as [true]
                expected = [{"Ok": {**expected[0]["Ok"], "is_end_of_queue": True}}]
            assert as_json_says(candid.decode(data)) == expected, case["id"]
            described = candid.decode_typed(data)
            assert as_json_says([value for _, value in described]) == expected, case["id"]
            again = candid.encode([type_ for type_, _ in described], [value for _, value in described])
            assert as_json_says(candid.decode(again)) == expected, case["id"]
            assert len(again) <= len(data), case["id"]

    def test_we_write_the_bytes_of_the_rust_crate(self, vectors: Callable[[str], Any]) -> None:
        for case in vectors("candid")["rust_cdk_service_messages"]["vectors"]:
            data = bytes.fromhex(case["encoded_hex"])
            assert candid.encode([SERVICE_MESSAGE], candid.decode(data, [SERVICE_MESSAGE])) == data, case["id"]

    def test_polls_of_every_release(self, vectors: Callable[[str], Any]) -> None:
        # is_end_of_queue: bool, opt bool, or missing (CDK before 0.3.1); read as `opt bool` all are fine.
        type_ = parse_type("variant { Ok : record { is_end_of_queue : opt bool; cert : blob }; Err : text }")
        cases = [case for case in vectors("candid")["arguments_and_results"] if case["id"].startswith("getres")]
        ends = {}
        for case in cases:
            (value,) = candid.decode(bytes.fromhex(case["encoded_hex"]), [type_])
            ends[case["id"]] = value.get("Ok", {}).get("is_end_of_queue", "no Ok")
        assert {"getres0": True, "getres2": True, "getres3": None, "getres4": "no Ok"}.items() <= ends.items()


class TestRoundTrips:
    @given(typed_values())
    def test_at_the_type(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        assert candid.decode(candid.encode([type_], [value]), [type_]) == [value]

    @given(typed_values())
    def test_as_described(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        ((wire, decoded),) = candid.decode_typed(candid.encode([type_], [value]))
        assert candid.same_type(wire, type_)
        assert candid.decode(candid.encode([wire], [decoded]), [type_]) == [value]

    @given(st.lists(typed_values(), max_size=4))
    def test_several(self, cases: list[tuple[candid.Type, Any]]) -> None:
        all_types, values = [type_ for type_, _ in cases], [value for _, value in cases]
        assert candid.decode(candid.encode(all_types, values), all_types) == values

    @given(typed_values(), types)
    def test_at_any_other_type(self, case: tuple[candid.Type, Any], expected: candid.Type) -> None:
        type_, value = case
        data = candid.encode([type_], [value])
        try:
            (coerced,) = candid.decode(data, [expected])
        except CandidError:
            assert not candid.is_subtype(type_, expected)
        else:
            again = candid.encode([expected], [coerced])  # the result is of the expected type,
            assert candid.decode(again, [expected]) == [coerced]  # and as Python has values of that type

    @given(typed_values(finite_types))
    def test_field_names_by_hash(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        names = candid.names_of([type_])
        assume(not names.keys() & numbered_labels(type_))  # 0 is also the hash of ""
        assert candid.decode(candid.encode([type_], [value]), names=names) == [value]


class TestArguments:
    def test_further_arguments_are_checked_and_dropped(self) -> None:
        assert candid.decode(didl("00 02 7d 7e 05 01"), [NAT]) == [5]
        assert candid.decode(didl("00 01 7f"), []) == []
        with pytest.raises(CandidError, match="Candid value 1: bool is 2"):
            candid.decode(didl("00 02 7d 7e 05 02"), [NAT])

    def test_missing_arguments_are_null(self) -> None:
        expected = [NAT, Opt(TEXT), candid.NULL, candid.RESERVED]
        assert candid.decode(didl("00 01 7d 05"), expected) == [5, None, None, None]
        with pytest.raises(CandidError, match="Candid value 1: the value is missing, and text is not optional"):
            candid.decode(didl("00 01 7d 05"), [NAT, TEXT])

    def test_the_message_arguments_of_a_client_without_application_message(self) -> None:
        # ws_message's second argument is sent as `opt null` and must read as any `opt T`
        data = candid.encode([Record((Field("msg", TEXT),)), Opt(candid.NULL)], [{"msg": "x"}, None])
        app = Opt(parse_type("record { text : text; timestamp : nat64 }"))
        assert candid.decode(data, [Record((Field("msg", TEXT),)), app]) == [{"msg": "x"}, None]

    def test_bytes_after_the_last_value_are_refused(self) -> None:
        with pytest.raises(CandidError, match="2 bytes too many after the last value") as caught:
            candid.decode(didl("00 01 7d 05 00 00"))
        assert caught.value.offset == 8

    @pytest.mark.parametrize("data", [5, "DIDL", None, [68]])
    def test_only_bytes(self, data: Any) -> None:
        with pytest.raises(CandidError, match="is bytes, not"):
            candid.decode(data)

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_any_bytes(self, kind: Callable[[bytes], Any]) -> None:
        assert candid.decode(kind(didl("01 6d 7b 01 00 01 61"))) == [b"a"]


class TestLabels:
    def test_known_names_and_hashes(self) -> None:
        type_ = parse_type("record { client_key : nat; Ok : nat; nobody_knows_this : nat; 7 : nat }")
        (value,) = candid.decode(candid.encode([type_], [dict.fromkeys(type_.keys, 1)]))  # type: ignore[attr-defined]  # a Record
        unknown = f"_{candid.label_hash('nobody_knows_this')}_"
        assert set(value) == {"client_key", "Ok", unknown, "_7_"}

    def test_names_of_an_application(self) -> None:
        type_ = parse_type("record { nobody_knows_this : nat }")
        data = candid.encode([type_], [{"nobody_knows_this": 1}])
        assert candid.decode(data, names=candid.names_of([type_])) == [{"nobody_knows_this": 1}]
        ((wire, _),) = candid.decode_typed(data, names=candid.names_of([type_]))
        assert wire == type_

    def test_tuples(self) -> None:
        assert candid.decode(didl("01 6c 02 00 7d 01 7d 01 00 05 06")) == [{"0": 5, "1": 6}]
        assert candid.decode(didl("01 6b 01 00 7f 01 00 00")) == [{"0": None}]


BOMBS = {
    "vec null": "01 6d 7f 01 00 80 80 80 80 10",
    "vec reserved": "01 6d 70 01 00 80 94 eb dc 03",
    "vec of empty records": "02 6d 01 6c 00 01 00 80 ad e2 04",
    "vec of records of nothing": "04 6c 03 00 7f 01 01 02 02 6c 01 00 70 6c 00 6d 00 01 03 80 94 eb dc 03",
    "vec vec null": "02 6d 01 6d 7f 01 00 05 ff ff 3f ff ff 3f ff ff 3f ff ff 3f ff ff 3f",
    "record without end": "01 6c 01 00 00 01 00",
    "variant without end": "01 6b 01 00 00 01 00" + "00" * 400,
    "vec bool beyond the input": "01 6d 7e 01 00 80 94 eb dc 03 00 00 00",
    "text beyond the input": "00 01 71 80 94 eb dc 03'Motoko'",
    "vec nat64 beyond the input": "01 6d 78 01 00 80 94 eb dc 03 00 00 00 00 00 00 00 00",
    # twenty records, each of two of the next: a value has 2^20 nulls
    "doubling records": "16"
    + "".join(f"6c 02 00 {i + 1:02x} 01 {i + 1:02x}" for i in range(20))
    + "6c 00 6d 00 01 15 01",
}


class TestHostileInput:
    """The cost of any message is at most linear in its size. Work is counted, not timed."""

    EXPECTED = (None, [], [Opt(NAT)], [Vec(Opt(NAT))], [Opt(Vec(Opt(NAT)))], [candid.RESERVED])

    @pytest.mark.parametrize("name", BOMBS)
    def test_bombs(self, name: str) -> None:
        data = didl(BOMBS[name])
        for expected in self.EXPECTED:

            def attempt(expected: list[candid.Type] | None = expected) -> None:
                with pytest.raises(CandidError):
                    candid.decode(data, expected)

            attempt()  # once uncounted: caches fill
            assert work_of(attempt) < 20 * VALUES_FREE, expected

    def test_bombs_take_little_memory(self) -> None:
        tracemalloc.start()
        try:
            for bomb in BOMBS.values():
                for expected in self.EXPECTED:
                    with pytest.raises(CandidError):
                        candid.decode(didl(bomb), expected)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("entries", [1000, 8000])
    def test_work_is_linear_in_the_type_table(self, entries: int) -> None:
        # Each entry twice in the one before: written out, the text of entry 0 would have 2^n words.
        table = b"".join(
            b"\x6c\x02\x00" + encode_signed(min(i + 1, entries - 1)) + b"\x01" + encode_signed(min(i + 1, entries - 1))
            for i in range(entries)
        )
        data = b"DIDL" + encode_unsigned(entries) + table + b"\x01\x00"
        for expected in ([NAT], [Opt(NAT)], None):

            def attempt(expected: list[candid.Type] | None = expected) -> None:
                with pytest.raises(CandidError):
                    candid.decode(data, expected)

            assert work_of(attempt) < 50 * len(data) + 20 * VALUES_FREE

    def test_nested_options_that_fail_are_charged(self) -> None:
        # Each level fails only after the levels inside it were read.
        levels = 100
        one = b"\x01" * levels + b"\x00" + b"\x00" * (levels + 1)
        data = didl("03 6c 02 00 01 01 7e 6e 00 6d 00 01 02") + encode_unsigned(500) + one * 500
        expected = [Vec(Opt(parse_type("type R = record { 0 : opt R; 1 : text }")))]

        def attempt() -> None:
            with pytest.raises(CandidError, match="asks for too many values"):
                candid.decode(data, expected)

        assert work_of(attempt) < 40 * len(data)

    def test_a_refusal_costs_no_more_for_a_large_type(self) -> None:
        entries = 2000
        table = b"\x6d\x01" + b"".join(b"\x6e" + encode_signed(i + 2) for i in range(entries - 2)) + b"\x6e\x7f"
        data = b"DIDL" + encode_unsigned(entries) + table + b"\x01\x00" + encode_unsigned(5000) + b"\x00" * 5000

        def attempt() -> None:
            assert candid.decode(data, [Vec(Opt(TEXT))]) == [[None] * 5000]

        assert work_of(attempt) < 60 * len(data)

    def test_a_stack_that_is_nearly_used_up(self) -> None:
        data = didl("02 6e 01 6c 01 00 00 01 00" + "01" * 120 + "00")
        assert candid.decode(data)
        with pytest.raises(CandidError, match="nested too deep for the rest of the stack"):
            with_little_stack(lambda: candid.decode(data))
        expected = [candid.parse_type("type L = opt record { L }")]
        fault = with_little_stack(lambda: annotate(data, expected)).first_fault()
        assert fault.fault == "is nested too deep for the rest of the stack"
        assert with_little_stack(lambda: refusal(data, expected)).reason == fault.fault

    def test_a_blob_costs_nothing_for_its_bytes(self) -> None:
        small, large = (candid.encode([BLOB], [bytes(size)]) for size in (1000, 400_000))
        costs = [work_of(lambda data=data: candid.decode(data, [BLOB])) for data in (small, large)]  # type: ignore[misc]  # bound now
        assert costs[1] <= costs[0] + 5


GOLDEN = [
    "06 6b 04 fdbd95cc01 01 bfd397b409 03 8ff2d1ef0a 04 9eb7f0ad0b 03 6c 01 ebb49ce903 02 6c 02 fa80a29405 68"
    "bbd1eacd0e 78 6c 01 d888abb90a 78 6c 01 c49ff4e40f 05 6b 04 cdc2dabb04 7f c9c68ea005 7f d7aba29c0a 7f"
    "999dafab0d 7f 01 00",
    "06 6d 7b 6c 02 fa80a29405 68 bbd1eacd0e 78 6c 03 9f93c602 71 b99adecb01 00 ebb49ce903 01 6d 02 6c 04 ccb1f7a703 03"
    "e4cdf48d04 00 deb28ee804 00 829c8df40d 7e 6b 02 bc8a01 04 c5fed201 71 01 05",
    "02 6e 01 6c 02 a0d2aca804 7c 90eddae704 00 01 00",
    "05 69 02 03'foo'01 04'foo2'02 6a 00 00 01 02 6a 01 03 01 04 01 01 6e 7c 6c 00 02 00 01",
    "",
]  # fmt: skip
EXPECTED = [
    [SERVICE_MESSAGE], [Opt(SERVICE_MESSAGE)], [parse_type("type L = opt record { head : int; tail : L }")],
    [parse_type("variant { Ok : record { is_end_of_queue : opt bool; messages : vec record { key : nat } }; Err }")],
    [Opt(parse_type("service { foo : () -> () }")), Vec(BOOL)],
]  # fmt: skip


class TestFuzz:
    """A valid beginning and a random end: decoding raises nothing but CandidError."""

    @given(st.sampled_from(GOLDEN), st.binary(max_size=200), st.sampled_from([None, *EXPECTED]))
    @example(GOLDEN[4], b"", None)
    def test_random_tail(self, golden: str, tail: bytes, expected: list[candid.Type] | None) -> None:
        self.attempt(didl(golden) + tail, expected)

    @given(typed_values(), st.data())
    def test_cuts_and_flips(self, case: tuple[candid.Type, Any], data: st.DataObject) -> None:
        type_, value = case
        message = bytearray(candid.encode([type_], [value]))
        for _ in range(data.draw(st.integers(0, 3))):
            message[data.draw(st.integers(4, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        del message[data.draw(st.integers(4, len(message))) :]
        self.attempt(bytes(message), [type_])
        self.attempt(bytes(message), None)

    @given(typed_values())
    def test_every_truncation(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        message = candid.encode([type_], [value])
        for cut in range(len(message)):
            with pytest.raises(CandidError):
                candid.decode(message[:cut], [type_])

    @staticmethod
    def attempt(message: bytes, expected: list[candid.Type] | None) -> None:
        try:
            candid.decode(message, expected)
        except CandidError as error:
            assert "\n" not in str(error)
            assert error.offset is not None
            assert 0 <= error.offset <= len(message)
