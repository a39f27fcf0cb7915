"""What a failed test leaves: the recording as a file, and the doctor's words for pytest's report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from .bench import CanisterLab

MAX_EVENTS: Final = 20  # the last ones, in the report
_MAX_NAME: Final = 100  # characters of a file's name


def path_of(folder: Path, test: str) -> Path:
    """Where the recording of a test is written. ``test`` is pytest's name of it: ``tests/test_a.py::test_b[c]``."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", test).strip("_")
    return folder / f"{name[-_MAX_NAME:]}.icws"


def sections(lab: CanisterLab, path: Path) -> list[tuple[str, str]]:
    """Write the recording to ``path``. Returns titles and texts for the report. Raises CaptureError."""
    if not lab.clients:
        return _events(lab)
    recording = lab.recording()
    path.parent.mkdir(parents=True, exist_ok=True)
    recording.save(path)
    frames = len(recording)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    where = f"{shown}\n{frames} frames; look at them with icws show or icws explore"
    said = [("icws recording", where), ("icws doctor", _clean(str(recording.doctor())))]
    if lab.used_faults:
        said.append(("icws faults", "\n".join(lab.used_faults)))
    return said + _events(lab)


def _events(lab: CanisterLab) -> list[tuple[str, str]]:
    events = lab.events[-MAX_EVENTS:]
    return [("icws canister, replica and gateway", _clean("\n".join(map(str, events))))] if events else []


def _clean(text: str) -> str:
    """``text`` without control characters, which a canister may have printed."""
    return "\n".join("".join(each if each.isprintable() else "�" for each in line) for line in text.splitlines())
