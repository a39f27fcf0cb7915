"""Says the same again and again, as often at once as it is told to."""

from __future__ import annotations

from icws_explore.lab.scenarios.scripts import Talker
from icws_explore.lab.simulator import simulate
from icws_explore.protocol.constants import NS_PER_S


class TestTalker:
    def test_talks_at_its_interval(self):
        run = simulate("echo", duration="1m", clients=Talker({"text": "hello"}, every_ms=9_000, times=2))
        opened_ns = run.truth.sessions[0].opened_ns
        said_s = [round((message.sent_ns - opened_ns) / NS_PER_S, 3) for message in run.truth.of("message")]
        assert said_s == [9, 9, 18, 18, 27, 27, 36, 36, 45, 45, 54, 54]
