"""The texts of ``Err`` replies, as errors.rs and Errors.mo of CDK 0.4.1 word them.

They are part of the wire: gateways log them, and people search for them.
"""

from __future__ import annotations

from ..messages import ClientKey
from ..principal import Principal

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
