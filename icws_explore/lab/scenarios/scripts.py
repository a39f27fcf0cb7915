"""A client that says given things at given times: most scenarios need no more talk than that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..simulator.scripts import Player, Script


class Lines(Script):
    """``lines`` are pairs: seconds of protocol time after opening, and a value of the application's message type."""

    def __init__(self, lines: Iterable[tuple[float, Any]]) -> None:
        self._lines = tuple(lines)

    def opened(self, client: Player) -> None:
        for at_s, value in self._lines:
            client.after(at_s * 1000, client.send, value)


def texts(*lines: tuple[float, str]) -> Lines:
    """`Lines` for applications whose messages are ``record { text : text }``, as the lab's echo has them."""
    return Lines((at_s, {"text": text}) for at_s, text in lines)
