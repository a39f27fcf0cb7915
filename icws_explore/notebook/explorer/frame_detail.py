"""The detail of the selected frame: its fields beside its bytes, its proof, its relations, its deadlines.

The data comes from `frame_facts`. What costs more than a moment (the drawing of the hash trees, Python code) is made
when the reader asks for it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from icws_explore.analysis.doctor import Finding
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.facts import Fact
from icws_explore.views.figures.hash_tree import hash_tree_figure
from icws_explore.views.formatting import one_line
from icws_explore.views.theme import color_variables

from .checker import Proofs
from .frame_facts import MAX_BYTES, command, frame_detail
from .frame_index import FrameIndex
from .related import Relations
from .widget import ExplorerWidget, source_text

DRAWING = threading.Lock()  # matplotlib's settings are those of the whole process


class FrameDetail(ExplorerWidget):
    """The detail of one frame of ``index``; ``on_link`` is called with the number of a frame that was clicked."""

    _esm = source_text("frame_detail.js")
    _css = color_variables() + source_text("explorer.css")

    detail: Any = traitlets.Dict().tag(sync=True)  # of `frame_facts.frame_detail`; empty: no frame is selected
    data = traitlets.Bytes().tag(sync=True)  # the first MAX_BYTES of the frame
    overview: Any = traitlets.List().tag(sync=True)  # [name, value, weight] of the recording, while nothing is selected
    tab = traitlets.Enum(("fields", "proof", "related"), "fields").tag(sync=True)  # the page in front
    drawing: Any = traitlets.Dict().tag(sync=True)  # the hash trees of a frame: {"frame": number, "svg": …}

    def __init__(self, index: FrameIndex, *, on_link: Callable[[int], None]) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._on_link = on_link
        self.findings: Sequence[Finding] = ()
        self.index = index
        self.proofs = Proofs(index)
        self.relations = Relations(index)
        self.number: int | None = None
        self.on_msg(self._asked)

    def show_recording(self, index: FrameIndex, proofs: Proofs) -> None:
        """Show frames of another recording; nothing is selected at first."""
        with self._lock:
            self.index, self.proofs, self.relations = index, proofs, Relations(index)
            self.findings = ()
            self.overview = []
            self.show(None)

    def show_overview(self, facts: Sequence[Fact]) -> None:
        """What to say of the recording while no frame is selected."""
        rows = [[fact.name, fact.value, fact.weight] for fact in facts]
        if rows != self.overview:
            self.overview = rows

    def show(self, number: int | None) -> None:
        """Show frame ``number``; None for no frame."""
        with self._lock:
            known = number is not None and 0 <= number < len(self.index.frames)
            self.number = number if known else None
            if number is None or not known:
                with self.hold_sync():
                    self.detail, self.data, self.drawing = {}, b"", {}
                return
            found = frame_detail(
                self.index, number, proofs=self.proofs, relations=self.relations, findings=self.findings
            )
            with self.hold_sync():
                self.data = self.index.frames[number].frame.data[:MAX_BYTES]
                self.detail = found

    def turn_to_failure(self) -> None:
        """Bring the proof to the front if a step of it failed: there a finding's evidence is to be seen."""
        proof = self.detail.get("proof")
        if proof is not None and proof["weight"] == "bad":
            self.tab = "proof"

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Take what the doctor found; shown anew if it says something of the frame that is shown."""
        with self._lock:
            before, self.findings = self.findings, findings
            concerned = {n for finding in (*before, *findings) for n in finding.frames}
            if self.number in concerned:
                self.show(self.number)

    def _asked(self, _widget: Any, message: Any, _buffers: Any) -> None:
        match message:
            case {"type": "link", "frame": int(number)}:
                self._on_link(number)
            case {"type": "evidence", "frame": int(number)}:
                self._on_link(number)
                self.turn_to_failure()
            case {"type": "trees", "frame": int(number)}:
                self._draw_trees(number)
            case {"type": "copy", "format": str(wanted), "frame": int(number)}:
                self.send({"type": "copy", "format": wanted, "text": self._copied(wanted, number)})

    def _draw_trees(self, number: int) -> None:
        try:
            proof = self.proofs.proof(number)
            with DRAWING:
                figure = hash_tree_figure(proof.trees)
                svg = figure.inline_svg(secrets.token_hex(8)) if proof.trees else ""
            drawn = {"frame": number, "svg": svg, "words": figure.description if svg else "no hash tree can be read"}
        except IcwsError as error:
            drawn = {"frame": number, "svg": "", "words": one_line(str(error))}
        with self._lock:
            if number == self.number:
                self.drawing = drawn

    def _copied(self, wanted: str, number: int) -> str:
        decoded = self.index.frames[number]
        return decoded.as_python() if wanted == "python" else command(decoded, self.index.recording.raw)
