"""How a gateway's session ends in each of its states; and the session's table."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol.arguments import encode_open_args, encode_poll_args
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.envelope import Envelope, query_content, read_state_content, sign_envelope
from icws_explore.protocol.gateway.events import CallClose, DropClient, Log
from icws_explore.protocol.gateway.requests import Request
from icws_explore.protocol.gateway.session import GatewaySession, SessionState, SessionTrigger, SessionTriggerKind
from icws_explore.protocol.gateway.table import SESSION_TRANSITIONS
from support.gateway_scene import (
    ALICE,
    CANISTER,
    PANIC,
    START_NS,
    WARN_SETUP,
    Play,
    connected,
    new_play,
    opened,
    set_up,
)

OPEN_FRAME = ALICE.ws_open.encode_frame()
MESSAGE_FRAME = ALICE.ws_message.encode_frame()
NOT_BINARY = "ws message from client is not binary encoded"
NOT_A_REQUEST = "ws message from client is not of type ClientRequest"
NOT_A_CALL = "Gateway can only relay envelopes with content of Call variant"
FIRST_NOT_A_CALL = (
    "first message from client should contain canister_id and arg in envelope's content and should be of Call variant"
)
QUERY = sign_envelope(
    query_content(CANISTER, "ws_open", b"DIDL\0\0", ALICE.key.client_principal, START_NS), ALICE.identity
).encode_frame()
READ_STATE = sign_envelope(
    read_state_content([[b"time"]], ALICE.key.client_principal, START_NS), ALICE.identity
).encode_frame()

WRONG_FRAMES = [
    ("text", b"hello", NOT_BINARY),
    ("text", OPEN_FRAME, NOT_BINARY),
    ("ping", b"", NOT_BINARY),
    ("pong", b"", NOT_BINARY),
    ("binary", b"", NOT_A_REQUEST),
    ("binary", b"\xff", NOT_A_REQUEST),
    ("binary", dumps({"envelope": {}}), NOT_A_REQUEST),
    ("binary", ALICE.ws_open.encode(), NOT_A_REQUEST),
]


@pytest.fixture
def play() -> Play:
    return new_play()


def fault(text: str) -> Log:
    return Log(f"Error in client session handler: Client session error: {text}", "warn")


def without(envelope: Envelope, name: str, **changes: Any) -> bytes:
    content = {key: value for key, value in envelope.content.items() if key != name} | changes
    return Envelope(content, envelope.sender_pubkey, envelope.sender_sig).encode_frame()


class TestInit:
    """RAW_CLIENT: the handler's task panics, and there is no client to clean up yet."""

    @pytest.mark.parametrize(
        ("kind", "data", "text"),
        [*WRONG_FRAMES, *(("binary", frame, FIRST_NOT_A_CALL) for frame in (QUERY, READ_STATE))],
    )
    def test_anything_except_ws_open_ends_it_with_a_close_frame(
        self, play: Play, kind: str, data: bytes, text: str
    ) -> None:
        assert (
            connected(play, ALICE) >> ALICE.frame(data, kind) << fault(text) << PANIC << DropClient(ALICE.session, None)
        )
        assert play.machine.sessions == {}

    @pytest.mark.parametrize("arg", [b"", b"DIDL\0\0", encode_poll_args(3)])
    def test_an_argument_of_another_method(self, play: Play, arg: bytes) -> None:
        play = connected(play, ALICE) >> ALICE.sends(ALICE.envelope("ws_open", arg))
        text = "Client session error: arg field of envelope's content has the wrong type: "
        assert play << (Log, {"text": lambda log: text in log}) << PANIC << DropClient(ALICE.session, None)

    def test_ws_open_of_a_client_before_0_3(self, play: Play) -> None:
        """OLD_SDK_NEW_GATEWAY: gateway_principal is missing."""
        play = connected(play, ALICE) >> ALICE.sends(ALICE.envelope("ws_open", encode_open_args(1, None)))
        assert (
            play << (Log, {"text": lambda text: text.endswith("gateway_principal is missing")}) << PANIC << DropClient
        )

    def test_the_method_need_not_be_ws_open(self, play: Play) -> None:
        envelope = ALICE.envelope("anything", ALICE.ws_open.arg or b"")
        play = connected(play, ALICE) >> ALICE.sends(envelope) << ALICE.relayed(envelope)
        assert play.skip().machine.sessions == {ALICE.session: SessionState.SETUP}

    def test_a_close(self, play: Play) -> None:
        assert connected(play, ALICE) >> ALICE.closes() << PANIC << DropClient(ALICE.session, 1006)

    def test_a_broken_connection(self, play: Play) -> None:
        assert connected(play, ALICE) >> ALICE.vanishes() << PANIC


class TestSetup:
    @pytest.mark.parametrize(("kind", "data"), [(k, d) for k, d, _ in WRONG_FRAMES] + [("binary", MESSAGE_FRAME)])
    def test_frames_are_dropped_with_a_warning(self, play: Play, kind: str, data: bytes) -> None:
        assert set_up(play, ALICE) >> ALICE.frame(data, kind) << WARN_SETUP
        assert play.machine.sessions == {ALICE.session: SessionState.SETUP}

    def test_a_close_calls_ws_close(self, play: Play) -> None:
        assert (
            set_up(play, ALICE) >> ALICE.closes() << CallClose(CANISTER, ALICE.key) << DropClient(ALICE.session, 1006)
        )

    def test_a_broken_connection_calls_ws_close(self, play: Play) -> None:
        assert set_up(play, ALICE) >> ALICE.vanishes() << CallClose(CANISTER, ALICE.key)


