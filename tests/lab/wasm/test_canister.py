"""The outcomes of the interface specification, with canisters in WebAssembly text."""

from __future__ import annotations

import gc
import weakref

import pytest

from icws_explore.lab.wasm.engine import DEPTH
from icws_explore.protocol.canister import CanisterHost, Reply
from icws_explore.protocol.principal import Principal
from support.wat import CALLER, CANISTER, START_NS, WatHost, factory_of, reject_of, reply_of, wasm

# A number in memory at 0, in a global and in stable memory; `say` replies with the byte at 0.
COUNTER = """
  (global $count (mut i32) (i32.const 0))
  (func $say (call $ic0.msg_reply_data_append (POINTER.const 0) (POINTER.const 1)) (call $ic0.msg_reply))
  (func $add
    (i32.store8 (POINTER.const 0) (i32.add (i32.load8_u (POINTER.const 0)) (i32.const 1)))
    (global.set $count (i32.add (global.get $count) (i32.const 1))))
  (func (export "canister_update add") (call $add) (call $say))
  (func (export "canister_update add_and_trap") (call $add)
    (call $ic0.trap (POINTER.const 16) (POINTER.const 4)))
  (func (export "canister_update add_and_reject") (call $add)
    (call $ic0.msg_reject (POINTER.const 16) (POINTER.const 4)))
  (func (export "canister_update add_in_silence") (call $add))
  (func (export "canister_update grow_and_trap")
    (drop (memory.grow (POINTER.const 3))) (call $add) unreachable)
  (func (export "canister_update pages")
    (i32.store8 (POINTER.const 1) SIZE)
    (call $ic0.msg_reply_data_append (POINTER.const 1) (POINTER.const 1)) (call $ic0.msg_reply))
  (func (export "canister_query add_in_a_query") (call $add) (call $say))
  (func (export "canister_query grow_in_a_query") (drop (memory.grow (POINTER.const 2))) (call $add) (call $say))
  (func (export "canister_query count") (call $say))
  (func (export "canister_query global")
    (i32.store8 (POINTER.const 1) (global.get $count))
    (call $ic0.msg_reply_data_append (POINTER.const 1) (POINTER.const 1)) (call $ic0.msg_reply))
  (data (POINTER.const 16) "oops")
"""
COUNTER_32 = COUNTER.replace("SIZE", "(memory.size)")
COUNTER_64 = COUNTER.replace("SIZE", "(i32.wrap_i64 (memory.size))")


@pytest.fixture(params=[False, True], ids=["wasm32", "wasm64"])
def counter(request: pytest.FixtureRequest) -> WatHost:
    return WatHost(COUNTER_64 if request.param else COUNTER_32, is_64=request.param)


