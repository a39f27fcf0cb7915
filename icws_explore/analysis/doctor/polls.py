"""What the canister answered to the gateway's polls, where the polls that went well are recorded too.

Held against what the clients received it says on which side of the gateway a message was lost, altered or
held back. A tap records such polls when it is asked to (icws tap … --network URL --all-queries).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from icws_explore.capture import Capture
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import PollMessage, PollResult, decode_poll_result
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal

from ..network_calls import NetworkCall

RECORD_POLLS = "Record the polls as well to tell: icws tap … --network URL --all-queries."


@dataclass(frozen=True, slots=True)
class Polled:
    """One message of a poll's answer; ``frame`` is the answer's number, ``t`` its time (seconds since the epoch)."""

    frame: int
    t: float
    message: PollMessage
    cert: bytes
    tree: bytes

    @property
    def sequence_num(self) -> int | None:
        try:
            return WebsocketMessage.decode(self.message.content).sequence_num
        except DecodeError:
            return None

    def differences(self, relayed: CanisterMessage) -> list[str]:
        """Which parts of the message are other ones than the canister gave."""
        parts = {
            "content": (self.message.content, relayed.content),
            "certificate": (self.cert, relayed.cert),
            "witness": (self.tree, relayed.tree),
        }
        return [name for name, (given, relayed_part) in parts.items() if given != relayed_part]


class Polls:
    """The answers of polls among ``calls``; nothing is read before it is asked for."""

    def __init__(self, capture: Capture, calls: Sequence[NetworkCall]) -> None:
        self._capture = capture
        self._calls = [it for it in calls if it.method_name == "ws_get_messages" and it.outcome == "replied"]

    def is_recorded(self, canister_id: Principal | None, gateway: Principal | None, since: float, until: float) -> bool:
        """Whether there are any in that time of that gateway to that canister."""
        times = self._times.get((canister_id, gateway), [])
        return bisect_left(times, until) > bisect_right(times, since)

    @cached_property
    def _times(self) -> dict[tuple[Principal | None, Principal | None], list[float]]:
        """By canister and gateway, when polls were made."""
        found: dict[tuple[Principal | None, Principal | None], list[float]] = {}
        for call in self._calls:
            found.setdefault((call.canister_id, call.sender), []).append(self._capture.frames[call.request].t)
        return {who: sorted(times) for who, times in found.items()}

    @cached_property
    def messages(self) -> Mapping[tuple[Principal | None, str], Polled]:
        """By canister and key, as the first poll had it that holds it."""
        found: dict[tuple[Principal | None, str], Polled] = {}
        for call in self._calls:
            for polled in self._read(call):
                found.setdefault((call.canister_id, polled.message.key), polled)
        return found

    def for_client(self, canister_id: Principal | None, client_key: ClientKey | None) -> list[Polled]:
        """What the canister gave for that client, in the order of its polls."""
        return [] if client_key is None else self._by_client.get((canister_id, client_key), [])

    @cached_property
    def _by_client(self) -> dict[tuple[Principal | None, ClientKey], list[Polled]]:
        found: dict[tuple[Principal | None, ClientKey], list[Polled]] = {}
        for (canister_id, _), it in self.messages.items():
            found.setdefault((canister_id, it.message.client_key), []).append(it)
        return found

    def _read(self, call: NetworkCall) -> list[Polled]:
        assert call.response is not None  # it was replied
        frame = self._capture.frames[call.response]
        result = _result(frame.data)
        if result is None:
            return []
        return [Polled(call.response, frame.t, message, result.cert, result.tree) for message in result.messages]


def _result(data: bytes) -> PollResult | None:
    try:
        answer: Any = cbor.loads(data, what="the network's answer")
        result = decode_poll_result(answer["reply"]["arg"])
    except (DecodeError, LookupError, TypeError):
        return None
    return None if isinstance(result, str) else result
