"""`WasmCanister`: compiled code that a `CanisterHost` runs as it runs canisters in Python.

**Messages.** A message is one execution of the code; `_enter` runs it. A call from outside is an update or a query and
the callbacks that follow from it. A canister's calls, to itself or to others, are carried out at once, one after
another, each between two commit points; so a call from outside has its answer when `update` returns.

**Outcomes.** As the interface specification has them: a reply; a reject by the canister, which keeps its changes; a
trap, which undoes the changes since the last commit point; no reply; no cycles left. A trap in a callback runs the
cleanup callback, and is the answer (reject code 5) if the call has no other.

**State.** Memory, globals, stable memory and the global timer. A `snapshot` commits the state and is only a number;
`restore` goes back to the last one (see `memory`). Tables are not restored: compilers do not change them.

**Queries.** A query that reads only its argument and the state has the same answer until the state changes. It is
kept, because a gateway polls ten times a second, mostly for nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from icws_explore.protocol.canister import (
    CANISTER_ERROR,
    SYSTEM_TRANSIENT,
    CallRejected,
    MethodNotFound,
    Outcome,
    Reject,
    Reply,
    SystemApi,
)
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal

from .engine import DEPTH, MESSAGES, OVER_THE_LIMIT, Budget, budgeted
from .instance import Instance
from .memory import rollback_for
from .message import CallContext, Message, OutgoingCall
from .module import WasmModule
from .signatures import Kind
from .stable import StableMemory
from .system_calls import SystemCalls

CYCLES: Final = 100_000_000_000_000  # of a new canister
MESSAGE_CYCLES: Final = 5_000_000  # for one execution; each instruction costs one more
HEARTBEAT_NS: Final = NS_PER_S  # a subnet makes about a block in a second
MAX_ANSWERS: Final = 1_000  # answers of queries that are kept


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives an upgrade. ``memory`` is empty if the module does not keep it."""

    stable: StableMemory
    memory: bytes
    cycles: int
    version: int


