"""Arguments of public functions against their annotations: what cannot be is refused in a line, not deep inside.

A notebook's user who writes ``network=5`` should read what network is, not that an int has no ``decode``.
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

from .errors import IcwsError

P = ParamSpec("P")
T = TypeVar("T")

_WORDS: Final[Mapping[object, str]] = {
    str: "text", bytes: "bytes", int: "a whole number", float: "a number", bool: "True or False", NoneType: "None",
}  # fmt: skip


def checked(
    error: type[IcwsError], *, skip: Sequence[str] = (), **words: str
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Refuse with ``error`` what is not of its annotated type.

    ``skip`` names what the function itself judges, ``words`` say of an argument what it should be
    (else its annotation does). No value is repeated in an error: it might be a key.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        @functools.cache
        def hints() -> dict[str, Any]:
            return typing.get_type_hints(function)

        @functools.wraps(function)
        def judged(*args: P.args, **kwargs: P.kwargs) -> T:
            for name, value in signature.bind(*args, **kwargs).arguments.items():
                if name in hints() and name not in skip and not fits(value, hints()[name]):
                    wanted = words.get(name) or in_words(hints()[name])
                    raise error(f"{name} cannot be {_kind(value)}: give {wanted}")
            return function(*args, **kwargs)

        return judged

    return decorate


def fits(value: object, wanted: Any) -> bool:
    """Whether ``value`` can be what an annotation says; numbers must be finite, and whole where an int is wanted."""
    origin = get_origin(wanted)
    if origin in (typing.Union, UnionType):
        return any(fits(value, each) for each in get_args(wanted))
    if origin is typing.Literal:
        return any(type(value) is type(each) and value == each for each in get_args(wanted))
    kind = wanted if origin is None else origin
    if kind is Sequence:
        return (
            isinstance(value, Sequence)
            and not isinstance(value, (str, bytes))
            and all(fits(item, each) for each in get_args(wanted) for item in value)
        )
    if kind is Any or not isinstance(kind, type):
        return True
    if kind is bool:
        return isinstance(value, (bool, Integral))
    if kind is float or kind is int:
        return not isinstance(value, bool) and isinstance(value, Real) and _is_finite(value, whole=kind is int)
    if issubclass(kind, os.PathLike):
        return isinstance(value, os.PathLike)
    if getattr(kind, "_is_protocol", False) and kind.__module__ != "collections.abc":
        return all(_has(value, name) for name in vars(kind) if not name.startswith("_"))
    return isinstance(value, kind)


def in_words(wanted: Any) -> str:
    """What an annotation asks for, as one says it: "text, a path or None"."""
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
    return [_article(getattr(kind, "__name__", str(kind)))]


def _kind(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return _article(type(value).__name__)


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _is_finite(value: Real, *, whole: bool) -> bool:
    return math.isfinite(value) and (not whole or value == math.floor(value))


def _has(value: object, name: str) -> bool:
    """Whether there is such an attribute, without asking for it: a property may do anything."""
    missing = object()
    return inspect.getattr_static(value, name, missing) is not missing
