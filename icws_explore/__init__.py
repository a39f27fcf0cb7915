"""A lab bench for the IC WebSocket protocol: open, record, decode, verify and see sessions.

::

    import icws_explore as icws

    lab = icws.Lab(app="pingpong", time_scale=60).start()
    session = await icws.connect(lab)
    await session.send({"text": "hello", "timestamp": 0})
    session.capture

Names load when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.recording import Recording, load
    from .lab import Lab
    from .lab.simulator import Network, simulate
    from .live.connect import connect
    from .live.session import Session
    from .live.tap import Tap
    from .protocol.errors import IcwsError
    from .protocol.principal import Principal
    from .views import plots

__all__ = [
    "IcwsError",
    "Lab",
    "Network",
    "Principal",
    "Recording",
    "Session",
    "Tap",
    "connect",
    "load",
    "plots",
    "simulate",
]

_HOME = {
    "IcwsError": "protocol.errors",
    "Lab": "lab",
    "Network": "lab.simulator",
    "Principal": "protocol.principal",
    "Recording": "analysis.recording",
    "Session": "live.session",
    "Tap": "live.tap",
    "connect": "live.connect",
    "load": "analysis.recording",
    "simulate": "lab.simulator",
}
_MODULES = {"plots": "views.plots"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "IPython" in sys.modules:  # recordings and frames draw themselves there; nothing loads until one does
    from .views import notebook

    notebook.install()
