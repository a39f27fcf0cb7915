"""Reads the recorded HTTP traffic between a gateway and the network: each call, its outcome, and its frame.

A gateway does not tell a client what became of a call. A tap in front of the network records it. Outcomes
are read, not verified. Source: interface specification, "HTTPS interface".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from icws_explore.capture import Capture, Frame
from icws_explore.protocol import cbor, leb128
from icws_explore.protocol.arguments import decode_poll_result, decode_result
from icws_explore.protocol.certificate import Certificate
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError, ValueMismatchError
from icws_explore.protocol.hashtree import Found, lookup
from icws_explore.protocol.keys.bls import key_from_der
from icws_explore.protocol.principal import Principal

# accepted: HTTP 202, the outcome comes later; err: the canister answered Err; rejected: by the replica or by a
# trap; refused: another HTTP status; unreadable: not a valid answer; unanswered: no answer is recorded.
Outcome = Literal["replied", "err", "rejected", "refused", "accepted", "unreadable", "unanswered"]

STATUS_PATH: Final = "/api/v2/status"
_RESULTS: Final = ("ws_open", "ws_message", "ws_close")
_NOT_REPLICATED: Final = "non_replicated_rejection"
_MAX_TEXT: Final = 500
_MAX_ERROR_CODE: Final = 20  # characters of the replica's error code, as IC0207


@dataclass(frozen=True, slots=True)
class NetworkCall:
    """One request and its answer. ``request`` and ``response`` are frame numbers of the capture.

    ``frame`` is the number of the client's frame that the gateway relayed, None for the gateway's own
    requests. ``text`` is the canister's Err, the reject message or the body of an HTTP error, ``status`` the
    HTTP status. ``is_executed`` False: one replica rejected the call before the subnet agreed on it, so its method
    did not run, only the canister's canister_inspect_message.
    """

    request: int
    response: int | None
    target: str
    request_type: str | None = None
    method_name: str | None = None
    canister_id: Principal | None = None
    sender: Principal | None = None
    request_id: bytes | None = None
    frame: int | None = None
    outcome: Outcome = "unanswered"
    text: str = ""
    reject_code: int | None = None
    status: int | None = None
    is_executed: bool = True

    @property
    def failed(self) -> bool:
        return self.outcome in ("err", "rejected", "refused", "unreadable")

    @property
    def is_final(self) -> bool:
        """Whether the outcome is recorded."""
        return self.outcome not in ("accepted", "unanswered")

    @property
    def is_admitted(self) -> bool:
        """Whether the network accepted the request: signature, delegations and expiry were valid."""
        return self.outcome in ("replied", "err", "rejected", "accepted")


def network_calls(capture: Capture) -> list[NetworkCall]:
    """Return every recorded request to the network, in order."""
    relayed = _requests_of_clients(capture)
    answers: dict[str | None, int] = {
        frame.session: number for number, frame in enumerate(capture.frames) if frame.op == "response"
    }
    calls = []
    for number, frame in enumerate(capture.frames):
        if frame.op != "request":
            continue
        call = _read_request(number, frame)
        if call.request_id is not None:
            call = replace(call, frame=relayed.get(call.request_id))
        answered = answers.get(frame.session)
        if answered is not None:
            answer = capture.frames[answered]
            call = _with_answer(replace(call, response=answered, status=answer.code), answer)
        calls.append(call)
    return calls


def read_exchange(request: Frame, response: Frame) -> NetworkCall:
    """Read one request and its answer; they count as frames 0 and 1."""
    return _with_answer(replace(_read_request(0, request), response=1, status=response.code), response)


def recorded_root_keys(capture: Capture) -> list[bytes]:
    """Return the distinct root keys (DER) in recorded status answers; invalid ones are left out."""
    found = []
    for frame in capture.frames:
        if frame.op != "response" or frame.code != 200 or not (frame.reason or "").endswith(STATUS_PATH):
            continue
        try:
            status = cbor.loads(frame.data, what="the network's status")
            key = status.get("root_key") if isinstance(status, dict) else None
            if isinstance(key, bytes):
                key_from_der(key)
                found.append(key)
        except DecodeError:
            continue
    return list(dict.fromkeys(found))


def _requests_of_clients(capture: Capture) -> dict[bytes, int]:
    """Map request ids to the clients' frames. The gateway encodes an envelope again, but the id stays."""
    found: dict[bytes, int] = {}
    for number, frame in enumerate(capture.frames):
        if frame.op == "binary" and frame.direction == "out":
            request_id = _request_id(frame.data, is_frame=True)[1]
            if request_id is not None:
                found.setdefault(request_id, number)
    return found


