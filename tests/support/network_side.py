"""Puts the network's side into a capture: what a tap behind the gateway records of a client's frames and of polls."""

from __future__ import annotations

from icws_explore.capture import Capture, Frame
from icws_explore.protocol import cbor, leb128
from icws_explore.protocol.arguments import PollMessage, PollResult, encode_poll_args, encode_poll_result, encode_result
from icws_explore.protocol.certificate import Certificate
from icws_explore.protocol.envelope import Envelope, query_content
from icws_explore.protocol.hashtree import build
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from support.certified_canister import CANISTER_ID, GATEWAY

CALL = f"POST /api/v3/canister/{CANISTER_ID}/call"
QUERY = f"POST /api/v2/canister/{CANISTER_ID}/query"
Answer = tuple[int, bytes | dict[bytes, bytes]]  # HTTP status, and the body or what a certificate says of the call


def ok() -> Answer:
    return 200, {b"status": b"replied", b"reply": encode_result(None)}


def err(text: str) -> Answer:
    return 200, {b"status": b"replied", b"reply": encode_result(text)}


def rejected(text: str, code: int = 5) -> Answer:
    told = {b"reject_code": leb128.encode_unsigned(code), b"reject_message": text.encode()}
    return 200, {b"status": b"rejected", **told}


def trapped(text: str) -> Answer:
    return rejected(f"Error from Canister {CANISTER_ID}: Canister called `ic0.trap` with message: '{text}'")


def refused(text: str, status: int = 400) -> Answer:
    return status, text.encode()


def answered(capture: Capture, answers: dict[int, Answer | None], *, late_s: float = 0.05) -> Capture:
    """``answers`` by frame number, each put ``late_s`` behind its frame; None: the request without its answer."""
    frames = list(capture.frames)
    for number, answer in answers.items():
        envelope = Envelope.decode_frame(capture.frames[number].data)
        at = capture.frames[number].t
        frames.append(
            Frame(at + late_s / 2, "out", "request", envelope.encode(), reason=CALL, session=f"http-{number}")
        )
        if answer is not None:
            status, body = answer
            data = body if isinstance(body, bytes) else _certified(envelope.request_id, body)
            frames.append(Frame(at + late_s, "in", "response", data, status, CALL, f"http-{number}"))
    return in_order(capture, frames)


def polled(capture: Capture, at: float, answer: Answer) -> Capture:
    """A poll of the gateway's at ``at`` (seconds since the epoch)."""
    body = Envelope(query_content(CANISTER_ID, "ws_get_messages", encode_poll_args(0), GATEWAY, 10**18)).encode()
    status, data = answer
    assert isinstance(data, bytes)
    asked = Frame(at, "out", "request", body, reason=QUERY, session=f"poll-{at}")
    return in_order(capture, [*capture.frames, asked, Frame(at, "in", "response", data, status, QUERY, f"poll-{at}")])


def with_status(capture: Capture, root_key: object) -> Capture:
    """The network's status in front, as the gateway or the tap asks for it."""
    at = capture.frames[0].t - 1
    path = "GET /api/v2/status"
    asked = Frame(at, "out", "request", b"", reason=path, session="http-0")
    status = Frame(at, "in", "response", cbor.dumps({"root_key": root_key}, tagged=True), 200, path, "http-0")
    return in_order(capture, [asked, status, *capture.frames])


def in_order(capture: Capture, frames: list[Frame]) -> Capture:
    return Capture(capture.info, sorted(frames, key=lambda frame: frame.t))


def poll_rejected(text: str, code: int = 5) -> Answer:
    return 200, cbor.dumps({"status": "rejected", "reject_code": code, "reject_message": text})


def _certified(request_id: bytes, leaves: dict[bytes, bytes]) -> bytes:
    """A certificate that says so; nobody verifies what a gateway is told."""
    tree = build({b"request_status": {request_id: leaves}, b"time": leb128.encode_unsigned(10**18)})
    certificate = Certificate(tree, b"\x00" * 48).encode()
    return cbor.dumps({"status": "replied", "certificate": certificate}, tagged=True)


def given(capture: Capture, at: float, *messages: CanisterMessage) -> Capture:
    """The canister gave these messages to the gateway ``at`` (seconds since the epoch), each in a poll of its own."""
    for number, message in enumerate(messages):
        client_key = WebsocketMessage.decode(message.content).client_key
        result = PollResult((PollMessage(client_key, message.key, message.content),), message.cert, message.tree, True)
        capture = polled(capture, at + number / 1000, poll_replied(result))
    return capture


def poll_replied(result: PollResult | str) -> Answer:
    return 200, cbor.dumps({"status": "replied", "reply": {"arg": encode_poll_result(result)}})


def received(capture: Capture, number: int) -> CanisterMessage:
    """The canister message in that frame."""
    return CanisterMessage.decode(capture.frames[number].data)
