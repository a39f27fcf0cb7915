"""Clients that are not as the SDK is: each does what the thing it stands for does, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.identities import identity_of_kind
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.scenarios.nonconforming_clients import (
    ANOTHER_GATEWAY,
    AgentV3,
    AgentV3Unread,
    BareSocket,
    Js021,
    Js022,
    Js031,
    Js034,
    NamesAnotherGateway,
    RenewsTheExpiry,
    SignsInItsWay,
    Unsigned,
)
from icws_explore.protocol.arguments import decode_open_args
from icws_explore.protocol.client.events import (
    CanisterClosed,
    CloseConnection,
    Failed,
    Logged,
    MessageReceived,
    Opened,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import check_envelope
from icws_explore.protocol.keys import AnonymousIdentity
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason, OpenMessage
from icws_explore.protocol.steps import first_failure
from support.certified_canister import CANISTER_ID
from support.client_scene import HANDSHAKE, HELLO, OPEN_TIMEOUT_MS, RECEIVING, START_NS
from support.odd_scene import OddScene
from support.playbook import do, wait


def failing_step(scene: OddScene) -> str | None:
    """The step at which a replica refuses the latest request."""
    failed = first_failure(check_envelope(scene.envelope(), now_ns=scene.play.now_ns, canister_id=CANISTER_ID))
    return None if failed is None else failed.step


class TestSigning:
    """Requests that no replica, or no canister, takes; everything else is the SDK's."""

    @pytest.mark.parametrize(
        ("machine", "fails"),
        [
            (SignsInItsWay, None),
            (AgentV3, "expiry"),
            (RenewsTheExpiry, "signature"),
            (NamesAnotherGateway, None),
        ],
    )
    def test_what_a_replica_says_to_the_request(self, machine: type[ClientMachine], fails: str | None) -> None:
        scene = OddScene(machine)
        assert scene.handshaken()
        assert failing_step(scene) == fails
        assert scene.play >> wait(OPEN_TIMEOUT_MS) << Failed << CloseConnection(4000, "Open connection timeout")

    def test_agent_3_sends_the_duration(self) -> None:
        scene = OddScene(AgentV3)
        assert scene.opened() >> do("send", HELLO) << SendFrame
        assert scene.envelope().ingress_expiry_ns == 300_000

    def test_agent_3_cannot_read_the_handshake_of_a_usual_socket(self) -> None:
        assert (
            OddScene(AgentV3Unread).play
            >> do("receive", HANDSHAKE)
            << Failed("Error receiving message: Error: Uint8Array expected")
            << CloseConnection(4000, RECEIVING)
        )

    def test_the_renewed_expiry_is_one_that_a_replica_would_take(self) -> None:
        scene = OddScene(RenewsTheExpiry)
        assert scene.handshaken()
        ahead_s = ((scene.envelope().ingress_expiry_ns or 0) - START_NS) / NS_PER_S
        assert 0 < ahead_s <= 300

    @given(st.binary(max_size=64))
    def test_the_other_gateway_is_named_in_ws_open_alone(self, content: bytes) -> None:
        scene, sdk = OddScene(NamesAnotherGateway), OddScene(ClientMachine)
        assert scene.handshaken()
        args = decode_open_args(scene.envelope().arg or b"")
        assert (args.client_nonce, args.gateway_principal) == (scene.key.client_nonce, ANOTHER_GATEWAY)
        for each in (scene, sdk):
            play = each.play if each is scene else each.handshaken()
            assert play >> each.says(OpenMessage(each.key)) << Verified << Opened(each.key)
            assert each.play >> do("send", content) << SendFrame
        assert scene.envelope() == sdk.envelope()

    def test_the_anonymous_identity(self) -> None:
        scene = OddScene(Unsigned, AnonymousIdentity())
        assert scene.handshaken()
        envelope = scene.envelope()
        assert (envelope.sender_pubkey, envelope.sender_sig) == (None, None)
        assert envelope.sender is not None
        assert envelope.sender.is_anonymous
        assert failing_step(scene) is None


class TestBareSocket:
    def test_talks_at_once_and_hears_nothing(self) -> None:
        scene = OddScene(BareSocket)
        assert (
            scene.play
            >> do("connected")
            << (SendFrame, {"op": "text"})
            >> do("receive", HANDSHAKE)
            >> scene.says(OpenMessage(scene.key))
            >> wait(10 * OPEN_TIMEOUT_MS)
        )


class TestVersion034:
    def test_rejects_the_first_canister_message_though_it_is_valid(self) -> None:
        scene = OddScene(Js034)
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
        scene = OddScene(Js031)
        assert (
            scene.opened()
            >> scene.says(CloseMessage(reason))
            << Verified
            << Logged("[onWsMessage] Service message error: Error: Cannot find field hash _2918480143_")
            << CloseConnection(4000, "Service message error")
        )
        assert not any(isinstance(event, CanisterClosed) for event in scene.play.seen)

    def test_has_no_open_timeout(self) -> None:
        assert OddScene(Js031).handshaken() >> wait(10 * OPEN_TIMEOUT_MS)

    def test_is_the_sdk_in_the_rest(self) -> None:
        scene = OddScene(Js031)
        assert scene.opened() >> scene.says(HELLO) << Verified << MessageReceived >> do("send", HELLO) << SendFrame
        scene.play >> scene.says(AckMessage(1))
        assert scene.play.skip()
        assert scene.play.machine.outstanding == (2,)  # its keep-alive


class TestVersions02:
    @pytest.mark.parametrize("machine", [Js021, Js022])
    def test_open_when_the_socket_does_and_take_the_handshake_for_a_bad_message(
        self, machine: type[ClientMachine]
    ) -> None:
        scene = OddScene(machine)
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
        scene = OddScene(Js022)
        assert scene.play >> do("connected") << SendFrame
        scene.play >> scene.says(OpenMessage(scene.key))
        assert scene.play.skip()
        assert scene.play.machine.is_open

    def test_021_leaves_the_delegation_out(self) -> None:
        keys = LabKeys(1)
        identity = identity_of_kind("internet-identity", keys, "somebody", now_ns=START_NS)
        sent = {}
        for machine in (Js021, Js022):
            scene = OddScene(machine, identity)
            assert scene.play >> do("connected") << SendFrame
            sent[machine] = scene.envelope()
            assert sent[machine].sender_pubkey == identity.public_key_der
        assert sent[Js021].sender_delegation is None
        assert sent[Js022].sender_delegation == identity.delegations
        steps = check_envelope(sent[Js021], now_ns=START_NS, canister_id=CANISTER_ID)
        assert [step.step for step in steps if step.ok is False] == ["signature"]
