"""What a form for values of a Candid type shows, and how its contents become values: pure functions.

A `Schema` describes a type for the form in the browser (send_form.js) as a list of nodes, each a dict with a ``kind``.
Nodes refer to each other by their index, so a recursive type is a finite list. A type with more than `MAX_NODES` nodes
ends in nodes of the kind "candid", whose values are written as Candid text. So any type, however hostile, costs bounded
time here and in the browser.

The contents of a form are JSON, positional and with every leaf as the text that was typed::

    kind      contents
    record    [contents of each field]; None: not filled in yet
    variant   {"case": index, "value": contents}; None: not filled in yet
    opt       None, or {"some": contents}
    vec       [contents of each element]
    blob      {"as": "hex" or "text", "text": …}
    func      {"principal": …, "method": …}
    bool      true or false
    null      None
    others    the text of the number, principal or text

`to_form` and `from_form` translate between contents and the Python values that `candid.encode` takes. `from_form`
collects a `Problem` for each field that cannot be read. A field's ``path`` is the steps to it, joined by slashes: an
index in a record or vec, "v" in a variant, "s" in an option.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from icws_explore.protocol import candid
from icws_explore.protocol.candid.limits import MAX_DEPTH, MAX_VALUES
from icws_explore.protocol.candid.text import brief_text
from icws_explore.protocol.candid.types import is_blob, takes_null
from icws_explore.protocol.candid.value_text import float_problem, number_range, out_of_range
from icws_explore.protocol.errors import DidError, PrincipalError
from icws_explore.protocol.principal import Principal

MAX_NODES: Final = 1_000
MAX_PARTS: Final = 4_000  # fields and cases in all nodes
MAX_LABEL: Final = 200  # characters of a field's name that are shown
START_NODES: Final = 60  # of the contents that a form begins with; what lies beyond is filled in on demand
_HEX_SIGNS: Final = re.compile(r"[\s:,_-]|0x")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the field at ``path`` cannot be read, in one line."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A type as the form needs it. ``nodes`` are JSON and the first is the whole; ``types`` are theirs."""

    nodes: tuple[dict[str, Any], ...]
    types: tuple[candid.Type, ...]


def schema_of(type_: candid.Type) -> Schema:
    """Describe ``type_`` for a form. Raises DidError if it refers to a name that is not defined."""
    types: list[candid.Type] = []
    nodes: list[dict[str, Any]] = []
    index: dict[candid.Type, int] = {}
    parts_left = MAX_PARTS

    def number_of(inner: candid.Type) -> int:
        resolved = candid.resolve(inner)
        if resolved not in index:
            index[resolved] = len(types)
            types.append(resolved)
        return index[resolved]

    number_of(type_)
    for at, each in enumerate(types):  # grows while it is walked
        size = len(each.fields) if isinstance(each, (candid.Record, candid.Variant)) else 1
        parts_left -= size
        is_leaf = parts_left < 0 or len(types) + size > MAX_NODES
        nodes.append({"kind": "candid"} if is_leaf and _inner(each) else node_of(each, number_of))
        nodes[at]["hint"] = brief_text(each, 80)
    _note_finite(nodes)
    return Schema(tuple(nodes), tuple(types))


def _inner(type_: candid.Type) -> bool:
    return isinstance(type_, (candid.Record, candid.Variant, candid.Opt, candid.Vec)) and not is_blob(type_)


def node_of(type_: candid.Type, number_of: Callable[[candid.Type], int]) -> dict[str, Any]:
    """The node of a type; ``number_of`` gives the index of a type in it."""
    match type_:
        case candid.Record() | candid.Variant():
            kind = "record" if isinstance(type_, candid.Record) else "variant"
            return {"kind": kind, "parts": [[str(f.label)[:MAX_LABEL], number_of(f.type)] for f in type_.fields]}
        case candid.Opt():
            return {"kind": "opt", "inner": number_of(type_.inner)}
        case candid.Vec() if is_blob(type_):
            return {"kind": "blob"}
        case candid.Vec():
            return {"kind": "vec", "inner": number_of(type_.inner)}
        case candid.Func():
            return {"kind": "func"}
        case candid.Service():
            return {"kind": "principal"}
        case candid.Prim(name=name):
            return _prim_node(name)
    return {"kind": "empty"}  # a type of a later version of Candid


def _prim_node(name: str) -> dict[str, Any]:
    if name in ("null", "reserved"):
        return {"kind": "null"}
    if name in ("bool", "text", "principal", "empty"):
        return {"kind": name}
    if name in ("float32", "float64"):
        return {"kind": "float", "name": name}
    limits = zip(("low", "high"), number_range(name), strict=True)
    return {"kind": "number", "name": name} | {key: str(limit) for key, limit in limits if limit is not None}


