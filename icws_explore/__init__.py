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
    from .analysis import edit
    from .analysis.recording import Recording, load
    from .capture import Capture, ClockInfo, Frame, SessionInfo
    from .lab import Lab
    from .lab.simulator import Network, simulate
    from .live.connect import connect
    from .live.session import Session
    from .live.tap import Tap
    from .protocol import candid
    from .protocol.arguments import encode_message_args, encode_open_args
    from .protocol.delegation import Delegation, SignedDelegation
    from .protocol.envelope import Envelope
    from .protocol.errors import IcwsError
    from .protocol.messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
    from .protocol.principal import Principal
    from .protocol.service_messages import (
        AckMessage,
        CloseMessage,
        CloseReason,
        KeepAliveMessage,
        OpenMessage,
        encode_service,
    )
    from .views import plots
    from .views.certificate_card import certificate_card
    from .views.envelope_card import envelope_card
    from .views.inspect import inspect
    from .views.report_file import report

__all__ = [
    "AckMessage",
    "CanisterMessage",
    "Capture",
    "ClientKey",
    "ClockInfo",
    "CloseMessage",
    "CloseReason",
    "Delegation",
    "Envelope",
    "Frame",
    "Handshake",
    "IcwsError",
    "KeepAliveMessage",
    "Lab",
    "Network",
    "OpenMessage",
    "Principal",
    "Recording",
    "Session",
    "SessionInfo",
    "SignedDelegation",
    "Tap",
    "WebsocketMessage",
    "candid",
    "certificate_card",
    "connect",
    "edit",
    "encode_message_args",
    "encode_open_args",
    "encode_service",
    "envelope_card",
    "inspect",
    "load",
    "plots",
    "report",
    "simulate",
]

_HOME = {
    "AckMessage": "protocol.service_messages",
    "CanisterMessage": "protocol.messages",
    "Capture": "capture",
    "ClientKey": "protocol.messages",
    "ClockInfo": "capture",
    "CloseMessage": "protocol.service_messages",
    "CloseReason": "protocol.service_messages",
    "Delegation": "protocol.delegation",
    "Envelope": "protocol.envelope",
    "Frame": "capture",
    "Handshake": "protocol.messages",
    "IcwsError": "protocol.errors",
    "KeepAliveMessage": "protocol.service_messages",
    "Lab": "lab",
    "Network": "lab.simulator",
    "OpenMessage": "protocol.service_messages",
    "Principal": "protocol.principal",
    "Recording": "analysis.recording",
    "Session": "live.session",
    "SessionInfo": "capture",
    "SignedDelegation": "protocol.delegation",
    "Tap": "live.tap",
    "WebsocketMessage": "protocol.messages",
    "certificate_card": "views.certificate_card",
    "connect": "live.connect",
    "encode_message_args": "protocol.arguments",
    "encode_open_args": "protocol.arguments",
    "encode_service": "protocol.service_messages",
    "envelope_card": "views.envelope_card",
    "inspect": "views.inspect",
    "load": "analysis.recording",
    "report": "views.report_file",
    "simulate": "lab.simulator",
}
_MODULES = {"candid": "protocol.candid", "edit": "analysis.edit", "plots": "views.plots"}


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
