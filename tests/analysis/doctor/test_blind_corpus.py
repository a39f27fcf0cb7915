"""Sessions that were written from the catalogue's text before anybody had read the rules, and what they brought up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.imports import identify
from icws_explore.capture import Capture
from icws_explore.protocol import candid
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseReason
from support.doctor_findings import loud
from support.hand_written import Place, canister, flipped

RECORDERS = ("live", "tap", "har", "pcap")


class TestSomebodyComesBack:
    """The same principal again is no takeover unless the first session was in use behind it."""

    @pytest.mark.parametrize("recorder", RECORDERS)
    def test_one_after_another(self, recorder):
        """A HAR has no ends, so that the first may have ended before."""
        place = Place()
        place.visit().starts().chats(2).leaves()
        place.wait(2)
        place.visit(client_nonce=9).starts().chats(2).leaves()
        assert loud(place.capture(recorder)) == ()

    def test_a_line_that_is_noticed_to_be_cut_long_after(self):
        place = Place()
        first = place.visit().starts().chats()
        place.wait(8)
        second = place.visit(client_nonce=9).starts().chats(2)
        first.is_cut(1006)
        second.chats().leaves()
        assert loud(place.capture()) == ()

    @pytest.mark.parametrize("recorder", RECORDERS)
    def test_two_tabs(self, recorder):
        place = Place()
        first = place.visit().starts().chats(2)
        second = place.visit(client_nonce=9).starts().chats()
        first.says("anybody?", lost=True)
        second.chats(3)
        first.leaves(1001)
        second.leaves()
        assert loud(place.capture(recorder)) == ("PRINCIPAL_TAKEOVER",)


class TestEndBehindACloseMessage:
    """A connection that ends without a code behind the canister's CloseMessage is not the poller's death."""

    def test_of_the_application(self):
        visit = Place().visit().starts().wait(0.1).is_closed(CloseReason.CLOSED_BY_APPLICATION).is_cut(1005)
        assert loud(visit.place.capture()) == ()

    def test_of_a_client_that_kept_silent(self):
        visit = Place().visit().starts().wait(280).is_acked().wait(61.2)
        visit.is_closed(CloseReason.KEEP_ALIVE_TIMEOUT).is_cut(1005)
        assert loud(visit.place.capture()) == ("NO_KEEPALIVE",)


class TestIntervalThatTheWaitShows:
    """Where nobody says what the client was configured with, its wait does: it gives up 30 s behind the interval."""

    @pytest.mark.parametrize("recorder", ["tap", "pcap"])
    def test_no_ack_yet(self, recorder):
        visit = Place().visit().starts().wait(3).says().wait(2).hears().wait(148).gives_up("Ack message timeout")
        (finding,) = diagnose(visit.place.capture(recorder))
        assert finding.id == "ACK_INTERVAL_MISMATCH"
        assert "in 150 s from the first message on" in finding.explanation
        assert "expects one every 120 s" in finding.explanation
        assert "NO_ACKS" in finding.explanation

    @pytest.mark.parametrize("recorder", ["tap", "pcap"])
    def test_one_ack(self, recorder):
        """No acks are missed: other messages came, and three times as long would still be in time."""
        visit = Place().visit().starts().wait(3).says().wait(2).hears().wait(5).ack_round().chats(3)
        visit.wait(66.3).gives_up("Ack message timeout")
        (finding,) = diagnose(visit.place.capture(recorder))
        assert finding.id == "ACK_INTERVAL_MISMATCH"
        assert "After an ack in frame 5, none came for 90.0 s" in finding.explanation
        assert "expects one every 60.0 s" in finding.explanation

    def test_what_came_is_not_called_nothing(self):
        visit = Place().visit().starts().chats(2).wait(100).ack_round().wait(300).ack_round().chats(2)
        visit.wait(330.1 - 15.8).gives_up("Ack message timeout")
        (finding,) = diagnose(visit.place.capture())
        assert finding.id == "ACKS_WITHHELD"
        assert "Only 2 other messages came, the last 15.8 s after the ack." in finding.explanation

    def test_a_withheld_ack_may_look_like_none(self):
        visit = Place().visit().starts().wait(4).says().wait(2).hears().wait(200).is_acked(dropped=True)
        visit.wait(128).gives_up("Ack message timeout")
        (finding,) = diagnose(visit.place.capture())
        assert finding.id == "NO_ACKS"
        assert "shows the gap, and the last one came 2.0 s after" in finding.explanation


class TestFirstError:
    """What comes behind a message that the SDK refuses, or is that message, is no evidence of anything else."""

    def test_an_altered_ack(self):
        visit = Place().visit().starts().chats(3).wait(270)
        visit.is_acked(altered=lambda m: replace(m, content=flipped(m.content))).gives_up("Error receiving message")
        assert loud(visit.place.capture()) == ("BODY_HASH",)

    @pytest.mark.parametrize("recorder", RECORDERS)
    def test_an_ack_after_a_gap(self, recorder):
        """Of a client that stays."""
        visit = Place().visit().starts().chats(2).wait(2).hears(dropped=True).hears().wait(0.1).is_acked(9)
        assert loud(visit.place.capture(recorder)) == ("SEQUENCE_GAP_DOWN",)

    def test_a_close_after_an_altered_message(self):
        visit = Place().visit().starts().chats().wait(2)
        visit.hears(altered=lambda m: replace(m, content=flipped(m.content))).gives_up("Error receiving message")
        visit.wait(0.1).is_closed().is_cut(4000)
        assert loud(visit.place.capture()) == ("BODY_HASH",)


class TestNoRootKeyInAHar:
    """All of a proof but the signature can be judged without one: and mainnet's is tried."""

    @pytest.mark.parametrize("recorder", ["har", "pcap", "tap"])
    def test_a_content_that_was_encoded_again(self, recorder):
        visit = Place().visit().starts().chats(2).wait(2)
        visit.hears(altered=lambda m: replace(m, content=m.content[3:])).gives_up("Error receiving message")
        (finding,) = diagnose(visit.place.capture(recorder))
        assert finding.id == "BODY_HASH"
        assert ("no root key" in finding.explanation) == (recorder != "tap")

    def test_other_certified_data(self):
        visit = Place().visit().starts().chats().wait(2).hears(certified_data=b"assets".ljust(32))
        assert loud(visit.place.capture("har")) == ("CERTIFIED_DATA_CLASH",)

    def test_a_laptop_that_slept(self):
        visit = Place().visit().starts().chats(2)
        visit.wait(1900).hears(cert_time=visit.place.now - 1899)
        assert loud(visit.place.capture("har")) == ("STALE_CERTIFICATE",)

    def test_another_canister(self):
        visit = Place().visit().handshake().asks().wait(2).opens(of=canister(8))
        assert loud(visit.place.capture("har")) == ("WRONG_CANISTER",)

    def test_no_certificate_at_all(self):
        visit = Place().visit().starts().chats().hears(altered=lambda m: replace(m, cert=b"\xa1\x00"))
        assert loud(visit.place.capture("har")) == ("BAD_CERTIFICATE",)

    def test_a_key_that_is_known_and_fits(self):
        place, forger = Place(), Place(root="forger")
        capture = place.visit().starts().chats().hears(signed_by=forger.issuer).place.capture("har")
        assert loud(capture) == ()
        assert diagnose(capture, known_root_keys=[place.root_key]).ids == ("BAD_CERTIFICATE",)