class TestOpen:
    def test_calls_are_relayed(self, play: Play) -> None:
        assert opened(play, ALICE) >> ALICE.frame(MESSAGE_FRAME) << ALICE.relayed(ALICE.ws_message)

    @pytest.mark.parametrize(
        ("kind", "data", "text"), [*WRONG_FRAMES, ("binary", QUERY, NOT_A_CALL), ("binary", READ_STATE, NOT_A_CALL)]
    )
    def test_anything_else_ends_it_without_a_close_frame(self, play: Play, kind: str, data: bytes, text: str) -> None:
        """These include PING_KILLS_SESSION."""
        assert (
            opened(play, ALICE)
            >> ALICE.frame(data, kind)
            << fault(text)
            << CallClose(CANISTER, ALICE.key)
            << DropClient(ALICE.session, 1006)
        )

    def test_a_close_calls_ws_close(self, play: Play) -> None:
        assert (
            opened(play, ALICE) >> ALICE.closes() << CallClose(CANISTER, ALICE.key) << DropClient(ALICE.session, 1006)
        )

    def test_a_broken_connection_calls_ws_close(self, play: Play) -> None:
        assert opened(play, ALICE) >> ALICE.vanishes() << CallClose(CANISTER, ALICE.key)

    def test_frames_after_the_end_are_ignored(self, play: Play) -> None:
        play = opened(play, ALICE) >> ALICE.vanishes() << CallClose
        assert play >> ALICE.vanishes() >> ALICE.closes() >> ALICE.frame(MESSAGE_FRAME)


class TestEnvelopes:
    """The gateway relays the fields that serde reads: ClientRequest and Envelope of ic-transport-types."""

    def test_unknown_fields_are_dropped(self, play: Play) -> None:
        extended = without(ALICE.ws_message, "", colour="red")
        assert opened(play, ALICE) >> ALICE.frame(extended) << ALICE.relayed(ALICE.ws_message)

    def test_a_nonce_may_be_missing(self, play: Play) -> None:
        frame = without(ALICE.ws_message, "nonce")
        assert opened(play, ALICE) >> ALICE.frame(frame) << ALICE.relayed(Envelope.decode_frame(frame))

    @pytest.mark.parametrize("name", ["request_type", "canister_id", "method_name", "arg", "sender", "ingress_expiry"])
    def test_every_other_field_is_needed(self, name: str) -> None:
        assert Request.read("binary", without(ALICE.ws_message, name)).fault == NOT_A_REQUEST

    @pytest.mark.parametrize(
        "changes",
        [
            {"request_type": "update"},
            {"canister_id": bytes(30)},
            {"sender": "text"},
            {"ingress_expiry": -1},
            {"ingress_expiry": 2**64},
            {"ingress_expiry": True},
            {"arg": "text"},
            {"method_name": b"bytes"},
        ],
    )
    def test_a_field_of_another_type_is_refused(self, changes: dict[str, Any]) -> None:
        assert Request.read("binary", without(ALICE.ws_message, "", **changes)).fault == NOT_A_REQUEST

    def test_an_unsigned_one_is_relayed(self, play: Play) -> None:
        """ANONYMOUS: the gateway leaves the check of signatures to the replica."""
        bare = Envelope(ALICE.ws_message.content)
        assert opened(play, ALICE) >> ALICE.sends(bare) << ALICE.relayed(bare)


class TestTable:
    def test_every_trigger_and_state_has_a_row(self) -> None:
        assert {row.trigger for row in SESSION_TRANSITIONS} == set(SessionTriggerKind)
        assert {row.state for row in SESSION_TRANSITIONS} | {row.to for row in SESSION_TRANSITIONS} == set(SessionState)

    @pytest.mark.parametrize("state", list(SessionState))
    @pytest.mark.parametrize("trigger", list(SessionTriggerKind))
    @pytest.mark.parametrize("frame", [OPEN_FRAME, QUERY, b""])
    def test_the_state_changes_only_along_rows(
        self, state: SessionState, trigger: SessionTriggerKind, frame: bytes
    ) -> None:
        session = GatewaySession("s", new_play().machine)
        session.state = state
        session.canister_id, session.client_key = CANISTER, ALICE.key
        if trigger is SessionTriggerKind.FRAME and state is SessionState.INIT and frame == OPEN_FRAME:
            session.canister_id = session.client_key = None
        row = SESSION_TRANSITIONS.fire(session, SessionTrigger(trigger, START_NS, Request.read("binary", frame)))
        known = {(r.state, r.trigger, r.to) for r in SESSION_TRANSITIONS}
        if row is None:
            assert session.state is state
            assert not any(r.state is state and r.trigger is trigger for r in SESSION_TRANSITIONS)
        else:
            assert (state, trigger, session.state) in known
            assert row.to is session.state
