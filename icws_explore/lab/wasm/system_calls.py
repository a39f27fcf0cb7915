"""What a canister can ask of its replica: a method for each import of ``ic0`` (see `signatures`).

Arguments come as unsigned numbers, and pointers are offsets in the canister's memory. A method raises `CallRejected`
to trap. Cycles attached to a call are all refunded: a canister of the lab sees none with a call. Costs are those of
nothing, and prices of the management canister's services are 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from icws_explore.protocol.canister import CANISTER_REJECT, CallRejected, Reject, Reply, SystemApi
from icws_explore.protocol.constants import MAX_REPLY_BYTES
from icws_explore.protocol.principal import Principal

from .engine import PRINT_COST
from .message import Callback, CallContext, Message, OutgoingCall
from .stable import MAX_WRITTEN, StableFull

if TYPE_CHECKING:
    from .canister import WasmCanister

MAX_PRINT: Final = 8_192  # bytes of a line; a replica keeps 4 KiB of logs
MAX_CALLS: Final = 500  # calls that one message makes
_REPLICATED: Final = frozenset({"I", "G", "U", "RQ", "Ry", "Rt", "C", "T", "s"})
_OUT_OF_SPACE: Final = 0xFFFF_FFFF_FFFF_FFFF
_RUNNING: Final = 1


class SystemCalls:
    """See the module. ``canister`` sets ``message`` before its code runs."""

    def __init__(self, canister: WasmCanister, system: SystemApi) -> None:
        self._canister = canister
        self._system = system
        self._id = system.canister_id().raw
        self.message = Message("I", CallContext(Principal.MANAGEMENT))

    def _trap(self, text: str, error_code: str = "IC0504") -> CallRejected:
        return self._canister.instance.trap(text, error_code)

    def _read(self, src: int, size: int) -> bytes:
        return self._canister.instance.read(src, size)

    def _text(self, src: int, size: int, most: int = MAX_PRINT) -> str:
        return self._read(src, min(size, most)).decode("utf-8", "replace")

    def _write(self, dst: int, data: bytes) -> None:
        self._canister.instance.write(dst, data)

    def _copy(self, data: bytes, dst: int, offset: int, size: int) -> None:
        if offset + size > len(data):
            raise self._trap(f"Canister violated contract: {size} bytes from {offset} on, of {len(data)}")
        self._canister.instance.write(dst, data[offset : offset + size])

    def _number(self, dst: int, value: int) -> None:
        self._canister.instance.write(dst, value.to_bytes(16, "little"))

    # The message

    def msg_arg_data_size(self) -> int:
        return len(self.message.arg)

    def msg_arg_data_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self.message.arg, dst, offset, size)

    def msg_caller_size(self) -> int:
        return len(self.message.context.caller.raw)

    def msg_caller_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self.message.context.caller.raw, dst, offset, size)

    def msg_caller_info_data_size(self) -> int:
        return 0

    def msg_caller_info_data_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(b"", dst, offset, size)

    def msg_caller_info_signer_size(self) -> int:
        return 0

    def msg_caller_info_signer_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(b"", dst, offset, size)

    def msg_reject_code(self) -> int:
        return self.message.reject_code

    def msg_reject_msg_size(self) -> int:
        return len(self.message.reject_text)

    def msg_reject_msg_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self.message.reject_text, dst, offset, size)

    def msg_deadline(self) -> int:
        return 0

    def msg_reply_data_append(self, src: int, size: int) -> None:
        self._not_answered("msg_reply_data_append")
        if len(self.message.reply) + size > MAX_REPLY_BYTES:
            raise self._trap(f"Canister violated contract: its reply is larger than {MAX_REPLY_BYTES} bytes")
        self.message.reply += self._read(src, size)

    def msg_reply(self) -> None:
        self._not_answered("msg_reply")
        self.message.context.outcome = Reply(bytes(self.message.reply))

    def msg_reject(self, src: int, size: int) -> None:
        self._not_answered("msg_reject")
        self.message.context.outcome = Reject(CANISTER_REJECT, self._text(src, size), "IC0406")

    def _not_answered(self, name: str) -> None:
        if self.message.context.outcome is not None:
            raise self._trap(f'Canister violated contract: "ic0_{name}": the call is already replied')

    def msg_method_name_size(self) -> int:
        return len(self.message.context.method.encode())

    def msg_method_name_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self.message.context.method.encode(), dst, offset, size)

    def accept_message(self) -> None:
        if self.message.accepted:
            raise self._trap("Canister violated contract: the message is already accepted")
        self.message.accepted = True

    # Cycles

    def msg_cycles_available(self) -> int:
        return 0

    def msg_cycles_available128(self, dst: int) -> None:
        self._number(dst, 0)

    msg_cycles_refunded = msg_cycles_available
    msg_cycles_refunded128 = msg_cycles_available128

    def msg_cycles_accept(self, _amount: int) -> int:
        return 0

    def msg_cycles_accept128(self, _high: int, _low: int, dst: int) -> None:
        self._number(dst, 0)

    def cycles_burn128(self, high: int, low: int, dst: int) -> None:
        burned = min(self._canister.cycles, high << 64 | low)
        self._canister.cycles -= burned
        self._number(dst, burned)

    def mint_cycles128(self, _high: int, _low: int, _dst: int) -> None:
        raise self._trap("Canister violated contract: only the cycles minting canister can mint cycles")

    def canister_cycle_balance(self) -> int:
        self.message.is_pure = False
        return min(self._canister.cycles, (1 << 64) - 1)

    def canister_cycle_balance128(self, dst: int) -> None:
        self.message.is_pure = False
        self._number(dst, self._canister.cycles)

    canister_liquid_cycle_balance128 = canister_cycle_balance128

    def cost_call(self, _method_size: int, _payload_size: int, dst: int) -> None:
        self._number(dst, 0)

    def cost_create_canister(self, dst: int) -> None:
        self._number(dst, 0)

    cost_http_request = cost_call
    cost_http_request_v2 = cost_call

    def cost_sign_with_ecdsa(self, _src: int, _size: int, _curve: int, dst: int) -> int:
        self._number(dst, 0)
        return 0

    cost_sign_with_schnorr = cost_sign_with_ecdsa
    cost_vetkd_derive_key = cost_sign_with_ecdsa

    # The canister and its network

    def canister_self_size(self) -> int:
        return len(self._id)

    def canister_self_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self._id, dst, offset, size)

    def canister_status(self) -> int:
        return _RUNNING

    def canister_version(self) -> int:
        return self._canister.version

    def subnet_self_size(self) -> int:
        return len(self._system.subnet_id().raw)

    def subnet_self_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self._system.subnet_id().raw, dst, offset, size)

    def subnet_self_node_count(self) -> int:
        return 1

    def root_key_size(self) -> int:
        return len(self._system.root_key())

    def root_key_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self._system.root_key(), dst, offset, size)

    def is_controller(self, src: int, size: int) -> int:
        if size > 29:
            raise self._trap("Canister violated contract: a principal has at most 29 bytes")
        return int(self._read(src, size) == self._canister.controller.raw)

    def in_replicated_execution(self) -> int:
        return int(self.message.kind in _REPLICATED)

    def env_var_count(self) -> int:
        return 0

    def env_var_name_size(self, index: int) -> int:
        raise self._no_variable(f"number {index}")

    def env_var_name_copy(self, index: int, _dst: int, _offset: int, _size: int) -> None:
        raise self._no_variable(f"number {index}")

    def env_var_name_exists(self, _src: int, _size: int) -> int:
        return 0

    def env_var_value_size(self, src: int, size: int) -> int:
        raise self._no_variable(repr(self._text(src, size, 128)))

    def env_var_value_copy(self, src: int, size: int, _dst: int, _offset: int, _count: int) -> None:
        raise self._no_variable(repr(self._text(src, size, 128)))

    def _no_variable(self, which: str) -> CallRejected:
        return self._trap(f"Canister violated contract: there is no environment variable {which}")

    # Time, timers, certified data

    def time(self) -> int:
        self.message.is_pure = False
        return self._system.time_ns()

    def global_timer_set(self, at_ns: int) -> int:
        return self._canister.set_global_timer(at_ns)

    def performance_counter(self, which: int) -> int:
        self.message.is_pure = False
        now = self._canister.instance.instructions
        if which == 0:
            return now
        if which == 1:
            return self.message.context.instructions + now
        raise self._trap(f"Canister violated contract: there is no performance counter {which}")

    def certified_data_set(self, src: int, size: int) -> None:
        if size > 32:
            raise self._trap(f"Canister violated contract: certified data of {size} bytes; 32 are the most")
        self._system.set_certified_data(self._read(src, size))

    def data_certificate_present(self) -> int:
        self.message.is_pure = False
        return int(self.message.kind == "NRQ" and self._certificate() is not None)

    def data_certificate_size(self) -> int:
        return len(self._certificate() or b"")

    def data_certificate_copy(self, dst: int, offset: int, size: int) -> None:
        self._copy(self._certificate() or b"", dst, offset, size)

    def _certificate(self) -> bytes | None:
        """The data certificate, made once for each message."""
        self.message.is_pure = False
        if self._canister.certificate is None:
            self._canister.certificate = self._system.data_certificate()
        return self._canister.certificate

    # Calls

    def call_new(
        self,
        callee_src: int,
        callee_size: int,
        name_src: int,
        name_size: int,
        reply_fun: int,
        reply_env: int,
        reject_fun: int,
        reject_env: int,
    ) -> None:
        if callee_size > 29:
            raise self._trap("Canister violated contract: a principal has at most 29 bytes")
        self.message.new_call = OutgoingCall(
            self._read(callee_src, callee_size),
            self._text(name_src, name_size),
            Callback(reply_fun, reply_env),
            Callback(reject_fun, reject_env),
        )

    def _new_call(self, name: str) -> OutgoingCall:
        if self.message.new_call is None:
            raise self._trap(f'Canister violated contract: "ic0_{name}" called when no call is under construction')
        return self.message.new_call

    def call_on_cleanup(self, fun: int, env: int) -> None:
        self._new_call("call_on_cleanup").on_cleanup = Callback(fun, env)

    def call_data_append(self, src: int, size: int) -> None:
        arg = self._new_call("call_data_append").arg
        if len(arg) + size > MAX_REPLY_BYTES:
            raise self._trap(f"Canister violated contract: the argument is larger than {MAX_REPLY_BYTES} bytes")
        arg += self._read(src, size)

    def call_with_best_effort_response(self, _timeout_s: int) -> None:
        self._new_call("call_with_best_effort_response")

    def call_cycles_add(self, amount: int) -> None:
        self.call_cycles_add128(0, amount)

    def call_cycles_add128(self, high: int, low: int) -> None:
        self._new_call("call_cycles_add128")
        if (wanted := high << 64 | low) > self._canister.cycles:
            raise self._trap(f"Canister cannot attach {wanted} cycles: it has {self._canister.cycles}", "IC0532")

    def call_perform(self) -> int:
        call = self._new_call("call_perform")
        self.message.new_call = None
        if len(self.message.calls) >= MAX_CALLS:
            return 2  # SYS_TRANSIENT: the output queue is full
        self.message.calls.append(call)
        return 0

    # Stable memory

    def stable_size(self) -> int:
        return self._canister.stable.pages

    stable64_size = stable_size

    def stable_grow(self, pages: int) -> int:
        if self._canister.stable.pages + pages > 65_536:
            return 0xFFFF_FFFF
        return self.stable64_grow(pages)

    def stable64_grow(self, pages: int) -> int:
        before = self._canister.changed_stable.grow(pages)
        return _OUT_OF_SPACE if before is None else before

    def stable64_write(self, offset: int, src: int, size: int) -> None:
        self._in_stable(offset, size)
        try:
            self._canister.changed_stable.write(offset, self._read(src, size))
        except StableFull:
            most = MAX_WRITTEN // 2**20
            raise self._trap(f"Canister wrote more than {most} MiB of stable memory, which this lab keeps") from None

    def stable64_read(self, dst: int, offset: int, size: int) -> None:
        self._in_stable(offset, size)
        self._canister.instance.check(dst, size)
        self._write(dst, self._canister.stable.read(offset, size))

    stable_write = stable64_write
    stable_read = stable64_read

    def _in_stable(self, offset: int, size: int) -> None:
        if not self._canister.stable.holds(offset, size):
            raise self._trap("Canister trapped: stable memory out of bounds", "IC0502")

    # For people

    def debug_print(self, src: int, size: int) -> None:
        self.message.is_pure = False  # it must be printed each time
        self._canister.instance.count(PRINT_COST)
        self._system.print(self._text(src, size))

    def trap(self, src: int, size: int) -> None:
        text = self._text(src, size)
        raise self._trap(f"Canister called `ic0.trap` with message: '{text}'", "IC0503")
