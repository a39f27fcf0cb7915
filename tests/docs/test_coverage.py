"""The coverage page: counted by room, and only 100 % if nothing is missing."""

from __future__ import annotations

import re

from docs.coverage import EXCEPTIONS, PACKAGE, PAGE, by_room, exceptions, measured, page
from docs.rooms import ROWS


def summary(statements: int, missing: int, branches: int, covered: int) -> dict[str, dict[str, int]]:
    numbers = {"num_statements": statements, "missing_lines": missing}
    return {"summary": numbers | {"num_branches": branches, "covered_branches": covered}}


REPORT = {
    "files": {
        "icws_explore/protocol/cbor.py": summary(100, 0, 40, 40),
        "icws_explore/protocol/candid/text.py": summary(50, 0, 10, 10),
        "icws_explore/cli/main.py": summary(3000, 1, 0, 0),
        "icws_explore/errors.py": summary(10, 0, 0, 0),
    }
}


class TestPage:
    def test_has_a_row_for_each_room_with_its_folders(self) -> None:
        text = page(by_room(measured(REPORT)), exceptions())
        assert "| `protocol/`: the protocol itself, pure | 150 | 100 % | 50 | 100 % |" in text
        assert "| front door and `errors.py` | 10 | 100 % | 0 | 100 % |" in text

    def test_rounds_down_so_that_100_means_all(self) -> None:
        text = page(by_room(measured(REPORT)), exceptions())
        assert "| `cli/`: the icws command | 3000 | 99.9 % | 0 | 100 % |" in text
        assert "| all | 3160 | 99.9 % | 50 | 100 % |" in text

    def test_counts_the_exceptions_that_are_marked_in_the_code(self) -> None:
        marked = exceptions()
        assert marked.keys() == EXCEPTIONS.keys()
        assert all(0 < count < 20 for count in marked.values())
        text = page(by_room(measured(REPORT)), marked)
        assert all(f"- `{mark}` ({count} times)" in text for mark, count in marked.items())

    def test_is_written_for_the_rooms_and_the_exceptions_of_today(self) -> None:
        written = PAGE.read_text(encoding="utf-8")
        assert set(re.findall(r"^\| `(\w+)/`", written, re.MULTILINE)) == {name for row in ROWS for name in row}
        assert re.search(r"^\| `protocol/`.*\| \d+ \| 100 % \| \d+ \| 100 % \|$", written, re.MULTILINE)
        assert all(f"- `{mark}` ({count} times)" in written for mark, count in exceptions().items())

    def test_names_no_file_outside_the_package(self) -> None:
        assert all((PACKAGE / path).suffix == ".py" for path in measured(REPORT))
