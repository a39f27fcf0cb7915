"""Filters such as ``kind == "ack" and direction == "in"``: a small, closed language over one frame.

Python's own parser reads the expression. Only comparisons, ``and``, ``or``, ``not``, constants, negative
numbers, lists, tuples and the names in `NAMES` are allowed. Nothing is called and no attribute is read, so
a filter from an unknown source can do no harm.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from icws_explore.protocol.budgets import FILTER_TEXT as MAX_LENGTH
from icws_explore.protocol.errors import IcwsError

from .decode import DecodedFrame

FrameFilter = Callable[[DecodedFrame, float], bool]

NAMES: Final = ("frame", "t", "elapsed", "direction", "kind", "sequence_num", "size", "summary", "session")

_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def compile_filter(expression: str) -> FrameFilter:
    """Return a predicate of a decoded frame and the time of the first frame (seconds since the epoch).

    A comparison that cannot be made for a frame is false, for example ``sequence_num > 3`` for a frame
    without a number. Raises IcwsError if the expression is not in the language.
    """
    if len(expression) > MAX_LENGTH:
        raise IcwsError(f"the filter is longer than {MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser warns of odd texts such as "\\d" on stderr
            tree = ast.parse(expression, mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise IcwsError(f"cannot read the filter {expression!r}: {reason}") from error
    return lambda decoded, start: bool(_value(tree, _names(decoded, start)))


def _names(decoded: DecodedFrame, start: float) -> dict[str, Any]:
    return {
        "frame": decoded.number,
        "t": decoded.frame.t,
        "elapsed": decoded.frame.t - start,
        "direction": decoded.frame.direction,
        "kind": decoded.kind,
        "sequence_num": decoded.sequence_num,
        "size": decoded.size,
        "summary": decoded.summary,
        "session": decoded.frame.session,
    }


def _check(node: ast.expr) -> None:
    """Raise ValueError if ``node`` is not in the language."""
    match node:
        case ast.Constant(value=str() | int() | float() | None):
            return
        case ast.Name(id=name):
            if name not in NAMES:
                raise ValueError(f"{name!r} is not one of {', '.join(NAMES)}")
        case ast.BoolOp(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
            for value in values:
                _check(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for op in ops:
                if type(op) not in _COMPARE:
                    raise ValueError("compare with == != < <= > >= in, not in")
            for value in (left, *comparators):
                _check(value)
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is not a comparison")


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [_value(item, names) for item in items]
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, names) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, names) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, names)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, names)
        case ast.Compare():
            return _compare(node, names)
    raise AssertionError(ast.dump(node))  # _check let it through


def _compare(node: ast.Compare, names: Mapping[str, Any]) -> bool:
    left = _value(node.left, names)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, names)
        try:
            if not _COMPARE[type(op)](left, right):
                return False
        except TypeError:
            return False
        left = right
    return True
