from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.state_machines import MACHINES, PAGE, Machine, main, page


class TestPage:
    def test_in_docs_is_in_step_with_the_tables(self) -> None:
        assert PAGE.read_text(encoding="utf-8") == page(), "run python -m docs.state_machines"

    def test_is_written_where_it_is_asked_to(self, tmp_path: Path) -> None:
        assert main(tmp_path / "docs" / "page.md") == 0
        assert (tmp_path / "docs" / "page.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.title)
class TestEachMachine:
    def test_has_its_diagram_with_every_row(self, machine: Machine) -> None:
        diagram = machine.table.diagram()
        assert diagram in page()
        arrows = re.findall(r"^ {4}(\w+) --> (\w+): (.+)$", diagram, re.MULTILINE)
        on_arrows = [(state, to, words) for state, to, text in arrows for words in text.split("<br/>")]
        inside = re.findall(r"^ {4}(\w+): (?!\1$)(.+)$", diagram, re.MULTILINE)
        assert len(on_arrows) + len(inside) == len(machine.table)
        assert {(state, to) for state, to, _ in arrows} == {
            (row.state.name, row.to.name) for row in machine.table if row.state is not row.to
        }

    def test_has_no_two_arrows_between_the_same_states_nor_one_back(self, machine: Machine) -> None:
        """Mermaid lays their words on each other, and draws one loop of a state only."""
        pairs = re.findall(r"(\S+) --> (\w+)", machine.table.diagram())
        assert len(pairs) == len(set(pairs))
        assert all(state != to for state, to in pairs)

    def test_every_state_is_reached_and_explained(self, machine: Machine) -> None:
        rows = list(machine.table)
        reached = {row.to for row in rows} | {rows[0].state}
        assert reached == set(machine.states)
        assert all(state.name in page().split(f"## {machine.title}\n")[1] for state in machine.states)