class TestOutcomes:
    def test_a_reply_keeps_the_changes(self, counter: WatHost) -> None:
        assert [reply_of(counter.update("add")) for _ in range(3)] == [b"\x01", b"\x02", b"\x03"]
        assert reply_of(counter.query("global")) == b"\x03"

    def test_a_trap_undoes_memory_and_globals_and_has_code_5(self, counter: WatHost) -> None:
        counter.update("add")
        reject = reject_of(counter.update("add_and_trap"))
        assert (reject.code, reject.error_code) == (5, "IC0503")
        assert reject.text == f"Error from Canister {CANISTER}: Canister called `ic0.trap` with message: 'oops'"
        assert (reply_of(counter.query("count")), reply_of(counter.query("global"))) == (b"\x01", b"\x01")

    @pytest.mark.parametrize(
        ("kind", "before", "after", "is_before"),
        [
            ("i64", "(i64.const -5)", "(i64.const 7)", "(i64.eq (global.get $it) (i64.const -5))"),
            (
                "f32",
                "(f32.const -0)",
                "(f32.const 0)",
                "(f32.lt (f32.div (f32.const 1) (global.get $it)) (f32.const 0))",
            ),
            ("f64", "(f64.const 0.1)", "(f64.const nan)", "(f64.eq (global.get $it) (f64.const 0.1))"),
            ("funcref", "(ref.func $say)", "(ref.null func)", "(i32.eqz (ref.is_null (global.get $it)))"),
        ],
    )
    def test_a_trap_and_a_query_undo_globals_of_every_type(
        self, kind: str, before: str, after: str, is_before: str
    ) -> None:
        host = WatHost(f"""
          (global $it (mut {kind}) {before})
          (global $other (mut i32) (i32.const 9))
          (func $say (i32.store8 (i32.const 0) {is_before})
            (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 1)) (call $ic0.msg_reply))
          (elem declare func $say)
          (func (export "canister_update change_and_trap") (global.set $it {after}) unreachable)
          (func (export "canister_query change") (global.set $it {after}) (call $say))
          (func (export "canister_update change") (global.set $it {after}) (call $say))
          (func (export "canister_query is_before") (call $say))""")
        assert reject_of(host.update("change_and_trap")).error_code == "IC0502"
        assert reply_of(host.query("change")) == b"\x00"
        assert reply_of(host.query("is_before")) == b"\x01"
        assert reply_of(host.update("change")) == b"\x00"
        assert reply_of(host.query("is_before")) == b"\x00"

    def test_a_reject_has_the_canisters_text_and_keeps_the_changes(self, counter: WatHost) -> None:
        reject = reject_of(counter.update("add_and_reject"))
        assert (reject.code, reject.text, reject.error_code) == (4, "oops", "IC0406")
        assert reply_of(counter.query("count")) == b"\x01"

    def test_no_reply_is_a_reject_and_keeps_the_changes(self, counter: WatHost) -> None:
        reject = reject_of(counter.update("add_in_silence"))
        assert (reject.code, reject.error_code) == (5, "IC0506")
        assert reject.text.endswith("Canister did not reply to the call")
        assert reply_of(counter.query("count")) == b"\x01"

    def test_a_trap_takes_back_the_memory_that_was_added(self, counter: WatHost) -> None:
        counter.update("add")
        before = reply_of(counter.update("pages"))
        reject = reject_of(counter.update("grow_and_trap"))
        assert (reject.error_code, reject.text.rpartition(": ")[2]) == ("IC0502", "unreachable")
        assert reply_of(counter.update("pages")) == before
        assert reply_of(counter.update("add")) == b"\x02"

    @pytest.mark.parametrize("method", ["add_in_a_query", "grow_in_a_query"])
    def test_a_query_changes_nothing(self, counter: WatHost, method: str) -> None:
        counter.update("add")
        assert [reply_of(counter.query(method)) for _ in range(3)] == [b"\x02"] * 3
        assert (reply_of(counter.query("count")), reply_of(counter.query("global"))) == (b"\x01", b"\x01")

    def test_a_query_as_an_update_changes_nothing(self, counter: WatHost) -> None:
        assert [reply_of(counter.update("add_in_a_query")) for _ in range(2)] == [b"\x01"] * 2

    def test_a_query_is_not_answered_from_before_an_update(self, counter: WatHost) -> None:
        assert reply_of(counter.query("count")) == b"\x00"
        assert reply_of(counter.query("count")) == b"\x00"
        counter.update("add")
        assert reply_of(counter.query("count")) == b"\x01"

    def test_an_unknown_method_is_a_reject(self, counter: WatHost) -> None:
        assert reject_of(counter.update("nothing")).error_code == "IC0536"
        assert reject_of(counter.query("add")).error_code == "IC0536"

    def test_without_cycles_no_update_runs(self) -> None:
        host = WatHost(COUNTER_32, cycles=11_000_000)
        assert [type(host.update("add")) for _ in range(2)] == [Reply, Reply]
        reject = reject_of(host.update("add"))
        assert (reject.code, reject.error_code) == (2, "IC0207")
        assert "out of cycles" in reject.text
        assert reply_of(host.query("count")) == b"\x02"

    def test_a_second_reply_traps(self) -> None:
        host = WatHost('(func (export "canister_update twice") (call $ic0.msg_reply) (call $ic0.msg_reply))')
        assert reject_of(host.update("twice")).error_code == "IC0504"

    def test_an_import_in_the_wrong_message_traps_and_says_so(self) -> None:
        body = '(func (export "canister_query set") (call $ic0.certified_data_set (i32.const 0) (i32.const 4)))'
        text = reject_of(WatHost(body).query("set")).text
        assert '"ic0_certified_data_set" cannot be executed in non replicated query mode' in text


