"""The imports of a canister: name, type, and the kinds of message in which each may be called.

Source: interface specification, "Overview of imports", and its changelog for the names before. ``I`` stands for i32 in
a module with 32-bit memory and for i64 in one with 64-bit memory.

The kinds: I (init, post_upgrade), G (pre_upgrade), U (update), RQ (query as an update), NRQ (query), Ry, Rt (callbacks
after a reply, a reject), C (cleanup), F (inspect_message), T (timer, heartbeat) and s (the module's start function).
``*`` are all but s.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["I", "G", "U", "RQ", "NRQ", "Ry", "Rt", "C", "F", "T", "s"]

_TABLE: Final = """
msg_arg_data_size : -> I : I U RQ NRQ Ry F
msg_arg_data_copy : I I I -> : I U RQ NRQ Ry F
msg_caller_size : -> I : *
msg_caller_copy : I I I -> : *
msg_caller_info_data_size : -> I : *
msg_caller_info_data_copy : I I I -> : *
msg_caller_info_signer_size : -> I : *
msg_caller_info_signer_copy : I I I -> : *
msg_reject_code : -> i32 : Ry Rt
msg_reject_msg_size : -> I : Rt
msg_reject_msg_copy : I I I -> : Rt
msg_deadline : -> i64 : U RQ NRQ Ry Rt
msg_reply_data_append : I I -> : U RQ NRQ Ry Rt
msg_reply : -> : U RQ NRQ Ry Rt
msg_reject : I I -> : U RQ NRQ Ry Rt
msg_cycles_available : -> i64 : U RQ Ry Rt
msg_cycles_available128 : I -> : U RQ Ry Rt
msg_cycles_refunded : -> i64 : Ry Rt
msg_cycles_refunded128 : I -> : Ry Rt
msg_cycles_accept : i64 -> i64 : U RQ Ry Rt
msg_cycles_accept128 : i64 i64 I -> : U RQ Ry Rt
cycles_burn128 : i64 i64 I -> : I G U RQ Ry Rt C T
mint_cycles128 : i64 i64 I -> : U Ry Rt T
canister_self_size : -> I : *
canister_self_copy : I I I -> : *
canister_cycle_balance : -> i64 : *
canister_cycle_balance128 : I -> : *
canister_liquid_cycle_balance128 : I -> : *
canister_status : -> i32 : *
canister_version : -> i64 : *
subnet_self_size : -> I : *
subnet_self_copy : I I I -> : *
subnet_self_node_count : -> i32 : *
root_key_size : -> I : I G U RQ Ry Rt C T
root_key_copy : I I I -> : I G U RQ Ry Rt C T
msg_method_name_size : -> I : F
msg_method_name_copy : I I I -> : F
accept_message : -> : F
call_new : I I I I I I I I -> : U NRQ Ry Rt T
call_on_cleanup : I I -> : U NRQ Ry Rt T
call_data_append : I I -> : U NRQ Ry Rt T
call_with_best_effort_response : i32 -> : U NRQ Ry Rt T
call_cycles_add : i64 -> : U Ry Rt T
call_cycles_add128 : i64 i64 -> : U Ry Rt T
call_perform : -> i32 : U NRQ Ry Rt T
stable_size : -> i32 : * s
stable_grow : i32 -> i32 : * s
stable_write : i32 i32 i32 -> : * s
stable_read : i32 i32 i32 -> : * s
stable64_size : -> i64 : * s
stable64_grow : i64 -> i64 : * s
stable64_write : i64 i64 i64 -> : * s
stable64_read : i64 i64 i64 -> : * s
certified_data_set : I I -> : I G U Ry Rt T
data_certificate_present : -> i32 : *
data_certificate_size : -> I : NRQ
data_certificate_copy : I I I -> : NRQ
time : -> i64 : *
global_timer_set : i64 -> i64 : I G U Ry Rt C T
performance_counter : i32 -> i64 : * s
is_controller : I I -> i32 : * s
in_replicated_execution : -> i32 : * s
cost_call : i64 i64 I -> : * s
cost_create_canister : I -> : * s
cost_http_request : i64 i64 I -> : * s
cost_http_request_v2 : I I I -> : * s
cost_sign_with_ecdsa : I I i32 I -> i32 : * s
cost_sign_with_schnorr : I I i32 I -> i32 : * s
cost_vetkd_derive_key : I I i32 I -> i32 : * s
env_var_count : -> I : *
env_var_name_size : I -> I : *
env_var_name_copy : I I I I -> : *
env_var_name_exists : I I -> i32 : *
env_var_value_size : I I -> I : *
env_var_value_copy : I I I I I -> : *
debug_print : I I -> : * s
trap : I I -> : * s
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """The type of an import, in the letters of the table, and the kinds of message that may call it."""

    params: tuple[str, ...]
    result: str | None
    kinds: frozenset[Kind]

    def fits(self, params: tuple[str, ...], results: tuple[str, ...]) -> bool:
        """Whether a module may declare it with these value types ("i32", "i64")."""
        own = (*self.params, *([self.result] if self.result else []))
        given = (*params, *results)
        if len(params) != len(self.params) or len(own) != len(given):
            return False
        pointers = {have for want, have in zip(own, given, strict=True) if want == "I"}
        return len(pointers) <= 1 and all(
            want == have or (want == "I" and have in {"i32", "i64"}) for want, have in zip(own, given, strict=True)
        )

    def __str__(self) -> str:
        return f"({', '.join(self.params)}) -> ({self.result or ''})"


def _signatures() -> dict[str, Signature]:
    found = {}
    for line in _TABLE.strip().splitlines():
        name, types, kinds = (part.strip() for part in line.split(" : "))
        params, _, result = types.partition("->")
        every: set[Kind] = set()
        for letter in kinds.split():
            every |= {kind for kind in get_args(Kind) if kind == letter or (letter == "*" and kind != "s")}
        found[name] = Signature(tuple(params.split()), result.strip() or None, frozenset(every))
    return found


SIGNATURES: Final = MappingProxyType(_signatures())
