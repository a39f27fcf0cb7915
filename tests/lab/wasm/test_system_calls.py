"""What a canister can ask of its replica: each import answers, in 32 and in 64 bits."""

from __future__ import annotations

import pytest

from icws_explore.lab.wasm.signatures import SIGNATURES
from icws_explore.lab.wasm.system_calls import SystemCalls
from icws_explore.protocol.canister import CanisterHost
from icws_explore.protocol.principal import Principal
from support.wat import CALLER, CANISTER, START_NS, WatHost, factory_of, reject_of, reply_of, wasm

# What the import writes at 0 or returns, as bytes. SIZE and COPY are a pair of imports.
TEXTS = {
    "msg_caller": CALLER.raw,
    "canister_self": CANISTER.raw,
    "subnet_self": b"subnet",
    "msg_arg_data": b"an argument",
    "msg_caller_info_data": b"",
}
BALANCE = 10**14
NUMBERS = {
    "(i64.extend_i32_u (call $ic0.canister_status))": 1,
    "(call $ic0.canister_version)": 1,
    "(call $ic0.time)": START_NS,
    "(i64.extend_i32_u (call $ic0.in_replicated_execution))": 1,
    "(i64.extend_i32_u (call $ic0.data_certificate_present))": 0,
    "(i64.extend_i32_u (call $ic0.subnet_self_node_count))": 1,
    "(i64.extend_i32_u (call $ic0.env_var_name_exists (POINTER.const 0) (POINTER.const 3)))": 0,
    "(call $ic0.msg_deadline)": 0,
    "(call $ic0.msg_cycles_available)": 0,
    "(call $ic0.msg_cycles_accept (i64.const 5))": 0,
    "(call $ic0.stable64_grow (i64.const 2))": 0,
    "(call $ic0.stable64_grow (i64.const -1))": 2**64 - 1,
    "(call $ic0.stable64_size)": 0,
    "(i64.extend_i32_u (call $ic0.stable_grow (i32.const 65537)))": 2**32 - 1,
}


@pytest.fixture(params=[False, True], ids=["wasm32", "wasm64"])
def is_64(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_every_import_of_the_table_has_a_method_and_the_other_way_round() -> None:
    methods = {name for name, value in vars(SystemCalls).items() if callable(value) and not name.startswith("_")}
    assert methods == set(SIGNATURES)


@pytest.mark.parametrize("name", TEXTS)
def test_bytes_are_copied(name: str, is_64: bool) -> None:
    body = f"""(func (export "canister_update it")
      (call $ic0.{name}_copy (POINTER.const 64) (POINTER.const 0) (call $ic0.{name}_size))
      (call $ic0.msg_reply_data_append (POINTER.const 64) (call $ic0.{name}_size)) (call $ic0.msg_reply))"""
    assert reply_of(WatHost(body, is_64=is_64).update("it", b"an argument")) == TEXTS[name]


@pytest.mark.parametrize("expression", NUMBERS)
def test_numbers_are_returned(expression: str, is_64: bool) -> None:
    body = f"""(func (export "canister_update it") (i64.store (POINTER.const 8) {expression})
      (call $ic0.msg_reply_data_append (POINTER.const 8) (POINTER.const 8)) (call $ic0.msg_reply))"""
    assert int.from_bytes(reply_of(WatHost(body, is_64=is_64).update("it")), "little") == NUMBERS[expression]


@pytest.mark.parametrize("name", ["canister_cycle_balance128", "canister_liquid_cycle_balance128"])
def test_the_balance_has_128_bits(name: str, is_64: bool) -> None:
    body = f"""(func (export "canister_query it") (call $ic0.{name} (POINTER.const 8))
      (call $ic0.msg_reply_data_append (POINTER.const 8) (POINTER.const 16)) (call $ic0.msg_reply))"""
    host = WatHost(body, is_64=is_64, cycles=2**70)
    assert int.from_bytes(reply_of(host.query("it")), "little") == 2**70


def test_burned_cycles_are_gone() -> None:
    body = """(func (export "canister_update burn")
        (call $ic0.cycles_burn128 (i64.const 0) (i64.const 1000000) (i32.const 8))
        (call $ic0.msg_reply_data_append (i32.const 8) (i32.const 16)) (call $ic0.msg_reply))
      (func (export "canister_query left") (i64.store (i32.const 8) (call $ic0.canister_cycle_balance))
        (call $ic0.msg_reply_data_append (i32.const 8) (i32.const 8)) (call $ic0.msg_reply))"""
    host = WatHost(body)
    assert int.from_bytes(reply_of(host.update("burn")), "little") == 1_000_000
    left = int.from_bytes(reply_of(host.query("left")), "little")
    assert BALANCE - 7_000_000 < left < BALANCE - 6_000_000


def test_the_certificate_is_there_in_a_query_and_certifies_what_was_set() -> None:
    body = """
      (func (export "canister_update set")
        (call $ic0.certified_data_set (i32.const 0) (i32.const 4)) (call $ic0.msg_reply))
      (func (export "canister_query get")
        (call $ic0.data_certificate_copy (i32.const 64) (i32.const 0) (call $ic0.data_certificate_size))
        (call $ic0.msg_reply_data_append (i32.const 64) (call $ic0.data_certificate_size)) (call $ic0.msg_reply))
      (data (i32.const 0) "data")"""
    host = WatHost(body)
    host.update("set")
    assert host.host.certified_data == b"data"
    assert reply_of(host.query("get")) == b"certified data"
    assert "data_certificate" in reject_of(host.update("get")).text


def test_certified_data_of_more_than_32_bytes_traps() -> None:
    body = '(func (export "canister_update set") (call $ic0.certified_data_set (i32.const 0) (i32.const 33)))'
    assert "32 are the most" in reject_of(WatHost(body).update("set")).text


def test_the_controller_is_who_installed_it() -> None:
    body = """(func (export "canister_query is_it")
      (i32.store (i32.const 0) (call $ic0.is_controller (i32.const 16) (i32.const 5)))
      (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 1)) (call $ic0.msg_reply))
      (data (i32.const 16) "owner")"""
    host = CanisterHost(CANISTER)
    host.install(factory_of(wasm(body)), now_ns=START_NS, controller=Principal(b"owner"))
    assert reply_of(host.query("is_it", b"", caller=CALLER, now_ns=START_NS)) == b"\x01"


def test_the_performance_counter_counts() -> None:
    body = """(func (export "canister_update count") (local $before i64)
      (local.set $before (call $ic0.performance_counter (i32.const 0)))
      (i64.store (i32.const 0) (i64.sub (call $ic0.performance_counter (i32.const 1)) (local.get $before)))
      (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 8)) (call $ic0.msg_reply))"""
    counted = int.from_bytes(reply_of(WatHost(body).update("count")), "little")
    assert 1 <= counted < 100
    bad = '(func (export "canister_update count") (drop (call $ic0.performance_counter (i32.const 9))))'
    assert "no performance counter 9" in reject_of(WatHost(bad).update("count")).text


def test_signatures_fit_one_kind_of_pointer_only() -> None:
    copy = SIGNATURES["msg_arg_data_copy"]
    assert copy.fits(("i32", "i32", "i32"), ())
    assert copy.fits(("i64", "i64", "i64"), ())
    assert not copy.fits(("i32", "i64", "i32"), ())
    assert not copy.fits(("i32", "i32"), ())
    assert not SIGNATURES["time"].fits((), ("i32",))
    assert str(SIGNATURES["stable_grow"]) == "(i32) -> (i32)"
