from __future__ import annotations

from pathlib import Path

import pytest

from icws_explore.views.state_machines import MACHINES, PAGE, Machine, main, page


class TestPage:
    def test_in_docs_is_in_step_with_the_tables(self) -> None:
        assert PAGE.read_text(encoding="utf-8") == page(), "run python -m icws_explore.views.state_machines"

    def test_is_written_where_it_is_asked_to(self, tmp_path: Path) -> None:
        assert main(tmp_path / "docs" / "page.md") == 0
        assert (tmp_path / "docs" / "page.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.title)
class TestEachMachine:
    def test_has_its_diagram_with_an_arrow_a_row(self, machine: Machine) -> None:
        assert machine.table.diagram() in page()
        assert machine.table.diagram().count(" --> ") == len(machine.table) + 1

    def test_every_state_is_reached_and_explained(self, machine: Machine) -> None:
        rows = list(machine.table)
        reached = {row.to for row in rows} | {rows[0].state}
        assert reached == set(machine.states)
        assert all(state.name in page().split(machine.title)[1] for state in machine.states)
