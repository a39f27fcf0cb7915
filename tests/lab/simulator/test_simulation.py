"""simulate(): the same for the same seed, every frame decodes and verifies, and the truth agrees with the capture."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise

import pytest

import icws_explore as icws
from icws_explore.capture.icws_file import load, save
from icws_explore.lab.identities import KINDS
from icws_explore.lab.simulator import LogNormal, Network, Script, Simulation, Uniform, simulate
from icws_explore.protocol.candid import parse_type, type_text
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import IcwsError, LabError
from icws_explore.protocol.keys.public_keys import KeyKind, parse_public_key
from icws_explore.protocol.principal import Principal

LIVELY = Network(
    client_latency_ms=LogNormal(30),
    replica_latency_ms=(2, 9),
    update_latency_ms=(40, 900),
    packet_loss=0.02,
    poll_loss=0.02,
)


def kinds(simulation: Simulation) -> Counter[str]:
    return Counter(d.kind for d in simulation)


class TestDeterminism:
    def test_a_seed_gives_the_same_bytes_again(self, tmp_path):
        files = [
            simulate("chat", duration="8m", sessions=3, network=LIVELY, seed=5, gateways=2).save(tmp_path / name)
            for name in ("a.icws", "b.icws")
        ]
        assert files[0].read_bytes() == files[1].read_bytes()

    def test_another_seed_gives_others(self):
        one, other = (simulate(duration="1m", seed=seed) for seed in (1, 2))
        assert one.info.root_key != other.info.root_key
        assert one.info.client_principal != other.info.client_principal
        assert [f.t for f in one.raw.frames] != [f.t for f in other.raw.frames]

    def test_a_session_does_not_depend_on_how_many_others_there_are_but_for_the_canister(self):
        """Every part has dice of its own: the first client says the same at the same time."""
        alone, among = simulate(duration="1m"), simulate(duration="1m", sessions=4)
        said = [next(f.data for f in s.raw.frames if f.direction == "out") for s in (alone, among.session("1"))]
        assert said[0] == said[1]


class TestCapture:
    def test_says_how_it_was_made(self):
        info = simulate(duration="1m").info
        assert (info.origin, str(info.clock), info.crypto) == ("simulated", "virtual", "real")
        assert info.started_at == "2026-01-01T00:00:00Z"
        assert info.ack_interval_ms == 300_000
        assert info.app_type == type_text(parse_type("record { text : text; timestamp : nat64 }"))

    @pytest.mark.parametrize("app", ["pingpong", "echo", "chat", "ticker"])
    def test_every_frame_decodes_and_verifies(self, app):
        simulation = simulate(app, duration="11m", sessions=2, network=LIVELY)
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
        assert simulate(duration="10s", sessions=3, arrivals=lambda n: n).raw.session_ids == ["1", "2", "3"]

    def test_survives_a_file(self, tmp_path):
        simulation = simulate(duration="1m", crypto="stand-in")
        assert load(save(simulation.raw, tmp_path / "s.icws.gz")) == simulation.raw

    def test_counts_what_happened(self):
        simulation = simulate(duration="11m", sessions=2)
        counts, decoded = simulation.counts, kinds(simulation)
        assert (counts.sessions, counts.opened, counts.frames) == (2, 2, len(simulation))
        assert (counts.sent, counts.received) == (decoded["message"], decoded["app"])
        assert (counts.acks, counts.keep_alives) == (decoded["ack"], decoded["keep_alive"])
        assert counts.ended == {"1000": 2}

    def test_is_left_open_when_asked(self):
        simulation = simulate(duration="1m", close_at_end=False)
        assert simulation.counts.ended == {"open": 1}
        assert not any(f.op == "close" for f in simulation.raw.frames)


class TestIdentities:
    def test_of_every_kind_open_and_verify(self):
        """The replica checks each request's signature, so a session that opens had a good one."""
        simulation = simulate("echo", duration="6m", sessions=len(KINDS), identities=KINDS)
        assert simulation.counts.opened == len(KINDS)
        assert all(verdict.ok for verdict in simulation.verify())
        assert all(verdict.ok for verdict in simulation.check_envelopes())
        keys = [parse_public_key(d.envelope.sender_pubkey).kind for d in simulation if d.kind == "open_request"]
        assert set(keys) == set(KeyKind)

    def test_are_ed25519_unless_told_otherwise(self):
        assert simulate(duration="10s").raw == simulate(duration="10s", identities=["ed25519"]).raw

    @pytest.mark.parametrize(
        "wrong", [{"identities": "rsa"}, {"identities": []}, {"identities": "delegation", "crypto": "stand-in"}]
    )
    def test_that_cannot_be_are_refused(self, wrong):
        with pytest.raises(LabError, match="identit"):
            simulate(duration="10s", **wrong)


