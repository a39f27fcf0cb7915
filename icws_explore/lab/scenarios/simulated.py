"""`run_simulated`: runs a plan in the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from icws_explore.capture import Capture, Frame
from icws_explore.protocol import cbor
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S

from ..apps import load
from ..replica.replica import status_of
from ..replica.subnet import LabKeys
from ..simulator.client import ClientSetup
from ..simulator.crypto import RealCryptography
from ..simulator.replica import CANISTER_ID
from ..simulator.simulation import CanisterSettings, Simulation, run
from ..simulator.world import START, PageCallSetup, SimulationSetup
from .plan import Plan

STATUS_REQUEST: Final = "GET /api/v2/status"


def run_simulated(plan: Plan, seed: int = 1, *, progress: Callable[[float], None] | None = None) -> Simulation:
    """Run ``plan`` under a virtual clock. Everything random depends only on ``seed``.

    ``progress(part)`` is called with the part that is done, from 0 to 1. Raises LabError.
    """
    app, keys = load(plan.app), LabKeys(seed)
    settings = CanisterSettings(keep_alive_timeout_ms=plan.keep_alive_timeout_ms, flavour=plan.flavour)
    setup = SimulationSetup(
        app=app,
        cdk=settings.cdk_config(plan.ack_interval_ms, app),
        keys=keys,
        cryptography=RealCryptography(keys, delegated=True),
        duration_ns=round(plan.duration_s * NS_PER_S),
        conditions=plan.conditions,
        faults=plan.faults,
        gateways=plan.gateways,
        records_network=plan.records_network,
        page_calls=_page_calls(plan, keys),
    )
    simulation = run(setup, _clients(plan, setup), progress)
    return Simulation(_recorded(simulation, plan, setup), simulation.world)


def _clients(plan: Plan, setup: SimulationSetup) -> Iterator[ClientSetup]:
    start_ns = setup.start_ns
    for number, client in enumerate(plan.clients):
        yield ClientSetup(
            identity=client.make_identity(setup.keys, number, start_ns),
            config=client.config(plan, CANISTER_ID, setup.root_key),
            script=client.script,
            start_ns=start_ns + round(client.at_s * NS_PER_S),
            skew_ns=round(client.skew_ms * NS_PER_MS),
            gateway=client.gateway,
            machine=client.machine,
            leaves_ns=None if client.leaves_s is None else start_ns + round(client.leaves_s * NS_PER_S),
        )


def _page_calls(plan: Plan, keys: LabKeys) -> tuple[PageCallSetup, ...]:
    start_ns = round(START.timestamp()) * NS_PER_S
    return tuple(
        PageCallSetup(start_ns + round(call.at_s * NS_PER_S), call.identity(keys, start_ns), call.method, call.arg)
        for call in plan.page_calls
    )


def _recorded(simulation: Simulation, plan: Plan, setup: SimulationSetup) -> Capture:
    """Return the recording as the plan wants it: with its SessionInfo, and with the network's status if asked for."""
    raw = simulation.raw
    frames = raw.frames
    if plan.asks_status:
        status = cbor.dumps(status_of(setup.root_key), tagged=True)
        t = setup.start_ns / NS_PER_S
        request = Frame(t, "out", "request", b"", None, STATUS_REQUEST, "http-0")
        response = Frame(t, "in", "response", status, 200, STATUS_REQUEST, "http-0")
        frames = [request, response, *frames]
    return plan.as_recorded(Capture(raw.info, frames, raw.notes))
