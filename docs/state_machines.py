"""docs/state-machines.md: the diagrams of all state machines, drawn from the tables that the machines run by.

`python -m docs.state_machines` writes the page anew; a test keeps it in step with the tables.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from icws_explore.protocol.canister.client_table import CANISTER_SIDE_TRANSITIONS, CanisterSideState
from icws_explore.protocol.client.table import TRANSITIONS, ClientState
from icws_explore.protocol.gateway.poller import POLLER_TRANSITIONS, PollerState
from icws_explore.protocol.gateway.table import SESSION_TRANSITIONS, SessionState
from icws_explore.protocol.transitions import Transition, TransitionTable

PAGE: Final = Path(__file__).parent / "state-machines.md"

_HEAD: Final = """\
# State machines

Client, gateway and canister each follow a table: in this state, when this happens and the [guard] holds, \
go there, do that, close the connection like so. The live client, the lab and the simulator run by these \
tables, and this page is drawn from them (`python -m docs.state_machines`), so it cannot say \
anything else than what runs. Rows of one state and trigger are tried in their order; what has no row means \
nothing in that state. In a diagram what leaves the state as it is stands inside of it; what is done is in the table.
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """One table with what the page says of it."""

    title: str
    text: str
    states: type[Enum]
    table: TransitionTable[Any, Any]


MACHINES: Final = (
    Machine(
        "The client",
        "ic-websocket-js 0.5.0. The open timeout is 60 s from ws_open; the ack timeout is the ack interval and "
        "30 s more, on one timer that every AckMessage starts anew.",
        ClientState,
        TRANSITIONS,
    ),
    Machine(
        "A session of the gateway",
        "Gateway 1.4.6. It never looks at what a frame says beyond the first one.",
        SessionState,
        SESSION_TRANSITIONS,
    ),
    Machine(
        "The gateway's poller",
        "Gateway 1.4.6. One for each canister, with all of its sessions: when it dies, they all end.",
        PollerState,
        POLLER_TRANSITIONS,
    ),
    Machine(
        "A client, seen from the canister",
        "CDK 0.4.1. The CDK itself keeps maps; these are the states that are in them. The ack timer serves all "
        "clients at once, every ack interval; the keep-alive check follows 60 s behind.",
        CanisterSideState,
        CANISTER_SIDE_TRANSITIONS,
    ),
)


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([_HEAD, *(part for machine in MACHINES for part in _section(machine))])


def _section(machine: Machine) -> Iterator[str]:
    yield f"## {machine.title}\n\n{machine.text}\n"
    yield f"{_states(machine.states)}\n"
    yield f"```mermaid\n{machine.table.diagram()}```\n"
    yield "| state | when | guard | then | do | close |\n|---|---|---|---|---|---|"
    yield from (_row(row) for row in machine.table)
    yield ""


def _states(states: type[Enum]) -> str:
    """What the states mean, as their docstring says."""
    return " ".join((inspect.getdoc(states) or "").split())


def _row(row: Transition[Any, Any]) -> str:
    then = "" if row.to is row.state else row.to.name
    close = "" if row.close is None else f"`{row.close}`"
    cells = [row.state.name, row.trigger.value, row.guard, then, ", ".join(row.actions), close]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(target: Path = PAGE) -> int:
    """Write the page."""
    target.parent.mkdir(exist_ok=True)
    target.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
