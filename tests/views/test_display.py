from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from icws_explore.analysis import edit
from icws_explore.analysis.recording import Recording
from icws_explore.lab import Lab
from icws_explore.live.tap import Tap
from icws_explore.views import display
from support.doctor_scenarios import SCENARIOS
from support.markup import Markup
from support.session_captures import healthy, hostile


@pytest.fixture
def shell() -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(shell: Any, subject: object) -> dict[str, Any]:
    bundle, _ = shell.display_formatter.format(subject)
    return bundle


class TestInstall:
    def test_does_nothing_outside_ipython(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "IPython", raising=False)
        assert not display.install()
        assert "IPython" not in sys.modules

    def test_may_be_called_again(self, shell: Any) -> None:
        assert display.install()
        assert display.install()
        assert "text/html" in shown(shell, healthy())


class TestShown:
    @pytest.fixture(autouse=True)
    def _installed(self, shell: Any) -> None:
        display.install()

    @pytest.mark.parametrize("wrap", [lambda c: c, Recording])
    def test_a_recording_is_its_frame_list(self, shell: Any, wrap: Any) -> None:
        bundle = shown(shell, wrap(healthy()))
        assert Markup(bundle["text/html"]).count("icws-sum") == 29
        assert bundle["text/plain"].splitlines()[-1].endswith("closed by the client: 1000")

    def test_a_frame_is_its_fields(self, shell: Any) -> None:
        bundle = shown(shell, Recording(healthy())[4])
        assert "sequence_num" in Markup(bundle["text/html"]).text
        assert bundle["text/plain"].startswith("frame 4 ■ app")

    def test_a_verdict_is_its_steps(self, shell: Any) -> None:
        verdicts = Recording(hostile()).verify()
        assert "certified_data" in shown(shell, verdicts[0])["text/plain"]
        assert "✗ frame 8" in Markup(shown(shell, verdicts)["text/html"]).text

    def test_a_request_has_its_method(self, shell: Any) -> None:
        verdicts = Recording(healthy()).check_envelopes()
        assert "method ws_open" in shown(shell, verdicts[0])["text/plain"]
        assert "method ws_open" in Markup(shown(shell, verdicts)["text/html"]).text

    @pytest.mark.parametrize(
        ("path", "step", "subject"), [("sequence_num", "body", "key "), ("sender", "sender", "method ")]
    )
    def test_an_edit_is_the_steps_that_catch_it(self, shell: Any, path: str, step: str, subject: str) -> None:
        recording = Recording(healthy())
        direction = "in" if step == "body" else "out"
        frame = next(f for f in recording if f.frame.direction == direction and f.kind in ("app", "open_request"))
        changed = edit.set(frame, path, 7 if step == "body" else b"\x07")
        seen = edit.see(recording, frame.number, changed)
        bundle = shown(shell, seen)
        page = Markup(bundle["text/html"])
        for text in (page.text, page.twin, bundle["text/plain"]):
            assert f"✗ frame {frame.number}: {step} failed" in text
            assert subject in text
        assert len(bundle["text/plain"].splitlines()) > len(seen.steps)

    def test_an_edit_without_a_proof_is_a_line(self, shell: Any) -> None:
        recording = Recording(healthy())
        seen = edit.see(recording, 0, recording[0])
        assert shown(shell, seen)["text/plain"] == "frame 0 is accepted: no step fails"

    def test_a_summary_is_its_facts(self, shell: Any) -> None:
        bundle = shown(shell, Recording(healthy()).summary())
        assert "all 13 canister messages verified" in Markup(bundle["text/html"]).text

    def test_a_session_is_its_state_and_its_frames(self) -> None:
        class Ended:
            state, close_code, close_reason = "closed", 4000, "Ack message timeout"
            recording = Recording(healthy())

        view = display.draw_session(Ended())  # type: ignore[arg-type]
        assert view.text.startswith("session   closed with 4000 Ack message timeout")

    def test_a_tap_is_its_addresses_and_its_frames(self, shell: Any) -> None:
        tap = Tap("ws://127.0.0.1:1")
        assert shown(shell, tap)["text/plain"].startswith("tap       stopped")
        with tap:
            assert shown(shell, tap)["text/plain"].startswith(f"tap       listens at {tap.url}, 0 open")

    def test_timing_is_its_limits_and_its_pace(self, shell: Any) -> None:
        bundle = shown(shell, Recording(healthy()).timing())
        for text in (Markup(bundle["text/html"]).text, bundle["text/plain"]):
            assert "keep-alive after an ack" in text
            assert "3 met" in text
            assert "300 s, from 3 acks" in text

    def test_a_table_is_drawn_and_so_is_what_is_selected_from_it(self, shell: Any) -> None:
        frames = Recording(healthy()).frames()
        for table in (frames, frames[frames["kind"] == "ack"], frames[["kind", "summary"]]):
            assert "icws-table" in shown(shell, table)["text/html"]

    def test_a_replay_is_a_line(self, shell: Any) -> None:
        replays = Recording(SCENARIOS["RAW_CLIENT"]()).replay()
        assert "sent a text frame" in Markup(shown(shell, replays)["text/html"]).text
        assert "sent a text frame" in shown(shell, replays[0])["text/plain"]

    def test_a_finding_is_drawn_alone_too(self, shell: Any) -> None:
        (finding, *_) = Recording(SCENARIOS["NO_KEEPALIVE"]()).doctor()
        assert "NO_KEEPALIVE" in Markup(shown(shell, finding)["text/html"]).text

    def test_a_lab_is_its_description(self, shell: Any) -> None:
        assert "no: call start()" in Markup(shown(shell, Lab())["text/html"]).text
