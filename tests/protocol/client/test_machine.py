"""The client against ic-websocket.test.ts of ic-websocket-js 0.5.0, case by case; closing and ticks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from icws_explore.protocol.arguments import decode_open_args
from icws_explore.protocol.client.events import (
    AckReceived,
    CanisterClosed,
    CloseConnection,
    ConnectionClosed,
    Failed,
    KeepAliveSent,
    MessageReceived,
    Opened,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.errors import IdentityError, StateError
from icws_explore.protocol.keys import AnonymousIdentity
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    decode_service,
)
from icws_explore.protocol.steps import first_failure
from support.certified_canister import CANISTER_ID, GATEWAY
from support.client_scene import (
    ACK_TIMEOUT_MS,
    HELLO,
    IDENTITY,
    KEY,
    NONCE,
    OPEN_TIMEOUT_MS,
    RECEIVING,
    START_NS,
    Play,
    Scene,
    envelope_of,
    error_receiving,
    message_of,
)
from support.playbook import do, do_timeless, pause, run, wait


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestIcWebsocketClass:
    """describe("IcWebsocket class"): the names are the SDK's."""

    def test_sends_nothing_before_the_handshake(self, scene: Scene) -> None:
        """Not a case of the SDK: versions before 0.3.0 sent ws_open as soon as the socket was open."""
        assert scene.play >> do("connected") >> run(10 * OPEN_TIMEOUT_MS)
        assert scene.machine.state is ClientState.HANDSHAKE

    def test_throws_an_error_if_the_websocket_gateway_is_not_available(self, scene: Scene) -> None:
        assert (
            scene.play
            >> do("connection_error", "connect ECONNREFUSED 127.0.0.1:1234")
            << Failed("WebSocket error: connect ECONNREFUSED 127.0.0.1:1234")
            >> do("connection_lost", 1006, "")
            << ConnectionClosed(1006, "")
        )
        assert scene.machine.state is ClientState.CLOSED

    def test_throws_an_error_if_the_identity_is_not_a_sign_identity(self) -> None:
        with pytest.raises(IdentityError, match=r"^Identity must be a SignIdentity"):
            Scene(AnonymousIdentity())

    def test_creates_a_new_client_key_correctly(self) -> None:
        machine = ClientMachine(ClientConfig(CANISTER_ID), IDENTITY, entropy=lambda n: b"\x01" + bytes(n - 2) + b"\x80")
        assert machine.client_key == ClientKey(IDENTITY.principal, 0x8000000000000001)

    def test_throws_an_error_if_the_handshake_message_is_wrong(self, scene: Scene) -> None:
        assert (
            scene.play
            >> do("receive", bytes.fromhex("d9d9f7a171676174657761795f7072696e636970616c60"))
            << error_receiving("First message is not a GatewayHandshakeMessage")
            << CloseConnection(4000, RECEIVING)
        )
        assert scene.machine.gateway_principal is None
        assert scene.machine.state is ClientState.CLOSING

    def test_completes_the_handshake_with_a_valid_handshake_message(self, scene: Scene) -> None:
        assert scene.handshaken()
        assert scene.machine.gateway_principal == GATEWAY
        assert scene.machine.state is ClientState.OPENING
        assert not scene.machine.is_open

    def test_closes_the_connection_if_the_open_message_is_not_received_in_time(self, scene: Scene) -> None:
        assert (
            scene.handshaken()
            >> wait(OPEN_TIMEOUT_MS)
            << Failed("Open timeout expired before receiving the open message")
            << CloseConnection(4000, "Open connection timeout")
            >> do("connection_lost", 4000, "Open connection timeout")
            << ConnectionClosed(4000, "Open connection timeout")
        )

    def test_creates_a_new_instance_and_sends_the_open_message(self, scene: Scene) -> None:
        envelope = envelope_of(scene.handshaken())
        assert envelope.canister_id == CANISTER_ID
        assert envelope.sender == KEY.client_principal
        assert envelope.method_name == "ws_open"
        arguments = decode_open_args(envelope.arg or b"")
        assert (arguments.client_nonce, arguments.gateway_principal) == (NONCE, GATEWAY)

    def test_onopen_is_called_when_open_message_from_canister_is_received(self, scene: Scene) -> None:
        assert scene.opened() >> wait(OPEN_TIMEOUT_MS)
        assert scene.machine.is_open
        assert scene.machine.deadline_ns is None

    def test_onmessage_is_called_when_a_valid_message_is_received(self, scene: Scene) -> None:
        play = scene.opened() >> scene.says(AckMessage(1)) << Verified << AckReceived(1) << SendFrame
        assert (
            play
            << KeepAliveSent(2)
            >> scene.says(HELLO)
            << Verified
            << (MessageReceived, {"content": HELLO, "value": None, "latency_ms": 0})
        )

    def test_fails_if_a_message_with_a_wrong_sequence_number_is_received(self, scene: Scene) -> None:
        assert (
            scene.opened()
            >> scene.says(HELLO, sequence_num=3)
            << (Verified, {"steps": lambda steps: first_failure(steps).step == "sequence"})
            << error_receiving(
                "[onWsMessage] Received message sequence number does not match next expected value. "
                "Expected: 2, received: 3"
            )
            << CloseConnection(4000, RECEIVING)
        )

    def test_fails_if_a_message_with_a_wrong_certificate_is_received(self, scene: Scene) -> None:
        play = scene.opened()
        message = CanisterMessage.decode(scene.canister.says(AckMessage(1), play.now_ns))
        wrong_key = CanisterMessage("wrong-key", message.content, message.cert, message.tree)
        assert (
            play
            >> do("receive", wrong_key.encode())
            << (Verified, {"key": "wrong-key", "steps": lambda steps: first_failure(steps).step == "lookup"})
            << error_receiving("[onWsMessage] Certificate validation failed")
            << CloseConnection(4000, RECEIVING)
        )

    def test_fails_to_send_messages_if_the_connection_is_not_established(self, scene: Scene) -> None:
        play = scene.handshaken()
        with pytest.raises(StateError) as caught:
            play >> do("send", HELLO)
        assert str(caught.value) == "Connection is not established yet"

    def test_messages_are_sent_if_the_connection_is_established(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame
        assert message_of(play) == WebsocketMessage(KEY, 1, START_NS, False, HELLO)

    def test_closes_the_connection_if_close_message_is_received(self, scene: Scene) -> None:
        play = (
            scene.opened() >> scene.says(AckMessage(1)) << Verified << AckReceived(1) << SendFrame << KeepAliveSent(2)
        )
        assert (
            play
            >> scene.says(HELLO)
            << Verified
            << MessageReceived
            >> scene.says(CloseMessage(CloseReason.CLOSED_BY_APPLICATION))
            << Verified
            << CanisterClosed(CloseReason.CLOSED_BY_APPLICATION)
            << CloseConnection(4001, "ClosedByApplication")
        )


class TestMessagesAcknowledgement:
    """describe("Messages acknowledgement"): the names are the SDK's."""

    def test_fails_if_messages_are_never_acknowledged(self, scene: Scene) -> None:
        assert (
            scene.opened()
            >> do("send", HELLO)
            << SendFrame
            >> wait(ACK_TIMEOUT_MS)
            << Failed("Ack message timeout. Not received ack for sequence numbers: 1")
            << CloseConnection(4000, "Ack message timeout")
        )

    def test_fails_if_messages_are_not_acknowledged_in_time(self, scene: Scene) -> None:
        """The ack arrives at the instant at which the timer expires, which is too late."""
        play = scene.opened() >> do("send", HELLO) << SendFrame >> pause(ACK_TIMEOUT_MS)
        assert (
            play
            >> scene.says(AckMessage(1))
            << Failed("Ack message timeout. Not received ack for sequence numbers: 1")
            << CloseConnection(4000, "Ack message timeout")
        )

    def test_acknowledges_messages(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame
        assert (
            play
            >> scene.says(AckMessage(1))
            << Verified
            << AckReceived(1)
            << SendFrame
            << KeepAliveSent(2)
            >> wait(ACK_TIMEOUT_MS)
            << Failed("Ack message timeout. Not received ack for sequence numbers: 2")
            << CloseConnection(4000, "Ack message timeout")
        )

    def test_send_an_ack_message_after_receiving_the_ack(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame
        assert play >> scene.says(AckMessage(1)) << Verified << AckReceived(1) << SendFrame << KeepAliveSent(2)
        message = message_of(play)
        assert (message.client_key, message.sequence_num, message.is_service_message) == (KEY, 2, True)
        assert decode_service(message.content) == KeepAliveMessage(2)


class TestBaseQueue:
    """describe("BaseQueue") of queues.test.ts: the effect of its two queues on the owner of a client."""

    def test_add_and_process(self, scene: Scene) -> None:
        assert scene.opened() >> do("send", HELLO) << SendFrame
        assert scene.machine.outstanding == (1,)

    def test_should_process_multiple_items_in_the_queue(self, scene: Scene) -> None:
        play = scene.opened()
        for number in (1, 2, 3):
            assert play >> do("send", HELLO) << SendFrame
            assert message_of(play).sequence_num == number

    def test_should_not_process_an_item_if_the_queue_is_disabled(self, scene: Scene) -> None:
        """Before the open message nothing is sent, and nothing is kept to be sent later."""
        play = scene.handshaken()
        with pytest.raises(StateError):
            play >> do("send", HELLO)
        assert play >> scene.says(OpenMessage(KEY)) << Verified << Opened(KEY)
        assert play >> do("send", HELLO) << SendFrame
        assert message_of(play).sequence_num == 1

    def test_should_stop_processing_if_the_item_callback_returns_false(self, scene: Scene) -> None:
        play = scene.opened() >> do("receive", b"no CBOR") << Failed << CloseConnection
        assert play >> scene.says(HELLO)

    def test_should_disable_the_queue(self, scene: Scene) -> None:
        play = scene.opened() >> do("connection_lost", 1006, "") << ConnectionClosed(1006, "")
        assert play >> scene.says(HELLO)
        with pytest.raises(StateError):
            play >> do("send", HELLO)


class TestTicks:
    """Timers that are due fire first, at their own instants, in the order in which they are due."""

    @pytest.mark.parametrize(
        ("gap_ms", "names", "reason"),
        [(1, ["open", "ack"], "Open connection timeout"), (-1, ["ack", "open"], "Ack message timeout")],
    )
    def test_the_earlier_timer_ends_the_session_even_in_a_late_tick(
        self, scene: Scene, gap_ms: int, names: list[str], reason: str
    ) -> None:
        play = scene.with_both_timers(gap_ms)
        assert list(scene.machine.deadlines) == names
        assert play >> wait(1_000_000) << Failed << CloseConnection(4000, reason)
        assert scene.machine.deadlines == {}

    def test_a_frame_after_the_end_of_the_session_is_ignored(self, scene: Scene) -> None:
        play = scene.handshaken() >> pause(OPEN_TIMEOUT_MS + 5)
        assert play >> do("receive", b"\xff") << Failed << CloseConnection(4000, "Open connection timeout")

    def test_a_message_sent_after_a_timer_was_due_is_dropped(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame >> pause(ACK_TIMEOUT_MS)
        assert play >> do("send", HELLO) << Failed << CloseConnection(4000, "Ack message timeout")

    def test_a_refused_send_loses_no_event(self, scene: Scene) -> None:
        play = scene.handshaken() >> pause(OPEN_TIMEOUT_MS)
        with pytest.raises(StateError):
            play >> do("send", HELLO)
        assert play >> wait(0) << Failed << CloseConnection(4000, "Open connection timeout")

    def test_late_and_punctual_ticks_give_the_same_events(self) -> None:
        stories = []
        for pass_time in (wait, run):
            scene = Scene()
            play = scene.opened() >> do("send", HELLO) << SendFrame >> pass_time(3 * ACK_TIMEOUT_MS)
            stories.append(play.skip().seen[-2:])
        assert stories[0] == stories[1]


class TestRootKey:
    """Until the network's status is known, the SDK checks against mainnet's key."""

    def test_a_message_before_the_key_fails(self) -> None:
        scene = Scene(root_key=None)
        assert (
            scene.handshaken()
            >> scene.says(OpenMessage(KEY))
            << (Verified, {"steps": lambda steps: first_failure(steps).step == "signature"})
            << error_receiving("[onWsMessage] Certificate validation failed")
            << CloseConnection(4000, RECEIVING)
        )

    def test_a_key_in_time_is_used(self) -> None:
        scene = Scene(root_key=None)
        play = scene.handshaken() >> do_timeless("set_root_key", scene.canister.root_key)
        assert play >> scene.says(OpenMessage(KEY)) << Verified << Opened(KEY)


class TestClosing:
    @pytest.mark.parametrize("prepare", [lambda s: s.play, Scene.handshaken, Scene.opened])
    def test_close_is_1000_without_a_reason(self, scene: Scene, prepare: Callable[[Scene], Play]) -> None:
        assert prepare(scene) >> do("close") << CloseConnection(1000, "") >> do("close") >> wait(10**6)
        assert scene.machine.state is ClientState.CLOSING

    def test_frames_and_timers_are_ignored_afterwards(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame >> do("close") << CloseConnection(1000, "")
        assert play >> scene.says(HELLO) >> wait(ACK_TIMEOUT_MS)
        with pytest.raises(StateError):
            play >> do("send", HELLO)

    def test_a_lost_connection_stops_everything(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame >> do("connection_lost", 1006, "") << ConnectionClosed
        assert play >> wait(ACK_TIMEOUT_MS) >> do("connection_lost", 1006, "") >> do("close")
        assert scene.machine.outstanding == ()
        assert scene.machine.state is ClientState.CLOSED
