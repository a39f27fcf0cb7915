"""`import icws_explore` is quick: what is heavy is loaded by the call that needs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LIMIT_S = 0.5
RUNS = 5
HEAVY = ("IPython", "aiohttp", "anywidget", "ic", "ipywidgets", "jinja2", "matplotlib", "numpy", "pandas", "rich")

PROBE = """
import json, sys, time
before = time.perf_counter()
import icws_explore
took = time.perf_counter() - before
print(json.dumps({"took": took, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


@pytest.fixture(scope="module")
def probes() -> list[dict[str, object]]:
    """Fresh interpreters, one after the other; the first also writes the byte code."""
    return [json.loads(_probe()) for _ in range(RUNS + 1)]


def _probe() -> str:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


class TestImport:
    def test_takes_less_than_half_a_second(self, probes: list[dict[str, float]]) -> None:
        # The best of several runs is the program's own cost; the others are the machine's load.
        assert min(probe["took"] for probe in probes) < LIMIT_S

    @pytest.mark.parametrize("module", HEAVY)
    def test_loads_nothing_heavy(self, probes: list[dict[str, list[str]]], module: str) -> None:
        assert module not in probes[-1]["modules"]
