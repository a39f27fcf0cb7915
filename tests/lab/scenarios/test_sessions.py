"""Ends that are nobody's bug in the protocol: an application's close, and a proxy's."""

from __future__ import annotations

import pytest

from icws_explore.lab.faults import Delivery
from icws_explore.lab.scenarios import scenario
from icws_explore.lab.scenarios.scripts import texts
from icws_explore.lab.scenarios.sessions import IdleProxy
from icws_explore.lab.simulator import simulate


class TestIdleProxy:
    def cut_s(self, *said_s: float, idle_s: float = 60.0) -> float:
        """When the connection of a client that says something at these times is cut."""
        script = texts(*((at_s, "hello") for at_s in said_s))
        run = simulate("echo", duration="10m", clients=script, faults=IdleProxy(idle_s))
        (session,) = run.truth.sessions
        assert session.close_code == 1006
        frames = run.raw.frames
        return round(frames[-1].t - frames[-2].t)

    @pytest.mark.parametrize("idle_s", [20, 60, 100])
    def test_cuts_when_nothing_has_passed_for_so_long(self, idle_s):
        assert self.cut_s(5, idle_s=idle_s) == idle_s

    def test_a_frame_in_either_direction_starts_the_time_anew(self):
        assert self.cut_s(5, 50, 100, 150) == 60

    def test_passes_frames_on_untouched(self):
        proxy = IdleProxy()
        run = simulate("echo", duration="30s", clients=texts((5, "a")), faults=proxy)
        assert run.doctor() == []
        assert proxy.client_frame(0, b"x") == [Delivery(b"x")] == proxy.gateway_frame(0, b"x")


class TestClosedByApplication:
    def test_ends_with_4001(self):
        session = scenario("CLOSED_BY_APPLICATION").run(1).truth.sessions[0]
        assert (session.close_code, session.close_reason) == (4001, "ClosedByApplication")


class TestProxyIdle:
    def test_the_client_is_not_told_and_the_gateway_closes_for_it(self):
        run = scenario("PROXY_IDLE").run(1)
        assert run.truth.sessions[0].close_code == 1006
        assert run.world.replica.clients == ()
