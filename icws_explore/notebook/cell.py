"""In which cell of a notebook, and in which run of it, code runs: a cell that runs again replaces what it showed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CellRun:
    """One run of one cell; None is what the front end does not say, and all of it outside of a notebook."""

    cell: str | None = None
    run: str | None = None

    def replaces(self, earlier: CellRun) -> bool:
        """Whether it is a later run of the same cell."""
        return self.cell is not None and self.cell == earlier.cell and self.run != earlier.run


def current_cell() -> CellRun:
    """The run that this is called in."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    request = shell.get_parent() if shell is not None and hasattr(shell, "get_parent") else None
    if not isinstance(request, dict):
        return CellRun()
    return CellRun(request.get("metadata", {}).get("cellId"), request.get("header", {}).get("msg_id"))
