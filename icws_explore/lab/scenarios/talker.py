"""A client that says the same again and again."""

from __future__ import annotations

from typing import Any

from ..simulator.scripts import Player, Script


class Talker(Script):
    """Sends ``value`` every ``every_ms``, ``times`` at once."""

    def __init__(self, value: Any, *, every_ms: float = 20_000, times: int = 1) -> None:
        self._value, self._every_ms, self._times = value, every_ms, times

    def opened(self, client: Player) -> None:
        client.after(self._every_ms, self._talk, client)

    def _talk(self, client: Player) -> None:
        for _ in range(self._times):
            client.send(self._value)
        client.after(self._every_ms, self._talk, client)
