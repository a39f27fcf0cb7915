"""A finding's explanations that differ in kind are told apart from those that differ only in numbers and names."""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor import registry
from icws_explore.analysis.doctor.registry import MAX_EXPLANATIONS, different_explanations
from support.cost import growth

LATE = "The keep-alive for the AckMessage of frame 5 left 105 s after it (frame 7); the canister had closed before."
NONE = "No keep-alive answers the AckMessage of frame 9, and the connection was cut behind it."
UNREAD = (
    "The gateway's handshake (frame 0) is sound, and the client could not read it: it closed before any request. So "
    "does ic-websocket-js with any @dfinity/agent 3."
)
EXPIRED = (
    "The ingress_expiry of frame 1 is 300000: a duration in milliseconds, where a replica reads nanoseconds since 1970."
)


class TestStories:
    def test_the_two_ends_of_agent_3(self) -> None:
        assert different_explanations(UNREAD, [EXPIRED, UNREAD]) == [0]

    def test_other_numbers_are_the_same_explanation(self) -> None:
        assert different_explanations(LATE, [LATE.replace("105", "0.31").replace("frame 7", "frames 8, 9")]) == []

    def test_other_names_and_quotations_are_the_same_explanation(self) -> None:
        told = 'Canister {} refused ws_message of frame 3: "{}".'
        others = [told.format("bkyz2-fmaaa-aaaaa-qaaaq-cai", "Sequence number 4 is wrong, and so on and on")]
        assert different_explanations(told.format("aaaaa-aa", "no"), others) == []

    def test_another_explanation_is_added_once(self) -> None:
        assert different_explanations(LATE, [LATE, NONE, NONE.replace("9", "12")]) == [1]

    def test_there_are_at_most_a_few(self) -> None:
        stories = [" ".join(f"{letter}{word}" for word in "abcdef") for letter in "klmnop"]
        assert len(different_explanations(LATE, stories)) == MAX_EXPLANATIONS - 1

    @pytest.mark.parametrize("text", ["x", "a-", '"', "'", ".", "-.", "é"])
    def test_a_long_text_without_spaces_costs_time_in_step_with_its_length(self, text: str) -> None:
        def compare(times: int) -> None:
            different_explanations(text * times, [text * times + " end"])

        assert growth(lambda: compare(5_000), lambda: compare(40_000)) < 24  # eight times the text

    def test_many_that_differ_cost_a_bounded_number_of_comparisons(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[int] = []
        monkeypatch.setattr(registry, "_is_same", lambda one, other: compared.append(len(one) + len(other)) or True)
        hostile = [f"{LATE} {chr(97 + n % 26) * (n + 1)}" + " x" * 400 for n in range(300)]
        assert different_explanations(LATE, hostile) == []
        assert len(compared) <= registry.MAX_COMPARED
        assert max(compared) <= 160
