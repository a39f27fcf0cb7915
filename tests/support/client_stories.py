"""A comparable description of a client's actions: of a recorded client, or of a machine with the same frames."""

from __future__ import annotations

from collections.abc import Iterable

from icws_explore.analysis.decode import DecodedFrame, decode_frame
from icws_explore.analysis.replay.replay import StandIn
from icws_explore.capture import Frame
from icws_explore.protocol.client.events import ClientEvent, CloseConnection, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal

Story = list[tuple[object, ...]]
LATER_S = 5.0  # seconds after the last frame; a later timer does not count


def recorded_story(frames: Iterable[DecodedFrame]) -> Story:
    """The requests and the close of the client of one session."""
    story: Story = []
    for decoded in frames:
        if decoded.frame.direction == "out":
            story += _request(decoded) if decoded.envelope is not None else _close(decoded.frame)
    return story


def machine_story(
    machine: type[ClientMachine], config: ClientConfig, sender: Principal, nonce: int, frames: list[DecodedFrame]
) -> Story:
    """The actions of ``machine`` when it gets the recorded client's frames at their times."""
    client = machine(config, StandIn(sender), entropy=bytes, client_nonce=nonce)
    began = frames[0].frame.t
    events = client.connected(_ns(began))
    for decoded in frames:
        frame = decoded.frame
        if frame.direction == "in" and frame.op == "binary":
            events += client.receive(frame.data, _ns(frame.t))
        elif decoded.kind == "message" and decoded.message is not None:  # the dapp sent it
            events += client.send(decoded.message.content, _ns(frame.t))
    events += client.tick(_ns(frames[-1].frame.t + LATER_S))
    return [line for event in events for line in _described(event, began)]


def _described(event: ClientEvent, t: float) -> Story:
    match event:
        case SendFrame(data):
            return _request(decode_frame(Frame(t, "out", "binary", data), number=0))
        case CloseConnection(code, reason):
            return [("close", code, reason)]
    return []


def _request(decoded: DecodedFrame) -> Story:
    """A request without its signature, call nonce and times."""
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
