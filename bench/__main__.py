"""`python -m bench`: the goals of speed in one table; ``--json FILE`` writes it, ``--only WORD`` measures some rows.

`python -m bench.costs` has the costs of single operations.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from .goal_rows import GOALS
from .goals import measured, table_of, write_json


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the goals of speed.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    parser.add_argument("--only", action="append", metavar="WORD", help="only rows whose key contains WORD")
    given = parser.parse_args()
    words = given.only or [""]
    goals = [goal for goal in GOALS if any(word in goal.key for word in words)]
    if not goals:
        parser.error(
            f"no row has {' or '.join(words)} in its key; the keys are {', '.join(goal.key for goal in GOALS)}"
        )
    console = Console(width=140) if not Console().is_terminal else Console()
    outcomes = []
    for outcome in measured(goals):
        outcomes.append(outcome)
        Console(stderr=True).print(f"{outcome.goal.key}: {outcome.cells[2]}", highlight=False)
    console.print(table_of(outcomes))
    if given.json is not None:
        write_json(outcomes, given.json)


if __name__ == "__main__":
    main()
