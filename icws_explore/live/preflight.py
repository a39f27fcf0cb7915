"""What to ask a network before a session: is the canister there, and which messages does it take.

The gateway never tells a client why its ws_open came to nothing, so a wrong canister id would show
as a silent minute and a time-out. One query tells in advance.
"""

from __future__ import annotations

from typing import Final

from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_poll_args
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.errors import ConnectError, DidError, IcwsError
from icws_explore.protocol.hashtree import Found
from icws_explore.protocol.hashtree import paths as lookup
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import passed

from .did_file import app_type_of
from .http import Network

DESTINATION_INVALID: Final = 3  # reject code: no such canister
CANISTER_ERROR: Final = 5  # reject code: no such method, stopped, trapped


async def require_websocket_canister(network: Network, canister_id: Principal) -> None:
    """Raise ConnectError when the network says that the canister cannot take part.

    An answer that does not settle it (a canister that is busy, a method that traps) is no reason
    to refuse: the session itself will show.
    """
    if canister_id == Principal.MANAGEMENT:
        raise ConnectError(f"{canister_id} is the management canister, which takes no part: name your own canister")
    try:
        answer = await network.query(canister_id, "ws_get_messages", encode_poll_args(0))
    except ConnectError as error:
        if "canister_not_found" in str(error) or "not found" in str(error).lower():
            raise _missing(network, canister_id) from error
        raise
    if answer.reject_code == DESTINATION_INVALID:
        raise _missing(network, canister_id)
    if answer.reject_code == CANISTER_ERROR and "no query method" in answer.reject_message:
        raise ConnectError(f"canister {canister_id} has no ws_get_messages: it is not built with an IC WebSocket CDK")
    if answer.error_code in ("IC0508", "IC0509"):
        raise ConnectError(f"canister {canister_id} is stopped: start it and try again")


async def find_application_type(network: Network, canister_id: Principal, root_key: bytes) -> candid.Type | None:
    """The type of application messages by the canister's public ``candid:service`` metadata.

    None where the canister publishes none, where it names no type, or where the certificate does
    not hold: then messages are shown by their wire types, and sending needs a declared type.
    """
    path = [b"canister", canister_id.raw, b"metadata", b"candid:service"]
    try:
        raw = await network.read_state(canister_id, [path])
        certificate, steps = check_certificate(
            raw, canister_id=canister_id, root_key=root_key, now_ns=network.clock.now_ns()
        )
        if certificate is None or not passed(steps):
            return None
        found = lookup(certificate.tree, path)
        return app_type_of(found.value.decode("utf-8")) if isinstance(found, Found) else None
    except (ConnectError, DidError, UnicodeDecodeError):
        return None


def _missing(network: Network, canister_id: Principal) -> IcwsError:
    return ConnectError(f"canister {canister_id} does not exist on {network.url}: check the id and the network")
