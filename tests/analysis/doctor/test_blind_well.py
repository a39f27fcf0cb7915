"""What only looks like a row of the catalogue, told as recorders tell: written blind, and none of it is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture
from support.doctor_findings import loud
from support.hand_written import Place, canister, delegated

Story = Callable[[Place], object]
ANY = ("live", "tap", "pcap", "har")


def long_talk(place: Place) -> None:
    visit = place.visit(identity=delegated(9000, [canister(7), canister(9)])).starts().chats(3).wait(200)
    for _ in range(3):
        visit.ack_round().chats(2).wait(284)
    visit.leaves()


def slow_line(place: Place) -> None:
    visit = place.visit().handshake().wait(5).asks().wait(11).opens(cert_time=place.now + 11)
    for _ in range(3):
        visit.wait(6).says().wait(11).hears(cert_time=place.now + 6)
    visit.wait(150).is_acked().wait(5).keeps_alive().wait(10).leaves()


def listener(place: Place) -> None:
    visit = place.visit().starts()
    for _ in range(3):
        for _ in range(5):
            visit.wait(55).hears("news")
        visit.wait(25).ack_round()
    visit.leaves(1001)


def upgraded_between(place: Place) -> None:
    place.nonce = 40
    place.visit().starts().chats(2).leaves()
    place.wait(60)
    place.upgraded()
    place.visit(client_nonce=4).starts().chats(2).leaves()


def quiet_room(place: Place) -> None:
    visits = [place.visit(name).starts().chats() for name in ("one", "two", "three")]
    place.wait(45)
    for visit in visits * 6:
        visit.hears("burst").wait(0.003)
    for visit in visits:
        visit.leaves()


def bursts(place: Place) -> None:
    visit = place.visit().starts()
    for _ in range(30):
        visit.says().wait(0.004)
    for _ in range(30):
        visit.hears().wait(0.001)
    visit.wait(250).is_acked().wait(0.002).keeps_alive().says().wait(2).hears().leaves()


WELL: dict[str, Story] = {
    "a long talk": long_talk,
    "five seconds each way": slow_line,
    "only listens": listener,
    "upgraded between two sessions": upgraded_between,
    "a quiet room, then a burst": quiet_room,
    "bursts in order": bursts,
    "the recording just stops": lambda p: p.visit().starts().chats(3),
    "the handshake after 4 s": lambda p: p.visit().wait(4.2).starts().chats().leaves(),
    "opened after 20 s": lambda p: p.visit().handshake().asks().wait(20).opens().chats().leaves(),
    "a ping that did no harm": lambda p: p.visit().starts().frame("out", "ping").wait(1).frame("in", "pong").chats(),
    "a clock 20 s ahead": lambda p: p.visit(skew_s=20).starts().chats(2).wait(280).ack_round().leaves(),
    "a clock 20 s behind": lambda p: p.visit(skew_s=-20).starts().chats(2).wait(280).ack_round().leaves(),
    "a certificate of 4 min 50 s": lambda p: p.visit().starts().hears(cert_time=p.now - 288).chats().leaves(),
    "a delegation that expires later": lambda p: p.visit(identity=delegated(60)).starts().chats(3).leaves(),
    "a message just small enough": lambda p: p.visit().starts().says("x" * 1_900_000).wait(4).hears().chats().leaves(),
    "a message without an answer": lambda p: p.visit().starts().says().wait(9).chats().wait(250).ack_round().leaves(),
    "an ack that lags": lambda p: p.visit().starts().chats(2).wait(90).is_acked(1).keeps_alive().chats().leaves(),
    "a keep-alive after 55 s": lambda p: p.visit().starts().chats().is_acked().wait(55).keeps_alive().chats().leaves(),
    "gone before the keep-alive": lambda p: p.visit().starts().chats().wait(200).is_acked().leaves(1001),
    "acks 300 s apart": lambda p: p.visit().starts().chats().ack_round().wait(300).ack_round().chats().leaves(),
    "idle, and closed by the user": lambda p: p.visit().starts().chats(2).wait(60).leaves(1001),
    "closed by the server": lambda p: p.visit().starts().chats().leaves(1000).is_cut(1000),
}


class TestWell:
    @pytest.mark.parametrize("recorder", ANY)
    @pytest.mark.parametrize("name", WELL)
    def test_gets_no_word(self, name: str, recorder: str) -> None:
        place = Place()
        WELL[name](place)
        assert diagnose(place.capture(recorder)).ids == ()

    @pytest.mark.parametrize("name", WELL)
    def test_no_part_of_it_does(self, name: str) -> None:
        """A recording may begin and stop anywhere."""
        place = Place()
        WELL[name](place)
        capture = place.capture()
        for cut in range(1, len(capture), max(1, len(capture) // 6)):
            assert loud(Capture(capture.info, capture.frames[:cut])) == ()
            assert loud(Capture(capture.info, capture.frames[cut:])) == ()
