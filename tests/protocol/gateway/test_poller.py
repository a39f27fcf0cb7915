"""Poller against tests/canister_poller.rs of gateway 1.4.6, case by case, and its limits to the millisecond.

The two cases about nonces alone are in test_nonces.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.arguments import PollMessage, PollResult, encode_poll_result
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.gateway.events import AgentFailed, Ask, Dead, Deliver, Note, Rejected, Replied, Stopped
from icws_explore.protocol.gateway.poller import (
    POLLER_TRANSITIONS,
    RECOVERABLE_FAILURES,
    Poller,
    PollerState,
    PollerTriggerKind,
)
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal
from support.playbook import NS_PER_MS, Playbook, do, pause, wait

START_NS = 1_700_000_000_000 * NS_PER_MS
INTERVAL_MS, TIMEOUT_MS = 100, 5_000
KEY = ClientKey(Principal.ANONYMOUS, 0)

Play = Playbook[Poller]


def messages(count: int, base_nonce: int) -> tuple[PollMessage, ...]:
    return tuple(PollMessage(KEY, f"_{base_nonce + offset}", b"") for offset in range(count))


def reply(count: int, base_nonce: int = 0, is_end_of_queue: bool | None = True) -> Replied:
    return Replied(encode_poll_result(PollResult(messages(count, base_nonce), b"cert", b"tree", is_end_of_queue)))


def answer(outcome: Any, ticket: int) -> Any:
    return do("answered_at", outcome, ticket)


class Clients:
    """Whether any client is left; tests set it."""

    there = True


class PlayedPoller(Poller):
    """Takes the instant last, where a playbook passes it."""

    def answered_at(self, outcome: Any, ticket: int, now_ns: int) -> list[Any]:
        return self.answered(outcome, ticket, now_ns)


@pytest.fixture
def clients() -> Clients:
    return Clients()


@pytest.fixture
def play(clients: Clients) -> Play:
    """A poller that waits for the answer to its first query."""
    poller = PlayedPoller(INTERVAL_MS, TIMEOUT_MS, lambda: clients.there)
    return Playbook[Poller](poller, START_NS) >> do("start") << Ask(0, 0)


def delivered(play: Play, count: int) -> Play:
    for _ in range(count):
        play = play << Deliver
    return play


class TestTheRustTests:
    """The names are those of the gateway's tests."""

    def test_should_sleep_after_relaying(self, play: Play) -> None:
        play = delivered(play >> answer(reply(10), 0), 10)
        assert play >> wait(INTERVAL_MS - 1) >> wait(1) << Ask(10, 1)

    def test_should_not_sleep_after_relaying(self, play: Play) -> None:
        play = delivered(play >> pause(3) >> answer(reply(10, is_end_of_queue=False), 0), 10)
        assert play << Note("Canister queue is not fully drained. Polling immediately", "warn") << Ask(10, 1)

    def test_should_not_sleep_after_timeout(self, play: Play) -> None:
        assert play >> wait(TIMEOUT_MS) << Note("Poller timed out. Polling immediately", "warn") << Ask(0, 1)

    def test_should_terminate_polling_with_error(self, play: Play) -> None:
        play = delivered(play >> answer(reply(10), 0), 10) >> wait(INTERVAL_MS) << Ask(10, 1)
        assert play >> answer(reply(10), 1) << Dead("Non consecutive nonce: expected 10, got 0")
        assert play.machine.state is PollerState.DEAD
        assert play.machine.deadline_ns is None


class TestInterval:
    """The interval runs from query to query."""

    @pytest.mark.parametrize("took_ms", [0, 1, 99, 100])
    def test_an_answer_within_the_interval_does_not_delay_the_next_query(self, play: Play, took_ms: int) -> None:
        play = play >> pause(took_ms) >> answer(reply(0), 0)
        assert play.machine.deadline_ns == START_NS + INTERVAL_MS * NS_PER_MS
        assert play >> wait(INTERVAL_MS - took_ms) << Ask(0, 1)

    def test_after_a_longer_answer_the_next_query_is_sent_at_once(self, play: Play) -> None:
        assert (
            play
            >> pause(101)
            >> answer(reply(0), 0)
            << Note("Polling messages took too long: 101ms. Polling immediately", "warn")
            << Ask(0, 1)
        )

    def test_a_late_tick_starts_the_interval_late(self, play: Play) -> None:
        play = play >> answer(reply(0), 0) >> wait(250) << Ask(0, 1) >> answer(reply(0), 1)
        assert play.machine.deadline_ns == START_NS + 350 * NS_PER_MS

    @pytest.mark.parametrize("says_more", [True, False, None])
    def test_an_empty_poll_rests_even_if_more_is_queued(self, play: Play, says_more: bool | None) -> None:
        """A canister that allows 0 messages a poll always reports that more is queued."""
        assert play >> answer(reply(0, is_end_of_queue=says_more), 0) >> wait(99)

    def test_without_the_flag_the_queue_counts_as_drained(self, play: Play) -> None:
        assert delivered(play >> answer(reply(2, is_end_of_queue=None), 0), 2) >> wait(99) >> wait(1) << Ask(2, 1)

    def test_an_interval_of_zero(self, clients: Clients) -> None:
        play = Playbook[Poller](PlayedPoller(0, TIMEOUT_MS, lambda: clients.there), START_NS)
        assert play >> do("start") << Ask(0, 0) >> answer(reply(0), 0) >> wait(0) << Ask(0, 1)


