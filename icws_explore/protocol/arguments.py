"""Arguments and results of the canister's methods: ws_open, ws_message, ws_get_messages, ws_close.

Source: CDK 0.4.1 types.rs, ic-websocket-js 0.5.0 idl.ts, gateway 1.4.6 canister-utils. The encoders
write the same bytes as the SDK. All decoders raise CandidError, all encoders ValueMismatchError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import interface as idl
from .candid import Type, decode, encode
from .errors import CandidError
from .messages import ClientKey, WebsocketMessage
from .principal import Principal


@dataclass(frozen=True, slots=True)
class OpenArgs:
    """Arguments of ws_open; ``gateway_principal`` is None from clients before 0.3.0."""

    client_nonce: int
    gateway_principal: Principal | None


@dataclass(frozen=True, slots=True)
class PollMessage:
    """One message of a poll: its client, its label in the witness (``key``), and the CBOR to relay (``content``)."""

    client_key: ClientKey
    key: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of ws_get_messages: messages, and one proof for all of them.

    ``is_end_of_queue`` is None from canisters with a CDK before 0.3.1.
    """

    messages: tuple[PollMessage, ...]
    cert: bytes
    tree: bytes
    is_end_of_queue: bool | None


def encode_open_args(client_nonce: int, gateway_principal: Principal | None) -> bytes:
    """``(record {client_nonce; gateway_principal})``. Clients before 0.3.0 sent no gateway."""
    if gateway_principal is None:
        return _encode((idl.OPEN_ARGS_BEFORE_0_3,), ({"client_nonce": client_nonce},))
    return _encode((idl.OPEN_ARGS,), ({"client_nonce": client_nonce, "gateway_principal": gateway_principal},))


def decode_open_args(data: bytes) -> OpenArgs:
    """The arguments of ws_open."""
    try:
        value = _one(data, idl.OPEN_ARGS)
    except CandidError:
        # Decoding as opt principal would turn a gateway_principal of a wrong type into a missing one.
        value = _one(data, idl.OPEN_ARGS_BEFORE_0_3)
        sent = decode(data)[0]
        if not isinstance(sent, Mapping) or "gateway_principal" in sent:
            raise
    return OpenArgs(value["client_nonce"], value.get("gateway_principal"))


def encode_message_args(message: WebsocketMessage) -> bytes:
    """``(record {msg}, opt null)``, as the SDK sends it."""
    value = {
        "msg": {
            "client_key": _key_to_candid(message.client_key),
            "sequence_num": message.sequence_num,
            "timestamp": message.timestamp_ns,
            "is_service_message": message.is_service_message,
            "content": message.content,
        }
    }
    return _encode((idl.MESSAGE_ARGS, idl.APPLICATION_MESSAGE), (value, None))


def decode_message_args(data: bytes) -> WebsocketMessage:
    """The message in the arguments of ws_message. The second argument, of the application's type, is ignored."""
    message = _one(data, idl.MESSAGE_ARGS)["msg"]
    return WebsocketMessage(
        _key_from_candid(message["client_key"]),
        message["sequence_num"],
        message["timestamp"],
        message["is_service_message"],
        message["content"],
    )


def encode_poll_args(nonce: int) -> bytes:
    """``(record {nonce})``, the next nonce that the gateway expects."""
    return _encode((idl.POLL_ARGS,), ({"nonce": nonce},))


def decode_poll_args(data: bytes) -> int:
    """The nonce from which a gateway polls."""
    nonce: int = _one(data, idl.POLL_ARGS)["nonce"]
    return nonce


def encode_poll_result(result: PollResult | str, *, inner_first: bool = True) -> bytes:
    """The reply of ws_get_messages; a str is the text of Err. ``inner_first`` False writes the Rust CDK's bytes."""
    if isinstance(result, str):
        return encode((idl.POLL_RESULT,), ({"Err": result},), inner_first=inner_first)
    value: dict[str, Any] = {
        "messages": [
            {"client_key": _key_to_candid(each.client_key), "key": each.key, "content": each.content}
            for each in result.messages
        ],
        "cert": result.cert,
        "tree": result.tree,
    }
    if result.is_end_of_queue is None:
        return encode((idl.POLL_RESULT_BEFORE_0_3_1,), ({"Ok": value},), inner_first=inner_first)
    value["is_end_of_queue"] = result.is_end_of_queue
    return encode((idl.POLL_RESULT,), ({"Ok": value},), inner_first=inner_first)


def decode_poll_result(data: bytes) -> PollResult | str:
    """The reply of ws_get_messages of any release; a str is the text of Err."""
    value = _one(data, idl.POLL_RESULT_READ)
    if "Err" in value:
        return str(value["Err"])
    poll = value["Ok"]
    messages = tuple(
        PollMessage(_key_from_candid(each["client_key"]), each["key"], each["content"]) for each in poll["messages"]
    )
    return PollResult(messages, poll["cert"], poll["tree"], poll["is_end_of_queue"])


@lru_cache(maxsize=4)
def decode_poll_cached(data: bytes) -> PollResult | str:
    """The same, for a reply that several parts of a simulation read one after another."""
    return decode_poll_result(data)


def encode_close_args(client_key: ClientKey) -> bytes:
    """``(record {client_key})``, which the gateway sends after the end of a session."""
    return _encode((idl.CLOSE_ARGS,), ({"client_key": _key_to_candid(client_key)},))


def decode_close_args(data: bytes) -> ClientKey:
    """The key of the client whose session has ended."""
    return _key_from_candid(_one(data, idl.CLOSE_ARGS)["client_key"])


def encode_result(err: str | None) -> bytes:
    """``(variant {Ok; Err: text})``: the reply of ws_open, ws_message and ws_close; None is Ok."""
    return _encode((idl.RESULT,), ({"Ok": None} if err is None else {"Err": err},))


def decode_result(data: bytes) -> str | None:
    """The text of Err, or None for Ok."""
    value = _one(data, idl.RESULT)
    return str(value["Err"]) if "Err" in value else None


def _encode(types: Sequence[Type], values: Sequence[Any]) -> bytes:
    return encode(types, values, inner_first=True)


def _one(data: bytes, type_: Type) -> dict[str, Any]:
    value: dict[str, Any] = decode(data, (type_,))[0]
    return value


def _key_to_candid(key: ClientKey) -> dict[str, Any]:
    return {"client_principal": key.client_principal, "client_nonce": key.client_nonce}


def _key_from_candid(value: Mapping[str, Any]) -> ClientKey:
    return ClientKey(value["client_principal"], value["client_nonce"])
