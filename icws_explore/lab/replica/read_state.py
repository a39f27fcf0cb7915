"""The paths of the certified state that a read_state request may read.

Whether a path may be read does not depend on what is there, so a refusal reveals nothing. The exception is the status
of a call: only its sender may read it.

Sources: interface specification, "Request: Read state"; replica, rs/http_endpoints/public (read_state).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from icws_explore.protocol.errors import PrincipalError
from icws_explore.protocol.principal import Principal

from .admission import Refused
from .history import Entry

Path = Sequence[bytes]

MAX_PATHS: Final = 1000
MAX_LABELS: Final = 127  # in one path
REQUEST_ID_LENGTH: Final = 32  # bytes
_REQUEST_LEAVES: Final = {b"status", b"reply", b"reject_code", b"reject_message", b"error_code"}
_BOUNDARY_LEAVES: Final = {b"domain", b"ipv4_address", b"ipv6_address"}


class Target(Enum):
    """The two read_state endpoints: of a canister, and of a subnet."""

    CANISTER = "canister"
    SUBNET = "subnet"


@dataclass(frozen=True, slots=True)
class Reader:
    """The sender of a read_state request, the endpoint, and what the replica knows.

    ``targets`` are the canisters that the sender's delegations are limited to (None: no limit). ``effective_id`` is the
    principal in the URL. ``version`` of the endpoint is 2 or 3. ``status_of`` returns the entry of a call by its
    request id.
    """

    sender: Principal
    targets: frozenset[Principal] | None
    target: Target
    effective_id: Principal
    version: int
    root_subnet_id: Principal
    status_of: Callable[[bytes], Entry | None]


def authorise(paths: Sequence[Path], reader: Reader) -> None:
    """Raise Refused (HTTP 400, 403 or 404, with the replica's text) unless ``reader`` may read every path."""
    if len(paths) > MAX_PATHS:
        raise Refused(
            400,
            f"Too many paths in read state request: got {len(paths)} paths, but at most {MAX_PATHS} are allowed.",
        )
    request_ids: dict[bytes, None] = {}
    for path in paths:
        if len(path) > MAX_LABELS:
            raise Refused(
                400,
                f"At least one path in read state request is too deep: got {len(path)} labels, "
                f"but at most {MAX_LABELS} are allowed.",
            )
        _authorise_path(list(path), reader, request_ids)


def _authorise_path(path: list[bytes], reader: Reader, request_ids: dict[bytes, None]) -> None:
    match path:
        case [b"time"] | [b"subnet"] | [b"subnet", _] | [b"api_boundary_nodes"] | [b"api_boundary_nodes", _]:
            return None
        case [b"api_boundary_nodes", _, leaf] if leaf in _BOUNDARY_LEAVES:
            return None
        case [b"subnet", _, b"public_key" | b"node"] | [b"subnet", _, b"node", _]:
            return None
        case [b"subnet", _, b"node", _, b"public_key"]:
            return None
        case [b"subnet", subnet, b"canister_ranges"] if reader.version == 2 or subnet == reader.root_subnet_id.raw:
            return None
        case [b"subnet", subnet, b"metrics"] if reader.target is Target.SUBNET:
            return _same_principal(subnet, reader)
        case [b"canister_ranges", _] if reader.target is Target.SUBNET:
            return None
        case [b"canister", canister, b"controllers" | b"module_hash"] if reader.target is Target.CANISTER:
            return _same_principal(canister, reader)
        case [b"canister", canister, b"metadata", name] if reader.target is Target.CANISTER:
            _metadata_name(name)
            return _same_principal(canister, reader)
        case [b"request_status", request_id, *rest] if _is_request_leaf(rest) and (
            reader.target is Target.CANISTER or reader.version >= 3
        ):
            return _own_request(request_id, reader, request_ids)
    raise Refused(404, "Invalid path requested.")


def _is_request_leaf(rest: list[bytes]) -> bool:
    return not rest or (len(rest) == 1 and rest[0] in _REQUEST_LEAVES)


def _same_principal(raw: bytes, reader: Reader) -> None:
    try:
        principal = Principal(raw)
    except PrincipalError as error:
        raise Refused(400, f"Could not parse principal ID: {error}.") from error
    if principal != reader.effective_id:
        raise Refused(
            400,
            f"Effective principal id in URL {reader.effective_id} does not match requested principal id: {principal}.",
        )


def _metadata_name(name: bytes) -> None:
    try:
        name.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, f"Could not parse the custom section name: {error}.") from error


def _own_request(request_id: bytes, reader: Reader, request_ids: dict[bytes, None]) -> None:
    if len(request_id) != REQUEST_ID_LENGTH:
        raise Refused(
            400,
            f"Invalid request id in paths. Maybe the request ID is not of {REQUEST_ID_LENGTH} bytes in length?!",
        )
    request_ids[request_id] = None
    if len(request_ids) > 1:
        first, second = (f"0x{each.hex()}" for each in request_ids)
        raise Refused(400, f"More than one non-unique request ID exists in request_status paths: {first} and {second}.")
    entry = reader.status_of(request_id)
    if entry is None:
        return
    if entry.sender != reader.sender:
        raise Refused(403, "The user tries to access Request ID not signed by the caller.")
    if reader.targets is not None and entry.canister_id not in reader.targets:
        raise Refused(
            403,
            "The user tries to access request IDs for canisters not belonging to sender delegation targets.",
        )
