"""What a client does in a session, told in one way of a recorded one and of a machine that meets the same frames."""

from __future__ import annotations

from collections.abc import Iterable

from icws_explore.analysis.decode import DecodedFrame, decode_frame
from icws_explore.analysis.replay.replay import StandIn
from icws_explore.capture import Frame
from icws_explore.protocol.client.events import CloseConnection, Event, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal

Story = list[tuple[object, ...]]
LATER_S = 5.0  # a timer that has not fired so long behind the last frame is none


def recorded_story(frames: Iterable[DecodedFrame]) -> Story:
    """Of the client of one session: its requests, its close."""
    story: Story = []
    for decoded in frames:
        if decoded.frame.direction == "out":
            story += _request(decoded) if decoded.envelope is not None else _close(decoded.frame)
    return story


def machine_story(
    machine: type[ClientMachine], config: ClientConfig, sender: Principal, nonce: int, frames: list[DecodedFrame]
) -> Story:
    """What ``machine`` does about the frames that the recorded client received, at their times."""
    client = machine(config, StandIn(sender), entropy=bytes, client_nonce=nonce)
    began = frames[0].frame.t
    events = client.connected(_ns(began))
    for decoded in frames:
        frame = decoded.frame
        if frame.direction == "in" and frame.op == "binary":
            events += client.receive(frame.data, _ns(frame.t))
        elif decoded.kind == "message" and decoded.message is not None:  # the dapp's own doing
            events += client.send(decoded.message.content, _ns(frame.t))
    events += client.tick(_ns(frames[-1].frame.t + LATER_S))
    return [line for event in events for line in _told(event, began)]


def _told(event: Event, t: float) -> Story:
    match event:
        case SendFrame(data):
            return _request(decode_frame(Frame(t, "out", "binary", data), number=0))
        case CloseConnection(code, reason):
            return [("close", code, reason)]
    return []


def _request(decoded: DecodedFrame) -> Story:
    """Without signature, call nonce and times."""
    envelope = decoded.envelope
    assert envelope is not None
    has_delegation = bool(envelope.sender_delegation)
    is_in_our_time = (envelope.ingress_expiry_ns or 0) > NS_PER_S * 10**9
    args = decoded.open_args or decoded.service or decoded.value
    return [("sends", envelope.method_name, args, str(envelope.canister_id), is_in_our_time, has_delegation)]


def _close(frame: Frame) -> Story:
    return (
        [("close", frame.code, frame.reason or "")] if frame.op == "close" and frame.code in range(4000, 5000) else []
    )


def _ns(t: float) -> int:
    return round(t * NS_PER_S)