def _note_finite(nodes: list[dict[str, Any]]) -> None:
    """Mark each node as ``finite`` or not, and each variant with its ``least`` case: the shortest way to an end."""
    users: dict[int, list[int]] = {}
    for at, node in enumerate(nodes):
        for _, part in node.get("parts", ()):
            users.setdefault(part, []).append(at)
    waiting = {at: len(node["parts"]) for at, node in enumerate(nodes) if node["kind"] == "record"}
    ends = [at for at, node in enumerate(nodes) if node["kind"] not in ("record", "variant", "empty")]
    ends += [at for at, count in waiting.items() if count == 0]
    finite = set(ends)
    todo = deque(ends)
    while todo:  # in the order of the distance from an end, so the first case that is reached is the shortest
        done = todo.popleft()
        for user in users.get(done, ()):
            if user in finite:
                continue
            if user in waiting:
                waiting[user] -= 1
                if waiting[user]:
                    continue
            else:
                nodes[user]["least"] = next(i for i, (_, part) in enumerate(nodes[user]["parts"]) if part == done)
            finite.add(user)
            todo.append(user)
    for at, node in enumerate(nodes):
        node["finite"] = at in finite


def start(schema: Schema, at: int = 0) -> Any:
    """The contents with which the form of node ``at`` begins. send_form.js has the same function."""
    left = [START_NODES]

    def of(at: int, above: frozenset[int]) -> Any:
        node = schema.nodes[at]
        left[0] -= 1
        match node["kind"]:
            case "record" | "variant" if left[0] < 0 or not node["finite"]:
                return None
            case "record":
                return [of(part, above | {at}) for _, part in node["parts"]]
            case "variant":
                first_ends = schema.nodes[node["parts"][0][1]]["finite"]
                case = 0 if first_ends and at not in above else node["least"]
                return {"case": case, "value": of(node["parts"][case][1], above | {at})}
        return simple_start(node["kind"])

    return of(at, frozenset())


def simple_start(kind: str) -> Any:
    """The contents with which a node without fields begins."""
    match kind:
        case "vec":
            return []
        case "opt" | "null":
            return None
        case "bool":
            return False
        case "number" | "float":
            return "0"
        case "blob":
            return {"as": "hex", "text": ""}
        case "func":
            return {"principal": "", "method": ""}
    return ""


def to_form(schema: Schema, value: Any, at: int = 0) -> Any:
    """The contents of a form that holds ``value``, as `candid.decode` gives it for the type."""
    node, type_ = schema.nodes[at], schema.types[at]
    match node["kind"]:
        case "record":
            assert isinstance(type_, candid.Record)
            parts = zip(type_.keys, node["parts"], strict=True)
            return [to_form(schema, value[key], part) for key, (_, part) in parts]
        case "variant":
            assert isinstance(type_, candid.Variant)
            ((key, content),) = value.items()
            case = type_.keys.index(key)
            return {"case": case, "value": to_form(schema, content, node["parts"][case][1])}
        case "opt":
            if value is None:
                return None
            return {"some": to_form(schema, value.value if isinstance(value, candid.Some) else value, node["inner"])}
        case "vec":
            return [to_form(schema, each, node["inner"]) for each in value]
        case "candid":
            return candid.value_text(type_, value)
    return _leaf_contents(node["kind"], value)


def _leaf_contents(kind: str, value: Any) -> Any:
    match kind:
        case "blob":
            return {"as": "hex", "text": bytes(value).hex()}
        case "func":
            return {"principal": str(value.principal), "method": value.method}
        case "null" | "bool":
            return value
        case "float":
            return repr(float(value))
    return str(value.principal if isinstance(value, candid.ServiceRef) else value)


def form_size(contents: Any) -> int:
    """The number of fields and parts in the contents of a form."""
    size, todo = 0, [contents]
    while todo:
        at = todo.pop()
        size += 1
        todo += at if isinstance(at, list) else [at[k] for k in ("value", "some") if k in at] if _is_dict(at) else []
    return size


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def from_form(schema: Schema, contents: Any) -> tuple[Any, list[Problem]]:
    """The value in a form, and a problem for each field that cannot be read. With problems the value is None."""
    reading = _Reading(schema)
    value = reading.of(contents, 0, (), 0)
    return (None if reading.problems else value), reading.problems


