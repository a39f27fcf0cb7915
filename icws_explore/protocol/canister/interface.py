"""The Candid interface that a CDK canister publishes.

Source: ws_types.did and service.example.did of CDK 0.4.1. The second argument of ws_message only tells
clients the application's message type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..candid import Func, Type, parse_did, type_text
from ..candid.text import label_text
from ..errors import DidError

_TYPES: Final = """\
type ClientPrincipal = principal;
type GatewayPrincipal = principal;
type ClientKey = record { client_principal : ClientPrincipal; client_nonce : nat64 };
type WebsocketMessage = record {
  client_key : ClientKey;
  sequence_num : nat64;
  timestamp : nat64;
  is_service_message : bool;
  content : blob;
};
type CanisterOutputMessage = record { client_key : ClientKey; key : text; content : blob };
type CanisterOutputCertifiedMessages = record {
  messages : vec CanisterOutputMessage;
  cert : blob;
  tree : blob;
  is_end_of_queue : bool;
};
type CanisterWsOpenArguments = record { client_nonce : nat64; gateway_principal : GatewayPrincipal };
type CanisterWsOpenResult = variant { Ok; Err : text };
type CanisterWsCloseArguments = record { client_key : ClientKey };
type CanisterWsCloseResult = variant { Ok; Err : text };
type CanisterWsMessageArguments = record { msg : WebsocketMessage };
type CanisterWsMessageResult = variant { Ok; Err : text };
type CanisterWsGetMessagesArguments = record { nonce : nat64 };
type CanisterWsGetMessagesResult = variant { Ok : CanisterOutputCertifiedMessages; Err : text };
"""


def candid_interface(message_type: Type, methods: Mapping[str, Func] = MappingProxyType({})) -> str:
    """The .did text of a canister whose application messages have this type.

    ``methods`` are its other methods by name. Raises DidError if ``message_type`` is recursive and uses a name of the
    CDK's own types, or if ``methods`` use a recursive type.
    """
    definitions, name = _definitions(message_type)
    others = "".join(f"  {label_text(method)} : {_signature(method, type_)};\n" for method, type_ in methods.items())
    return f"""\
{definitions}

{_TYPES}
service : {{
  ws_open : (CanisterWsOpenArguments) -> (CanisterWsOpenResult);
  ws_close : (CanisterWsCloseArguments) -> (CanisterWsCloseResult);
  ws_message : (CanisterWsMessageArguments, opt {name}) -> (CanisterWsMessageResult);
  ws_get_messages : (CanisterWsGetMessagesArguments) -> (CanisterWsGetMessagesResult) query;
{others}}};
"""


def _signature(method: str, type_: Func) -> str:
    text = type_text(type_)
    if text.startswith("type "):
        raise DidError(f"the method {method} uses a recursive type, which is not supported for methods of an App")
    return text.removeprefix("func ")


def _definitions(message_type: Type) -> tuple[str, str]:
    """The definitions of the type, and its name in them."""
    text = type_text(message_type)
    if not text.startswith("type "):
        return f"type AppMessage = {text};", "AppMessage"
    # A recursive type is written as definitions, with this type last.
    names = list(parse_did(text).types)
    taken = set(re.findall(r"^type (\w+)", _TYPES, re.MULTILINE))
    clash = next((name for name in names if name in taken), None)
    if clash is not None:
        raise DidError(f"the type {clash} has the name of a type of the CDK; give it another name")
    return text, names[-1]