class TestTimeout:
    @pytest.mark.parametrize(("ms", "fires"), [(-1, False), (0, True), (1, True)])
    def test_to_the_millisecond(self, play: Play, ms: int, fires: bool) -> None:
        play = play >> wait(TIMEOUT_MS + ms)
        assert play << Note << Ask(0, 1) if fires else play

    def test_an_answer_at_the_last_instant_counts(self, play: Play) -> None:
        play = delivered(play >> pause(TIMEOUT_MS) >> answer(reply(1), 0), 1)
        assert play << (Note, {"text": lambda text: "took too long: 5000ms" in text}) << Ask(1, 1)

    def test_an_answer_after_the_timeout_is_ignored(self, play: Play) -> None:
        play = play >> wait(TIMEOUT_MS) << Note << Ask(0, 1)
        assert play >> answer(reply(3), 0) >> answer(Rejected(3, "gone"), 0)
        assert delivered(play >> answer(reply(3), 1), 3)

    def test_it_loses_no_message(self, play: Play) -> None:
        play = delivered(play >> answer(reply(4), 0), 4) >> wait(INTERVAL_MS) << Ask(4, 1)
        assert play >> wait(TIMEOUT_MS) << Note << Ask(4, 2)


class TestNonces:
    def test_a_new_poller_accepts_any_first_nonce(self, play: Play) -> None:
        assert delivered(play >> answer(reply(2, base_nonce=17), 0), 2) >> wait(INTERVAL_MS) << Ask(19, 1)

    @pytest.mark.parametrize("wrong", [1, 2, 4, 18_446_744_073_709_551_615])
    def test_later_ones_must_follow(self, play: Play, wrong: int) -> None:
        play = delivered(play >> answer(reply(3), 0), 3) >> wait(INTERVAL_MS) << Ask(3, 1)
        assert play >> answer(reply(1, base_nonce=wrong), 1) << Dead(f"Non consecutive nonce: expected 3, got {wrong}")

    def test_a_gap_within_a_batch_relays_none_of_it(self, play: Play) -> None:
        batch = (*messages(2, 0), *messages(1, 3))
        outcome = Replied(encode_poll_result(PollResult(batch, b"", b"", True)))
        assert play >> answer(outcome, 0) << Dead("Non consecutive nonce: expected 2, got 3")


class TestErrors:
    """Recoverable errors are those that one bad replica or boundary node can cause."""

    @pytest.mark.parametrize("kind", sorted(RECOVERABLE_FAILURES))
    def test_recoverable_failures_are_polled_again(self, play: Play, kind: str) -> None:
        assert (
            play
            >> answer(AgentFailed(kind, "502"), 0)
            << Note(f"Ignoring replica error: {kind}: 502", "warn")
            >> wait(INTERVAL_MS)
            << Ask(0, 1)
        )

    def test_a_transient_reject_is_recoverable(self, play: Play) -> None:
        assert play >> answer(Rejected(2, "busy"), 0) << Note >> wait(99) >> wait(1) << Ask(0, 1)

    @pytest.mark.parametrize("reject_code", [1, 3, 4, 5])
    def test_other_rejects_end_the_poller(self, play: Play, reject_code: int) -> None:
        assert (
            play
            >> answer(Rejected(reject_code, "no"), 0)
            << Dead(f"Unrecoverable agent error: reject code {reject_code}: no")
        )

    def test_other_failures_end_the_poller(self, play: Play) -> None:
        assert play >> answer(AgentFailed("QuerySignatureVerificationFailed", "x"), 0) << Dead

    def test_an_err_reply_ends_the_poller(self, play: Play) -> None:
        outcome = Replied(encode_poll_result("the canister's text"))
        assert play >> answer(outcome, 0) << Dead("Unrecoverable CDK error: the canister's text")

    @pytest.mark.parametrize("arg", [b"", b"DIDL", b"DIDL\0\0", b"DIDL\x00\x01\x7d\x05"])
    def test_a_reply_of_another_type_ends_the_poller(self, play: Play, arg: bytes) -> None:
        assert (
            play
            >> answer(Replied(arg), 0)
            << (
                Dead,
                {"text": lambda text: text.startswith("Unrecoverable candid error: ")},
            )
        )

    def test_an_ended_poller_does_nothing(self, play: Play) -> None:
        assert play >> answer(Rejected(5, ""), 0) << Dead >> wait(10**6) >> answer(reply(1), 0)


