"""What the explorer's own widgets have in common: their script as text, whole closing, and an open ear."""

from __future__ import annotations

import contextlib
from importlib import resources
from typing import Any, Final

import anywidget

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
