"""What the canister gave the gateway, held against what arrived: whose doing it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.doctor.facts import CaptureFacts
from icws_explore.analysis.doctor.network_side import Polls
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.lab.faults import RelayFaults
from icws_explore.lab.gateway.gateway import GatewayServer
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.protocol.arguments import PollResult
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import CanisterMessage, ClientKey
from icws_explore.protocol.service_messages import AckMessage
from support.certified_canister import CANISTER_ID, GATEWAY
from support.doctor_findings import the_one
from support.network_side import answered, given, ok, poll_rejected, poll_replied, polled, received
from support.servers import free_port
from support.session_captures import START_S, SessionScript, healthy

EMPTY = PollResult((), b"", b"", True)


def changed(capture: Capture, number: int, **parts: bytes) -> Capture:
    """That frame's message as somebody between gateway and client altered it."""
    frames = list(capture.frames)
    frames[number] = replace(frames[number], data=replace(received(capture, number), **parts).encode())
    return Capture(capture.info, frames)


class TestPolls:
    def test_are_read_by_key_and_client(self):
        capture = given(healthy(), START_S + 1, received(healthy(), 2))
        facts = CaptureFacts(capture)
        polls = facts.network.polls
        (polled_message,) = polls.for_client(CANISTER_ID, SessionScript().client_key)
        assert (polled_message.sequence_num, polled_message.message.key) == (1, received(healthy(), 2).key)
        assert capture.frames[polled_message.frame].op == "response"
        assert polls.for_client(GATEWAY, SessionScript().client_key) == []
        (session,) = facts.sessions
        assert [bool(session.polled(d)) for d in session.received][:2] == [True, False]

    def test_their_differences(self):
        message = received(healthy(), 2)
        (polled_message,) = CaptureFacts(given(healthy(), START_S, message)).sessions[0].polled_messages
        assert polled_message.differences(message) == []
        assert polled_message.differences(replace(message, content=b"x", tree=b"y")) == ["content", "witness"]

    def test_are_known_to_be_recorded(self):
        session = CaptureFacts(polled(healthy(), START_S + 5, poll_replied(EMPTY))).sessions[0]
        assert session.polls_are_recorded(START_S, START_S + 9)
        assert not session.polls_are_recorded(START_S + 6, START_S + 9)

    @pytest.mark.parametrize("answer", [(200, b"\xff"), poll_rejected("no"), poll_replied("no"), (503, b"")])
    def test_what_is_no_answer_holds_nothing(self, answer):
        facts = CaptureFacts(polled(healthy(), START_S + 5, answer))
        assert facts.network.polls.messages == {}
        assert Polls(Capture(), []).messages == {}


class TestWhoseDoing:
    def test_a_gap(self):
        script = SessionScript().opened().app_says(3, "a").app_says(4, "b")
        whole = script.capture
        capture = Capture(whole.info, [*whole.frames[:3], whole.frames[4]])
        assert "had given" not in the_one(capture).explanation
        finding = the_one(given(capture, START_S + 2.9, received(whole, 3)))
        assert finding.id == "SEQUENCE_GAP_DOWN"
        assert "The canister had given the gateway message 2 (frame 4)" in finding.explanation

    def test_a_content_that_was_altered(self):
        script = SessionScript().opened().app_says(3, "a")
        message = received(script.capture, 3)
        capture = changed(script.capture, 3, content=message.content[:-1] + b"!")
        finding = the_one(given(capture, START_S + 2.9, message))
        assert finding.id == "BODY_HASH"
        assert "gave the gateway another content" in finding.explanation

    def test_a_certificate_that_the_canister_gave_so(self):
        script = SessionScript().opened().app_says(3, "a")
        capture = changed(
            script.capture, 3, cert=received(script.capture, 2).cert, tree=received(script.capture, 3).tree
        )
        finding = the_one(capture)
        assert finding.id == "CERTIFIED_DATA_CLASH"
        assert "--all-queries" in finding.explanation
        finding = the_one(given(capture, START_S + 2.9, received(capture, 3)))
        assert finding.id == "CERTIFIED_DATA_CLASH"
        assert "The canister gave the gateway the same bytes" in finding.explanation
        assert "--all-queries" not in finding.explanation

    def test_a_certificate_that_somebody_put_in_its_place(self):
        script = SessionScript().opened().app_says(3, "a")
        capture = changed(script.capture, 3, cert=received(script.capture, 2).cert)
        finding = the_one(given(capture, START_S + 2.9, received(script.capture, 3)))
        assert finding.id == "BODY_HASH"
        assert "gave the gateway another certificate" in finding.explanation

    def test_a_message_that_was_held_back(self):
        script = SessionScript().opened().app_says(400, "a", delay=320)
        finding = the_one(given(script.capture, START_S + 81, received(script.capture, 3)))
        assert finding.id == "STALE_CERTIFICATE"
        assert "The gateway received it 319 s earlier" in finding.explanation


