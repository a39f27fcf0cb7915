"""The applications of a lab's canister: four examples, and the user's own from a Python file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from icws_explore.protocol.canister import App
from icws_explore.protocol.errors import ArgumentValueError

from . import chat, echo, pingpong, ticker
from .app_file import from_file

APPS: Final[MappingProxyType[str, Callable[[], App]]] = MappingProxyType(
    {"pingpong": pingpong.app, "echo": echo.app, "chat": chat.app, "ticker": ticker.app}
)

__all__ = ["APPS", "App", "from_file", "load"]


def load(app: App | str | Path) -> App:
    """Return an application: an example by name, a Python file by path, or ``app`` itself.

    Raises ArgumentValueError for an unknown name, and LabError for a file that cannot be used.
    """
    if isinstance(app, App):
        return app
    if isinstance(app, str) and app in APPS:
        return APPS[app]()
    if isinstance(app, Path) or str(app).endswith(".py"):
        return from_file(app)
    raise ArgumentValueError(f"there is no app {app!r}; choose {', '.join(APPS)} or the path of a .py file")
