"""Hostile modules: each is one line, and the canister (and every other) goes on."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from icws_explore.lab.wasm import instance
from icws_explore.lab.wasm.engine import budgeted, engine
from icws_explore.lab.wasm.instance import MAX_MEMORY_BYTES
from icws_explore.lab.wasm.module import MAX_MODULE_BYTES, read_module
from icws_explore.protocol.errors import LabError
from support.wat import WatHost, factory_of, reject_of, reply_of, wasm

GOOD = '(func (export "canister_update good") (call $ic0.msg_reply))'
LOOP = "(loop $again {} (br $again))"
BAD = {
    "an endless loop": (LOOP.format(""), "IC0522", "1,000,000,000 instructions"),
    "an endless loop of imports": (LOOP.format("(drop (call $ic0.time))"), "IC0522", "100,000 calls of the System API"),
    "an endless loop of copies": (
        LOOP.format("(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))"), "IC0522", "limit of"),
    "endless recursion": ("(call $recurse)", "IC0502", "stack overflow"),
    "an endless loop of prints": (
        LOOP.format("(call $ic0.debug_print (i32.const 0) (i32.const 65536))"), "IC0522", "calls of the System API"),
    "a write outside of its memory": ("(i32.store (i32.const -4) (i32.const 1))", "IC0502", "heap out of bounds"),
    "an import that writes outside": (
        "(call $ic0.canister_self_copy (i32.const -4) (i32.const 0) (i32.const 10))", "IC0504", "outside of its"),
    "an import that reads outside": (
        "(call $ic0.msg_reply_data_append (i32.const 60000) (i32.const 60000))", "IC0504", "outside of its memory"),
    "a reply that is too large": (
        LOOP.format("(call $ic0.msg_reply_data_append (i32.const 0) (i32.const 65536))"), "IC0504", "larger than"),
    "an argument that it does not have": (
        "(call $ic0.msg_arg_data_copy (i32.const 0) (i32.const 5) (i32.const -1))", "IC0504", "bytes from 5 on, of 0"),
    "stable memory that it does not have": (
        "(call $ic0.stable64_write (i64.const -8) (i64.const 0) (i64.const 8))", "IC0502", "stable memory"),
    "stable memory without end": (
        "(drop (call $ic0.stable64_grow (i64.const 200000)))"
        + LOOP.format(
            "(call $ic0.stable64_write (i64.load (i32.const 0)) (i64.const 8) (i64.const 60000))"
            "(i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 60000)))"),
        "IC0522", "calls of the System API"),
    "a callback that does not exist": (
        "(call $ic0.call_new (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)"
        " (i32.const 77) (i32.const 0) (i32.const 77) (i32.const 0)) (drop (call $ic0.call_perform))",
        "IC0504", "no function 77"),
    "calls without end": (
        LOOP.format(
            "(call $ic0.call_new (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)"
            " (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (drop (call $ic0.call_perform))"),
        "IC0522", "calls of the System API"),
    "a principal that is too long": (
        "(drop (call $ic0.is_controller (i32.const 0) (i32.const 60000)))", "IC0504", "29 bytes"),
}  # fmt: skip


class TestMessages:
    @pytest.mark.parametrize("what", BAD)
    def test_end_in_one_line_and_leave_the_canister_as_it_was(self, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
        code, error_code, text = BAD[what]
        if text != "limit of":  # what ends is a count, however slow the machine
            monkeypatch.setattr(instance, "DEADLINE_TICKS", 100 * instance.DEADLINE_TICKS)
        body = f"""
          (func $recurse (call $recurse) (call $recurse))
          {GOOD} (func (export "canister_update bad") {code})"""
        host = WatHost(body)
        reject = reject_of(host.update("bad"))
        assert reject.error_code == error_code
        assert text in reject.text
        assert "\n" not in reject.text
        assert len(reject.text) < 400
        assert reply_of(host.update("good")) == b""

    @pytest.mark.parametrize("is_64", [False, True], ids=["wasm32", "wasm64"])
    def test_cannot_take_all_memory(self, is_64: bool) -> None:
        body = f"""
          {GOOD}
          (func (export "canister_update grow")
            (loop $again (br_if $again (POINTER.ne (memory.grow (POINTER.const 256)) (POINTER.const -1))))
            (POINTER.store (POINTER.const 0) (memory.size))
            (call $ic0.msg_reply_data_append (POINTER.const 0) (POINTER.const 4)) (call $ic0.msg_reply))"""
        host = WatHost(body, is_64=is_64)
        pages = int.from_bytes(reply_of(host.update("grow")), "little")
        assert reply_of(host.update("good")) == b""
        assert MAX_MEMORY_BYTES - 256 * 65_536 < pages * 65_536 <= MAX_MEMORY_BYTES

    def test_a_heartbeat_without_end_is_run_once(self) -> None:
        host = WatHost(f'{GOOD} (func (export "canister_heartbeat") {LOOP.format("")})')
        host.advance_s(5)
        assert len(host.prints) == 1
        assert host.prints[0].startswith("the lab runs no more heartbeats of this canister")
        assert host.host.next_timer_ns is None
        assert reply_of(host.update("good")) == b""

    def test_a_deadline_ends_what_counts_do_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        host = WatHost(f'{GOOD} (func (export "canister_update bad") {LOOP.format("")})')
        monkeypatch.setattr("icws_explore.lab.wasm.instance.DEADLINE_TICKS", 1)
        with budgeted() as budget:
            budget.instructions = 10**15
            engine().increment_epoch()
            reject = reject_of(host.update("bad"))
        assert (reject.error_code, " s for single message" in reject.text) == ("IC0522", True)

    def test_a_trap_in_one_canister_leaves_another_alone(self) -> None:
        good, bad = WatHost(GOOD), WatHost('(func (export "canister_update bad") unreachable)')
        assert reject_of(bad.update("bad")).error_code == "IC0502"
        assert reply_of(good.update("good")) == b""


class TestModules:
    @pytest.mark.parametrize(
        ("code", "why"),
        [
            (b"", "does not begin with the magic bytes"),
            (b"<!DOCTYPE html>", "does not begin with the magic bytes"),
            (b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0f", "it ends too early"),
            (b"\0asm\x01\0\0\0\x06\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", "a number of more than 64 bits"),
            (b"\0asm\x01\0\0\0\x03\x04\xff\xff\xff\x7f", "functions; a replica accepts at most 50,000"),
            (b"\0asm\x01\0\0\0\x06\x04\xff\xff\xff\x7f", "globals; a replica accepts at most 1,000"),
            (b"\0asm\x01\0\0\0\x0a\x02\x01\x00", "is not a valid WebAssembly module"),
            (gzip.compress(bytes(MAX_MODULE_BYTES + 10)), "64 MiB or more"),
            (b"\x1f\x8bnonsense", "is not a gzip file"),
        ],
    )
    def test_that_are_none_are_refused_in_one_line(self, code: bytes, why: str) -> None:
        with pytest.raises(LabError) as refused:
            read_module(code)
        text = str(refused.value)
        assert text.startswith("the module ")
        assert why in text
        assert "\n" not in text

    @pytest.mark.parametrize("use", ["(call 1)", "(drop (global.get 1))"])
    def test_that_use_what_the_lab_adds_are_refused(self, use: str) -> None:
        import wasmtime

        text = f"(module (global (mut i32) (i32.const 0)) (func {use}))"
        with pytest.raises(LabError, match="is not a valid WebAssembly module: unknown (function|global)"):
            read_module(bytes(wasmtime.wat2wasm(text)))

    def test_too_large_files_are_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.wasm"
        with path.open("wb") as file:
            file.truncate(100 * 1024 * 1024)
        with pytest.raises(LabError, match=r"huge\.wasm has 100 MiB or more; the lab takes modules of up to 64 MiB"):
            read_module(path)

    def test_devices_are_not_read_to_their_end(self) -> None:
        with pytest.raises(LabError, match=r"/dev/zero has 64 MiB or more"):
            read_module(Path("/dev/zero"))

    def test_missing_files_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(LabError, match=r"none\.wasm cannot be read \(No such file or directory\)"):
            read_module(tmp_path / "none.wasm")

    def test_an_unknown_import_traps_when_it_is_called_and_not_before(self) -> None:
        import wasmtime

        code = wasmtime.wat2wasm(
            """(module
              (import "ic0" "teleport" (func $a (param i32) (result i64))) (import "env" "now" (func $b))
              (import "ic0" "msg_reply" (func $r))
              (func (export "canister_update first") (drop (call $a (i32.const 1))))
              (func (export "canister_update second") (call $b))
              (func (export "canister_update good") (call $r)))"""
        )
        host = WatHost(GOOD)
        assert reply_of(host.host.install(factory_of(bytes(code)), now_ns=host.now_ns)) == b""
        assert "Canister called ic0.teleport, which this lab does not have" in reject_of(host.update("first")).text
        assert "Canister called env.now, which this lab does not have" in reject_of(host.update("second")).text
        assert reply_of(host.update("good")) == b""

    def test_an_import_of_another_type_rejects_the_installation(self) -> None:
        import wasmtime

        code = wasmtime.wat2wasm('(module (import "ic0" "time" (func (param i32) (result i32))))')
        host = WatHost(GOOD)
        reject = reject_of(host.host.install(factory_of(bytes(code)), now_ns=host.now_ns))
        assert (reject.error_code, "imports ic0.time as (i32) -> (i32), which is () -> (i64)" in reject.text) == (
            "IC0505",
            True,
        )
        assert reply_of(host.update("good")) == b""

    @pytest.mark.parametrize("what", ["(memory 1)", "(table 1 funcref)", "(global i32)"])
    def test_imports_that_are_no_functions_are_refused(self, what: str) -> None:
        import wasmtime

        code = bytes(wasmtime.wat2wasm(f'(module (import "env" "it" {what}))'))
        with pytest.raises(LabError, match=r"imports the \w+ env\.it; a canister can import only functions"):
            read_module(code)

    @pytest.mark.parametrize(
        ("body", "memory"),
        [("", "65536"), ('(data (i32.const 70000) "x")', "1"), ('(data (i32.const -1) "x")', "1")],
        ids=["4 GiB of memory", "data outside", "data far outside"],
    )
    def test_that_cannot_be_instantiated_reject_the_installation(self, body: str, memory: str) -> None:
        reject = reject_of(WatHost(f"{body} {GOOD}", memory=memory).installed)
        assert reject.error_code in {"IC0502", "IC0505"}
        assert "\n" not in reject.text

    def test_a_start_function_is_limited_as_well(self) -> None:
        body = f"(func $start {LOOP.format('')}) (start $start) {GOOD}"
        assert reject_of(WatHost(body).installed).error_code == "IC0522"

    def test_large_data_is_taken(self) -> None:
        code = wasm(f'{GOOD} (data (i32.const 0) "{"x" * 5_000_000}")', memory="100")
        host = WatHost(GOOD)
        host.host.install(factory_of(code), now_ns=host.now_ns)
        assert reply_of(host.update("good")) == b""