class TestStandIn:
    def test_runs_the_same_but_for_the_signatures(self):
        network = Network(client_latency_ms=(10, 30))
        real, stand_in = (simulate(duration="6m", network=network, crypto=c) for c in ("real", "stand-in"))
        assert [(d.frame.t, d.kind, d.sequence_num) for d in real] == [
            (d.frame.t, d.kind, d.sequence_num) for d in stand_in
        ]

    def test_does_not_pretend_to_verify(self):
        simulation = simulate(duration="1m", crypto="stand-in")
        assert simulation.info.crypto == "stand-in"
        assert simulation.info.root_key is None
        for root_key in (None, simulation.world.replica.root_key):
            with pytest.raises(IcwsError, match="stand-in cryptography"):
                simulation.verify(root_key=root_key)
        assert simulation.summary().certificates == 0


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(duration="11m", sessions=2, network=LIVELY, skew_ms=(-700.0, 4_000.0), seed=3)


class TestTruth:
    def test_every_station_comes_after_the_one_before(self, simulation):
        for message in simulation.truth.messages:
            if message.direction == "up":
                way = (message.sent_ns, message.relayed_ns, message.arrived_ns, message.executed_ns)
            else:
                way = (message.executed_ns, message.certified_ns, message.polled_ns, message.received_ns)
            times = [at_ns for at_ns in way if at_ns is not None]
            assert times == sorted(times)

    def test_agrees_with_the_frames(self, simulation):
        """A frame's time is the client's clock: true time plus its skew."""
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

    def test_agrees_with_what_the_certificates_and_the_messages_say(self, simulation):
        made = {(m.session, m.sequence_num): m for m in simulation.truth.messages if m.direction == "down"}
        for session in simulation.truth.sessions:
            for decoded in simulation.session(session.session):
                if decoded.canister_message is not None:
                    truth = made[session.number, decoded.sequence_num]
                    assert truth.executed_ns == decoded.message.timestamp_ns
                    assert truth.kind == decoded.kind

    def test_acks_and_keep_alives_as_the_canister_saw_them(self, simulation):
        truth = simulation.truth
        assert len(truth.acks) == len(truth.keep_alives) == 4
        first = min(ack.executed_ns for ack in truth.acks)
        assert all((ack.executed_ns - first) % (300 * NS_PER_S) == 0 for ack in truth.acks)
        for ack, keep_alive in zip(truth.of("ack", 1), truth.of("keep_alive", 1), strict=True):
            assert ack.received_ns == keep_alive.sent_ns
            assert keep_alive.fate == "accepted"
            assert keep_alive.number == ack.sequence_num

    def test_when_a_message_was_acked(self, simulation):
        truth = simulation.truth
        for message in truth.of("message", 0):
            covering = [a for a in truth.of("ack", 0) if a.number >= message.sequence_num]
            assert truth.acked_ns(message) == (covering[0].received_ns if covering else None)

    def test_as_a_table(self, simulation):
        table = simulation.truth.table()
        assert len(table) == len(simulation.truth.messages)
        assert table["executed_ns"].dtype == "Int64"
        assert set(table["direction"]) == {"up", "down"}


