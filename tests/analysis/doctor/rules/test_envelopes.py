"""What a replica refuses, told with the request's own numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture, ClockInfo
from icws_explore.lab.simulator import Population, simulate
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import sign_envelope
from icws_explore.protocol.keys import AnonymousIdentity
from icws_explore.protocol.messages import Handshake
from support.certified_canister import CANISTER_ID, GATEWAY
from support.doctor_findings import ids, the_one
from support.doctor_scenarios import OTHER_CANISTER, SCENARIOS, delegated, opening, ws_open
from support.network_side import answered, err, ok, refused
from support.session_captures import START_S, SessionScript
from support.timing_captures import never_opened

NOBODY = AnonymousIdentity()


class TestTexts:
    @pytest.mark.parametrize(
        ("rule_id", "said"),
        [
            ("ANONYMOUS", "ws_open (frame 1) is the anonymous principal"),
            ("DELEGATION_DROPPED", "has no sender_delegation"),
            ("DELEGATION_EXPIRED", "had expired 30.1 s before"),
            ("AGENT_V3_EXPIRY", "is 300000: a duration"),
            ("BAD_SIGNATURE", "signature: the Ed25519 signature does not match"),
        ],
    )
    def test_say_what_is_wrong(self, rule_id, said):
        finding = the_one(rule_id)
        assert said in finding.explanation
        assert finding.frames == (1,)
        assert "Open connection timeout" in finding.sdk_behaviour or rule_id == "ANONYMOUS"


class TestDelegation:
    def expires(self, left_s: float, **options):
        who = delegated(expiration_ns=round((START_S + 0.1 + left_s) * NS_PER_S), **options)
        return ids(opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns), who), identity=who))

    def test_one_that_holds(self):
        assert self.expires(3600) == ("OPEN_TIMEOUT",)
        assert self.expires(3600, targets=[OTHER_CANISTER, CANISTER_ID]) == ("OPEN_TIMEOUT",)

    def test_one_for_another_canister(self):
        assert self.expires(3600, targets=[OTHER_CANISTER]) == ("DELEGATION_EXPIRED",)

    def test_one_that_has_just_expired(self):
        assert self.expires(-0.001) == ("DELEGATION_EXPIRED",)


class TestAgentThree:
    """As tests/node/test_old_sdks.py records the real one: it cannot read an ArrayBuffer."""

    def handshaken(self) -> SessionScript:
        return SessionScript().frame(0, "in", Handshake(GATEWAY).encode())

    def test_closes_at_a_sound_handshake(self):
        finding = the_one(self.handshaken().closed(0.1, "out", 4000, "Error receiving message"))
        assert (finding.id, finding.frames) == ("AGENT_V3_EXPIRY", (0, 1))
        assert "could not read it" in finding.explanation
        assert 'close(4000, "Error receiving message")' in finding.sdk_behaviour

    def test_another_frame_may_be_what_it_could_not_read(self):
        script = self.handshaken().frame(0.05, "in", b"noise").closed(0.1, "out", 4000, "Error receiving message")
        assert "AGENT_V3_EXPIRY" not in ids(script)

    @pytest.mark.parametrize(
        ("code", "reason", "expected"),
        [(1000, "", ()), (4000, "Handshake message error", ("SDK_FAILED_LOCALLY",))],
    )
    def test_other_ends(self, code, reason, expected):
        assert ids(self.handshaken().closed(0.1, "out", code, reason)) == expected


class TestExpiry:
    def expires(self, ahead_s: float):
        expiry_ns = round((START_S + 0.1 + ahead_s) * NS_PER_S)
        return ids(opening(lambda who, at: sign_envelope(ws_open(who, at, expiry_ns=expiry_ns), who)))

    @pytest.mark.parametrize("ahead_s", [0.001, 240, 329.9])
    def test_within_the_window(self, ahead_s):
        assert self.expires(ahead_s) == ("OPEN_TIMEOUT",)

    @pytest.mark.parametrize("ahead_s", [-0.001, 330.1, 3600])
    def test_outside(self, ahead_s):
        assert self.expires(ahead_s) == ("INGRESS_EXPIRY",)

    def test_a_clock_that_is_slow_by_the_recordings_own_beginning(self):
        finding = the_one("INGRESS_EXPIRY")
        assert "off by -301 s" in finding.explanation
        assert "in the past" in finding.explanation

    def test_a_lab_with_a_fast_clock_is_told_apart(self):
        capture = SCENARIOS["INGRESS_EXPIRY"]()
        fast = Capture(replace(capture.info, clock=ClockInfo("scaled", 60.0)), capture.frames)
        fixes = {finding.fix for finding in diagnose(fast) if finding.id == "INGRESS_EXPIRY"}
        assert len(fixes) == 1
        assert "60 times as fast as the real one" in fixes.pop()
        assert "NTP" in the_one("INGRESS_EXPIRY").fix

    def test_a_session_of_several_need_not_begin_with_the_recording(self):
        """One that came late, taken out of a simulation: its start tells nothing of its clock."""
        simulation = simulate(duration="8m", population=Population(sessions=2, arrivals=lambda number: 400.0 * number))
        assert simulation.doctor() == []
        assert simulation.session("2").doctor() == []


EXPIRED = "Invalid request expiry: Specified ingress_expiry not within expected range: …"


class TestWithTheNetworksWords:
    def late(self, answer):
        """By the recorder's clock the request expired an hour ago."""
        expiry_ns = round((START_S - 3600) * NS_PER_S)
        capture = opening(lambda who, at: sign_envelope(ws_open(who, at, expiry_ns=expiry_ns), who))
        return answered(capture, {1: answer})

    def test_a_refusal_is_quoted(self):
        finding = the_one(self.late(refused(EXPIRED)))
        assert finding.id == "INGRESS_EXPIRY"
        assert "3600 s in the past. The answer confirms it: the network refused it with HTTP 400" in finding.explanation
        assert finding.frames == (1, 2, 3)

    def test_what_was_taken_up_is_not_to_blame(self):
        """It is the recorder's clock that is wrong."""
        assert ids(self.late(ok())) == ("OPEN_TIMEOUT",)

    def test_a_clock_that_is_the_recorders_own(self):
        """Client and recorder share a machine: only the network knows that it is late."""
        finding = the_one(answered(never_opened(), {1: refused(EXPIRED)}))
        assert finding.id == "INGRESS_EXPIRY"
        assert "By the recorder's clock the expiry was right" in finding.explanation

    @pytest.mark.parametrize(
        ("words", "rule_id"),
        [
            ("Invalid signature: Invalid basic signature: no", "BAD_SIGNATURE"),
            ("Canister 'x' is not one of the delegation targets.", "DELEGATION_EXPIRED"),
        ],
    )
    def test_a_refusal_that_nothing_here_explains(self, words, rule_id):
        finding = the_one(answered(never_opened(), {1: refused(words)}))
        assert (finding.id, words in finding.explanation) == (rule_id, True)

    def test_an_anonymous_client(self):
        def capture(answer):
            return answered(opening(lambda who, at: sign_envelope(ws_open(who, at), who), identity=NOBODY), {1: answer})

        finding = the_one(capture(err("Anonymous principal is not allowed")))
        assert finding.id == "ANONYMOUS"
        assert 'answered Err "Anonymous principal is not allowed"' in finding.explanation
        assert "ANONYMOUS" not in ids(capture(ok()))
