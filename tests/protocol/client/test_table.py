"""The table drives the client: nothing happens without a row, and every row can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icws_explore.protocol.client.events import ClientEvent, CloseConnection, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.client.session import ClientSession
from icws_explore.protocol.client.states import ClientState, ClientTriggerKind
from icws_explore.protocol.client.table import TRANSITIONS
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
from support.machine_after_close import MachineAfterClose

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
    """A message certified once for all examples; ``trusting`` accepts it at any age."""
    return CANISTER.says(WHATS[what], START_NS, sequence_num=sequence_num)


def trusting(*_: object) -> list[Step]:
    return [Step("parse", True, "taken on trust")]


class Fickle(Ed25519Identity):
    """Signs until ``gone`` is set."""

    __slots__ = ("gone",)
    gone: bool

    def sign(self, message: bytes) -> bytes:
        if self.gone:
            raise IdentityError("the key is gone")
        return super().sign(message)


@dataclass
class Session:
    """A machine, its identity and its clock, driven by named steps."""

    machine: ClientMachine
    identity: Fickle
    now_ns: int = START_NS

    def step(self, kind: str, number: int) -> list[ClientEvent]:
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

    def send(self) -> list[ClientEvent]:
        is_open = self.machine.is_open
        try:
            return self.machine.send(b"DIDL\0\0", self.now_ns)
        except StateError:
            assert not is_open
            return []


def new_session(keep_processing: bool) -> Session:
    identity = Fickle.from_secret(bytes(32))
    assert isinstance(identity, Fickle)
    identity.gone = False
    config = ClientConfig(CANISTER_ID, ack_interval_ms=20_000)
    kind = MachineAfterClose if keep_processing else ClientMachine
    machine = kind(config, identity, entropy=bytes, client_nonce=7, verify=trusting)
    return Session(machine, identity)


KINDS = ("handshake", "noise", "later", "send", "close", "error", "lost", "mute", *WHATS)
LIVES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 100)), max_size=25)
# Most start with a working session, so that the later states are reached.
HEALTHY = LIVES.map(lambda rest: [("handshake", 0), ("open", 0), ("send", 0), *rest])


class TestTheTableDrivesTheMachine:
    @given(st.one_of(LIVES, HEALTHY), st.booleans())
    @settings(max_examples=300)
    def test_the_state_changes_only_along_rows(self, life: list[tuple[str, int]], keep_processing: bool) -> None:
        session = new_session(keep_processing)
        for kind, number in life:
            before = session.machine.state
            session.machine._session.taken = []
            session.step(kind, number)
            rows = session.machine.taken
            for row in rows:
                assert row in TRANSITIONS.rows
            if not rows:
                assert session.machine.state is before
            elif not keep_processing:
                assert rows[0].state is before
                assert session.machine.state is rows[-1].to
                for this, following in pairwise(rows):
                    assert following.state is this.to

    @given(st.one_of(LIVES, HEALTHY), st.booleans())
    @settings(max_examples=300)
    def test_closes_at_most_once_and_sends_nothing_afterwards(
        self, life: list[tuple[str, int]], keep_processing: bool
    ) -> None:
        session = new_session(keep_processing)
        events = [event for kind, number in life for event in session.step(kind, number)]
        closes = [index for index, event in enumerate(events) if isinstance(event, CloseConnection)]
        assert len(closes) <= 1
        if closes:
            assert not any(isinstance(event, SendFrame) for event in events[closes[0] :])
            assert session.machine.state in (ClientState.CLOSING, ClientState.CLOSED)

    @given(st.one_of(LIVES, HEALTHY))
    def test_deadlines_are_in_the_future_and_none_are_left_after_the_end(self, life: list[tuple[str, int]]) -> None:
        session = new_session(keep_processing=False)
        for kind, number in life:
            session.step(kind, number)
            due_ns = session.machine.deadline_ns
            assert due_ns is None or due_ns > session.now_ns or kind in ("send", "mute")
            assert (
                session.machine.state in (ClientState.HANDSHAKE, ClientState.OPENING, ClientState.OPEN)
                or due_ns is None
            )

    @pytest.mark.parametrize("index", range(len(TRANSITIONS)))
    def test_without_a_row_its_effects_do_not_happen(self, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every row can be reached, and its effects depend on it."""
        row = TRANSITIONS.rows[index]
        life = LIFE_TO[index]
        whole = self.live(life)
        monkeypatch.setattr(ClientMachine, "transitions", TransitionTable([r for r in TRANSITIONS if r is not row]))
        assert row in whole[1], "the steps lead to the row"
        without = self.live(life)
        assert row not in without[1]
        assert without[0] != whole[0], "the row makes a difference"

    @staticmethod
    def live(life: list[tuple[str, int]]) -> tuple[list[tuple[str, ...]], list[object]]:
        session = new_session(keep_processing=False)
        story: list[tuple[str, ...]] = []
        rows: list[object] = []
        for kind, number in life:
            try:
                story.append((session.machine.state, *map(str, session.step(kind, number))))
            except StateError as error:  # the row of a guard is missing
                story.append((str(error),))
            rows.extend(session.machine.taken)
        return story, rows