class TestNetwork:
    def test_latencies_are_those_of_the_network(self):
        network = Network(client_latency_ms=(10, 50), replica_latency_ms=3, update_latency_ms=(100, 200))
        up = [m for m in simulate(duration="30m", network=network).truth.messages if m.direction == "up"]
        hops = [
            ((m.relayed_ns - m.sent_ns) / NS_PER_MS, (m.arrived_ns - m.relayed_ns) / NS_PER_MS,
             (m.executed_ns - m.arrived_ns) / NS_PER_MS)
            for m in up if m.executed_ns is not None
        ]  # fmt: skip
        assert len(hops) > 100
        assert all(10 <= there <= 50 and on == 3 and 100 <= run <= 200 for there, on, run in hops)

    def test_a_lost_packet_is_a_delay_and_keeps_the_order(self):
        simulation = simulate("chat", duration="10m", sessions=4, network=Network(packet_loss=0.3))
        late = [m for m in simulation.truth.messages if m.received_ns and m.received_ns - m.polled_ns > 200 * NS_PER_MS]
        assert late
        assert all(v.ok for v in simulation.verify())

    def test_a_lost_call_is_a_gap_that_the_canister_closes_the_session_for(self):
        simulation = simulate(duration="10m", network=Network(call_loss=0.2), think_ms=1_000, seed=2)
        fates = Counter(m.fate for m in simulation.truth.messages if m.direction == "up")
        assert fates["lost or refused"] >= 1
        assert kinds(simulation)["close"] == 1 or kinds(simulation)["message"] == 1
        assert any("lost on its way" in event.text for event in simulation.log)

    def test_failed_polls_only_delay(self):
        simulation = simulate(duration="3m", network=Network(poll_loss=0.5), think_ms=2_000)
        waits = [(m.polled_ns - m.executed_ns) / NS_PER_MS for m in simulation.truth.of("app") if m.polled_ns]
        assert 0 < min(waits) <= 115 < max(waits)
        assert all(v.ok for v in simulation.verify())

    @pytest.mark.parametrize("hop", ["replica_latency_ms", "update_latency_ms"])
    @pytest.mark.parametrize(("ordered", "is_closed"), [(True, False), (False, True)])
    def test_calls_overtake_each_other_only_where_the_gateway_lets_them(self, ordered, is_closed, hop):
        class Burst(Script):
            def opened(self, client):
                for number in range(10):
                    client.send({"text": str(number)})

        network = Network(**{hop: (10, 500)}, ordered=ordered)
        simulation = simulate("echo", duration="1m", clients=Burst(), network=network)
        assert (kinds(simulation)["close"] > 0) is is_closed


class TestSessions:
    def test_arrive_when_they_are_told_to(self):
        simulation = simulate(duration="1m", sessions=3, arrivals=lambda n: 5.5 * n)
        starts = [s.connected_ns for s in simulation.truth.sessions]
        assert [(b - a) / NS_PER_S for a, b in pairwise(starts)] == [5.5, 5.5]

    def test_take_turns_at_the_gateways(self):
        simulation = simulate(duration="1m", sessions=5, gateways=2)
        assert [s.gateway for s in simulation.truth.sessions] == [0, 1, 0, 1, 0]
        assert len({d.handshake.gateway_principal for d in simulation if d.handshake}) == 2

    def test_skewed_clocks_show_in_the_frames_and_the_messages(self):
        simulation = simulate(duration="1m", sessions=3, skew_ms=[0, 2_500, -90_000], arrivals=lambda _: 0)
        first = [simulation.session(s).raw.frames[0].t for s in ("1", "2", "3")]
        assert first[1] - first[0] == pytest.approx(2.5, abs=1e-6)
        assert first[2] - first[0] == pytest.approx(-90, abs=1e-6)
        assert all(v.ok for v in simulation.verify())

    @pytest.mark.parametrize(("skew_s", "why"), [(-301, "expiry"), (400, "expiry")])
    def test_a_clock_that_is_too_wrong_never_opens(self, skew_s, why):
        simulation = simulate(duration="2m", skew_ms=skew_s * 1000.0)
        assert simulation.counts.ended == {"4000 Open connection timeout": 1}
        assert any(why in event.text for event in simulation.log)

    def test_skews_by_number(self):
        sessions = simulate(duration="5s", sessions=3, skew_ms=lambda number: 10.0 * number).truth.sessions
        assert [s.skew_ms for s in sessions] == [0, 10, 20]

    def test_a_distribution_of_skews(self):
        sessions = simulate(duration="5s", sessions=20, skew_ms=Uniform(100, 900)).truth.sessions
        skews = {s.skew_ms for s in sessions}
        assert len(skews) == 20
        assert all(100 <= skew <= 900 for skew in skews)


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        "options",
        [
            {"duration": "soon"}, {"duration": 0}, {"sessions": 0}, {"gateways": 0}, {"crypto": "none"},
            {"app": "nonsense"}, {"skew_ms": [1, 2]}, {"start": datetime(2026, 1, 1)},  # noqa: DTZ001
            {"clients": "pong"}, {"clients": Script(), "think_ms": 5},
            {"ack_interval_ms": 60_000, "enforce_minimum": True},
        ],
        ids="-".join,
    )  # fmt: skip
    def test_is_refused(self, options):
        with pytest.raises(LabError):
            simulate(**options)


class TestOwnApps:
    def test_an_app_and_a_script_of_ones_own(self):
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
        simulation = simulate(app, duration="1m", clients=Shout())
        assert heard == ["HELLO"]
        assert simulation.counts.ended == {"4001 ClosedByApplication": 1}

    def test_progress_goes_from_nothing_to_all(self):
        parts: list[float] = []
        simulate(duration="1m", progress=parts.append)
        assert parts == sorted(parts)
        assert parts[-1] == 1.0

    def test_is_in_the_package(self):
        assert icws.simulate is simulate
        assert icws.Network is Network
