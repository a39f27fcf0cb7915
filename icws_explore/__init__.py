"""A lab bench for the IC WebSocket protocol: open, record, decode, verify and see sessions.

::

    import icws_explore as icws

    lab = icws.Lab(app="pingpong", time_scale=60).start()
    session = await icws.connect(lab)
    await session.send({"text": "hello", "timestamp": 0})
    session.recording

Names load when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from icws_explore import errors
    from icws_explore.analysis import edit
    from icws_explore.analysis.recording import Recording, load
    from icws_explore.capture import Capture, ClockInfo, Frame, SessionInfo
    from icws_explore.errors import (
        ArgumentTypeError,
        ArgumentValueError,
        BackendError,
        CandidError,
        CaptureError,
        CborError,
        ConnectError,
        DecodeError,
        DidError,
        IcwsError,
        IdentityError,
        LabError,
        MessageError,
        PrincipalError,
        SessionClosedError,
        StateError,
        ValueMismatchError,
    )
    from icws_explore.lab import Lab
    from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, simulate
    from icws_explore.live.connect import connect
    from icws_explore.live.http import Network
    from icws_explore.live.session import Session
    from icws_explore.live.tap import Tap
    from icws_explore.protocol import candid
    from icws_explore.protocol.principal import Principal
    from icws_explore.views import plots
    from icws_explore.views.cards.certificate import certificate_card
    from icws_explore.views.cards.envelope import envelope_card
    from icws_explore.views.cards.inspect import inspect
    from icws_explore.views.report.file import report

__all__ = [
    "ArgumentTypeError",
    "ArgumentValueError",
    "BackendError",
    "CandidError",
    "CanisterSettings",
    "Capture",
    "CaptureError",
    "CborError",
    "ClockInfo",
    "ConnectError",
    "DecodeError",
    "DidError",
    "Frame",
    "IcwsError",
    "IdentityError",
    "Lab",
    "LabError",
    "MessageError",
    "Network",
    "NetworkConditions",
    "Population",
    "Principal",
    "PrincipalError",
    "Recording",
    "Session",
    "SessionClosedError",
    "SessionInfo",
    "StateError",
    "Tap",
    "ValueMismatchError",
    "candid",
    "certificate_card",
    "connect",
    "edit",
    "envelope_card",
    "errors",
    "inspect",
    "load",
    "plots",
    "report",
    "simulate",
]

_HOME = {
    "ArgumentTypeError": "errors",
    "ArgumentValueError": "errors",
    "BackendError": "errors",
    "CandidError": "errors",
    "CanisterSettings": "lab.simulator",
    "Capture": "capture",
    "CaptureError": "errors",
    "CborError": "errors",
    "ClockInfo": "capture",
    "ConnectError": "errors",
    "DecodeError": "errors",
    "DidError": "errors",
    "Frame": "capture",
    "IcwsError": "errors",
    "IdentityError": "errors",
    "Lab": "lab",
    "LabError": "errors",
    "MessageError": "errors",
    "Network": "live.http",
    "NetworkConditions": "lab.simulator",
    "Population": "lab.simulator",
    "Principal": "protocol.principal",
    "PrincipalError": "errors",
    "Recording": "analysis.recording",
    "Session": "live.session",
    "SessionClosedError": "errors",
    "SessionInfo": "capture",
    "StateError": "errors",
    "Tap": "live.tap",
    "ValueMismatchError": "errors",
    "certificate_card": "views.cards.certificate",
    "connect": "live.connect",
    "envelope_card": "views.cards.envelope",
    "inspect": "views.cards.inspect",
    "load": "analysis.recording",
    "report": "views.report.file",
    "simulate": "lab.simulator",
}
_MODULES = {"candid": "protocol.candid", "edit": "analysis.edit", "errors": "errors", "plots": "views.plots"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name == "__version__":
        from importlib.metadata import version  # not quick to import

        value = version(__name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "IPython" in sys.modules:  # recordings and frames draw themselves there; nothing loads until one does
    from icws_explore.views import display as notebook

    notebook.install()
