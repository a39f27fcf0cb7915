"""What the client sends, and what it cannot send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from icws_explore.protocol.arguments import decode_open_args
from icws_explore.protocol.client.events import (
    AckReceived,
    CloseConnection,
    Failed,
    HandshakeReceived,
    Logged,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.wire import Outbox
from icws_explore.protocol.envelope import Envelope, sign_envelope
from icws_explore.protocol.errors import ArgumentTypeError, DecodeError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.service_messages import AckMessage
from support.certified_canister import CANISTER_ID, GATEWAY
from support.client_scene import (
    HANDSHAKE,
    HELLO,
    IDENTITY,
    KEY,
    OPEN_TIMEOUT_MS,
    START_NS,
    Scene,
    failing_after,
    message_of,
)
from support.playbook import NS_PER_MS, do, pause, wait


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestSending:
    def test_content_is_bytes(self, scene: Scene) -> None:
        play = scene.opened()
        with pytest.raises(ArgumentTypeError, match="content must be bytes"):
            play >> do("send", "text")

    def test_timestamps_are_whole_milliseconds(self, scene: Scene) -> None:
        play = scene.opened() >> pause(1.999999) >> do("send", HELLO) << SendFrame
        assert message_of(play).timestamp_ns == START_NS + NS_PER_MS

    def test_every_call_has_a_nonce_of_16_bytes_of_its_own(self) -> None:
        drawn: list[int] = []

        def entropy(count: int) -> bytes:
            drawn.append(count)
            return bytes([len(drawn)] * count)

        machine = ClientMachine(ClientConfig(CANISTER_ID), IDENTITY, entropy=entropy)
        frame = machine.receive(HANDSHAKE, START_NS)[1]
        assert isinstance(frame, SendFrame)
        assert drawn == [8, 16]
        assert Envelope.decode_frame(frame.data).nonce == bytes([2] * 16)

    def test_another_signer(self) -> None:
        """A function that signs instead gets the content and the identity."""
        asked: list[str] = []

        def sign(content: Mapping[str, Any], identity: Identity) -> Envelope:
            asked.append(content["method_name"])
            return replace(sign_envelope(content, identity), sender_sig=b"forged")

        machine = ClientMachine(ClientConfig(CANISTER_ID), IDENTITY, entropy=bytes, sign=sign)
        frame = machine.receive(HANDSHAKE, START_NS)[1]
        assert isinstance(frame, SendFrame)
        assert Envelope.decode_frame(frame.data).sender_sig == b"forged"
        assert asked == ["ws_open"]

    def test_ws_open_without_a_gateway(self) -> None:
        """As SDKs before 0.3.0 sent it."""
        outbox = Outbox(CANISTER_ID, KEY, IDENTITY, bytes)
        envelope = Envelope.decode_frame(outbox.ws_open(None, START_NS))
        assert decode_open_args(envelope.arg or b"").gateway_principal is None

    def test_ws_open_that_cannot_be_signed(self) -> None:
        scene = Scene(failing_after(0))
        assert (
            scene.play
            >> do("receive", HANDSHAKE)
            << HandshakeReceived(GATEWAY)
            << Logged("[onWsMessage] Handshake message error: Error: the key is gone")
            << CloseConnection(4000, "Handshake message error")
            >> wait(2 * OPEN_TIMEOUT_MS)
        )

    def test_a_message_that_cannot_be_signed(self) -> None:
        scene = Scene(failing_after(1))
        assert (
            scene.opened()
            >> do("send", HELLO)
            << Failed("Message sending failed: Error: the key is gone")
            << CloseConnection(4000, "Message sending failed")
        )
        assert scene.machine.outstanding == ()

    def test_a_keep_alive_that_cannot_be_signed(self) -> None:
        """Another close comes first, so this one's reason is not sent."""
        scene = Scene(failing_after(1))
        assert (
            scene.opened()
            >> scene.says(AckMessage(0))
            << Verified
            << AckReceived(0)
            << Failed("Message sending failed: Error: the key is gone")
            << CloseConnection(4000, "Message sending failed")
            << Failed("Keep alive message was not sent")
        )


class TestSigningAgain:
    def test_gives_edited_content_a_signature_that_fits(self, scene: Scene) -> None:
        frame = Outbox(CANISTER_ID, KEY, IDENTITY, bytes).ws_open(GATEWAY, START_NS)
        envelope = Envelope.decode_frame(frame)
        edited = replace(envelope, content={**envelope.content, "method_name": "ws_close"})
        signed = Envelope.decode_frame(scene.machine.sign_again(edited.encode_frame()))
        assert signed == sign_envelope(edited.content, IDENTITY)
        assert signed.sender_sig != envelope.sender_sig

    def test_of_what_is_no_request_is_refused(self, scene: Scene) -> None:
        with pytest.raises(DecodeError):
            scene.machine.sign_again(b"\xff")