class TestSilence:
    """Acks came, then nothing: was it the canister or the gateway?"""

    def silent(self):
        script = SessionScript().opened().client_says(5, "a").acked(300)
        return script.client_says(400, "b")

    def test_the_gateway(self):
        script = self.silent()
        message = CanisterMessage.decode(script.canister.says(AckMessage(3), script.ns(599)))
        capture = script.closed(630, "out", 4000, "Ack message timeout").capture
        assert "ACKS_WITHHELD" in diagnose(capture).ids
        finding = the_one(given(capture, START_S + 600, message))
        assert finding.id == "ACKS_WITHHELD"
        assert "the canister gave the gateway 1 message for the client (number 3, frame" in finding.explanation
        assert "the gateway withheld them" in finding.explanation

    def test_the_gateway_towards_a_client_that_only_listens(self):
        script = SessionScript().opened()
        message = CanisterMessage.decode(script.canister.says(AckMessage(0), script.ns(300)))
        capture = script.closed(630).capture
        assert diagnose(capture).ids == ("NO_ACKS",)
        finding = the_one(given(capture, START_S + 301, message))
        assert finding.id == "ACKS_WITHHELD"
        assert "No ack came for 6" in finding.explanation

    def test_the_canister(self):
        capture = self.silent().closed(630, "out", 4000, "Ack message timeout").capture
        finding = the_one(polled(capture, START_S + 500, poll_replied(EMPTY)))
        assert finding.id == "UPGRADE_WIPE"
        assert "in all polls of that time the canister had no message for it" in finding.explanation

    @pytest.mark.parametrize(("opened", "rule"), [(10, "PRINCIPAL_TAKEOVER"), (450, "UPGRADE_WIPE")])
    def test_the_canister_that_continues_with_a_client_that_was_there_before(self, opened, rule):
        silent = self.silent().closed(630, "out", 4000, "Ack message timeout").capture
        other = SessionScript(session="other")
        other.identity = Ed25519Identity.from_secret(b"\x08" * 32)
        other.client_key = other.canister.client_key = ClientKey(other.identity.principal, 9)
        other.opened(opened).client_says(opened + 5, "c").acked(600)
        both = Capture(silent.info, sorted(silent.frames + other.capture.frames, key=lambda frame: frame.t))
        finding = next(
            finding
            for finding in diagnose(polled(both, START_S + 500, poll_replied(EMPTY)))
            if None in finding.sessions
        )
        assert finding.id == rule
        assert ("session other received an ack meanwhile" in finding.explanation) == (rule == "PRINCIPAL_TAKEOVER")

    def test_one_that_was_under_way_is_not_withheld(self):
        script = self.silent()
        message = CanisterMessage.decode(script.canister.says(AckMessage(3), script.ns(629)))
        capture = script.closed(630, "out", 4000, "Ack message timeout").capture
        assert the_one(given(capture, START_S + 629.5, message)).id == "UPGRADE_WIPE"

    def test_without_polls_it_says_what_to_record(self):
        capture = self.silent().closed(630, "out", 4000, "Ack message timeout").capture
        assert "--all-queries" in the_one(answered(capture, {1: ok()})).explanation


class TestOverRealSockets:
    async def test_a_gateway_that_alters_is_found_out(self):
        """A gateway between both faces of a tap that records every poll."""
        port = free_port()
        with (
            Lab("pingpong", seed=4, time_scale=20) as lab,
            Tap(
                f"ws://127.0.0.1:{port}",
                network=lab.network_url,
                clock=lab.clock,
                canister=lab.canister_id,
                every_query=True,
            ) as tap,
        ):
            faults = RelayFaults(tamper=1.0)
            gateway = GatewayServer(tap.network_url, port=port, clock=lab.clock, ordered=False, faults=faults)
            await gateway.start()
            known = {"canister": lab.canister_id, "root_key": lab.root_key, "clock": lab.clock, "app_type": lab.app_did}
            with pytest.raises(IcwsError, match="Certificate validation failed"):
                await connect(tap.url, **known)
            await gateway.stop()
            finding = the_one(tap.recording.raw)
        assert finding.id == "BODY_HASH"
        assert "The canister gave the gateway another content" in finding.explanation
