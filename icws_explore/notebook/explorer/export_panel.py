"""The tab for taking things away: files of the recording, and the Python that reproduces the view.

A file is handed to the browser, which saves it as any download, also where the kernel runs on another machine.
`EXPORTS` lists the files; a further format is one more entry.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import traitlets

from icws_explore.analysis.export import PARQUET_EXTRA
from icws_explore.analysis.filter import compile_filter
from icws_explore.analysis.recording import Recording
from icws_explore.capture.har_writer import har_loss
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.formatting import one_line
from icws_explore.views.report.file import report
from icws_explore.views.theme import color_variables

from .widget import ExplorerWidget, source_text

if TYPE_CHECKING:
    from .explorer import Explorer

Export = Callable[[Recording, Path], object]


def _report(recording: Recording, path: Path) -> None:
    report(recording).save(path)


def _redacted(recording: Recording, path: Path) -> None:
    report(recording, redact=True).save(path)


def _csv(recording: Recording, path: Path) -> None:
    recording.frames().to_csv(path)


# What the button says: the file's name behind that of the recording, what it is for, and who writes it.
EXPORTS: Final[Mapping[str, tuple[str, str, Export]]] = {
    "Recording (.icws)": (
        ".icws",
        "every frame, for this explorer and the icws command",
        Recording.save,
    ),
    "Report (.html)": (".html", "one page to attach to a bug report", _report),
    "Redacted report (.md)": (".md", "text for an issue, without your users' messages", _redacted),
    "HAR (.har)": (
        ".har",
        "for a browser's network panel; without root key, canister and message type",
        Recording.to_har,
    ),
    "Frames (.csv)": (".csv", "the table of frames", _csv),
    "Frames (.parquet)": (".parquet", "the table of frames with their bytes", Recording.to_parquet),
}


def _offered() -> list[list[str]]:
    """Name, purpose, and what is lacking to write it, of each file."""
    lacking = {} if find_spec("pyarrow") else {"Frames (.parquet)": PARQUET_EXTRA}
    return [[name, about, lacking.get(name, "")] for name, (_, about, _) in EXPORTS.items()]


class ExportPanel(ExplorerWidget):
    """Buttons that download files of ``explorer``'s recording, and Python code for what the explorer shows."""

    _esm = source_text("export_panel.js")
    _css = color_variables() + source_text("explorer.css")

    exports: Any = traitlets.List().tag(sync=True)  # [name, what it is for, what is lacking]
    code = traitlets.Unicode().tag(sync=True)
    fault = traitlets.Unicode().tag(sync=True)

    def __init__(self, explorer: Explorer) -> None:
        super().__init__()
        self._explorer = explorer
        self.exports = _offered()
        self.on_msg(self._asked)
        self._stop = explorer.on_change(self.update)
        explorer.frame_list.observe(self._view_changed, names=["where", "text", "session", "selected", "error"])
        self.update()

    def _view_changed(self, _change: Any) -> None:
        self.update()

    def update(self) -> None:
        """Write the code anew."""
        self.code = view_code(self._explorer)

    def _asked(self, _widget: Any, message: Any, _buffers: Any) -> None:
        match message:
            case {"type": "export", "name": str(name)} if name in EXPORTS:
                self._export(name)

    def _export(self, name: str) -> None:
        recording = self._explorer.recording
        if recording is None:
            return
        ending, _, write = EXPORTS[name]
        stem = Path(self._explorer.name).stem.partition(".")[0] or "session"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{stem}{ending}"
            try:
                write(recording, path)
            except (IcwsError, OSError) as error:
                self.fault = f"{name} cannot be written: {one_line(str(error))}"
                return
            self.fault = ""
            lost = har_loss(recording.raw) if ending == ".har" else ""
            self.send({"type": "file", "name": path.name, "lost": lost}, buffers=[path.read_bytes()])

    def close(self) -> None:
        """Close the panel with its layout."""
        self._stop()
        self._explorer.frame_list.unobserve(self._view_changed, names=["where", "text", "session", "selected", "error"])
        super().close()


def view_code(explorer: Explorer) -> str:
    """Python that gives the same frames as the explorer shows, and the selected one in full."""
    choice = explorer.index.choice
    path = explorer.path or f"{Path(explorer.name).stem or 'session'}.icws"
    lines = ["import icws_explore as icws", "", f"recording = icws.load({path!r})"]
    conditions = []
    if choice.where.strip():
        compile_filter(choice.where)  # what is shown could be read
        lines[0:0] = ["from icws_explore.analysis.filter import compile_filter"]
        lines += [f"wanted = compile_filter({choice.where!r})", "start = recording.raw[0].t"]
        conditions.append("wanted(frame, start)")
    if choice.session:
        conditions.append(f"frame.frame.session == {choice.session!r}")
    if choice.text:
        lines[0:0] = ["from icws_explore.notebook.explorer.frame_index import content_text"]
        conditions.append(f"{choice.text.casefold()!r} in content_text(frame).casefold()")
    if conditions:
        lines.append(f"frames = [frame for frame in recording if {' and '.join(conditions)}]")
        lines.append("recording.frames().loc[[frame.number for frame in frames]]")
    else:
        lines.append("recording.frames()")
    if explorer.selected is not None:
        lines += ["", f"icws.inspect(recording, {explorer.selected})", f"recording[{explorer.selected}]"]
    return "\n".join(lines) + "\n"


def export_panel(explorer: Explorer) -> ExportPanel:
    """The panel of the tab."""
    return ExportPanel(explorer)
