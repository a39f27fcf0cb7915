"""Which releases of the IC WebSocket CDK a canister's .did fits.

A canister does not say which CDK it is built with. But its interface changed with the protocol: ws_message got the
application's message (0.2), ws_open the gateway's principal (0.3.0), the poll's answer ``is_end_of_queue`` (0.3.1).

Source: the release notes of ic-websocket-js and of both CDKs, 0.2.0 to 0.4.2; CDK types.rs and Types.mo.
"""

from __future__ import annotations

from dataclasses import dataclass

from icws_explore.protocol.candid import DidFile, Record, Type, Variant, resolve

_METHODS = ("ws_open", "ws_message", "ws_close", "ws_get_messages")
_UPDATE = "build the canister with CDK 0.4 or later, and use ic-websocket-js 0.5.0"


@dataclass(frozen=True, slots=True)
class CdkEra:
    """``releases`` that the interface fits ("" for none), what shows it (``why``), and what to do (``advice``).

    ``is_current``: the current SDK and gateway can use it.
    """

    releases: str
    why: str
    advice: str
    is_current: bool


def cdk_era(did: DidFile) -> CdkEra:
    """Which releases of the CDK the interface fits."""
    missing = [name for name in _METHODS if name not in did.methods]
    if missing:
        listed = ", ".join(missing)
        return CdkEra("", f"it has no {listed}", "export the CDK's four methods, and deploy the canister", False)
    if len(did.methods["ws_message"].args) != 2:
        return CdkEra("before 0.2.0", "ws_message has no argument for the application's type", _UPDATE, False)
    if not _has(did.methods["ws_open"].args, "gateway_principal"):
        return CdkEra("0.2", "ws_open does not take the gateway's principal", _UPDATE, False)
    if not _has(_ok(did.methods["ws_get_messages"].results), "is_end_of_queue"):
        advice = f"the gateway reads it, but polls more often than it needs to; {_UPDATE}"
        return CdkEra("0.3.0", "ws_get_messages does not return is_end_of_queue", advice, True)
    why = "ws_get_messages returns is_end_of_queue; the interface has not changed since"
    return CdkEra("0.3.1 to 0.4.2", why, "nothing: the current SDK and gateway use it as it is", True)


def _has(types: tuple[Type, ...], name: str) -> bool:
    """Whether the first type is a record with that field."""
    record = resolve(types[0]) if types else None
    return isinstance(record, Record) and any(field.label == name for field in record.fields)


def _ok(types: tuple[Type, ...]) -> tuple[Type, ...]:
    """What the variant's Ok holds."""
    result = resolve(types[0]) if types else None
    if not isinstance(result, Variant):
        return ()
    return tuple(field.type for field in result.fields if field.label == "Ok")
