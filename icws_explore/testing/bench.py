"""`CanisterLab` and `LabClient`: what a test of a dapp's canister sees. Plain functions, no asyncio.

Durations are protocol time: "5m", "90s", seconds or a timedelta. A call that waits lets that time pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from icws_explore.analysis.decode import DecodedFrame, Kind, check_kind
from icws_explore.analysis.doctor import Findings
from icws_explore.analysis.recording import Recording
from icws_explore.lab.apps import load
from icws_explore.lab.log import LabEvent
from icws_explore.lab.scenarios.switches import FaultSwitches
from icws_explore.lab.wasm import WasmApp, wasm_app
from icws_explore.protocol.canister import App
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

from .settings import BenchSettings

Duration = str | float | timedelta
RECEIVE_WITHIN: Final = "10s"
ACK_WITHIN: Final = "10m"


class LabClient(ABC):
    """A session of a test with the canister under test."""

    def __init__(self, lab: CanisterLab, identity: Identity) -> None:
        self.identity = identity
        self._lab = lab

    @property
    def principal(self) -> Principal:
        """The client's principal."""
        return self.identity.principal

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether messages can be sent."""

    @property
    @abstractmethod
    def closed(self) -> tuple[int, str] | None:
        """The close code and reason, or None while the session runs."""

    @property
    @abstractmethod
    def failures(self) -> list[str]:
        """The errors that the real SDK would report."""

    @property
    @abstractmethod
    def recording(self) -> Recording:
        """The recording of this session so far."""

    @abstractmethod
    def send(self, value: Any) -> None:
        """Send an application message: a Python value of the canister's message type. Raises ValueMismatchError.

        Fails the test if the session is not open.
        """

    @abstractmethod
    def take(self) -> list[Any]:
        """Return the application messages that have arrived and were not received yet, as Python values."""

    @abstractmethod
    def _next(self, within: Duration) -> list[Any]:
        """Wait for an application message. Returns it, or nothing if none came."""

    @abstractmethod
    def close(self) -> None:
        """Close the session with 1000, as a user does."""

    def receive(self, within: Duration = RECEIVE_WITHIN) -> Any:
        """Return the next application message as a Python value. Fails the test if none comes ``within`` that time."""
        messages = self._next(within)
        if not messages:
            raise AssertionError(f"no message came within {_text(within)} of protocol time{self._state()}")
        return messages[0]

    def wait_for(self, kind: Kind, within: Duration = ACK_WITHIN) -> DecodedFrame:
        """Let time pass until the next frame of that kind, in either direction: "ack", "keep_alive", "app", …

        Fails the test if none passes. Raises ArgumentValueError for an unknown kind.
        """
        before = self.count(check_kind(kind))
        if not self._lab.run_until(lambda: self.count(kind) > before, within):
            raise AssertionError(f"no frame of the kind {kind} within {_text(within)} of protocol time{self._state()}")
        return [frame for frame in self.recording if frame.kind == kind][before]

    def count(self, kind: Kind) -> int:
        """How many frames of that kind have passed."""
        return sum(frame.kind == kind for frame in self.recording)

    @property
    def acks(self) -> int:
        """How many AckMessages have arrived from the canister."""
        return self.count("ack")

    @property
    def keep_alives(self) -> int:
        """How many keep-alives the client has sent."""
        return self.count("keep_alive")

    def reconnect(self) -> LabClient:
        """Open another session with the same identity, as a page does that reconnects."""
        return self._lab.connect(self.identity)

    def check_open(self) -> None:
        """Fail the test unless the session is open."""
        if not self.is_open:
            raise AssertionError(f"the session is not open{self._state()}")

    def _state(self) -> str:
        said = f"; {self.failures[-1]}" if self.failures else ""
        if self.closed is None:
            return said
        code, reason = self.closed
        return f"; the session is closed: {code} {reason}".rstrip() + said


class CanisterLab(ABC):
    """A canister, a gateway, and a clock that the test moves.

    ``faults`` switches faults of the catalogue on and off: see `FaultSwitches`.
    """

    faults: FaultSwitches

    def __init__(self, settings: BenchSettings) -> None:
        self.settings = settings
        self.clients: list[LabClient] = []
        self.used_faults: list[str] = []  # what `fault` has switched on, for the report of a failure

    @property
    @abstractmethod
    def events(self) -> list[LabEvent]:
        """What replica, canister and gateway reported: refusals, Err replies, traps, what the canister printed."""

    @abstractmethod
    def connect(self, identity: Identity | None = None) -> LabClient:
        """Open a session, with a new identity or with the one given. Fails the test if it does not open."""

    @abstractmethod
    def advance(self, duration: Duration) -> None:
        """Let protocol time pass."""

    @abstractmethod
    def run_until(self, true: Callable[[], object], within: Duration) -> bool:
        """Let time pass until ``true()``. Returns whether it became true."""

    @abstractmethod
    def _upgrade(self, app: App | None) -> None: ...

    @abstractmethod
    def stop(self) -> None:
        """End everything."""

    @abstractmethod
    def recording(self) -> Recording:
        """The frames of all clients so far, in the order of time."""

    def upgrade(self, canister: str | Path | None = None) -> None:
        """Upgrade the canister to its own code, or to another file's. Its sessions are lost, as in reality.

        Raises LabError if that fails.
        """
        self._upgrade(None if canister is None else self.load(canister))

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Make a fault of the catalogue happen in the ``with`` block. Raises LabError if it cannot be made here."""
        self.faults.on(name)
        try:
            yield
        finally:
            acts = self.faults.acts(name)
            self.used_faults.append(f"{name}: it acted {acts} {'time' if acts == 1 else 'times'}")
            self.faults.off(name)

    def load(self, canister: str | Path | None = None) -> App:
        """Return the canister under test, or that of a file, ready to be installed. Raises LabError."""
        settings = self.settings
        chosen = settings.canister if canister is None else canister
        if settings.wasm is None:
            return load(chosen)
        app: WasmApp = wasm_app(chosen, did=settings.did, init=settings.init)
        return app


class Record:
    """The recording of a test: the frames of all its sessions so far."""

    def __init__(self, lab: CanisterLab) -> None:
        self._lab = lab

    @property
    def recording(self) -> Recording:
        """The recording so far."""
        return self._lab.recording()

    @property
    def findings(self) -> Findings:
        """What the doctor finds in it."""
        return self.recording.doctor()

    def save(self, path: str | Path) -> None:
        """Write it to an .icws file. Raises CaptureError."""
        self.recording.save(path)

    def assert_healthy(self) -> None:
        """Fail the test if the doctor finds an error or a warning."""
        findings = self.findings
        if findings.state == "failed":
            raise AssertionError(f"the doctor found: {findings}")


def _text(duration: Duration) -> str:
    return f"{duration:g} s" if isinstance(duration, (int, float)) else str(duration)
