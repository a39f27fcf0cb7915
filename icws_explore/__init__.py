"""Explore the IC WebSocket protocol: open, record, decode, verify and draw its sessions.

In a notebook, the last line of this cell draws the recorded frames::

    import icws_explore as icws

    lab = icws.Lab(app="pingpong", time_scale=60).start()
    session = await icws.connect(lab)
    await session.send({"text": "hello", "timestamp": 0})
    session.recording

To get a `Recording`:

- `connect` opens a live session through a gateway. It returns a `Session`.
- `Tap` is a proxy in front of a gateway. It records the sessions of any client.
- `Lab` runs a replica, canisters and gateways on this machine, for experiments without the internet.
- `simulate` simulates sessions on a virtual clock, hours in seconds.
- `load` reads a recording, a HAR file or a packet capture.

To use it:

- ``recording.frames()`` and ``recording.timing()`` are tables, ``recording.verify()`` checks the proofs,
  ``recording.doctor()`` says what is wrong.
- `plots` draws figures. `inspect`, `certificate_card` and `envelope_card` show one frame in detail.
- `edit` changes a frame, to see which verification step fails.
- `report` writes a page for a bug report.
- `analyze` says what many recordings have in common; `write_dataset` and `load_dataset` keep them as tables.

To call other methods of a canister, also beside a session, there is `Canister`.

Below these are `candid`, which encodes and decodes Candid, `Network`, which calls a network over HTTP, and `Principal`.
All errors are subclasses of `IcwsError` and are listed in `errors`. Times are in seconds, unless a name ends in ``_ms``
or ``_ns``.

A name is loaded when it is first used, so importing the package takes milliseconds.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from icws_explore import errors
    from icws_explore.analysis import edit
    from icws_explore.analysis.dataset.read import load_dataset
    from icws_explore.analysis.dataset.write import write_dataset
    from icws_explore.analysis.doctor.many import diagnose
    from icws_explore.analysis.fleet.analyze import analyze
    from icws_explore.analysis.recording import Recording, load
    from icws_explore.capture import Capture, ClockInfo, Frame, SessionInfo
    from icws_explore.errors import (
        ArgumentTypeError,
        ArgumentValueError,
        BackendError,
        CallRejectedError,
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
        VerificationError,
    )
    from icws_explore.lab import Lab
    from icws_explore.lab.scenarios.switches import FaultSwitches
    from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, simulate
    from icws_explore.live.connect import connect
    from icws_explore.live.http import Network
    from icws_explore.live.network.canister import Canister
    from icws_explore.live.path import Delivery
    from icws_explore.live.session import Session
    from icws_explore.live.tap import Tap
    from icws_explore.notebook.explorer.explorer import Explorer, explore
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
    "CallRejectedError",
    "CandidError",
    "Canister",
    "CanisterSettings",
    "Capture",
    "CaptureError",
    "CborError",
    "ClockInfo",
    "ConnectError",
    "DecodeError",
    "Delivery",
    "DidError",
    "Explorer",
    "FaultSwitches",
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
    "VerificationError",
    "analyze",
    "candid",
    "certificate_card",
    "connect",
    "diagnose",
    "edit",
    "envelope_card",
    "errors",
    "explore",
    "inspect",
    "load",
    "load_dataset",
    "plots",
    "report",
    "simulate",
    "write_dataset",
]

_HOME = {
    "ArgumentTypeError": "errors",
    "ArgumentValueError": "errors",
    "BackendError": "errors",
    "CallRejectedError": "errors",
    "CandidError": "errors",
    "Canister": "live.network.canister",
    "CanisterSettings": "lab.simulator",
    "Capture": "capture",
    "CaptureError": "errors",
    "CborError": "errors",
    "ClockInfo": "capture",
    "ConnectError": "errors",
    "DecodeError": "errors",
    "Delivery": "live.path",
    "DidError": "errors",
    "Explorer": "notebook.explorer.explorer",
    "FaultSwitches": "lab.scenarios.switches",
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
    "VerificationError": "errors",
    "analyze": "analysis.fleet.analyze",
    "certificate_card": "views.cards.certificate",
    "connect": "live.connect",
    "diagnose": "analysis.doctor.many",
    "envelope_card": "views.cards.envelope",
    "explore": "notebook.explorer.explorer",
    "inspect": "views.cards.inspect",
    "load": "analysis.recording",
    "load_dataset": "analysis.dataset.read",
    "report": "views.report.file",
    "simulate": "lab.simulator",
    "write_dataset": "analysis.dataset.write",
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


if "IPython" in sys.modules:  # registers how recordings and frames are drawn, but loads nothing yet
    from icws_explore.views import display as notebook

    notebook.install()
