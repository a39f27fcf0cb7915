from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import pandas as pd
import pytest

import icws_explore as icws
from icws_explore.analysis.doctor import Findings
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.live.clock import ScaledClock
from icws_explore.live.tap import Tap
from icws_explore.notebook.explorer import explorer as module
from icws_explore.notebook.explorer import export_panel
from icws_explore.notebook.explorer.explorer import PANELS, Explorer
from icws_explore.notebook.explorer.frame_index import MAX_TAKEN
from icws_explore.notebook.live_timing import CellRun
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import candid_interface
from icws_explore.protocol.errors import ArgumentValueError
from support.explorer_scene import WAIT_S, explored, growing, open_comms
from support.machine import ROOT
from support.session_captures import healthy, hostile
from support.wat import wat

SESSIONS = ROOT / "data" / "sessions"


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("icws-explorer")]


def until_gone() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("icws-explorer"):
            thread.join(WAIT_S)


class TestSources:
    def test_a_path_a_recording_and_a_capture(self) -> None:
        path = SESSIONS / "healthy.icws"
        for source in (path, str(path), icws.load(path), icws.load(path).raw):
            with explored(source) as explorer:
                assert explorer.frame_list.total == len(icws.load(path))
                assert explorer.recording is not None

    def test_nothing_is_a_start_page(self) -> None:
        with explored() as explorer:
            assert explorer.recording is None
            assert "start page" in repr(explorer)
            assert explorer.widget.children[1].children[0] is explorer._start

    @pytest.mark.parametrize("source", [5, ["a"], {"a": 1}])
    def test_anything_else_is_refused_in_one_line(self, source: Any) -> None:
        before = open_comms()
        with pytest.raises(TypeError, match="explore takes a Lab"):
            icws.explore(source)
        assert open_comms() == before

    def test_a_missing_file_is_one_line_and_keeps_what_was_shown(self) -> None:
        with explored(healthy()) as explorer:
            shown = explorer.recording
            with pytest.raises(icws.CaptureError):
                explorer.open("no/such/file.icws")
            assert explorer.recording is shown

    def test_another_source_takes_the_place_of_the_first(self) -> None:
        with explored(healthy()) as explorer:
            explorer.select(3)
            explorer.frame_list.where = 'kind == "ack"'
            explorer.open(SESSIONS / "chat.icws")
            assert explorer.selected is None
            assert explorer.frame_detail.detail == {}
            assert explorer.frame_list.where == 'kind == "ack"'
            assert {row[4] for row in explorer.frame_list.head} == {"ack"}
            assert (explorer.name, explorer.path) == ("chat.icws", str(SESSIONS / "chat.icws"))

    def test_a_lab_in_a_process_of_its_own_is_looked_at_through_a_tap(self) -> None:
        with Lab("echo", process=True) as lab:
            with pytest.raises(ArgumentValueError, match=r"leave out process=True, or give it icws\.Tap"):
                icws.explore(lab)
            with Tap(lab) as tap:
                explorer = icws.explore(tap)
                assert explorer.tap is tap
                explorer.close()


