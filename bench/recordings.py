"""What it costs to look at an hour-long recording. The first look decodes every frame; the others use the result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture

from .timing import Cost

LOOKS = ("frames", "summary", "timing", "frames")


def recording_costs() -> Iterator[Cost]:
    """Measure each look at a recording of an hour once. The order matters."""
    made = icws.simulate(duration="1h", population=icws.Population(think_ms=1000), seed=3, crypto="stand-in")
    recording = Recording(Capture(made.raw.info, list(made.raw.frames)))
    size = f"{len(recording):,} frames".replace(",", " ")
    looks = [(name, getattr(recording, name)) for name in LOOKS]
    looks += [("plots." + name, partial(getattr(icws.plots, name), recording)) for name in ("timing", "lanes")]
    for number, (name, look) in enumerate(looks):
        began = time.perf_counter()
        look()
        took = time.perf_counter() - began
        yield Cost(f"{'first' if number == 0 else 'then'} {name} of {size}", took, took)
