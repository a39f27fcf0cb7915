"""The clients of a simulation: when they connect, their clocks, identities and gateways."""

from __future__ import annotations

from itertools import pairwise

import pytest

from icws_explore.lab.identities import KINDS
from icws_explore.lab.simulator import Population, Script, Uniform, simulate
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, IcwsError
from icws_explore.protocol.keys.public_keys import KeyKind, parse_public_key


class TestArrivals:
    def test_at_the_times_that_a_function_gives(self):
        simulation = simulate(duration="1m", population=Population(sessions=3, arrivals=lambda n: 5.5 * n))
        starts = [s.connected_ns for s in simulation.truth.sessions]
        assert [(b - a) / NS_PER_S for a, b in pairwise(starts)] == [5.5, 5.5]

    def test_within_a_duration_the_first_at_once(self):
        simulation = simulate(duration="1m", population=Population(sessions=9, arrivals="20s"))
        start_ns = simulation.world.start_ns
        after_s = [(s.connected_ns - start_ns) / NS_PER_S for s in simulation.truth.sessions]
        assert after_s[0] == 0
        assert after_s == sorted(after_s)
        assert 5 < after_s[-1] < 20


class TestGateways:
    def test_are_used_in_turn(self):
        simulation = simulate(duration="1m", population=Population(sessions=5, gateways=2))
        assert [s.gateway for s in simulation.truth.sessions] == [0, 1, 0, 1, 0]
        assert len({d.handshake.gateway_principal for d in simulation if d.handshake}) == 2


class TestSkews:
    def test_show_in_the_frames_and_the_messages(self):
        population = Population(sessions=3, skew_ms=[0, 2_500, -90_000], arrivals=lambda _: 0)
        simulation = simulate(duration="1m", population=population)
        first = [simulation.session(s).raw.frames[0].t for s in ("1", "2", "3")]
        assert first[1] - first[0] == pytest.approx(2.5, abs=1e-6)
        assert first[2] - first[0] == pytest.approx(-90, abs=1e-6)
        assert all(v.ok for v in simulation.verify())

    @pytest.mark.parametrize(("skew_s", "why"), [(-301, "expiry"), (400, "expiry")])
    def test_that_are_too_great_keep_a_session_from_opening(self, skew_s, why):
        simulation = simulate(duration="2m", population=Population(skew_ms=skew_s * 1000.0))
        assert simulation.counts.ended == {"4000 Open connection timeout": 1}
        assert any(why in event.text for event in simulation.log)

    def test_by_number(self):
        population = Population(sessions=3, skew_ms=lambda number: 10.0 * number)
        assert [s.skew_ms for s in simulate(duration="5s", population=population).truth.sessions] == [0, 10, 20]

    def test_from_a_distribution(self):
        sessions = simulate(duration="5s", population=Population(20, skew_ms=Uniform(100, 900))).truth.sessions
        skews = {s.skew_ms for s in sessions}
        assert len(skews) == 20
        assert all(100 <= skew <= 900 for skew in skews)


class TestIdentities:
    def test_of_every_kind_open_and_verify(self):
        """The replica checks each request's signature, so a session that opens has a valid one."""
        simulation = simulate("echo", duration="6m", population=Population(sessions=len(KINDS), identities=KINDS))
        assert simulation.counts.opened == len(KINDS)
        assert all(verdict.ok for verdict in simulation.verify())
        assert all(verdict.ok for verdict in simulation.check_envelopes())
        keys = [parse_public_key(d.envelope.sender_pubkey).kind for d in simulation if d.kind == "open_request"]
        assert set(keys) == set(KeyKind)

    def test_are_ed25519_by_default(self):
        default, named = (simulate(duration="10s", population=p) for p in (1, Population(identities=["ed25519"])))
        assert default.raw == named.raw

    @pytest.mark.parametrize(("kind", "crypto"), [("rsa", "real"), ("delegation", "stand-in")])
    def test_of_other_kinds_are_refused(self, kind, crypto):
        with pytest.raises(IcwsError, match="identit"):
            simulate(duration="10s", population=Population(identities=kind), crypto=crypto)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"sessions": 0}, "sessions must be at least 1, not 0"),
            ({"sessions": "two"}, "sessions must be an integer, not a str"),
            ({"gateways": 0}, "gateways must be at least 1, not 0"),
            ({"identities": []}, "identities is empty; name at least one kind of identity"),
            ({"ack_interval_ms": 0}, "ack_interval_ms must be at least 1, not 0"),
            ({"skew_ms": [1, 2]}, "skew_ms has 2 values, but sessions is 1; give one value, or one for each"),
            ({"skew_ms": ["a"]}, "skew_ms must be a Delay, a number"),
            (
                {"script": 5},
                "script must be an object of a class that extends Script, or the name of a script",
            ),
            ({"script": "pong"}, "there is no script 'pong'; choose listen, pingpong, echo, chat"),
            ({"arrivals": []}, "arrivals must be protocol time"),
        ],
        ids=str,
    )
    def test_of_wrong_types_and_values(self, options, why):
        with pytest.raises((ArgumentTypeError, ArgumentValueError)) as refused:
            Population(**options)
        assert str(refused.value).startswith(why)

    @pytest.mark.parametrize(
        "population",
        [Population(script=Script(), think_ms=5), Population(arrivals="soon"), Population(think_ms=-1)],
        ids=["both", "arrivals", "think_ms"],
    )
    def test_of_what_only_the_run_shows(self, population):
        with pytest.raises(ArgumentValueError):
            simulate(duration="1m", population=population)
