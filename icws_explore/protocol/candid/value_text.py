"""Values as Candid text, and back: ``record { text = "hello"; count = opt 3 }``.

Both directions follow a type, so a text needs no annotations: ``5`` is a nat64 where a nat64 is expected. An
annotation of a primitive type (``5 : nat64``) is accepted where it names the expected type. Field names are matched by
their ids, as in messages. The Python values are those of `decode`.

`parse_value` costs time linear in the text; the limits of messages apply to the number and the nesting of values.
Candid has no literals for infinite floats and for NaN; they are written ``inf``, ``-inf`` and ``nan`` here.

Source: Candid specification, "Textual Values".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..errors import DidError, PrincipalError, count_of
from ..principal import Principal
from .did_syntax import blank_comments, literal_bytes, unquoted
from .limits import MAX_DEPTH, MAX_DID_SIZE, MAX_VALUES
from .text import brief_text, label_text, printable, quoted
from .types import (
    PRIM_BY_NAME,
    Field,
    Func,
    FuncRef,
    Opt,
    Prim,
    Record,
    Service,
    ServiceRef,
    Some,
    Type,
    Variant,
    Vec,
    is_blob,
    label_hash,
    resolve,
    takes_null,
)

WIDTH: Final = 76  # characters of a line; what does not fit takes a line for each part
_INDENT: Final = "  "


def value_text(type_: Type, value: Any) -> str:
    """``value``, as `decode` gives it for ``type_``, as Candid text on one or more lines."""
    return "\n".join(_lines(resolve(type_), value))


def _lines(type_: Type, value: Any) -> list[str]:
    match type_:
        case Prim():
            return [_scalar(type_, value)]
        case Opt():
            if value is None:
                return ["null"]
            return _prefixed("opt ", _lines(resolve(type_.inner), value.value if isinstance(value, Some) else value))
        case Vec() if is_blob(type_):
            return [f"blob {_blob_literal(bytes(value))}"]
        case Vec():
            inner = resolve(type_.inner)
            return _braces("vec", [_lines(inner, each) for each in value])
        case Record():
            names = [""] * len(type_.fields) if type_.is_tuple else [_label(each) for each in type_.fields]
            parts = zip(names, type_.keys, type_.fields, strict=True)
            return _braces("record", [_prefixed(n, _lines(resolve(f.type), value[key])) for n, key, f in parts])
        case Variant():
            ((case, content),) = value.items()
            field = type_.fields[type_.keys.index(case)]
            inner = resolve(field.type)
            if inner == PRIM_BY_NAME["null"]:
                return [f"variant {{ {label_text(field.label)} }}"]
            return _braces("variant", [_prefixed(_label(field), _lines(inner, content))])
        case Service():
            return [f"service {quoted(str(value.principal))}"]
        case Func():
            return [f"func {quoted(str(value.principal))}.{label_text(value.method)}"]
    raise DidError(f"{brief_text(type_)} has no values in text")


def _label(field: Field) -> str:
    return f"{label_text(field.label)} = "


def _scalar(type_: Prim, value: Any) -> str:
    match type_.name:
        case "null" | "reserved":
            return "null"
        case "bool":
            return "true" if value else "false"
        case "text":
            return quoted(value)
        case "principal":
            return f"principal {quoted(str(value))}"
        case "float32" | "float64":
            return repr(float(value))
    return str(value)


def _blob_literal(data: bytes) -> str:
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02x}" for b in data) + '"'


def _prefixed(prefix: str, lines: list[str]) -> list[str]:
    return [prefix + lines[0], *lines[1:]]


def _braces(word: str, parts: list[list[str]]) -> list[str]:
    if not parts:
        return [f"{word} {{}}"]
    if all(len(lines) == 1 for lines in parts):
        flat = f"{word} {{ {'; '.join(lines[0] for lines in parts)} }}"
        if len(flat) <= WIDTH:
            return [flat]
    inside = []
    for lines in parts:
        inside += [_INDENT + line for line in lines]
        inside[-1] += ";"
    return [f"{word} {{", *inside, "}"]


# -- parsing ------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(
    r'\s+|(?P<string>"(?:\\.|[^"\\])*")|(?P<number>[+-]?[0-9][\w.]*(?:(?<=[eEpP])[+-]\w+)?|[+-](?:inf|nan)\b)'
    r"|(?P<word>[A-Za-z_]\w*)|(?P<sign>[{}()=;:.,])",
    re.DOTALL | re.ASCII,
)
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]+)?|inf|nan)", re.ASCII)
_SPACE: Final = re.compile(r"\s*")
_WHOLE: Final = re.compile(r"[+-]?(?:0x[0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*)", re.ASCII)


def parse_value(text: str, type_: Type) -> Any:
    """The value of ``type_`` that Candid ``text`` stands for, as `decode` gives it.

    Raises DidError, with line and column, for a text that is no Candid value or does not fit the type.
    """
    if len(text) > MAX_DID_SIZE:
        raise DidError(f"the text has {len(text)} characters, more than the {MAX_DID_SIZE} allowed")
    parser = _Parser(blank_comments(text))
    value = parser.value(type_, 0)
    parser.end()
    return value


class _Parser:
    """Reads tokens from left to right. ``kind`` and ``word`` are of the token at ``at``; "" at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._left = MAX_VALUES
        self.kind, self.word, self.at = "", "", 0
        self._next()

    def _split(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                if self._text[at] == '"':
                    raise self.fault("the quoted text that begins here has no end", at)
                raise self.fault(f"{self._text[at]!r} cannot stand here", at)
            if found.lastgroup is not None:
                yield found.lastgroup, found.group(), at
            at = found.end()
        yield "", "", at

    def _next(self) -> str:
        word = self.word
        self.kind, self.word, self.at = next(self._tokens)
        return word

    def fault(self, reason: str, at: int | None = None) -> DidError:
        """The error for the token at ``at``, by default the present one."""
        at = self.at if at is None else at
        line = self._text.count("\n", 0, at) + 1
        return DidError(reason, line, at - self._text.rfind("\n", 0, at))

    def expected(self, what: str) -> DidError:
        """The error where something else than ``what`` stands."""
        found = repr(self.word[:40]) if self.kind else "the end of the text"
        return self.fault(f"expected {what}, found {found}")

    def end(self) -> None:
        """Raises DidError unless the text ends here."""
        if self.kind:
            raise self.fault(f"{self.word[:40]!r} cannot stand behind the value")

    def _is(self, sign: str) -> bool:
        return self.kind in ("sign", "word") and self.word == sign

    def _take(self, sign: str) -> None:
        if not self._is(sign):
            raise self.expected(f"'{sign}'")
        self._next()

    def value(self, type_: Type, depth: int) -> Any:
        """The value that begins here."""
        self._left -= 1
        if self._left < 0:
            raise self.fault(f"more than the {MAX_VALUES} values allowed")
        if depth >= MAX_DEPTH:
            raise self.fault(f"values are nested more than {MAX_DEPTH} deep")
        if self._is("("):
            self._next()
            value = self.value(type_, depth + 1)
            if self._is(","):
                self._next()
            self._take(")")
            return value
        expected = resolve(type_)
        value = self._of(expected, depth)
        if self._is(":"):
            self._next()
            if self.word != getattr(expected, "name", ""):
                raise self.fault(f"the type here is {brief_text(type_)}, not {self.word[:40]}")
            self._next()
        return value

    def _of(self, type_: Type, depth: int) -> Any:
        match type_:
            case Prim():
                return self._prim(type_)
            case Opt():
                if self._is("null"):
                    self._next()
                    return None
                if not self._is("opt"):
                    raise self.expected("null, or opt and a value")
                self._next()
                value = self.value(type_.inner, depth + 1)
                return Some(value) if takes_null(type_.inner) else value
            case Vec():
                return self._vec(type_, depth)
            case Record():
                return self._record(type_, depth)
            case Variant():
                return self._variant(type_, depth)
            case Service():
                return ServiceRef(self._principal("service"))
            case Func():
                principal = self._principal("func")
                self._take(".")
                if self.kind not in ("word", "string"):
                    raise self.expected("the name of a method")
                return FuncRef(principal, self._name())
        raise self.fault(f"{brief_text(type_)} has no values in text")

    def _prim(self, type_: Prim) -> Any:
        match type_.name:
            case "null" | "reserved":
                self._take("null")
                return None
            case "bool":
                if self.word not in ("true", "false"):
                    raise self.expected("true or false")
                return self._next() == "true"
            case "text":
                if self.kind != "string":
                    raise self.expected('a text in "quotes"')
                return self._string()
            case "principal":
                return self._principal("principal")
            case "empty":
                raise self.fault("the type empty has no values")
            case "float32" | "float64":
                return self._float(type_.name)
        return self._whole(type_.name)

    def _whole(self, name: str) -> int:
        if self.kind != "number" or not _WHOLE.fullmatch(self.word):
            raise self.expected(f"a whole number ({name})")
        digits = self.word.replace("_", "")
        try:
            number = int(digits, 16 if "0x" in digits else 10)
        except ValueError:  # more digits than Python reads
            raise self.fault("the number has too many digits") from None
        if name.startswith(("nat", "int")) and (reason := out_of_range(name, number)) is not None:
            raise self.fault(reason)
        self._next()
        return number

    def _float(self, name: str) -> float:
        if not _FLOAT.fullmatch(self.word):
            raise self.expected(f"a number ({name})")
        number = float(self.word.replace("_", ""))
        if (reason := float_problem(name, number)) is not None:
            raise self.fault(reason)
        self._next()
        return number

    def _string(self) -> str:
        try:
            text = unquoted(self.word)
        except DidError as error:
            raise self.fault(error.reason) from None
        self._next()
        return text

    def _name(self) -> str:
        return self._string() if self.kind == "string" else self._next()

    def _principal(self, word: str) -> Principal:
        if not self._is(word):
            raise self.expected(f'{word} "…"')
        self._next()
        if self.kind != "string":
            raise self.expected("a principal in quotes")
        at = self.at
        try:
            return Principal.from_text(self._string())
        except PrincipalError as error:
            raise self.fault(error.reason, at) from None

    def _vec(self, type_: Vec, depth: int) -> Any:
        blob = is_blob(type_)
        if blob and self._is("blob"):
            self._next()
            if self.kind != "string":
                raise self.expected("bytes in quotes")
            try:
                data = literal_bytes(self.word)
            except DidError as error:
                raise self.fault(error.reason) from None
            self._next()
            return data
        if not self._is("vec"):
            raise self.expected('blob "…"' if blob else "vec { … }")
        self._next()
        values = [self.value(type_.inner, depth + 1) for _ in self._parts()]
        return bytes(values) if blob else values

    def _parts(self) -> Iterator[int]:
        """Steps through ``{ …; … }``; each part is read by who iterates."""
        self._take("{")
        number = 0
        while not self._is("}"):
            yield number
            number += 1
            if not self._is("}"):
                self._take(";")
        self._take("}")

    def _record(self, type_: Record, depth: int) -> dict[str, Any]:
        self._take("record")
        by_id = {field.id: (key, field) for key, field in type_.by_id}
        values: dict[str, Any] = {}
        for number in self._parts():
            at, label, wanted = self._field_label(number)
            key, field = self._find(by_id, label, wanted, at, "field")
            if key in values:
                raise self.fault(f"the field {printable(label)} is given twice", at)
            values[key] = self.value(field.type, depth + 1)
        for key, field in by_id.values():
            if key not in values:
                if not takes_null(field.type):
                    raise self.fault(f"the field {printable(str(field.label))} is missing in this record")
                values[key] = None
        return values

    def _field_label(self, number: int) -> tuple[int, str, int]:
        """Where a field begins, its label as written, and its id. Without a label, fields are numbered."""
        at, word = self.at, self.word
        if self.kind in ("word", "string", "number") and self._is_label():
            label = self._label()
            self._take("=")
            return at, word, label
        return at, str(number), number

    def _is_label(self) -> bool:
        """Whether a '=' follows the present token."""
        found = _SPACE.match(self._text, self.at + len(self.word))
        return found is not None and self._text[found.end() : found.end() + 1] == "="

    def _label(self) -> int:
        if self.kind == "number":
            if not self.word.replace("_", "").isdigit() or len(self.word) > 12:
                raise self.expected("a field's name or number")
            return int(self._next().replace("_", ""))
        try:
            return label_hash(self._name())
        except DidError as error:
            raise self.fault(error.reason) from None

    def _find(
        self, by_id: Mapping[int, tuple[str, Field]], label: str, wanted: int, at: int, what: str
    ) -> tuple[str, Field]:
        if wanted not in by_id:
            labels = [printable(str(field.label)) for _, field in by_id.values()]
            more = f" and {count_of(len(labels) - 20, 'other')}" if len(labels) > 20 else ""
            known = ", ".join(labels[:20]) or "none"
            raise self.fault(f"there is no {what} {printable(label[:40])}; the {what}s are: {known}{more}", at)
        return by_id[wanted]

    def _variant(self, type_: Variant, depth: int) -> dict[str, Any]:
        self._take("variant")
        self._take("{")
        by_id = {field.id: (key, field) for key, field in type_.by_id}
        if self.kind not in ("word", "string", "number"):
            raise self.expected("a case's name")
        at, word = self.at, self.word
        key, field = self._find(by_id, word, self._label(), at, "case")
        value = None
        if self._is("="):
            self._next()
            value = self.value(field.type, depth + 1)
        elif not takes_null(field.type):
            raise self.expected(f"'=' and a value of {brief_text(field.type)}")
        if self._is(";"):
            self._next()
        self._take("}")
        return {key: value}


_BITS: Final = {"8": 8, "16": 16, "32": 32, "64": 64}


def number_range(name: str) -> tuple[int | None, int | None]:
    """The lowest and the highest value of a type of whole numbers, by its name; None where there is no bound."""
    bits = _BITS.get(name[3:])
    if name.startswith("nat"):
        return 0, None if bits is None else (1 << bits) - 1
    return (None, None) if bits is None else (-(1 << bits - 1), (1 << bits - 1) - 1)


def out_of_range(name: str, number: int) -> str | None:
    """Why ``number`` is no value of the type ``name`` (nat, int8, …); None if it is one."""
    low, high = number_range(name)
    if (low is not None and number < low) or (high is not None and number > high):
        return f"{name} goes from {low} to {high}" if high is not None else f"{name} cannot be negative"
    return None


def float_problem(name: str, number: float) -> str | None:
    """Why ``number`` is no value of float32 or float64; None if it is one."""
    if name == "float32" and math.isfinite(number) and abs(number) > 3.4028235677973366e38:
        return "the number is too large for float32"
    return None
