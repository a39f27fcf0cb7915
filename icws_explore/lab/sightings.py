"""What a lab's gateways and canisters did with each message, for a picture of all parties (`analysis.passages`).

The gateways call `SightingLog.saw` for each call that they relay, each answer to it, and each message that they polled.
That happens on the path of every frame, so the bytes are only kept. They are taken apart when somebody asks. What the
canister did with a call is in the lab's event log, and what waits in its queues is looked up in the canister.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from icws_explore.analysis.passages import Event, Sighting
from icws_explore.protocol.arguments import PollMessage
from icws_explore.protocol.budgets import LAB_SEEN as MAX_SEEN
from icws_explore.protocol.budgets import LAB_SEEN_BYTES as MAX_BYTES
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from icws_explore.protocol.principal import Principal

from .log import LabEvent

_EXECUTED: Final = ("accepted", "err", "trapped", "rejected")
_METHODS: Final = ("ws_open", "ws_message")


@dataclass(slots=True)
class _Seen:
    t_ns: int
    event: Event
    gateway: Principal
    data: bytes
    text: str
    sighting: Sighting | None = None
    is_read: bool = False


class SightingLog:
    """The newest `MAX_SEEN` sightings of a lab's gateways. The lab's thread writes them; any thread may read them."""

    def __init__(self) -> None:
        self._seen: deque[_Seen] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def saw(self, t_ns: int, event: Event, gateway: Principal, data: bytes, text: str = "") -> None:
        """Note an event at protocol time ``t_ns`` (ns since the epoch).

        ``data`` is the relayed envelope, or the frame with the canister's message; ``text`` is why a call failed.
        """
        with self._lock:
            self._seen.append(_Seen(t_ns, event, gateway, data, text))
            self._bytes += len(data)
            while len(self._seen) > MAX_SEEN or self._bytes > MAX_BYTES:
                self._bytes -= len(self._seen.popleft().data)

    def sightings(self) -> list[Sighting]:
        """The sightings so far, oldest first; without frames that are no message, such as the gateway's handshake."""
        with self._lock:
            seen = list(self._seen)
        for each in seen:
            if not each.is_read:
                each.sighting = _read(each)
                each.is_read = True
        return [each.sighting for each in seen if each.sighting is not None]


def _read(seen: _Seen) -> Sighting | None:
    t, gateway = seen.t_ns / NS_PER_S, str(seen.gateway)
    try:
        if seen.event == "polled":
            message = CanisterMessage.decode(seen.data)
            client_key = WebsocketMessage.decode(message.content).client_key
            return Sighting(t, "polled", gateway, client_key=client_key, key=message.key, content=message.content)
        request_id = Envelope.decode(seen.data).request_id
    except IcwsError:
        return None
    return Sighting(t, seen.event, gateway, request_id, content=seen.data, text=seen.text)


def executions(events: Iterable[LabEvent]) -> Iterator[Sighting]:
    """What the canisters did with the clients' calls, from the events of a lab."""
    for event in events:
        if event.part != "canister" or event.kind not in _EXECUTED or event.facts.get("method") not in _METHODS:
            continue
        text = "" if event.kind == "accepted" else f"{event.kind}: {' '.join(event.text.split())}"
        request_id = bytes.fromhex(event.facts["request_id"])
        yield Sighting(event.facts["executed_ns"] / NS_PER_S, "executed", request_id=request_id, text=text)


def queued(t_ns: int, gateway: Principal, messages: Iterable[PollMessage]) -> Iterator[Sighting]:
    """The messages that a canister's queue for a gateway holds at ``t_ns``, ns since the epoch."""
    for message in messages:
        yield Sighting(
            t_ns / NS_PER_S, "queued", str(gateway), client_key=message.client_key, key=message.key,
            content=message.content,
        )  # fmt: skip
