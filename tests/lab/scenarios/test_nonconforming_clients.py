"""Nonconforming clients differ from the SDK only in what they stand for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icws_explore.lab.identities import identity_of_kind
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.scenarios.nonconforming_clients import (
    WRONG_GATEWAY,
    AgentV3,
    AgentV3Unread,
    BareSocket,
    CustomSigner,
    ExtendsExpiry,
    FrozenTab,
    Js021,
    Js022,
    Js031,
    Js034,
    NamesWrongGateway,
    NeverAnswersAcks,
    Pings,
    SlowSigner,
    Unsigned,
)
from icws_explore.protocol.arguments import decode_message_args, decode_open_args
from icws_explore.protocol.client.events import (
    AckReceived,
    CanisterClosed,
    CloseConnection,
    ConnectionClosed,
    Failed,
    KeepAliveSent,
    Logged,
    MessageReceived,
    Opened,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.keys import AnonymousIdentity
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason, OpenMessage
from icws_explore.protocol.steps import first_failure
from support.certified_canister import CANISTER_ID
from support.client_scene import ACK_TIMEOUT_MS, HANDSHAKE, HELLO, OPEN_TIMEOUT_MS, RECEIVING, START_NS
from support.nonconforming_scene import NonconformingScene
from support.playbook import do, run, wait


def failing_step(scene: NonconformingScene) -> str | None:
    """The step at which a replica refuses the latest request, if any."""
    failed = first_failure(check_envelope(scene.envelope(), now_ns=scene.play.now_ns, canister_id=CANISTER_ID))
    return None if failed is None else failed.step


class TestSigning:
    """Requests that the replica or the canister refuses; everything else is as in the SDK."""

    @pytest.mark.parametrize(
        ("machine", "fails"),
        [
            (CustomSigner, None),
            (AgentV3, "expiry"),
            (ExtendsExpiry, "signature"),
            (NamesWrongGateway, None),
        ],
    )
    def test_the_replica_s_check_of_the_request(self, machine: type[ClientMachine], fails: str | None) -> None:
        scene = NonconformingScene(machine)
        assert scene.handshaken()
        assert failing_step(scene) == fails
        assert scene.play >> wait(OPEN_TIMEOUT_MS) << Failed << CloseConnection(4000, "Open connection timeout")

    def test_agent_3_sends_the_duration(self) -> None:
        scene = NonconformingScene(AgentV3)
        assert scene.opened() >> do("send", HELLO) << SendFrame
        assert scene.envelope().ingress_expiry_ns == 300_000

    def test_agent_3_cannot_decode_a_handshake_from_an_ordinary_socket(self) -> None:
        assert (
            NonconformingScene(AgentV3Unread).play
            >> do("receive", HANDSHAKE)
            << Failed("Error receiving message: Error: Uint8Array expected")
            << CloseConnection(4000, RECEIVING)
        )

    def test_the_extended_expiry_itself_is_acceptable(self) -> None:
        scene = NonconformingScene(ExtendsExpiry)
        assert scene.handshaken()
        ahead_s = ((scene.envelope().ingress_expiry_ns or 0) - START_NS) / NS_PER_S
        assert 0 < ahead_s <= 300

    @given(st.binary(max_size=64))
    def test_only_ws_open_names_the_wrong_gateway(self, content: bytes) -> None:
        scene, sdk = NonconformingScene(NamesWrongGateway), NonconformingScene(ClientMachine)
        assert scene.handshaken()
        args = decode_open_args(scene.envelope().arg or b"")
        assert (args.client_nonce, args.gateway_principal) == (scene.key.client_nonce, WRONG_GATEWAY)
        for each in (scene, sdk):
            play = each.play if each is scene else each.handshaken()
            assert play >> each.says(OpenMessage(each.key)) << Verified << Opened(each.key)
            assert each.play >> do("send", content) << SendFrame
        assert scene.envelope() == sdk.envelope()

    def test_the_anonymous_identity_sends_no_signature(self) -> None:
        scene = NonconformingScene(Unsigned, AnonymousIdentity())
        assert scene.handshaken()
        envelope = scene.envelope()
        assert (envelope.sender_pubkey, envelope.sender_sig) == (None, None)
        assert envelope.sender is not None
        assert envelope.sender.is_anonymous
        assert failing_step(scene) is None


class TestBareSocket:
    def test_sends_at_once_and_ignores_every_frame(self) -> None:
        scene = NonconformingScene(BareSocket)
        assert (
            scene.play
            >> do("connected")
            << (SendFrame, {"op": "text"})
            >> do("receive", HANDSHAKE)
            >> scene.says(OpenMessage(scene.key))
            >> wait(10 * OPEN_TIMEOUT_MS)
        )


class TestVersion034:
    def test_rejects_the_first_canister_message_although_it_is_valid(self) -> None:
        scene = NonconformingScene(Js034)
        assert (
            scene.handshaken()
            >> scene.says(OpenMessage(scene.key))
            << (Verified, {"steps": lambda steps: [s.step for s in steps if s.ok is False] == ["certified_data"]})
            << Failed("Error receiving message: Error: [onWsMessage] Certificate validation failed")
            << CloseConnection(4000, RECEIVING)
        )


class TestVersion031:
    @pytest.mark.parametrize("reason", list(CloseReason))
    def test_knows_no_close_message(self, reason: CloseReason) -> None:
        scene = NonconformingScene(Js031)
        assert (
            scene.opened()
            >> scene.says(CloseMessage(reason))
            << Verified
            << Logged("[onWsMessage] Service message error: Error: Cannot find field hash _2918480143_")
            << CloseConnection(4000, "Service message error")
        )
        assert not any(isinstance(event, CanisterClosed) for event in scene.play.seen)

    def test_has_no_open_timeout(self) -> None:
        assert NonconformingScene(Js031).handshaken() >> wait(10 * OPEN_TIMEOUT_MS)

    def test_is_otherwise_the_sdk(self) -> None:
        scene = NonconformingScene(Js031)
        assert scene.opened() >> scene.says(HELLO) << Verified << MessageReceived >> do("send", HELLO) << SendFrame
        scene.play >> scene.says(AckMessage(1))
        assert scene.play.skip()
        assert scene.play.machine.outstanding == (2,)  # its keep-alive


class TestVersions02:
    @pytest.mark.parametrize("machine", [Js021, Js022])
    def test_send_ws_open_at_once_and_read_the_handshake_as_a_malformed_message(
        self, machine: type[ClientMachine]
    ) -> None:
        scene = NonconformingScene(machine)
        assert scene.play >> do("connected") << SendFrame
        args = decode_open_args(scene.envelope().arg or b"")
        assert (args.client_nonce, args.gateway_principal) == (scene.key.client_nonce, None)
        assert (
            scene.play
            >> wait(10 * OPEN_TIMEOUT_MS)
            >> do("receive", HANDSHAKE)
            << Failed(
                "Error receiving message: Error: [onWsMessage] Incoming message is not a ClientIncomingMessage, "
                "ignoring message"
            )
            << CloseConnection(4000, RECEIVING)
        )

    def test_open_at_a_gateway_of_their_time(self) -> None:
        scene = NonconformingScene(Js022)
        assert scene.play >> do("connected") << SendFrame
        scene.play >> scene.says(OpenMessage(scene.key))
        assert scene.play.skip()
        assert scene.play.machine.is_open

    def test_021_omits_the_delegation(self) -> None:
        keys = LabKeys(1)
        identity = identity_of_kind("internet-identity", keys, "somebody", now_ns=START_NS)
        sent = {}
        for machine in (Js021, Js022):
            scene = NonconformingScene(machine, identity)
            assert scene.play >> do("connected") << SendFrame
            sent[machine] = scene.envelope()
            assert sent[machine].sender_pubkey == identity.public_key_der
        assert sent[Js021].sender_delegation is None
        assert sent[Js022].sender_delegation == identity.delegations
        steps = check_envelope(sent[Js021], now_ns=START_NS, canister_id=CANISTER_ID)
        assert [step.step for step in steps if step.ok is False] == ["signature"]


def numbers_sent(scene: NonconformingScene) -> list[int]:
    """The sequence numbers of the messages in the order in which they were sent."""
    sent = [event.data for event in scene.play.seen if isinstance(event, SendFrame)][1:]
    return [decode_message_args(_arg(data)).sequence_num for data in sent]


def _arg(data: bytes) -> bytes:
    return Envelope.decode_frame(data).arg or b""


class TestPings:
    def test_are_sent_every_twenty_seconds(self) -> None:
        scene = NonconformingScene(Pings)
        ping = (SendFrame, {"op": "ping", "data": lambda data: len(data) == 4})
        assert scene.opened() >> run(19_999) >> run(1) << ping >> run(40_000) << ping << ping

    def test_end_with_the_session(self) -> None:
        scene = NonconformingScene(Pings)
        assert scene.opened() >> do("connection_lost", 1006, "") << ConnectionClosed >> wait(60_000)
        assert scene.play.machine.deadline_ns is None


class TestNeverAnswersAcks:
    def test_takes_the_ack_and_sends_nothing(self) -> None:
        scene = NonconformingScene(NeverAnswersAcks)
        assert (
            scene.opened() >> do("send", HELLO) << SendFrame >> scene.says(AckMessage(1)) << Verified << AckReceived(1)
        )
        assert scene.play.machine.outstanding == ()
        assert scene.play >> do("send", HELLO) << SendFrame
        assert numbers_sent(scene) == [1, 2]


class TestFrozenTab:
    def scene(self) -> NonconformingScene:
        return NonconformingScene(FrozenTab, from_s=10, to_s=20)

    def test_is_the_sdk_before_and_after(self) -> None:
        scene = self.scene()
        assert scene.opened() >> wait(9_999) >> scene.says(HELLO) << Verified << MessageReceived
        assert scene.play >> wait(10_001) >> scene.says(HELLO) << Verified << MessageReceived

    def test_incoming_frames_wait_until_it_thaws(self) -> None:
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

    def test_frames_are_handled_in_their_order(self) -> None:
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

    def test_the_page_s_messages_wait_too(self) -> None:
        scene = self.scene()
        assert scene.opened() >> wait(15_000) >> do("send", HELLO) >> run(5_000) << SendFrame

    def test_timers_wait(self) -> None:
        scene = NonconformingScene(FrozenTab, from_s=10, to_s=60)
        play = scene.opened() >> do("send", HELLO) << SendFrame >> run(ACK_TIMEOUT_MS + 5_000)
        assert play >> run(60_000) << Failed << CloseConnection(4000, "Ack message timeout")

    def test_nothing_happens_after_the_connection_is_lost(self) -> None:
        scene = self.scene()
        play = scene.opened() >> wait(11_000) >> scene.says(AckMessage(0))
        assert play >> do("connection_lost", 1006, "") << ConnectionClosed >> wait(20_000)


class TestSlowSigner:
    def test_a_message_is_sent_when_it_is_signed(self) -> None:
        scene = NonconformingScene(SlowSigner)
        assert scene.opened() >> do("send", HELLO) >> run(1_499) >> run(1) << SendFrame
        assert scene.play.machine.outstanding == (1,)

    def test_messages_keep_their_order(self) -> None:
        scene = NonconformingScene(SlowSigner)
        play = scene.opened() >> do("send", HELLO) >> do("send", HELLO) >> run(1_500) << SendFrame
        assert play >> run(1_499) >> run(1) << SendFrame
        assert numbers_sent(scene) == [1, 2]

    def test_a_keep_alive_overtakes_and_the_ack_queue_refuses_the_message(self) -> None:
        scene = NonconformingScene(SlowSigner)
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
    def test_fails_only_if_a_message_is_overtaken(self, steps: list[Any], signing_ms: int) -> None:
        scene = NonconformingScene(SlowSigner, signing_ms=signing_ms)
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
def test_each_opens_like_the_sdk(machine: Any) -> None:
    assert NonconformingScene(machine).opened().machine.is_open
