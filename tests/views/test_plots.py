from __future__ import annotations

import re

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.protocol import hashtree
from icws_explore.views import plots
from icws_explore.views.figures.trust import VARIABLES
from support.proofs import frame_of, mainnet, simulated
from support.session_captures import SessionScript, healthy


def two_sessions() -> Capture:
    capture = SessionScript(session="a").opened().capture
    capture.frames += SessionScript(session="b").opened().client_says(30, "x").capture.frames
    return capture


class TestPlots:
    def test_take_a_recording_or_its_frames(self) -> None:
        for draw in (plots.timeline, plots.sequence_numbers):
            assert draw(healthy()).inline_svg("one") == draw(Recording(healthy())).inline_svg("one")

    def test_draw_the_named_session(self) -> None:
        for draw in (plots.timeline, plots.sequence_numbers):
            assert (
                draw(two_sessions(), session="a").axes[0].get_xlim()[1]
                < draw(two_sessions(), session="b").axes[0].get_xlim()[1]
            )


class TestProofs:
    def test_are_drawn_for_a_frame(self) -> None:
        number = frame_of(simulated(), "app")
        assert f"frame {number}, app" in plots.chain(simulated(), number).description
        assert plots.anatomy(simulated(), number).description.startswith(f"Frame {number}: app")
        assert "Witness" in plots.hash_tree(simulated(), number).description

    def test_are_drawn_for_a_certificate(self) -> None:
        cert, canister_id = mainnet()
        assert "✗" not in plots.chain(cert, canister_id=canister_id).description
        assert "✗ time" in plots.chain(cert, canister_id=canister_id, now_ns=0).description
        assert "request_status" in plots.hash_tree(cert).description

    def test_are_drawn_for_a_hash_tree(self) -> None:
        tree = hashtree.build({b"a": b"1", b"b": b"2"})
        assert "›   a" in plots.hash_tree(tree, paths=[(b"a",)]).description

    def test_need_an_existing_frame(self) -> None:
        with pytest.raises(IndexError):
            plots.anatomy(simulated(), 9999)


class TestDescriptions:
    def test_say_more_than_the_heading(self) -> None:
        expected = {
            plots.ack_age: "Ages at acks: 208.4 s, 300.4 s, 300.1 s",
            plots.keep_alives: "ack of 5: sent after 100 ms, arrived after ≈ 2.30 s, in time",
            plots.certificate_age: "median 800 ms",
            plots.latencies: "certificate to receipt: p50 800 ms",
            plots.sessions: "1 session, 0 ended badly",
            plots.lanes: "14 messages to the canister, 13 from it",
            plots.sequence_diagram: "Note right of K: acks 1–5",
        }
        for draw, words in expected.items():
            assert words in draw(healthy()).description


class TestParties:
    def test_are_drawn_in_the_colours_of_the_theme_and_told_in_words(self) -> None:
        view = plots.trust()
        assert view.text.endswith("Nobody trusts the gateway.")
        used = set(re.findall(r'class="(fill|line)-(\w+)"', view.html)) | set(re.findall(r" (line)-(\w+)\"", view.html))
        assert {role for _, role in used} <= set(VARIABLES)
        assert all(f"var({name})" in view.html for name in VARIABLES.values())
