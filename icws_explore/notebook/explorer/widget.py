"""What the explorer's own widgets have in common: their script as text, whole closing, and an open ear.

`FileDrop` takes recordings from the browser.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib import resources
from pathlib import PurePath
from typing import Any, Final

import anywidget
import traitlets

_LAST_SHELL: Final = "_reply_subshell_id"


def source_text(name: str) -> str:
    """A script or a style sheet of this package as text: a path would keep each widget alive after `close`."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


class ExplorerWidget(anywidget.AnyWidget):
    """A widget that is told things by threads, and hears its views while a cell computes."""

    def _send(self, msg: Any, buffers: Any = None) -> None:
        super()._send(msg, buffers)
        # ipykernel (7.4) hands what the page says next to the shell that sent last, and takes a thread for the main
        # one, which may be busy with a cell. Without this the page's own choice counts: a shell for the widgets.
        with contextlib.suppress(AttributeError):  # another ipykernel, or none
            delattr(self.comm, _LAST_SHELL)

    def close(self) -> None:
        """Close the widget with its layout, whose comm would stay open otherwise."""
        if self.comm is not None:
            self.layout.close()
        super().close()


class FileDrop(ExplorerWidget):
    """A button that uploads recordings, onto which they can be dropped. Calls ``on_file`` with name and content."""

    _esm = source_text("file_drop.js")
    _css = """
    .icws-drop.icws-drop { width: max-content; padding: 0 10px; border: 1px dashed var(--jp-border-color1, #bdbdbd); }
    .icws-drop.icws-over { border-color: var(--jp-brand-color1, #1976d2); background: var(--jp-layout-color3, #ddd); }
    """

    accept = traitlets.Unicode(".icws,.gz,.har,.pcap,.pcapng,.flow,.mitm").tag(sync=True)

    def __init__(self, on_file: Callable[[str, bytes], None]) -> None:
        super().__init__()
        self._on_file = on_file
        self.on_msg(self._told)

    def _told(self, _widget: Any, message: Any, buffers: Any) -> None:
        match message:
            case {"type": "file", "name": str(name)} if len(buffers) == 1:
                self._on_file(PurePath(name).name or "upload", bytes(buffers[0]))
