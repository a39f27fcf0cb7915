"""A figure as a page of PDF that is larger or smaller than its layout.

This is a module of its own because matplotlib's PDF comes with fontTools, which takes longer to import than a figure
to draw.
"""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_pdf import Op, PdfFile, PdfPages


class ScaledPages(PdfPages):
    """A PDF file whose pages are ``scale`` times as large as the figures: matplotlib has no scale for PDF."""

    def __init__(self, filename: Any, scale: float, metadata: Any) -> None:
        super().__init__(filename, metadata=metadata)
        self._scale = scale

    def _ensure_file(self) -> PdfFile:
        if self._file is None:
            self._file = _ScaledPdf(self._filename, self._scale, self._metadata)
        return self._file


class _ScaledPdf(PdfFile):
    def __init__(self, filename: Any, scale: float, metadata: Any) -> None:
        self._scale = scale
        super().__init__(filename, metadata=metadata)  # type: ignore[no-untyped-call]

    def newPage(self, width: float, height: float) -> None:  # noqa: N802  # matplotlib's name
        super().newPage(width * self._scale, height * self._scale)  # type: ignore[no-untyped-call]
        self.output(self._scale, 0, 0, self._scale, 0, 0, Op.concat_matrix)  # type: ignore[no-untyped-call]
