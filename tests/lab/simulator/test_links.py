"""One direction of a WebSocket: everything arrives, in order, until it ends."""

import random

from icws_explore.lab.simulator import Network
from icws_explore.lab.simulator.conditions import Legs
from icws_explore.lab.simulator.links import Leg
from icws_explore.lab.simulator.scheduler import Timeline


class End:
    """A leg, and what came out of it."""

    def __init__(self, **network):
        self.timeline, self.seen = Timeline(0), []
        self.leg = Leg(
            self.timeline,
            Legs(Network(**network)),
            random.Random(1),
            self.frame,
            lambda code: self.note(("drop", code)),
        )

    def frame(self, op, data):
        self.note((op, data))

    def note(self, what):
        self.seen.append((self.timeline.now_ns / 1e6, what))


def test_keeps_the_order_however_latencies_vary():
    end = End(client_latency_ms=(0, 500), packet_loss=0.3)
    for number in range(50):
        end.timeline.run(number * 1_000_000)
        end.leg.send(bytes([number]))
    end.leg.drop(None)
    end.timeline.run(10**12)
    assert [what for _, what in end.seen] == [*(("binary", bytes([n])) for n in range(50)), ("drop", None)]
    assert end.leg.is_closed


def test_takes_its_latency():
    end = End(client_latency_ms=30)
    end.leg.connect(end.note, "connected")
    end.leg.send(b"", "close")
    end.timeline.run(10**9)
    assert end.seen == [(30, "connected"), (30, ("close", b""))]


def test_nothing_comes_behind_the_end():
    end = End(client_latency_ms=30)
    end.leg.drop(1006)
    end.leg.drop(None)
    end.leg.send(b"late")
    end.timeline.run(10**9)
    end.leg.send(b"later")
    end.timeline.run(10**10)
    assert end.seen == [(30, ("drop", 1006))]


def test_a_cut_loses_what_is_under_way():
    end = End(client_latency_ms=30)
    end.leg.send(b"lost")
    end.leg.drop(None)
    end.leg.cut()
    end.timeline.run(10**9)
    assert end.seen == []
