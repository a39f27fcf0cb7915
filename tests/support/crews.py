"""Pieces of work for a `Crew`, and what its workers do with them."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """A piece of work: ``size`` is in bytes."""

    number: int
    size: int = 0

    @property
    def name(self) -> str:
        return f"piece {self.number}"


def squared(piece: Piece) -> int:
    return piece.number**2


def process(piece: Piece) -> int:
    """The process that does it."""
    return os.getpid()


def dying(piece: Piece) -> int:
    """Ends its process at the piece with number 2, as a lack of memory would."""
    if piece.number == 2:
        os._exit(9)
    return piece.number


def failing(piece: Piece) -> int:
    raise ZeroDivisionError(piece.name)
