"""One instance of a canister's module: its memory, its globals, and the execution of its functions.

The imports of module ``ic0`` are those of `SystemCalls`. Any other import, of a function that the lab does not have or
of another module, traps when it is called and names itself. A message that runs too long, or calls too much, traps as
at a replica's instruction limit.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from operator import and_
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.canister import CANISTER_ERROR, CallRejected
from icws_explore.protocol.principal import Principal

from .engine import DEADLINE_S, DEADLINE_TICKS, INSTRUCTIONS, OVER_THE_LIMIT, SYSTEM_CALLS, Budget, engine
from .message import Callback, Message
from .module import WasmModule
from .sections import KEEP, MEMORY, PUT_BACK, START, TABLE
from .signatures import SIGNATURES, Kind

if TYPE_CHECKING:
    import wasmtime

MAX_MEMORY_BYTES: Final = 512 * 1024 * 1024
MAX_TABLE: Final = 1_000_000  # elements
_U32: Final = 0xFFFF_FFFF
_U64: Final = 0xFFFF_FFFF_FFFF_FFFF


class Instance:
    """See the module. Raises CallRejected where the module cannot be instantiated. Its start function has not run yet.

    ``calls`` has a method for each import of ``ic0`` (see `SystemCalls`).
    """

    def __init__(self, module: WasmModule, canister_id: Principal, calls: object, budget: Budget) -> None:
        import wasmtime

        self._module = module
        self._canister_id = canister_id
        self._bodies: dict[str, Callable[..., Any]] = {}
        self._budget = budget
        self._kind: Kind = "s"  # of the message that runs
        self.failure: BaseException | None = None  # what an import has raised
        self._store = wasmtime.Store(engine())
        self._store.set_limits(memory_size=MAX_MEMORY_BYTES, table_elements=MAX_TABLE, memories=1)
        linker = wasmtime.Linker(engine())
        for imported in module.compiled.imports:
            where, name, kind = imported.module, imported.name or "", imported.type
            assert isinstance(kind, wasmtime.FuncType)
            linker.define_func(where, name, kind, self._import(where, name, kind, calls))
        self._instance = self._guarded(lambda: linker.instantiate(self._store, module.compiled), None, budget)
        exports = self._instance.exports(self._store)
        self._exports = exports
        self._memory: Any = exports[MEMORY] if module.has_memory else None
        self._table: Any = exports[TABLE] if module.has_table else None
        self._globals: list[Any] = [exports[name] for name in module.globals]
        self._functions: dict[str, Any] = {}
        self.address = 0
        if self._memory is not None:
            self.address = ctypes.cast(self._memory.data_ptr(self._store), ctypes.c_void_p).value or 0
        self._known_size = self.memory_size

    # Memory and globals

    @property
    def memory_size(self) -> int:
        """Bytes of the linear memory."""
        return 0 if self._memory is None else int(self._memory.data_len(self._store))

    def grow_to(self, size: int) -> None:
        """Grow the memory to ``size`` bytes, which it has had before."""
        pages = (size - self.memory_size) // 65_536
        if pages > 0:
            self._memory.grow(self._store, pages)

    def keep_globals(self) -> None:
        """Keep the values of the mutable globals."""
        self._copy_globals(KEEP)

    def put_globals_back(self) -> None:
        """Give the mutable globals the values that were kept."""
        self._copy_globals(PUT_BACK)

    def take_globals(self, other: Instance) -> None:
        """Keep the values that another instance has kept."""
        for mine, its in zip(self._globals, other._globals, strict=True):
            mine.set_value(self._store, its.value(other._store))

    def _copy_globals(self, export: str) -> None:
        if self._globals:
            self._store.set_fuel(INSTRUCTIONS)
            self._store.set_epoch_deadline(DEADLINE_TICKS)
            self._function(export)(self._store)

    def read(self, start: int, size: int) -> bytes:
        """Read from the memory. Raises CallRejected outside of it."""
        self.check(start, size)
        return ctypes.string_at(self.address + start, size)

    def write(self, start: int, data: bytes) -> None:
        """Write into the memory. Raises CallRejected outside of it."""
        self.check(start, len(data))
        ctypes.memmove(self.address + start, data, len(data))

    def check(self, start: int, size: int) -> None:
        """Count a range of the memory that is copied. Raises CallRejected if it lies outside."""
        self.count(size >> 12)
        if start + size > self._known_size:
            self._known_size = self.memory_size
            if start + size > self._known_size:
                raise self.trap(
                    f"Canister violated contract: {size} bytes at {start} are outside of its memory", "IC0504"
                )

    def close(self) -> None:
        """Free the memory. The instance must not be used any more."""
        self._store.close()

    # Execution

    def start(self, budget: Budget) -> None:
        """Run the module's start function, if it has one. Raises CallRejected if it traps."""
        if self.has(START):
            self._guarded(lambda: self._exports[START](self._store), None, budget)

    def has(self, export: str) -> bool:
        """Whether the module exports a function of that name."""
        return export in self._module.exports

    def call(self, export: str, message: Message, budget: Budget) -> None:
        """Call an exported function without arguments. Raises CallRejected if it traps."""
        function = self._function(export)
        self._guarded(lambda: function(self._store), message, budget)

    def _function(self, export: str) -> Any:
        function = self._functions.get(export)
        if function is None:
            function = self._functions[export] = self._exports[export]
        return function

    def call_back(self, callback: Callback, message: Message, budget: Budget) -> None:
        """Call a function of the table. Raises CallRejected if it traps or does not exist."""

        def body() -> None:
            function = None if self._table is None else self._table.get(self._store, callback.function)
            if function is None:
                raise self.trap(f"Canister violated contract: its table has no function {callback.function}", "IC0504")
            function(self._store, callback.env)

        self._guarded(body, message, budget)

    def value_of(self, export: str, budget: Budget) -> int:
        """Call an exported function that returns a number. Raises CallRejected if it traps."""
        return int(self._guarded(lambda: self._exports[export](self._store), None, budget)) & _U64

    @property
    def instructions(self) -> int:
        """What the message that runs has executed."""
        return self._budget.instructions - int(self._store.get_fuel())

    def trap(self, text: str, error_code: str) -> CallRejected:
        """The exception for a trap."""
        return CallRejected(CANISTER_ERROR, f"Error from Canister {self._canister_id}: {text}", error_code, undoes=True)

    def _guarded(self, body: Callable[[], Any], message: Message | None, budget: Budget) -> Any:
        import wasmtime

        self._kind, self._budget, self.failure = "s" if message is None else message.kind, budget, None
        self._store.set_fuel(budget.instructions)
        self._store.set_epoch_deadline(DEADLINE_TICKS)
        try:
            return body()
        except CallRejected:
            raise
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            if self.failure is not None:
                raise self.failure from None
            raise self._translated(error) from error
        except Exception:
            if self.failure is not None:  # it came out of an import
                raise self.failure from None
            raise
        finally:
            used = budget.instructions - int(self._store.get_fuel())
            budget.instructions -= used
            if message is not None:
                message.context.instructions += used

    def _translated(self, error: wasmtime.Trap | wasmtime.WasmtimeError) -> CallRejected:
        import wasmtime

        code = error.trap_code if isinstance(error, wasmtime.Trap) else None
        if code is wasmtime.TrapCode.OUT_OF_FUEL:
            return self._over(f"{INSTRUCTIONS:,} instructions")
        if code is wasmtime.TrapCode.INTERRUPT:
            return self._over(f"{DEADLINE_S:g} s")
        if code is not None:
            name = code.name.lower().replace("_", " ")
            return self.trap(f"Canister trapped: {_TRAPS.get(name, name)}", "IC0502")
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return self.trap(f"Canister's Wasm module is not valid: {lines[-1] if lines else error}", "IC0505")

    def _over(self, what: str) -> CallRejected:
        text = f"Canister exceeded the limit of {what} for single message execution."
        return self.trap(f"{text} (The limits of this lab: see icws_explore.lab.wasm.engine)", OVER_THE_LIMIT)

    # Imports

    def _import(self, where: str, name: str, kind: wasmtime.FuncType, calls: object) -> Callable[..., Any]:
        """Return the function for an import. wasmtime keeps it for ever if it keeps this instance: so it does not.

        It returns a `wasmtime.Val`, for which wasmtime does not need to find out the type of the result.
        """
        import wasmtime

        signature = SIGNATURES.get(name) if where == "ic0" else None
        this = weakref.ref(self)
        if signature is None:

            def unknown(*_args: int) -> None:
                instance = _alive(this)
                text = f"Canister called {where}.{name}, which this lab does not have"
                instance.failure = instance.trap(text, "IC0504")
                raise instance.failure

            return unknown
        params = tuple(str(each) for each in kind.params)
        results = tuple(str(each) for each in kind.results)
        if not signature.fits(params, results):
            declared = f"({', '.join(params)}) -> ({', '.join(results)})"
            raise self.trap(
                f"Canister's Wasm module is not valid: it imports ic0.{name} as {declared}, which is {signature}",
                "IC0505",
            )
        self._bodies[name] = getattr(calls, name)
        masks = tuple(_U32 if param == "i32" else _U64 for param in params)
        half, whole = (1 << 31, 1 << 32) if results == ("i32",) else (1 << 63, 1 << 64)
        wrapped = wasmtime.Val.i32 if results == ("i32",) else wasmtime.Val.i64
        kinds = signature.kinds

        def imported(*args: int) -> wasmtime.Val | None:
            instance = _alive(this)
            try:
                instance.enter(name, kinds)
                value: int | None = instance._bodies[name](*map(and_, args, masks))  # noqa: SLF001 -- it is this class
            except BaseException as error:
                instance.failure = error
                raise
            return None if value is None else wrapped(value if value < half else value - whole)

        return imported

    def enter(self, name: str, kinds: frozenset[Kind]) -> None:
        """Count a call of an import. Raises CallRejected if the message that runs may not call it."""
        self._budget.system_calls -= 1
        if self._budget.system_calls < 0:
            self.count(0)
        if (kind := self._kind) not in kinds:
            where = _KINDS.get(kind, kind)
            text = f'Canister violated contract: "ic0_{name}" cannot be executed in {where} mode'
            raise self.trap(text, "IC0504")

    def count(self, system_calls: int) -> None:
        """Count calls of the System API. Raises CallRejected after the last."""
        self._budget.system_calls -= system_calls
        if self._budget.system_calls < 0:
            raise self._over(f"{SYSTEM_CALLS:,} calls of the System API")


def _alive(reference: weakref.ref[Instance]) -> Instance:
    instance = reference()
    assert instance is not None  # its functions run only while it is used
    return instance


_TRAPS: Final = {
    "memory out of bounds": "heap out of bounds",
    "heap misaligned": "heap misaligned",
    "table out of bounds": "table out of bounds",
    "indirect call to null": "uninitialized element",
    "bad signature": "indirect call type mismatch",
    "integer division by zero": "integer division by 0",
    "unreachable": "unreachable",
}
_KINDS: Final = {
    "I": "init",
    "G": "pre upgrade",
    "U": "update",
    "RQ": "replicated query",
    "NRQ": "non replicated query",
    "Ry": "reply callback",
    "Rt": "reject callback",
    "C": "cleanup",
    "F": "inspect message",
    "T": "system task",
    "s": "start",
}
