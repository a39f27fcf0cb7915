"""What a client sends to the gateway, read as gateway 1.4.6 reads it (client_session.rs).

The gateway looks at the first frame only far enough to know the session: its canister, its sender,
and the nonce in an argument that decodes as ws_open's. It never looks at the method's name or at
the signature.
"""

from __future__ import annotations

from dataclasses import dataclass

from .arguments import decode_open_args
from .envelope import Envelope
from .errors import DecodeError
from .gateway_events import FrameKind
from .messages import ClientKey
from .principal import Principal


@dataclass(frozen=True, slots=True)
class Request:
    """A client's frame: the envelope in it, or the ``fault`` that makes the gateway end the session."""

    envelope: Envelope | None = None
    fault: str = ""

    @classmethod
    def read(cls, kind: FrameKind, data: bytes) -> Request:
        if kind != "binary":
            return cls(fault="ws message from client is not binary encoded")
        try:
            return cls(Envelope.decode_frame(data))
        except DecodeError:
            return cls(fault="ws message from client is not of type ClientRequest")

    @property
    def is_call(self) -> bool:
        return self.envelope is not None and self.envelope.content.get("request_type") == "call"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """The first frame of a session: who opens, and where; or the ``fault``."""

    client_key: ClientKey | None = None
    canister_id: Principal | None = None
    fault: str = ""

    @classmethod
    def read(cls, request: Request) -> OpenRequest:
        if request.envelope is None:
            return cls(fault=request.fault)
        if not request.is_call:
            return cls(
                fault="first message from client should contain canister_id and arg in envelope's content "
                "and should be of Call variant"
            )
        content = request.envelope.content
        try:
            arguments = decode_open_args(content["arg"])
        except DecodeError as error:
            return cls(fault=f"arg field of envelope's content has the wrong type: {error}")
        if arguments.gateway_principal is None:
            return cls(fault="arg field of envelope's content has the wrong type: gateway_principal is missing")
        sender, canister_id = Principal.of(content["sender"]), Principal.of(content["canister_id"])
        return cls(ClientKey(sender, arguments.client_nonce), canister_id)
