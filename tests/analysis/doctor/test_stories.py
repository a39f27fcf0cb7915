"""Two stories of one finding are told apart from one story with other numbers."""

from __future__ import annotations

from collections.abc import Iterator

from icws_explore.analysis.doctor.registry import MAX_COMPARED, MAX_STORIES, other_stories
from support.cost import lines_of

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
        assert other_stories(UNREAD, [EXPIRED, UNREAD]) == [0]

    def test_other_numbers_are_the_same_story(self) -> None:
        assert other_stories(LATE, [LATE.replace("105", "0.31").replace("frame 7", "frames 8, 9")]) == []

    def test_other_names_and_quoted_words_are_the_same_story(self) -> None:
        told = 'Canister {} refused ws_message of frame 3: "{}".'
        others = [told.format("bkyz2-fmaaa-aaaaa-qaaaq-cai", "Sequence number 4 is wrong, and so on and on")]
        assert other_stories(told.format("aaaaa-aa", "no"), others) == []

    def test_another_story_is_told_once(self) -> None:
        assert other_stories(LATE, [LATE, NONE, NONE.replace("9", "12")]) == [1]

    def test_bounded(self) -> None:
        stories = [" ".join(f"{letter}{word}" for word in "abcdef") for letter in "klmnop"]
        assert len(other_stories(LATE, stories)) == MAX_STORIES - 1

    def test_of_many_that_differ_only_some_are_looked_at_and_of_each_only_its_beginning(self) -> None:
        looked_at = 0

        def hostile() -> Iterator[str]:
            nonlocal looked_at
            for number in range(300):
                looked_at += 1
                yield f"{LATE} {chr(97 + number // 26)}{chr(97 + number % 26)} {'x y ' * 20_000}"

        lines_of(lambda: other_stories(LATE, hostile()), most=1_500_000)
        assert looked_at == MAX_COMPARED
