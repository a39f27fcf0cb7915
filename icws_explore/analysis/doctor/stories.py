"""One finding in many sessions: which of their explanations tell another story, and not the same with other numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

MAX_STORIES: Final = 3  # told of one finding
MAX_COMPARED: Final = 50  # explanations that differ in a word; more are not looked at
_MAX_WORDS: Final = 80  # of each
_SAME: Final = 0.5  # the share of words that two tellings of one story have in common at least
_VARYING: Final = re.compile(r"\"[^\"]*\"|'[^']*'|\S*\d\S*|\S*-\S*-\S*|[^\w\s]")  # quotes, numbers, principals, marks


def other_stories(first: str, others: Iterable[str]) -> list[int]:
    """The places in ``others`` of what differs in kind from ``first`` and from each other; at most two."""
    told = [_words(first)]
    seen = {told[0]}
    found: list[int] = []
    for place, text in enumerate(others):
        words = _words(text)
        if words in seen:
            continue
        seen.add(words)
        if not any(_is_same(words, other) for other in told):
            told.append(words)
            found.append(place)
        if len(told) == MAX_STORIES or len(seen) > MAX_COMPARED:
            break
    return found


def _words(text: str) -> tuple[str, ...]:
    """What stays the same in a story from session to session."""
    return tuple(_VARYING.sub(" ", text).lower().split()[:_MAX_WORDS])


def _is_same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SAME
