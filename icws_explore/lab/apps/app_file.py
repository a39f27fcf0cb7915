"""An application from a user's Python file.

::

    MESSAGE_TYPE = "record { text : text }"   # a Candid type, or a whole .did whose ws_message names it

    def on_message(context, client, message):
        context.send(client, {"text": message["text"].upper()})

The file may also define ``on_open(context, client)``, ``on_close(context, client)``, ``on_init(context)``, and
``FLAVOUR = "motoko"`` for the Motoko CDK. Methods beside those of the CDK are named in ``METHODS``, with their types::

    METHODS = {"get_history": "(nat32) -> (vec text) query"}

    def get_history(context, caller, limit):
        return context.state.get("history", [])[-limit:]

``context`` is an `AppContext`, ``client`` a `Principal`, and ``message`` a
Python value of MESSAGE_TYPE. Methods take Python values of their arguments' types.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final, get_args

from icws_explore.protocol.candid import TEXT, Type, parse_application_type, parse_did
from icws_explore.protocol.candid.text import label_text
from icws_explore.protocol.canister import App, AppMethod, Flavour, candid_interface
from icws_explore.protocol.errors import DidError, LabError

HANDLERS: Final = MappingProxyType(
    {
        "on_init": ("context",),
        "on_open": ("context", "client"),
        "on_message": ("context", "client", "message"),
        "on_close": ("context", "client"),
    }
)


def from_file(path: str | Path) -> App:
    """Return the application in a Python file. Raises LabError: one line with the file and what to change.

    The code of the file runs in this process, so load only files that you trust. A lab ends code that runs for several
    seconds (see `lab.watchdog`). A trap rolls ``context.state`` back, but not global variables.
    """
    path = Path(path)
    names = _run(path)
    handlers = {name: names[name] for name in HANDLERS if names.get(name) is not None}
    if not handlers:
        raise LabError(
            f"{path}: it defines none of {', '.join(HANDLERS)}; define at least on_message(context, client, message)"
        )
    for name, handler in handlers.items():
        _check_handler(path, name, handler)
    flavour = names.get("FLAVOUR", "rust")
    if flavour not in get_args(Flavour):
        raise LabError(f"{path}: FLAVOUR is {flavour!r}; it must be one of {', '.join(get_args(Flavour))}")
    methods = _methods(path, names)
    return App(name=path.stem, message_type=_message_type(path, names), flavour=flavour, methods=methods, **handlers)


def _run(path: Path) -> dict[str, Any]:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror})") from error
    module = ModuleType(f"icws_app_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look up their module there
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 -- the user asked for it
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno is not None else ""
        raise LabError(f"{path}{where}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise LabError(f"{path}{_where(path, error)}: {_one_line(error)}") from error
    return module.__dict__


def _check_handler(path: Path, name: str, handler: Any) -> None:
    _check_call(path, name, handler, HANDLERS[name])


def _check_call(path: Path, name: str, handler: Any, arguments: Sequence[str]) -> None:
    wanted = f"{name}({', '.join(arguments)})"
    if not callable(handler):
        raise LabError(f"{path}: {name} is of type {type(handler).__name__}, not a function; write def {wanted}: …")
    if inspect.iscoroutinefunction(handler):
        raise LabError(f"{path}: {name} is async, but a canister's handler cannot wait; write def {wanted}: …")
    try:
        inspect.signature(handler).bind(*arguments)
    except TypeError as error:
        raise LabError(f"{path}: {name} must take {len(arguments)} arguments: {wanted}") from error
    except ValueError:
        return  # a builtin has no signature; a wrong one shows when it is called


def _methods(path: Path, names: dict[str, Any]) -> dict[str, AppMethod]:
    types = names.get("METHODS", {})
    if not isinstance(types, dict) or not all(isinstance(part, str) for pair in types.items() for part in pair):
        raise LabError(f'{path}: METHODS must map names to types: METHODS = {{"get": "(nat) -> (text) query"}}')
    methods = {}
    for name, text in types.items():
        try:
            type_ = parse_did(f"service : {{ {label_text(name)} : {text} }}").methods[name]
            candid_interface(TEXT, {name: type_})
        except (DidError, KeyError) as error:
            raise LabError(f"{path}: METHODS: the type of {name!r}: {error}") from error
        handler: Any = names.get(name)
        arguments = [each or f"value{number}" for number, each in enumerate(type_.arg_names, 1)]
        _check_call(path, name, handler, ("context", "caller", *arguments))
        methods[name] = AppMethod(type_, handler)
    return methods


def _message_type(path: Path, names: dict[str, Any]) -> Type:
    text = names.get("MESSAGE_TYPE")
    if not isinstance(text, str):
        what = "is missing" if text is None else f"is of type {type(text).__name__}, not text"
        raise LabError(f'{path}: MESSAGE_TYPE {what}; write MESSAGE_TYPE = "record {{ text : text }}" or a whole .did')
    try:
        message_type = parse_application_type(text)
        candid_interface(message_type)
    except DidError as error:
        raise LabError(f"{path}: MESSAGE_TYPE: {error}") from error
    return message_type


def _where(path: Path, error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {frames[-1].lineno}" if frames else ""


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
