"""Where a lab can be made to misbehave on purpose: the gateway asks this at every relay.

The base class is the honest gateway. `RelayFaults` drops, delays, doubles or alters frames, with the
seed's dice, so that one seed gives one run.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from icws_explore.protocol.errors import DecodeError, LabError
from icws_explore.protocol.messages import CanisterMessage

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """``data`` is to be passed on, ``delay_ms`` (protocol time) from now."""

    data: bytes
    delay_ms: float = 0.0


class Faults:
    """The honest gateway: everything is passed on as it is, once, at once."""

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        """What becomes of a frame: "up" from a client (an envelope's bytes), "down" from a canister."""
        del direction
        return [Delivery(data)]


@dataclass(slots=True)
class RelayFaults(Faults):
    """Each of ``drop``, ``duplicate`` and ``tamper`` is a probability from 0 to 1 for every frame.

    ``delay_ms`` is protocol time and holds for every frame that is passed on. ``direction`` limits
    the faults to one way (None: both); the first ``spare`` frames of each direction pass unharmed, so
    that a session can open. Tampering changes a byte of a canister message's content.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    tamper: float = 0.0
    delay_ms: float = 0.0
    direction: Direction | None = "down"
    spare: int = 0
    seed: int | None = None
    _seen: dict[Direction, int] = field(default_factory=dict, init=False, repr=False)
    _dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("drop", "duplicate", "tamper"):
            if not 0 <= getattr(self, name) <= 1:
                raise LabError(f"{name} is a probability from 0 to 1, not {getattr(self, name)!r}")
        if self.delay_ms < 0:
            raise LabError(f"delay_ms cannot be negative: {self.delay_ms!r}")
        self._dice = random.Random(self.seed)

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        """What becomes of a frame."""
        seen = self._seen[direction] = self._seen.get(direction, 0) + 1
        if seen <= self.spare or self.direction not in (None, direction):
            return [Delivery(data)]
        if self._dice.random() < self.drop:
            return []
        if direction == "down" and self._dice.random() < self.tamper:
            data = tampered(data)
        copies = 2 if self._dice.random() < self.duplicate else 1
        return [Delivery(data, self.delay_ms)] * copies


def tampered(frame: bytes) -> bytes:
    """A canister message with the last byte of its content changed; anything else as it is."""
    try:
        message = CanisterMessage.decode(frame)
    except DecodeError:
        return frame
    if not message.content:
        return frame
    content = message.content[:-1] + bytes([message.content[-1] ^ 1])
    return CanisterMessage(message.key, content, message.cert, message.tree).encode()
