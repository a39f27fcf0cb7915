"""Canisters compiled to WebAssembly, in the lab and the simulator.

`wasm_app` makes an `App` of a module, which `Lab` and `simulate` run as they run canisters in Python::

    lab = icws.Lab(wasm="my_canister.wasm", init="(record { limit = 5 })")

wasmtime runs the code (the optional extra ``wasm``). A module can reach nothing but the System API of the interface
specification (see `signatures` and `system_calls`), its memory is limited, and a message that runs too long ends in a
trap (see `engine`).
"""

from __future__ import annotations

from .app import WasmApp, wasm_app

__all__ = ["WasmApp", "wasm_app"]
