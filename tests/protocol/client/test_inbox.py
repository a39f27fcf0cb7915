"""What the client does with frames, in the SDK's order of checks; five real messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.client.events import (
    AckReceived,
    CanisterClosed,
    CloseConnection,
    Failed,
    HandshakeReceived,
    KeepAliveSent,
    Logged,
    MessageReceived,
    Opened,
    SendFrame,
    Verified,
)
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseReason, KeepAliveMessage, OpenMessage
from icws_explore.protocol.steps import first_failure, passed
from support.certified_canister import CANISTER_ID, GATEWAY
from support.client_scene import (
    FIVE_YEARS_S,
    HANDSHAKE,
    HELLO,
    KEY,
    OTHER,
    RECEIVING,
    START_NS,
    TEXT,
    Play,
    Scene,
    error_receiving,
)
from support.playbook import NS_PER_MS, Playbook, do


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestFrames:
    @pytest.mark.parametrize("frame", [b"", b"\xff", b"\xa0", b"\x01", "text", bytes.fromhex("a1636b65796178")])
    def test_a_frame_that_is_not_a_handshake(self, scene: Scene, frame: bytes | str) -> None:
        assert (
            scene.play
            >> do("receive", frame)
            << error_receiving("First message is not a GatewayHandshakeMessage")
            << CloseConnection(4000, RECEIVING)
        )

    @pytest.mark.parametrize("frame", [b"", b"\xff", b"\xa0", HANDSHAKE, "text"])
    def test_a_frame_that_is_not_a_canister_message(self, scene: Scene, frame: bytes | str) -> None:
        assert (
            scene.opened()
            >> do("receive", frame)
            << error_receiving("Incoming message is not a ClientIncomingMessage")
            << CloseConnection(4000, RECEIVING)
        )

    def test_undecodable_content_is_refused_before_the_certificate(self, scene: Scene) -> None:
        play = scene.opened()
        frame = scene.canister.certified(b"\xa0", play.now_ns).encode()
        assert (
            play
            >> do("receive", frame)
            << (Failed, {"text": lambda t: RECEIVING in t})
            << CloseConnection(4000, RECEIVING)
        )

    def test_a_certificate_for_another_canister(self, scene: Scene) -> None:
        """The SDK throws here; for every other fault of a proof it returns false."""
        scene.canister.canister_id = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")
        assert (
            scene.handshaken()
            >> scene.says(OpenMessage(KEY))
            << (Verified, {"steps": lambda steps: first_failure(steps).step == "certified_data"})
            << error_receiving("Could not find certified data for this canister in the certificate.")
            << CloseConnection(4000, RECEIVING)
        )

    def test_a_message_for_another_client_is_accepted(self, scene: Scene) -> None:
        """CLIENT_KEY_FOREIGN: the SDK does not check the key; the steps report it."""
        assert (
            scene.opened()
            >> scene.says(HELLO, client_key=OTHER)
            << (Verified, {"steps": lambda steps: first_failure(steps).step == "client_key"})
            << MessageReceived
        )

    def test_a_bad_service_message_uses_its_sequence_number_only_if_all_earlier_checks_pass(self, scene: Scene) -> None:
        play = scene.opened() >> scene.says(HELLO) << Verified << MessageReceived
        assert (
            play
            >> scene.says(HELLO, sequence_num=2)
            << Verified
            << (
                Failed,
                {"text": lambda text: text.endswith("Expected: 3, received: 2")},
            )
            << CloseConnection
        )


class TestCertificateAge:
    """At most 5 minutes before or after the client's now."""

    @pytest.mark.parametrize(("off_ms", "valid"), [(-300_001, False), (-300_000, True), (300_000, True)])
    def test_to_the_millisecond(self, scene: Scene, off_ms: int, valid: bool) -> None:
        play = scene.handshaken()
        frame = scene.canister.says(OpenMessage(KEY), play.now_ns + off_ms * NS_PER_MS)
        play = play >> do("receive", frame) << (Verified, {"steps": lambda steps: passed(steps) == valid})
        assert play << Opened(KEY) if valid else play << Failed << CloseConnection(4000, RECEIVING)

    def test_a_certificate_of_the_future_is_refused(self, scene: Scene) -> None:
        play = scene.handshaken()
        frame = scene.canister.says(OpenMessage(KEY), play.now_ns + 300_001 * NS_PER_MS)
        assert (
            play
            >> do("receive", frame)
            << (Verified, {"steps": lambda steps: first_failure(steps).step == "time"})
            << error_receiving("[onWsMessage] Certificate validation failed")
            << CloseConnection(4000, RECEIVING)
        )


class TestServiceMessages:
    def test_an_open_message_for_another_client(self, scene: Scene) -> None:
        assert (
            scene.handshaken()
            >> scene.says(OpenMessage(OTHER))
            << Verified
            << Logged("[onWsMessage] Service message error: Error: Client key does not match")
            << CloseConnection(4000, "Service message error")
        )

    def test_a_keep_alive_is_not_for_clients(self, scene: Scene) -> None:
        assert (
            scene.opened()
            >> scene.says(KeepAliveMessage(1))
            << Verified
            << Logged("[onWsMessage] Service message error: Error: Invalid service message from canister")
            << CloseConnection(4000, "Service message error")
        )

    def test_undecodable_candid(self, scene: Scene) -> None:
        assert (
            scene.opened()
            >> scene.says(b"no Candid", is_service_message=True)
            << Verified
            << (Logged, {"text": lambda text: text.startswith("[onWsMessage] Service message error: Error: ")})
            << CloseConnection(4000, "Service message error")
        )

    def test_a_second_open_message_opens_again(self, scene: Scene) -> None:
        assert scene.opened() >> scene.says(OpenMessage(KEY)) << Verified << Opened(KEY)

    def test_application_messages_and_acks_may_come_before_the_open_message(self, scene: Scene) -> None:
        play = scene.handshaken() >> scene.says(HELLO) << Verified << MessageReceived
        assert play >> scene.says(AckMessage(0)) << Verified << AckReceived(0) << SendFrame << KeepAliveSent(2)
        assert scene.machine.state is ClientState.OPENING


