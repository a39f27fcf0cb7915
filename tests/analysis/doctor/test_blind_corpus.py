"""Sessions that were written from the catalogue's text before anybody had read the rules, and what they brought up."""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture
from icws_explore.protocol.service_messages import CloseReason
from support.hand_written import Place

RECORDERS = ("live", "tap", "har", "pcap")


def loud(capture: Capture) -> tuple[str, ...]:
    """What is wrong; what is only told does not count."""
    return tuple(dict.fromkeys(it.id for it in diagnose(capture) if it.severity != "info"))


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