# `call METHOD` calls itself; the callbacks add 10, or 100 for a reject; `trap_later` traps in the callback.
CALLS = """
  (table 4 funcref)
  (elem (i32.const 0) $on_reply $on_reject $on_reply_trap $cleanup)
  (func $add (param i32) (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (local.get 0))))
  (func $say (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 1)) (call $ic0.msg_reply))
  (func $on_reply (param i32) (call $add (i32.const 10)) (call $say))
  (func $on_reject (param i32) (call $add (i32.add (i32.const 100) (call $ic0.msg_reject_code))) (call $say))
  (func $on_reply_trap (param i32) (call $add (i32.const 10)) unreachable)
  (func $cleanup (param i32) (call $add (local.get 0)))
  (func $to_self (param $name i32) (param $size i32) (param $reply i32)
    (call $ic0.canister_self_copy (i32.const 64) (i32.const 0) (call $ic0.canister_self_size))
    (call $ic0.call_new (i32.const 64) (call $ic0.canister_self_size) (local.get $name) (local.get $size)
      (local.get $reply) (i32.const 0) (i32.const 1) (i32.const 0))
    (call $ic0.call_on_cleanup (i32.const 3) (i32.const 7)))
  (func (export "canister_update callee") (call $add (i32.const 1)) (call $ic0.msg_reply))
  (func (export "canister_update broken") (call $add (i32.const 1)) unreachable)
  (func (export "canister_update call")
    (call $add (i32.const 2)) (call $to_self (i32.const 16) (i32.const 6) (i32.const 0))
    (drop (call $ic0.call_perform)))
  (func (export "canister_update call_broken")
    (call $add (i32.const 2)) (call $to_self (i32.const 32) (i32.const 6) (i32.const 0))
    (drop (call $ic0.call_perform)))
  (func (export "canister_update trap_later")
    (call $add (i32.const 2)) (call $to_self (i32.const 16) (i32.const 6) (i32.const 2))
    (drop (call $ic0.call_perform)))
  (func (export "canister_update again")
    (call $to_self (i32.const 48) (i32.const 5) (i32.const 0)) (drop (call $ic0.call_perform)))
  (func (export "canister_query count") (call $say))
  (data (i32.const 16) "callee") (data (i32.const 32) "broken") (data (i32.const 48) "again")
"""


class TestCalls:
    def test_to_itself_are_answered_in_a_callback(self) -> None:
        assert reply_of(WatHost(CALLS).update("call")) == bytes([2 + 1 + 10])

    def test_that_trap_come_back_as_a_reject_and_only_the_callee_is_undone(self) -> None:
        assert reply_of(WatHost(CALLS).update("call_broken")) == bytes([2 + 100 + 5])

    def test_a_trap_in_the_callback_keeps_what_was_committed_and_runs_the_cleanup(self) -> None:
        host = WatHost(CALLS)
        reject = reject_of(host.update("trap_later"))
        assert (reject.code, reject.error_code) == (5, "IC0502")
        assert reply_of(host.query("count")) == bytes([2 + 1 + 7])

    def test_without_end_are_ended(self) -> None:
        host = WatHost(CALLS)
        assert reply_of(host.update("again"))[0] % 256 == (102 + 10 * DEPTH) % 256
        assert reply_of(host.update("callee")) == b""

    def test_reach_another_canister(self) -> None:
        other_id = Principal(b"the other")
        other = CanisterHost(other_id)
        other.install(factory_of(wasm(CALLS)), now_ns=START_NS)
        body = """
          (table 1 funcref) (elem (i32.const 0) $on_answer)
          (func $on_answer (param i32) (call $ic0.msg_reply))
          (func (export "canister_update ask")
            (call $ic0.call_new (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 6)
              (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
            (drop (call $ic0.call_perform)))
          (data (i32.const 0) "the other") (data (i32.const 16) "callee")"""
        called = []

        def on_call(callee: Principal, method: str, arg: bytes, is_query: bool) -> object:
            called.append((callee, method, is_query))
            return other.update(method, arg, caller=CANISTER, now_ns=START_NS)

        host = CanisterHost(CANISTER, on_call=on_call)  # type: ignore[arg-type]
        host.install(factory_of(wasm(body)), now_ns=START_NS)
        assert reply_of(host.update("ask", b"", caller=CALLER, now_ns=START_NS)) == b""
        assert called == [(other_id, "callee", False)]
        assert reply_of(other.query("count", b"", caller=CALLER, now_ns=START_NS)) == b"\x01"


