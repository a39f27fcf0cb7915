"""The protocol without input and output: a library of its own.

It holds three state machines, the values of the protocol and the checks of signatures and certificates.
Nothing in it opens a socket, reads a clock or starts a thread. Bytes and the time (``now_ns``, nanoseconds
since 1970) go in; events come out, and the caller carries them out:

- `client`: one session of a client, as ic-websocket-js 0.5.0 (`ClientMachine`).
- `gateway`: a gateway with its sessions and pollers, as ic-websocket-gateway 1.4.6 (`GatewayMachine`).
- `canister`: a canister with the CDK 0.4.1 for Rust or Motoko (`CanisterHost`, `App`, `WebSocketCdk`).

The docstring of each package says what it models, how it is driven, which events and deadlines it has, what
it does not do and which errors it raises. Here a gateway's handshake meets a client::

    import os
    import time
    from icws_explore import protocol

    canister_id = protocol.Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")
    config = protocol.ClientConfig(canister_id)
    identity = protocol.Ed25519Identity.from_secret(os.urandom(32))
    client = protocol.ClientMachine(config, identity, entropy=os.urandom)
    gateway = protocol.GatewayMachine(identity.principal)

    [handshake] = gateway.session_opened("client 1")  # a SendToClient
    # The client answers with HandshakeReceived and SendFrame:
    received, frame = client.receive(handshake.data, time.time_ns())
    # RelayCall to the canister, a line of the log, and the first Poll:
    events = gateway.frame_received("client 1", "binary", frame.data, time.time_ns())

`candid` and `hashtree` hold two of the encodings. Errors are in `icws_explore.errors`. Names load when they
are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import candid, canister, client, gateway, hashtree
    from .arguments import (
        OpenArgs,
        PollMessage,
        PollResult,
        decode_close_args,
        decode_message_args,
        decode_open_args,
        decode_poll_args,
        decode_poll_result,
        decode_result,
        encode_close_args,
        encode_message_args,
        encode_open_args,
        encode_poll_args,
        encode_poll_result,
        encode_result,
    )
    from .canister import App, CanisterHost, CdkConfig, WebSocketCdk
    from .certificate import Certificate, check_certificate
    from .client import ClientConfig, ClientMachine
    from .close_codes import CloseCode
    from .envelope import Envelope, check_envelope, sign_envelope
    from .gateway import GatewayConfig, GatewayMachine
    from .keys import AnonymousIdentity, DelegatedIdentity, Ed25519Identity, Identity, Secp256k1Identity
    from .keys.files import load_identity
    from .messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
    from .principal import Principal
    from .service_messages import (
        AckMessage,
        CloseMessage,
        CloseReason,
        KeepAliveMessage,
        OpenMessage,
        decode_service,
        encode_service,
    )
    from .steps import Step, first_failure, passed
    from .verify import check_message

__all__ = [
    "AckMessage",
    "AnonymousIdentity",
    "App",
    "CanisterHost",
    "CanisterMessage",
    "CdkConfig",
    "Certificate",
    "ClientConfig",
    "ClientKey",
    "ClientMachine",
    "CloseCode",
    "CloseMessage",
    "CloseReason",
    "DelegatedIdentity",
    "Ed25519Identity",
    "Envelope",
    "GatewayConfig",
    "GatewayMachine",
    "Handshake",
    "Identity",
    "KeepAliveMessage",
    "OpenArgs",
    "OpenMessage",
    "PollMessage",
    "PollResult",
    "Principal",
    "Secp256k1Identity",
    "Step",
    "WebSocketCdk",
    "WebsocketMessage",
    "candid",
    "canister",
    "check_certificate",
    "check_envelope",
    "check_message",
    "client",
    "decode_close_args",
    "decode_message_args",
    "decode_open_args",
    "decode_poll_args",
    "decode_poll_result",
    "decode_result",
    "decode_service",
    "encode_close_args",
    "encode_message_args",
    "encode_open_args",
    "encode_poll_args",
    "encode_poll_result",
    "encode_result",
    "encode_service",
    "first_failure",
    "gateway",
    "hashtree",
    "load_identity",
    "passed",
    "sign_envelope",
]

_MODULES = ("candid", "canister", "client", "gateway", "hashtree")
# The module of each name, as in the imports above.
_HOME = {
    name: module
    for module, names in {
        "arguments": """
            OpenArgs PollMessage PollResult decode_close_args decode_message_args decode_open_args decode_poll_args
            decode_poll_result decode_result encode_close_args encode_message_args encode_open_args encode_poll_args
            encode_poll_result encode_result
        """,
        "canister": "App CanisterHost CdkConfig WebSocketCdk",
        "certificate": "Certificate check_certificate",
        "client": "ClientConfig ClientMachine",
        "close_codes": "CloseCode",
        "envelope": "Envelope check_envelope sign_envelope",
        "gateway": "GatewayConfig GatewayMachine",
        "keys": "AnonymousIdentity DelegatedIdentity Ed25519Identity Identity Secp256k1Identity",
        "keys.files": "load_identity",
        "messages": "CanisterMessage ClientKey Handshake WebsocketMessage",
        "principal": "Principal",
        "service_messages": """
            AckMessage CloseMessage CloseReason KeepAliveMessage OpenMessage decode_service encode_service
        """,
        "steps": "Step first_failure passed",
        "verify": "check_message",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = importlib.import_module(f"{__name__}.{name}")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
