from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.redaction.words import LEAST, Scrubber
from support.cost import lines_of


def scrubbed(line: str, *private: str) -> str:
    scrubber = Scrubber([line])
    for text in private:
        scrubber.feed(text)
    return scrubber.line(0)


class TestScrubber:
    def test_takes_out_what_a_line_quotes_of_a_long_text(self) -> None:
        said = "Err: the order of Mrs. Smith, 12 Elm Street, is unknown"
        assert scrubbed('The canister answered "the order of Mrs. Smith, 12" and so on.', said) == (
            'The canister answered "‹withheld›" and so on.'
        )

    def test_takes_out_a_short_text_if_it_is_whole(self) -> None:
        assert scrubbed("the value 4711-0815 is no text", "4711-0815") == "the value ‹withheld› is no text"
        assert scrubbed("the value 4711-081 is no text", "4711-0815") == "the value 4711-081 is no text"

    def test_leaves_a_mere_word_of_the_language(self) -> None:
        assert scrubbed("The canister's message 3 is genuine.", "message") == "The canister's message 3 is genuine."

    def test_every_line_has_its_own(self) -> None:
        scrubber = Scrubber(["one 123456789", "two"])
        assert len(scrubber) == 2
        scrubber.feed("123456789")
        assert (scrubber.line(0), scrubber.line(1)) == ("one ‹withheld›", "two")

    @given(st.text(min_size=LEAST, max_size=60), st.text(max_size=40), st.text(max_size=40), st.data())
    def test_no_run_of_a_private_text_survives(
        self, private: str, before: str, behind: str, data: st.DataObject
    ) -> None:
        start = data.draw(st.integers(0, len(private) - LEAST))
        end = data.draw(st.integers(start + LEAST, len(private)))
        line = scrubbed(f"{before}{private[start:end]}{behind}", private)
        assert not any(private[at : at + LEAST] in line for at in range(len(private) - LEAST + 1))

    @pytest.mark.parametrize("text", ["the canister ", "x"])
    def test_the_work_grows_with_the_length_of_the_text(self, text: str) -> None:
        line = "the canister closed the session " * 30

        def work(length: int) -> int:
            scrubber = Scrubber([line] * 20)
            return lines_of(lambda: scrubber.feed(text * (length // len(text))), most=2 * length + 1_000_000)

        assert work(800_000) < 8 * work(100_000)
