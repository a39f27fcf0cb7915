"""An application of one's own, from a Python file.

::

    MESSAGE_TYPE = "record { text : text }"   # a Candid type, or a whole .did whose ws_message names it

    def on_message(context, client, message):
        context.send(client, {"text": message["text"].upper()})

and, as wanted, ``on_open(context, client)``, ``on_close(context, client)``, ``on_init(context)``, and
``FLAVOUR = "motoko"`` for that CDK. ``context`` is an `AppContext`.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final, get_args

from icws_explore.protocol.candid import Type, parse_did, parse_type
from icws_explore.protocol.canister import App, Flavour, candid_interface
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
    """The application in a Python file. Raises LabError in one line that names the file and what to change.

    The file's code runs here, so use only files you trust. In a lab it is ended when it runs on for
    seconds (see lab/watchdog.py). What it keeps in globals is not rolled
    back by a trap; what it keeps in ``context.state`` is.
    """
    path = Path(path)
    names = _run(path)
    handlers = {name: names[name] for name in HANDLERS if names.get(name) is not None}
    if not handlers:
        raise LabError(
            f"{path}: has none of {', '.join(HANDLERS)}; define at least on_message(context, client, message)"
        )
    for name, handler in handlers.items():
        _check_handler(path, name, handler)
    flavour = names.get("FLAVOUR", "rust")
    if flavour not in get_args(Flavour):
        raise LabError(f"{path}: FLAVOUR is {flavour!r}; it must be one of {', '.join(get_args(Flavour))}")
    return App(name=path.stem, message_type=_message_type(path, names), flavour=flavour, **handlers)


def _run(path: Path) -> dict[str, Any]:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror})") from error
    module = ModuleType(f"icws_app_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look their module up there
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 -- what was asked for
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno is not None else ""
        raise LabError(f"{path}{where}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise LabError(f"{path}{_where(path, error)}: {_one_line(error)}") from error
    return module.__dict__


def _check_handler(path: Path, name: str, handler: Any) -> None:
    wanted = f"{name}({', '.join(HANDLERS[name])})"
    if not callable(handler):
        raise LabError(f"{path}: {name} is {type(handler).__name__}, not a function; write def {wanted}: …")
    if inspect.iscoroutinefunction(handler):
        raise LabError(f"{path}: {name} is async; a canister's handler runs to its end, write def {wanted}: …")
    try:
        inspect.signature(handler).bind(*HANDLERS[name])
    except TypeError as error:
        raise LabError(f"{path}: {name} must take {len(HANDLERS[name])} arguments: {wanted}") from error
    except ValueError:
        return  # a builtin without a signature: it shows when it is called


def _message_type(path: Path, names: dict[str, Any]) -> Type:
    text = names.get("MESSAGE_TYPE")
    if not isinstance(text, str):
        what = "is missing" if text is None else f"is {type(text).__name__}, not text"
        raise LabError(f'{path}: MESSAGE_TYPE {what}; write MESSAGE_TYPE = "record {{ text : text }}" or a whole .did')
    try:
        message_type = _application_type(text)
        candid_interface(message_type)
    except DidError as error:
        raise LabError(f"{path}: MESSAGE_TYPE: {error}") from error
    return message_type


def _application_type(text: str) -> Type:
    try:
        did = parse_did(text)
    except DidError:
        return parse_type(text)
    return did.application_type() if did.has_service else parse_type(text)


def _where(path: Path, error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {frames[-1].lineno}" if frames else ""


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