class WasmCanister:
    """The code of one canister. ``init_arg`` is the Candid that its init and post_upgrade get."""

    def __init__(
        self,
        system: SystemApi,
        module: WasmModule,
        *,
        init_arg: bytes,
        candid_interface: str,
        cycles: int = CYCLES,
    ) -> None:
        self.candid_interface = candid_interface
        self.cycles = cycles
        self.version = 1  # as the System API has it
        self.controller = Principal.MANAGEMENT
        self.certificate: bytes | None = None  # of the query that runs
        self.instance: Instance  # from init on
        self._system = system
        self._module = module
        self._init_arg = init_arg
        self._calls = SystemCalls(self, system)
        self._answers: dict[tuple[str, bytes, Principal], bytes] = {}
        self._heart = 0  # the id of the heartbeat's timer
        self._timer: tuple[int, int] | None = None  # the time and the id of the global timer
        self._stable = StableMemory()
        self._rollback = rollback_for(0)
        self._snapshot = 0
        self._is_dirty = True
        self._stable_is_dirty = True
        self._saved: tuple[StableMemory, tuple[int, int] | None] = (self._stable, None)

    # Life

    def init(self) -> None:
        self._start("canister_init")

    def post_upgrade(self, kept: Any) -> None:
        memory = b""
        if isinstance(kept, Kept):
            self._stable, self.cycles, self.version = kept.stable, kept.cycles, kept.version + 1
            memory = kept.memory if self._module.keeps_memory else b""
        self._start("canister_post_upgrade", memory)

    def pre_upgrade(self) -> Any:
        with budgeted() as budget:
            self._run_export("canister_pre_upgrade", "G", CallContext(self._system.caller()), budget)
        memory = self.instance.read(0, self.memory_size) if self._module.keeps_memory else b""
        return Kept(self._stable.copy(), memory, self.cycles, self.version)

    def _start(self, export: str, memory: bytes = b"") -> None:
        self.controller = self._system.caller()
        with budgeted() as budget:
            self.instance = self._new_instance(budget)
            self.instance.grow_to(len(memory))
            self.instance.write(0, memory)
            self.instance.start(budget)
            context = CallContext(self._system.caller())
            self._run_export(export, "I", context, budget, self._init_arg)
        if self.instance.has("canister_heartbeat"):
            self._heart = self._system.set_timer_interval(HEARTBEAT_NS, self._heartbeat)

    def _new_instance(self, budget: Budget) -> Instance:
        return Instance(self._module, self._system.canister_id(), self._calls, budget)

    def _run_export(
        self, export: str, kind: Kind, context: CallContext, budget: Budget, arg: bytes = b""
    ) -> Message | None:
        """Run an exported function, if the module has it."""
        if not self.instance.has(export):
            return None
        message = Message(kind, context, arg)
        self._enter(message, budget, export)
        return message

    # Calls from outside

    def update(self, method: str, arg: bytes) -> bytes:
        export, kind = f"canister_update {method}", "U"
        if not self.instance.has(export):
            export, kind = f"canister_query {method}", "RQ"
        if not self.instance.has(export):
            raise MethodNotFound("update", method)
        context = CallContext(self._system.caller(), method)
        with budgeted() as budget:
            self._pay(context, budget)
            message = Message("U" if kind == "U" else "RQ", context, arg)
            self._enter(message, budget, export)
            self._carry_out(message, budget)
        if kind == "RQ":
            self._system.roll_back()
        return self._answer(context)

    def query(self, method: str, arg: bytes) -> bytes:
        caller = self._system.caller()
        key = (method, arg, caller)
        if not self._is_dirty and (known := self._answers.get(key)) is not None:
            return known
        export = f"canister_query {method}"
        if not self.instance.has(export):
            export = f"canister_composite_query {method}"
        if not self.instance.has(export):
            raise MethodNotFound("query", method)
        was_clean = not self._is_dirty
        context = CallContext(caller, method)
        message = Message("NRQ", context, arg)
        with budgeted() as budget:
            self._enter(message, budget, export)
            self._carry_out(message, budget)
        answer = self._answer(context)
        if message.is_pure and was_clean and not message.calls and len(self._answers) < MAX_ANSWERS:
            self._answers[key] = answer
        return answer

    def inspect_message(self, method: str, arg: bytes) -> bool:
        context = CallContext(self._system.caller(), method)
        with budgeted() as budget:
            message = self._run_export("canister_inspect_message", "F", context, budget, arg)
        return message is None or message.accepted

    # What runs by itself

    def set_global_timer(self, at_ns: int) -> int:
        """Set the global timer (ns since the epoch, 0: never). Returns its time before."""
        before, self._timer = self._timer, None
        if before is not None:
            self._system.clear_timer(before[1])
        if at_ns:
            self._timer = at_ns, self._system.set_timer(at_ns - self._system.time_ns(), self._global_timer)
        return 0 if before is None else before[0]

    def _global_timer(self) -> None:
        self._timer = None
        self._is_dirty = True
        self._run_task("canister_global_timer")

    def _heartbeat(self) -> None:
        try:
            self._run_task("canister_heartbeat")
        except CallRejected as trap:
            if trap.error_code != OVER_THE_LIMIT:
                raise
            self._system.roll_back()
            self._system.clear_timer(self._heart)  # else it would take all of the lab's time
            self._system.print(f"the lab runs no more heartbeats of this canister: {trap}")

    def _run_task(self, export: str) -> None:
        context = CallContext(self._system.canister_id())
        with budgeted() as budget:
            self._pay(context, budget)
            message = self._run_export(export, "T", context, budget)
            if message is not None:
                self._carry_out(message, budget)
        if context.trap is not None:
            self._system.print(str(context.trap))

    # Messages

    def _enter(self, message: Message, budget: Budget, function: str | OutgoingCall) -> None:
        """Execute one message. Raises CallRejected if it traps."""
        budget.messages -= 1
        if budget.messages < 0:
            raise self.instance.trap(f"Canister caused more than {MESSAGES:,} messages with one call", OVER_THE_LIMIT)
        self._calls.message, self.certificate = message, None
        self._is_dirty = True
        before = budget.instructions
        try:
            if isinstance(function, str):
                self.instance.call(function, message, budget)
            else:
                callback = function.on_reply if message.kind == "Ry" else function.on_reject
                if message.kind == "C" and function.on_cleanup is not None:
                    callback = function.on_cleanup
                self.instance.call_back(callback, message, budget)
        finally:
            if message.kind not in ("NRQ", "F"):
                self.cycles = max(0, self.cycles - (before - budget.instructions))

    def _carry_out(self, message: Message, budget: Budget) -> None:
        """Carry out the calls that the message has made, and those of their callbacks."""
        is_query = message.kind == "NRQ"
        waiting = deque(message.calls)
        while waiting:
            call = waiting.popleft()
            if not is_query:
                self._system.commit()
            outcome = self._sent(call, budget)
            if not is_query:
                self._system.commit()
            waiting.extend(self._call_back(call, outcome, message.context, budget, is_query=is_query))

    def _sent(self, call: OutgoingCall, budget: Budget) -> Outcome:
        if budget.depth >= DEPTH:
            text = f"more than {DEPTH} calls between canisters wait for each other, which this lab does not do"
            return Reject(SYSTEM_TRANSIENT, text, "IC0202")
        budget.depth += 1
        try:
            return self._system.call(Principal(call.callee), call.method, bytes(call.arg))
        finally:
            budget.depth -= 1

    def _call_back(
        self, call: OutgoingCall, outcome: Outcome, context: CallContext, budget: Budget, *, is_query: bool
    ) -> list[OutgoingCall]:
        if isinstance(outcome, Reply):
            message = Message("Ry", context, outcome.data)
        else:
            message = Message("Rt", context, b"", outcome.code, outcome.text.encode())
        try:
            self._enter(message, budget, call)
        except CallRejected as trap:
            if is_query:
                raise
            context.trap = trap
            self._system.roll_back()
            if call.on_cleanup is not None:
                self._clean_up(call, context, budget)
            return []
        return message.calls

    def _clean_up(self, call: OutgoingCall, context: CallContext, budget: Budget) -> None:
        try:
            self._enter(Message("C", context), budget, call)
        except CallRejected as trap:
            self._system.print(f"in a cleanup callback: {trap}")
            self._system.roll_back()
        else:
            self._system.commit()

    def _answer(self, context: CallContext) -> bytes:
        outcome = context.outcome
        if isinstance(outcome, Reply):
            return outcome.data
        if outcome is not None:
            raise CallRejected(outcome.code, outcome.text, outcome.error_code, undoes=False)
        if context.trap is not None:
            raise CallRejected(context.trap.code, str(context.trap), context.trap.error_code, undoes=False)
        text = f"Error from Canister {self._system.canister_id()}: Canister did not reply to the call"
        raise CallRejected(CANISTER_ERROR, text, "IC0506", undoes=False)

    def _pay(self, context: CallContext, budget: Budget) -> None:
        if context.caller == self._system.canister_id() and budget.depth:
            return  # its call to itself was paid by the message that made it
        if self.cycles < MESSAGE_CYCLES:
            text = f"Canister {self._system.canister_id()} is out of cycles"
            raise CallRejected(SYSTEM_TRANSIENT, text, "IC0207", undoes=True)
        self.cycles -= MESSAGE_CYCLES

    # State

    @property
    def stable(self) -> StableMemory:
        """The stable memory, to be read."""
        return self._stable

    @property
    def changed_stable(self) -> StableMemory:
        """The stable memory, to be changed."""
        self._stable_is_dirty = True
        return self._stable

    @property
    def memory_size(self) -> int:
        """Bytes of the linear memory."""
        return self.instance.memory_size

    def snapshot(self) -> int:
        """Commit the state. Only the last snapshot can be restored."""
        if self._is_dirty:
            size = self.instance.memory_size
            self._rollback = rollback_for(size, self._rollback)
            self._rollback.commit(self.instance.address, size)
            if self._stable_is_dirty:
                stable, self._stable_is_dirty = self._stable.copy(), False
            else:
                stable = self._saved[0]
            self.instance.keep_globals()
            self._saved = stable, self._timer
            self._snapshot += 1
            self._is_dirty = False
            self._answers.clear()
        return self._snapshot

    def restore(self, state: Any) -> None:
        if state != self._snapshot:
            raise ValueError("only the last snapshot of a Wasm canister can be restored")
        if not self._is_dirty:
            return
        if self.instance.memory_size == self._rollback.size:
            self._rollback.roll_back(self.instance.address)
        else:
            self._replace_instance()
        self.instance.put_globals_back()
        if self._stable_is_dirty:
            self._stable, self._stable_is_dirty = self._saved[0].copy(), False
        self._timer = self._saved[1]
        self._is_dirty = False

    def _replace_instance(self) -> None:
        """A memory cannot shrink: continue with a new instance."""
        replaced = self.instance
        self.instance = self._new_instance(Budget())
        self.instance.take_globals(replaced)
        replaced.close()
        self.instance.grow_to(self._rollback.size)
        self._rollback.attach(self.instance.address)
