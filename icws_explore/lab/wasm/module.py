"""A canister's module: read from a file, checked, compiled once.

Compiling takes seconds for a large module, so it is done before a lab is asked to run it, and its result is kept: in
this process, and by wasmtime in the user's cache folder.
"""

from __future__ import annotations

import atexit
import gzip
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.errors import LabError

from .engine import engine
from .sections import GLOBAL, prepared

if TYPE_CHECKING:
    import wasmtime

MAX_MODULE_BYTES: Final = 64 * 1024 * 1024  # uncompressed
KEPT: Final = 16  # modules
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class WasmModule:
    """A compiled module. ``globals`` are the names under which its mutable globals are exported."""

    compiled: wasmtime.Module
    exports: frozenset[str]
    globals: tuple[str, ...]
    has_memory: bool
    has_table: bool
    keeps_memory: bool  # in an upgrade, to a module that also does
    candid: str | None
    size: int  # bytes of the file

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a module as it was compiled, for a lab in a process of its own."""
        _, *others = (getattr(self, each.name) for each in fields(self))
        return _restored, (bytes(self.compiled.serialize()), *others)


def _restored(compiled: bytes, *others: Any) -> WasmModule:
    import wasmtime  # an extra: `engine` says what to install

    key = hashlib.sha256(compiled).digest()
    return _kept(key, lambda: WasmModule(wasmtime.Module.deserialize(engine(), compiled), *others))


def read_module(source: str | Path | bytes) -> WasmModule:
    """Read and compile a module: a .wasm or .wasm.gz file, or its bytes; also WebAssembly's text (.wat).

    Raises LabError: one line with the file and the reason.
    """
    engine()  # says what to install
    name = "the module" if isinstance(source, bytes) else str(source)
    try:
        return _compiled(_uncompressed(source if isinstance(source, bytes) else _read(Path(source))))
    except LabError as error:
        raise LabError(f"{name} {error}") from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_MODULE_BYTES:
            raise LabError(_too_large(path.stat().st_size))
        with path.open("rb") as file:
            data = file.read(MAX_MODULE_BYTES + 1)  # devices have no size
    except OSError as error:
        raise LabError(f"cannot be read ({error.strerror})") from error
    return _from_text(data) if path.suffix == ".wat" else data


def _uncompressed(data: bytes) -> bytes:
    if data.startswith(_GZIP):
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MAX_MODULE_BYTES + 1)
        except (OSError, EOFError, ValueError) as error:
            raise LabError(f"is not a gzip file: {error}") from error
    if len(data) > MAX_MODULE_BYTES:
        raise LabError(_too_large(len(data)))
    return data


def _too_large(size: int) -> str:
    return f"has {size / 2**20:.0f} MiB or more; the lab takes modules of up to {MAX_MODULE_BYTES // 2**20} MiB"


def _from_text(text: bytes) -> bytes:
    import wasmtime

    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise LabError(f"is not WebAssembly text: {_first_line(error)}") from error


def _compiled(data: bytes) -> WasmModule:
    return _kept(hashlib.sha256(data).digest(), lambda: _compile(data))


def _kept(key: bytes, make: Callable[[], WasmModule]) -> WasmModule:
    module = _known.pop(key, None)
    if module is None:
        module = make()
    _known[key] = module  # the latest is the last
    while len(_known) > KEPT:
        del _known[next(iter(_known))]
    return module


_known: dict[bytes, WasmModule] = {}
atexit.register(_known.clear)  # wasmtime's objects must be freed while its package is still there


def _compile(data: bytes) -> WasmModule:
    found = prepared(data)
    compiler = engine()
    import wasmtime

    try:
        wasmtime.Module.validate(compiler, data)  # as it is: it may not use what `prepared` adds
        compiled = wasmtime.Module(compiler, found.wasm)
    except wasmtime.WasmtimeError as error:
        raise LabError(f"is not a valid WebAssembly module: {_first_line(error)}") from error
    return WasmModule(
        compiled=compiled,
        exports=frozenset(export.name for export in compiled.exports),
        globals=tuple(f"{GLOBAL}{number}" for number in range(found.globals)),
        has_memory=found.has_memory,
        has_table=found.has_table,
        keeps_memory=found.keeps_memory,
        candid=found.candid,
        size=len(data),
    )


def _first_line(error: Exception) -> str:
    """The innermost cause, which wasmtime writes last, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("0: ").removeprefix("1: ") if lines else "no reason given"
