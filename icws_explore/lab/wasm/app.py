"""`WasmApp`: a canister's own module as the application of a lab or a simulation.

The messages' type comes from the Candid interface: the ``did`` that is given, else the module's custom section
``icp:public candid:service`` (written by dfx, icp-cli and ic-wasm), else the text to which its function
``get_candid_pointer`` points (``export_candid!`` of the Rust CDK).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from icws_explore.protocol.candid import DidFile, parse_did
from icws_explore.protocol.canister import App, CallRejected, CanisterFactory, CdkConfig
from icws_explore.protocol.errors import DidError, LabError
from icws_explore.protocol.principal import Principal

from .canister import CYCLES, WasmCanister
from .engine import budgeted
from .init_args import encode_init
from .instance import Instance
from .module import WasmModule, read_module
from .signatures import SIGNATURES

MAX_DID_BYTES: Final = 1024 * 1024
_CANDID_POINTER: Final = "get_candid_pointer"


@dataclass(frozen=True, slots=True)
class WasmApp(App):
    """An `App` that runs a module. `wasm_app` makes it.

    ``did`` is the canister's Candid interface, ``init_arg`` the encoded argument of its init, ``cycles`` what a new
    canister has.
    """

    module: WasmModule = field(kw_only=True, repr=False)
    did: str = field(kw_only=True, repr=False)
    init_arg: bytes = field(kw_only=True, default=b"DIDL\0\0", repr=False)
    cycles: int = field(kw_only=True, default=CYCLES)

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        """The factory that a host installs. ``config`` is not used: the module has its own CDK."""
        del config
        return lambda system: WasmCanister(
            system, self.module, init_arg=self.init_arg, candid_interface=self.did, cycles=self.cycles
        )


def wasm_app(
    wasm: str | Path | bytes,
    *,
    did: str | Path | None = None,
    init: str | bytes | None = None,
    cycles: int = CYCLES,
) -> WasmApp:
    """Read and compile a canister's module.

    ``wasm`` is a .wasm, .wasm.gz or .wat file, or its bytes. ``did`` is the canister's .did file or text; None: the
    one in the module. ``init`` is the argument of its init and post_upgrade: Candid text such as
    "(record { limit = 5 })", or encoded bytes; None: no argument.

    Raises LabError: one line with the file and the reason.
    """
    module = read_module(wasm)
    name = "module" if isinstance(wasm, bytes) else Path(wasm).name
    text = _did_text(name, module, did)
    try:
        interface = parse_did(text)
        message_type = interface.application_type()
    except DidError as error:
        where = f"the Candid interface of {name}" if did is None else "the .did"
        raise LabError(f"{where}: {error}") from error
    return WasmApp(
        name=name,
        message_type=message_type,
        module=module,
        did=text,
        init_arg=_init_arg(name, interface, init),
        cycles=cycles,
    )


def _init_arg(name: str, interface: DidFile, init: str | bytes | None) -> bytes:
    if isinstance(init, bytes):
        return init
    types = interface.init_args or ()
    if init is None and types:
        wanted = ", ".join(str(each) for each in types)
        raise LabError(f"{name} takes an argument at its installation, of type ({wanted}); give it as init (--init)")
    return encode_init(init or "()", types)


def _did_text(name: str, module: WasmModule, did: str | Path | None) -> str:
    if did is not None:
        return _read_did(did)
    if module.candid is not None:
        return module.candid
    if _CANDID_POINTER in module.exports:
        return _extracted(name, module)
    raise LabError(f"{name} has no Candid interface in it; give the canister's .did file (did=, or --did FILE)")


def _read_did(did: str | Path) -> str:
    if isinstance(did, str) and not did.endswith(".did"):
        return did
    try:
        with Path(did).open("rb") as file:
            return file.read(MAX_DID_BYTES + 1).decode("utf-8")  # a longer text is refused when it is parsed
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LabError(f"{did}: cannot be read ({why})") from error


class _NoCalls:
    """Imports for an instance that runs nothing of a canister: each traps."""

    def __getattr__(self, name: str) -> object:
        if name not in SIGNATURES:
            raise AttributeError(name)

        def call(*_args: int) -> int:
            raise CallRejected(5, f"ic0.{name} was called outside of a canister", "IC0504", undoes=True)

        return call


def _extracted(name: str, module: WasmModule) -> str:
    """Read the text that ``export_candid!`` puts into a module."""
    try:
        with budgeted() as budget:
            instance = Instance(module, Principal.MANAGEMENT, _NoCalls(), budget)
            start = instance.value_of(_CANDID_POINTER, budget)
            size = min(MAX_DID_BYTES, instance.memory_size - start)
            return instance.read(start, max(size, 0)).partition(b"\0")[0].decode("utf-8")
    except (CallRejected, ValueError) as error:
        raise LabError(
            f"{name}: its Candid interface cannot be read ({error}); give the .did file (did=, or --did FILE)"
        ) from error
