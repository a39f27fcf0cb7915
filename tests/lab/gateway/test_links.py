"""A delayed frame delays the frames behind it, as on TCP, unless it is overtakable."""

from __future__ import annotations

from icws_explore.lab.faults import Delivery
from icws_explore.lab.gateway.links import Link
from icws_explore.lab.simulator.scheduler import VirtualScheduler

MS = 1_000_000


class Line:
    def __init__(self, *, ordered: bool = True) -> None:
        self.scheduler = VirtualScheduler(0)
        self.out: list[tuple[float, bytes]] = []
        self._link = Link(self.scheduler, ordered=ordered)

    def put(self, at_ms: int, data: bytes, delay_ms: float = 0.0, *, overtakable: bool = False) -> Line:
        delivery = Delivery(data, delay_ms, overtakable)
        self.scheduler.at(at_ms * MS, self._link.carry, delivery, self._arrives, data)
        return self

    def run(self) -> list[tuple[float, bytes]]:
        self.scheduler.run(10_000 * MS)
        return self.out

    def _arrives(self, data: bytes) -> None:
        self.out.append((self.scheduler.now_ns / MS, data))


class TestOrderedLink:
    def test_delivers_in_the_same_instant(self) -> None:
        assert Line().put(5, b"a").put(5, b"b").run() == [(5, b"a"), (5, b"b")]

    def test_a_delay_applies_to_the_frames_after_it(self) -> None:
        line = Line().put(0, b"a", 100).put(10, b"b").put(20, b"c", 100).put(50, b"d", 5)
        assert line.run() == [(100, b"a"), (100, b"b"), (120, b"c"), (120, b"d")]

    def test_later_frames_are_not_delayed(self) -> None:
        assert Line().put(0, b"a", 100).put(100, b"b").put(200, b"c").run() == [(100, b"a"), (100, b"b"), (200, b"c")]

    def test_an_overtakable_frame_delays_no_other(self) -> None:
        line = Line().put(0, b"a", 100, overtakable=True).put(10, b"b").put(20, b"c", 30)
        assert line.run() == [(10, b"b"), (50, b"c"), (100, b"a")]

    def test_an_overtakable_frame_does_not_overtake_others(self) -> None:
        assert Line().put(0, b"a", 100).put(10, b"b", overtakable=True).run() == [(100, b"a"), (100, b"b")]


class TestUnorderedLink:
    def test_deliveries_overtake_each_other(self) -> None:
        line = Line(ordered=False).put(0, b"a", 100).put(10, b"b").put(20, b"c", 30)
        assert line.run() == [(10, b"b"), (50, b"c"), (100, b"a")]
