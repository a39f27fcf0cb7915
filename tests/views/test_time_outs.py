from __future__ import annotations

import pytest

from icws_explore.capture import Capture
from icws_explore.protocol.service_messages import AckMessage
from icws_explore.views.time_outs import time_outs
from support.session_captures import SessionScript, healthy
from support.timing_captures import never_opened, only, silent, slow_answer, still_open, unacked


def runs(capture: Capture, name: str) -> list[tuple[float, float | None, str]]:
    """Start, end and outcome of each run of that time-out."""
    return [
        (round(run.start, 3), None if run.end is None else round(run.end, 3), run.outcome)
        for run in time_outs(only(capture))
        if run.name == name
    ]


class TestTimeOuts:
    """The timing analysis works out what ran when; its own tests check that."""

    def test_open_runs_from_ws_open_to_the_open_message(self) -> None:
        assert runs(healthy(), "open") == [(0.1, 2.3, "met")]
        assert runs(never_opened(), "open") == [(0.1, None, "missed")]
        script = SessionScript().opened()
        del script.capture.frames[2]
        assert runs(script.capture, "open") == [(0.1, None, "running")]
        assert runs(script.closed(9).capture, "open") == [(0.1, 9.0, "ended")]

    def test_ack_is_each_run_of_the_clients_timer(self) -> None:
        assert runs(healthy(), "ack") == [
            (4.0, 212.4, "met"),
            (212.4, 512.9, "met"),
            (512.9, 813.1, "met"),
            (813.1, 866.0, "ended"),
        ]
        assert runs(unacked(), "ack") == [(5.0, None, "missed")]
        assert runs(still_open(), "ack") == [(10.0, None, "running")]

    def test_keep_alive_is_the_canisters_window_from_the_timestamp_of_the_ack(self) -> None:
        assert runs(healthy(), "keep_alive")[0] == (211.6, 212.5, "met")
        assert runs(silent(), "keep_alive") == [(289.2, None, "missed")]
        assert runs(slow_answer(), "keep_alive") == [(289.2, None, "missed")]

    def test_keep_alive_is_on_the_recordings_clock(self) -> None:
        script = SessionScript().opened()
        script.canister_says(10, AckMessage(0), timestamp_ns=script.ns(4000))
        (run,) = [run for run in time_outs(only(script.capture)) if run.name == "keep_alive"]
        assert run.outcome == "running"

    def test_limits_are_those_of_the_protocol_and_of_the_recording(self) -> None:
        assert {run.name: run.limit_s for run in time_outs(only(healthy()))} == {
            "open": 60.0,
            "ack": pytest.approx(330.0),
            "keep_alive": 60.0,
        }
