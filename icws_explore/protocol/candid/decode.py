"""Decoding Candid messages, strictly and within bounds (specification, "Deserialisation").

Limits on what a peer may ask for, all in reader.py and table.py: nesting (256 values), values (4 for
each byte of input plus 4096, skipped ones included), type table and argument list (10 000 each),
numbers (14 000 bits). Fields of a record come in the order the expected type declares them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import CandidError
from .plan import Plan
from .plans import plan_for
from .reader import Fault, Reader
from .text import brief_text
from .types import Type, takes_null

STACK_USED_UP: Final = "is nested too deep for the stack that is left"


def decode(data: bytes, types: Sequence[Type] | None = None, *, names: Mapping[int, str] | None = None) -> list[Any]:
    """The values in ``data``, as many as ``types`` has.

    With ``types`` the specification's coercion applies: missing optional fields and arguments are
    None, unknown fields and further arguments are checked and dropped, nat decodes as int, an option
    whose content does not fit is None. Without, values come as they are on the wire, and fields are
    labelled by ``names`` (field id → name; the protocol's by default) or as ``_<id>_``.

    Raises CandidError, with the offset and the path to the value, for anything else.
    """
    reader = _reader(data)
    with _Border(reader):
        return _values(reader, plan_for(reader, names), types)


def decode_typed(data: bytes, *, names: Mapping[int, str] | None = None) -> list[tuple[Type, Any]]:
    """Type and value of each argument as they are on the wire. Raises CandidError."""
    reader = _reader(data)
    with _Border(reader):
        plan = plan_for(reader, names)
        values = _values(reader, plan, None)
        return [(plan.type(ref), value) for ref, value in zip(plan.table.args, values, strict=True)]


def refusal(data: bytes, types: Sequence[Type]) -> Fault | None:
    """Why `decode` would refuse ``data`` at ``types``: reason, offset and path, innermost step first."""
    reader = _reader(data)
    try:
        _values(reader, plan_for(reader, None), types)
    except Fault as fault:
        return fault
    except RecursionError:
        return Fault(STACK_USED_UP, reader.pos)
    return None


def _reader(data: bytes) -> Reader:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise CandidError("Candid", f"is bytes, not {type(data).__name__}")
    return Reader(bytes(data))


def _values(reader: Reader, plan: Plan, types: Sequence[Type] | None) -> list[Any]:
    table = plan.table
    values: list[Any] = []
    index = 0
    try:
        for index, ref in enumerate(table.args):
            if types is None:
                values.append(plan.reader(ref, None)(reader, 0))
            elif index < len(types):
                values.append(plan.reader(ref, types[index])(reader, 0))
            else:
                plan.reader(ref, None)(reader, 0)
        for index in range(len(table.args), len(types or ())):
            if types is not None and not takes_null(types[index]):
                raise Fault(f"the value is missing, and {brief_text(types[index])} is not optional", reader.pos)
            values.append(None)
    except Fault as fault:
        fault.path.append(index)
        raise
    if reader.pos != reader.end:
        raise Fault(f"{reader.end - reader.pos} bytes too many behind the values", reader.pos)
    return values


def _path_text(inside_out: list[str | int]) -> str:
    steps = [str(step)[:60] for step in reversed(inside_out)]
    if len(steps) > 12:
        steps[6:-4] = ["…"]
    return ".".join(steps)


class _Border:
    """Turns a Fault into CandidError, and the last resort of a nearly used-up stack as well."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Fault):
            what = f"Candid value {_path_text(error.path)}" if error.path else "Candid"
            raise CandidError(what, error.reason, error.offset) from None
        if isinstance(error, RecursionError):
            raise CandidError("Candid", STACK_USED_UP, self._reader.pos) from None
