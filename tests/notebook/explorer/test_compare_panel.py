from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.notebook.explorer.compare_panel import NOTHING
from support.explorer_scene import WAIT_S, explored, open_comms
from support.machine import ROOT
from support.session_captures import hostile

SESSIONS = ROOT / "data" / "sessions"
HEALTHY, TAMPERED = SESSIONS / "healthy.icws", SESSIONS / "tampered_body.icws"


def compared(explorer: Any, path: Path) -> Any:
    """The panel of ``explorer``, with the comparison with a file."""
    panel = explorer.panel("Compare")
    panel.path.value = str(path)
    panel.join(WAIT_S)
    return panel


def two_sessions() -> Recording:
    """One recording with a tampered session "a" and a healthy session "b"."""
    sides = [("a", icws.load(TAMPERED).raw), ("b", icws.load(HEALTHY).raw)]
    frames = [replace(frame, session=name) for name, capture in sides for frame in capture.frames]
    return Recording(Capture(sides[0][1].info, sorted(frames, key=lambda frame: frame.t)))


def test_shows_the_first_difference_and_selects_its_frame() -> None:
    with explored(TAMPERED) as explorer:
        panel = compared(explorer, HEALTHY)
        assert panel.said.value == ""
        assert "first difference" in panel.events.html
        assert "frame 8 of healthy.icws" in panel.events.html
        assert panel.events.first == 8
        panel.events._handle_custom_msg({"type": "link", "frame": 8}, [])
        assert explorer.selected == 8


def test_of_a_recording_with_itself_has_no_first_difference() -> None:
    with explored(HEALTHY) as explorer:
        panel = compared(explorer, HEALTHY)
        assert panel.events.first == -1
        assert "✓" in panel.events.html


def test_takes_an_upload() -> None:
    with explored(TAMPERED) as explorer:
        panel = explorer.panel("Compare")
        file = memoryview(HEALTHY.read_bytes())
        panel.upload._handle_custom_msg({"type": "file", "name": "../healthy.icws"}, [file])
        panel.join(WAIT_S)
        assert panel.events.first == 8


def test_compares_two_sessions_of_one_recording_by_the_numbers_of_the_list() -> None:
    recording = two_sessions()
    with explored(recording) as explorer:
        panel = explorer.panel("Compare")
        assert [label for label, _ in panel.mine.options] == ["all sessions", "a", "b"]
        assert (panel.mine.label, panel.theirs.label) == ("all sessions", "b")
        panel.mine.label = "a"
        panel.compare_session()
        panel.join(WAIT_S)
        frame = recording[panel.events.first].frame
        assert (frame.session, frame.data) == ("a", icws.load(TAMPERED).raw[8].data)
        assert panel.events.both
        panel.mine.label = "b"
        panel.compare_session()
        assert "choose two sessions" in panel.said.value


@pytest.mark.parametrize("path", ["no/such/file.icws", "pyproject.toml"])
def test_says_in_one_line_what_is_wrong_with_a_file(path: str) -> None:
    with explored(HEALTHY) as explorer:
        panel = compared(explorer, ROOT / path)
        assert Path(path).name in panel.said.value
        assert panel.events.html == ""
        panel.path.value = ""
        assert NOTHING in panel.said.value


def test_escapes_what_a_peer_sent(tmp_path: Path) -> None:
    named = tmp_path / "<img src=x>.icws"
    icws.load(HEALTHY).save(named)
    with explored(hostile()) as explorer:
        panel = compared(explorer, named)
        assert "<script" not in panel.events.html
        assert "<img" not in panel.events.html
        assert "&lt;img" in panel.events.html + panel.said.value


def test_another_source_takes_the_comparison_away_and_closing_leaves_nothing() -> None:
    before = open_comms()
    with explored(TAMPERED) as explorer:
        panel = compared(explorer, HEALTHY)
        explorer.open(HEALTHY)
        panel.update()
        assert panel.events.html == ""
    for thread in threading.enumerate():
        if thread.name == "icws-explorer-compares":
            thread.join(WAIT_S)
    assert open_comms() == before
