"""What a tap recorded between the gateway and the network: how each call was answered, and the gateway's polls.

A gateway forwards none of these answers to its clients, so only such a recording shows why a call had no effect.
Failed polls are always recorded. Successful polls are recorded on request (icws tap … --network URL
--all-queries). Compared with what the clients received, they show on which side of the gateway a message was
lost, altered or delayed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, nextafter
from typing import Any, Final, Literal

from icws_explore.capture import Capture
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import PollMessage, PollResult, decode_poll_result
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal

from ..network_calls import NetworkCall, network_calls, recorded_root_keys
from .lookups import Lookup

RECORD_POLLS = "To tell them apart, record the polls as well: icws tap … --network URL --all-queries."


@dataclass(frozen=True, slots=True)
class Polled:
    """One message in a poll's answer. ``frame`` is the answer's number, ``t`` its time (seconds since the epoch)."""

    frame: int
    t: float
    message: PollMessage
    cert: bytes
    tree: bytes

    @property
    def sequence_num(self) -> int | None:
        """The message's sequence number; None if its content cannot be decoded."""
        try:
            return WebsocketMessage.decode(self.message.content).sequence_num
        except DecodeError:
            return None

    def differences(self, relayed: CanisterMessage) -> list[str]:
        """The parts of the message in which ``relayed``, what the client received, differs."""
        parts = {
            "content": (self.message.content, relayed.content),
            "certificate": (self.cert, relayed.cert),
            "witness": (self.tree, relayed.tree),
        }
        return [name for name, (polled, relayed_part) in parts.items() if polled != relayed_part]


class Polls:
    """The successful polls among ``calls``. Their answers are decoded on first use."""

    def __init__(self, capture: Capture, calls: Sequence[NetworkCall]) -> None:
        self._capture = capture
        self._calls = [call for call in calls if call.method_name == POLL and call.outcome == "replied"]

    def is_recorded(self, canister_id: Principal | None, gateway: Principal | None, since: float, until: float) -> bool:
        """Whether there is a poll of that gateway to that canister between those times (seconds since the epoch)."""
        times = self._times.get((canister_id, gateway), [])
        return bisect_left(times, until) > bisect_right(times, since)

    @cached_property
    def _times(self) -> dict[tuple[Principal | None, Principal | None], list[float]]:
        """By canister and gateway, when polls were made."""
        found: dict[tuple[Principal | None, Principal | None], list[float]] = {}
        for call in self._calls:
            found.setdefault((call.canister_id, call.sender), []).append(self._capture.frames[call.request].t)
        return {parties: sorted(times) for parties, times in found.items()}

    @cached_property
    def messages(self) -> Mapping[tuple[Principal | None, str], Polled]:
        """By canister and message key, the message in the first poll that holds it."""
        found: dict[tuple[Principal | None, str], Polled] = {}
        for call in self._calls:
            for polled in self._read(call):
                found.setdefault((call.canister_id, polled.message.key), polled)
        return found

    def for_client(self, canister_id: Principal | None, client_key: ClientKey | None) -> list[Polled]:
        """The messages that the canister gave for that client, in the order of the polls."""
        return [] if client_key is None else self._by_client.get((canister_id, client_key), [])

    @cached_property
    def _by_client(self) -> dict[tuple[Principal | None, ClientKey], list[Polled]]:
        found: dict[tuple[Principal | None, ClientKey], list[Polled]] = {}
        for (canister_id, _), polled in self.messages.items():
            found.setdefault((canister_id, polled.message.client_key), []).append(polled)
        return found

    def _read(self, call: NetworkCall) -> list[Polled]:
        assert call.response is not None  # its outcome is "replied"
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


# What a failed call's text says is wrong; "other" if it says nothing that a rule is about.
Cause = Literal[
    "expiry", "delegation", "signature", "too_large", "canister", "cycles", "inspect", "no_reply",
    "anonymous", "gateway", "replaced", "forgotten", "sequence", "duplicate",
    "code", "stopped", "arguments", "trap", "rate", "other",
]  # fmt: skip

