"""`icws demo`: the main job, end to end."""

import json

import pytest

from icws_explore.capture import load
from icws_explore.cli import demo


@pytest.fixture
def played_before(monkeypatch, recorded):
    """The demo's session has been played: what is made of it is looked at."""

    async def play(_record, _quiet):
        return load(recorded)

    monkeypatch.setattr(demo, "_play", play)


class TestDemo:
    @pytest.mark.slow
    def test_leaves_everything_and_says_it_is_scaled(self, icws, tmp_path):
        assert icws("demo", "--out", tmp_path / "out").code == 0, icws.err
        made = {path.name for path in (tmp_path / "out").iterdir()}
        assert {"session.icws", "report.html", "timeline.png", "sequence_numbers.svg"} <= made
        for said in ("opened", "acks", "keep-alives", "valid", "scaled × 100"):
            assert said in icws.out
        assert "clock runs 100 times as fast as yours" in icws.err
        kinds = [
            json.loads(line) for line in icws("show", tmp_path / "out" / "session.icws", "--json").out.splitlines()
        ]
        assert {"handshake", "open", "message", "app", "ack", "keep_alive"} <= {row["kind"] for row in kinds}
        assert load(tmp_path / "out" / "session.icws").info.clock.scale == 100

    @pytest.mark.usefixtures("played_before")
    def test_json_summary(self, icws, tmp_path):
        summary = json.loads(icws("demo", "--json", "--out", tmp_path).out)
        assert summary["opened"] is True
        assert summary["certificates"] == summary["certificates_valid"] >= 4
        assert summary["time_scale"] == 100

    def test_a_place_that_cannot_be_written(self, icws, tmp_path):
        (tmp_path / "file").write_text("")
        assert "cannot make the folder" in icws.fails(3, "demo", "--out", tmp_path / "file" / "out")

    @pytest.mark.usefixtures("played_before")
    def test_a_folder_in_the_place_of_a_picture(self, icws, tmp_path):
        (tmp_path / "timeline.png").mkdir()
        assert "timeline.png: Is a directory" in icws("demo", "--out", tmp_path).err
