"""client_table: the table is what runs. Nothing happens that is not in it, and all of it can happen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icws_explore.protocol.client import machine as client
from icws_explore.protocol.client.events import CloseConnection, Event, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine, ClientSession
from icws_explore.protocol.client.table import TRANSITIONS, ClientState, ClientTrigger
from icws_explore.protocol.errors import IcwsError, IdentityError, StateError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import ClientKey, Handshake
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    ServiceMessage,
)
from icws_explore.protocol.steps import Step
from icws_explore.protocol.transitions import TransitionTable
from support.certified_canister import CANISTER_ID, GATEWAY, CertifiedCanister

START_NS = 1_700_000_000_000_000_000
IDENTITY = Ed25519Identity.from_secret(bytes(32))
KEY = ClientKey(IDENTITY.principal, 7)
CANISTER = CertifiedCanister(KEY)
WHATS: dict[str, ServiceMessage | bytes] = {
    "open": OpenMessage(KEY),
    "foreign": OpenMessage(ClientKey(IDENTITY.principal, 8)),
    "ack 0": AckMessage(0),
    "ack 1": AckMessage(1),
    "ack 9": AckMessage(9),
    "keep-alive": KeepAliveMessage(1),
    "closed": CloseMessage(CloseReason.CLOSED_BY_APPLICATION),
    "timed out": CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT),
    "app": b"DIDL\0\0",
}


@lru_cache(maxsize=1000)
def frame(what: str, sequence_num: int) -> bytes:
    """Certified once for all examples; its age does not matter, ``trusting`` accepts it."""
    return CANISTER.says(WHATS[what], START_NS, sequence_num=sequence_num)


def trusting(*_: object) -> list[Step]:
    return [Step("parse", True, "taken on trust")]


class Fickle(Ed25519Identity):
    """Signs unless told that the key is gone."""

    __slots__ = ("gone",)
    gone: bool

    def sign(self, message: bytes) -> bytes:
        if self.gone:
            raise IdentityError("the key is gone")
        return super().sign(message)


@dataclass
class Session:
    """A machine with a random life, and what it did on the way."""

    machine: ClientMachine
    identity: Fickle
    now_ns: int = START_NS

    def step(self, kind: str, number: int) -> list[Event]:
        machine, now_ns = self.machine, self.now_ns
        expected = machine._session.inbox.expected_sequence_num
        match kind:
            case "handshake":
                return machine.receive(Handshake(GATEWAY).encode(), now_ns)
            case "noise":
                return machine.receive(bytes([number % 256]) * (number % 5), now_ns)
            case "later":
                self.now_ns += number * 1_000_000_000
                return machine.tick(self.now_ns)
            case "send":
                return self.send()
            case "close":
                return machine.close(now_ns)
            case "error":
                return machine.connection_error("broken", now_ns)
            case "lost":
                return machine.connection_lost(1006, "", now_ns)
            case "mute":
                self.identity.gone = True
                return []
            case _:
                return machine.receive(frame(kind, expected + (number == 13)), now_ns)

    def send(self) -> list[Event]:
        is_open = self.machine.is_open
        try:
            return self.machine.send(b"DIDL\0\0", self.now_ns)
        except StateError:
            assert not is_open
            return []


def session(keep_processing: bool) -> Session:
    identity = Fickle.from_secret(bytes(32))
    assert isinstance(identity, Fickle)
    identity.gone = False
    config = ClientConfig(CANISTER_ID, ack_interval_ms=20_000, keep_processing_after_close=keep_processing)
    machine = ClientMachine(config, identity, entropy=bytes, client_nonce=7, verify=trusting)
    return Session(machine, identity)


KINDS = ("handshake", "noise", "later", "send", "close", "error", "lost", "mute", *WHATS)
LIVES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 100)), max_size=25)
# Mostly healthy, so that the deep states are reached.
HEALTHY = LIVES.map(lambda rest: [("handshake", 0), ("open", 0), ("send", 0), *rest])


class TestTheTableDrivesTheMachine:
    @given(st.one_of(LIVES, HEALTHY), st.booleans())
    @settings(max_examples=300)
    def test_the_state_changes_only_along_rows(self, life: list[tuple[str, int]], keep_processing: bool) -> None:
        it = session(keep_processing)
        for kind, number in life:
            before = it.machine.state
            it.machine.taken = ()
            it.step(kind, number)
            rows = it.machine.taken
            for row in rows:
                assert row in TRANSITIONS.rows
            if not rows:
                assert it.machine.state is before
            elif not keep_processing:
                assert rows[0].state is before
                assert it.machine.state is rows[-1].to
                for this, following in pairwise(rows):
                    assert following.state is this.to

    @given(st.one_of(LIVES, HEALTHY), st.booleans())
    @settings(max_examples=300)
    def test_one_close_and_nothing_sent_after_it(self, life: list[tuple[str, int]], keep_processing: bool) -> None:
        it = session(keep_processing)
        events = [event for kind, number in life for event in it.step(kind, number)]
        closes = [index for index, event in enumerate(events) if isinstance(event, CloseConnection)]
        assert len(closes) <= 1
        if closes:
            assert not any(isinstance(event, SendFrame) for event in events[closes[0] :])
            assert it.machine.state in (ClientState.CLOSING, ClientState.CLOSED)

    @given(st.one_of(LIVES, HEALTHY))
    def test_no_deadline_is_left_behind_and_none_after_the_end(self, life: list[tuple[str, int]]) -> None:
        it = session(keep_processing=False)
        for kind, number in life:
            it.step(kind, number)
            due_ns = it.machine.deadline_ns
            assert due_ns is None or due_ns > it.now_ns or kind in ("send", "mute")
            assert it.machine.state in (ClientState.HANDSHAKE, ClientState.OPENING, ClientState.OPEN) or due_ns is None

    @pytest.mark.parametrize("index", range(len(TRANSITIONS)))
    def test_without_a_row_it_does_not_happen(self, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every row is reachable, and what it brings about is gone with it."""
        row = TRANSITIONS.rows[index]
        life = LIFE_TO[index]
        whole = self.live(life)
        monkeypatch.setattr(client, "TRANSITIONS", TransitionTable([r for r in TRANSITIONS if r is not row]))
        assert row in whole[1], "the life leads to the row"
        without = self.live(life)
        assert row not in without[1]
        assert without[0] != whole[0], "the row makes a difference"

    @staticmethod
    def live(life: list[tuple[str, int]]) -> tuple[list[tuple[str, ...]], list[object]]:
        it = session(keep_processing=False)
        story: list[tuple[str, ...]] = []
        rows: list[object] = []
        for kind, number in life:
            try:
                story.append((it.machine.state, *map(str, it.step(kind, number))))
            except StateError as error:  # a guard's row is missing
                story.append((str(error),))
            rows.extend(it.machine.taken)
        return story, rows