class TestTypeThatNobodyNames:
    """A tap does not know the application's type, but the first message of another one ends the session."""

    def refused(self, content):
        visit = Place().visit().starts().chats(2).wait(4).hears(content).gives_up("Error receiving message")
        return visit.place.capture()

    def test_a_number_among_records(self):
        (finding,) = diagnose(self.refused(candid.encode([candid.NAT32], [7])))
        assert finding.id == "APP_TYPE_MISMATCH"
        assert "accepted 3 messages of the canister and closed at message 4 (frame 7)" in finding.explanation
        assert "of the type nat32" in finding.explanation

    def test_the_same_type_is_another_matter(self):
        assert loud(self.refused("as ever")) == ("UNEXPLAINED_END",)


class TestSeveralCanisters:
    """A page may talk to two of them; one session may not."""

    @pytest.mark.parametrize("recorder", ["har", "pcap", "tap"])
    def test_a_session_each(self, recorder):
        one, other = Place(), Place(canister_number=8)
        visits = [one.visit().starts().chats(2).leaves(), other.visit(client_nonce=9).starts().chats().leaves()]
        capture = one.capture(recorder, visits=visits)
        assert loud(capture) == ()
        assert loud(identify(Capture(replace(capture.info, origin="har"), capture.frames))) == ()

    def test_one_of_which_was_open_before_the_recording(self):
        one, other = Place(), Place(canister_number=8)
        late = other.visit().starts().chats(3).leaves()
        del late.frames[:3]
        capture = one.capture("har", visits=[one.visit().starts().chats().leaves(), late])
        assert loud(identify(capture)) == ()

    @pytest.mark.parametrize("recorder", RECORDERS)
    def test_two_in_one(self, recorder):
        visit = (
            Place().visit().starts().wait(3).says(to=canister(8), lost=True).wait(20).says(to=canister(8), lost=True)
        )
        visit.wait(2).is_closed().gives_up("Received close message from canister")
        (finding,) = diagnose(visit.place.capture(recorder))
        assert finding.id == "WRONG_CANISTER"
        assert f"frame 3 goes to {canister(8)}" in finding.explanation


class TestLeavingInInit:
    """A gateway up to 1.4.6 panics at it. An SDK has sent ws_open by then."""

    @pytest.mark.parametrize("waited", [0.7, 2.2, 30.0])
    def test_is_a_raw_clients(self, waited):
        visit = Place().visit().handshake().wait(waited).leaves(1001)
        assert loud(visit.place.capture()) == ("RAW_CLIENT",)

    def test_unless_the_line_was_cut(self):
        assert loud(Place().visit().handshake().wait(0.2).is_cut(1006).place.capture()) == ("CONNECTION_LOST",)


