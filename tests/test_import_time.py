"""`import icws_explore` is quick: what is heavy is loaded by the call that needs it. `make bench` says how quick."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

MAX_MODULES = 60
MAX_LINES = 100_000  # some milliseconds
HEAVY = ("IPython", "aiohttp", "anywidget", "ic", "ipywidgets", "jinja2", "matplotlib", "numpy", "pandas", "rich")

PROBE = """
import json, sys

before, lines = set(sys.modules), 0

def count(_frame, event, _argument):
    global lines
    lines += event == "line"
    return count

sys.settrace(count)
import icws_explore
sys.settrace(None)
print(json.dumps({"lines": lines, "modules": sorted(set(sys.modules) - before)}))
"""


@pytest.fixture(scope="module")
def probe() -> dict[str, Any]:
    """What the import does in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


class TestImport:
    def test_loads_few_modules_and_does_little(self, probe: dict[str, Any]) -> None:
        assert "icws_explore" in probe["modules"]
        assert len(probe["modules"]) < MAX_MODULES
        assert 0 < probe["lines"] < MAX_LINES

    @pytest.mark.parametrize("module", HEAVY)
    def test_loads_nothing_heavy(self, probe: dict[str, Any], module: str) -> None:
        assert module not in {name.partition(".")[0] for name in probe["modules"]}
