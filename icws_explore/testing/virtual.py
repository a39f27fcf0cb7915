"""A test's lab in the simulator: a virtual clock, no sockets, the same run each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.lab.log import LabEvent
from icws_explore.lab.simulator.simulation import CanisterSettings
from icws_explore.lab.simulator.stepped import SteppedClient, SteppedSimulation, opened_or_raise
from icws_explore.protocol.canister import App
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.keys import Identity

from .bench import CanisterLab, Duration, LabClient
from .settings import BenchSettings

OPEN_WITHIN: Final = "65s"  # the client gives up after 60


class VirtualLab(CanisterLab):
    """See `CanisterLab`. ``simulation`` is what runs it."""

    def __init__(self, settings: BenchSettings) -> None:
        """Raises LabError if the canister cannot be loaded or installed."""
        super().__init__(settings)
        self.simulation = SteppedSimulation(
            self.load(),
            seed=settings.seed,
            ack_interval_ms=settings.ack_interval_ms,
            settings=CanisterSettings(keep_alive_timeout_ms=settings.keep_alive_timeout_ms),
        )
        self.faults = self.simulation.faults

    @property
    def events(self) -> list[LabEvent]:
        return self.simulation.events

    def connect(self, identity: Identity | None = None) -> LabClient:
        chosen = identity or self.simulation.new_identity()
        client = VirtualClient(self, chosen, self.simulation.add_client(chosen))
        self.clients.append(client)
        self.run_until(lambda: client.is_open or client.closed is not None, OPEN_WITHIN)
        try:
            opened_or_raise(client.simulated)
        except LabError as error:
            raise AssertionError(str(error)) from None
        return client

    def advance(self, duration: Duration) -> None:
        self.simulation.advance(duration)

    def run_until(self, true: Callable[[], object], within: Duration) -> bool:
        return self.simulation.run_until(true, within)

    def _upgrade(self, app: App | None) -> None:
        self.simulation.upgrade(app)

    def stop(self) -> None:
        """Nothing runs on its own here."""

    def recording(self) -> Recording:
        return self.simulation.recording()


class VirtualClient(LabClient):
    """See `LabClient`."""

    def __init__(self, lab: VirtualLab, identity: Identity, stepped: SteppedClient) -> None:
        super().__init__(lab, identity)
        assert stepped.client is not None  # set when it was added
        self.simulated = stepped.client
        self._values = stepped.values

    @property
    def is_open(self) -> bool:
        return self.simulated.is_open

    @property
    def closed(self) -> tuple[int, str] | None:
        code = self.simulated.close_code
        return None if code is None else (code, self.simulated.close_reason)

    @property
    def failures(self) -> list[str]:
        return self.simulated.failures

    @property
    def recording(self) -> Recording:
        whole = self._lab.recording().raw
        own = [frame for frame in whole.frames if frame.session in (None, self.simulated.label)]
        return Recording(Capture(whole.info, own))

    def send(self, value: Any) -> None:
        self.check_open()
        self.simulated.send(value)

    def take(self) -> list[Any]:
        values = list(self._values)
        self._values.clear()
        return values

    def _next(self, within: Duration) -> list[Any]:
        self._lab.run_until(lambda: self._values or self.closed is not None, within)
        return [self._values.popleft()] if self._values else []

    def close(self) -> None:
        self.simulated.close()
        self._lab.advance("1s")  # for the close to arrive
