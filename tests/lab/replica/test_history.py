from __future__ import annotations

from icws_explore.lab.replica.history import KEPT_NS, IngressHistory, Status
from icws_explore.lab.replica.subnet import canister_principal
from icws_explore.protocol.canister import Reject, Reply
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal

NOW = 1_700_000_000 * NS_PER_S
CANISTER = canister_principal(0x8000000000100000)
FIRST, SECOND = b"1" * 32, b"2" * 32


def received(history: IngressHistory, request_id: bytes, expiry_ns: int = NOW + 240 * NS_PER_S) -> None:
    history.receive(request_id, Principal.ANONYMOUS, CANISTER, expiry_ns)


class TestStatus:
    def test_goes_from_received_to_replied(self) -> None:
        history = IngressHistory()
        received(history, FIRST)
        assert history.get(FIRST).status is Status.RECEIVED  # type: ignore[union-attr]
        entry = history.finish(FIRST, Reply(b"yes"), NOW)
        assert (entry.status, entry.outcome) == (Status.REPLIED, Reply(b"yes"))
        assert history.get(FIRST) == entry

    def test_goes_from_received_to_rejected(self) -> None:
        history = IngressHistory()
        received(history, FIRST)
        assert history.finish(FIRST, Reject(5, "no", "IC0503"), NOW).status is Status.REJECTED

    def test_a_received_call_has_no_answer(self) -> None:
        history = IngressHistory()
        received(history, FIRST)
        assert history.get(FIRST).leaves() == {b"status": b"received"}  # type: ignore[union-attr]


class TestForget:
    def test_an_entry_is_kept_for_the_ingress_window_after_its_end(self) -> None:
        history = IngressHistory()
        received(history, FIRST)
        history.finish(FIRST, Reply(b""), NOW)
        assert history.forget(NOW + KEPT_NS - 1) == []
        assert history.forget(NOW + KEPT_NS) == [FIRST]
        assert history.get(FIRST) is None

    def test_an_entry_is_kept_until_its_expiry(self) -> None:
        history = IngressHistory()
        expiry_ns = NOW + 330 * NS_PER_S
        received(history, FIRST, expiry_ns)
        history.finish(FIRST, Reply(b""), NOW)
        assert history.forget(NOW + KEPT_NS) == []
        assert history.forget(expiry_ns) == [FIRST]

    def test_an_entry_without_an_outcome_is_kept(self) -> None:
        history = IngressHistory()
        received(history, FIRST)
        assert history.forget(NOW + 10 * KEPT_NS) == []
        assert len(history) == 1


class TestDone:
    def test_the_oldest_answers_are_dropped_if_there_are_too_many_bytes(self) -> None:
        history = IngressHistory(max_answer_bytes=10)
        for request_id in (FIRST, SECOND):
            received(history, request_id)
            history.finish(request_id, Reply(b"12345678"), NOW)
        (dropped,) = history.drop_answers()
        assert (dropped.request_id, dropped.leaves()) == (FIRST, {b"status": b"done"})
        assert [entry.status for entry in history] == [Status.DONE, Status.REPLIED]

    def test_forgotten_answers_do_not_count(self) -> None:
        history = IngressHistory(max_answer_bytes=10)
        for number, request_id in enumerate((FIRST, SECOND)):
            received(history, request_id)
            history.finish(request_id, Reply(b"12345678"), NOW + number * KEPT_NS)
            history.forget(NOW + number * KEPT_NS)
        assert history.drop_answers() == []
