"""Clients that are wrong about time: their pings, their silence, their sleep, their slow keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icws_explore.lab.scenarios.nonconforming_clients import FrozenTab, NeverAnswersAcks, Pings, SlowSigner
from icws_explore.protocol.arguments import decode_message_args
from icws_explore.protocol.client.events import (
    AckReceived,
    CanisterClosed,
    CloseConnection,
    ConnectionClosed,
    Failed,
    KeepAliveSent,
    MessageReceived,
    SendFrame,
    Verified,
)
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason
from support.client_scene import ACK_TIMEOUT_MS, HELLO
from support.odd_scene import OddScene
from support.playbook import do, run, wait


def numbers_sent(scene: OddScene) -> list[int]:
    """The sequence numbers of the messages, in the order of being sent."""
    sent = [event.data for event in scene.play.seen if isinstance(event, SendFrame)][1:]
    return [decode_message_args(_arg(data)).sequence_num for data in sent]


def _arg(data: bytes) -> bytes:
    return Envelope.decode_frame(data).arg or b""


class TestPings:
    def test_every_twenty_seconds_from_the_connection_on(self) -> None:
        scene = OddScene(Pings)
        ping = (SendFrame, {"op": "ping", "data": lambda data: len(data) == 4})
        assert scene.opened() >> run(19_999) >> run(1) << ping >> run(40_000) << ping << ping

    def test_no_longer_than_the_session(self) -> None:
        scene = OddScene(Pings)
        assert scene.opened() >> do("connection_lost", 1006, "") << ConnectionClosed >> wait(60_000)
        assert scene.play.machine.deadline_ns is None


class TestNeverAnswersAcks:
    def test_takes_the_ack_and_says_nothing(self) -> None:
        scene = OddScene(NeverAnswersAcks)
        assert (
            scene.opened() >> do("send", HELLO) << SendFrame >> scene.says(AckMessage(1)) << Verified << AckReceived(1)
        )
        assert scene.play.machine.outstanding == ()
        assert scene.play >> do("send", HELLO) << SendFrame
        assert numbers_sent(scene) == [1, 2]


class TestFrozenTab:
    def scene(self) -> OddScene:
        return OddScene(FrozenTab, from_s=10, to_s=20)

    def test_before_and_after_it_is_the_sdk(self) -> None:
        scene = self.scene()
        assert scene.opened() >> wait(9_999) >> scene.says(HELLO) << Verified << MessageReceived
        assert scene.play >> wait(10_001) >> scene.says(HELLO) << Verified << MessageReceived

    def test_what_comes_in_waits_and_is_answered_when_it_thaws(self) -> None:
        scene = self.scene()
        play = scene.opened() >> wait(11_000) >> scene.says(AckMessage(0)) >> scene.says(HELLO) >> wait(8_999)
        assert (
            play
            >> wait(1)
            << Verified
            << AckReceived(0)
            << SendFrame
            << KeepAliveSent(2)
            << Verified
            << (MessageReceived)
        )

    def test_a_close_of_the_canister_comes_behind_the_ack(self) -> None:
        scene = self.scene()
        play = scene.opened() >> wait(11_000) >> scene.says(AckMessage(0))
        play >> scene.says(CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT))
        assert (
            play
            >> run(9_000)
            << Verified
            << AckReceived(0)
            << SendFrame
            << KeepAliveSent(2)
            << Verified
            << CanisterClosed(CloseReason.KEEP_ALIVE_TIMEOUT)
            << Failed
            << CloseConnection(4000, "Received close message from canister")
        )

    def test_what_the_page_says_waits_too(self) -> None:
        scene = self.scene()
        assert scene.opened() >> wait(15_000) >> do("send", HELLO) >> run(5_000) << SendFrame

    def test_timers_wait(self) -> None:
        scene = OddScene(FrozenTab, from_s=10, to_s=60)
        play = scene.opened() >> do("send", HELLO) << SendFrame >> run(ACK_TIMEOUT_MS + 5_000)
        assert play >> run(60_000) << Failed << CloseConnection(4000, "Ack message timeout")

    def test_losing_the_connection_ends_it_all(self) -> None:
        scene = self.scene()
        play = scene.opened() >> wait(11_000) >> scene.says(AckMessage(0))
        assert play >> do("connection_lost", 1006, "") << ConnectionClosed >> wait(20_000)


class TestSlowSigner:
    def test_a_message_goes_out_when_it_is_signed(self) -> None:
        scene = OddScene(SlowSigner)
        assert scene.opened() >> do("send", HELLO) >> run(1_499) >> run(1) << SendFrame
        assert scene.play.machine.outstanding == (1,)

    def test_messages_keep_their_order(self) -> None:
        scene = OddScene(SlowSigner)
        play = scene.opened() >> do("send", HELLO) >> do("send", HELLO) >> run(1_500) << SendFrame
        assert play >> run(1_499) >> run(1) << SendFrame
        assert numbers_sent(scene) == [1, 2]

    def test_a_keep_alive_overtakes_and_the_ack_queue_refuses_the_message(self) -> None:
        scene = OddScene(SlowSigner)
        play = scene.opened() >> do("send", HELLO) >> scene.says(AckMessage(0))
        assert play << Verified << AckReceived(0) << SendFrame << KeepAliveSent(2)
        assert (
            play
            >> run(1_500)
            << SendFrame
            << Failed("Message sending failed: Error: Sequence number 1 is not greater than last: 2")
            << CloseConnection(4000, "Message sending failed")
        )
        assert numbers_sent(scene) == [2, 1]

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.sampled_from(["send", "ack", "wait"]), max_size=8), st.integers(0, 3_000))
    def test_it_fails_only_by_being_overtaken(self, steps: list[Any], signing_ms: int) -> None:
        scene = OddScene(SlowSigner, signing_ms=signing_ms)
        play = scene.opened()
        for step in steps:
            if step == "wait":
                play = (play >> run(1_000)).skip()
            elif play.machine.is_open:
                play = (play >> (do("send", HELLO) if step == "send" else scene.says(AckMessage(0)))).skip()
        play = (play >> run(signing_ms * len(steps))).skip()
        sent = numbers_sent(scene)
        assert not play.machine.is_open or sent == list(range(1, len(sent) + 1))
        assert play.machine.is_open == (sent == sorted(sent))


@pytest.mark.parametrize("machine", [Pings, NeverAnswersAcks, FrozenTab, SlowSigner])
def test_each_opens_as_the_sdk_does(machine: Any) -> None:
    assert OddScene(machine).opened().machine.is_open