class TestSelection:
    def test_shows_the_detail(self) -> None:
        with explored(healthy()) as explorer:
            explorer.frame_list.selected = 4  # as a click does
            assert explorer.frame_detail.detail["frame"] == 4
            assert explorer.frame_detail.data == healthy()[4].data
            explorer.frame_list.selected = -1
            assert explorer.frame_detail.detail == {}

    def test_by_a_link_reveals_the_row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with explored(healthy()) as explorer:
            sent: list[Any] = []
            monkeypatch.setattr(explorer.frame_list, "send", sent.append)
            explorer.frame_detail._handle_custom_msg({"type": "link", "frame": 5}, [])
            assert explorer.selected == 5
            assert explorer.frame_detail.detail["frame"] == 5
            assert sent == [{"type": "reveal", "frame": 5, "row": 5}]

    def test_draws_the_hash_trees_on_demand(self) -> None:
        with explored(SESSIONS / "healthy.icws") as explorer:
            explorer.select(8)
            assert explorer.frame_detail.drawing == {}
            explorer.frame_detail._handle_custom_msg({"type": "trees", "frame": 8}, [])
            assert explorer.frame_detail.drawing["svg"].startswith("<svg")
            explorer.select(3)
            explorer.frame_detail._handle_custom_msg({"type": "trees", "frame": 3}, [])
            assert explorer.frame_detail.drawing["svg"] == ""

    @pytest.mark.parametrize("wanted", ["python", "command"])
    def test_copies(self, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with explored(healthy()) as explorer:
            sent: list[Any] = []
            monkeypatch.setattr(explorer.frame_detail, "send", sent.append)
            explorer.frame_detail._handle_custom_msg({"type": "copy", "format": wanted, "frame": 3}, [])
            assert sent[0]["text"]
            if wanted == "python":
                space: dict[str, Any] = {}
                exec(sent[0]["text"], space)
                assert space["frame"] == healthy()[3]


class TestFindings:
    def test_mark_the_rows_and_the_panel_selects_their_frames(self) -> None:
        with explored(SESSIONS / "tampered_body.icws") as explorer:
            panel = explorer.panel("Findings")
            panel.update()
            assert "BODY_HASH" in panel.findings[0]["title"]
            assert explorer.index.rows(8, 9)[0][10:] == ["failed", "error"]
            panel._handle_custom_msg({"type": "link", "frame": 8}, [])
            assert explorer.frame_detail.detail["frame"] == 8
            assert "BODY_HASH" in [finding["id"] for finding in explorer.frame_detail.detail["findings"]]

    def test_show_the_frames_that_prove_them(self) -> None:
        with explored(SESSIONS / "tampered_body.icws") as explorer:
            panel = explorer.panel("Findings")
            panel.update()
            first, closed = panel.findings[0]["rows"]
            assert first[:6] == [8, "13.716", "←", "■", "app", "4"]
            assert "pwned" in first[6]
            assert closed[0] == 16
            assert panel.findings[0]["frames"] == []

    def test_with_many_frames_show_the_first_as_rows_and_the_others_as_numbers(self) -> None:
        with explored(SESSIONS / "tampered_body.icws") as explorer:
            panel = explorer.panel("Findings")
            (finding, *_) = explorer.findings
            explorer.findings = Findings([replace(finding, frames=tuple(range(17)))])
            panel.update()
            assert [row[0] for row in panel.findings[0]["rows"]] == list(range(12))
            assert panel.findings[0]["frames"] == [12, 13, 14, 15, 16]

    def test_lead_to_the_proof_that_failed(self) -> None:
        with explored(SESSIONS / "tampered_body.icws") as explorer:
            panel = explorer.panel("Findings")
            explorer.frame_detail.tab = "related"
            panel._handle_custom_msg({"type": "link", "frame": 15}, [])  # evidence whose proof holds
            assert (explorer.selected, explorer.frame_detail.tab) == (15, "related")
            panel._handle_custom_msg({"type": "link", "frame": 8}, [])
            assert (explorer.selected, explorer.frame_detail.tab) == (8, "proof")
            explorer.frame_detail.tab = "fields"
            explorer.frame_detail._handle_custom_msg({"type": "link", "frame": 8}, [])  # no evidence: the page stays
            assert explorer.frame_detail.tab == "fields"
            explorer.frame_detail._handle_custom_msg({"type": "evidence", "frame": 8}, [])
            assert explorer.frame_detail.tab == "proof"

    def test_of_a_healthy_recording_are_none(self) -> None:
        with explored(SESSIONS / "healthy.icws") as explorer:
            panel = explorer.panel("Findings")
            assert panel.findings == []
            assert panel.notes[-1][1].lstrip("✓ ") == explorer.findings.conclusion
            facts = {name: (value, weight) for name, value, weight in explorer.frame_detail.overview}
            assert facts["proofs"] == ("15 passed", "good")


class TestGrowth:
    def test_shows_every_frame_that_is_appended(self) -> None:
        whole = healthy()
        capture, until = growing(whole, begin=2)
        with explored(Recording(capture)) as explorer:
            changed = threading.Event()
            stop = explorer.on_change(changed.set)
            for number in range(3, len(whole) + 1):
                until(number)
                while len(explorer.index.frames) < number:
                    assert changed.wait(WAIT_S)
                    changed.clear()
            assert [row[0] for row in explorer.index.rows(0, 100)] == list(range(len(whole)))
            while explorer.frame_list.total < len(whole):
                assert changed.wait(WAIT_S)
            stop()

    async def test_is_told_on_the_loop(self) -> None:
        capture, until = growing(healthy(), begin=2)
        seen: list[str] = []
        told = asyncio.Event()
        explorer = Explorer(Recording(capture))
        try:
            explorer.on_change(lambda: (seen.append(threading.current_thread().name), told.set()))
            until(6)
            async with asyncio.timeout(WAIT_S):
                while len(explorer.index.frames) < 6:
                    await told.wait()
                    told.clear()
            assert set(seen) == {threading.current_thread().name}
        finally:
            explorer.close()

    def test_of_a_large_file_shows_its_first_frames_at_once(self) -> None:
        whole = healthy()
        many = [whole.frames[number % len(whole)] for number in range(2 * MAX_TAKEN + 5)]
        explorer = Explorer(Capture(replace(whole.info, origin="har"), many))
        try:
            assert not explorer.frame_list.live
            explorer.select(1)
            assert explorer.frame_detail.detail["frame"] == 1
            follower = explorer._follower
            assert follower is not None
            follower.join(WAIT_S)
            assert explorer.frame_list.total == explorer.frame_list.frames == len(many)
        finally:
            explorer.close()

    def test_of_a_file_is_not_waited_for(self) -> None:
        with explored(SESSIONS / "healthy.icws") as explorer:
            assert explorer._follower is None
            assert not explorer.frame_list.live


class TestLab:
    def test_sessions_through_its_tap_appear(self) -> None:
        async def talk(explorer: Explorer, lab: icws.Lab) -> None:
            assert explorer.tap is not None
            session = await icws.connect(
                explorer.tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock
            )
            explorer.open(session)
            assert (explorer.lab, explorer.session) == (lab, session)
            assert explorer.recording is explorer.tap.recording
            await session.close()

        with icws.Lab(app="pingpong", time_scale=20) as lab:
            explorer = icws.explore(lab)
            try:
                assert explorer.lab is lab
                asyncio.run(talk(explorer, lab))
                assert explorer.recording is not None
                explorer._follower._wake.set()  # type: ignore[union-attr]
                while len(explorer.index.frames) < len(explorer.recording):
                    explorer._follower._stop.wait(0.01)  # type: ignore[union-attr]
                assert "open" in {decoded.kind for decoded in explorer.index.frames}
                tap = explorer.tap
            finally:
                explorer.close()
            assert lab.running
            assert tap is not None
            with pytest.raises(icws.ConnectError):
                _ = tap.url

    def test_of_its_own_ends_with_it(self) -> None:
        lab = icws.Lab(app="echo")
        explorer = Explorer()
        explorer.open(lab, owned=True)
        assert lab.running
        explorer.close()
        assert not lab.running

    def test_a_session_is_watched_no_more_after_the_end(self) -> None:
        async def run(lab: icws.Lab) -> None:
            async with icws.connect(lab) as session:
                explorer = icws.explore(session)
                assert len(session._observers) == 1
                explorer.close()
                assert session._observers == []

        with icws.Lab(app="echo", time_scale=20) as lab:
            asyncio.run(run(lab))


class TestPanels:
    def test_are_made_when_they_are_opened(self) -> None:
        with explored(healthy()) as explorer:
            assert list(explorer._panels) == [0]
            explorer._tabs.selected_index = 1
            assert sorted(explorer._panels) == [0, 1]

    def test_of_another_name_do_not_exist(self) -> None:
        with explored(healthy()) as explorer, pytest.raises(KeyError, match="Findings"):
            explorer.panel("nothing")

    def test_may_be_added(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Mine(ipywidgets.HTML):  # type: ignore[misc]
            closed = 0

            def close(self) -> None:
                Mine.closed += 1
                self.layout.close()
                self.style.close()
                super().close()

        monkeypatch.setattr(module, "PANELS", [*PANELS, ("Mine", lambda explorer: Mine(value="x"))])
        before = open_comms()
        with explored(healthy()) as explorer:
            assert isinstance(explorer.panel("Mine"), Mine)
        assert Mine.closed == 1
        assert open_comms() == before

    @pytest.mark.parametrize("title", [title for title, _ in PANELS])
    def test_live_through_another_source(self, title: str) -> None:
        with explored(healthy()) as explorer:
            explorer.panel(title)
            explorer.open(hostile())
            explorer.panel(title)


class TestTiming:
    def test_is_drawn_for_the_room_on_the_page(self) -> None:
        with explored(SESSIONS / "tampered_body.icws") as explorer:
            panel = explorer.panel("Timing")
            for width, inches in ((0, 10), (572, 5.7), (3000, 10)):
                panel.picture.width = width
                assert panel.picture.figure.get_figwidth() == pytest.approx(inches)
            panel.plots.value = "latencies"
            panel.picture.width = 572
            assert "Latency" in panel.picture.description
            assert panel.picture.figure.get_figwidth() == pytest.approx(5.7)


class TestClosing:
    def test_leaves_no_comm_and_no_thread(self) -> None:
        until_gone()
        before = open_comms()
        for _ in range(10):
            with explored(healthy()) as explorer:
                explorer.select(3)
                for title, _ in PANELS:
                    explorer.panel(title)
        with explored():
            pass
        until_gone()
        assert open_comms() == before
        assert threads() == []

    def test_of_the_widget_closes_the_explorer(self) -> None:
        before = open_comms()
        explorer = Explorer(healthy())
        explorer.widget.close()
        assert open_comms() == before
        explorer.close()
        until_gone()
        assert threads() == []

    def test_lets_the_recording_go(self) -> None:
        capture = healthy()
        recording = Recording(capture)
        gone = weakref.ref(recording)
        with explored(recording):
            pass
        del recording
        until_gone()
        gc.collect()
        assert gone() is None

    def test_a_cell_that_runs_again_closes_what_it_showed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        run = CellRun("cell", "first")
        monkeypatch.setattr(module, "current_cell", lambda: run)
        first = Explorer(healthy())
        other = Explorer(healthy())  # of the same run: a cell may show two
        assert not first._closed
        run = CellRun("cell", "second")
        second = Explorer(healthy())
        assert first._closed
        assert other._closed
        second.close()


class TestBundle:
    def test_holds_the_widget_and_its_twins(self) -> None:
        with explored(SESSIONS / "tampered_body.icws") as explorer:
            data, _ = explorer._repr_mimebundle_()
            assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.widget.model_id
            assert "BODY_HASH" in data["text/html"]
            assert "BODY_HASH" in data["text/plain"]
            assert "<script" not in data["text/html"]

    def test_of_hostile_content_is_escaped(self) -> None:
        with explored(hostile()) as explorer:
            explorer.select(3)
            html = explorer._repr_mimebundle_()[0]["text/html"]
            assert "<script" not in html
            assert "&lt;script&gt;" in html
            assert "<img" not in html

    def test_of_the_start_page_says_what_to_do(self) -> None:
        with explored() as explorer:
            assert "icws.explore" in explorer._repr_mimebundle_()[0]["text/html"]


class TestExport:
    def test_hands_files_to_the_browser(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with explored(SESSIONS / "healthy.icws") as explorer:
            panel = explorer.panel("Export")
            sent: dict[str, bytes] = {}
            lost: dict[str, str] = {}

            def send(content: Any, buffers: list[bytes]) -> None:
                sent[content["name"]] = buffers[0]
                lost[content["name"]] = content["lost"]

            monkeypatch.setattr(panel, "send", send)
            for name, _, lacking in panel.exports:
                assert lacking == ""
                panel._handle_custom_msg({"type": "export", "name": name}, [])
            endings = ["csv", "har", "html", "icws", "md", "parquet"]
            assert sorted(sent) == [f"healthy.{ending}" for ending in endings]
            assert lost.pop("healthy.har").startswith("A HAR does not hold the root key")
            assert set(lost.values()) == {""}
            (tmp_path / "again.har").write_bytes(sent["healthy.har"])
            assert [f.data for f in icws.load(tmp_path / "again.har").raw] == [f.data for f in explorer.recording.raw]
            (tmp_path / "again.parquet").write_bytes(sent["healthy.parquet"])
            assert len(pd.read_parquet(tmp_path / "again.parquet")) == len(explorer.recording)
            (tmp_path / "again.icws").write_bytes(sent["healthy.icws"])
            assert icws.load(tmp_path / "again.icws").raw.frames == icws.load(SESSIONS / "healthy.icws").raw.frames
            assert sent["healthy.csv"].startswith(b"frame,t,")

    def test_says_what_to_install_for_parquet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export_panel, "find_spec", lambda _: None)
        with explored(SESSIONS / "healthy.icws") as explorer:
            lacking = {name: line for name, _, line in explorer.panel("Export").exports if line}
            assert lacking == {"Frames (.parquet)": 'to_parquet needs pyarrow: pip install "icws_explore[parquet]"'}

    def test_writes_the_python_of_the_view(self) -> None:
        with explored(SESSIONS / "healthy.icws") as explorer:
            explorer.frame_list.where = 'direction == "in"'
            explorer.frame_list.text = "PING"
            explorer.select(4)
            shown = [row[0] for row in explorer.frame_list.head]
            assert shown
            space: dict[str, Any] = {}
            exec(explorer.panel("Export").code, space)
            assert [frame.number for frame in space["frames"]] == shown


class TestStartPage:
    def test_starts_a_lab_in_one_click(self) -> None:
        with explored() as explorer:
            explorer._start.start_lab()
            assert explorer.lab is not None
            assert explorer.lab.running
            assert explorer.tap is not None
            assert explorer._tabs.titles[explorer._tabs.selected_index] == "Live"

    @pytest.mark.parametrize("scale", [1, 10])
    def test_starts_a_lab_whose_time_passes_and_can_be_paused(self, scale: int) -> None:
        with explored() as explorer:
            page = explorer._start
            page.scale.value = scale
            page.start_lab()
            assert explorer.lab is not None
            clock = explorer.lab.clock
            assert isinstance(clock, ScaledClock)
            assert (clock.scale, clock.is_paused) == (scale, False)
            assert explorer._clock.layout.display == ""
            assert "pause" in explorer._clock.run.description
            explorer._clock.run.click()
            assert clock.is_paused
            explorer.open(healthy())
            assert explorer._clock.layout.display == "none"

    def test_starts_a_lab_with_a_canister_of_ones_own(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text("MESSAGE_TYPE = 'text'\ndef on_open(context, client): pass\n")
        with explored() as explorer:
            page = explorer._start
            assert page.init.layout.display == "none"
            page.own.value = str(tmp_path / "mine.py")
            assert page.app.disabled
            assert "the one in this file" in page._about.value
            page.start_lab()
            assert explorer.lab is not None
            assert [canister.app.name for canister in explorer.lab.canisters] == ["mine"]

    def test_compiles_a_module_and_says_what_is_wrong_with_it(self, tmp_path: Path) -> None:
        text = candid_interface(parse_type("text")).replace("service : {", "service : (nat8) -> {")
        did = "".join(f"\\{byte:02x}" for byte in text.encode())
        pointer = '(func (export "get_candid_pointer") (result i32) (i32.const 100))'
        poll = '(func (export "canister_query ws_get_messages"))'
        source = wat(f'{pointer} {poll} (data (i32.const 100) "{did}\\00")')
        (tmp_path / "mine.wat").write_text(source)
        with explored() as explorer:
            page = explorer._start
            page.own.value = str(tmp_path / "mine.wat")
            assert page.init.layout.display == ""
            page.start_lab()
            assert "takes an argument at its installation" in page.said.value
            assert explorer.lab is None
            page.init.value = "(5)"
            page.start_lab()
            assert explorer.lab is not None
            assert explorer.lab.canisters[0].app.name == "mine.wat"

    def test_says_what_the_chosen_app_does(self) -> None:
        with explored() as explorer:
            page = explorer._start
            assert "sends each message back" in page._about.value
            page.app.value = "ticker"
            assert "by itself" in page._about.value

    def test_opens_a_path_and_says_what_is_wrong(self) -> None:
        with explored() as explorer:
            page = explorer._start
            page.open_path()
            assert "type the path" in page.said.value
            assert page._file_card.children[-1] is page.said  # below all cards it may be out of sight
            assert page.said.layout.display == ""
            page.path.value = "no/such.icws"
            page.open_path()
            assert "no/such.icws" in page.said.value
            page.path.value = str(SESSIONS / "chat.icws")
            page.open_path()
            assert explorer.name == "chat.icws"

    def test_opens_a_path_on_enter(self) -> None:
        with explored() as explorer:
            page = explorer._start
            page.path.value = str(SESSIONS / "chat.icws")
            page.path._handle_custom_msg({"event": "blur"}, [])
            assert explorer.name == ""
            page.path._handle_custom_msg({"event": "submit"}, [])  # what the browser sends for Enter
            assert explorer.name == "chat.icws"

    def test_opens_an_uploaded_file(self) -> None:
        content = (SESSIONS / "chat.icws").read_bytes()
        with explored() as explorer:
            explorer._start.upload._handle_custom_msg({"type": "file", "name": "../chat.icws"}, [memoryview(content)])
            assert explorer.name == "chat.icws"
            assert explorer.frame_list.total == len(icws.load(SESSIONS / "chat.icws"))

    def test_says_in_one_line_why_a_gateway_cannot_be_used(self) -> None:
        with explored() as explorer:
            page = explorer._start
            page.gateway.value = "ftp://nothing"
            page.connect()
            assert "ws://" in page.said.value
            assert page._gateway_card.children[-1] is page.said
            assert page.said not in page._file_card.children
            page.start_tap()
            assert "ws://" in page.said.value
