"""How a replica says no: over HTTP before a request is taken up, or as a reject.

Source: replica, rs/http_endpoints/public (status codes and texts), rs/validator (ingress checks),
rs/types/error_types (error codes); interface specification, "Reject codes".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from icws_explore.protocol.canister import CANISTER_ERROR, Reject
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal


class Refused(Exception):  # noqa: N818 - the field's word; it never leaves the lab, the HTTP side answers it
    """A request that is not taken up: the HTTP status and the text of the answer."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"{status} {text}")


class NotReplicated(Exception):  # noqa: N818 - as above
    """A well-formed request that the ingress filter rejects: answered with a reject that is not certified."""

    def __init__(self, reject: Reject) -> None:
        self.reject = reject
        super().__init__(reject.text)


DESTINATION_INVALID: Final = 3


def canister_not_found(canister_id: Principal) -> Reject:
    """Nobody has that id."""
    return Reject(DESTINATION_INVALID, f"Canister {canister_id} not found", "IC0301")


def canister_stopped(canister_id: Principal) -> Reject:
    """It is there, but takes no calls."""
    return Reject(CANISTER_ERROR, f"Canister {canister_id} is stopped", "IC0508")


def no_management_method(method: str) -> Reject:
    """The lab installs its canisters itself; there is nobody behind aaaaa-aa."""
    return Reject(CANISTER_ERROR, f"Management canister has no method '{method}'", "IC0536")


def format_time(time_ns: int) -> str:
    """A time as the replica prints it: UTC, with as many groups of three decimals as it needs."""
    seconds, fraction = divmod(time_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")  # a u64 ends in the year 2554
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits} UTC" if digits else f"{text} UTC"
