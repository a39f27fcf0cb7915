"""The texts of peers that a redacted report may keep, and a check that nothing private is left in its lines.

A close reason, an Err or a trap may quote the application's data. The ``public_…`` functions keep only texts
that the SDK, the CDK, the gateway and the replica are known to use, apart from principals and numbers. They
replace every other text by its length.

`Scrubber` is the second line of defence. It compares the finished lines with the private texts and removes
what they share, so that a rule which quotes too much is caught. Its time is bounded by the length of the
texts, not by the square.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from icws_explore.protocol.client.table import TRANSITIONS
from icws_explore.protocol.errors import MessageError, PrincipalError
from icws_explore.protocol.messages import parse_message_key
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseReason

METHODS: Final = frozenset({"ws_open", "ws_message", "ws_close", "ws_get_messages"})

_REASONS: Final = frozenset(
    {row.close.reason for row in TRANSITIONS if row.close is not None} | {reason.value for reason in CloseReason}
)
_KEY: Final = r"[a-z0-9-]{5,63}(_\d{1,20})?"
_TIME: Final = r"[-\d :.+TZUC]{8,40}"
_EXPIRY: Final = (
    r"Invalid request expiry: Specified ingress_expiry not within expected range: "
    rf"Minimum allowed expiry: {_TIME}, Maximum allowed expiry: {_TIME}, Provided expiry: *{_TIME}"
)
# CDK 0.4.1 errors.rs and Errors.mo, and a replica's words about an expiry.
_SAYINGS: Final = tuple(
    re.compile(saying)
    for saying in (
        rf"Client with (key|principal) {_KEY} (already has|doesn't have) an open connection",
        rf"Client with principal {_KEY} has a different key than the one used in the message",
        rf"Client with key {_KEY} was not registered to gateway {_KEY}",
        rf"Gateway with principal {_KEY} is not registered",
        r"Anonymous principal is not allowed",
        r"Expected incoming sequence number \d{1,20} but got \d{1,20}",
        rf"Missing signature from user: {_KEY}",
        r"Signature is not allowed for the anonymous user\.",
        _EXPIRY,
    )
)
_PATH: Final = re.compile(rf"/?|/api/v[234]/(status|(canister|subnet)/{_KEY}/(call|query|read_state))")
_TARGET: Final = re.compile(r"(GET|POST|OPTIONS|HEAD|PUT|DELETE) (\S{1,500})")
_NOTES: Final = (
    re.compile(r"line \d+ is incomplete \(the recorder was stopped while writing it\) and left out"),
    re.compile(r"\d+ more lines left out"),
    re.compile(r"the file does not say how the sockets closed; record with icws tap to see it"),
)


def public_reason(reason: str | None) -> str | None:
    """Keep a close reason that the SDK or the CDK uses."""
    return reason if not reason or reason in _REASONS else withheld_text(reason)


def public_saying(text: str) -> str:
    """Keep an answer that the CDK or the replica words exactly so."""
    return text if not text or any(saying.fullmatch(text) for saying in _SAYINGS) else withheld_text(text)


def public_method(name: str | None) -> str | None:
    return name if name is None or name in METHODS else withheld_text(name)


def public_key(key: str) -> str:
    """Keep a valid message key."""
    try:
        parse_message_key(key)
    except MessageError:
        return withheld_text(key)
    return key


def public_principal(text: str | None) -> str | None:
    """Keep the text of a valid principal."""
    if text is None:
        return None
    try:
        return Principal.from_text(text).text
    except PrincipalError:
        return withheld_text(text)


def public_url(url: str | None) -> str | None:
    """Keep scheme, host and port, and a path of the HTTP interface; never credentials or a query."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return withheld_text(url)
    if parts.scheme not in ("ws", "wss", "http", "https") or not host:
        return withheld_text(url)
    path = parts.path if _PATH.fullmatch(parts.path) else "/…"
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}{'' if port is None else f':{port}'}{path}{'?…' if parts.query else ''}"


def public_target(target: str | None) -> str | None:
    """Keep the method and a known path of an HTTP request, as `Frame.reason` holds them."""
    found = _TARGET.fullmatch(target or "")
    if target is None or found is None:
        return None if target is None else withheld_text(target)
    if found[2].startswith(("ws:", "wss:")):
        return f"{found[1]} {public_url(found[2])}"
    path, question, _ = found[2].partition("?")
    return f"{found[1]} {path if _PATH.fullmatch(path) else '/…'}{'?…' if question else ''}"


def public_time(text: str | None) -> str | None:
    """Keep a valid RFC 3339 time."""
    try:
        return None if text is None else datetime.fromisoformat(text).isoformat()
    except ValueError:
        return None


def public_note(note: str) -> str:
    """Keep a note about an unreadable part of a file if it cannot quote the file."""
    return note if any(known.fullmatch(note) for known in _NOTES) else withheld_text(note)


def withheld_text(text: str) -> str:
    return f"‹text, {len(text)} characters›"


_GRAM: Final = 6
LEAST: Final = 2 * _GRAM  # shared characters in a row; shorter texts count if they occur whole and are not one word
MASK: Final = "‹withheld›"


class Scrubber:
    """Removes private texts from ``lines``: feed it the texts, then ask for the lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._private = [bytearray(len(line)) for line in lines]
        self._places: dict[str, list[tuple[int, int]]] = {}
        for number, line in enumerate(lines):
            for at in range(len(line) - _GRAM + 1):
                self._places.setdefault(line[at : at + _GRAM], []).append((number, at))

    def __len__(self) -> int:
        return len(self._lines)

    def feed(self, text: str) -> None:
        """Mark what the lines share with a private text."""
        if len(text) < LEAST:
            self._mark_whole(text)
            return
        seen: set[tuple[str, str]] = set()
        for at in range(0, len(text) - _GRAM + 1, _GRAM):  # a run of LEAST characters contains one of these whole
            gram = text[at : at + _GRAM]
            if gram not in self._places:
                continue
            around = text[max(0, at - LEAST) : at], text[at : at + _GRAM + LEAST]
            if around in seen:
                continue
            seen.add(around)
            for number, place in self._places[gram]:
                self._mark_run(text, at, number, place)

    def _mark_whole(self, text: str) -> None:
        if len(text) < _GRAM or (text.isascii() and text.isalpha()):
            return
        for number, place in self._places.get(text[:_GRAM], ()):
            if self._lines[number].startswith(text, place):
                self._mark(number, place, place + len(text))

    def _mark_run(self, text: str, at: int, number: int, place: int) -> None:
        line = self._lines[number]
        before = 0
        while before < min(at, place) and text[at - before - 1] == line[place - before - 1]:
            before += 1
        length = _GRAM
        room = min(len(text) - at, len(line) - place)
        while length < room and text[at + length] == line[place + length]:
            length += 1
        if before + length >= LEAST:
            self._mark(number, place - before, place + length)

    def _mark(self, number: int, start: int, end: int) -> None:
        self._private[number][start:end] = b"\x01" * (end - start)

    def line(self, number: int) -> str:
        """Return a line with its private parts replaced."""
        parts: list[str] = []
        hidden = False
        for character, private in zip(self._lines[number], self._private[number], strict=True):
            if not private:
                parts.append(character)
            elif not hidden:
                parts.append(MASK)
            hidden = bool(private)
        return "".join(parts)
