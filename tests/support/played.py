"""Runs scenarios over real sockets, several at the same time, because each mostly waits."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from icws_explore.analysis.recording import Recording
from icws_explore.lab.scenarios import scenario

AT_ONCE = 4


def played(names: Iterable[str], *, seed: int = 1) -> dict[str, Recording]:
    """Return the recording of each scenario."""
    wanted = list(names)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        recordings = pool.map(lambda name: scenario(name).play(seed=seed), wanted)
        return dict(zip(wanted, recordings, strict=True))
