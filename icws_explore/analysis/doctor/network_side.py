"""What a tap in front of the network has recorded: how the network answered a client's frame, and the gateway's polls.

A gateway forwards none of it, so that only such a recording can say why a call came to nothing.

What the canister answered to the gateway's polls, where the polls that went well are recorded too.

Held against what the clients received it says on which side of the gateway a message was lost, altered or
held back. A tap records such polls when it is asked to (icws tap … --network URL --all-queries).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from icws_explore.capture import Capture
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import PollMessage, PollResult, decode_poll_result
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal

from ..network_calls import NetworkCall, network_calls, recorded_root_keys

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


# Which cause the network's own words name; "other" where they name none that a rule is about.
Cause = Literal[
    "expiry", "delegation", "signature", "too_large", "canister",
    "anonymous", "gateway", "replaced", "forgotten", "sequence",
    "code", "stopped", "arguments", "trap", "other",
]  # fmt: skip

# By how a call failed, for an application's trap may say anything. Sources: replica, rs/validator,
# rs/http_endpoints and rs/types/error_types; CDK 0.4.1 errors.rs, CDK 0.3.0 lib.rs.
_WORDS: Final[Mapping[str, tuple[tuple[Cause, str], ...]]] = {
    "refused": (
        ("expiry", r"ingress_expiry|request expiry"),
        ("delegation", r"delegation"),
        ("signature", r"signature|does not match the public key"),
        ("too_large", r"too large|larger than|payload"),
        ("canister", r"canister_not_found|canister \S+ not found|not belong to any subnet"),
    ),
    "err": (
        ("anonymous", r"anonymous principal"),
        ("replaced", r"different key than the one used"),
        ("forgotten", r"doesn't have an open connection"),
        ("sequence", r"expected incoming sequence number"),
        ("gateway", r"gateway.* not (registered|authorized)|not (one of|registered|authorized).* gateway"),
    ),
    "rejected": (
        ("canister", r"ic0301|canister \S+ not found"),
        ("code", r"ic053[67]|no (update |query )?method|no (code|wasm)"),
        ("stopped", r"ic050[89]|is stopp(ed|ing)"),
        ("arguments", r"decode call arguments|ic0\.trap.*idl error"),
        ("trap", r"trap|panicked|unreachable|exceeded .*(limit|instructions)"),
    ),
}
_POLL: Final = "ws_get_messages"
_SYS_TRANSIENT: Final = 2  # a reject code at which a poller tries again
MAX_QUOTE: Final = 200


class NetworkSide:
    """The HTTP side of a capture; empty where nothing of it is recorded."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    @cached_property
    def calls(self) -> list[NetworkCall]:
        is_recorded = any(frame.op == "request" for frame in self._capture.frames)
        return network_calls(self._capture) if is_recorded else []

    @cached_property
    def polls(self) -> Polls:
        """The gateways' polls that went well, as far as they are recorded."""
        return Polls(self._capture, self.calls)

    @cached_property
    def root_keys(self) -> list[bytes]:
        """The root keys (DER) that networks named in a recorded status."""
        return recorded_root_keys(self._capture)

    @cached_property
    def answers(self) -> Mapping[int, NetworkCall]:
        """By the client's frame number, the call that the gateway made of it; of several tries the one that counts."""
        found: dict[int, NetworkCall] = {}
        for call in self.calls:
            if call.frame is not None and (call.frame not in found or not found[call.frame].is_admitted):
                found[call.frame] = call
        return found

    def is_recorded(self, frames: Iterable[int], gateway: Principal | None) -> bool:
        """Whether the recorder stood behind that gateway: it saw a client's frame, or a request of its own."""
        return any(number in self.answers for number in frames) or (
            gateway is not None and any(call.sender == gateway for call in self.calls)
        )

    def fatal_polls(self, canister_id: Principal | None, gateway: Principal | None) -> list[NetworkCall]:
        """Polls at whose answers the gateway gives a canister up. Source: gateway 1.4.6 canister_poller.rs."""
        return [call for call in self._failed_polls if (call.canister_id, call.sender) == (canister_id, gateway)]

    @cached_property
    def _failed_polls(self) -> list[NetworkCall]:
        return [
            call
            for call in self.calls
            if call.method_name == _POLL
            and call.outcome in ("err", "unreadable", "rejected")
            and call.reject_code != _SYS_TRANSIENT
        ]


def cause_of(call: NetworkCall) -> Cause:
    """What the words of a failed call are about."""
    if call.outcome == "refused" and call.status == 413:
        return "too_large"
    if call.outcome == "rejected" and call.reject_code == 3:
        return "canister"
    said = " ".join(call.text.split()).lower()
    return next((cause for cause, words in _WORDS.get(call.outcome, ()) if re.search(words, said)), "other")


def quoted(call: NetworkCall) -> str:
    """What became of a call in the network's own words, with the frame that says so; without a full stop."""
    words = " ".join(call.text.split())
    words = f'"{words[:MAX_QUOTE]}{"…" if len(words) > MAX_QUOTE else ""}"'
    where = "" if call.response is None else f" (frame {call.response})"
    match call.outcome:
        case "replied":
            return f"the canister answered Ok{where}"
        case "err":
            return f"the canister answered Err {words}{where}"
        case "rejected":
            return f"the network rejected it with code {call.reject_code}, {words}{where}"
        case "refused":
            return f"the network refused it with HTTP {call.status}, {words}{where}"
        case "accepted":
            return f"the network took it up{where}, and what became of it is not recorded"
        case "unreadable":
            return f"the network's answer cannot be read: {words}{where}"
        case "unanswered":
            return f"the network's answer is not recorded (frame {call.request})"


def frames_of(call: NetworkCall | None) -> tuple[int, ...]:
    """The numbers of a call's request and response."""
    if call is None:
        return ()
    return (call.request,) if call.response is None else (call.request, call.response)
