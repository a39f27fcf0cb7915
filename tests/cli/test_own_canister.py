"""`--wasm`, `--did` and `--init`: a compiled canister of one's own."""

import json

import pytest

from icws_explore.cli import options
from icws_explore.lab.wasm import module
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import candid_interface
from icws_explore.protocol.errors import LabError
from support.wat import wasm

DID = candid_interface(parse_type("record { text : text }"))
BODY = """
  (func (export "canister_init")
    (call $ic0.msg_arg_data_copy (i32.const 0) (i32.const 0) (call $ic0.msg_arg_data_size))
    (call $ic0.debug_print (i32.const 0) (call $ic0.msg_arg_data_size)))
  (func (export "canister_update ws_open") (call $ic0.trap (i32.const 0) (i32.const 4)))
  (func (export "canister_query ws_get_messages") unreachable)
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.wasm").write_bytes(wasm(BODY))
    (tmp_path / "own.did").write_text(DID, encoding="utf-8")
    return ["--wasm", tmp_path / "own.wasm", "--did", tmp_path / "own.did"]


def test_it_is_simulated(icws, own, tmp_path):
    arguments = [*own, "--duration", "2m", "--json", "-o", tmp_path / "s.icws"]
    assert icws("simulate", *arguments).code == 0
    assert json.loads(icws.out)["opened"] == 0
    assert "the clients only listen; --send TEXT or --script NAME" in icws.err
    assert icws("simulate", *arguments, "--script", "echo", "--think-ms", "5").code == 0
    assert "only listen" not in icws.err
    assert "--think-ms goes with --send or --script" in icws.fails(2, "simulate", *arguments, "--think-ms", "5")


@pytest.mark.parametrize("command", ["lab", "simulate"])
class TestErrors:
    def fails(self, icws, tmp_path, command, code, *arguments):
        out = ["-o", tmp_path / "s.icws"] if command == "simulate" else []
        return icws.fails(code, command, *arguments, *out)

    def test_an_argument_that_does_not_fit(self, icws, own, tmp_path, command):
        assert "the init argument has 1 value;" in self.fails(icws, tmp_path, command, 3, *own, "--init", "(5)")

    def test_a_file_that_is_no_module(self, icws, own, tmp_path, command):
        line = self.fails(icws, tmp_path, command, 3, "--wasm", own[3])
        assert "own.did is not a WebAssembly module" in line

    def test_no_interface(self, icws, own, tmp_path, command):
        assert "--did FILE" in self.fails(icws, tmp_path, command, 3, *own[:2])

    def test_options_without_it(self, icws, own, tmp_path, command):
        assert "--did and --init go with --wasm" in self.fails(icws, tmp_path, command, 2, *own[2:])

    def test_an_app_beside_it(self, icws, own, tmp_path, command):
        assert "takes the place of --app" in self.fails(icws, tmp_path, command, 2, *own, "--app", "echo")

    def test_wasmtime_is_missing(self, icws, own, tmp_path, command, monkeypatch):
        def missing():
            raise LabError("install wasmtime")

        monkeypatch.setattr(module, "engine", missing)
        assert "install wasmtime" in self.fails(icws, tmp_path, command, 3, *own)


def test_what_takes_long_is_said(icws, own, tmp_path, monkeypatch):
    class Impatient(options.threading.Timer):
        def start(self):
            self.function(*self.args)

        def cancel(self):
            pass

    monkeypatch.setattr(options.threading, "Timer", Impatient)
    icws("simulate", *own, "--duration", "1s", "-o", tmp_path / "s.icws")
    assert "compiling" in icws.err
