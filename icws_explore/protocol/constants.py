"""The protocol's numbers, with their units in the names and their sources in comments."""

from __future__ import annotations

from typing import Final

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000

# Client: ic-websocket-js 0.5.0, ic-websocket.ts
LATENCY_BOUND_MS: Final = 30_000  # COMMUNICATION_LATENCY_BOUND_MS, also the CDK's
OPEN_TIMEOUT_MS: Final = 2 * LATENCY_BOUND_MS
ACK_INTERVAL_MS: Final = 300_000  # DEFAULT_ACK_MESSAGE_INTERVAL_MS, also the CDK's DEFAULT_SEND_ACK_INTERVAL_MS
MAX_CERTIFICATE_AGE_S: Final = 300  # 5 min into the past and into the future

# Canister: CDK 0.4.1, lib.rs, types.rs and Constants.mo
KEEP_ALIVE_TIMEOUT_MS: Final = 60_000  # CLIENT_KEEP_ALIVE_TIMEOUT_MS; the ack interval must be longer
MAX_MESSAGES_PER_POLL: Final = 50  # DEFAULT_MAX_NUMBER_OF_RETURNED_MESSAGES
MESSAGES_DELETED_PER_SEND: Final = 5  # MESSAGES_TO_DELETE_COUNT
FIRST_GATEWAY_NONCE: Final = 0
FIRST_SEQUENCE_NUM: Final = 1
WEBSOCKET_LABEL: Final = b"websocket"
GATEWAY_NONCE_DIGITS: Final = 20

# Gateway 1.4.6: canister_poller.rs, client_session.rs
POLL_INTERVAL_MS: Final = 100
POLL_TIMEOUT_MS: Final = 5_000

# Interface specification ("Ingress expiry") and the replica's ingress_validation.rs
INGRESS_WINDOW_S: Final = 300  # a replica refuses ingress that expires later than this plus the drift
INGRESS_DRIFT_S: Final = 30  # PERMITTED_DRIFT_AT_VALIDATOR; together 5.5 min
MAX_INGRESS_BYTES: Final = 2 * 1024 * 1024  # one ingress message
MAX_REPLY_BYTES: Final = 2 * 1024 * 1024  # one query or update reply, 2 MiB

# BLS public key of mainnet (DER), the root of trust for ic0.app and icp-api.io
MAINNET_ROOT_KEY: Final = bytes.fromhex(
    "308182301d060d2b0601040182dc7c0503010201060c2b0601040182dc7c05030201036100"
    "814c0e6ec71fab583b08bd81373c255c3c371b2e84863c98a4f1e08b74235d14"
    "fb5d9c0cd546d9685f913a0c0b2cc5341583bf4b4392e467db96d65b9bb4cb71"
    "7112f8472e0d5a4d14505ffd7484b01291091c5f87b98883463f98091a0baaae"
)


def ack_timeout_ms(ack_interval_ms: int) -> int:
    """How long (ms) a client waits for an ack before it closes. Source: ic-websocket-js 0.5.0, ic-websocket.ts."""
    return ack_interval_ms + LATENCY_BOUND_MS


def ack_timeout_s(ack_interval_s: float) -> float:
    """The same in seconds."""
    return ack_interval_s + LATENCY_BOUND_MS / 1000
