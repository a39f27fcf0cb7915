"""Further hostile modules and messages: each ends in one line, or is taken, and the canister beside it goes on."""

from __future__ import annotations

import pytest

from icws_explore.lab.wasm.engine import INSTRUCTIONS, MESSAGES
from icws_explore.lab.wasm.instance import MAX_TABLE
from icws_explore.lab.wasm.module import read_module
from icws_explore.lab.wasm.stable import MAX_PAGES
from icws_explore.lab.wasm.system_calls import MAX_CALLS, MAX_PRINT
from icws_explore.protocol.constants import MAX_REPLY_BYTES
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.leb128 import encode_unsigned as leb
from support.wat import WatHost, factory_of, reject_of, reply_of

GOOD = '(func (export "canister_update good") (call $ic0.msg_reply))'
LOOP = "(loop $again {} (br $again))"
NOTHING = b"\x00\x0b"  # a function's body: no locals, end
SELF_CALL = """
  (func $call (param $reply i32)
    (call $ic0.canister_self_copy (i32.const 0) (i32.const 0) (call $ic0.canister_self_size))
    (call $ic0.call_new (i32.const 0) (call $ic0.canister_self_size) (i32.const 64) (i32.const 3)
      (local.get $reply) (i32.const 0) (local.get $reply) (i32.const 0))
    (drop (call $ic0.call_perform)))
  (data (i32.const 64) "bad")"""


def section(number: int, content: bytes) -> bytes:
    return bytes([number]) + leb(len(content)) + content


def module(*bodies: bytes, more: bytes = b"") -> bytes:
    """A module of functions without arguments and results. ``more`` are the sections before the code."""
    functions = section(3, leb(len(bodies)) + bytes(len(bodies)))
    code = section(10, leb(len(bodies)) + b"".join(leb(len(body)) + body for body in bodies))
    return b"\0asm\x01\0\0\0" + section(1, b"\x01\x60\0\0") + functions + more + code


def locals_of(count: int) -> bytes:
    return b"\x01" + leb(count) + b"\x7f\x0b"


def br_table(targets: int) -> bytes:
    return b"\0\x02\x40\x41\0\x0e" + leb(targets) + bytes(targets) + b"\0\x0b\x0b"


REFUSED = {
    "a million types and more": (
        b"\0asm\x01\0\0\0" + section(1, leb(1_000_001) + b"\x60\0\0" * 1_000_001), "types count exceeds"),
    "one function too many": (module(*[NOTHING] * 50_001), "a replica accepts at most 50,000"),
    "a function with too many locals": (module(locals_of(4_000_000_000)), "too many locals"),
    "a br_table of 100,000 targets": (module(br_table(100_000)), "limit of 65520"),
    "a function of 8 MB": (module(b"\0" + b"\x41\0\x1a" * 2_600_000 + b"\x0b"), "function body size"),
    "a million element segments": (
        module(NOTHING, more=section(4, b"\x01\x70\0\x01") + section(9, leb(10**6) + b"\0\x41\0\x0b\x01\0" * 10**6)),
        "element segments count exceeds"),
    "a million data segments": (
        module(NOTHING, more=section(5, b"\x01\0\x01"))[:-6] + section(11, leb(10**6) + b"\0\x41\0\x0b\0" * 10**6),
        "data segments count exceeds"),
    "a million tables": (module(NOTHING, more=section(4, leb(10**6) + b"\x70\0\x01" * 10**6)), "tables count exceeds"),
}  # fmt: skip
TAKEN = {
    "many br_tables": module(*[br_table(10_000)] * 20),
    "many functions with many locals": module(*[locals_of(50_000)] * 20),
    "blocks in 50,000 blocks": module(b"\0" + b"\x02\x40" * 50_000 + b"\x0b" * 50_000 + b"\x0b"),
    "an expression of 50,000 parts": module(b"\0" + b"\x41\0" * 50_000 + b"\x6a" * 49_999 + b"\x1a\x0b"),
    "100,000 custom sections": module(NOTHING) + section(0, b"\x01a") * 100_000,
}


class TestModules:
    @pytest.mark.parametrize("what", REFUSED)
    def test_that_are_too_much_are_refused_in_one_line(self, what: str) -> None:
        code, why = REFUSED[what]
        with pytest.raises(LabError) as refused:
            read_module(code)
        text = str(refused.value)
        assert why in text
        assert "\n" not in text
        assert len(text) < 400

    @pytest.mark.parametrize("what", TAKEN)
    def test_that_are_only_odd_are_taken(self, what: str) -> None:
        host = WatHost(GOOD)
        assert reply_of(host.host.install(factory_of(TAKEN[what]), now_ns=host.now_ns)) == b""

    @pytest.mark.parametrize(
        "body",
        [
            f"(table {MAX_TABLE + 1} funcref)",
            "(table 4000000000 funcref)",
            "(table 1 funcref) (elem (i32.const 5) func $f) (func $f)",
        ],
        ids=["a table too large", "a table of 32 GB", "elements outside of their table"],
    )
    def test_that_cannot_be_instantiated_reject_the_installation(self, body: str) -> None:
        host = WatHost(GOOD)
        reject = reject_of(host.upgrade(f"{body} {GOOD}"))
        assert reject.error_code in {"IC0502", "IC0505"}
        assert "\n" not in reject.text
        assert reply_of(host.update("good")) == b""

    @pytest.mark.parametrize("is_64", [False, True], ids=["wasm32", "wasm64"])
    def test_a_memory_of_all_addresses_rejects_the_installation(self, is_64: bool) -> None:
        reject = reject_of(WatHost(GOOD, is_64=is_64, memory="281474976710656" if is_64 else "65536").installed)
        assert reject.error_code == "IC0505"
        assert "\n" not in reject.text


