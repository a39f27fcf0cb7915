from __future__ import annotations

from typing import Any

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.notebook.exercises import check_failing_step, check_next_sequence_num, check_opening
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from support.markup import Markup
from support.session_captures import healthy


@pytest.fixture
def recording() -> Recording:
    return Recording(healthy())


class TestOpening:
    def test_is_handshake_request_and_open(self, recording: Recording) -> None:
        assert check_opening(recording, [0, 1, 2]).ok
        assert check_opening(recording, (2, 0, 1)).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            ([0, 1], "these are not all"),
            ([0, 1, 2, 3], "frame 3 is of kind message"),
            ([0, 99], "0 to 28"),
            ("0, 1, 2", "a list of frame numbers"),
            ([0, "1"], "a list of frame numbers"),
            ([], "these are not all"),
        ],
    )
    def test_hints(self, recording: Recording, answer: Any, hint: str) -> None:
        check = check_opening(recording, answer)
        assert check.ok is False
        assert hint in check.text


class TestNextSequenceNum:
    def test_counts_what_the_client_sent_service_messages_included(self, recording: Recording) -> None:
        assert check_next_sequence_num(recording.frames(), 14).ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            (13, "an earlier message has this number"),
            (29, "number of the next frame"),
            (5, "an earlier message has this number"),
            (99, "rows with the direction out"),
            ("14", "whole number"),
        ],
    )
    def test_hints(self, recording: Recording, answer: Any, hint: str) -> None:
        check = check_next_sequence_num(recording.frames(), answer)
        assert check.ok is False
        assert hint in check.text

    def test_takes_what_pandas_computes(self, recording: Recording) -> None:
        table = recording.frames()
        assert check_next_sequence_num(table, table.loc[table.direction == "out", "sequence_num"].max() + 1).ok

    def test_knows_the_other_directions_answer(self) -> None:
        capture = healthy()
        del capture.frames[27:]  # without the client's last message: it has sent 12, the canister 13
        assert "each direction counts for itself" in check_next_sequence_num(Recording(capture).frames(), 14).text


class TestFailingStep:
    def test_is_the_one_that_fails(self, recording: Recording) -> None:
        # The fixture's certificates are signed by the root key itself, the lab's through a subnet.
        assert check_failing_step(recording, MAINNET_ROOT_KEY, "signature").ok

    @pytest.mark.parametrize(
        ("answer", "hint"),
        [
            ("body", "fails before this step"),
            ("parse", "does not depend on the root key"),
            ("sig", "parse, delegation"),
        ],
    )
    def test_hints(self, recording: Recording, answer: str, hint: str) -> None:
        check = check_failing_step(recording, MAINNET_ROOT_KEY, answer)
        assert check.ok is False
        assert hint in check.text

    def test_under_the_right_key_nothing_fails(self, recording: Recording) -> None:
        key = recording.info.root_key
        assert key is not None
        assert "no step fails" in check_failing_step(recording, key, "body").text


class TestCheck:
    @pytest.mark.parametrize(
        "check",
        [
            lambda r: check_opening(r, ...),
            lambda r: check_next_sequence_num(r.frames(), ...),
            lambda r: check_failing_step(r, MAINNET_ROOT_KEY, ...),
        ],
    )
    def test_without_an_answer_asks_for_one(self, recording: Recording, check: Any) -> None:
        outcome = check(recording)
        assert outcome.ok is None
        assert outcome.text.startswith("– replace the three dots with your answer")

    def test_text_and_html_say_the_same(self, recording: Recording) -> None:
        check = check_opening(recording, [0])
        page = Markup(check.html)
        assert page.text == page.twin == check.text == repr(check)