class _Reading:
    def __init__(self, schema: Schema) -> None:
        self.problems: list[Problem] = []
        self._schema = schema
        self._left = MAX_VALUES

    def of(self, contents: Any, at: int, path: tuple[Any, ...], depth: int) -> Any:
        """The value of ``contents`` for the node ``at``; None where it cannot be read."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            if self._left >= -1:
                self._refuse(path, f"more than {MAX_VALUES} values, or nested more than {MAX_DEPTH} deep")
            return None
        node = self._schema.nodes[at]
        try:
            if node["kind"] in ("record", "variant", "opt", "vec"):
                return self._whole(contents, at, path, depth + 1)
            return leaf_value(node, self._schema.types[at], contents)
        except Refusal as refusal:
            self._refuse(path, str(refusal))
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            self._refuse(path, f"these are not the contents of a field of {node['hint']}")
        return None

    def _refuse(self, path: tuple[Any, ...], text: str) -> None:
        self.problems.append(Problem("/".join(map(str, path)), text))

    def _whole(self, contents: Any, at: int, path: tuple[Any, ...], depth: int) -> Any:
        node, type_ = self._schema.nodes[at], self._schema.types[at]
        match type_:
            case candid.Opt():
                if contents is None:
                    return None
                value = self.of(contents["some"], node["inner"], (*path, "s"), depth)
                return candid.Some(value) if takes_null(type_.inner) else value
            case candid.Vec():
                return [self.of(each, node["inner"], (*path, i), depth) for i, each in enumerate(contents)]
            case candid.Record() | candid.Variant() if contents is None:
                raise Refusal("fill this in" if node["finite"] else "no value of this type comes to an end")
            case candid.Record():
                parts = zip(type_.keys, node["parts"], contents, strict=True)
                return {k: self.of(each, part, (*path, i), depth) for i, (k, (_, part), each) in enumerate(parts)}
            case candid.Variant():
                case = contents["case"]
                return {type_.keys[case]: self.of(contents["value"], node["parts"][case][1], (*path, "v"), depth)}
        raise TypeError(type_)


class Refusal(Exception):  # noqa: N818 - control flow; users see a Problem
    """Contents that are no value. The text says why, in one line."""


def leaf_value(node: dict[str, Any], type_: candid.Type, contents: Any) -> Any:
    """The value of a field without further fields."""
    match node["kind"]:
        case "null":
            return None
        case "bool":
            return bool(contents)
        case "empty":
            raise Refusal("this type has no values")
        case "text":
            return _text(contents)
        case "number":
            return whole_number(node["name"], contents)
        case "float":
            return _float(node["name"], contents)
        case "blob":
            return _text(contents["text"]).encode() if contents["as"] == "text" else hex_bytes(contents["text"])
        case "principal":
            principal = _principal(contents)
            return candid.ServiceRef(principal) if isinstance(type_, candid.Service) else principal
        case "func":
            return candid.FuncRef(_principal(contents["principal"]), _text(contents["method"]))
    try:
        return candid.parse_value(contents, type_)
    except DidError as error:
        raise Refusal(str(error)) from None


def _text(contents: str) -> str:
    if not contents.isascii():
        try:
            contents.encode()
        except UnicodeEncodeError:
            raise Refusal("the text has half of a character (a lone surrogate), which cannot be sent") from None
    return contents


def whole_number(name: str, contents: str) -> int:
    """A number as it is typed, with spaces, underscores or commas between digits; 0x for hexadecimal."""
    digits = re.sub(r"(?<=[0-9a-fA-F])[ _,'](?=[0-9a-fA-F])", "", contents.strip())
    if re.fullmatch(r"[+-]?(0x[0-9a-fA-F]+|[0-9]+)", digits, re.ASCII) is None:
        raise Refusal(f"write a whole number ({name})" if not digits else f"this is no whole number ({name})")
    try:
        number = int(digits, 16 if "x" in digits else 10)
    except ValueError:  # more digits than Python reads
        raise Refusal("the number has too many digits") from None
    if (reason := out_of_range(name, number)) is not None:
        raise Refusal(reason)
    return number


def _float(name: str, contents: str) -> float:
    try:
        number = float(contents.strip())
    except ValueError:
        raise Refusal(f"this is no number ({name}): write 1.5, 1e9, inf or nan") from None
    if (reason := float_problem(name, number)) is not None:
        raise Refusal(reason)
    return number


def hex_bytes(contents: str) -> bytes:
    """Bytes in hexadecimal, with or without spaces, colons and 0x between them."""
    digits = _HEX_SIGNS.sub("", contents)
    if re.fullmatch(r"[0-9a-fA-F]*", digits, re.ASCII) is None:
        raise Refusal("bytes are written in hexadecimal, such as 00 ff 1a")
    if len(digits) % 2:
        raise Refusal("there is an odd number of hexadecimal digits: a byte has two")
    return bytes.fromhex(digits)


def _principal(contents: str) -> Principal:
    text = contents.strip()
    if not text:
        raise Refusal("write a principal, such as aaaaa-aa")
    try:
        return Principal.from_text(text)
    except PrincipalError as error:
        raise Refusal(error.reason) from None