def _request_id(data: bytes, *, is_frame: bool = False) -> tuple[Envelope | None, bytes | None]:
    try:
        envelope = Envelope.decode_frame(data) if is_frame else Envelope.decode(data)
        return envelope, envelope.request_id
    except (DecodeError, ValueMismatchError):
        return None, None


def _read_request(number: int, frame: Frame) -> NetworkCall:
    blank = NetworkCall(number, None, frame.reason or "")
    envelope, request_id = _request_id(frame.data)
    if envelope is None:
        return blank
    return replace(
        blank,
        request_type=envelope.request_type,
        method_name=envelope.method_name,
        canister_id=envelope.canister_id,
        sender=envelope.sender,
        request_id=request_id,
    )


def _with_answer(call: NetworkCall, frame: Frame) -> NetworkCall:
    if frame.code == 202:
        return replace(call, outcome="accepted")
    if frame.code != 200:
        return replace(call, outcome="refused", text=_text(frame.data))
    try:
        answer = cbor.loads(frame.data, what="the network's answer")
    except DecodeError as error:
        return replace(call, outcome="unreadable", text=str(error))
    if not isinstance(answer, dict):
        return replace(call, outcome="unreadable", text="the network's answer is not a map")
    if isinstance(answer.get("reject_code"), int):
        message, error_code = str(answer.get("reject_message", ""))[:_MAX_TEXT], answer.get("error_code")
        if isinstance(error_code, str) and error_code not in message:
            message = f"{error_code[:_MAX_ERROR_CODE]}: {message}"
        is_executed = answer.get("status") != _NOT_REPLICATED
        return replace(
            call, outcome="rejected", reject_code=answer["reject_code"], text=message, is_executed=is_executed
        )
    try:
        return _with_reply(call, answer)
    except DecodeError as error:
        return replace(call, outcome="unreadable", text=str(error))


def _with_reply(call: NetworkCall, answer: dict[str, Any]) -> NetworkCall:
    """Read the reply of a query, or the outcome in the certificate of a call. Raises DecodeError."""
    reply = answer.get("reply")
    if isinstance(reply, dict) and isinstance(reply.get("arg"), bytes):
        return _judged(call, reply["arg"])
    certificate = answer.get("certificate")
    if call.request_type != "call" or call.request_id is None or not isinstance(certificate, bytes):
        return replace(call, outcome="replied")
    tree = Certificate.decode(certificate).tree
    here = {
        name: lookup(tree, [b"request_status", call.request_id, name])
        for name in (b"reply", b"reject_code", b"reject_message")
    }
    given, code, message = (found.value if isinstance(found, Found) else None for found in here.values())
    if given is not None:
        return _judged(call, given)
    if code is not None:
        return replace(call, outcome="rejected", reject_code=leb128.decode_unsigned(code), text=_text(message or b""))
    return replace(call, outcome="accepted")


def _judged(call: NetworkCall, reply: bytes) -> NetworkCall:
    """Tell a reply from an Err of the canister."""
    error: object = None
    if call.method_name in _RESULTS:
        error = decode_result(reply)
    elif call.method_name == "ws_get_messages":
        error = decode_poll_result(reply)
    return (
        replace(call, outcome="err", text=error[:_MAX_TEXT])
        if isinstance(error, str)
        else replace(call, outcome="replied")
    )


def _text(data: bytes) -> str:
    return " ".join(data[:_MAX_TEXT].decode("utf-8", "replace").split())
