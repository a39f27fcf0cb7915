"""The connection form: a lab in one click, or a gateway, network and canister of one's own, and who connects.

What a field means and what is wrong with it is in connection.py. Fields reach Python as messages, never as synced
traits: a notebook stores the traits of its widgets, and a URL may hold a password, an uploaded file a key.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, TypeAlias

import traitlets

from icws_explore.lab import Lab
from icws_explore.lab.apps import APPS
from icws_explore.live.connect import await_open, connect
from icws_explore.live.session import Session
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.keys import Identity
from icws_explore.views.formatting import one_line

from .connection import ack_advice, check, connect_to, identity_line, identity_of_field, names_of_identities
from .widget import PanelWidget, script, style
from .worker import Worker

Opened: TypeAlias = Callable[[Lab | Session], Awaitable[None] | None]

SCALES: Final = (1, 10, 60)
MAX_LINE: Final = 400
_NOTHING_OPEN: Final[dict[str, str]] = {}


class ConnectForm(PanelWidget):
    """Starts labs and opens sessions; hands each to ``on_open`` (on a thread of its own).

    ``endpoint`` gives the lab that runs already, if there is one: then a session with it is one click away.
    ``variables`` gives the notebook's variables, among which an identity may be named; by default those of IPython.
    """

    _esm = script("live_parts.js", "connect_form.js")
    _css = style()

    apps: Any = traitlets.List([[name, make().about] for name, make in APPS.items()]).tag(sync=True)
    scales: Any = traitlets.List(list(SCALES)).tag(sync=True)
    known: Any = traitlets.Dict(_NOTHING_OPEN).tag(sync=True)  # gateway, network, canister to begin with
    lab = traitlets.Unicode().tag(sync=True)  # the lab that runs, in words; "" for none
    problems: Any = traitlets.Dict().tag(sync=True)  # field: what is wrong
    remarks: Any = traitlets.Dict().tag(sync=True)  # field: what is worth to know
    names: Any = traitlets.List().tag(sync=True)  # of variables that hold an identity
    status: Any = traitlets.List(["", ""]).tag(sync=True)  # [tone, text]
    is_busy = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        on_open: Opened,
        *,
        endpoint: Callable[[], Lab | None] = lambda: None,
        connect_lab: Callable[[Lab, Identity | None], connect] | None = None,
        variables: Callable[[], Mapping[str, Any]] | None = None,
        worker: Worker | None = None,
    ) -> None:
        super().__init__(worker)
        self._on_open = on_open
        self._endpoint = endpoint
        self._connect_lab = connect_lab or (lambda lab, identity: connect(lab, identity=identity, wait_open=False))
        self._variables = variables or notebook_variables
        self._lock = threading.RLock()
        self._connecting: Future[None] | None = None

    def show_known(self, *, lab: Lab | None, known: Mapping[str, str]) -> None:
        """Show which lab runs, and with what the fields begin: "gateway", "network", "canister" without a password."""
        with self._lock, self.hold_sync():
            self.lab = "" if lab is None or not lab.running else lab_line(lab)
            self.known = dict(known)

    def say(self, tone: str, text: str) -> None:
        """Show one line below the form. ``tone`` is "good", "bad", "busy" or ""."""
        with self._lock:
            self.status = [tone, one_line(text)[:MAX_LINE]]

    def close(self) -> None:
        """Stop connecting, and close the widget and its layout."""
        if self._own_worker is not None:
            self._own_worker.close()
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    @property
    def twin_text(self) -> str:
        return "A form to connect to a canister: open the notebook in JupyterLab to use it."

    # -- what the browser says -----------------------------------------------------------------------

    def told(self, message: dict[str, Any]) -> None:
        """A message of connect_form.js. May come on any thread."""
        fields = message.get("fields")
        fields = fields if isinstance(fields, Mapping) else {}
        match message.get("do"):
            case "variables":
                self.names = names_of_identities(self._variables())
            case "check":
                self._check(fields)
            case "lab":
                self._begin(self._start_lab(str(message.get("app")), message.get("scale"), fields))
            case "connect to the lab":
                self._begin(self._open_lab(fields))
            case "connect":
                self._begin(self._open_own(fields))
            case "cancel":
                self._cancel()

    def _check(self, fields: Mapping[str, Any]) -> None:
        """Advice while the form is filled in: nothing about what is still empty."""
        variables = self._variables()
        problems = check(fields, variables, only_filled=True)
        empty = {"how": "new"}
        identity = fields.get("identity") or empty
        remarks = {"ack": ack_advice(str(fields.get("ack") or "").strip())}
        if "identity" not in problems:
            remarks["identity"] = identity_line(identity_of_field(identity, variables))
        with self._lock, self.hold_sync():
            self.problems = {name: one_line(text)[:MAX_LINE] for name, text in problems.items()}
            self.remarks = {name: text for name, text in remarks.items() if text}

    # -- connecting ----------------------------------------------------------------------------------

    def _begin(self, work: Any) -> None:
        with self._lock:
            if self.is_busy:
                work.close()
                return
            self.is_busy = True
            self._connecting = self._worker.start(self._tried(work))
            if self._connecting is None:
                work.close()

    def _cancel(self) -> None:
        with self._lock:
            if self._connecting is not None and self.is_busy:
                self._connecting.cancel()

    async def _tried(self, work: Any) -> None:
        try:
            await work
        except asyncio.CancelledError:
            self.say("", "cancelled")
            raise
        except IcwsError as error:
            self.say("bad", str(error))
        except Exception as error:  # noqa: BLE001  # nobody else would see it
            self.say("bad", f"{type(error).__name__}: {error}")
        finally:
            self.is_busy = False

    async def _start_lab(self, app: str, scale: Any, fields: Mapping[str, Any]) -> None:
        """A lab, and a session with it: one click."""
        identity = self._identity(fields)
        self.say("busy", f"starting a lab with {app}")
        time_scale = float(scale) if isinstance(scale, (int, float)) else 1.0
        # Made as a paused one, it can be paused in real time too.
        made = lambda: Lab(app, time_scale=time_scale, paused=True).start()  # noqa: E731
        starting = asyncio.ensure_future(asyncio.to_thread(made))
        try:
            lab = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_stop_lab)
            raise
        try:
            lab.resume()
            await self._hand_over(lab)
        except BaseException:
            lab.stop()
            raise
        await self._open(lambda: self._connect_lab(lab, identity))

    async def _open_lab(self, fields: Mapping[str, Any]) -> None:
        lab = self._endpoint()
        if lab is None or not lab.running:
            self.say("bad", "the lab has stopped: start another one")
            return
        identity = self._identity(fields)
        await self._open(lambda: self._connect_lab(lab, identity))

    async def _open_own(self, fields: Mapping[str, Any]) -> None:
        variables = self._variables()
        problems = check(fields, variables)
        self.problems = {name: one_line(text)[:MAX_LINE] for name, text in problems.items()}
        if problems:
            self.say("bad", "correct what is marked, then connect")
            return
        await self._open(lambda: connect_to(fields, variables))

    def _identity(self, fields: Mapping[str, Any]) -> Identity | None:
        """Who connects. Raises IdentityError, and marks the field."""
        try:
            identity = identity_of_field(fields.get("identity"), self._variables())
        except IcwsError as error:
            self.problems = {"identity": one_line(str(error))[:MAX_LINE]}
            raise
        self.problems = {}
        return identity

    async def _open(self, make: Callable[[], connect]) -> None:
        """Open a session; shown as soon as the gateway has accepted it, so that one sees it open."""
        self.say("busy", "connecting")
        session = await make()
        try:
            await self._hand_over(session)
        except BaseException:
            await session.close()
            raise
        self.say("busy", "connected; waiting for the canister's OpenMessage")
        await await_open(session)
        self.say("good", f"open as {session.principal}")

    async def _hand_over(self, opened: Lab | Session) -> None:
        result = self._on_open(opened)
        if result is not None:
            await result


def _stop_lab(starting: asyncio.Future[Lab]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().stop()


def lab_line(lab: Lab) -> str:
    """What a lab runs, in a few words."""
    scale = lab.clock.scale
    return f"{lab.canisters[0].app.name}, clock {f'× {scale:g}' if scale != 1 else 'in real time'}"


def notebook_variables() -> Mapping[str, Any]:
    """The variables of the notebook; empty outside of IPython."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return {} if shell is None else dict(shell.user_ns)
