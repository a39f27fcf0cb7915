"""What the widgets of the live panel have in common: script and style, a worker, a static twin, an end."""

from __future__ import annotations

from importlib import resources
from typing import Any

from icws_explore.views.formatting import one_line
from icws_explore.views.html import note_view
from icws_explore.views.theme import color_variables

from ..widget import ExplorerWidget
from .worker import Worker


def script(*names: str) -> str:
    """Scripts or style sheets of this package, joined, as text: a path would keep a widget alive after `close`."""
    folder = resources.files(__package__)
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def style() -> str:
    """The style sheet of the panel's widgets, with the colours of both themes."""
    return color_variables() + script("live.css")


class PanelWidget(ExplorerWidget):
    """A widget whose slow work runs on ``worker``. Without one it has a worker of its own, which ends with it.

    A subclass that has controls overrides `told`, and says in ``twin_text`` what it is.
    """

    _own_worker: Worker | None = None  # ipywidgets also closes what was never made complete

    def __init__(self, worker: Worker | None, **traits: Any) -> None:
        super().__init__(**traits)
        self._worker = Worker() if worker is None else worker
        self._own_worker = self._worker if worker is None else None
        self.on_msg(lambda _widget, message, _buffers: self.told(message) if isinstance(message, dict) else None)

    def told(self, message: dict[str, Any]) -> None:
        """Do what a view says, which is nothing without controls. May come on any thread."""

    @property
    def twin_text(self) -> str:
        """What stands in the widget's place where no widget can run, in one line."""
        return "A part of the explorer: open the notebook in JupyterLab to use it."

    def close(self) -> None:
        """Cancel what still runs, and close the widget."""
        if self._own_worker is not None:
            self._own_worker.close()
        super().close()

    def _repr_mimebundle_(self, **more: Any) -> Any:
        bundle = super()._repr_mimebundle_(**more)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        twin = note_view(one_line(self.twin_text), "")
        return {**(data or {}), "text/html": twin.html, "text/plain": twin.text}, metadata
