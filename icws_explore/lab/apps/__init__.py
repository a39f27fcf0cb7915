"""The applications of a lab's canister: four examples, and the user's own: a Python file or a compiled canister."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from icws_explore.protocol.canister import App
from icws_explore.protocol.errors import ArgumentValueError

from ..wasm import wasm_app
from . import chat, echo, pingpong, ticker
from .app_file import from_file

APPS: Final[MappingProxyType[str, Callable[[], App]]] = MappingProxyType(
    {"pingpong": pingpong.app, "echo": echo.app, "chat": chat.app, "ticker": ticker.app}
)

WASM_FILES: Final = (".wasm", ".wasm.gz", ".wat")

__all__ = ["APPS", "WASM_FILES", "App", "from_file", "load"]


def load(app: App | str | Path) -> App:
    """Return an application: an example by name, a Python file by path, or ``app`` itself.

    A .wasm file is compiled, see `icws_explore.lab.wasm`.

    Raises ArgumentValueError for an unknown name, and LabError for a file that cannot be used.
    """
    if isinstance(app, App):
        return app
    if isinstance(app, str) and app in APPS:
        return APPS[app]()
    if str(app).endswith(WASM_FILES):
        return wasm_app(app)
    if isinstance(app, Path) or str(app).endswith(".py"):
        return from_file(app)
    raise ArgumentValueError(f"there is no app {app!r}; choose {', '.join(APPS)} or the path of a .py or .wasm file")
