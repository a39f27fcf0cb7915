"""What a fault delays holds up what is behind it, as on TCP; unless it is said to be overtakable."""

from __future__ import annotations

from icws_explore.lab.faults import Delivery
from icws_explore.lab.gateway.links import Passage
from icws_explore.lab.simulator.scheduler import Timeline

MS = 1_000_000


class Line:
    def __init__(self, *, ordered: bool = True) -> None:
        self.timeline = Timeline(0)
        self.out: list[tuple[float, bytes]] = []
        self._passage = Passage(self.timeline, ordered=ordered)

    def put(self, at_ms: int, data: bytes, delay_ms: float = 0.0, *, overtakable: bool = False) -> Line:
        delivery = Delivery(data, delay_ms, overtakable)
        self.timeline.at(at_ms * MS, self._passage.carry, delivery, self._comes_out, data)
        return self

    def run(self) -> list[tuple[float, bytes]]:
        self.timeline.run(10_000 * MS)
        return self.out

    def _comes_out(self, data: bytes) -> None:
        self.out.append((self.timeline.now_ns / MS, data))


class TestConnection:
    def test_passes_on_in_the_same_instant(self) -> None:
        assert Line().put(5, b"a").put(5, b"b").run() == [(5, b"a"), (5, b"b")]

    def test_what_is_delayed_holds_up_the_rest(self) -> None:
        line = Line().put(0, b"a", 100).put(10, b"b").put(20, b"c", 100).put(50, b"d", 5)
        assert line.run() == [(100, b"a"), (100, b"b"), (120, b"c"), (120, b"d")]

    def test_is_free_again_afterwards(self) -> None:
        assert Line().put(0, b"a", 100).put(100, b"b").put(200, b"c").run() == [(100, b"a"), (100, b"b"), (200, b"c")]

    def test_overtakable(self) -> None:
        line = Line().put(0, b"a", 100, overtakable=True).put(10, b"b").put(20, b"c", 30)
        assert line.run() == [(10, b"b"), (50, b"c"), (100, b"a")]

    def test_what_is_overtakable_overtakes_nothing_itself(self) -> None:
        assert Line().put(0, b"a", 100).put(10, b"b", overtakable=True).run() == [(100, b"a"), (100, b"b")]


class TestCalls:
    def test_overtake_each_other_where_order_is_not_kept(self) -> None:
        line = Line(ordered=False).put(0, b"a", 100).put(10, b"b").put(20, b"c", 30)
        assert line.run() == [(10, b"b"), (50, b"c"), (100, b"a")]
