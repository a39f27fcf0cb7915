from __future__ import annotations

from typing import Any

import pytest

from icws_explore.notebook.live_timing import CellRun, current_cell


class Shell:
    """A notebook's shell, as far as this asks it."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent

    def get_parent(self) -> Any:
        return self.parent


def use(monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)


class TestReplaces:
    def test_a_later_run_of_the_same_cell_does(self) -> None:
        assert CellRun("a", "2").replaces(CellRun("a", "1"))

    def test_another_cell_the_same_run_and_no_cell_at_all_do_not(self) -> None:
        assert not CellRun("b", "2").replaces(CellRun("a", "1"))
        assert not CellRun("a", "1").replaces(CellRun("a", "1"))
        assert not CellRun(None, "2").replaces(CellRun(None, "1"))


class TestCurrent:
    def test_is_what_the_front_end_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use(monkeypatch, Shell({"metadata": {"cellId": "a"}, "header": {"msg_id": "7"}}))
        assert current_cell() == CellRun("a", "7")

    def test_a_front_end_may_name_no_cells(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use(monkeypatch, Shell({"header": {"msg_id": "7"}}))
        assert current_cell() == CellRun(None, "7")

    @pytest.mark.parametrize("shell", [None, object(), Shell(None)])
    def test_outside_of_a_notebook_it_is_unknown(self, monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
        use(monkeypatch, shell)
        assert current_cell() == CellRun()
