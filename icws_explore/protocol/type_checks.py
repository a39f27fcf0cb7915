"""Checks of a public function's arguments against its annotations, with errors that say what to pass.

A user of a notebook who writes ``network=5`` should read what network takes, not that an int has no
``decode``. This stands in the lowest room, because functions of all rooms are checked.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
import typing
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Final, ParamSpec, TypeVar, get_args, get_origin

from .errors import ArgumentTypeError, ArgumentValueError

P = ParamSpec("P")
T = TypeVar("T")

_WORDS: Final[Mapping[object, str]] = {
    str: "a string", bytes: "bytes", int: "an integer", float: "a number", bool: "True or False", NoneType: "None",
}  # fmt: skip


def checked(*, skip: Sequence[str] = (), **words: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function so that it refuses arguments that do not fit their annotations.

    ``skip`` names arguments that the function checks itself. ``words`` say what an argument must be,
    for the error's text; without them the annotation does. Raises ArgumentTypeError, and
    ArgumentValueError for a number that is not finite or not whole and for a choice that does not
    exist. No value is repeated in an error, because it might be a key.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        @functools.cache
        def hints() -> dict[str, Any]:
            return typing.get_type_hints(function)

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            for name, value in signature.bind(*args, **kwargs).arguments.items():
                wanted = hints().get(name, Any)
                if name in skip or fits(value, wanted):
                    continue
                text = f"{name} must be {words.get(name) or in_words(wanted)}"
                if not fits(value, wanted, any_value=True):
                    raise ArgumentTypeError(f"{text}, not {described(value)}")
                raise ArgumentValueError(text if isinstance(value, str) else f"{text}, not {described(value)}")
            return function(*args, **kwargs)

        return wrapper

    return decorate


def checked_fields(**words: str) -> Callable[[type[T]], type[T]]:
    """Decorate a dataclass: its constructor refuses arguments as `checked` does."""

    def decorate(kind: type[T]) -> type[T]:
        kind.__init__ = checked(**words)(kind.__init__)  # type: ignore[method-assign]
        return kind

    return decorate


def fits(value: object, wanted: Any, *, any_value: bool = False) -> bool:
    """Whether ``value`` fits an annotation. Numbers must be finite, and whole where an int is wanted.

    With ``any_value`` only the type counts: any number fits a number, any string a ``Literal`` of strings.
    """
    origin = get_origin(wanted)
    if origin in (typing.Union, UnionType):
        return any(fits(value, each, any_value=any_value) for each in get_args(wanted))
    if origin is typing.Literal:
        return any(type(value) is type(each) and (any_value or value == each) for each in get_args(wanted))
    kind = wanted if origin is None else origin
    if kind is Sequence:
        return (
            isinstance(value, Sequence)
            and not isinstance(value, (str, bytes))
            and all(fits(item, each, any_value=any_value) for each in get_args(wanted) for item in value)
        )
    if kind is Any or not isinstance(kind, type):
        return True
    if kind is bool:
        return isinstance(value, (bool, Integral))
    if kind is float or kind is int:
        is_number = not isinstance(value, bool) and isinstance(value, Real)
        return is_number and (any_value or _is_finite(value, whole=kind is int))
    if issubclass(kind, os.PathLike):
        return isinstance(value, os.PathLike)
    if getattr(kind, "_is_protocol", False) and kind.__module__ != "collections.abc":
        return all(_has(value, name) for name in vars(kind) if not name.startswith("_"))
    return isinstance(value, kind)


def in_words(wanted: Any) -> str:
    """What an annotation asks for, in words: "a string, a path or None"."""
    parts = list(dict.fromkeys(_parts(wanted)))
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _parts(wanted: Any) -> list[str]:
    origin = get_origin(wanted)
    if origin in (typing.Union, UnionType):
        return [part for each in get_args(wanted) for part in _parts(each)]
    if origin is typing.Literal:
        return [repr(each) for each in get_args(wanted)]
    kind = wanted if origin is None else origin
    if kind in _WORDS:
        return [_WORDS[kind]]
    if isinstance(kind, type) and issubclass(kind, os.PathLike):
        return ["a path"]
    if kind is Callable:
        return ["a function"]
    return [_with_article(getattr(kind, "__name__", str(kind)))]


def described(value: object) -> str:
    """The value's type with its article, for "not a str"; None and numbers that are not finite are themselves."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return _with_article(type(value).__name__)


def _with_article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _is_finite(value: Any, *, whole: bool) -> bool:
    return math.isfinite(value) and (not whole or value == math.floor(value))


def _has(value: object, name: str) -> bool:
    """Whether the attribute exists. It is not read, because a property may do anything."""
    missing = object()
    return inspect.getattr_static(value, name, missing) is not missing
