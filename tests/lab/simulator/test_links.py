"""One direction of a WebSocket: everything arrives, in order, until the connection ends."""

import random

from icws_explore.lab.simulator import NetworkConditions
from icws_explore.lab.simulator.conditions import LatencyModel
from icws_explore.lab.simulator.links import SimLink
from icws_explore.lab.simulator.scheduler import VirtualScheduler


class Receiver:
    """A link, and what came out of it: time in ms, and the frame or the end."""

    def __init__(self, **conditions):
        self.scheduler, self.seen = VirtualScheduler(0), []
        self.link = SimLink(
            self.scheduler,
            LatencyModel(NetworkConditions(**conditions)),
            random.Random(1),
            lambda kind, data: self.note((kind, data)),
            lambda code: self.note(("drop", code)),
        )

    def note(self, what):
        self.seen.append((self.scheduler.now_ns / 1e6, what))


def test_keeps_the_order_when_latencies_vary():
    end = Receiver(client_latency_ms=(0, 500), packet_loss=0.3)
    for number in range(50):
        end.scheduler.run(number * 1_000_000)
        end.link.send(bytes([number]))
    end.link.drop(None)
    end.scheduler.run(10**12)
    assert [what for _, what in end.seen] == [*(("binary", bytes([n])) for n in range(50)), ("drop", None)]
    assert end.link.is_closed


def test_takes_its_latency():
    end = Receiver(client_latency_ms=30)
    end.link.connect(end.note, "connected")
    end.link.send(b"", "close")
    end.scheduler.run(10**9)
    assert end.seen == [(30, "connected"), (30, ("close", b""))]


def test_nothing_arrives_after_the_end():
    end = Receiver(client_latency_ms=30)
    end.link.drop(1006)
    end.link.drop(None)
    end.link.send(b"late")
    end.scheduler.run(10**9)
    end.link.send(b"later")
    end.scheduler.run(10**10)
    assert end.seen == [(30, ("drop", 1006))]


def test_a_cut_loses_what_is_under_way():
    end = Receiver(client_latency_ms=30)
    end.link.send(b"lost")
    end.link.drop(None)
    end.link.cut()
    end.scheduler.run(10**9)
    assert end.seen == []
