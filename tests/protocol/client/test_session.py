"""The client's session: timers to the millisecond, acks and close messages."""

from __future__ import annotations

import pytest

from icws_explore.protocol.client.events import (
    AckReceived,
    CanisterClosed,
    CloseConnection,
    Failed,
    KeepAliveSent,
    Opened,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.machine import ClientConfig
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason, OpenMessage
from support.certified_canister import CANISTER_ID
from support.client_scene import ACK_TIMEOUT_MS, HELLO, KEY, OPEN_TIMEOUT_MS, START_NS, Scene
from support.playbook import NS_PER_MS, do, pause, wait


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestOpenTimeout:
    """60 s after ws_open was sent."""

    @pytest.mark.parametrize("early_ms", [1, 0.000001])
    def test_does_not_fire_early(self, scene: Scene, early_ms: float) -> None:
        play = scene.handshaken() >> wait(OPEN_TIMEOUT_MS - early_ms)
        assert play >> scene.says(OpenMessage(KEY)) << Verified << Opened(KEY)

    @pytest.mark.parametrize("late_ms", [0, 1, 10_000_000])
    def test_fires_at_its_time_or_in_a_later_tick(self, scene: Scene, late_ms: int) -> None:
        assert scene.handshaken() >> wait(OPEN_TIMEOUT_MS + late_ms) << Failed << CloseConnection

    def test_fires_before_a_frame_of_the_same_instant(self, scene: Scene) -> None:
        play = scene.handshaken() >> pause(OPEN_TIMEOUT_MS)
        assert play >> scene.says(OpenMessage(KEY)) << Failed << CloseConnection(4000, "Open connection timeout")

    def test_does_not_run_before_the_handshake(self, scene: Scene) -> None:
        assert scene.play >> wait(10 * OPEN_TIMEOUT_MS)
        assert scene.machine.deadlines == {}

    def test_is_a_deadline_until_the_open_message(self, scene: Scene) -> None:
        play = scene.handshaken()
        due_ns = START_NS + OPEN_TIMEOUT_MS * NS_PER_MS
        assert scene.machine.deadlines == {"open": due_ns}
        assert scene.machine.deadline_ns == due_ns
        assert play >> scene.says(OpenMessage(KEY)) << Verified << Opened(KEY)
        assert scene.machine.deadlines == {}


class TestAckTimeout:
    """The ack interval plus 30 s, by the one timer of AckQueue."""

    @pytest.mark.parametrize(("ms", "closes"), [(-1, False), (0, True), (1, True)])
    def test_to_the_millisecond(self, scene: Scene, ms: int, closes: bool) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame >> wait(ACK_TIMEOUT_MS + ms)
        if closes:
            play = play << Failed << CloseConnection(4000, "Ack message timeout")
        assert play
        assert (scene.machine.state is ClientState.CLOSING) == closes

    def test_is_330_s_by_default(self) -> None:
        scene = Scene(ack_interval_ms=ClientConfig(CANISTER_ID).ack_interval_ms)
        assert scene.opened() >> do("send", HELLO) << SendFrame
        assert scene.machine.deadlines == {"ack": START_NS + 330_000 * NS_PER_MS}

    def test_lists_every_number(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame >> wait(7) >> do("send", HELLO) << SendFrame
        assert (
            play
            >> wait(ACK_TIMEOUT_MS)
            << Failed("Ack message timeout. Not received ack for sequence numbers: 1,2")
            << CloseConnection
        )

    def test_a_keep_alive_waits_for_its_ack_like_any_message(self, scene: Scene) -> None:
        play = (
            scene.opened() >> scene.says(AckMessage(0)) << Verified << AckReceived(0) << SendFrame << KeepAliveSent(2)
        )
        assert scene.machine.outstanding == (1,)
        assert play >> wait(ACK_TIMEOUT_MS) << Failed << CloseConnection

    def test_every_ack_restarts_it(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame >> wait(1_000)
        assert play >> scene.says(AckMessage(1)) << Verified << AckReceived(1) << SendFrame << KeepAliveSent(2)
        assert scene.machine.deadlines == {"ack": START_NS + (1_000 + ACK_TIMEOUT_MS) * NS_PER_MS}

    def test_an_item_that_is_too_old_at_an_ack_expires_at_once_without_a_keep_alive(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame >> wait(1) >> do("send", HELLO) << SendFrame
        play = play >> wait(500) >> scene.says(AckMessage(1)) << Verified << AckReceived(1) << SendFrame
        play = play << KeepAliveSent(2) >> wait(ACK_TIMEOUT_MS - 500)
        assert (
            play
            >> scene.says(AckMessage(1))
            << Verified
            << AckReceived(1)
            << Failed("Ack message timeout. Not received ack for sequence numbers: 2")
            << CloseConnection(4000, "Ack message timeout")
            >> wait(10 * ACK_TIMEOUT_MS)
        )
        assert scene.machine.deadlines == {}

    def test_an_ack_of_something_never_sent(self, scene: Scene) -> None:
        play = scene.opened() >> do("send", HELLO) << SendFrame
        assert (
            play
            >> scene.says(AckMessage(2))
            << Verified
            << AckReceived(2)
            << Failed("Ack message error: Error: Sequence number 2 is greater than last: 1")
            << CloseConnection(4000, "Ack message error")
        )

    def test_an_ack_before_the_first_message_is_accepted(self, scene: Scene) -> None:
        assert (
            scene.opened() >> scene.says(AckMessage(7)) << Verified << AckReceived(7) << SendFrame << KeepAliveSent(2)
        )


class TestCloseMessage:
    @pytest.mark.parametrize("reason", [r for r in CloseReason if r is not CloseReason.CLOSED_BY_APPLICATION])
    def test_every_reason_except_the_applications_is_an_error(self, scene: Scene, reason: CloseReason) -> None:
        assert (
            scene.opened()
            >> scene.says(CloseMessage(reason))
            << Verified
            << CanisterClosed(reason)
            << Failed("Received close message from canister. Reason: [object Object]")
            << CloseConnection(4000, "Received close message from canister")
        )
