"""Sample recordings to hand out: those of data/, a HAR and packets of one session, and one recording of each fault.

The faults are simulated with a fixed seed, so every build gives the same recordings.
"""

from __future__ import annotations

import html
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import icws_explore as icws
from icws_explore.lab.scenarios import SCENARIOS, scenario
from icws_explore.views.source import capture_of

from .handout import STYLE
from .packets import save_packets

ROOT: Final = Path(__file__).parents[2]
SEED: Final = 1
AT_ONCE: Final = 2


def write_recordings(folder: Path) -> list[Path]:
    """Write all recordings and a page that lists them."""
    (folder / "faults").mkdir(parents=True, exist_ok=True)
    written = [
        Path(shutil.copyfile(path, folder / path.name)) for path in sorted((ROOT / "data" / "sessions").glob("*.icws*"))
    ]
    shutil.copyfile(ROOT / "data" / "README.md", folder / "README.md")
    healthy = icws.load(ROOT / "data" / "sessions" / "healthy.icws")
    written += [healthy.to_har(folder / "healthy.har"), save_packets(capture_of(healthy), folder / "healthy.pcapng")]
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        written += pool.map(record_fault, SCENARIOS, [folder / "faults"] * len(SCENARIOS))
    (folder / "index.html").write_text(_page(folder, written), encoding="utf-8")
    return written


def record_fault(name: str, folder: Path) -> Path:
    """Simulate one fault of the catalogue, and write its recording."""
    return scenario(name).run(seed=SEED).save(folder / f"{name.lower()}.icws.gz")


def _page(folder: Path, written: list[Path]) -> str:
    about = {f"{name.lower()}.icws.gz": each.about for name, each in SCENARIOS.items()}
    rows = "".join(
        f'<tr><td><a href="{path.relative_to(folder).as_posix()}">{html.escape(path.name)}</a></td>'
        f"<td>{-(-path.stat().st_size // 1024)} KB</td><td>{html.escape(about.get(path.name, ''))}</td></tr>"
        for path in written
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Recordings</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f'<p><a href="../index.html">The course</a></p><h1>Recordings</h1>'
        f'<p><a href="README.md">README.md</a> says how the sessions of real clients and the lab were recorded. Each '
        f"file in faults/ was simulated, and shows one fault of the doctor's catalogue. Read any of them with "
        f"<code>icws show FILE</code>, <code>icws doctor FILE</code> or <code>icws_explore.load</code>.</p>"
        f"<table><tr><th>file</th><th>size</th><th>what goes wrong</th></tr>{rows}</table></body></html>\n"
    )
