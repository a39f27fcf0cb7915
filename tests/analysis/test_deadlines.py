from __future__ import annotations

import pytest

from icws_explore.analysis.deadlines import Deadline, ack_limit_s, deadlines
from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.protocol.service_messages import AckMessage, KeepAliveMessage
from support.session_captures import START_S, SessionScript, healthy


def of(capture: Capture, name: str) -> list[Deadline]:
    found = deadlines(decode_frames(capture), capture.info.ack_interval_ms)
    return [deadline for deadline in found if deadline.name == name]


def since_start(deadline: Deadline) -> tuple[float, float | None, str]:
    """Start, end and outcome; times in seconds since the capture's start."""
    end = None if deadline.end is None else round(deadline.end - START_S, 3)
    return round(deadline.start - START_S, 3), end, deadline.outcome


class TestOpen:
    def test_runs_from_ws_open_to_the_open_message(self) -> None:
        (deadline,) = of(healthy(), "open")
        assert since_start(deadline) == (0.1, 2.3, "met")
        assert deadline.limit_s == 60

    def test_is_missed_when_the_client_gives_up(self) -> None:
        script = SessionScript().opened()
        del script.capture.frames[2]
        script.closed(60.1005, "out", 4000, "Open connection timeout")
        assert [since_start(d)[2] for d in of(script.capture, "open")] == ["missed"]

    def test_still_runs_at_the_end_of_a_capture(self) -> None:
        script = SessionScript().opened()
        del script.capture.frames[2]
        assert since_start(of(script.capture, "open")[0]) == (0.1, None, "running")


class TestAck:
    def test_limit_is_the_interval_and_30_seconds(self) -> None:
        assert ack_limit_s(300_000) == ack_limit_s(None) == 330
        assert ack_limit_s(70_000) == 100

    def test_starts_with_the_first_message_and_anew_with_every_ack(self) -> None:
        assert [since_start(d) for d in of(healthy(), "ack")] == [
            (4.0, 212.4, "met"),
            (212.4, 512.9, "met"),
            (512.9, 813.1, "met"),
            (813.1, 866.0, "ended"),
        ]

    def test_later_messages_do_not_move_it(self) -> None:
        script = SessionScript().opened().client_says(5, "a").client_says(200, "b")
        (deadline,) = of(script.capture, "ack")
        assert since_start(deadline) == (5.0, None, "running")
        assert deadline.due == START_S + 335

    def test_a_keep_alive_waits_for_an_ack_too(self) -> None:
        script = SessionScript().opened().client_says(7, KeepAliveMessage(1))
        assert since_start(of(script.capture, "ack")[0]) == (7.0, None, "running")

    def test_an_ack_restarts_it_with_nothing_outstanding(self) -> None:
        script = SessionScript().opened().canister_says(10, AckMessage(0))
        assert since_start(of(script.capture, "ack")[0]) == (10.0, None, "running")

    def test_is_missed_when_the_client_gives_up(self) -> None:
        script = SessionScript().opened().client_says(5, "a").closed(335.001, "out", 4000, "Ack message timeout")
        assert since_start(of(script.capture, "ack")[0]) == (5.0, 335.001, "missed")

    def test_opening_is_not_acked(self) -> None:
        assert of(SessionScript().opened().capture, "ack") == []


class TestKeepAlive:
    def test_runs_from_the_canisters_own_time_of_the_ack(self) -> None:
        first = of(healthy(), "keep_alive")[0]
        assert since_start(first) == (211.6, 212.5, "met")
        assert first.canister_time

    def test_runs_from_the_receipt_where_the_clocks_plainly_disagree(self) -> None:
        script = SessionScript().opened()
        script.canister_says(10, AckMessage(0), timestamp_ns=script.ns(4000))
        (deadline,) = of(script.capture, "keep_alive")
        assert since_start(deadline) == (10.0, None, "running")
        assert not deadline.canister_time

    @pytest.mark.parametrize(("answered", "outcome"), [(59.2, "met"), (59.21, "missed")])
    def test_is_due_after_60_seconds(self, answered: float, outcome: str) -> None:
        script = SessionScript().opened().client_says(5, "a").acked(100, answered_after=answered)
        assert since_start(of(script.capture, "keep_alive")[0])[2] == outcome

    def test_one_that_is_never_sent_ends_with_the_session(self) -> None:
        script = SessionScript().opened().client_says(5, "a").acked(100, answered_after=None).closed(161.0, "in", 1000)
        assert since_start(of(script.capture, "keep_alive")[0]) == (99.2, 161.0, "missed")
