"""The page of every byte of ``data/sessions/healthy.icws``, made anew and copied into the site as every-byte.html."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sphinx.application import Sphinx

import icws_explore as icws

ROOT: Final = Path(__file__).parents[2]
RECORDING: Final = ROOT / "data" / "sessions" / "healthy.icws"
PAGE: Final = "every-byte.html"


def write_page(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        title = "A healthy session of ping-pong"
        (Path(app.outdir) / PAGE).write_text(
            icws.report(icws.load(RECORDING), title=title).every_byte, encoding="utf-8"
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write_page, priority=400)  # before the links are checked
    return {"parallel_read_safe": True, "parallel_write_safe": True}
