"""Compiled canisters on the lab's replica: calls to each other and to the management canister, inspection."""

from __future__ import annotations

import pytest

from icws_explore.lab.log import LabLog
from icws_explore.lab.replica.admission import NotReplicated
from icws_explore.lab.replica.replica import Replica
from icws_explore.lab.replica.subnet import LabKeys, canister_principal
from icws_explore.lab.wasm.engine import DEPTH
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.principal import Principal
from support.fake_clock import FakeClock
from support.lab_requests import Requests
from support.wat import CALLER, factory_of, reply_of, wasm

FIRST, SECOND = canister_principal(0x8000000000100000), canister_principal(0x8000000000100001)


def escaped(data: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in data)


def asking(callee: Principal, method: str, *, export: str = "canister_update ask") -> str:
    """Answers a call with the answer of another canister: its bytes, or a ! and the reject code."""
    return f"""
      (table 2 funcref) (elem (i32.const 0) $on_reply $on_reject)
      (func $on_reply (param i32)
        (call $ic0.msg_arg_data_copy (i32.const 256) (i32.const 0) (call $ic0.msg_arg_data_size))
        (call $ic0.msg_reply_data_append (i32.const 256) (call $ic0.msg_arg_data_size)) (call $ic0.msg_reply))
      (func $on_reject (param i32)
        (i32.store8 (i32.const 200) (i32.const 33)) (i32.store8 (i32.const 201) (call $ic0.msg_reject_code))
        (call $ic0.msg_reply_data_append (i32.const 200) (i32.const 2)) (call $ic0.msg_reply))
      (func (export "{export}")
        (call $ic0.call_new (i32.const 0) (i32.const {len(callee.raw)}) (i32.const 64) (i32.const {len(method)})
          (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
        (drop (call $ic0.call_perform)))
      (data (i32.const 0) "{escaped(callee.raw)}") (data (i32.const 64) "{method}")"""


ANSWERING = """
  (func (export "canister_update answer")
    (call $ic0.msg_caller_copy (i32.const 0) (i32.const 0) (call $ic0.msg_caller_size))
    (call $ic0.msg_reply_data_append (i32.const 0) (call $ic0.msg_caller_size)) (call $ic0.msg_reply))
  (func (export "canister_query look")
    (call $ic0.msg_reply_data_append (i32.const 16) (i32.const 4)) (call $ic0.msg_reply))
  (data (i32.const 16) "seen")
"""


class Scene:
    """A replica with two canisters; the first one asks."""

    def __init__(self, first: str, second: str = ANSWERING) -> None:
        self.clock = FakeClock()
        self.replica = Replica(LabKeys(1), self.clock.now_ns, LabLog(self.clock.now_ns), update_latency_ms=50)
        for canister_id, body in ((FIRST, first), (SECOND, second)):
            self.replica.add_canister(canister_id).install(factory_of(wasm(body)), now_ns=self.clock.now_ns())

    def ask(self) -> bytes:
        host = self.replica.canisters[FIRST]
        return reply_of(host.update("ask", b"", caller=CALLER, now_ns=self.clock.now_ns()))


class TestCalls:
    def test_reach_another_canister_which_sees_the_caller(self) -> None:
        assert Scene(asking(SECOND, "answer")).ask() == FIRST.raw

    def test_to_a_query_get_its_answer(self) -> None:
        assert Scene(asking(SECOND, "look")).ask() == b"seen"

    def test_of_a_composite_query_are_queries(self) -> None:
        scene = Scene(asking(SECOND, "look", export="canister_composite_query ask"))
        host = scene.replica.canisters[FIRST]
        assert reply_of(host.query("ask", b"", caller=CALLER, now_ns=scene.clock.now_ns())) == b"seen"

    def test_to_a_method_that_is_not_there_are_rejected(self) -> None:
        assert Scene(asking(SECOND, "nothing")).ask() == b"!\x05"

    def test_to_a_canister_that_is_not_there_are_rejected(self) -> None:
        assert Scene(asking(Principal(b"nobody"), "answer")).ask() == b"!\x03"

    def test_to_a_stopped_canister_are_rejected(self) -> None:
        scene = Scene(asking(SECOND, "answer"))
        scene.replica.stop_canister(SECOND)
        assert scene.ask() == b"!\x05"

    def test_to_and_fro_end_at_a_depth(self) -> None:
        scene = Scene(asking(SECOND, "ask"), asking(FIRST, "ask"))
        assert DEPTH > 2
        assert scene.ask() == b"!\x02"

    def test_to_the_management_canister_give_randomness(self) -> None:
        answers = {Scene(asking(Principal.MANAGEMENT, "raw_rand")).ask() for _ in range(2)}
        assert len(answers) == 1  # of one seed
        (answer,) = answers
        assert answer.startswith(b"DIDL\x01\x6d\x7b\x01\x00\x20")
        assert Scene(asking(Principal.MANAGEMENT, "create_canister")).ask() == b"!\x05"


class TestIngress:
    def test_a_call_that_the_canister_does_not_accept_is_rejected_without_proof(self) -> None:
        body = """
          (func (export "canister_inspect_message")
            (if (i32.eq (call $ic0.msg_method_name_size) (i32.const 4)) (then (call $ic0.accept_message))))
          (func (export "canister_update good") (call $ic0.msg_reply))"""
        scene = Scene(body)
        alice = Requests(FIRST, scene.clock.ns, Ed25519Identity.from_secret(b"a" * 32))
        with pytest.raises(NotReplicated) as rejected:
            scene.replica.submit(alice.call("other", b""), FIRST)
        assert rejected.value.reject.error_code == "IC0516"
        submission = scene.replica.submit(alice.call("good", b""), FIRST)
        scene.clock.advance_ms(50)
        assert scene.replica.execute() == [submission.request_id]


def test_a_stopped_canister_serves_its_timers_late() -> None:
    ticking = """
      (func (export "canister_init")
        (drop (call $ic0.global_timer_set (i64.add (call $ic0.time) (i64.const 5000000000)))))
      (func (export "canister_global_timer") (i64.store (i32.const 0) (call $ic0.time)))
      (func (export "canister_update ask")
        (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 8)) (call $ic0.msg_reply))"""
    scene = Scene(ticking)
    scene.replica.stop_canister(FIRST)
    scene.clock.advance_ms(60_000)
    scene.replica.execute()
    scene.replica.start_canister(FIRST)
    scene.replica.execute()
    assert int.from_bytes(scene.ask(), "little") == scene.clock.now_ns()
