"""What could not be read, in lines for a person: bounded, for a hostile file gives cause for a million."""

from __future__ import annotations

from collections import Counter
from typing import Final

from icws_explore.protocol.credentials import without_credentials

MAX_ALIKE: Final = 20  # lines of one kind
MAX_TEXT: Final = 120  # characters of what a file holds


class Notes(list[str]):
    """Lines. Those of a kind that may be many are added with `some`, and counted by `counted`."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: Counter[str] = Counter()

    def some(self, kind: str, text: str) -> None:
        """One line more of ``kind`` (a plural: "messages left out"), if there are not too many yet."""
        self._seen[kind] += 1
        if self._seen[kind] <= MAX_ALIKE:
            self.append(text)

    def counted(self) -> list[str]:
        """The lines, and how many more of each kind there would be."""
        more = [f"{count - MAX_ALIKE} more {kind}" for kind, count in self._seen.items() if count > MAX_ALIKE]
        return [*self, *more]


def shown(text: str) -> str:
    """``text`` out of a file, on one line and no longer than a line, without credentials."""
    line = without_credentials(" ".join(text[: 10 * MAX_TEXT].split()))
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
