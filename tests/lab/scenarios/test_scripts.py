"""What a client of a scenario says, and when."""

from __future__ import annotations

from icws_explore.lab.scenarios.scripts import texts
from icws_explore.lab.simulator import simulate


class TestLines:
    def test_are_said_that_many_seconds_after_opening(self):
        run = simulate("echo", duration="1m", sessions=2, clients=texts((5, "one"), (20.5, "two")))
        opened_s = [session.opened_ns / 1e9 for session in run.truth.sessions]
        said_s = [[m.sent_ns / 1e9 for m in run.truth.of("message", number)] for number in (0, 1)]
        for opened, said in zip(opened_s, said_s, strict=True):
            assert [round(each - opened, 3) for each in said] == [5, 20.5]

    def test_what_comes_behind_the_end_is_not_said(self):
        run = simulate("echo", duration="10s", clients=texts((5, "one"), (20, "two")))
        assert len(run.truth.of("message")) == 1
