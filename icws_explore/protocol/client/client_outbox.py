"""What the client sends: numbered, timed, signed, encoded as frames.

Sources: ic-websocket.ts ``_makeWsMessageArguments`` (the number is used up before signing, so a
message that cannot be signed leaves a gap; the timestamp is in whole milliseconds), actor.ts and
agent/index.ts of ic-websocket-js 0.5.0 (a fresh 16-byte nonce for every call).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..arguments import encode_message_args, encode_open_args
from ..constants import FIRST_SEQUENCE_NUM, NS_PER_MS
from ..envelope import Envelope, call_content, ingress_expiry_ns, sign_envelope
from ..keys import Identity
from ..messages import ClientKey, WebsocketMessage
from ..principal import Principal

CALL_NONCE_BYTES = 16

# A request's content and who sends it -> what goes out. May raise IcwsError.
Signer: TypeAlias = Callable[[Mapping[str, Any], Identity], Envelope]


class Outbox:
    """Makes the frames of one session. ``entropy(n)`` gives n random bytes; ``sign`` makes the envelopes."""

    def __init__(
        self,
        canister_id: Principal,
        client_key: ClientKey,
        identity: Identity,
        entropy: Callable[[int], bytes],
        sign: Signer = sign_envelope,
    ) -> None:
        self._canister_id = canister_id
        self._client_key = client_key
        self._identity = identity
        self._entropy = entropy
        self._sign = sign
        self._next_sequence_num = FIRST_SEQUENCE_NUM

    def ws_open(self, gateway_principal: Principal | None, now_ns: int) -> bytes:
        """The frame that asks the canister for a session; without a gateway as SDKs before 0.3.0 asked.

        Raises IcwsError when it cannot be signed.
        """
        arg = encode_open_args(self._client_key.client_nonce, gateway_principal)
        return self._call("ws_open", arg, now_ns)

    def number(self, content: bytes, now_ns: int, *, is_service_message: bool) -> WebsocketMessage:
        """``content`` as the next message of the session."""
        message = WebsocketMessage(
            self._client_key,
            self._next_sequence_num,
            now_ns // NS_PER_MS * NS_PER_MS,
            is_service_message,
            content,
        )
        self._next_sequence_num += 1
        return message

    def ws_message(self, message: WebsocketMessage, now_ns: int) -> bytes:
        """The frame that carries ``message``. Raises IcwsError when it cannot be signed."""
        return self._call("ws_message", encode_message_args(message), now_ns)

    def _call(self, method_name: str, arg: bytes, now_ns: int) -> bytes:
        content = call_content(
            self._canister_id,
            method_name,
            arg,
            self._identity.principal,
            ingress_expiry_ns(now_ns),
            self._entropy(CALL_NONCE_BYTES),
        )
        return self._sign(content, self._identity).encode_frame()