class TestMessages:
    def test_a_table_cannot_take_all_memory(self) -> None:
        body = f"""
          {GOOD} (table $table 1 funcref)
          (func (export "canister_update grow")
            (loop $again (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 5000)) (i32.const -1))))
            (i32.store (i32.const 0) (table.size $table))
            (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 4)) (call $ic0.msg_reply))"""
        host = WatHost(body)
        size = int.from_bytes(reply_of(host.update("grow")), "little")
        assert MAX_TABLE - 5000 < size <= MAX_TABLE
        assert reply_of(host.update("good")) == b""

    def test_stable_memory_grows_to_its_limit_and_takes_nothing(self) -> None:
        body = f"""
          {GOOD}
          (func (export "canister_update grow")
            (loop $again (br_if $again (i64.ne (call $ic0.stable64_grow (i64.const 1000)) (i64.const -1))))
            (i64.store (i32.const 0) (call $ic0.stable64_size))
            (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 8)) (call $ic0.msg_reply))"""
        host = WatHost(body)
        pages = int.from_bytes(reply_of(host.update("grow")), "little")
        assert MAX_PAGES - 1000 < pages <= MAX_PAGES
        assert reply_of(host.update("good")) == b""

    def test_an_indirect_call_of_what_is_not_there_is_a_trap(self) -> None:
        host = WatHost(
            f'{GOOD} (table 10 funcref) (type $t (func)) (func (export "canister_update bad") '
            "(call_indirect (type $t) (i32.const 3)))"
        )
        assert "uninitialized element" in reject_of(host.update("bad")).text
        assert reply_of(host.update("good")) == b""

    def test_a_storm_of_calls_to_itself_ends(self) -> None:
        """Each call and each callback makes two more."""
        body = f"""
          {GOOD} (table funcref (elem $back)) {SELF_CALL}
          (func $back (param i32) (call $call (i32.const 0)) (call $call (i32.const 0)))
          (func (export "canister_update bad") (call $back (i32.const 0)) (call $ic0.msg_reply))"""
        host = WatHost(body)
        outcome = host.update("bad")
        assert reply_of(outcome) == b""  # it has replied before the storm
        assert reply_of(host.update("good")) == b""
        assert host.now_ns == host.host.now_ns

    def test_a_message_makes_at_most_500_calls(self) -> None:
        body = f"""
          {GOOD} (table funcref (elem $back)) {SELF_CALL} (func $back (param i32))
          (func (export "canister_update bad") (local $left i32) (local.set $left (i32.const 3000))
            (loop $again (call $call (i32.const 0)) (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $again (local.get $left)))
            unreachable)"""
        host = WatHost(body)
        assert reject_of(host.update("bad")).error_code == "IC0502"
        assert MAX_CALLS < MESSAGES
        assert reply_of(host.update("good")) == b""

    def test_a_timer_that_sets_itself_for_at_once_does_not_stop_time(self) -> None:
        body = f"""
          {GOOD} (func $set (drop (call $ic0.global_timer_set (i64.const 1))))
          (func (export "canister_init") (call $set))
          (func (export "canister_global_timer") (call $ic0.debug_print (i32.const 0) (i32.const 1)) (call $set))"""
        host = WatHost(body)
        host.advance_s(1)
        assert len(host.prints) == 1000  # once in a millisecond
        assert reply_of(host.update("good")) == b""

    def test_a_timer_without_end_costs_its_budget_each_time(self) -> None:
        body = f"""
          {GOOD} (func (export "canister_init") (drop (call $ic0.global_timer_set (i64.const 1))))
          (func (export "canister_global_timer") {LOOP.format("")})"""
        host = WatHost(body)
        host.advance_s(5)
        (line,) = host.prints
        assert f"{INSTRUCTIONS:,} instructions" in line
        assert reply_of(host.update("good")) == b""

    @pytest.mark.parametrize("call", ["msg_reject", "trap"])
    def test_texts_are_cut(self, call: str) -> None:
        host = WatHost(
            f'{GOOD} (func (export "canister_update bad") (memory.fill (i32.const 0) (i32.const 65)'
            f" (i32.const 1000000)) (call $ic0.{call} (i32.const 0) (i32.const 1000000)))",
            memory="20",
        )
        text = reject_of(host.update("bad")).text
        assert MAX_PRINT <= len(text) < MAX_PRINT + 200
        assert reply_of(host.update("good")) == b""

    def test_a_printed_line_is_cut(self) -> None:
        host = WatHost(
            f'{GOOD} (func (export "canister_update bad")'
            " (call $ic0.debug_print (i32.const 0) (i32.const 1000000)) (call $ic0.msg_reply))",
            memory="20",
        )
        assert reply_of(host.update("bad")) == b""
        assert [len(line) for line in host.prints] == [MAX_PRINT]

    def test_a_reply_has_a_limit(self) -> None:
        size = MAX_REPLY_BYTES
        host = WatHost(
            f'{GOOD} (func (export "canister_update much") (call $ic0.msg_reply_data_append (i32.const 0)'
            f" (i32.const {size})) (call $ic0.msg_reply))"
            f'(func (export "canister_update bad") (call $ic0.msg_reply_data_append (i32.const 0)'
            f" (i32.const {size + 1})) (call $ic0.msg_reply))",
            memory="100",
        )
        assert len(reply_of(host.update("much"))) == size
        assert reject_of(host.update("bad")).error_code == "IC0504"
        assert reply_of(host.update("good")) == b""
