"""Small canisters in WebAssembly text, in a host.

A body calls the System API as ``call $ic0.NAME``; the imports are added. It may use ``(data …)`` and functions of its
own. ``POINTER`` stands for the type of pointers, i32 or i64.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from icws_explore.lab.wasm.canister import WasmCanister
from icws_explore.lab.wasm.module import read_module
from icws_explore.lab.wasm.signatures import SIGNATURES
from icws_explore.protocol.canister import CanisterFactory, CanisterHost, Outcome, Reject, Reply
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal

CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
CALLER = Principal(b"somebody")
START_NS = 1_790_000_000_000_000_000


def wat(body: str, *, is_64: bool = False, memory: str = "1") -> str:
    """A module around a body, with the imports that it calls."""
    pointer = "i64" if is_64 else "i32"
    imports = []
    for name in sorted(set(re.findall(r"\$ic0\.(\w+)", body))):
        signature = SIGNATURES[name]
        params = " ".join(pointer if each == "I" else each for each in signature.params)
        result = pointer if signature.result == "I" else signature.result
        kind = f"(param {params})" + (f" (result {result})" if result else "")
        imports.append(f'(import "ic0" "{name}" (func $ic0.{name} {kind}))')
    kept = f"(memory {'i64 ' if is_64 else ''}{memory})"
    return f"(module {' '.join(imports)} {kept} {body})".replace("POINTER", pointer)


def wasm(body: str, **options: str | bool) -> bytes:
    """The same, compiled."""
    import wasmtime

    return bytes(wasmtime.wat2wasm(wat(body, **options)))  # type: ignore[arg-type]


def factory_of(code: bytes, **options: object) -> CanisterFactory:
    module = read_module(code)
    return lambda system: WasmCanister(  # type: ignore[arg-type]
        system, module, **{"init_arg": b"", "candid_interface": "", **options}
    )


@dataclass
class WatHost:
    """A canister of a body in a host. `update` and `query` move no time; `advance_s` does."""

    body: str
    is_64: bool = False
    memory: str = "1"
    init_arg: bytes = b""
    cycles: int = 10**14
    prints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now_ns = START_NS
        self.host = CanisterHost(
            CANISTER,
            certify=lambda data: b"certified " + data,
            on_print=lambda _, text: self.prints.append(text),
            subnet=(Principal(b"subnet"), b"root key"),
        )
        self.installed = self.host.install(self.factory(self.body), now_ns=self.now_ns)

    def factory(self, body: str) -> CanisterFactory:
        code = wasm(body, is_64=self.is_64, memory=self.memory)
        return factory_of(code, init_arg=self.init_arg, cycles=self.cycles)

    def update(self, method: str, arg: bytes = b"", caller: Principal = CALLER) -> Outcome:
        return self.host.update(method, arg, caller=caller, now_ns=self.now_ns)

    def query(self, method: str, arg: bytes = b"", caller: Principal = CALLER) -> Outcome:
        return self.host.query(method, arg, caller=caller, now_ns=self.now_ns)

    def upgrade(self, body: str | None = None) -> Outcome:
        return self.host.upgrade(self.factory(body or self.body), now_ns=self.now_ns)

    def advance_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)
        self.host.advance(self.now_ns)


def reply_of(outcome: Outcome) -> bytes:
    assert isinstance(outcome, Reply), outcome
    return outcome.data


def reject_of(outcome: Outcome) -> Reject:
    assert isinstance(outcome, Reject), outcome
    return outcome
