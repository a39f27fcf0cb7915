"""A seed gives the same recording, every frame decodes and verifies, and the truth agrees with the recording."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.capture.icws_file import load, save
from icws_explore.lab.apps import load as load_app
from icws_explore.lab.faults import Faults, Stage
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.simulator import (
    CanisterSettings,
    LogNormal,
    NetworkConditions,
    Population,
    Script,
    Simulation,
    simulate,
)
from icws_explore.lab.simulator.client import ClientSetup
from icws_explore.lab.simulator.crypto import RealCryptography
from icws_explore.lab.simulator.replica import CANISTER_ID
from icws_explore.lab.simulator.simulation import run
from icws_explore.lab.simulator.world import START, SimulationSetup, World
from icws_explore.protocol.candid import parse_type, type_text
from icws_explore.protocol.canister import App, AppContext, CdkConfig
from icws_explore.protocol.client.machine import ClientConfig
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, IcwsError, LabError
from icws_explore.protocol.principal import Principal

LIVELY = NetworkConditions(
    client_latency_ms=LogNormal(30),
    replica_latency_ms=(2, 9),
    update_latency_ms=(40, 900),
    packet_loss=0.02,
    poll_loss=0.02,
)


def kinds(simulation: Simulation) -> Counter[str]:
    return Counter(d.kind for d in simulation)


class TestSeed:
    def test_gives_the_same_bytes_again(self, tmp_path):
        files = [
            simulate(
                "chat", duration="8m", population=Population(sessions=3, gateways=2), conditions=LIVELY, seed=5
            ).save(tmp_path / name)
            for name in ("a.icws", "b.icws")
        ]
        assert files[0].read_bytes() == files[1].read_bytes()

    def test_another_one_gives_other_keys_and_times(self):
        one, other = (simulate(duration="1m", seed=seed) for seed in (1, 2))
        assert one.info.root_key != other.info.root_key
        assert one.info.client_principal != other.info.client_principal
        assert [f.t for f in one.raw.frames] != [f.t for f in other.raw.frames]

    def test_gives_a_session_that_does_not_depend_on_the_number_of_others(self):
        """Every part draws random numbers of its own, so the first client sends the same at the same time."""
        alone, among = simulate(duration="1m"), simulate(duration="1m", population=4)
        said = [next(f.data for f in s.raw.frames if f.direction == "out") for s in (alone, among.session("1"))]
        assert said[0] == said[1]


class TestRecording:
    def test_states_how_it_was_made(self):
        info = simulate(duration="1m").info
        assert (info.origin, str(info.clock), info.crypto) == ("simulated", "virtual", "real")
        assert info.started_at == "2026-01-01T00:00:00Z"
        assert info.ack_interval_ms == 300_000
        assert info.app_type == type_text(parse_type("record { text : text; timestamp : nat64 }"))

    @pytest.mark.parametrize("app", ["pingpong", "echo", "chat", "ticker"])
    def test_every_frame_decodes_and_verifies(self, app):
        simulation = simulate(app, duration="11m", population=2, conditions=LIVELY)
        decoded = kinds(simulation)
        assert decoded["malformed"] == 0
        assert decoded["app"] > 0
        assert decoded["ack"] == decoded["keep_alive"] == 4
        verdicts = simulation.verify()
        assert len(verdicts) == decoded["app"] + decoded["ack"] + decoded["open"]
        assert [v.frame for v in verdicts if not v.ok] == []
        assert all(step.ok for v in verdicts for step in v.steps)

    def test_one_session_has_no_session_ids_and_several_have(self):
        assert simulate(duration="10s").raw.session_ids == [None]
        three = simulate(duration="10s", population=Population(sessions=3, arrivals=lambda n: n))
        assert three.raw.session_ids == ["1", "2", "3"]

    def test_is_the_same_after_saving_and_loading(self, tmp_path):
        simulation = simulate(duration="1m", crypto="stand-in")
        assert load(save(simulation.raw, tmp_path / "s.icws.gz")) == simulation.raw

    def test_counts_what_happened(self):
        simulation = simulate(duration="11m", population=2)
        counts, decoded = simulation.counts, kinds(simulation)
        assert (counts.sessions, counts.opened, counts.frames) == (2, 2, len(simulation))
        assert (counts.sent, counts.received) == (decoded["message"], decoded["app"])
        assert (counts.acks, counts.keep_alives) == (decoded["ack"], decoded["keep_alive"])
        assert counts.ended == {"1000": 2}

    def test_is_left_open_when_asked(self):
        simulation = simulate(duration="1m", close_at_end=False)
        assert simulation.counts.ended == {"open": 1}
        assert not any(f.op == "close" for f in simulation.raw.frames)


class TestStandIn:
    def test_differs_only_in_the_signatures(self):
        conditions = NetworkConditions(client_latency_ms=(10, 30))
        real, stand_in = (simulate(duration="6m", conditions=conditions, crypto=c) for c in ("real", "stand-in"))
        assert [(d.frame.t, d.kind, d.sequence_num) for d in real] == [
            (d.frame.t, d.kind, d.sequence_num) for d in stand_in
        ]

    def test_cannot_be_verified(self):
        simulation = simulate(duration="1m", crypto="stand-in")
        assert simulation.info.crypto == "stand-in"
        assert simulation.info.root_key is None
        for root_key in (None, simulation.world.replica.root_key):
            with pytest.raises(IcwsError, match="stand-in cryptography"):
                simulation.verify(root_key=root_key)
        assert simulation.summary().certificates == 0


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(
        duration="11m", population=Population(sessions=2, skew_ms=(-700.0, 4_000.0)), conditions=LIVELY, seed=3
    )


class TestTruth:
    def test_times_of_a_message_are_in_order(self, simulation):
        for message in simulation.truth.messages:
            if message.direction == "up":
                way = (message.sent_ns, message.relayed_ns, message.arrived_ns, message.executed_ns)
            else:
                way = (message.executed_ns, message.certified_ns, message.polled_ns, message.received_ns)
            times = [at_ns for at_ns in way if at_ns is not None]
            assert times == sorted(times)

    def test_agrees_with_the_frames(self, simulation):
        """A frame's time is by the client's clock: true time plus its skew."""
        for session in simulation.truth.sessions:
            recorded = {
                (d.frame.direction, d.sequence_num): d.frame.t
                for d in simulation.session(session.session)
                if d.sequence_num is not None
            }
            seen = 0
            for message in simulation.truth.messages:
                direction = "out" if message.direction == "up" else "in"
                at_ns = message.sent_ns if message.direction == "up" else message.received_ns
                if message.session != session.number or message.sequence_num is None or at_ns is None:
                    continue
                seen += 1
                t = recorded.pop((direction, message.sequence_num))
                assert t == pytest.approx(at_ns / NS_PER_S + session.skew_ms / 1000, abs=1e-6)
            assert seen > 100
            assert recorded == {}

    def test_agrees_with_the_messages(self, simulation):
        made = {(m.session, m.sequence_num): m for m in simulation.truth.messages if m.direction == "down"}
        for session in simulation.truth.sessions:
            for decoded in simulation.session(session.session):
                if decoded.canister_message is not None:
                    truth = made[session.number, decoded.sequence_num]
                    assert truth.executed_ns == decoded.message.timestamp_ns
                    assert truth.kind == decoded.kind

    def test_has_acks_and_keep_alives_as_the_canister_executed_them(self, simulation):
        truth = simulation.truth
        assert len(truth.acks) == len(truth.keep_alives) == 4
        first = min(ack.executed_ns for ack in truth.acks)
        assert all((ack.executed_ns - first) % (300 * NS_PER_S) == 0 for ack in truth.acks)
        for ack, keep_alive in zip(truth.of("ack", 1), truth.of("keep_alive", 1), strict=True):
            assert ack.received_ns == keep_alive.sent_ns
            assert keep_alive.fate == "accepted"
            assert keep_alive.number == ack.sequence_num

    def test_has_the_ack_that_covers_a_message(self, simulation):
        truth = simulation.truth
        for message in truth.of("message", 0):
            covering = [a for a in truth.of("ack", 0) if a.number >= message.sequence_num]
            assert truth.acked_ns(message) == (covering[0].received_ns if covering else None)

    def test_is_a_table(self, simulation):
        table = simulation.truth.table()
        assert len(table) == len(simulation.truth.messages)
        assert table["executed_ns"].dtype == "Int64"
        assert set(table["direction"]) == {"up", "down"}


class TestConditions:
    def test_latencies_are_the_given_ones(self):
        conditions = NetworkConditions(client_latency_ms=(10, 50), replica_latency_ms=3, update_latency_ms=(100, 200))
        up = [m for m in simulate(duration="30m", conditions=conditions).truth.messages if m.direction == "up"]
        times = [
            ((m.relayed_ns - m.sent_ns) / NS_PER_MS, (m.arrived_ns - m.relayed_ns) / NS_PER_MS,
             (m.executed_ns - m.arrived_ns) / NS_PER_MS)
            for m in up if m.executed_ns is not None
        ]  # fmt: skip
        assert len(times) > 100
        assert all(10 <= packet <= 50 and call == 3 and 100 <= update <= 200 for packet, call, update in times)

    def test_a_lost_packet_is_a_delay_and_the_order_is_kept(self):
        simulation = simulate("chat", duration="10m", population=4, conditions=NetworkConditions(packet_loss=0.3))
        late = [m for m in simulation.truth.messages if m.received_ns and m.received_ns - m.polled_ns > 200 * NS_PER_MS]
        assert late
        assert all(v.ok for v in simulation.verify())

    def test_a_lost_call_is_a_gap_for_which_the_canister_closes_the_session(self):
        simulation = simulate(
            duration="10m", conditions=NetworkConditions(call_loss=0.2), population=Population(think_ms=1_000), seed=2
        )
        fates = Counter(m.fate for m in simulation.truth.messages if m.direction == "up")
        assert fates["lost or refused"] >= 1
        assert kinds(simulation)["close"] == 1 or kinds(simulation)["message"] == 1
        assert any("lost on its way" in event.text for event in simulation.log)

    def test_failed_polls_only_delay(self):
        simulation = simulate(
            duration="3m", conditions=NetworkConditions(poll_loss=0.5), population=Population(think_ms=2_000)
        )
        waits = [(m.polled_ns - m.executed_ns) / NS_PER_MS for m in simulation.truth.of("app") if m.polled_ns]
        assert 0 < min(waits) <= 115 < max(waits)
        assert all(v.ok for v in simulation.verify())

    @pytest.mark.parametrize("latency", ["replica_latency_ms", "update_latency_ms"])
    @pytest.mark.parametrize(("ordered", "is_closed"), [(True, False), (False, True)])
    def test_calls_overtake_each_other_only_if_they_are_not_ordered(self, ordered, is_closed, latency):
        class Burst(Script):
            def opened(self, client):
                for number in range(10):
                    client.send({"text": str(number)})

        conditions = NetworkConditions(**{latency: (10, 500)}, ordered=ordered)
        simulation = simulate("echo", duration="1m", population=Population(script=Burst()), conditions=conditions)
        assert (kinds(simulation)["close"] > 0) is is_closed


class TestRefusals:
    @pytest.mark.parametrize(
        "options",
        [
            {"duration": "soon"}, {"duration": 0}, {"population": 0}, {"crypto": "none"}, {"app": "nonsense"},
            {"start": datetime(2026, 1, 1)},  # noqa: DTZ001
            {"ack_interval_ms": 0}, {"canister": CanisterSettings(age="old")},
            {"canister": CanisterSettings(max_messages=-1)},
        ],
        ids=str,
    )  # fmt: skip
    def test_are_documented_errors(self, options):
        with pytest.raises(IcwsError):
            simulate(**options)

    @pytest.mark.parametrize("options", [{"canister": {"flavour": "rust"}}, {"conditions": 5}, {"population": "many"}])
    def test_wrong_types(self, options):
        with pytest.raises(ArgumentTypeError):
            simulate(**options)

    def test_a_canister_that_traps_in_its_init(self):
        with pytest.raises(LabError, match="could not be installed"):
            simulate(ack_interval_ms=60_000, canister=CanisterSettings(enforce_minimum=True))

    def test_say_what_to_give(self):
        wanted = "^population must be a number of sessions or a Population, not a str$"
        with pytest.raises(ArgumentTypeError, match=wanted):
            simulate(population="many")  # type: ignore[arg-type]
        with pytest.raises(ArgumentValueError, match="^flavour must be 'rust', 'motoko' or None$"):
            CanisterSettings(flavour="go")  # type: ignore[arg-type]


class TestRun:
    def setup(self, **options: Any) -> SimulationSetup:
        keys = LabKeys(1)
        given = {"duration_ns": 30 * NS_PER_S} | options
        return SimulationSetup(load_app("ticker"), CdkConfig(), keys, RealCryptography(keys, delegated=True), **given)

    def run(self, **options: Any) -> Simulation:
        setup = self.setup(**options)
        config = ClientConfig(CANISTER_ID, setup.root_key)
        return run(setup, [ClientSetup(setup.keys.identity("me"), config, Script(), setup.start_ns)])

    def test_begins_at_its_start_and_closes_at_the_end(self):
        frames = self.run().raw.frames
        assert frames[0].t >= START.timestamp()
        assert (frames[-1].t, frames[-1].code) == (START.timestamp() + 30, 1000)

    def test_leaves_sessions_open_on_request(self):
        assert self.run(close_at_end=False).counts.ended == {"open": 1}

    def test_a_client_does_not_connect_after_the_end(self):
        setup = self.setup()
        config = ClientConfig(CANISTER_ID, setup.root_key)
        late = ClientSetup(setup.keys.identity("me"), config, Script(), setup.start_ns + 31 * NS_PER_S)
        assert run(setup, [late]).raw.frames == []

    def test_the_canister_has_its_age(self):
        world = self.run(age_ns=100 * NS_PER_S).world
        assert world.start_ns == self.setup().start_ns - 100 * NS_PER_S

    def test_faults_begin_when_all_clients_are_there(self):
        class Looks(Faults):
            clients = -1

            def begin(self, stage: Stage) -> None:
                assert isinstance(stage, World)
                self.clients = len(stage.clients)

        faults = Looks()
        self.run(faults=faults)
        assert faults.clients == 1

    def test_states_its_origin(self):
        info = self.run().info
        assert (info.origin, info.started_at) == ("simulated", "2026-01-01T00:00:00Z")
        assert info.client_principal == str(LabKeys(1).identity("me").principal)

    def test_progress_goes_up_to_1(self):
        parts: list[float] = []
        simulate(duration="1m", progress=parts.append)
        assert parts == sorted(parts)
        assert parts[-1] == 1.0


class TestCounts:
    def test_agree_with_the_table_of_the_frames(self):
        simulation = simulate("chat", duration="6m", population=3, seed=9)
        counts, table = simulation.counts, simulation.frames()
        kinds = table["kind"].value_counts()
        assert (counts.frames, counts.sent, counts.received) == (len(table), kinds["message"], kinds["app"])
        assert (counts.acks, counts.keep_alives) == (kinds["ack"], kinds["keep_alive"])
        assert counts.opened == kinds["open"] == counts.sessions
        assert abs(counts.duration_s - table["elapsed_s"].max()) < 1e-6

    def test_are_json(self):
        counts = simulate(duration="5s", population=2, close_at_end=False).counts
        assert json.loads(json.dumps(counts.to_json()))["ended"] == {"open": 2}

    def test_of_nothing_are_0(self):
        counts = simulate(duration="1s", population=Population(arrivals=lambda _: 5)).counts
        assert (counts.frames, counts.opened, counts.duration_s) == (0, 0, 0.0)


class TestOwnApps:
    def test_run_with_a_script_of_the_user(self):
        def on_message(context: AppContext, client: Principal, message: str) -> None:
            context.send(client, message.upper())
            context.close(client)

        class Shout(Script):
            def opened(self, client):
                client.after((100, 200), client.send, "hello")

            def received(self, client, value):
                heard.append(value)

        heard: list[str] = []
        app = App("loud", parse_type("text"), on_message=on_message)
        simulation = simulate(app, duration="1m", population=Population(script=Shout()))
        assert heard == ["HELLO"]
        assert simulation.counts.ended == {"4001 ClosedByApplication": 1}


def test_the_package_exports_simulate_and_its_arguments():
    assert icws.simulate is simulate
    assert (icws.CanisterSettings, icws.NetworkConditions, icws.Population) == (
        CanisterSettings,
        NetworkConditions,
        Population,
    )
