"""The live panel of the explorer: connect, see the client's state, send messages and raw frames, close.

The panel follows what the explorer shows. It asks for little of it (`ShowsSources`), so it can be tested, and used,
without one. Everything slow runs on the panel's `Worker`; the session itself runs on a thread of its own and does not
notice the panel.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import ipywidgets

from icws_explore.analysis.decode import value_text
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Frame
from icws_explore.lab import Lab
from icws_explore.live.connect import connect
from icws_explore.live.session import Session
from icws_explore.live.tap import Tap
from icws_explore.protocol.candid import Type
from icws_explore.protocol.client.events import ClientEvent, CloseConnection, ConnectionClosed, MessageReceived, Opened
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.errors import ArgumentValueError, CandidError, StateError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import WebsocketMessage

from .live.canister_form import CanisterForm
from .live.connect_form import ConnectForm
from .live.raw_form import RawForm
from .live.send_form import MAX_REPLIES, SendForm
from .live.session_state import MAX_UPDATES_PER_S, SessionState
from .live.worker import Worker
from .release import release

MESSAGE, RAW, CONNECTION, CANISTER = 0, 1, 2, 3  # the tabs
MAX_SEARCHED: Final = 2_000  # frames that are looked through for a reply
NO_SESSION: Final = "no session is open: connect first"


class ShowsSources(Protocol):
    """What the panel needs of an explorer. Any object with these attributes can take its place."""

    recording: Recording | None
    session: Session | None
    lab: Lab | None
    tap: Tap | None

    def open(self, source: Any, *, owned: bool = False) -> None:
        """Show another source; ``owned``: end it when the explorer is closed."""

    def select(self, frame_number: int) -> None:
        """Select a frame in the list."""

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change, until the returned function is called."""


class LivePanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """State diagram and countdowns, and below them four tabs: Message; Raw, close; Connection; Canister.

    `close` ends what the panel itself started. Labs and sessions that it opened belong to the explorer.
    """

    def __init__(self, explorer: ShowsSources) -> None:
        self._explorer = explorer
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._news: deque[tuple[Session, int, WebsocketMessage]] = deque(maxlen=MAX_REPLIES)
        self._has_news = False
        self._is_closed = False
        self._worker = worker = Worker()
        self.state = SessionState(worker=worker)
        self.message = SendForm(
            on_send=self._send_value, on_type=self._take_type, on_select=explorer.select, worker=worker
        )
        self.raw = RawForm(
            self._send_frame,
            self._close_session,
            sign=self._sign,
            recording=lambda: explorer.recording,
            selected=lambda: getattr(explorer, "selected", None),
            worker=worker,
        )
        self.connection = ConnectForm(
            self._opened, endpoint=lambda: explorer.lab, connect_lab=self._to_lab, worker=worker
        )
        self.canister = CanisterForm(lambda: explorer.lab, worker=worker)
        self.tabs = ipywidgets.Tab(
            [self.message, self.raw, self.connection, self.canister],
            titles=["Message", "Raw, close", "Connection", "Canister"],
        )
        super().__init__([self.state, self.tabs])
        self.add_class("icws-live-panel")
        self._end_changes = explorer.on_change(self.refresh)
        self.connection.observe(self._show_trouble, names="status")
        self.tabs.selected_index = CONNECTION
        self._show_refusals()
        self.refresh()

    # -- following the explorer ----------------------------------------------------------------------

    def refresh(self) -> None:
        """Follow the explorer: another session, a lab that has started. Cheap if nothing has changed."""
        with self._lock:
            if self._is_closed:
                return
            if self._explorer.session is not self._session:
                self._follow(self._explorer.session)
            self.connection.show_known(lab=self._explorer.lab, known=self._known())

    def _show_trouble(self, change: Any) -> None:
        if change["new"][0] == "bad":
            self.tabs.selected_index = CONNECTION

    def _known(self) -> dict[str, str]:
        """What the recording knows of its parties; never a password, because a recording holds none."""
        recording, tap = self._explorer.recording, self._explorer.tap
        info = None if recording is None else recording.info
        if info is None or self._explorer.lab is not None:
            return {}
        gateway = tap.url if tap is not None else info.gateway_url
        found = {"gateway": gateway, "network": info.network_url, "canister": info.canister_id}
        return {name: text for name, text in found.items() if text}

    def _follow(self, session: Session | None) -> None:
        self._unwatch()
        self._session = session
        self._unwatch = (lambda: None) if session is None else session.watch(lambda event: self._see(session, event))
        self._news.clear()
        self.state.follow(session)
        if session is not None:
            if session.app_type != self.message.type or session.app_type is None:
                self.message.show_type(session.app_type)
            self.message.replies = []
            self.tabs.selected_index = MESSAGE
        else:
            self.tabs.selected_index = CONNECTION
        self._show_refusals()

    def _sign(self, data: bytes) -> bytes:
        session = self._session
        if session is None:
            raise ArgumentValueError(NO_SESSION)
        return session.sign_frame(data)

    def _show_refusals(self) -> None:
        """Say in both forms why nothing can be sent, if that is so."""
        session = self._session
        if session is None:
            self.message.refusal = self.raw.refusal = NO_SESSION
        elif session.state in (ClientState.CLOSING, ClientState.CLOSED):
            self.message.refusal = self.raw.refusal = "the session is closed: see Findings, connect again"
        else:
            self.raw.refusal = ""
            self.message.refusal = "" if session.is_open else f"the session is not open yet: {session.state}"

    def _see(self, session: Session, event: ClientEvent | Frame) -> None:
        """On the session's thread: note what has come, and leave the rest to the worker."""
        match event:
            case MessageReceived(message=message):
                self._news.append((session, len(session.recording) - 1, message))
            case Opened() | CloseConnection() | ConnectionClosed():
                pass
            case _:
                return
        if not self._has_news:
            self._has_news = True
            self._worker.start(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(1 / MAX_UPDATES_PER_S)
        self._has_news = False
        with self._lock:
            if self._is_closed:
                return
            self._show_refusals()
            while self._news:
                session, number, message = self._news.popleft()
                if session is self._session:
                    self.message.show_reply(self._number_of(session, number), reply_text(session, message))

    def _number_of(self, session: Session, number: int) -> int:
        """The number in the explorer's recording of frame ``number`` of the session's own."""
        shown = self._explorer.recording
        if shown is None or shown.raw is session.recording.raw:
            return number
        data = session.recording.raw[number].data
        frames = shown.raw.frames
        recent = range(len(frames) - 1, max(-1, len(frames) - 1 - MAX_SEARCHED), -1)
        return next((at for at in recent if frames[at].direction == "in" and frames[at].data == data), number)

    # -- what the forms do ---------------------------------------------------------------------------

    def _open_session(self) -> Session:
        if self._session is None:
            raise StateError(NO_SESSION)
        return self._session

    async def _send_value(self, value: Any) -> str:
        await self._open_session().send(value)
        return f"sent {value_text(value, 120)}"

    async def _send_frame(self, data: bytes, op: Any) -> None:
        await self._open_session().send_frame(data, op)

    async def _close_session(self, code: int, reason: str) -> None:
        await self._open_session().close(code, reason)

    def _take_type(self, type_: Type) -> None:
        if self._session is not None:
            self._session.app_type = type_

    def _to_lab(self, lab: Lab, identity: Identity | None) -> connect:
        """A session with the lab; through the explorer's tap, if there is one in front of its gateway."""
        tap = self._explorer.tap
        return connect(
            lab.gateway_url if tap is None else tap.url,
            network=lab.network_url,
            canister=lab.canister_id,
            root_key=lab.root_key,
            app_type=lab.app_did,
            ack_interval_ms=lab.ack_interval_ms,
            clock=lab.clock,
            identity=identity,
            wait_open=False,
        )

    async def _opened(self, source: Lab | Session) -> None:
        """Show in the explorer what the connection form has opened; from now on it is the explorer's."""
        await asyncio.to_thread(lambda: self._explorer.open(source, owned=True))
        await asyncio.to_thread(self.refresh)
        self.message.reveal()  # who has connected wants to send, and on a projector the form lies below the state

    def close(self) -> None:
        """End what the panel started, and close its widgets with their layouts. A second call changes nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._unwatch()
            self._end_changes()
        self._worker.close()
        for part in (self.state, self.message, self.raw, self.connection):
            part.close()
        release(self.canister)
        for box in (self.tabs, self):
            box.layout.close()
        self.tabs.close()
        super().close()


def reply_text(session: Session, message: WebsocketMessage) -> str:
    """An application message in one line."""
    try:
        return value_text(session.decode(message), 200)
    except CandidError as error:
        return f"{len(message.content)} bytes: {error}"


def live_panel(explorer: ShowsSources) -> LivePanel:
    """The panel of an explorer's tab."""
    return LivePanel(explorer)
