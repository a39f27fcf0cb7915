"""A busy machine fails no test: none looks at the machine's clock, and none waits for a fixed time.

What something costs is counted (support.cost) or left to `make bench`. What happens in another thread or process is
waited for until it has happened (support.jumping_lab, support.lab_requests), and what has minutes in the protocol is
jumped over.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from support.machine import ROOT

TESTS = ROOT / "tests"
FILES = sorted(path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts)
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns"} | {
    "thread_time", "thread_time_ns", "time", "time_ns",
}  # fmt: skip
WHO_MAY_LOOK = {
    "cli/recordings/test_doctor.py": "gives up in the end",
    "lab/test_watchdog.py": "gives up in the end",
    "live/test_clock.py": "the clock is what is tested: it is compared with what was measured around it",
    "support/cost.py": "processor time, in proportion",
    "support/jumping_lab.py": "gives up in the end",
    "support/jupyter_lab.py": "gives up in the end",
    "support/lockstep.py": "a clock",
}
WHO_MAY_SLEEP = {
    "analysis/doctor/test_many.py": "looks again and again",
    "cli/recordings/test_doctor.py": "looks again and again",
    "lab/scenarios/test_switches.py": "lets a planned action wait for a session, however long",
    "lab/test_breakpoints.py": "nothing tells that something stands still",
    "lab/test_drill.py": "a client that says something now and then",
    "live/test_breakpoints.py": "nothing tells that something stands still",
    "live/test_connect.py": "looks again and again; cancels at any moment, and asks nothing of the moment",
    "live/test_connection.py": "nothing tells that something stands still",
    "live/test_tap_relay.py": "nothing tells that something stands still",
    "notebook/explorer/live/test_send_form.py": "waits for its cancellation",
    "notebook/explorer/live/test_session_state.py": "nothing tells that nothing is sent",
    "notebook/explorer/test_many_explorers.py": "looks again and again",
    "notebook/explorer/test_parties_panel.py": "looks again and again",
    "notebook/explorer/live/test_worker.py": "looks again and again",
    "notebook/explorer/test_fault_panel.py": "nothing tells that nothing is sent",
    "support/examiners.py": "never comes back",
    "support/jumping_lab.py": "looks again and again",
    "support/jupyter_lab.py": "looks again and again",
    "support/lab_requests.py": "looks again and again",
    "support/lockstep.py": "a clock",
    "support/raw_tcp.py": "looks again and again",
    "support/sdk_faults.py": "looks again and again",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(TESTS))


@functools.cache
def nodes(path: Path) -> tuple[ast.Call | ast.ImportFrom, ...]:
    """The calls and imports of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Call | ast.ImportFrom))


def calls(path: Path) -> Iterator[tuple[str, str, list[ast.expr]]]:
    """(module, function, arguments) of each call that is written ``module.function(…)``."""
    for node in nodes(path):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=function)):
                yield module, function, node.args


def looks(path: Path) -> bool:
    return any(module == "time" and function in CLOCKS for module, function, _ in calls(path))


def sleeps(path: Path) -> bool:
    """For some time: ``asyncio.sleep(0)`` only lets others run."""
    return any(
        module in {"asyncio", "time"} and function == "sleep" and ast.unparse(arguments[0]) != "0"
        for module, function, arguments in calls(path)
    )


def test_who_looks_at_the_clock() -> None:
    assert {name_of(path) for path in FILES if looks(path)} == set(WHO_MAY_LOOK)


def test_who_sleeps() -> None:
    assert {name_of(path) for path in FILES if sleeps(path)} == set(WHO_MAY_SLEEP)


def test_a_clock_goes_by_its_name() -> None:
    """As ``time.monotonic``: under another name it would not be found."""
    imports = [node for path in FILES for node in nodes(path) if isinstance(node, ast.ImportFrom)]
    assert [ast.unparse(node) for node in imports if node.module == "time"] == []
    assert len(FILES) > 100
