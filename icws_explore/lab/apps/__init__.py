"""The lab's example applications, and a way to bring one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from icws_explore.protocol.canister import App
from icws_explore.protocol.errors import LabError

from . import chat, echo, pingpong, ticker
from .own import from_file

APPS: Final[MappingProxyType[str, Callable[[], App]]] = MappingProxyType(
    {"pingpong": pingpong.app, "echo": echo.app, "chat": chat.app, "ticker": ticker.app}
)

__all__ = ["APPS", "App", "from_file", "load"]


def load(app: App | str | Path) -> App:
    """An application by name, by the path of a Python file, or as it is. Raises LabError."""
    if isinstance(app, App):
        return app
    if isinstance(app, str) and app in APPS:
        return APPS[app]()
    if isinstance(app, Path) or str(app).endswith(".py"):
        return from_file(app)
    raise LabError(f"there is no app {app!r}; choose {', '.join(APPS)} or the path of a .py file")
