from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import ClockInfo
from icws_explore.views.limits import LimitRow, limit_rows, pace_facts, timing_view
from support.markup import Markup
from support.session_captures import SessionScript, healthy


def rows(script: SessionScript) -> dict[str, LimitRow]:
    return {row.name: row for row in limit_rows(Timing(script.capture))}


class TestLimitRows:
    def test_of_a_healthy_session_are_met(self) -> None:
        found = {row.name: row for row in limit_rows(Timing(healthy()))}
        assert [row.weight for row in found.values()] == [""] * 4
        opening = found["OpenMessage after ws_open"]
        assert (opening.limit, opening.outcome, opening.longest) == ("60 s", "1 met", "2.20 s")
        assert opening.left == "57.8 s"
        assert found["ack after the first message that waits for one"].limit == "330 s"
        assert found["keep-alive after an ack"].outcome == "3 met"
        assert found["age of a certificate on receipt"].outcome == "13 within"

    def test_say_what_was_missed_and_when(self) -> None:
        script = SessionScript().opened()
        script.client_says(10.0, "anybody?").client_says(400.0, "nobody")
        row = rows(script)["ack after the first message that waits for one"]
        assert row.weight == "bad"
        assert "1 missed" in row.outcome
        assert row.where == "started at 10.0 s"

    def test_an_old_certificate_is_out_of_bounds(self) -> None:
        script = SessionScript().opened()
        script.app_says(500.0, "late", delay=301.0)
        row = rows(script)["age of a certificate on receipt"]
        assert (row.outcome, row.weight) == ("1 of 2 outside", "bad")
        assert row.where == "frame 3"

    def test_name_the_session_of_several(self) -> None:
        capture = SessionScript(session="a").opened(latency=3).capture
        capture.frames += SessionScript(session="b").opened(latency=9).capture.frames
        row = limit_rows(Timing(capture))[0]
        assert (row.outcome, row.longest) == ("2 met", "8.90 s")
        assert row.where.endswith("session b")

    def test_keep_the_name_of_a_session_on_one_line(self) -> None:
        capture = SessionScript(session="a\n\u202e").opened().capture
        capture.frames += SessionScript(session="b\x1b[2J").opened(latency=9).capture.frames
        assert all(row.where.isprintable() for row in limit_rows(Timing(capture)))

    def test_of_an_empty_session_do_not_exist(self) -> None:
        script = SessionScript()
        script.frame(0.0, "in", b"\x00")
        assert limit_rows(Timing(script.capture)) == []


class TestPaceFacts:
    def test_give_ack_interval_clocks_and_latencies(self) -> None:
        facts = {fact.name: fact.value for fact in pace_facts(Timing(healthy()))}
        assert facts["ack interval"] == "300 s, from 3 acks"
        assert "ahead of the network" in facts["clocks"]
        assert "median 800 ms" in facts["certificate to receipt"]

    def test_say_that_clocks_contradict_each_other(self) -> None:
        script = SessionScript(clock=ClockInfo()).opened()
        early = script.capture.frames[1]
        script.capture.frames[1] = replace(early, t=early.t + 50)
        facts = {fact.name: fact for fact in pace_facts(Timing(script.capture))}
        assert facts["clocks"].weight == "note"

    def test_of_one_ack_have_no_interval(self) -> None:
        script = SessionScript().opened().client_says(4.0, "ping").acked(200.0)
        facts = {fact.name: fact.value for fact in pace_facts(Timing(script.capture))}
        assert facts["ack interval"].startswith("unknown: only one ack came; longer than 19")


class TestTimingView:
    def test_says_the_same_as_html_and_as_text(self) -> None:
        timing = Timing(healthy())
        view = timing_view(timing)
        seen, twin = " ".join(Markup(view.html).text.split()), " ".join(view.text.split())
        for row in limit_rows(timing):
            for part in (row.name, row.limit, row.outcome, row.longest, row.where):
                assert part in seen
                assert part in twin
        for fact in pace_facts(timing):
            assert fact.value in seen
            assert fact.value in twin

    def test_of_an_empty_session_says_that_no_time_out_started(self) -> None:
        script = SessionScript()
        script.frame(0.0, "in", b"\x00")
        view = timing_view(Timing(script.capture))
        assert "no time-out started" in view.text
        assert "no time-out started" in Markup(view.html).text


def test_times_out_of_order_are_said() -> None:
    script = SessionScript().opened().client_says(9, "late").client_says(5, "early").client_says(12, "next")
    view = timing_view(Timing(script.capture))
    said = "1 frame (3) has a time out of order; what is computed from such a time is wrong"
    assert said in " ".join(view.text.split())
    assert said in " ".join(Markup(view.html).text.split())
    assert "out of order" not in timing_view(Timing(healthy())).text
