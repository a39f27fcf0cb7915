"""`icws notebooks`: the course in a folder, without touching what is there."""

import json


class TestNotebooks:
    def test_copies_the_course(self, icws, tmp_path):
        assert icws("notebooks", tmp_path / "course").code == 0
        assert f"begin with: jupyter lab {tmp_path / 'course' / 'notebooks' / '00_index.ipynb'}" in icws.out
        assert (tmp_path / "course" / "data" / "sessions" / "healthy.icws").is_file()

    def test_replaces_nothing_without_being_told(self, icws, tmp_path):
        (tmp_path / "notebooks").mkdir()
        mine = tmp_path / "notebooks" / "01_first_session.ipynb"
        mine.write_text("my answers", encoding="utf-8")
        assert "01_first_session.ipynb exists" in icws.fails(3, "notebooks", tmp_path)
        assert mine.read_text(encoding="utf-8") == "my answers"
        assert not (tmp_path / "data").exists()
        assert icws("notebooks", tmp_path, "--force").code == 0
        assert json.loads(mine.read_text(encoding="utf-8"))["nbformat"] == 4

    def test_a_teachers_copy_has_the_solutions(self, icws, tmp_path):
        icws("notebooks", tmp_path / "s")
        icws("notebooks", tmp_path / "t", "--solutions")
        name = "notebooks/01_first_session.ipynb"
        assert "A solution" not in (tmp_path / "s" / name).read_text(encoding="utf-8")
        assert "A solution" in (tmp_path / "t" / name).read_text(encoding="utf-8")

    def test_says_what_cannot_be_written(self, icws, tmp_path):
        (tmp_path / "file").write_text("", encoding="utf-8")
        assert "cannot write" in icws.fails(3, "notebooks", tmp_path / "file")
