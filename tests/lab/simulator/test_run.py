"""The one place where simulations run: a setting, and a cast of clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from icws_explore.lab.apps import load
from icws_explore.lab.faults import Faults, Stage
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.simulator.client import ClientSetup
from icws_explore.lab.simulator.crypto import RealCryptography
from icws_explore.lab.simulator.scripts import Script
from icws_explore.lab.simulator.simulation import START, Setting, run
from icws_explore.lab.simulator.world import World
from icws_explore.protocol.canister import CdkConfig
from icws_explore.protocol.client.machine import ClientConfig
from icws_explore.protocol.constants import NS_PER_S

KEYS = LabKeys(1)


def setting(**options: Any) -> Setting:
    app = load("ticker")
    given = {"sessions": 1, "duration_ns": 30 * NS_PER_S} | options
    return Setting(app, CdkConfig(), KEYS, RealCryptography(KEYS, delegated=True), **given)


def one(world: World) -> Iterator[tuple[ClientSetup, int]]:
    config = ClientConfig(world.replica.canister_id, world.replica.root_key)
    yield ClientSetup(KEYS.identity("me"), config, Script(), setting().start_ns), 0


class TestRun:
    def test_begins_at_its_start_and_ends_with_a_farewell(self):
        simulation = run(setting(), one)
        frames = simulation.raw.frames
        assert frames[0].t >= START.timestamp()
        assert (frames[-1].t, frames[-1].code) == (START.timestamp() + 30, 1000)

    def test_leaves_sessions_open_when_told_to(self):
        assert run(setting(close_at_end=False), one).counts.ended == {"open": 1}

    def test_the_canister_is_as_old_as_it_is_said_to_be(self):
        world = run(setting(age_ns=100 * NS_PER_S), one).world
        assert world.start_ns == setting().start_ns - 100 * NS_PER_S

    def test_faults_begin_when_everybody_is_there(self):
        class Looks(Faults):
            clients = -1

            def begin(self, stage: Stage) -> None:
                assert isinstance(stage, World)
                self.clients = len(stage.clients)

        faults = Looks()
        run(setting(faults=faults), one)
        assert faults.clients == 1

    def test_says_how_it_was_made(self):
        info = run(setting(), one).info
        assert (info.origin, info.started_at) == ("simulated", "2026-01-01T00:00:00Z")
        assert info.client_principal == str(KEYS.identity("me").principal)
