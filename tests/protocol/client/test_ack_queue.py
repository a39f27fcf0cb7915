"""AckQueue against queues.test.ts of ic-websocket-js 0.5.0, case by case, and its limits to the millisecond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.client.wire import AckQueue
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.errors import ArgumentValueError, StateError

EXPIRATION_MS = 1000  # as in queues.test.ts
START_MS = 1_700_000_000_000


def at(ms: float) -> int:
    """The ns of ``ms`` milliseconds after the start."""
    return START_MS * NS_PER_MS + round(ms * NS_PER_MS)


@pytest.fixture
def queue() -> AckQueue:
    return AckQueue(EXPIRATION_MS)


def filled(*sequence_nums: int) -> AckQueue:
    queue = AckQueue(EXPIRATION_MS)
    for sequence_num in sequence_nums:
        queue.add(sequence_num, at(0))
    return queue


class TestAdd:
    def test_should_add_an_item_to_the_queue(self, queue: AckQueue) -> None:
        queue.add(1, at(0))
        assert queue.last == 1

    @pytest.mark.parametrize("again", [1, 0])
    def test_should_throw_an_error_if_sequence_number_is_not_greater_than_last(self, again: int) -> None:
        with pytest.raises(StateError) as caught:
            filled(1).add(again, at(0))
        assert str(caught.value) == f"Sequence number {again} is not greater than last: 1"

    def test_should_call_the_callback_for_expired_items_when_not_receiving_any_ack(self, queue: AckQueue) -> None:
        queue.add(1, at(EXPIRATION_MS + 1))
        assert queue.due_ns == at(2 * EXPIRATION_MS + 1)
        assert queue.expire() == (1,)
        assert queue.last is None
        assert queue.oldest is None


class TestAck:
    def test_should_remove_all_items_up_to_and_including_the_acked_item(self) -> None:
        queue = filled(1, 2)
        assert queue.oldest == 1
        assert queue.ack(1, at(0)) == ()
        assert queue.outstanding == (2,)
        assert queue.oldest == 2

    def test_should_not_do_anything_if_lower_than_the_last_and_not_in_the_queue(self) -> None:
        queue = filled(1, 2)
        assert queue.ack(0, at(0)) == ()
        assert queue.outstanding == (1, 2)

    def test_should_throw_an_error_if_sequence_number_is_greater_than_last(self) -> None:
        queue = filled(1)
        with pytest.raises(StateError) as caught:
            queue.ack(2, at(5))
        assert str(caught.value) == queue.refusal(2) == "Sequence number 2 is greater than last: 1"
        assert queue.outstanding == (1,)
        assert queue.due_ns == at(EXPIRATION_MS)  # a refused ack does not restart the timer

    def test_should_call_the_callback_for_expired_items_when_receiving_the_ack(self) -> None:
        queue = filled(1, 2, 3)
        assert queue.ack(1, at(EXPIRATION_MS + 1)) == (2, 3)
        assert queue.last is None

    def test_should_call_the_callback_for_all_expired_items_after_not_receiving_the_ack(self) -> None:
        queue = filled(1, 2, 3)
        queue.ack(1, at(0))
        assert queue.due_ns == at(EXPIRATION_MS)
        assert queue.expire() == (2, 3)
        assert queue.last is None

    def test_accepts_any_number_when_nothing_is_outstanding(self, queue: AckQueue) -> None:
        assert queue.refusal(99) is None
        assert queue.ack(99, at(0)) == ()

    @pytest.mark.parametrize(("age_ms", "expired"), [(-1, ()), (0, (2,)), (1, (2,))])
    def test_the_rest_expires_at_exactly_its_age(self, age_ms: int, expired: tuple[int, ...]) -> None:
        assert filled(1, 2).ack(1, at(EXPIRATION_MS + age_ms)) == expired

    def test_younger_items_are_dropped_with_the_expired_ones(self) -> None:
        queue = filled(1, 2)
        queue.add(3, at(500))
        assert queue.ack(1, at(EXPIRATION_MS)) == (2,)
        assert queue.outstanding == ()

    @pytest.mark.parametrize(("ms", "expired"), [(1000.0, ()), (1000.4, (2,))])
    def test_ages_are_counted_in_whole_milliseconds(self, ms: float, expired: tuple[int, ...]) -> None:
        queue = AckQueue(EXPIRATION_MS)
        queue.add(1, at(0.9 if expired else 1.1))
        queue.add(2, at(0.9 if expired else 1.1))
        assert queue.ack(1, at(ms)) == expired


class TestLast:
    def test_should_return_null_if_the_queue_is_empty(self, queue: AckQueue) -> None:
        assert queue.last is None

    def test_should_return_the_last_item_in_the_queue(self) -> None:
        assert filled(1, 2).last == 2


class TestClear:
    def test_should_clear_the_queue(self) -> None:
        queue = filled(1, 2)
        queue.clear()
        assert queue.last is None
        assert queue.outstanding == ()
        assert queue.due_ns is None

    def test_forgets_the_last_number(self) -> None:
        queue = filled(1)
        queue.clear()
        queue.add(1, at(7))
        assert queue.due_ns == at(EXPIRATION_MS + 7)


class TestTimer:
    def test_does_not_run_before_the_first_message(self, queue: AckQueue) -> None:
        assert queue.due_ns is None

    def test_is_not_restarted_by_further_messages(self, queue: AckQueue) -> None:
        queue.add(1, at(0))
        queue.add(2, at(900))
        assert queue.due_ns == at(EXPIRATION_MS)

    def test_is_restarted_by_every_ack(self) -> None:
        queue = filled(1, 2)
        queue.ack(1, at(400))
        assert queue.due_ns == at(EXPIRATION_MS + 400)
        queue.ack(0, at(700))
        assert queue.due_ns == at(EXPIRATION_MS + 700)

    def test_is_started_by_an_ack_with_nothing_outstanding_and_expires_with_an_empty_list(
        self, queue: AckQueue
    ) -> None:
        queue.ack(5, at(10))
        assert queue.due_ns == at(EXPIRATION_MS + 10)
        assert queue.expire() == ()

    def test_once_expired_only_an_ack_starts_it_again(self) -> None:
        queue = filled(1)
        queue.expire()
        assert queue.due_ns is None
        queue.add(2, at(1500))
        assert queue.due_ns is None
        queue.ack(2, at(1600))
        assert queue.due_ns == at(EXPIRATION_MS + 1600)

    def test_continues_when_an_ack_finds_expired_items(self) -> None:
        queue = filled(1)
        queue.add(2, at(10))
        queue.ack(1, at(500))
        assert queue.ack(0, at(EXPIRATION_MS + 10)) == (2,)
        assert queue.due_ns == at(EXPIRATION_MS + 500)

    def test_needs_a_positive_expiration(self) -> None:
        with pytest.raises(ArgumentValueError, match="longer than 0 ms"):
            AckQueue(0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 2000)), max_size=40))
def test_stays_ascending_and_holds_no_acked_number(steps: list[tuple[bool, int, int]]) -> None:
    queue, now_ms, next_num, acked = AckQueue(EXPIRATION_MS), 0, 1, 0
    for is_ack, number, pause_ms in steps:
        now_ms += pause_ms
        if not is_ack:
            queue.add(next_num, at(now_ms))
            next_num += 1
        elif queue.refusal(number) is None:
            if number in queue.outstanding:
                acked = max(acked, number)
            queue.ack(number, at(now_ms))
        assert list(queue.outstanding) == sorted(set(queue.outstanding))
        assert all(n > acked for n in queue.outstanding)
