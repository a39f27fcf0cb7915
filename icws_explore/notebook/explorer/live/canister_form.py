"""Buttons for the code of a lab's canister: upgrade it, install it anew, stop and start it, remove it.

What a developer does with a canister while clients are connected: the sessions of a CDK are in its memory, and none of
the clients is told. The buttons act on the first canister of the lab that the explorer shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import ipywidgets

from icws_explore.lab import Lab
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.formatting import one_line

from .worker import Worker

MAX_LINE: Final = 400
NO_LAB: Final = "no lab is shown: start one on the start page, or open one with icws.explore(lab)"
ABOUT: Final = {
    "upgrade": ("install the code again, or another module; stable memory is kept", "upgraded: its sessions are lost"),
    "reinstall": (
        "install the code anew, or another module: it forgets everything",
        "installed anew: it has forgotten everything",
    ),
    "stop": ("it takes no calls, and its timers do not run", "stopped: it takes no calls"),
    "start": ("let a stopped canister take calls again", "started: it takes calls again"),
    "uninstall": ("remove the code, until it is installed again", "uninstalled: it has no code"),
}


class CanisterForm(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The buttons, a field for another module, and a line that says what has happened. ``lab`` may give None."""

    def __init__(self, lab: Callable[[], Lab | None], *, worker: Worker) -> None:
        self._lab = lab
        self._worker = worker
        self.module = ipywidgets.Text(
            placeholder="new code: path/to/canister.wasm (empty: the same)",
            layout={"width": "min(36em, 95%)"},
        )
        self.buttons = {
            name: ipywidgets.Button(description=name, tooltip=about, layout={"width": "max-content"})
            for name, (about, _) in ABOUT.items()
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: self.act(name))
        self.status = ipywidgets.Label()
        row = ipywidgets.HBox(list(self.buttons.values()), layout={"flex_flow": "row wrap"})
        super().__init__([row, self.module, self.status])
        self.add_class("icws-canister")

    def act(self, name: str) -> None:
        """Do what a button is called, in the background."""
        lab = self._lab()
        if lab is None or not lab.running:
            self.status.value = NO_LAB
            return
        self.status.value = f"{name} …"
        self._worker.start(self._act(lab, name))

    async def _act(self, lab: Lab, name: str) -> None:
        try:
            await asyncio.to_thread(self._do, lab, name)
        except IcwsError as error:
            self.status.value = one_line(str(error))[:MAX_LINE]
        else:
            self.status.value = f"the canister was {ABOUT[name][1]}"

    def _do(self, lab: Lab, name: str) -> None:
        module = self.module.value.strip()
        app = Path(module).expanduser() if module else None
        if name == "upgrade":
            lab.upgrade(app=app)
        elif name == "reinstall":
            lab.reinstall(app=app)
        elif name == "stop":
            lab.stop_canister()
        elif name == "start":
            lab.start_canister()
        else:
            lab.uninstall()