def _lives() -> list[list[tuple[str, int]]]:
    """For each row a life that takes it."""
    to: dict[ClientState, list[tuple[str, int]]] = {
        ClientState.HANDSHAKE: [],
        ClientState.OPENING: [("handshake", 0)],
        ClientState.OPEN: [("handshake", 0), ("open", 0)],
        ClientState.CLOSING: [("close", 0)],
        ClientState.CLOSED: [("lost", 0)],
    }
    by_trigger = {
        ClientTrigger.HANDSHAKE_FRAME: [("handshake", 0)],
        ClientTrigger.BAD_FRAME: [("noise", 4)],
        ClientTrigger.BAD_SERVICE_MESSAGE: [("keep-alive", 0)],
        ClientTrigger.APPLICATION_MESSAGE: [("app", 0)],
        ClientTrigger.OPEN_TIMEOUT: [("later", 60)],
        ClientTrigger.ACK_TIMEOUT: [("ack 0", 0), ("later", 50)],
        ClientTrigger.SEND: [("send", 0)],
        ClientTrigger.CLOSE: [("close", 0)],
        ClientTrigger.CONNECTION_ERROR: [("error", 0)],
        ClientTrigger.CONNECTION_LOST: [("lost", 0)],
        ClientTrigger.MESSAGE_UNSENT: [("mute", 0), ("ack 0", 0)],
    }
    lives = []
    for row in TRANSITIONS:
        match row.trigger, row.guard:
            case ClientTrigger.OPEN_UNSENT, _:
                life = [("mute", 0), ("handshake", 0)]
            case ClientTrigger.KEEP_ALIVE_UNSENT, _:
                life = [*to[ClientState.OPEN], ("mute", 0), ("ack 0", 0)]
            case ClientTrigger.OPEN_MESSAGE, guard:
                life = [*to[row.state], ("open" if guard else "foreign", 0)]
            case ClientTrigger.ACK_MESSAGE, guard:
                life = [*to[row.state], ("ack 0", 0), ("ack 9" if guard else "ack 1", 0)]
            case ClientTrigger.CLOSE_MESSAGE, guard:
                life = [*to[row.state], ("closed" if guard else "timed out", 0)]
            case trigger, _:
                life = [*to[row.state], *by_trigger[trigger]]
        lives.append(life)
    return lives


LIFE_TO = _lives()


class TestNames:
    def test_every_guard_and_action_is_there_and_no_other(self) -> None:
        assert {name[3:] for name in dir(ClientSession) if name.startswith("if_")} == TRANSITIONS.guards
        assert {name[3:] for name in dir(ClientSession) if name.startswith("do_")} == TRANSITIONS.actions

    def test_every_trigger_and_state_has_a_row(self) -> None:
        assert {row.trigger for row in TRANSITIONS} == set(ClientTrigger)
        assert {row.state for row in TRANSITIONS} | {row.to for row in TRANSITIONS} == set(ClientState)

    def test_closes_are_those_of_the_sdk(self) -> None:
        closes = {(row.close.code, row.close.reason) for row in TRANSITIONS if row.close is not None}
        assert closes == {
            (1000, ""),
            (4001, "ClosedByApplication"),
            (4000, "Open connection timeout"),
            (4000, "Handshake message error"),
            (4000, "Error receiving message"),
            (4000, "Service message error"),
            (4000, "Ack message error"),
            (4000, "Ack message timeout"),
            (4000, "Keep alive message was not sent"),
            (4000, "Message sending failed"),
            (4000, "Received close message from canister"),
        }


class TestHostileFrames:
    """A golden prefix and a random tail: only documented errors come out, and they come out as events."""

    @given(st.binary(max_size=300), st.integers(0, 2), st.booleans())
    @settings(max_examples=300)
    def test_any_bytes_in_any_state(self, tail: bytes, progress: int, is_golden: bool) -> None:
        it = session(keep_processing=False)
        for kind in ("handshake", "open")[:progress]:
            it.step(kind, 0)
        golden = frame("app", progress) if progress == 2 else Handshake(GATEWAY).encode()
        data = golden[: len(tail) * 3] + tail if is_golden else tail
        try:
            it.machine.receive(data, it.now_ns)
        except IcwsError as error:
            pytest.fail(f"{error!r} left the machine: decoding failures are events")
