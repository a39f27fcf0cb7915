"""What a canister's poller tells the gateway, in order of happening."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..arguments import PollMessage
from .events import Level


@dataclass(frozen=True, slots=True)
class Ask:
    """Query from ``nonce`` on."""

    nonce: int
    ticket: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """A polled message, with the proof it shares with its batch."""

    message: PollMessage
    cert: bytes
    tree: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the log."""

    text: str
    level: Level


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last client had left."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The poller has failed; ``text`` is why."""

    text: str


PollerEvent: TypeAlias = Ask | Deliver | Note | Stopped | Dead
