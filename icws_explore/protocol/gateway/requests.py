"""What a client sends to the gateway, read as gateway 1.4.6 reads it (client_session.rs).

From the first frame the gateway learns whose session it is: it reads the canister, the sender, and
the nonce in an argument that decodes as ws_open's. It checks neither the method's name nor the
signature.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..arguments import decode_open_args
from ..cbor import MAX_U64
from ..envelope import Envelope
from ..errors import DecodeError
from ..messages import ClientKey
from ..principal import Principal
from .events import FrameKind

_NOT_A_REQUEST = "ws message from client is not of type ClientRequest"
_WRONG_ARG = "arg field of envelope's content has the wrong type"


@dataclass(frozen=True, slots=True)
class Request:
    """A client's frame: the envelope in it, or the ``fault`` for which the gateway ends the session."""

    envelope: Envelope | None = None
    fault: str = ""

    @classmethod
    def read(cls, kind: FrameKind, data: bytes) -> Request:
        """Read one frame. Never raises: what cannot be read has a ``fault``."""
        if kind != "binary":
            return cls(fault="ws message from client is not binary encoded")
        try:
            envelope = Envelope.decode_frame(data)
        except DecodeError:
            return cls(fault=_NOT_A_REQUEST)
        return cls(envelope) if _is_request(envelope) else cls(fault=_NOT_A_REQUEST)

    @property
    def is_call(self) -> bool:
        return self.envelope is not None and self.envelope.request_type == "call"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """The first frame of a session: the client's key and its canister, or the ``fault``."""

    client_key: ClientKey | None = None
    canister_id: Principal | None = None
    fault: str = ""

    @classmethod
    def read(cls, request: Request) -> OpenRequest:
        """Read the request as a ws_open. Never raises: what is none has a ``fault``."""
        envelope = request.envelope
        if envelope is None:
            return cls(fault=request.fault)
        if not request.is_call or envelope.arg is None or envelope.sender is None:
            return cls(
                fault="first message from client should contain canister_id and arg in envelope's content "
                "and should be of Call variant"
            )
        try:
            arguments = decode_open_args(envelope.arg)
        except DecodeError as error:
            return cls(fault=f"{_WRONG_ARG}: {error}")
        if arguments.gateway_principal is None:
            return cls(fault=f"{_WRONG_ARG}: gateway_principal is missing")
        return cls(ClientKey(envelope.sender, arguments.client_nonce), envelope.canister_id)


def _is_request(envelope: Envelope) -> bool:
    """Whether serde can read the content as an EnvelopeContent (ic-transport-types): all fields of its variant."""
    expiry_ns = envelope.ingress_expiry_ns
    if envelope.sender is None or expiry_ns is None or not 0 <= expiry_ns <= MAX_U64:
        return False
    if envelope.request_type == "read_state":
        return isinstance(envelope.content.get("paths"), list)
    has_call_fields = envelope.canister_id is not None and envelope.method_name is not None and envelope.arg is not None
    return envelope.request_type in ("call", "query") and has_call_fields
