"""Exercises on what changed from release to release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from icws_explore.analysis.recording import Recording, load
from icws_explore.capture import Capture

from . import Check
from .programs import WRITE

# Recordings of the real SDKs. The letters are in no order of age.
_CASES: Final = {
    "a": ("0.3.4", "real_sdk_0_3_4.icws.gz"),
    "b": ("0.5.0", "real_sdk_ed25519.icws.gz"),
    "c": ("0.1.2", "real_sdk_0_1_2.icws.gz"),
}
VERSIONS: Final = tuple(sorted(version for version, _ in _CASES.values()))
_WAITS: Final[Mapping[tuple[str, float], float]] = {
    ("0.1.2", 60): 90, ("0.3.0", 60): 90, ("0.3.1", 300): 450, ("0.3.1", 120): 450, ("0.3.2", 300): 330,
    ("0.3.4", 120): 150, ("0.4.0", 200): 230, ("0.5.0", 300): 330, ("0.10.0", 90): 120,
}  # fmt: skip


def cases(folder: str | Path) -> dict[str, Recording]:
    """Load the recordings of `check_versions` from ``folder``, without what tells their names. Raises CaptureError."""
    found = {}
    for letter, (_, name) in _CASES.items():
        capture = load(Path(folder) / name).raw
        found[letter] = Recording(Capture(capture.info, [frame for frame in capture.frames if not frame.is_http]))
    return found


def check_versions(answer: Any) -> Check:
    """Which version of the JavaScript SDK made each recording of `cases`? The answer maps letters to versions."""
    if answer is ...:
        return Check(None, f"{WRITE}a dictionary such as {{'a': '0.5.0', 'b': …, 'c': …}}")
    if not isinstance(answer, dict) or set(answer) != set(_CASES):
        return Check(False, f"the answer is a dictionary with the keys {', '.join(_CASES)}")
    if sorted(map(str, answer.values())) != list(VERSIONS):
        return Check(False, f"the versions are {', '.join(VERSIONS)}, each of them once")
    wrong = [letter for letter, (version, _) in _CASES.items() if answer[letter] != version]
    if wrong:
        return Check(
            False,
            f"{len(wrong)} are wrong: compare the arguments of ws_open, and who closed when",
        )
    return Check(True, "the first frames tell the releases apart")


def check_ack_timeout_function(answer: Any) -> Check:
    """Does ``answer(version, interval_s)`` say how long (s) an SDK of that version waits for an ack?"""
    if answer is ...:
        return Check(None, f"{WRITE}a function of a version and an interval in seconds that returns seconds")
    if not callable(answer):
        return Check(False, "the answer is a function of a version (text) and an interval in seconds")
    for (version, interval_s), right in _WAITS.items():
        got = answer(version, interval_s)
        if got != right:
            extra = " (compare numbers, not text: 10 comes after 3)" if version == "0.10.0" else ""
            return Check(False, f"for {version} with an interval of {interval_s:g} s you returned {got!r:.40}{extra}")
    return Check(True, f"right for {len(_WAITS)} versions and intervals")
