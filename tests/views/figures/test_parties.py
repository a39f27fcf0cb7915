"""One picture of client, gateway and canister: each message at each of them, what waited and where some were lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from icws_explore.analysis.passages import Passage, Passages, passages
from icws_explore.capture import Capture
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.views.figures.parties import client_name, parties_figure, passage_text
from support.network_side import answered, err, given, ok, received, refused
from support.overlaps import beyond_the_paper, words
from support.plots import texts_of
from support.session_captures import START_S, SessionScript, healthy, hostile
from support.timing_captures import ALL


def texts(capture: Capture, **more: Any) -> list[str]:
    return texts_of(parties_figure(capture, **more))


def of_sessions(*names: str) -> Capture:
    """A recording of several sessions, side by side in time."""
    frames = [
        replace(frame, session=name, t=frame.t + number / 10)
        for number, name in enumerate(names)
        for frame in healthy().frames
    ]
    return Capture(healthy().info, sorted(frames, key=lambda frame: frame.t))


def in_a_lab(*, waiting: bool = False) -> Passages:
    """A call and its two answers, of which the second one may still wait in the queue."""
    call = Passage(3, "1", "g", "message", True, 1, "hi", 1.0, 1.1, 1.3)
    answer = Passage(4, "1", "g", "app", False, 2, "hi", 2.0, 1.8, 1.3)
    other = Passage(None if waiting else 5, "2", "g", "app", False, 2, "hi", None, None if waiting else 1.8, 1.3)
    return Passages((call, answer, replace(other, is_waiting=waiting)), ("1", "2"), ("g",), True, False)


@pytest.mark.parametrize("make", ALL)
def test_keeps_its_words_on_the_paper(make: Callable[[], Capture]) -> None:
    assert beyond_the_paper(parties_figure(make())) == []


class TestFigure:
    def test_names_the_parties_and_numbers_the_messages(self) -> None:
        found = texts(healthy())
        assert {"client", "gateway", "canister"} <= set(found)
        assert any(text.startswith("1 message") for text in found)

    def test_says_that_only_the_clients_side_is_known(self) -> None:
        assert any("Only the clients' side was recorded" in text for text in texts(healthy()))
        assert not any("Only the clients' side" in text for text in texts(healthy(), known=in_a_lab()))

    def test_draws_a_lane_for_each_client(self) -> None:
        found = texts(of_sessions("1", "2", "3"))
        assert {"client 1", "client 2", "client 3"} <= set(found)

    def test_draws_only_the_chosen_clients(self) -> None:
        found = texts(of_sessions("1", "2"), clients=["2"])
        assert "client 1" not in found
        assert any("1 more client not shown" in text for text in found)

    def test_has_no_room_for_five(self) -> None:
        capture = of_sessions("1", "2", "3", "4", "5")
        assert "client 5" not in texts(capture)
        with pytest.raises(ArgumentValueError, match="at most 4 clients"):
            parties_figure(capture, clients=["1", "2", "3", "4", "5"])
        with pytest.raises(ArgumentValueError, match="there is no client 'x'"):
            parties_figure(capture, clients=["x"])

    def test_draws_a_part(self) -> None:
        assert any("All parties, messages 3 to 4 of" in text for text in texts(healthy(), start=2, stop=4))

    def test_of_nothing_says_so(self) -> None:
        assert "no frames yet" in texts(Capture(healthy().info, []))

    def test_writes_how_long_messages_waited_in_the_queue(self) -> None:
        found = texts(healthy(), known=in_a_lab())
        assert "queued 500 ms ×2" in found
        assert "in the queue" in texts(healthy(), known=in_a_lab(waiting=True))

    def test_writes_a_long_silence_between_rows(self) -> None:
        assert any(text.startswith("⋮ ") for text in texts(healthy()))

    def test_two_gateways_have_a_lane_each(self) -> None:
        known = in_a_lab()
        known = replace(known, messages=(*known.messages, replace(known.messages[0], gateway="h", frame=9)))
        assert {"gateway 1", "gateway 2"} <= set(texts(healthy(), known=known))


class TestLosses:
    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: answered(healthy(), {3: refused("expired")}), "refused: expired"),
            (lambda: answered(healthy(), {3: err("no such client")}), "err: no such client"),
            (lambda: answered(healthy(), {1: ok(), 5: ok()}), "not relayed by the gateway"),
            (lambda: SessionScript().opened().app_says(6, "c", sequence_num=3).capture, "2 lost between canister"),
        ],
    )
    def test_are_written_where_they_happened(self, make: Callable[[], Capture], said: str) -> None:
        figure = parties_figure(make())
        assert any(said in text for text, _ in words(figure))
        assert said in figure.description

    def test_behind_the_gateway(self) -> None:
        capture = healthy()
        gone = received(capture, 4)
        capture.frames.pop(4)
        assert any("2 app lost behind the gateway" in t for t in texts(given(capture, START_S + 5, gone)))


class TestInTheExplorer:
    def test_what_is_drawn_of_a_frame_can_be_told(self) -> None:
        svg = parties_figure(healthy()).inline_svg("x")
        for number in range(len(healthy().frames)):
            assert f'id="icws-frame-{number}-label"' in svg

    def test_no_text_of_a_peer_is_in_the_drawing(self) -> None:
        svg = parties_figure(hostile()).inline_svg("x")
        assert "<text" not in svg
        assert "<script" not in svg


def test_words_say_the_same() -> None:
    call, *_, waiting = in_a_lab(waiting=True).messages
    assert passage_text(call) == "frame 3, message 1 of client 1: client 1.00 s → gateway 1.10 s → canister 1.30 s"
    assert passage_text(waiting) == "no frame, app 2 of client 2: canister 1.30 s: in the queue"
    assert client_name("") == "client"
    assert client_name("abcde…-fgh") == "abcde…-fgh"
    assert passage_text(passages(healthy()).messages[0]).startswith("frame 0, handshake: gateway 0.00 s")
