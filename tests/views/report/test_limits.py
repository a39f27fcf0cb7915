from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import ClockInfo
from icws_explore.views.report.limits import LimitRow, limit_rows, pace_facts
from support.session_captures import SessionScript, healthy


def rows(script: SessionScript) -> dict[str, LimitRow]:
    return {row.name: row for row in limit_rows(Timing(script.capture))}


class TestLimitRows:
    def test_of_a_healthy_session_all_is_met(self) -> None:
        found = {row.name: row for row in limit_rows(Timing(healthy()))}
        assert [row.weight for row in found.values()] == [""] * 4
        opening = found["OpenMessage after ws_open"]
        assert (opening.limit, opening.outcome, opening.longest) == ("60 s", "1 met", "2.200 s")
        assert opening.left == "57.8 s"
        assert found["AckMessage after the first message without one"].limit == "330 s"
        assert found["keep-alive after an ack"].outcome == "3 met"
        assert found["age of a certificate on receipt"].outcome == "13 within"

    def test_says_what_was_missed_and_when(self) -> None:
        script = SessionScript().opened()
        script.client_says(10.0, "anybody?").client_says(400.0, "nobody")
        row = rows(script)["AckMessage after the first message without one"]
        assert row.weight == "bad"
        assert "1 missed" in row.outcome
        assert row.where == "from 10.0 s on"

    def test_an_old_certificate_is_out_of_bounds(self) -> None:
        script = SessionScript().opened()
        script.app_says(500.0, "late", delay=301.0)
        row = rows(script)["age of a certificate on receipt"]
        assert (row.outcome, row.weight) == ("1 of 2 outside", "bad")
        assert row.where == "frame 3"

    def test_names_the_session_where_there_are_several(self) -> None:
        capture = SessionScript(session="a").opened(latency=3).capture
        capture.frames += SessionScript(session="b").opened(latency=9).capture.frames
        row = limit_rows(Timing(capture))[0]
        assert (row.outcome, row.longest) == ("2 met", "8.900 s")
        assert row.where.endswith("session b")

    def test_a_sessions_name_stays_on_its_line(self) -> None:
        capture = SessionScript(session="a\n\u202e").opened().capture
        capture.frames += SessionScript(session="b\x1b[2J").opened(latency=9).capture.frames
        assert all(row.where.isprintable() for row in limit_rows(Timing(capture)))

    def test_of_nothing_there_is_none(self) -> None:
        script = SessionScript()
        script.frame(0.0, "in", b"\x00")
        assert limit_rows(Timing(script.capture)) == []


class TestPaceFacts:
    def test_measures_the_ack_interval_the_clocks_and_the_way_down(self) -> None:
        facts = {fact.name: fact.value for fact in pace_facts(Timing(healthy()))}
        assert facts["ack interval"] == "300.3 s by 3 acks"
        assert "ahead of the network" in facts["clocks"]
        assert "median 0.800 s" in facts["from the certificate to its receipt"]

    def test_says_so_where_clocks_cannot_be_right(self) -> None:
        script = SessionScript(clock=ClockInfo()).opened()
        early = script.capture.frames[1]
        script.capture.frames[1] = replace(early, t=early.t + 50)
        facts = {fact.name: fact for fact in pace_facts(Timing(script.capture))}
        assert facts["clocks"].weight == "note"

    def test_one_ack_is_no_interval(self) -> None:
        script = SessionScript().opened().client_says(4.0, "ping").acked(200.0)
        facts = {fact.name: fact.value for fact in pace_facts(Timing(script.capture))}
        assert facts["ack interval"].startswith("not known from one ack; longer than 19")