# Keeps a byte in stable memory; init and post_upgrade store the size of their argument at 0 and 1.
KEEPING = """
  (func $say (param i32) (call $ic0.msg_reply_data_append (local.get 0) (i32.const 1)) (call $ic0.msg_reply))
  (func (export "canister_init")
    (drop (call $ic0.stable64_grow (i64.const 1)))
    (i32.store8 (i32.const 0) (call $ic0.msg_arg_data_size)))
  (func (export "canister_pre_upgrade") (call $ic0.stable64_write (i64.const 65000) (i64.const 2) (i64.const 1)))
  (func (export "canister_post_upgrade")
    (call $ic0.stable64_read (i64.const 2) (i64.const 65000) (i64.const 1))
    (i32.store8 (i32.const 1) (call $ic0.msg_arg_data_size)))
  (func (export "canister_update keep")
    (call $ic0.msg_arg_data_copy (i32.const 2) (i32.const 0) (i32.const 1)) (call $ic0.msg_reply))
  (func (export "canister_query at_init") (call $say (i32.const 0)))
  (func (export "canister_query at_upgrade") (call $say (i32.const 1)))
  (func (export "canister_query kept") (call $say (i32.const 2)))
"""


class TestLife:
    def test_an_upgrade_keeps_stable_memory_and_only_that(self) -> None:
        host = WatHost(KEEPING, init_arg=b"four")
        host.update("keep", b"x")
        assert reply_of(host.query("at_init")) == b"\x04"
        assert isinstance(host.upgrade(), Reply)
        assert [reply_of(host.query(name)) for name in ("at_init", "at_upgrade", "kept")] == [b"\x00", b"\x04", b"x"]

    @pytest.mark.parametrize("hook", ["canister_pre_upgrade", "canister_post_upgrade"])
    def test_an_upgrade_that_traps_changes_nothing(self, hook: str) -> None:
        host = WatHost(KEEPING)
        host.update("keep", b"x")
        broken = KEEPING.replace(f'(export "{hook}")', f'(export "{hook}") unreachable')
        if hook == "canister_pre_upgrade":
            host = WatHost(broken)
            host.update("keep", b"x")
        assert reject_of(host.upgrade(broken)).error_code == "IC0502"
        assert reply_of(host.query("kept")) == b"x"
        assert reply_of(host.update("keep", b"y")) == b""

    @pytest.mark.parametrize("is_64", [False, True], ids=["wasm32", "wasm64"])
    def test_an_upgrade_keeps_the_memory_of_modules_that_are_compiled_for_it(self, is_64: bool) -> None:
        body = f"""
          (func $start (i32.store8 (POINTER.const 3) (i32.add (i32.load8_u (POINTER.const 3)) (i32.const 1))))
          (start $start)
          {COUNTER_64 if is_64 else COUNTER_32}
          (func (export "canister_query starts")
            (call $ic0.msg_reply_data_append (POINTER.const 3) (POINTER.const 1)) (call $ic0.msg_reply))"""
        keeping = f'{body} (@custom "icp:private enhanced-orthogonal-persistence" "")'
        for code, count, starts in ((keeping, b"\x02", b"\x02"), (body, b"\x00", b"\x01")):
            host = WatHost(code, is_64=is_64)
            host.update("add")
            host.update("grow_and_trap")  # goes on in a new instance, which does not start again
            host.update("add")
            assert reply_of(host.query("starts")) == b"\x01"
            assert isinstance(host.upgrade(), Reply)
            assert (reply_of(host.query("count")), reply_of(host.query("starts"))) == (count, starts)
            assert reply_of(host.query("global")) == b"\x00"

    def test_a_reinstallation_forgets_everything(self) -> None:
        host = WatHost(KEEPING)
        host.update("keep", b"x")
        assert isinstance(host.host.install(host.factory(KEEPING), now_ns=host.now_ns), Reply)
        assert reply_of(host.query("kept")) == b"\x00"

    def test_without_code_every_call_is_rejected(self) -> None:
        host = WatHost(KEEPING)
        host.host.uninstall()
        assert reject_of(host.update("keep")).error_code == "IC0537"

    def test_a_trap_in_init_rejects_the_installation(self) -> None:
        assert reject_of(WatHost('(func (export "canister_init") unreachable)').installed).error_code == "IC0502"