class TestNetworkSideThatBeginsLate:
    def test_what_passed_before_was_not_lost(self):
        visit = Place().visit().starts().chats(2).wait(6).says("boom", lost=True)
        visit.answered((5, "Error from Canister: Canister called `ic0.trap` with message: panicked at src/lib.rs:12"))
        visit.wait(14).says(lost=True).wait(2).is_closed().gives_up("Received close message from canister")
        (finding,) = diagnose(visit.place.capture())
        assert finding.id == "ON_MESSAGE_TRAP"
        assert "panicked at src/lib.rs:12" in finding.explanation


class TestStaleNonce:
    def upgraded(self, *, old_asks: bool, newcomers_gateway: Principal | None = None):
        place = Place(nonce=912)
        old = place.visit("old").starts().chats(2)
        place.wait(20)
        place.upgraded()
        if old_asks:
            old.says("anybody?", lost=True)
        place.wait(5)
        new = place.visit("new").handshake().wait(0.03).asks(gateway=newcomers_gateway or place.gateway)
        new.wait(60).gives_up("Open connection timeout")
        return place.capture()

    def test_shows_before_the_old_clients_give_up(self):
        (finding,) = diagnose(self.upgraded(old_asks=True))
        assert finding.id == "STALE_NONCE"
        assert "up to nonce 914" in finding.explanation

    def test_is_a_guess_where_the_old_ones_had_nothing_to_ask(self):
        assert loud(self.upgraded(old_asks=False)) == ("OPEN_TIMEOUT",)

    def test_is_not_where_the_newcomer_could_not_have_opened(self):
        assert loud(self.upgraded(old_asks=True, newcomers_gateway=canister(3))) == ("GATEWAY_PRINCIPAL_MISMATCH",)


class TestOpeningThatFails:
    def test_for_one_who_came_back(self):
        """The catalogue's other variant: on_close traps, so that the first connect worked."""
        place = Place()
        place.visit().starts().chats(2).is_cut()
        for nonce in (2, 3):
            place.wait(3)
            place.visit(client_nonce=nonce).handshake().wait(0.03).asks().wait(60).gives_up("Open connection timeout")
        finding, lost = diagnose(place.capture())
        assert (lost.id, lost.severity, lost.sessions) == ("CONNECTION_LOST", "info", ("1",))
        assert (finding.id, finding.sessions) == ("ON_OPEN_TRAP", ("2", "3"))
        assert "opened a session before (session 1), so on_close may be what traps" in finding.explanation
        assert "no longer answers any client looks the same" in finding.explanation

    @pytest.mark.parametrize(("after_s", "expected"), [(3.0, ()), (15.0, ()), (40.0, ("OPEN_TIMEOUT",))])
    def test_a_user_leaves_before_the_sdk_gives_up(self, after_s, expected):
        visit = Place().visit().handshake().wait(0.03).asks().wait(after_s).leaves(1001)
        findings = diagnose(visit.place.capture())
        assert findings.ids == expected
        assert all(
            finding.severity == "warning" and "before the SDK gives up" in finding.explanation for finding in findings
        )


class TestAcksOfOthers:
    def test_say_that_the_canister_was_not_upgraded(self):
        place = Place()
        one, other = place.visit("one").starts().chats(), place.visit("other").starts().chats()
        place.wait(60)
        one.ack_round()
        other.ack_round()
        one.wait(10).says()
        place.wait(290)
        other.ack_round()
        one.wait(30).gives_up("Ack message timeout")
        other.leaves()
        (finding,) = diagnose(place.capture())
        assert finding.id == "ACKS_WITHHELD"
        assert "Meanwhile session 2 of the same canister received an ack" in finding.explanation
        assert "UPGRADE_WIPE" not in finding.explanation


class TestUpgradeThatOneDidNotWaitFor:
    def test_is_one_all_the_same(self):
        """The last acks of all came in one poll, that of the one who left a moment later."""
        place = Place()
        visits = [place.visit(name).starts().chats() for name in ("one", "two", "three")]
        place.wait(60)
        for visit in visits:
            visit.ack_round()
        place.wait(50)
        visits[0].says(lost=True)
        visits[2].leaves(1001)
        place.wait(280)
        for visit in visits[:2]:
            visit.gives_up("Ack message timeout")
        (finding,) = diagnose(place.capture())
        assert (finding.id, finding.sessions) == ("UPGRADE_WIPE", ("1", "2"))


class TestAnswerToTheClientsClose:
    def test_is_enough_to_know_it_by(self):
        visit = Place().visit().starts().wait(3).says().wait(2).hears().wait(148)
        visit.frame("in", "close", b"", 4000, "Ack message timeout")
        assert loud(visit.place.capture()) == ("ACK_INTERVAL_MISMATCH",)