# By outcome, because an application's trap may say anything. The first expression that fits names the cause.
# Sources: replica, rs/validator, rs/http_endpoints and rs/types/error_types; CDK 0.4.1 errors.rs, CDK 0.3.0 lib.rs.
_CYCLES: Final = (
    r"out of cycles|ic0207|ic0532|is frozen|freezing threshold|insufficient cycles|additional [\d_,]+ cycles"
)
_INSPECT: Final = r"rejected the message|inspect_message|ic0406|ic0516"
_TEXTS: Final[Mapping[str, tuple[tuple[Cause, str], ...]]] = {
    "refused": (
        ("expiry", r"ingress_expiry|request expiry"),
        ("delegation", r"delegation"),
        ("signature", r"signature|does not match the public key"),
        ("too_large", r"too large|larger than|payload"),
        ("canister", r"canister_not_found|canister \S+ not found|not belong to any subnet"),
        ("inspect", _INSPECT),
        ("cycles", _CYCLES),
        ("rate", r"rate.?limit|too many requests"),
    ),
    "err": (
        ("anonymous", r"anonymous principal"),
        ("duplicate", r"already has an open connection"),
        ("replaced", r"different key than the one used"),
        ("forgotten", r"doesn't have an open connection"),
        ("sequence", r"expected incoming sequence number"),
        ("gateway", r"gateway.* not (registered|authorized)|not (one of|registered|authorized).* gateway"),
    ),
    "rejected": (
        ("arguments", r"decode call arguments|ic0\.trap.*idl error"),
        ("trap", r"ic0\.trap|trapped explicitly|panicked"),
        ("canister", r"ic0301|canister \S+ not found"),
        ("code", r"ic053[67]|no (update |query )?method|no (code|wasm)"),
        ("stopped", r"ic050[89]|is stopp(ed|ing)"),
        ("cycles", _CYCLES),
        ("inspect", _INSPECT),
        ("no_reply", r"did not (reply|produce a response)|ic0506"),
        ("trap", r"trap|unreachable|exceeded .*(limit|instructions)"),
    ),
}
POLL: Final = "ws_get_messages"
_SYS_TRANSIENT: Final = 2  # a reject code after which a poller tries again
MAX_QUOTE: Final = 200


