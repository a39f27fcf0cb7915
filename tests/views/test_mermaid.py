from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture import Capture
from icws_explore.views import plots
from icws_explore.views.mermaid import escaped
from support.session_captures import SessionScript, healthy, hostile
from support.timing_captures import ALL, empty

LINE = re.compile(
    r"    (?:participant [CGK] as \w+|[CGK](?:->>|-x)[CGK]: [^;<>\n]*(?:#\d+;[^;<>\n]*)*"
    r"|Note (?:over C,K|right of K|left of C): [^<>\n]+)"
)


def lines(capture: Capture, **window: Any) -> list[str]:
    return plots.mermaid(capture, **window).splitlines()


@pytest.mark.parametrize("make", ALL)
class TestAnyCapture:
    def test_gives_lines_that_mermaid_knows(self, make: Any) -> None:
        first, *rest = lines(make())
        assert first == "sequenceDiagram"
        assert [line for line in rest if not LINE.fullmatch(line)] == []


class TestSteps:
    def test_have_messages_and_what_acks_cover(self) -> None:
        text = plots.mermaid(healthy())
        assert "    G->>C: 0.00 s, handshake gateway" in text
        assert "    K->>C: 2.30 s, 1 open\n" in text
        assert "    Note right of K: acks 1–5\n" in text
        assert "    Note left of C: has 1–7\n" in text

    def test_note_gaps_and_lost_messages(self) -> None:
        text = plots.mermaid(SessionScript().opened().app_says(6, "c", sequence_num=3).capture)
        assert "    K-xC: 2 lost on the way to the client\n    K->>C: 6.00 s, 3 app" in text
        assert "    Note over C,K: gap: 2 missing\n" in text

    def test_note_a_time_that_runs_backwards(self) -> None:
        script = SessionScript().opened().client_says(9, "late").client_says(5, "early")
        assert "    Note over C,K: the time 5.00 s is out of order" in lines(script.capture)
        assert "out of order" not in plots.mermaid(healthy())

    def test_count_the_frames_that_are_left_out(self) -> None:
        part = lines(healthy(), start=10, stop=12)
        assert part[4] == "    Note over C,K: 10 frames before"
        assert part[-1] == "    Note over C,K: 17 frames after"

    def test_of_an_empty_recording_are_only_the_parties(self) -> None:
        assert len(lines(empty())) == 4


class TestEscaping:
    def test_keeps_what_a_peer_wrote_as_text(self) -> None:
        assert "<" not in plots.mermaid(hostile())

    @given(st.text())
    def test_lets_no_special_character_through(self, text: str) -> None:
        assert re.fullmatch(r"(?:[^;#<>\n\r%\"`&\\|]|#\d+;)*", escaped(text))
