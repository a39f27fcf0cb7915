"""Filters such as ``kind == "ack" and direction == "in"``: a small, closed language over one frame.

Python's own parser reads the expression. Only comparisons, ``and``, ``or``, ``not``, constants, negative
numbers, lists, tuples and the names in `NAMES` are allowed. Nothing is called and no attribute is read, so
a filter from an unknown source can do no harm.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from icws_explore.protocol.budgets import FILTER_TEXT as MAX_LENGTH
from icws_explore.protocol.errors import IcwsError

from .decode import DecodedFrame

FrameFilter = Callable[[DecodedFrame, float], bool]
_Read = Callable[[DecodedFrame, float], Any]

_NAMES: Final[Mapping[str, _Read]] = {
    "frame": lambda decoded, _: decoded.number,
    "t": lambda decoded, _: decoded.frame.t,
    "elapsed": lambda decoded, start: decoded.frame.t - start,
    "direction": lambda decoded, _: decoded.frame.direction,
    "kind": lambda decoded, _: decoded.kind,
    "sequence_num": lambda decoded, _: decoded.sequence_num,
    "size": lambda decoded, _: decoded.size,
    "summary": lambda decoded, _: decoded.summary,
    "session": lambda decoded, _: decoded.frame.session,
}
NAMES: Final = tuple(_NAMES)

_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_ASSIGNED: Final = re.compile(r"(?<![=!<>])=(?!=)")
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
        value = _reader(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        if reason.startswith("invalid syntax") and _ASSIGNED.search(_QUOTED.sub("", expression)):
            reason = "compare with ==, not with ="
        raise IcwsError(f"cannot read the filter {expression!r}: {reason}") from error
    return lambda decoded, start: bool(value(decoded, start))


def _check(node: ast.expr) -> None:
    """Raise ValueError if ``node`` is not in the language."""
    match node:
        case ast.Constant(value=str() | int() | float() | None):
            return
        case ast.Name(id=name):
            if name not in NAMES:
                raise ValueError(f"{name!r} is not one of {', '.join(NAMES)}; text has quotes")
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


def _reader(node: ast.expr) -> _Read:
    """What gives the value of ``node`` for a frame: functions within functions, as a list of frames is long."""
    match node:
        case ast.Constant(value=value):
            return lambda _decoded, _start: value
        case ast.Name(id=name):
            return _NAMES[name]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            readers = [_reader(item) for item in items]
            if all(isinstance(item, ast.Constant) for item in items):
                constants = [item.value for item in items if isinstance(item, ast.Constant)]
                return lambda _decoded, _start: constants
            return lambda decoded, start: [read(decoded, start) for read in readers]
        case ast.BoolOp(op=op, values=values):
            readers = [_reader(value) for value in values]
            if isinstance(op, ast.And):
                return lambda decoded, start: all(read(decoded, start) for read in readers)
            return lambda decoded, start: any(read(decoded, start) for read in readers)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            read = _reader(operand)
            return lambda decoded, start: not read(decoded, start)
        case ast.UnaryOp(operand=ast.Constant(value=int() | float() as value)):
            return lambda _decoded, _start: -value
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            pairs = zip((left, *comparators), ops, comparators, strict=False)
            tests = [_comparison(_reader(low), _COMPARE[type(each)], _reader(high)) for low, each, high in pairs]
            return tests[0] if len(tests) == 1 else lambda decoded, start: all(test(decoded, start) for test in tests)
    raise AssertionError(ast.dump(node))  # _check let it through


def _comparison(left: _Read, holds: Callable[[Any, Any], bool], right: _Read) -> _Read:
    def compared(decoded: DecodedFrame, start: float) -> bool:
        try:
            return holds(left(decoded, start), right(decoded, start))
        except TypeError:
            return False

    return compared