class TestApplicationMessages:
    def test_are_decoded_when_the_type_is_known(self) -> None:
        scene = Scene(application_type=TEXT)
        assert scene.opened() >> scene.says(HELLO) << Verified << (MessageReceived, {"value": {"text": "test"}})

    def test_of_another_type_end_the_session(self) -> None:
        """APP_TYPE_MISMATCH."""
        scene = Scene(application_type=TEXT)
        assert (
            scene.opened()
            >> scene.says(candid.encode([candid.NAT64], [1]))
            << (Verified, {"steps": passed})
            << (Failed, {"text": lambda text: text.startswith("Error receiving message: Error: ")})
            << CloseConnection(4000, RECEIVING)
        )

    @pytest.mark.parametrize(
        ("sent_ns", "latency_ms"),
        [
            (START_NS, 0),
            (START_NS - 1, 1),
            (START_NS - 40 * NS_PER_MS, 40),
            (START_NS + 10**12, -1_000_000),
            (0, 17 * 10**11),
        ],
    )
    def test_a_timestamp_only_gives_the_latency(self, scene: Scene, sent_ns: int, latency_ms: int) -> None:
        assert (
            scene.opened()
            >> scene.says(HELLO, timestamp_ns=sent_ns)
            << Verified
            << (MessageReceived, {"latency_ms": latency_ms})
        )


class TestRealMessages:
    """Five messages of a real local replica with a Rust CDK, received by their client."""

    @pytest.fixture
    def replica(self, vectors: Callable[[str], Any]) -> dict[str, Any]:
        found: dict[str, Any] = vectors("icws_local_replica")
        return found

    def frame(self, replica: dict[str, Any], name: str) -> Any:
        entry = next(message for message in replica["messages"] if message["name"] == name)
        parts = (bytes.fromhex(entry[part]) for part in ("content_hex", "cert_hex", "tree_hex"))
        return do("receive", CanisterMessage(entry["key"].strip('"'), *parts).encode())

    def play(self, replica: dict[str, Any], later_s: int = 0, **config: Any) -> Play:
        """The SDK's tests set the recorded client's key; this one sets the identity's principal."""

        class Recorded(Ed25519Identity):
            __slots__ = ()
            principal = OTHER.client_principal

        settings = {"root_key": bytes.fromhex(replica["root_key_der_hex"])} | config
        machine = ClientMachine(
            ClientConfig(CANISTER_ID, **settings),
            Recorded.from_secret(bytes(32)),
            entropy=bytes,
            client_nonce=OTHER.client_nonce,
        )
        start_ns = int(replica["messages"][0]["time_ns"]) + later_s * 1000 * NS_PER_MS
        return Playbook(machine, start_ns) >> do("receive", HANDSHAKE) << HandshakeReceived(GATEWAY) << SendFrame

    def test_the_whole_session(self, replica: dict[str, Any]) -> None:
        play = self.play(replica, application_type=TEXT)
        assert (
            play
            >> self.frame(replica, "VALID_OPEN_MESSAGE")
            << (Verified, {"steps": passed})
            << Opened(OTHER)
            >> do("send", HELLO)
            << SendFrame
            >> self.frame(replica, "VALID_ACK_MESSAGE")
            << (Verified, {"steps": passed})
            << AckReceived(0)
            << SendFrame
            << KeepAliveSent(2)
            >> self.frame(replica, "VALID_MESSAGE_SEQ_NUM_3")
            << (Verified, {"steps": passed})
            << (MessageReceived, {"value": {"text": "Hello"}})
            >> self.frame(replica, "VALID_CLOSE_MESSAGE")
            << (Verified, {"steps": passed})
            << CanisterClosed(CloseReason.CLOSED_BY_APPLICATION)
            << CloseConnection(4001, "ClosedByApplication")
        )

    def test_a_right_message_with_a_wrong_root_key(self, replica: dict[str, Any]) -> None:
        assert (
            self.play(replica)
            >> self.frame(replica, "VALID_OPEN_MESSAGE")
            << Verified
            << Opened(OTHER)
            >> self.frame(replica, "INVALID_MESSAGE_KEY")
            << Verified
            << error_receiving("[onWsMessage] Certificate validation failed")
            << CloseConnection(4000, RECEIVING)
        )

    @pytest.mark.parametrize(("later_s", "passes"), [(FIVE_YEARS_S, True), (FIVE_YEARS_S + 1, False)])
    def test_years_later_with_a_maximum_age_of_five_years(
        self, replica: dict[str, Any], later_s: int, passes: bool
    ) -> None:
        play = self.play(replica, later_s, max_certificate_age_s=FIVE_YEARS_S)
        play = play >> self.frame(replica, "VALID_OPEN_MESSAGE") << Verified
        assert play << Opened(OTHER) if passes else play << Failed << CloseConnection(4000, RECEIVING)