class TestTimers:
    BODY = """
      (func (export "canister_update start")
        (drop (call $ic0.global_timer_set (i64.add (call $ic0.time) (i64.const 5000000000)))) (call $ic0.msg_reply))
      (func (export "canister_update stop") (drop (call $ic0.global_timer_set (i64.const 0))) (call $ic0.msg_reply))
      (func (export "canister_update start_and_trap")
        (drop (call $ic0.global_timer_set (i64.add (call $ic0.time) (i64.const 5000000000)))) unreachable)
      (func (export "canister_global_timer")
        (i64.store (i32.const 0) (call $ic0.time)) (call $ic0.debug_print (i32.const 16) (i32.const 4)))
      (func (export "canister_query at") (call $ic0.msg_reply_data_append (i32.const 0) (i32.const 8))
        (call $ic0.msg_reply))
      (data (i32.const 16) "tick")
    """

    def test_the_global_timer_goes_off_once_at_its_time(self) -> None:
        host = WatHost(self.BODY)
        host.update("start")
        assert host.host.next_timer_ns == START_NS + 5 * 10**9
        host.advance_s(20)
        assert int.from_bytes(reply_of(host.query("at")), "little") == START_NS + 5 * 10**9
        assert (host.prints, host.host.next_timer_ns) == (["tick"], None)

    def test_the_global_timer_can_be_moved_and_ended(self) -> None:
        host = WatHost(self.BODY)
        host.update("start")
        host.advance_s(1)
        host.update("start")
        assert host.host.next_timer_ns == START_NS + 6 * 10**9
        host.update("stop")
        assert host.host.next_timer_ns is None

    def test_a_trap_takes_the_timer_back(self) -> None:
        host = WatHost(self.BODY)
        host.update("start")
        host.advance_s(1)
        host.update("start_and_trap")
        assert host.host.next_timer_ns == START_NS + 5 * 10**9
        host.update("start")
        assert host.host.next_timer_ns == START_NS + 6 * 10**9
        host.advance_s(10)
        assert host.prints == ["tick"]

    def test_the_heartbeat_runs_every_second(self) -> None:
        host = WatHost(
            '(func (export "canister_heartbeat") (call $ic0.debug_print (i32.const 0) (i32.const 2)))'
            ' (data (i32.const 0) "hi")'
        )
        host.advance_s(3)
        assert host.prints == ["hi"] * 3

    def test_a_trap_in_a_timer_is_printed(self) -> None:
        host = WatHost(
            self.BODY.replace('(export "canister_global_timer")', '(export "canister_global_timer") unreachable')
        )
        host.update("start")
        host.advance_s(6)
        assert len(host.prints) == 1
        assert "unreachable" in host.prints[0]


class TestInspection:
    BODY = """
      (func (export "canister_inspect_message")
        (if (i32.eq (call $ic0.msg_method_name_size) (i32.const 4)) (then (call $ic0.accept_message))))
      (func (export "canister_update good") (call $ic0.msg_reply))
    """

    def test_a_call_that_is_not_accepted_is_rejected(self) -> None:
        host = WatHost(self.BODY).host
        assert host.inspect("good", b"", caller=CALLER, now_ns=START_NS) is None
        reject = host.inspect("other", b"", caller=CALLER, now_ns=START_NS)
        assert reject is not None
        assert reject.error_code == "IC0516"

    def test_a_module_without_inspection_accepts_everything(self) -> None:
        assert WatHost(COUNTER_32).host.inspect("add", b"", caller=CALLER, now_ns=START_NS) is None


class TestMemory:
    def test_a_canister_that_is_gone_is_freed(self) -> None:
        host = WatHost(COUNTER_32)
        host.update("add")
        host.update("grow_and_trap")  # goes on in a new instance
        installed = host.host._installed
        assert installed is not None
        canister = weakref.ref(installed.code)
        del installed
        host.host.uninstall()
        gc.collect()
        assert canister() is None

    def test_an_instance_that_is_gone_is_freed(self) -> None:
        host = WatHost(COUNTER_32)
        assert host.host._installed is not None
        instance = weakref.ref(host.host._installed.code.instance)
        host.upgrade()
        gc.collect()
        assert instance() is None
