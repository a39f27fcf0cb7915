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
    from icws_explore.analysis import edit
    from icws_explore.analysis.recording import Recording, load
    from icws_explore.capture import Capture, ClockInfo, Frame, SessionInfo
    from icws_explore.lab import Lab
    from icws_explore.lab.simulator import Network, simulate
    from icws_explore.live.connect import connect
    from icws_explore.live.session import Session
    from icws_explore.live.tap import Tap
    from icws_explore.protocol import candid
    from icws_explore.protocol.arguments import encode_message_args, encode_open_args
    from icws_explore.protocol.envelope import Envelope
    from icws_explore.protocol.errors import IcwsError
    from icws_explore.protocol.keys.delegation import Delegation, SignedDelegation
    from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
    from icws_explore.protocol.principal import Principal
    from icws_explore.protocol.service_messages import (
        AckMessage,
        CloseMessage,
        CloseReason,
        KeepAliveMessage,
        OpenMessage,
        encode_service,
    )
    from icws_explore.views import plots
    from icws_explore.views.cards.certificate import certificate_card
    from icws_explore.views.cards.envelope import envelope_card
    from icws_explore.views.cards.inspect import inspect
    from icws_explore.views.report.file import report

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
    "Delegation": "protocol.keys.delegation",
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
    "SignedDelegation": "protocol.keys.delegation",
    "Tap": "live.tap",
    "WebsocketMessage": "protocol.messages",
    "certificate_card": "views.cards.certificate",
    "connect": "live.connect",
    "encode_message_args": "protocol.arguments",
    "encode_open_args": "protocol.arguments",
    "encode_service": "protocol.service_messages",
    "envelope_card": "views.cards.envelope",
    "inspect": "views.cards.inspect",
    "load": "analysis.recording",
    "report": "views.report.file",
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
    from icws_explore.views import display as notebook

    notebook.install()