def _lives() -> list[list[tuple[str, int]]]:
    """For each row, the steps that lead to it."""
    to: dict[ClientState, list[tuple[str, int]]] = {
        ClientState.HANDSHAKE: [],
        ClientState.OPENING: [("handshake", 0)],
        ClientState.OPEN: [("handshake", 0), ("open", 0)],
        ClientState.CLOSING: [("close", 0)],
        ClientState.CLOSED: [("lost", 0)],
    }
    by_trigger = {
        ClientTriggerKind.HANDSHAKE_FRAME: [("handshake", 0)],
        ClientTriggerKind.BAD_FRAME: [("noise", 4)],
        ClientTriggerKind.BAD_SERVICE_MESSAGE: [("keep-alive", 0)],
        ClientTriggerKind.APPLICATION_MESSAGE: [("app", 0)],
        ClientTriggerKind.OPEN_TIMEOUT: [("later", 60)],
        ClientTriggerKind.ACK_TIMEOUT: [("ack 0", 0), ("later", 50)],
        ClientTriggerKind.SEND: [("send", 0)],
        ClientTriggerKind.CLOSE: [("close", 0)],
        ClientTriggerKind.CONNECTION_ERROR: [("error", 0)],
        ClientTriggerKind.CONNECTION_LOST: [("lost", 0)],
        ClientTriggerKind.MESSAGE_UNSENT: [("mute", 0), ("ack 0", 0)],
    }
    lives = []
    for row in TRANSITIONS:
        match row.trigger, row.guard:
            case ClientTriggerKind.OPEN_UNSENT, _:
                life = [("mute", 0), ("handshake", 0)]
            case ClientTriggerKind.KEEP_ALIVE_UNSENT, _:
                life = [*to[ClientState.OPEN], ("mute", 0), ("ack 0", 0)]
            case ClientTriggerKind.OPEN_MESSAGE, guard:
                life = [*to[row.state], ("open" if guard else "foreign", 0)]
            case ClientTriggerKind.ACK_MESSAGE, guard:
                life = [*to[row.state], ("ack 0", 0), ("ack 9" if guard else "ack 1", 0)]
            case ClientTriggerKind.CLOSE_MESSAGE, guard:
                life = [*to[row.state], ("closed" if guard else "timed out", 0)]
            case trigger, _:
                life = [*to[row.state], *by_trigger[trigger]]
        lives.append(life)
    return lives


LIFE_TO = _lives()


class TestNames:
    def test_guards_and_actions_are_methods_of_the_session(self) -> None:
        named = {row.guard for row in TRANSITIONS if row.guard} | {do for row in TRANSITIONS for do in row.actions}
        assert named == {getattr(ClientSession, function.__name__) for function in named}

    def test_every_trigger_and_state_has_a_row(self) -> None:
        assert {row.trigger for row in TRANSITIONS} == set(ClientTriggerKind)
        assert {row.state for row in TRANSITIONS} | {row.to for row in TRANSITIONS} == set(ClientState)

    def test_closes_are_the_sdks(self) -> None:
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
    """A golden prefix with a random tail causes only events, and no undocumented errors."""

    @given(st.binary(max_size=300), st.integers(0, 2), st.booleans())
    @settings(max_examples=300)
    def test_any_bytes_in_any_state(self, tail: bytes, progress: int, is_golden: bool) -> None:
        session = new_session(keep_processing=False)
        for kind in ("handshake", "open")[:progress]:
            session.step(kind, 0)
        golden = frame("app", progress) if progress == 2 else Handshake(GATEWAY).encode()
        data = golden[: len(tail) * 3] + tail if is_golden else tail
        try:
            session.machine.receive(data, session.now_ns)
        except IcwsError as error:
            pytest.fail(f"{error!r} left the machine: decoding failures are events")
