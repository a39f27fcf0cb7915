"""A test's lab over real sockets: a `Lab` whose clock is paused or faster, and live sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from time import monotonic
from typing import Any, Final, TypeVar

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.lab.log import LabEvent
from icws_explore.live.connect import connect
from icws_explore.live.loop import LoopThread
from icws_explore.live.session import Session
from icws_explore.protocol.canister import App
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ConnectError, SessionClosedError
from icws_explore.protocol.keys import Ed25519Identity, Identity
from icws_explore.protocol.wording import duration_ns

from .bench import CanisterLab, Duration, LabClient
from .settings import BenchSettings

T = TypeVar("T")
LOOK_S: Final = 0.01  # real seconds between two looks at a condition
STOP_S: Final = 10.0  # real seconds for the end of a session
PATIENCE_S: Final = 3.0  # real seconds that are waited at least: a busy machine needs them under a fast clock


class SocketLab(CanisterLab):
    """See `CanisterLab`. ``lab`` is the `Lab` that runs it."""

    def __init__(self, settings: BenchSettings) -> None:
        """Raises LabError if the canister cannot be loaded or installed."""
        super().__init__(settings)
        self.lab = Lab(
            self.load(),
            time_scale=settings.time_scale,
            paused=settings.time == "paused",
            ack_interval_ms=settings.ack_interval_ms,
            keep_alive_timeout_ms=settings.keep_alive_timeout_ms,
            seed=settings.seed,
        ).start()
        self.faults = self.lab.faults
        self._thread = LoopThread("icws-test")
        self._thread.start()

    @property
    def events(self) -> list[LabEvent]:
        return self.lab.events

    def connect(self, identity: Identity | None = None) -> LabClient:
        chosen = identity or Ed25519Identity.generate()

        async def opened() -> Session:
            return await connect(self.lab, identity=chosen)

        try:
            client = SocketClient(self, chosen, self.run(opened()))
        except (ConnectError, SessionClosedError) as error:
            raise AssertionError(f"the session did not open: {error}") from None
        self.clients.append(client)
        return client

    def advance(self, duration: Duration) -> None:
        if self.settings.time == "paused":
            self.lab.step(duration)
        else:
            self.run(self.lab.clock.sleep(duration_ns(duration) / NS_PER_S))

    def run_until(self, true: Callable[[], object], within: Duration) -> bool:
        clock = self.lab.clock
        end_ns, until_s = clock.now_ns() + duration_ns(within), monotonic() + PATIENCE_S

        async def run() -> bool:
            with clock.passing():
                while not true() and (clock.now_ns() < end_ns or monotonic() < until_s):  # noqa: ASYNC110 -- anybody may make it true
                    await asyncio.sleep(LOOK_S)
            return bool(true())

        return self.run(run())

    def _upgrade(self, app: App | None) -> None:
        self.lab.upgrade(app=app)

    def stop(self) -> None:
        """Close the sessions, stop the lab and the threads."""
        try:
            for client in self.clients:
                client.close()
        finally:
            self._thread.stop()
            self.lab.stop()

    def recording(self) -> Recording:
        captures = [client.recording.raw for client in self.clients]
        if len(captures) == 1:
            return Recording(captures[0])
        frames = [
            replace(frame, session=str(number))
            for number, capture in enumerate(captures, 1)
            for frame in list(capture.frames)
        ]
        if not captures:
            raise AssertionError("no session has been opened, so there is no recording")
        info = replace(captures[0].info, client_principal=None)
        return Recording(Capture(info, sorted(frames, key=lambda frame: frame.t)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` in the test's thread and wait for it."""
        return self._thread.submit(work).result()


class SocketClient(LabClient):
    """See `LabClient`. ``session`` is the live `Session`."""

    def __init__(self, lab: SocketLab, identity: Identity, session: Session) -> None:
        super().__init__(lab, identity)
        self.session = session
        self._sockets = lab
        self._kept: list[Any] = []

    @property
    def is_open(self) -> bool:
        return self.session.is_open

    @property
    def closed(self) -> tuple[int, str] | None:
        code = self.session.close_code
        return None if code is None else (code, self.session.close_reason)

    @property
    def failures(self) -> list[str]:
        return self.session.failures

    @property
    def recording(self) -> Recording:
        return self.session.recording

    def send(self, value: Any) -> None:
        self.check_open()
        self._sockets.run(self.session.send(value))

    def take(self) -> list[Any]:
        values = []
        while (value := self._next(0.001, patience_s=0.0)) != []:
            values += value
        return values

    def _next(self, within: Duration, patience_s: float = PATIENCE_S) -> list[Any]:
        clock, within_ns = self.session.clock, duration_ns(within)

        async def received() -> list[Any]:
            waiting = asyncio.ensure_future(self.session.receive())
            end_ns, until_s = clock.now_ns() + within_ns, monotonic() + patience_s
            while not waiting.done() and (clock.now_ns() < end_ns or monotonic() < until_s):
                await asyncio.wait([waiting], timeout=LOOK_S)
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait([waiting])
            if waiting.cancelled() or isinstance(waiting.exception(), SessionClosedError):
                return []
            return [waiting.result()]

        return self._sockets.run(received())

    def close(self) -> None:
        self._sockets.run(asyncio.wait_for(self.session.close(), STOP_S))
