"""Remove passwords and tokens from everything that is printed, recorded or sent to a third party.

This module is the only place that does so. `ConnectError` passes its text through it, `SessionInfo` its URLs, and
the tap its notes, so code that uses these need not think of it. Removed are ``user:password@``, the query and the
fragment of a URL (tokens are passed there), path parameters after ``;``, and the values of Authorization and Cookie
headers that a peer quotes. The path stays, because a secret in it cannot be distinguished from a name.
"""

from __future__ import annotations

import re
from typing import Final

LEFT_OUT: Final = "…"

_START: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,20}://")
_AUTHORITY_END: Final = re.compile(r"[/?#\\]")
_AUTHORITY: Final = re.compile(r"(?:\[[^\[\]@\s]*\]|[^\s:\[\]@]*)(?::\d{0,5})?")
_PATH_END: Final = re.compile(r"[?#;]")
_QUOTES: Final = "\"'`)>],.;:!"
_QUERY: Final = re.compile(r"\?[^\s=?]*=")
_HEADER: Final = re.compile(r"\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s?[:=]\s?)(?=\S).*", re.IGNORECASE)


def shown_url(url: str) -> str:
    """Return ``url``, which need not be valid, without user, password, query and fragment."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    authority, tail = _cut(rest, _AUTHORITY_END)
    host = authority.rpartition("@")[2]
    if not _AUTHORITY.fullmatch(host):  # not a URL; a password that contains a slash looks like this
        host, tail = _cut(rest.rpartition("@")[2], _AUTHORITY_END)
        if not _AUTHORITY.fullmatch(host):
            host = host.partition(":")[0] + f":{LEFT_OUT}"
    path, query = _cut(tail, _PATH_END)
    if "@" in tail:  # or it looks like this
        path = f"/{LEFT_OUT}"
    return f"{scheme}{mark}{host}{path}{'' if len(query) < 2 else f'?{LEFT_OUT}'}"


def shown_target(target: str) -> str:
    """Return the path of a request's target, without query, fragment and path parameters."""
    return _cut(target, _PATH_END)[0]


def without_credentials(text: str, *secrets: str) -> str:
    """Apply `shown_url` to every URL in ``text``, and remove ``secrets`` wherever they occur."""
    for secret in secrets:
        text = text.replace(secret, LEFT_OUT)
    if not any(mark in text for mark in "@?=:"):
        return text
    text = _HEADER.sub(rf"\1\2{LEFT_OUT}", text)
    return re.sub(r"\S+", _shown_word, text)


def _shown_word(found: re.Match[str]) -> str:
    word = found[0]
    starts = [start.start() for start in _START.finditer(word)]
    if not starts:
        return _without_scheme(word)
    pieces = [word[start:end] for start, end in zip(starts, [*starts[1:], len(word)], strict=True)]
    return word[: starts[0]] + "".join(map(_in_text, pieces))


def _in_text(url: str) -> str:
    """Keep the quotes and commas that follow a URL in a text."""
    bare = url.rstrip(_QUOTES)
    return shown_url(bare) + url[len(bare) :]


def _without_scheme(word: str) -> str:
    """Handle ``user:password@host`` and ``/path?token=…``."""
    before, at, host = word.rpartition("@")
    if at and ":" in before:
        word = host
    if (query := _QUERY.search(word)) is not None:
        word = f"{word[: query.start()]}?{LEFT_OUT}"
    return word


def _cut(text: str, end: re.Pattern[str]) -> tuple[str, str]:
    """Split ``text`` before the first match of ``end``."""
    found = end.search(text)
    return (text, "") if found is None else (text[: found.start()], text[found.start() :])
