"""The page of an explorer without a source: a lab in one click, a file, or a gateway of one's own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from icws_explore.analysis.recording import load
from icws_explore.lab import Lab
from icws_explore.lab.apps import APPS, WASM_FILES
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.formatting import one_line
from icws_explore.views.html import note_view

from .release import release
from .widget import FileDrop

if TYPE_CHECKING:
    from .explorer import Explorer

_SCALES: Final = {"real time": 1, "× 10": 10, "× 60": 60}
_PACES: Final = {
    1: "An ack every 5 minutes, as on mainnet.",
    10: "An ack every 30 seconds. Pause the lab to read.",
    60: "An ack every 5 seconds. Pause the lab to read.",
}


class StartPage(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Three ways to begin. Each opens its source in ``explorer``; what goes wrong is said in one line on its card."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._tasks: set[asyncio.Task[None]] = set()
        self.said = ipywidgets.HTML()
        self.said.layout.display = "none"
        super().__init__([self._head(), self._boxes()])
        self.add_class("icws-start")

    def _head(self) -> Any:
        back = _button("back to the frames", "", self._explorer.show_frames)
        back.layout.display = "none" if self._explorer.recording is None else ""
        words = ipywidgets.HTML("<div class='icws'>Where do the frames come from?</div>")
        return ipywidgets.HBox([words, back])

    def _boxes(self) -> Any:
        self.app = ipywidgets.Dropdown(options=[*APPS], value="echo", description="app")
        self.scale = ipywidgets.Dropdown(options=_SCALES, value=10, description="clock")
        self.own = ipywidgets.Text(placeholder="my_app.py or .wasm", description="your own")
        self.init = ipywidgets.Text(placeholder="(record { limit = 5 })", description="init")
        self._about = ipywidgets.HTML()
        self.own.observe(lambda _: self._tell_choice(), names="value")
        for choice in (self.app, self.scale):
            choice.observe(lambda _: self._tell_choice(), names="value")
        self._tell_choice()
        lab = _button("Start a lab", "a replica, a canister and a gateway on this machine", self.start_lab, "primary")
        self.path = ipywidgets.Text(placeholder="session.icws", description="path")
        self.path.on_msg(lambda _, content, __: self.open_path() if content.get("event") == "submit" else None)  # Enter
        file = _button("Open the file", "a path on the machine of the kernel", self.open_path, "primary")
        self.upload = FileDrop(self.open_upload)
        self.gateway = ipywidgets.Text(placeholder="wss://gateway.example", description="gateway")
        self.network = ipywidgets.Text(placeholder="https://icp-api.io", description="network")
        self.canister = ipywidgets.Text(placeholder="the canister's id", description="canister")
        live = _button("Connect", "open a session with the canister, with a new key", self.connect, "primary")
        tap = _button("Record my own client", "put a tap in front of the gateway", self.start_tap)
        self._lab_card, self._file_card, self._gateway_card = cards = [
            _card("A lab", "A small network on this machine, to try things. Nothing leaves it.",
                  [self.app, self.own, self.init, self.scale, self._about, lab, self.said]),
            _card("A file", "A recording (.icws), a browser's HAR, packets (.pcap), or flows of mitmproxy.",
                  [self.path, file, self.upload]),
            _card(
                "A gateway", "Your own, with a local replica or on mainnet.",
                [self.gateway, self.network, self.canister, ipywidgets.HBox([live, tap])],
            ),
        ]  # fmt: skip
        box = ipywidgets.Box(cards)
        box.add_class("icws-cards")
        return box

    def _tell_choice(self) -> None:
        is_own = bool(self.own.value.strip())
        self.app.disabled, self.init.layout.display = is_own, "" if is_own else "none"
        does = "is the one in this file, which is compiled first" if is_own else APPS[self.app.value]().about
        about = f"The canister {does}. {_PACES[self.scale.value]}"
        self._about.value = f"<div class='icws'>{about}</div>"

    def start_lab(self) -> None:
        """Start a lab with the chosen app or canister, show what passes its tap, and offer to connect."""

        def begin() -> None:
            # Made as a paused one, it can be paused in real time too.
            lab = self._lab().start()
            try:
                lab.resume()
                self._explorer.open(lab, owned=True)
            except BaseException:
                lab.stop()
                raise
            self._explorer.panel("Live")

        self._try(self._lab_card, begin)

    def _lab(self) -> Lab:
        """The lab of the fields. A canister of the user's own takes the place of the app."""
        own, scale = self.own.value.strip().strip("'\""), self.scale.value
        if not own:
            return Lab(self.app.value, time_scale=scale, paused=True)
        path = Path(own).expanduser()
        if own.endswith(WASM_FILES):
            return Lab(wasm=path, init=self.init.value.strip() or None, time_scale=scale, paused=True)
        return Lab(path, time_scale=scale, paused=True)

    def open_path(self) -> None:
        """Open the file whose path was typed."""
        path = self.path.value.strip().strip("'\"")
        if not path:
            self._move_line(self._file_card)
            self.say("type the path of a file first")
            return
        self._try(self._file_card, lambda: self._explorer.open(path))

    def open_upload(self, name: str, content: bytes) -> None:
        """Open a file that the browser sent."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            self._try(self._file_card, lambda: self._explorer.open(load(path), name=name))

    def start_tap(self) -> None:
        """Put a tap in front of the gateway, and show what passes it."""
        gateway, network = self.gateway.value.strip(), self.network.value.strip() or None
        self._try(self._gateway_card, lambda: self._explorer.open(Tap(gateway, network=network).start(), owned=True))

    def connect(self) -> None:
        """Open a session with the canister through the gateway."""

        async def open_session() -> None:
            session = await connect(
                self.gateway.value.strip(),
                network=self.network.value.strip() or None,
                canister=self.canister.value.strip(),
                wait_open=False,
            )
            self._explorer.open(session, owned=True)

        self._begin(open_session())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        async def told() -> None:
            try:
                await work
            except IcwsError as error:
                self.say(str(error))

        self._move_line(self._gateway_card)
        self.say("connecting …", "note")
        try:
            task = asyncio.get_running_loop().create_task(told(), name="icws-explorer-connects")
        except RuntimeError:  # a comm's own thread, or a script
            asyncio.run(told())
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _try(self, card: Any, action: Callable[[], None]) -> None:
        self._move_line(card)
        self.say("a moment …", "note")
        try:
            action()
        except (IcwsError, OSError) as error:
            self.say(str(error))

    def _move_line(self, card: Any) -> None:
        """Say the next line on ``card``: below all cards it may be out of sight."""
        if self.said in card.children:
            return
        for other in (self._lab_card, self._file_card, self._gateway_card):
            other.children = [child for child in other.children if child is not self.said]
        card.children = [*card.children, self.said]

    def say(self, line: str, weight: Any = "bad") -> None:
        """Say one line on the card that was used last."""
        self.said.value = note_view(one_line(line), weight).html
        self.said.layout.display = ""

    def close(self) -> None:
        """Close the page with everything in it."""
        for child in self.children:
            release(child)
        self.layout.close()
        super().close()


def _card(title: str, about: str, children: list[Any]) -> Any:
    head = ipywidgets.HTML(f"<div class='icws'><b>{title}</b><br>{about}</div>")
    card = ipywidgets.VBox([head, *children])
    card.add_class("icws-card-start")
    for child in children:
        if isinstance(child, (ipywidgets.Text, ipywidgets.Dropdown)):
            child.layout.width = "auto"
            child.style.description_width = "5em"
    return card


def _button(words: str, tooltip: str, action: Callable[[], None], style: str = "") -> Any:
    button = ipywidgets.Button(description=words, tooltip=tooltip, button_style=style)
    button.layout.width = "max-content"
    button.on_click(lambda _: action())
    return button


def start_page(explorer: Explorer) -> StartPage:
    """The start page."""
    return StartPage(explorer)
