"""What stands in for the doctor in worker processes: it dies, or never comes back, for files of certain names."""

from __future__ import annotations

import os
import time
from pathlib import Path

from icws_explore.analysis.doctor.many import FileResult, Question, examine_file


def dying(question: Question, path: Path) -> FileResult:
    """Ends its process for a file whose name begins with die, as a lack of memory would."""
    if path.name.startswith("die"):
        os._exit(9)
    return examine_file(question, path)


def hanging(question: Question, path: Path) -> FileResult:
    """Never comes back, but for the first file."""
    if path.name.startswith("0"):
        return examine_file(question, path)
    while True:
        time.sleep(3600)
