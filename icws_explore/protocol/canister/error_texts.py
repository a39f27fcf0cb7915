"""The texts of ``Err`` replies, as in errors.rs and Errors.mo of CDK 0.4.1.

Gateways log these texts, and people search for them.

For an undecodable service message the Rust CDK quotes the error of the Rust crate candid (0.10):
`candid_error`. Only what the crate's error displays is imitated, not its causes, which name files and lines
of the machine that built the canister. It distinguishes four cases: no header, no value, a value of
another type (or one that ends too early), and trailing bytes.
"""

from __future__ import annotations

from typing import Final

from ..candid.reader import Fault, Reader
from ..candid.types import PRIM_BY_OPCODE
from ..candid.wire import read_table
from ..errors import DecodeError
from ..messages import ClientKey
from ..principal import Principal
from ..service_messages import decode_service

ANONYMOUS_NOT_ALLOWED = "Anonymous principal is not allowed"
INVALID_SERVICE_MESSAGE = "Invalid service message"
INTERVAL_TOO_SHORT = "send_ack_interval_ms must be greater than CLIENT_KEEP_ALIVE_TIMEOUT_MS"


def already_connected(key: ClientKey) -> str:
    return f"Client with key {key} already has an open connection"


def key_mismatch(key: ClientKey) -> str:
    return f"Client with principal {key.client_principal} has a different key than the one used in the message"


def key_not_connected(key: ClientKey) -> str:
    return f"Client with key {key} doesn't have an open connection"


def not_registered_to_gateway(key: ClientKey, gateway: Principal) -> str:
    return f"Client with key {key} was not registered to gateway {gateway}"


def principal_not_connected(client: Principal) -> str:
    return f"Client with principal {client} doesn't have an open connection"


def undecodable_service_message(reason: str) -> str:
    return f"Error decoding service message content: {reason}"


def gateway_not_registered(gateway: Principal) -> str:
    return f"Gateway with principal {gateway} is not registered"


def wrong_sequence_num(expected: int, actual: int) -> str:
    return f"Expected incoming sequence number {expected} but got {actual}"


MOST_SHOWN: Final = 500  # bytes of a message whose header cannot be parsed; a longer one is not shown

# WebsocketServiceMessageContent as the crate prints types, with labels in the order of their hashes.
_EXPECTED: Final = """variant {
  OpenMessage : record {
    client_key : record { client_principal : principal; client_nonce : nat64 };
  };
  KeepAliveMessage : record { last_incoming_sequence_num : nat64 };
  CloseMessage : record {
    reason : variant {
      ClosedByApplication;
      InvalidServiceMessage;
      WrongSequenceNumber;
      KeepAliveTimeout;
    };
  };
  AckMessage : record { last_incoming_sequence_num : nat64 };
}"""


def candid_error(content: bytes) -> str:
    """The crate's error for ``content``, which must not be a valid service message."""
    try:
        table = read_table(Reader(content))
    except Fault:
        return f"Cannot parse header {content.hex()}" if len(content) <= MOST_SHOWN else "Cannot parse header"
    if not table.args:
        return f"No more values on the wire, the expected type {_EXPECTED} is not opt, null, or reserved"
    if _has_trailing_bytes(content):
        return "Trailing value after finishing deserialization"
    first = table.args[0]
    found = f"table{first}" if first >= 0 else PRIM_BY_OPCODE[first].name
    return f"Fail to decode argument 0 from {found} to {_EXPECTED}"


def _has_trailing_bytes(content: bytes) -> bool:
    end = len(content)
    try:
        decode_service(content)
    except DecodeError as error:
        end = end if error.offset is None else error.offset
    try:
        decode_service(content[:end])
    except DecodeError:
        return False
    return end < len(content)
