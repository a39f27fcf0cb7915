"""Converts what a person types as an application message to a value of the canister's type."""

from __future__ import annotations

import json
from typing import Any

from icws_explore.protocol import candid
from icws_explore.protocol.errors import IcwsError, ValueMismatchError
from icws_explore.protocol.principal import Principal

_NUMBERS = ("nat", "int", "float")


def value_from_text(app_type: candid.Type, text: str) -> Any:
    """The value that ``text`` means: JSON of the type's shape, or plain text if the type has exactly one text field.

    In JSON, a principal is a string, a blob is a string of hexadecimal digits (with or without ``0x``), a variant is
    ``{"Tag": value}`` or ``"Tag"``. Raises ValueMismatchError, or IcwsError for plain text that the type cannot take.
    """
    try:
        parsed = json.loads(text)
    except ValueError:
        return _from_words(app_type, text)
    except RecursionError as error:
        raise _too_deep() from error
    if _is(app_type, "text") and not isinstance(parsed, str):
        return text
    try:
        return from_json(app_type, parsed)
    except RecursionError as error:
        raise _too_deep() from error


def from_json(declared: candid.Type, value: Any, path: str = "") -> Any:
    """Convert a JSON value to the Python value that `candid.encode` takes for ``declared``."""
    declared = candid.resolve(declared)  # a recursive type contains a reference to itself
    name = candid.type_text(declared)
    match declared:
        case candid.Opt(inner=inner):
            return None if value is None else from_json(inner, value, path)
        case candid.Vec() if name in ("blob", "vec nat8") and isinstance(value, str):
            return _blob(value, path)
        case candid.Vec(inner=inner) if isinstance(value, list):
            return [from_json(inner, item, f"{path}[{i}]") for i, item in enumerate(value)]
        case candid.Record(fields=fields) if isinstance(value, dict):
            known = {str(field.label): field.type for field in fields}
            return {k: from_json(known[k], v, f"{path}.{k}") if k in known else v for k, v in value.items()}
        case candid.Variant(fields=fields):
            tag, inner_value = (value, None) if isinstance(value, str) else _single(value, path)
            chosen = next((field.type for field in fields if str(field.label) == tag), None)
            return {tag: inner_value if chosen is None else from_json(chosen, inner_value, f"{path}.{tag}")}
        case _ if name == "principal" and isinstance(value, str):
            return Principal.from_text(value)
        case _ if name.startswith(_NUMBERS) and isinstance(value, str):
            return _number(value, path)
        case _:
            return value


def _from_words(app_type: candid.Type, text: str) -> Any:
    """Put plain text into the only text field. Numbers beside it become 0, options None."""
    if _is(app_type, "text"):
        return text
    if isinstance(app_type, candid.Record):
        texts = [field for field in app_type.fields if _is(field.type, "text")]
        others = [field for field in app_type.fields if not _is(field.type, "text")]
        fillable = all(candid.type_text(f.type).startswith((*_NUMBERS, "opt ")) for f in others)
        if len(texts) == 1 and fillable:
            rest = {str(f.label): None if isinstance(f.type, candid.Opt) else 0 for f in others}
            return {str(texts[0].label): text, **rest}
    raise IcwsError(f"write the message as JSON of type {candid.type_text(app_type)}, not as {text!r}")


def _is(declared: candid.Type, name: str) -> bool:
    return candid.type_text(declared) == name


def _blob(value: str, path: str) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError as error:
        raise ValueMismatchError(path, f"{value[:40]!r} is not hexadecimal") from error


def _number(value: str, path: str) -> int | str:
    try:
        return int(value) if value.lstrip("-").isdecimal() else value
    except ValueError as error:  # Python limits the number of digits, and --1 is no number
        raise ValueMismatchError(path, f"{value[:40]!r} is not a number, or it is too long") from error


def _too_deep() -> ValueMismatchError:
    return ValueMismatchError("", "the JSON is nested too deeply")


def _single(value: Any, path: str) -> tuple[str, Any]:
    if isinstance(value, dict) and len(value) == 1:
        tag, inner = next(iter(value.items()))
        return tag, inner
    raise ValueMismatchError(path, 'a variant is written {"Tag": value} or "Tag"')
