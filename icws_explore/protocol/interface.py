"""The Candid types of a WebSocket canister's methods and of the service messages.

Source: CDK 0.4.1 types.rs and Types.mo, ic-websocket-js 0.5.0 idl.ts. The types are built once, at import.
"""

from __future__ import annotations

from typing import Final

from .candid import BLOB, BOOL, NAT64, NULL, PRINCIPAL, TEXT, Field, Opt, Record, Type, Variant, Vec


def _record(**fields: Type) -> Record:
    return Record(tuple(Field(name, type_) for name, type_ in fields.items()))


def _variant(**cases: Type) -> Variant:
    return Variant(tuple(Field(name, type_) for name, type_ in cases.items()))


CLIENT_KEY: Final = _record(client_principal=PRINCIPAL, client_nonce=NAT64)
WEBSOCKET_MESSAGE: Final = _record(
    sequence_num=NAT64, content=BLOB, client_key=CLIENT_KEY, timestamp=NAT64, is_service_message=BOOL
)

OPEN_ARGS: Final = _record(client_nonce=NAT64, gateway_principal=PRINCIPAL)
OPEN_ARGS_BEFORE_0_3: Final = _record(client_nonce=NAT64)
MESSAGE_ARGS: Final = _record(msg=WEBSOCKET_MESSAGE)
# The declared type of this argument names the application's messages. The SDK always sends null.
APPLICATION_MESSAGE: Final = Opt(NULL)
POLL_ARGS: Final = _record(nonce=NAT64)
CLOSE_ARGS: Final = _record(client_key=CLIENT_KEY)
RESULT: Final = _variant(Ok=NULL, Err=TEXT)

POLL_MESSAGE: Final = _record(client_key=CLIENT_KEY, key=TEXT, content=BLOB)
_MESSAGES: Final = Vec(POLL_MESSAGE)
POLL_RESULT: Final = _variant(
    Ok=_record(messages=_MESSAGES, cert=BLOB, tree=BLOB, is_end_of_queue=BOOL),
    Err=TEXT,
)
POLL_RESULT_BEFORE_0_3_1: Final = _variant(Ok=_record(messages=_MESSAGES, cert=BLOB, tree=BLOB), Err=TEXT)
# The type as which the gateway reads both: bool and a missing field are subtypes of opt bool.
POLL_RESULT_READ: Final = _variant(
    Ok=_record(messages=_MESSAGES, cert=BLOB, tree=BLOB, is_end_of_queue=Opt(BOOL)),
    Err=TEXT,
)

CLOSE_REASON: Final = _variant(
    WrongSequenceNumber=NULL, InvalidServiceMessage=NULL, KeepAliveTimeout=NULL, ClosedByApplication=NULL
)
SERVICE_MESSAGE: Final = _variant(
    OpenMessage=_record(client_key=CLIENT_KEY),
    AckMessage=_record(last_incoming_sequence_num=NAT64),
    KeepAliveMessage=_record(last_incoming_sequence_num=NAT64),
    CloseMessage=_record(reason=CLOSE_REASON),
)
