from __future__ import annotations

from typing import Any

from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import Capture
from icws_explore.views.figures.latencies import latencies_figure
from support.plots import OfAnyCapture, texts_of
from support.session_captures import SessionScript, healthy


def draw(make: Any) -> Any:
    capture = make()
    return latencies_figure(capture, Timing(capture).sessions)


def texts(make: Any) -> list[str]:
    return texts_of(draw(make))


class TestAnyCapture(OfAnyCapture):
    draw = staticmethod(draw)


def spread() -> Capture:
    """A hundred messages that took 10 ms to 1 s."""
    script = SessionScript().opened()
    for number in range(1, 101):
        script.canister_says(10.0 * number, b"", delay=number / 100)
    return script.capture


class TestDistribution:
    def test_has_percentiles(self) -> None:
        (written,) = [text for text in texts(spread) if "p50 5" in text]
        assert "101 messages" in written
        assert "p99 " in written
        assert "max 1" in written

    def test_has_the_latency_bound_and_explains_it(self) -> None:
        said = [text for text in texts(healthy) if text.startswith("30 s: latency bound")]
        assert len(said) == 2
        assert all("add it to their time-outs" in text for text in said)

    def test_says_what_is_inferred_and_how_precisely(self) -> None:
        assert "certificate to receipt, inferred ± 1.40 s" in texts(healthy)
        assert "canister to certificate" in texts(healthy)

    def test_the_curve_ends_at_all_messages(self) -> None:
        for axes in draw(spread).axes:
            assert max(float(y) for line in axes.lines for y in line.get_ydata()) == 1.0
