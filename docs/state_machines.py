"""Generates docs/state-machines.md: a diagram and a table of every state machine, from the transition tables.

`python -m docs.state_machines` writes the page. A test fails when page and tables differ.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from docs.canister_side import CANISTER_SIDE_TRANSITIONS, CanisterSideState
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.client.table import TRANSITIONS
from icws_explore.protocol.gateway.poller import POLLER_TRANSITIONS, PollerState
from icws_explore.protocol.gateway.session import SessionState
from icws_explore.protocol.gateway.table import SESSION_TRANSITIONS
from icws_explore.protocol.transitions import Transition, TransitionTable

PAGE: Final = Path(__file__).parent / "state-machines.md"

_HEAD: Final = """\
# State machines

The client, a gateway's session and a gateway's poller each run by a transition table. The live client, the lab \
and the simulator use these tables, and this page is generated from them (`python -m docs.state_machines`), so the \
page always matches the code. The last table, a client seen from the canister, is a model: the canister does not run \
by it, but a test runs both side by side.

Each row says: in this state, when this happens and the guard holds, go to that state, do these actions, and close \
the connection with this code. Guards and actions are methods of the machine's class. Rows of the same state and \
trigger are tried from top to bottom. A trigger without a row is ignored in that state.

In the diagrams, guards are in [brackets]. Rows that keep the state are listed inside the state's box. The actions are \
only in the tables.
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """One table with its heading, its text and its states."""

    title: str
    text: str
    states: type[Enum]
    table: TransitionTable[Any, Any, Any, Any]


MACHINES: Final = (
    Machine(
        "The client",
        "ic-websocket-js 0.5.0 (`protocol/client/table.py`). The open timeout is 60 s after ws_open. The ack timeout "
        "is the ack interval plus 30 s, on a single timer that every AckMessage restarts.",
        ClientState,
        TRANSITIONS,
    ),
    Machine(
        "A session of the gateway",
        "Gateway 1.4.6 (`protocol/gateway/table.py`). After the first frame, the gateway only checks that each frame "
        "is a call.",
        SessionState,
        SESSION_TRANSITIONS,
    ),
    Machine(
        "The gateway's poller",
        "Gateway 1.4.6 (`protocol/gateway/poller.py`). Each canister has one poller, which serves all of its sessions. "
        "When the poller fails, all of these sessions end.",
        PollerState,
        POLLER_TRANSITIONS,
    ),
    Machine(
        "A client, seen from the canister",
        "CDK 0.4.1 (`docs/canister_side.py`). A model for this page: the CDK itself keeps maps, and these are the "
        "states that can be read off them. One timer sends acks to all clients once per ack interval. "
        "The keep-alive check follows 60 s later.",
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
    """The docstring of the states, in one line."""
    return " ".join((inspect.getdoc(states) or "").split())


def _row(row: Transition[Any, Any, Any, Any]) -> str:
    then = "" if row.to is row.state else row.to.name
    close = "" if row.close is None else f"`{row.close}`"
    guard = "" if row.guard is None else row.guard.__name__
    actions = ", ".join(action.__name__ for action in row.actions)
    cells = [row.state.name, row.trigger.value, guard, then, actions, close]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(target: Path = PAGE) -> int:
    """Write the page."""
    target.parent.mkdir(exist_ok=True)
    target.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
