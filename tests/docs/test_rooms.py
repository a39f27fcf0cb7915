from __future__ import annotations

from pathlib import Path

from docs.rooms import PICTURE, PURPOSE, ROWS, imports, main, picture, rooms


class TestPicture:
    def test_in_docs_shows_the_imports_of_today(self) -> None:
        assert PICTURE.read_text(encoding="utf-8") == picture(), "run python -m docs.rooms"

    def test_is_written_where_it_is_asked_to(self, tmp_path: Path) -> None:
        assert main(tmp_path / "images" / "rooms.svg") == 0
        assert (tmp_path / "images" / "rooms.svg").read_text(encoding="utf-8") == picture()


class TestRooms:
    def test_are_all_in_the_picture(self) -> None:
        drawn = [name for row in ROWS for name in row]
        assert sorted(drawn) == sorted(rooms()) == sorted(PURPOSE)

    def test_import_downwards_only(self) -> None:
        row_of = {name: row for row, names in enumerate(ROWS) for name in names}
        counted = imports()
        assert counted["analysis", "protocol"] > 50
        assert all(row_of[source] < row_of[target] for source, target in counted)
