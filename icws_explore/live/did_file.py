"""An application's message type from what a user has at hand: a .did file, its text, or a type's text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from icws_explore.protocol import candid
from icws_explore.protocol.errors import DidError

MAX_DID_BYTES: Final = 4 * 1024 * 1024


def read_app_type(source: str | os.PathLike[str]) -> candid.Type:
    """The type of application messages: ``T`` of ``ws_message : (…, opt T)``, or the type given.

    ``source`` is a path (or the name of a .did file) or Candid text. Raises DidError, which says
    what to change where ``ws_message`` does not name a type.
    """
    if isinstance(source, os.PathLike) or _is_file_name(source):
        path = Path(source)
        try:
            text = path.read_bytes()[: MAX_DID_BYTES + 1].decode("utf-8")
        except OSError as error:
            raise DidError(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise DidError(f"{path} is not text: a .did file is UTF-8") from error
        try:
            return app_type_of(text)
        except DidError as error:
            raise DidError(f"{error.reason} (in {path})", error.line, error.column) from error
    return app_type_of(source)


def app_type_of(text: str) -> candid.Type:
    """The application's type in Candid text: a service's, or the one type that the text is."""
    if len(text) > MAX_DID_BYTES:
        raise DidError(f"{len(text)} characters are more than the {MAX_DID_BYTES} allowed")
    if "service" in text and "ws_message" in text:
        return candid.parse_did(text).application_type()
    return candid.parse_type(text)


def _is_file_name(source: str | os.PathLike[str]) -> bool:
    text = os.fspath(source)
    return "\n" not in text and text.endswith(".did")