class TestStopping:
    """A poller checks for clients only at the end of an iteration."""

    def test_after_the_rest(self, play: Play, clients: Clients) -> None:
        play = play >> answer(reply(0), 0)
        clients.there = False
        assert play >> wait(INTERVAL_MS - 1) >> wait(1) << Stopped()
        assert play.machine.deadline_ns is None

    def test_after_the_answer_without_a_rest(self, play: Play, clients: Clients) -> None:
        clients.there = False
        play = delivered(play >> answer(reply(1, is_end_of_queue=False), 0), 1)
        assert play << Note << Stopped()

    def test_after_the_timeout(self, play: Play, clients: Clients) -> None:
        clients.there = False
        assert play >> wait(TIMEOUT_MS) << Note << Stopped()

    def test_a_client_that_joins_during_the_rest_keeps_the_nonce(self, play: Play, clients: Clients) -> None:
        clients.there = False
        play = delivered(play >> answer(reply(5), 0), 5)
        clients.there = True
        assert play >> wait(INTERVAL_MS) << Ask(5, 1)


class TestSkip:
    """Skipped rounds leave the poller in the state that it would have without the skip."""

    @given(rounds=st.integers(0, 8), took_ms=st.integers(0, 300), is_answered=st.booleans(), then_ms=st.integers(0, 99))
    def test_has_the_effect_of_every_round(self, rounds: int, took_ms: int, is_answered: bool, then_ms: int) -> None:
        real, skipping = (Poller(INTERVAL_MS, TIMEOUT_MS, lambda: True) for _ in range(2))
        real.start(START_NS)
        skipping.start(START_NS)
        asked_ns = START_NS
        for ticket in range(rounds):
            real.answered(reply(0), ticket, asked_ns + took_ms * NS_PER_MS)
            asked_ns += max(took_ms, INTERVAL_MS) * NS_PER_MS
            real.tick(asked_ns)
        answered_ns = asked_ns + took_ms * NS_PER_MS if is_answered and took_ms <= INTERVAL_MS else None
        if answered_ns is not None:
            real.answered(reply(0), rounds, answered_ns)
        skipping.skip(rounds, asked_ns, answered_ns)
        assert (skipping.state, skipping.deadline_ns, skipping.ticket) == (real.state, real.deadline_ns, real.ticket)
        now_ns = (real.deadline_ns or 0) + then_ms * NS_PER_MS
        assert skipping.tick(now_ns) == real.tick(now_ns)
        assert skipping.deadline_ns == real.deadline_ns

    def test_needs_a_running_poller(self, play: Play, clients: Clients) -> None:
        with pytest.raises(StateError, match="only a running poller"):
            Poller(INTERVAL_MS, TIMEOUT_MS, lambda: True).skip(1, START_NS, None)
        clients.there = False
        assert play >> answer(reply(0), 0) >> wait(INTERVAL_MS) << Stopped()
        with pytest.raises(StateError, match="only a running poller"):
            play.machine.skip(1, START_NS, None)


class TestTable:
    @given(st.lists(st.tuples(st.sampled_from("rmfteckw"), st.integers(0, 120)), max_size=30))
    def test_the_state_changes_only_along_rows(self, life: list[tuple[str, int]]) -> None:
        clients, now_ns = Clients(), START_NS
        poller = Poller(INTERVAL_MS, TIMEOUT_MS, lambda: clients.there)
        poller.start(now_ns)
        outcomes = {
            "r": lambda: reply(0),
            "m": lambda: reply(2, poller.next_nonce, is_end_of_queue=False),
            "f": lambda: Rejected(5, ""),
            "t": lambda: Rejected(2, ""),
            "e": lambda: reply(1, poller.next_nonce + 3),
        }
        for kind, number in life:
            before = poller.state
            if kind in outcomes:
                poller.answered(outcomes[kind](), poller.ticket or 0, now_ns)
            elif kind == "c":
                clients.there = not clients.there
                poller.tick(now_ns)
            else:
                now_ns += number * (NS_PER_MS if kind == "w" else 100 * NS_PER_MS)
                poller.tick(now_ns)
            states = [before, *(row.to for row in poller.taken)]
            assert [row.state for row in poller.taken] == states[:-1]
            assert poller.state is states[-1]
            assert all(row in POLLER_TRANSITIONS.rows for row in poller.taken)
            assert (poller.deadline_ns is None) == (poller.state in (PollerState.STOPPED, PollerState.DEAD))

    def test_every_trigger_and_state_has_a_row(self) -> None:
        assert {row.trigger for row in POLLER_TRANSITIONS} == set(PollerTriggerKind)
        assert {row.state for row in POLLER_TRANSITIONS} | {row.to for row in POLLER_TRANSITIONS} == set(PollerState)
