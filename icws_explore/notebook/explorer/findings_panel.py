"""The tab of findings: what the doctor says of the recording so far, with the frames that prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from icws_explore.analysis.doctor import Finding
from icws_explore.views.findings import MAX_EVIDENCE, finding_row, left_out_lines, nothing_line, unchecked_lines
from icws_explore.views.formatting import shorten
from icws_explore.views.rows import frame_row
from icws_explore.views.theme import color_variables

from .widget import ExplorerWidget, source_text

if TYPE_CHECKING:
    from .explorer import Explorer

MAX_FRAMES = 40  # frames of one finding: the first `MAX_EVIDENCE` as rows, the others as numbers
MAX_SUMMARY = 200  # characters in a row


class FindingsPanel(ExplorerWidget):
    """The findings of ``explorer``, anew whenever they change. A frame that is clicked is selected."""

    _esm = source_text("findings_panel.js")
    _css = color_variables() + source_text("explorer.css")

    findings: Any = traitlets.List().tag(sync=True)
    notes: Any = traitlets.List().tag(sync=True)  # [weight, line]

    def __init__(self, explorer: Explorer) -> None:
        super().__init__()
        self._explorer = explorer
        self._stop = explorer.on_change(self.update)
        self.on_msg(self._asked)
        self.update()

    def update(self) -> None:
        """Take the explorer's findings."""
        found = self._explorer.findings
        rows = [
            {
                "title": row.title, "weight": row.weight, "explanation": row.explanation,
                "rest": [list(pair) for pair in row.rest],
                "rows": self._rows(finding), "frames": list(finding.frames[MAX_EVIDENCE:MAX_FRAMES]),
                "more": max(0, len(finding.frames) - MAX_FRAMES),
            }
            for finding, row in ((finding, finding_row(finding)) for finding in found)
        ]  # fmt: skip
        notes = [["soft", line] for line in left_out_lines(found)]
        notes += [["note", f"? {line}"] for line in unchecked_lines(found)]
        if not self._explorer.is_diagnosed:
            notes.append(["soft", "the doctor has not looked yet …"])
        elif nothing := nothing_line(found):
            notes.append(["note", nothing] if found.unchecked else ["good", f"✓ {nothing}"])
        with self.hold_sync():
            self.findings, self.notes = rows, notes

    def _rows(self, finding: Finding) -> list[list[Any]]:
        """The frames that the finding names: number, time, direction, glyph, kind, sequence number and summary."""
        index = self._explorer.index
        numbers = [number for number in finding.frames[:MAX_EVIDENCE] if number < len(index.frames)]
        rows = [frame_row(index.frames[number], index.start) for number in numbers]
        return [
            [row.number, row.elapsed, row.arrow, row.glyph, row.kind, row.sequence, shorten(row.summary, MAX_SUMMARY)]
            for row in rows
        ]

    def _asked(self, _widget: Any, message: Any, _buffers: Any) -> None:
        match message:
            case {"type": "link", "frame": int(number)}:
                self._explorer.select_evidence(number)

    def close(self) -> None:
        """Close the panel with its layout."""
        self._stop()
        super().close()


def findings_panel(explorer: Explorer) -> FindingsPanel:
    """The panel of the tab."""
    return FindingsPanel(explorer)
