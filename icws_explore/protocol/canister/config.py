"""How a CDK is set up: WsInitParams and WsHandlers of the Rust CDK, WsInitParams of the Motoko one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from ..constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS, MAX_MESSAGES_PER_POLL
from ..errors import StateError
from ..principal import Principal

Flavour = Literal["rust", "motoko"]


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the CDK calls, each with the client's principal; on_message also with the content's bytes."""

    on_open: Callable[[Principal], None] | None = None
    on_message: Callable[[Principal, bytes], None] | None = None
    on_close: Callable[[Principal], None] | None = None


@dataclass(frozen=True, slots=True)
class CdkConfig:
    """Parameters of one canister. Raises StateError for values that no CDK could be given.

    ``flavour`` chooses between the two CDKs where they differ: tagged contents, what a malformed
    service message does, what a trapping handler undoes, the order of clients within a tick.
    ``enforce_minimum`` False lifts the CDK's rule that the ack interval is longer than the
    keep-alive timeout, for fast experiments. ``forget_init`` True is a canister that never calls
    the CDK's ``init``: no timer runs, and under the Rust CDK no handler is registered either and
    the other parameters keep their defaults.
    """

    max_messages: int = MAX_MESSAGES_PER_POLL
    send_ack_interval_ms: int = ACK_INTERVAL_MS
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS
    flavour: Flavour = "rust"
    enforce_minimum: bool = True
    forget_init: bool = False

    def __post_init__(self) -> None:
        if self.flavour not in get_args(Flavour):
            raise StateError(f"flavour is {self.flavour!r}; it must be one of {', '.join(get_args(Flavour))}")
        if self.max_messages < 0:
            raise StateError(f"max_messages is {self.max_messages}; it cannot be negative")
        for name in ("send_ack_interval_ms", "keep_alive_timeout_ms"):
            if getattr(self, name) < 1:
                raise StateError(f"{name} is {getattr(self, name)}; it must be at least 1 ms")
