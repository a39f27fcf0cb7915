"""The JSON that a person reads and writes beside a form: pure functions between values of a Candid type and JSON.

Records are objects (tuples are arrays), a variant is {"Case": value} or "Case", bytes are "0x…", an option is its value
or null ({"some": value} where the value may itself be null). Numbers may have any size. The values are those that
`candid.encode` takes and `candid.decode` gives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from icws_explore.protocol import candid
from icws_explore.protocol.candid.limits import MAX_DEPTH
from icws_explore.protocol.candid.text import brief_text
from icws_explore.protocol.candid.types import is_blob, takes_null
from icws_explore.protocol.errors import ValueMismatchError
from icws_explore.protocol.principal import Principal

from .form_values import Refusal, hex_bytes, leaf_value, node_of

_Inside: TypeAlias = Callable[[candid.Type, Any, Any], Any]  # reads the content of a part: type, content, step


def json_text(type_: candid.Type, value: Any) -> str:
    """``value`` as JSON text, a line for each field."""
    return json.dumps(to_json(type_, value), indent=2, ensure_ascii=False)


def parse_json(text: str, type_: candid.Type) -> Any:
    """The value that JSON ``text`` stands for. Raises ValueMismatchError, in one line."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueMismatchError(f"line {error.lineno}, column {error.colno}", error.msg) from None
    except (RecursionError, ValueError):
        raise ValueMismatchError("", "the JSON is nested too deep, or has a number that is too long") from None
    return from_json(type_, content)


def to_json(type_: candid.Type, value: Any) -> Any:
    """``value``, as `candid.decode` gives it for ``type_``, as JSON."""
    resolved = candid.resolve(type_)
    match resolved:
        case candid.Record():
            parts = {key: to_json(f.type, value[key]) for key, f in zip(resolved.keys, resolved.fields, strict=True)}
            return list(parts.values()) if resolved.is_tuple and parts else parts
        case candid.Variant():
            ((key, content),) = value.items()
            inner = resolved.fields[resolved.keys.index(key)].type
            return key if candid.resolve(inner) == candid.NULL else {key: to_json(inner, content)}
        case candid.Opt():
            if value is None:
                return None
            if isinstance(value, candid.Some):
                return {"some": to_json(resolved.inner, value.value)}
            return to_json(resolved.inner, value)
        case candid.Vec():
            return f"0x{bytes(value).hex()}" if is_blob(resolved) else [to_json(resolved.inner, each) for each in value]
        case candid.Func():
            return {"principal": str(value.principal), "method": value.method}
        case candid.Service():
            return str(value.principal)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    return str(value) if isinstance(value, Principal) else value


def from_json(type_: candid.Type, content: Any) -> Any:
    """The value of ``type_`` that parsed JSON stands for. Raises ValueMismatchError, with the path to what is wrong."""
    return _of_json(candid.resolve(type_), content, "", 0)


def _of_json(type_: candid.Type, content: Any, path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueMismatchError(path[:80], f"values are nested more than {MAX_DEPTH} deep")

    def inside(inner: candid.Type, content: Any, step: Any) -> Any:
        return _of_json(candid.resolve(inner), content, f"{path}.{step}" if path else str(step), depth + 1)

    match type_:
        case candid.Record():
            return _record(type_, content, path, inside)
        case candid.Variant():
            return _variant(type_, content, path, inside)
        case candid.Opt(inner=inner):
            if content is None or not takes_null(inner):
                return None if content is None else _of_json(candid.resolve(inner), content, path, depth + 1)
            if not (_has_one(content) and "some" in content):
                raise ValueMismatchError(path, 'an option of what may be null is null or {"some": value}')
            return candid.Some(inside(inner, content["some"], "some"))
        case candid.Vec() if is_blob(type_) and isinstance(content, str):
            return _refused(path, lambda: _hex(content))
        case candid.Vec():
            if not isinstance(content, list):
                raise ValueMismatchError(path, 'bytes are "0x…"' if is_blob(type_) else "a vec is an array")
            values = [inside(type_.inner, each, i) for i, each in enumerate(content)]
            return bytes(values) if is_blob(type_) else values
    return _refused(path, lambda: _leaf(type_, content))


def _variant(type_: candid.Variant, content: Any, path: str, inside: _Inside) -> dict[str, Any]:
    key, inner = next(iter(content.items())) if _has_one(content) else (content, None)
    if not isinstance(key, str) or key not in type_.keys:
        cases = ", ".join(map(repr, type_.keys[:12]))
        raise ValueMismatchError(path, f'a variant is {{"Case": value}} or "Case"; the cases are: {cases}')
    return {key: inside(type_.fields[type_.keys.index(key)].type, inner, key)}


def _record(type_: candid.Record, content: Any, path: str, inside: _Inside) -> dict[str, Any]:
    if type_.is_tuple and isinstance(content, list):
        content = dict(zip(type_.keys, content, strict=False))
    if not isinstance(content, dict):
        raise ValueMismatchError(path, "a tuple is an array" if type_.is_tuple else "a record is an object")
    unknown = next((key for key in content if key not in type_.keys), None)
    if unknown is not None:
        fields = ", ".join(map(repr, type_.keys[:12])) or "none"
        raise ValueMismatchError(path, f"there is no field {unknown[:40]!r}; the fields are: {fields}")
    values = {}
    for key, field in zip(type_.keys, type_.fields, strict=True):
        if key not in content and not takes_null(field.type):
            raise ValueMismatchError(path, f"the field {key[:40]!r} is missing")
        values[key] = inside(field.type, content.get(key), key)
    return values


def _has_one(content: Any) -> bool:
    return isinstance(content, dict) and len(content) == 1


def _hex(content: str) -> bytes:
    if not content.startswith("0x"):
        raise Refusal('bytes are written as "0x…" in hexadecimal, or as an array of numbers')
    return hex_bytes(content)


def _refused(path: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Refusal as refusal:
        raise ValueMismatchError(path, str(refusal)) from None


def _leaf(type_: candid.Type, content: Any) -> Any:
    node = node_of(type_, lambda _: 0)
    match node["kind"]:
        case "null" if content is not None:
            raise Refusal("only null can stand here")
        case "bool" if not isinstance(content, bool):
            raise Refusal("true or false must stand here")
        case "number" | "float":
            is_number = isinstance(content, (int, str) if node["kind"] == "number" else (int, float, str))
            if not is_number or isinstance(content, bool):
                raise Refusal(f"a number ({node['name']}) must stand here")
            try:
                content = str(content)
            except ValueError:  # more digits than Python writes
                raise Refusal("the number has too many digits") from None
        case "text" | "principal" if not isinstance(content, str):
            raise Refusal(f"a string ({type_}) must stand here")
        case "func" if not (isinstance(content, dict) and content.keys() == {"principal", "method"}):
            raise Refusal('a func is {"principal": …, "method": …}')
    try:
        return leaf_value(node, type_, content)
    except (TypeError, AttributeError):
        raise Refusal(f"this is no value of {brief_text(type_, 60)}") from None
