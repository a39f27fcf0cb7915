"""A client machine whose socket still delivers frames after the client's own close.

ic-websocket-js 0.5.0 does not stop at its own ``close()``. While the WebSocket is closing, the SDK still processes
frames and timers, and its open timer runs even after the connection has ended. What it sends then is lost, and it
does not close a second time. The tests compare this machine with the real SDK, event by event.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.client.session import ClientSession
from icws_explore.protocol.client.states import ClientState, ClientTrigger, ClientTriggerKind

_K = ClientTriggerKind
# These triggers see the state of the connection. All others see the session as it was before the close.
_OF_THE_CONNECTION = frozenset({_K.CLOSE, _K.CONNECTION_LOST, _K.CONNECTION_ERROR, _K.KEEP_ALIVE_UNSENT})


class SessionAfterClose(ClientSession):
    """A session that keeps its progress apart from the end of its connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.progress = ClientState.HANDSHAKE
        self._end: ClientState | None = None
        self._ignores_end = False

    @property
    def state(self) -> ClientState:
        return self.progress if self._end is None or self._ignores_end else self._end

    @property
    def is_ended(self) -> bool:
        return self._end is not None

    @contextmanager
    def ignoring_the_end(self, *, ignore: bool = True) -> Iterator[None]:
        """Within this block, ``state`` is the progress of the session, even if the connection has ended."""
        before, self._ignores_end = self._ignores_end, ignore
        try:
            yield
        finally:
            self._ignores_end = before

    def enter(self, state: ClientState) -> None:
        if state is ClientState.CLOSED or (state is ClientState.CLOSING and self._end is None):
            self._end = state
        elif state is not ClientState.CLOSING:
            self.progress = state

    def stop_timers(self) -> None:
        """Do nothing: the SDK's timers run on after its close."""


class MachineAfterClose(ClientMachine):
    """A `ClientMachine` that processes frames and timers after its own close, but sends nothing."""

    session_class: ClassVar[type[ClientSession]] = SessionAfterClose

    @property
    def _can_send(self) -> bool:
        is_closing = self.state is ClientState.CLOSING
        return self.is_open or (is_closing and self._after_close.progress is ClientState.OPEN)

    @property
    def _after_close(self) -> SessionAfterClose:
        assert isinstance(self._session, SessionAfterClose)
        return self._session

    def _receive(self, data: bytes, now_ns: int) -> None:
        if self.state is not ClientState.CLOSED:
            with self._after_close.ignoring_the_end():
                super()._receive(data, now_ns)

    def _fire(self, trigger: ClientTrigger) -> None:
        with self._after_close.ignoring_the_end(ignore=trigger.kind not in _OF_THE_CONNECTION):
            super()._fire(trigger)
