"""What everything costs, without goals: `python -m bench.costs`; with --json one JSON object per line."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from itertools import chain

from rich.console import Console
from rich.table import Table

from . import protocol, simulate
from .candid import candid_cases
from .explorer import explorer_costs
from .hostile import hostile_costs
from .recordings import recording_costs
from .start import start_costs
from .tap import tap_costs
from .tap_flood import flood_costs
from .timing import Cost, cost, cost_of_each, duration_text


def measure(name: str, operation: protocol.Operation | list[protocol.Operation]) -> Cost:
    return cost_of_each(name, operation) if isinstance(operation, list) else cost(name, operation)


def main() -> None:
    measured = (measure(name, operation) for name, operation in chain(protocol.cases(), candid_cases()))
    costs = chain(start_costs(), measured, hostile_costs(), recording_costs(), explorer_costs(), tap_costs())
    if "--json" in sys.argv[1:]:
        for line in chain(map(asdict, costs), simulate.measured(), map(asdict, flood_costs())):
            print(json.dumps(line), flush=True)
        return
    table = Table("operation", "best", "median", title="Cost of one operation")
    for column in table.columns[1:]:
        column.justify = "right"
    for line in costs:
        table.add_row(line.name, duration_text(line.best_s), duration_text(line.median_s))
    Console().print(table)
    table = Table(*simulate.HEADINGS, title="Simulations, each run once")
    for column in table.columns[1:]:
        column.justify = "right"
    for facts in simulate.measured():
        table.add_row(*simulate.row(facts))
    Console().print(table)
    table = Table("round trips", "median", "p99", "worst", title="A session during a flood of another session")
    for column in table.columns[1:]:
        column.justify = "right"
    for trips in flood_costs():
        table.add_row(trips.name, *map(duration_text, (trips.median_s, trips.p99_s, trips.worst_s)))
    Console().print(table)


if __name__ == "__main__":
    main()
