"""A client whose socket still delivers frames after its own close, as with the SDK while the WebSocket is closing."""

from __future__ import annotations

import pytest

from icws_explore.protocol.client.events import (
    AckReceived,
    CloseConnection,
    ConnectionClosed,
    Failed,
    MessageReceived,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.service_messages import AckMessage, OpenMessage
from support.client_scene import ACK_TIMEOUT_MS, HELLO, KEY, OPEN_TIMEOUT_MS, RECEIVING, Scene, error_receiving
from support.machine_after_close import MachineAfterClose
from support.playbook import do, wait


@pytest.fixture
def scene() -> Scene:
    return Scene(machine_class=MachineAfterClose)


def test_both_timers_fire_in_order(scene: Scene) -> None:
    assert (
        scene.with_both_timers(-1)
        >> wait(1_000_000)
        << Failed("Ack message timeout. Not received ack for sequence numbers: 1")
        << CloseConnection(4000, "Ack message timeout")
        << Failed("Open timeout expired before receiving the open message")
    )


def test_frames_are_processed_but_nothing_is_sent_or_closed_again(scene: Scene) -> None:
    assert (
        scene.opened()
        >> do("receive", b"\xff")
        << Failed
        << CloseConnection(4000, RECEIVING)
        >> scene.says(HELLO)
        << Verified
        << MessageReceived
        >> scene.says(AckMessage(9))
        << Verified
        << AckReceived(9)
        >> do("receive", b"\xff")
        << error_receiving("Incoming message is not a ClientIncomingMessage")
    )
    assert scene.machine.outstanding == (1,)  # the keep-alive that was not sent
    assert scene.machine.state is ClientState.CLOSING


def test_a_message_sent_while_closing_gets_a_number_and_is_lost(scene: Scene) -> None:
    assert scene.opened() >> do("close") << CloseConnection(1000, "") >> do("send", HELLO)
    assert scene.machine.outstanding == (1,)


def test_the_ack_timer_runs_until_the_connection_is_closed(scene: Scene) -> None:
    play = scene.opened() >> do("send", HELLO) << SendFrame >> do("close") << CloseConnection(1000, "")
    assert play >> wait(ACK_TIMEOUT_MS) << Failed("Ack message timeout. Not received ack for sequence numbers: 1")
    assert play >> do("connection_lost", 1000, "") << ConnectionClosed(1000, "") >> wait(10 * ACK_TIMEOUT_MS)


def test_the_open_timer_runs_even_after_the_connection_is_closed(scene: Scene) -> None:
    assert (
        scene.handshaken()
        >> do("connection_lost", 1006, "")
        << ConnectionClosed(1006, "")
        >> scene.says(OpenMessage(KEY))
        >> wait(OPEN_TIMEOUT_MS)
        << Failed("Open timeout expired before receiving the open message")
    )
