"""What every test shares: the golden vectors, and a visible reason where the machine lacks something.

A marker (`node`, `browser`, `openssl`) says what a test needs. Where it is missing the test is skipped with the
reason; with CI=true it fails, so that nothing is skipped there unnoticed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest

from support import machine

# py_ecc, the oracle of the BLS tests, lifts Python's recursion limit to 100,000 when it is imported, at
# which the interpreter crashes on deep input instead of raising: import it first, and put the limit back.
_recursion_limit = sys.getrecursionlimit()
importlib.import_module("py_ecc")
sys.setrecursionlimit(_recursion_limit)

# A CI that starts its job in the background has Ctrl-C ignored, which every process started here would
# inherit; the tests of the commands send it to them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

VECTORS = Path(__file__).parent / "vectors"
NEEDS: dict[str, Callable[[], str | None]] = {
    "node": machine.node_lacks,
    "browser": machine.browser_lacks,
    "openssl": machine.openssl_lacks,
}

# A shared machine stalls now and then: a slow example is no failure. CI repeats itself.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if machine.in_ci() else "default"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, lacks in NEEDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        reason = lacks()
        if reason is not None and machine.in_ci():
            pytest.fail(f"{reason} (CI skips nothing)", pytrace=False)
        elif reason is not None:
            pytest.skip(reason)


def pytest_collection_finish() -> None:
    """What collecting made lives to the end: the garbage collector need not walk it again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Save what coverage.py measured here: xdist ends a worker that needs more than ten seconds to leave."""
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.save()


LONG_ID = 40


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Short names for cases, the same in every run: no bytes (masks and signatures are random), no endless numbers."""
    if isinstance(val, bytes):
        return argname
    if isinstance(val, int) and val.bit_length() > 4 * LONG_ID:
        return argname
    if isinstance(val, str) and len(val) > LONG_ID:
        return f"{val[:LONG_ID]}…"
    return None


@cache
def _read_vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session", autouse=True)
def _labs_are_not_hurried() -> Iterator[None]:
    """Scaled labs of this process have a clock that stands still while the machine has no time for them."""
    from support.unhurried_clock import unhurried_clock_of_scale

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("icws_explore.lab.lab.clock_of_scale", unhurried_clock_of_scale)
        yield


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """`vectors("hashtrees")` is tests/vectors/hashtrees.json, read once. Treat it as read-only."""
    return _read_vectors


@pytest.fixture(scope="session")
def node_peers() -> Path:
    """The folder whose node_modules hold the real JavaScript SDK (mark the test `node`)."""
    return machine.NODE_PEERS


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The Chromium to give Playwright as executable_path (mark the test `browser`)."""
    path = machine.chromium()
    assert path is not None, "mark the test with `browser`"
    return path


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .icws file of a short real session with an ack and its keep-alive; do not change it."""
    from support.recorded import record

    return record(tmp_path_factory.mktemp("recorded") / "session.icws")