class NetworkSide:
    """The calls between gateways and network in a recording; none if that side was not recorded."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    @cached_property
    def calls(self) -> list[NetworkCall]:
        """Every call, in the order of the requests."""
        is_recorded = any(frame.op == "request" for frame in self._capture.frames)
        return network_calls(self._capture) if is_recorded else []

    @cached_property
    def polls(self) -> Polls:
        """The gateways' successful polls, as far as they are recorded."""
        return Polls(self._capture, self.calls)

    @cached_property
    def root_keys(self) -> list[bytes]:
        """The root keys (DER) in recorded answers to /api/v2/status."""
        return recorded_root_keys(self._capture)

    @cached_property
    def answers(self) -> Mapping[int, NetworkCall]:
        """By the client's frame number, the call that the gateway made for it; of several attempts the accepted one."""
        found: dict[int, NetworkCall] = {}
        for call in self.calls:
            if call.frame is not None and (call.frame not in found or not found[call.frame].is_admitted):
                found[call.frame] = call
        return found

    def is_recorded(self, frames: Iterable[int], gateway: Principal | None) -> bool:
        """Whether this gateway's side is recorded: a call for one of the client's ``frames``, or one of its own."""
        return any(number in self.answers for number in frames) or (gateway is not None and gateway in self._senders)

    @cached_property
    def _senders(self) -> frozenset[Principal | None]:
        return frozenset(call.sender for call in self.calls)

    @cached_property
    def page_callers(self) -> Mapping[str, frozenset[str]]:
        """By canister, the senders of calls to methods that are not the CDK's: not a gateway, but a page makes them.

        All are principals as text.
        """
        found: dict[str, set[str]] = {}
        for page_call in self._capture.page_calls:
            found.setdefault(page_call.canister_id, set()).add(page_call.sender)
        for call in self.calls:
            is_own = call.frame is not None or call.method_name is None or call.method_name.startswith("ws_")
            if not is_own and call.sender is not None and call.canister_id is not None:
                found.setdefault(call.canister_id.text, set()).add(call.sender.text)
        return {canister: frozenset(senders) for canister, senders in found.items()}

    @cached_property
    def senders_of_unknown(self) -> frozenset[Principal | None]:
        """The senders of the calls that belong to no frame of a client."""
        return frozenset(call.sender for call in self.calls if call.frame is None)

    def failed_polls(self, canister_id: Principal | None, gateway: Principal | None) -> list[NetworkCall]:
        """All failed polls of that gateway to that canister, in order; also those after which it tries again."""
        return self._failed_polls.get((canister_id, gateway), [])

    @cached_property
    def _failed_polls(self) -> Mapping[tuple[Principal | None, Principal | None], list[NetworkCall]]:
        found: dict[tuple[Principal | None, Principal | None], list[NetworkCall]] = {}
        for call in self.calls:
            if call.method_name == POLL and call.failed:
                found.setdefault((call.canister_id, call.sender), []).append(call)
        return found

    def fatal_polls(self, canister_id: Principal | None, gateway: Principal | None) -> list[NetworkCall]:
        """The polls after whose answers the gateway gives the canister up. Source: gateway 1.4.6 canister_poller.rs."""
        failed = self.failed_polls(canister_id, gateway)
        return [call for call in failed if _is_fatal(call)]

    def failed_polls_between(
        self, canister_id: Principal | None, gateway: Principal | None, since: float, until: float
    ) -> list[NetworkCall]:
        """The failed polls that were answered from ``since`` to ``until`` (seconds since the epoch), in order."""
        failed = self._failed_by_time.get((canister_id, gateway))
        return [] if failed is None else list(failed.find(after=nextafter(since, -inf), before=nextafter(until, inf)))

    def fatal_poll_near(
        self, canister_id: Principal | None, gateway: Principal | None, then: float, within_s: float
    ) -> NetworkCall | None:
        """The last fatal poll that was answered within ``within_s`` seconds of that time (since the epoch)."""
        fatal = self._fatal_by_time.get((canister_id, gateway))
        near = () if fatal is None else fatal.find(after=then - within_s - 1, before=then + within_s + 1)
        return next((call for call in near if abs(self._answered(call) - then) <= within_s), None)

    @cached_property
    def _failed_by_time(self) -> Mapping[tuple[Principal | None, Principal | None], Lookup[NetworkCall]]:
        return {
            parties: Lookup((self._answered(call), 0.0, call) for call in calls)
            for parties, calls in self._failed_polls.items()
        }

    @cached_property
    def _fatal_by_time(self) -> Mapping[tuple[Principal | None, Principal | None], Lookup[NetworkCall]]:
        """The last one first."""
        return {
            parties: Lookup((self._answered(call), 0.0, call) for call in reversed(calls) if _is_fatal(call))
            for parties, calls in self._failed_polls.items()
        }

    def _answered(self, call: NetworkCall) -> float:
        return self._capture.frames[call.response or call.request].t


def _is_fatal(call: NetworkCall) -> bool:
    return call.outcome != "refused" and call.reject_code != _SYS_TRANSIENT


def cause_of(call: NetworkCall) -> Cause:
    """What a failed call's answer says is wrong."""
    if call.outcome == "refused" and call.status == 413:
        return "too_large"
    if call.outcome == "refused" and call.status == 429:
        return "rate"
    if call.outcome == "rejected" and call.reject_code == 3:
        return "code" if re.search(r"no (update |query )?method", call.text.lower()) else "canister"
    text = " ".join(call.text.split()).lower()
    found: Cause = next((cause for cause, words in _TEXTS.get(call.outcome, ()) if re.search(words, text)), "other")
    return "inspect" if found == "trap" and not call.is_executed else found


def quoted(call: NetworkCall) -> str:
    """The outcome of a call in the network's own words, with the frame that holds them; without a full stop."""
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
            return f"the network accepted it{where}, and the recording does not hold its outcome"
        case "unreadable":
            return f"the network's answer cannot be read: {words}{where}"
        case "unanswered":
            return f"the network's answer is not recorded (frame {call.request})"


def frames_of(call: NetworkCall | None) -> tuple[int, ...]:
    """The numbers of a call's request and response frames."""
    if call is None:
        return ()
    return (call.request,) if call.response is None else (call.request, call.response)
