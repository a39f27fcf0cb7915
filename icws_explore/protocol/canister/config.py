"""The configuration of a CDK: WsInitParams and WsHandlers of the Rust CDK, WsInitParams of the Motoko CDK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from ..constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS, MAX_MESSAGES_PER_POLL
from ..errors import ArgumentValueError
from ..principal import Principal

Flavour = Literal["rust", "motoko"]


@dataclass(frozen=True, slots=True)
class Handlers:
    """The functions that the CDK calls with a client's principal; on_message also gets the content's bytes."""

    on_open: Callable[[Principal], None] | None = None
    on_message: Callable[[Principal, bytes], None] | None = None
    on_close: Callable[[Principal], None] | None = None


@dataclass(frozen=True, slots=True)
class CdkConfig:
    """Parameters of one canister. Raises ArgumentValueError for values that no CDK accepts.

    ``flavour`` selects one of the two CDKs. They differ in: the tag of contents, the effect of a malformed
    service message, what the trap of a handler undoes, the order of clients within a tick.
    ``enforce_minimum`` False drops the CDK's rule that the ack interval must be longer than the keep-alive
    timeout, for fast experiments. ``forget_init`` True is a canister that never calls the CDK's ``init``:
    no timer runs. With the Rust CDK no handler is registered either, and the other parameters keep their
    defaults.
    """

    max_messages: int = MAX_MESSAGES_PER_POLL
    send_ack_interval_ms: int = ACK_INTERVAL_MS
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS
    flavour: Flavour = "rust"
    enforce_minimum: bool = True
    forget_init: bool = False

    def __post_init__(self) -> None:
        if self.flavour not in get_args(Flavour):
            raise ArgumentValueError(f"flavour must be one of {', '.join(get_args(Flavour))}, not {self.flavour!r}")
        if self.max_messages < 0:
            raise ArgumentValueError(f"max_messages must not be negative; it is {self.max_messages}")
        for name in ("send_ack_interval_ms", "keep_alive_timeout_ms"):
            if getattr(self, name) < 1:
                raise ArgumentValueError(f"{name} must be at least 1 ms; it is {getattr(self, name)}")
