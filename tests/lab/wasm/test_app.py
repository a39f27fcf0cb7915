"""A module as the application of a lab and of a simulation."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

import icws_explore as icws
from icws_explore.lab.wasm import wasm_app
from icws_explore.protocol.candid import TEXT, decode, parse_type
from icws_explore.protocol.canister import candid_interface
from icws_explore.protocol.canister.host import run_unwatched
from icws_explore.protocol.errors import ArgumentValueError, LabError
from support.lab_requests import eventually
from support.wat import wasm, wat

MESSAGE = parse_type("record { text : text }")
DID = candid_interface(MESSAGE)
WITH_INIT = DID.replace("service : {", "service : (text) -> {")
OTHER_DID = candid_interface(parse_type("text"))
NOTHING = '(func (export "canister_update nothing") (call $ic0.msg_reply))'


def with_section(code: bytes, name: str, text: str) -> bytes:
    content = bytes([len(name)]) + name.encode() + text.encode()
    size = len(content)
    return code + b"\0" + bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + content


class TestCandid:
    def test_is_read_from_the_custom_section(self) -> None:
        app = wasm_app(with_section(wasm(NOTHING), "icp:public candid:service", DID))
        assert (app.did, app.message_type, app.name) == (DID, MESSAGE, "module")

    def test_is_read_from_where_the_rust_cdk_puts_it(self) -> None:
        text = DID.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        pointer = '(func (export "get_candid_pointer") (result i32) (i32.const 100))'
        assert wasm_app(wasm(f'{pointer} (data (i32.const 100) "{text}\\00")')).did == DID

    def test_a_given_one_comes_first(self, tmp_path: Path) -> None:
        code = with_section(wasm(NOTHING), "icp:public candid:service", "service : {}")
        (tmp_path / "own.did").write_text(DID, encoding="utf-8")
        assert wasm_app(code, did=tmp_path / "own.did").message_type == MESSAGE
        assert wasm_app(code, did=DID).message_type == MESSAGE

    @pytest.mark.parametrize(
        ("body", "did", "why"),
        [
            (NOTHING, None, r"module has no Candid interface in it; give the canister's \.did file \(did="),
            (NOTHING, "service : {}", r"the \.did: the service has no method ws_message"),
            (NOTHING, "missing.did", r"missing\.did: cannot be read"),
            ('(func (export "get_candid_pointer") (result i32) (unreachable))', None, "cannot be read"),
            ('(func (export "get_candid_pointer") (result i32) (i32.const -9))', None, "cannot be read"),
        ],
    )
    def test_that_cannot_be_had_is_one_line(self, body: str, did: str | None, why: str) -> None:
        with pytest.raises(LabError, match=why) as refused:
            wasm_app(wasm(body), did=did)
        assert "\n" not in str(refused.value)

    def test_is_not_read_to_the_end_of_a_device(self) -> None:
        with pytest.raises(LabError, match="more than the 262144 allowed"):
            wasm_app(wasm(NOTHING), did=Path("/dev/zero"))


class TestInit:
    def test_candid_text_is_encoded_for_the_types_in_the_did(self) -> None:
        assert decode(wasm_app(wasm(NOTHING), did=WITH_INIT, init='("x")').init_arg, [TEXT]) == ["x"]

    def test_bytes_are_taken_as_they_are(self) -> None:
        assert wasm_app(wasm(NOTHING), did=DID, init=b"DIDL").init_arg == b"DIDL"

    def test_a_missing_one_is_named_with_its_type(self) -> None:
        with pytest.raises(LabError, match=r"module takes an argument at its installation, of type \(text\)"):
            wasm_app(wasm(NOTHING), did=WITH_INIT)

    def test_without_one_the_canister_gets_no_values(self) -> None:
        assert decode(wasm_app(wasm(NOTHING), did=DID).init_arg, []) == []


class TestFiles:
    @pytest.mark.parametrize("suffix", ["wasm", "wasm.gz", "wat"])
    def test_every_form_is_read(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"own.{suffix}"
        code = wasm(NOTHING)
        path.write_bytes({"wasm": code, "wasm.gz": gzip.compress(code), "wat": wat(NOTHING).encode()}[suffix])
        assert wasm_app(path, did=DID).name == path.name

    def test_bad_text_is_one_line(self, tmp_path: Path) -> None:
        path = tmp_path / "own.wat"
        path.write_text("(module", encoding="utf-8")
        with pytest.raises(LabError, match=r"own\.wat is not WebAssembly text") as refused:
            wasm_app(path, did=DID)
        assert "\n" not in str(refused.value)


class TestLab:
    def test_it_is_reinstalled_with_other_code(self) -> None:
        trap = '(func (export "canister_init") unreachable)'
        with icws.Lab(wasm=wasm(NOTHING), did=DID) as lab:
            lab.reinstall(app=wasm_app(wasm(NOTHING), did=OTHER_DID))
            assert lab.app_did == OTHER_DID
            with pytest.raises(LabError, match="could not be installed"):
                lab.reinstall(app=wasm_app(wasm(trap), did=DID))
            assert lab.app_did == OTHER_DID

    def test_did_and_init_belong_to_a_module(self) -> None:
        with pytest.raises(ArgumentValueError, match="belong to a compiled canister"):
            icws.Lab("echo", did=DID)

    def test_a_canister_lives_through_all_that_a_lab_can_do_with_it(self) -> None:
        body = f"""
          {NOTHING}
          (func (export "canister_init") (drop (call $ic0.stable64_grow (i64.const 2))))
          (func (export "canister_query ws_get_messages") (call $ic0.msg_reply))"""
        with icws.Lab(wasm=wasm(body), did=DID, gateways=1) as lab:
            assert lab.app_did == DID
            view = lab.canister()
            assert (view.clients, view.queues) == ((), {})
            assert (view.memory["memory_bytes"], view.memory["stable_bytes"]) == (65_536, 2 * 65_536)
            lab.upgrade()
            lab.reinstall()
            lab.stop_canister()
            lab.start_canister()
            lab.uninstall()
            assert lab.app_did == ""
            lab.reinstall()
            assert lab.app_did == DID
            kinds = [event.kind for event in lab.events if event.part == "canister"]
        assert [kind for kind in kinds if kind != "rejected"] == [
            "upgraded", "reinstalled", "stopped", "started", "uninstalled", "reinstalled",
        ]  # fmt: skip

    def test_an_upgrade_changes_from_python_to_a_module_and_back(self, tmp_path: Path) -> None:
        path = tmp_path / "own.wasm"
        path.write_bytes(with_section(wasm(NOTHING), "icp:public candid:service", DID))
        with icws.Lab("pingpong") as lab:
            host = lab._running_network.replica.canisters[lab.canister_id]
            assert host.run_code == lab._running_network.watchdog.run
            lab.upgrade(app=path)
            assert (lab.app_did, host.run_code) == (DID, run_unwatched)
            lab.upgrade(app="echo")
            assert host.run_code == lab._running_network.watchdog.run
            assert lab.canister().clients == ()

    def test_an_installation_that_traps_is_one_line(self) -> None:
        with pytest.raises(LabError, match="the module canister could not be installed: .* unreachable"):
            icws.Lab(wasm=wasm('(func (export "canister_init") unreachable)'), did=DID).start()

    def test_a_hostile_canister_harms_no_other(self) -> None:
        bad = wasm(
            '(func (export "canister_global_timer") (loop $again (br $again)))'
            '(func (export "canister_init") (drop (call $ic0.global_timer_set (i64.const 1))))'
        )
        with icws.Lab("echo", seed=4) as lab:
            canister_id = lab.add_canister(wasm_app(bad, did=DID))
            assert canister_id != lab.canister_id
            assert lab.canister().clients == ()
            asyncio.run(eventually(lambda: [event for event in lab.events if event.kind == "trapped"]))
            assert any("exceeded the limit of" in event.text for event in lab.events)


def test_a_simulated_canister_is_the_same_in_every_run() -> None:
    body = """
      (func (export "canister_update ws_open") (call $ic0.trap (i32.const 0) (i32.const 2)))
      (func (export "canister_query ws_get_messages") (call $ic0.trap (i32.const 0) (i32.const 2)))
      (data (i32.const 0) "no")"""
    app = wasm_app(wasm(body), did=DID)
    first, second = (icws.simulate(app, duration="2m", seed=3) for _ in range(2))
    assert first.raw.frames == second.raw.frames
    assert "no" in "".join(event.text for event in first.log)
