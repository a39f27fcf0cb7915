"""A simulation in numbers."""

import json

from icws_explore.lab.simulator import Population, simulate


def test_agrees_with_the_table_of_the_frames():
    simulation = simulate("chat", duration="6m", population=3, seed=9)
    counts, table = simulation.counts, simulation.frames()
    kinds = table["kind"].value_counts()
    assert (counts.frames, counts.sent, counts.received) == (len(table), kinds["message"], kinds["app"])
    assert (counts.acks, counts.keep_alives) == (kinds["ack"], kinds["keep_alive"])
    assert counts.opened == kinds["open"] == counts.sessions
    assert abs(counts.duration_s - table["elapsed_s"].max()) < 1e-6


def test_is_json():
    counts = simulate(duration="5s", population=2, close_at_end=False).counts
    assert json.loads(json.dumps(counts.to_json()))["ended"] == {"open": 2}


def test_of_nothing():
    counts = simulate(duration="1s", population=Population(arrivals=lambda _: 5)).counts
    assert (counts.frames, counts.opened, counts.duration_s) == (0, 0, 0.0)
