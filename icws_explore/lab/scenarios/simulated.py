"""A plan in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from icws_explore.capture import Capture, Frame
from icws_explore.protocol import cbor
from icws_explore.protocol.canister import CdkConfig
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S

from ..apps import load
from ..replica.replica import status_of
from ..replica.subnet import LabKeys
from ..simulator.client import ClientSetup
from ..simulator.crypto import RealCryptography
from ..simulator.simulation import Setting, Simulation, run
from ..simulator.world import World
from .plan import Plan

STATUS_REQUEST = "GET /api/v2/status"


def run_simulated(plan: Plan, seed: int = 1, *, progress: Callable[[float], None] | None = None) -> Simulation:
    """Let it happen under a virtual clock; everything that is chance follows from ``seed``. Raises LabError.

    ``progress`` is called with the part that is done, 0 to 1.
    """
    app, keys = load(plan.app), LabKeys(seed)
    setting = Setting(
        app=app,
        cdk=CdkConfig(
            send_ack_interval_ms=plan.ack_interval_ms,
            keep_alive_timeout_ms=plan.keep_alive_timeout_ms,
            flavour=plan.flavour or app.flavour,
            enforce_minimum=False,
        ),
        keys=keys,
        cryptography=RealCryptography(keys, delegated=True),
        sessions=len(plan.clients),
        duration_ns=round(plan.duration_s * NS_PER_S),
        network=plan.network,
        faults=plan.faults,
        gateways=plan.gateways,
    )
    start_ns = setting.start_ns

    def cast(world: World) -> Iterator[tuple[ClientSetup, int]]:
        for number, client in enumerate(plan.clients):
            setup = ClientSetup(
                identity=client.who(keys, number, start_ns),
                config=client.config(plan, world.replica.canister_id, world.replica.root_key),
                script=client.script,
                start_ns=start_ns + round(client.at_s * NS_PER_S),
                skew_ns=round(client.skew_ms * NS_PER_MS),
                machine=client.machine,
                leaves_ns=None if client.leaves_s is None else start_ns + round(client.leaves_s * NS_PER_S),
            )
            yield setup, client.gateway

    simulation = run(setting, cast, progress)
    return Simulation(_recorded(simulation, plan, start_ns), simulation.world)


def _recorded(simulation: Simulation, plan: Plan, start_ns: int) -> Capture:
    raw = simulation.raw
    frames = raw.frames
    if plan.asks_status:
        status = cbor.dumps(status_of(simulation.world.replica.root_key), tagged=True)
        t = start_ns / NS_PER_S
        asked = Frame(t, "out", "request", b"", None, STATUS_REQUEST, "http-1")
        answered = Frame(t, "in", "response", status, 200, STATUS_REQUEST, "http-1")
        frames = [asked, answered, *frames]
    return Capture(replace(raw.info, **plan.recorded), frames, raw.notes)
