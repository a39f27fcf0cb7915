"""What Candid costs for a session's messages, compared with ic-py where ic-py can do the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ic.candid import Types
from ic.candid import decode as ic_py_decode
from ic.candid import encode as ic_py_encode

from icws_explore.protocol import candid
from icws_explore.protocol.principal import Principal

Operation = Callable[[], object]
RESULT = candid.parse_type(
    "type Key = record { client_principal : principal; client_nonce : nat64 };"
    "type Message = record { client_key : Key; key : text; content : blob };"
    "type Result = variant { Err : text; Ok : record {"
    "  messages : vec Message; cert : blob; tree : blob; is_end_of_queue : bool } };"
)
SERVICE = candid.parse_type(
    "variant { AckMessage : record { last_incoming_sequence_num : nat64 };"
    " OpenMessage : record { client_key : record { client_principal : principal; client_nonce : nat64 } } }"
)


def candid_cases() -> Iterator[tuple[str, Operation]]:
    """Yield the name and the operation of every measurement. ic-py 1.0.1 is measured in the same run."""
    poll = poll_of_fifty()
    data = candid.encode([RESULT], [poll])
    size = f"{len(data) / 1000:.0f} KB"
    peer_type = _peer(RESULT)
    yield f"Candid: decode a poll of 50 messages, {size}", lambda: candid.decode(data, [RESULT])
    yield "Candid: decode the same without its type", lambda: candid.decode(data)
    yield "Candid: decode a poll of 50 messages, ic-py", lambda: ic_py_decode(data, peer_type)
    yield f"Candid: encode a poll of 50 messages, {size}", lambda: candid.encode([RESULT], [poll])
    value = _peer_value(poll)
    yield "Candid: encode a poll of 50 messages, ic-py", lambda: ic_py_encode([{"type": peer_type, "value": value}])
    ack = candid.encode([SERVICE], [{"AckMessage": {"last_incoming_sequence_num": 7}}])
    yield "Candid: decode a service message", lambda: candid.decode(ack, [SERVICE])
    yield "Candid: decode a service message, ic-py", lambda: ic_py_decode(ack, _peer(SERVICE))
    blob = bytes(400_000)
    large = candid.encode([candid.BLOB], [blob])
    yield "Candid: decode a blob of 400 KB", lambda: candid.decode(large, [candid.BLOB])
    yield "Candid: decode a blob of 400 KB, ic-py", lambda: ic_py_decode(large, Types.Vec(Types.Nat8))
    yield "Candid: encode a blob of 400 KB", lambda: candid.encode([candid.BLOB], [blob])


def poll_of_fifty() -> dict[str, Any]:
    """Return the answer of `ws_get_messages` with 50 messages of 300 bytes."""
    gateway = Principal.self_authenticating(b"gateway").text
    messages = [
        {
            "client_key": {"client_principal": Principal.self_authenticating(bytes([i])), "client_nonce": i},
            "key": f"{gateway}_{i:020}",
            "content": bytes(range(250)) + bytes(50),
        }
        for i in range(50)
    ]
    return {"Ok": {"messages": messages, "cert": bytes(1500), "tree": bytes(5000), "is_end_of_queue": True}}


def _peer(type_: candid.Type) -> Any:
    match type_:
        case candid.Prim():
            return getattr(Types, type_.name.capitalize())
        case candid.Vec():
            return Types.Vec(_peer(type_.inner))
        case candid.Record():
            return Types.Record({str(field.label): _peer(field.type) for field in type_.fields})
        case candid.Variant():
            return Types.Variant({str(field.label): _peer(field.type) for field in type_.fields})
    raise AssertionError(type_)


def _peer_value(value: Any) -> Any:
    match value:
        case dict():
            return {key: _peer_value(each) for key, each in value.items()}
        case list():
            return [_peer_value(each) for each in value]
        case Principal():
            return value.raw
        case bytes():
            return list(value)
    return value
