"""What every widget leaves for viewers that run none: a page or a picture, and text.

GitHub and an exported page show HTML or a picture, without scripts and styles. VS Code in a workspace that is not
trusted shows the picture or the text only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

import pytest

import icws_explore as icws
from icws_explore import plots
from icws_explore.notebook.explorer.live.connect_form import ConnectForm
from icws_explore.notebook.explorer.live.raw_form import RawForm
from icws_explore.notebook.explorer.live.send_form import SendForm
from icws_explore.notebook.explorer.live.session_state import SessionState
from icws_explore.notebook.interactive_plot import interactive
from icws_explore.notebook.live_timing import live_timing
from icws_explore.notebook.sliders import SimulationSliders
from support.explorer_scene import explored
from support.machine import ROOT
from support.session_captures import healthy

VIEW = "application/vnd.jupyter.widget-view+json"
TAMPERED = ROOT / "data" / "sessions" / "tampered_body.icws"


class Running:
    """A session as `live_timing` needs it."""

    def __init__(self) -> None:
        self.recording = icws.Recording(healthy())
        self.close_code = 1000

    @property
    def clock(self) -> Running:
        return self

    def now_s(self) -> float:
        return self.recording.raw.frames[-1].t


async def nothing(*_: Any) -> None:
    """What a form would do."""


WIDGETS: dict[str, Callable[[], Any]] = {
    "plot": lambda: interactive(plots.ack_age(healthy())),
    "sliders": lambda: SimulationSliders("timeline"),
    "live timing": lambda: live_timing(Running()),
    "state": SessionState,
    "send form": lambda: SendForm("record { text : text }"),
    "raw form": lambda: RawForm(nothing, nothing),
    "connect form": lambda: ConnectForm(nothing),
}


class Read(HTMLParser):
    """The words of a page, as they stand there without scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.tags: set[str] = set()
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._inside):
            self.words += data


@contextmanager
def shown(widget: Any) -> Iterator[dict[str, Any]]:
    """What a cell stores of a widget."""
    try:
        bundle = widget._repr_mimebundle_()
        yield bundle[0] if isinstance(bundle, tuple) else bundle
    finally:
        widget.close()


@pytest.mark.parametrize("name", WIDGETS)
def test_stands_beside_the_view(name: str) -> None:
    widget = WIDGETS[name]()
    with shown(widget) as data:
        assert data[VIEW]["model_id"] == widget.model_id
        assert data.get("image/png") or Read(data["text/html"]).words.strip()
        assert type(widget).__name__ not in data["text/plain"]  # ipywidgets' own text is the constructor
        assert len(data["text/plain"].split()) > 3


@pytest.mark.parametrize(("source", "words"), [(TAMPERED, "BODY_HASH"), (None, "icws.explore")])
def test_of_the_explorer_is_text_and_html(source: Any, words: str) -> None:
    with explored(source) as explorer:
        data, _ = explorer._repr_mimebundle_()
        page = Read(data["text/html"])
        assert data[VIEW]["model_id"] == explorer.widget.model_id
        assert not {"script", "iframe", "link", "img"} & page.tags  # nothing that a viewer takes out or asks for
        assert words in page.words
        assert words in data["text/plain"]


def test_of_the_explorer_has_a_row_for_each_frame() -> None:
    with explored(TAMPERED) as explorer:
        data, _ = explorer._repr_mimebundle_()
        for decoded in icws.load(TAMPERED):
            assert decoded.summary[:40] in data["text/plain"]
            assert decoded.summary[:40] in Read(data["text/html"]).words
