"""Look-alikes of the rows that the catalogue gained: healthy, or with another cause. Written blind, like the rows.

`blind.md` has the score of the first try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.protocol import candid
from icws_explore.protocol.messages import ClientKey
from support.doctor_findings import loud
from support.hand_written import Place, Visit, key_of
from support.hand_written_network import HTML, NO_NODES, RATE, Network, busy, local, no_cycles, rejected

Story = Callable[[Place], object]
ACK, CLOSED = "Ack message timeout", "Received close message from canister"
ANY, NO_HAR = ("live", "tap", "pcap", "har"), ("live", "tap", "pcap")
NETWORK, KNOWN = ("tap",), ("live",)


def talks(place: Place, visit: Visit) -> None:
    """An ordinary session whose calls and polls a tap behind the gateway sees."""
    visit.wait(5).says("still here").answered(None).wait(1.9).hears("still here").leaves()


def one_poll_fails(answer: tuple[int, bytes], times: int = 1) -> Story:
    def story(place: Place) -> None:
        network, visit = Network(place), place.visit().starts().chats()
        network.polls(place.now, place.now + 0.2 * times, answer, every_s=0.2)
        visit.wait(0.2 * times)
        talks(place, visit)

    return story


def topped_up(place: Place) -> None:
    """The canister ran dry for four seconds during the opening."""
    network, visit = Network(place), place.visit()
    visit.handshake().wait(0.03).asks().answered(None)
    network.polls(place.now, place.now + 4, rejected(2, no_cycles(place), "IC0207"), every_s=1.0)
    visit.wait(6).opens()
    talks(place, visit)


def slow_nodes(place: Place) -> None:
    network, visit = Network(place), place.visit()
    visit.handshake().wait(0.03).asks().answered(None, after_s=9)
    network.polls(place.now, place.now + 8, NO_NODES, every_s=0.8)
    visit.wait(12).opens()
    for _ in range(2):
        visit.wait(5).says().answered(None).wait(1.9).hears()
    talks(place, visit)


def words_of_the_application(place: Place) -> None:
    """on_message traps with a text that speaks of cycles: the ledger ran dry, not this canister."""
    visit = place.visit().starts().chats()
    visit.wait(4).says("pay", lost=True)
    text = f"Error from Canister {place.canister_id}: Canister called `ic0.trap` with message: 'ledger: out of cycles'"
    visit.answered((5, text)).wait(6).says("hello?", lost=True)
    visit.answered("Expected incoming sequence number 2 but got 3").wait(1.7).is_closed().gives_up(CLOSED)


def browser_quits(place: Place) -> None:
    """Three tabs of one browser."""
    visits = [place.visit(name).starts().chats() for name in ("one", "two", "three")]
    for visit in visits:
        visit.leaves(1001).wait(0.002)


def hour_by_hour(place: Place) -> None:
    """A user who closes the page after ten minutes, three times."""
    for number in range(3):
        opened = place.now
        visit = place.visit(client_nonce=60 + number).starts()
        busy(visit, opened + 600, every_s=43).leaves(1001)
        place.wait(300)


def closes_when_idle(place: Place) -> None:
    """A page that closes its socket itself after 60 s without a message."""
    for number in range(3):
        place.visit(client_nonce=60 + number).starts().chats(1 + number).wait(60).leaves(1000)
        place.wait(20)


def lost_in_the_train(place: Place) -> None:
    for number, (times, silence_s) in enumerate(((1, 3.1), (4, 41.0), (2, 17.5))):
        place.visit(client_nonce=60 + number).starts().chats(times, think_s=4 + number).wait(silence_s).is_cut()
        place.wait(9)


def two_of_many(place: Place) -> None:
    """Two users lose their connections at about the same time, and four go on."""
    visits = [place.visit(name).starts().chats() for name in "abcdef"]
    visits[1].wait(2).is_cut()
    visits[3].wait(0.4).is_cut()
    for visit in (visits[0], visits[2], visits[4], visits[5]):
        visit.chats()
    for visit in (visits[0], visits[2], visits[4], visits[5]):
        visit.leaves()


def large_but_taken(place: Place) -> None:
    place.visit().starts().chats().says("all").wait(2).hears("x" * 1_300_000).wait(5).chats(2).leaves()


def past_128(place: Place) -> None:
    visit = place.visit().starts()
    for number in range(150):
        visit.wait(1.5).hears(f"{number}")
    visit.leaves()


def strict_mode_survived(place: Place) -> None:
    """The first socket's ws_open arrives first, and is replaced by that of the socket that stays."""
    first, second = place.visit(client_nonce=1), place.visit(client_nonce=2)
    first.handshake().wait(0.004).asks().wait(0.01)
    second.handshake().wait(0.004).asks()
    first.wait(0.02).leaves(1000)
    second.wait(1.7).opens().chats(3).leaves(1001)


def three_users(place: Place) -> None:
    """A load test: three users within a second, who all stay and talk."""
    for name in ("one", "two", "three"):
        place.visit(name).starts()
        place.wait(-1.5)
    place.wait(4)
    for visit in place.visits:
        visit.chats(2)
    for visit in place.visits:
        visit.leaves(1001)


def left_after_seven(place: Place) -> None:
    visit = place.visit().starts().chats(2).wait(170).ack_round().wait(235).leaves(1001)
    assert visit


def other_records(sent: str, value: object) -> Story:
    """Not the declared text, but a subtype: Candid allows it."""

    def story(place: Place) -> None:
        visit = place.visit().starts()
        for _ in range(3):
            visit.wait(5).sends(candid.encode([candid.parse_type(sent)], [value])).wait(1.9).hears()
        visit.wait(200).ack_round().leaves()

    return story


def never_answers(place: Place) -> None:
    """A canister that stores what it gets and says nothing, upgraded in between."""
    for _ in range(2):
        visit = place.visit(client_nonce=place.nonce + 5).starts()
        for _ in range(3):
            visit.wait(7).says()
        visit.wait(120).ack_round().leaves()
        place.wait(60)
        place.upgraded()


def unheard(place: Place) -> None:
    """Nobody answers one user for two minutes, while others talk."""
    other = place.visit("other").starts().chats()
    visit = place.visit("alone").starts()
    for _ in range(3):
        visit.wait(30).says("anybody?")
        other.chats()
    visit.leaves()
    other.chats().leaves()


def round_nonce(place: Place) -> None:
    """A nonce that a JavaScript Number holds exactly."""
    place.visit(client_nonce=2**53).starts().chats(3).wait(200).ack_round().leaves()


def same_nonce_after_leaving(place: Place) -> None:
    for _ in range(2):
        place.visit(client_nonce=77).starts().chats(2).leaves()
        place.wait(30)


def another_login(place: Place) -> None:
    """The user logs out and in as somebody else: a new socket, the same nonce."""
    place.visit("one", client_nonce=8).starts().chats(2).leaves()
    place.visit("two", client_nonce=8).starts().chats(2).leaves()


def same_words_twice(place: Place) -> None:
    """The user says the same twice, in two requests within 3 ms, with two numbers."""
    visit = place.visit().starts().wait(3).says("hi").wait(0.003).says("hi").wait(2).hears("hi").hears("hi")
    visit.wait(200).ack_round().leaves()


def expiries_by_the_minute(place: Place) -> None:
    """Requests within a minute have one and the same expiry: the agent rounds it down."""
    visit = place.visit().starts()
    for _ in range(12):
        visit.says().wait(2).hears().wait(2)
    visit.leaves()


def keeps_alive_quickly(place: Place) -> None:
    """A client of somebody's own that answers the ack and speaks at the same moment."""
    visit = place.visit().starts().chats(2).wait(90).is_acked().wait(0.02).keeps_alive().says().wait(2).hears()
    visit.wait(298).is_acked().keeps_alive().wait(70).chats().leaves()


def stops_at_a_bad_proof(place: Place) -> None:
    """A message was altered on the way, and the client stops at once: the proof was not ignored."""
    visit = place.visit().starts().chats().wait(3)
    visit.hears("forged", altered=lambda m: replace(m, content=m.content[:-1] + bytes([m.content[-1] ^ 1])))
    visit.wait(0.004).gives_up("Error receiving message")


def quick_burst(place: Place) -> None:
    """Sent within milliseconds and overtaken by each other, at a local replica."""
    visit = local(place.visit()).wait(0.5).says().wait(0.15).hears()
    for number in range(4):
        visit.says(lost=number > 0).wait(0.002)
    visit.wait(0.15).is_closed().wait(0.003).gives_up(CLOSED)


def poller_died(place: Place) -> None:
    """The gateway's poller died, so the gateway closes all sockets of the canister without a code."""
    visits = [place.visit(name).starts().chats() for name in ("one", "two", "three")]
    for visit in visits:
        visit.is_cut(1005).wait(0.002)


def ack_lost(place: Place) -> None:
    """Twice 330 s from the first message to the end: the SDK's own time-out, not a limit of a proxy."""
    for number in range(2):
        visit = place.visit(client_nonce=80 + number).starts().wait(2 + number).says()
        visit.wait(1).hears().wait(329).gives_up(ACK)
        place.wait(4)


def exact_key(place: Place) -> None:
    """Two clients with nonces that differ by one: each has its own key."""
    for nonce in (2**60, 2**60 + 1):
        visit = place.visit(f"user {nonce}", client_nonce=nonce).starts().chats()
        assert visit.client_key == ClientKey(key_of(f"user {nonce}").principal, nonce)
        visit.leaves()


WELL: list[tuple[str, Story, tuple[str, ...]]] = [
    ("one poll gets 429", one_poll_fails(RATE), NETWORK),
    ("three polls get 502", one_poll_fails((502, HTML), 3), NETWORK),
    ("no nodes for eight seconds", slow_nodes, NETWORK),
    ("a browser quits", browser_quits, ANY),
    ("pages of ten minutes", hour_by_hour, ANY),
    ("closes itself when idle", closes_when_idle, ANY),
    ("a large message that is taken", large_but_taken, ANY),
    ("150 messages", past_128, ANY),
    ("StrictMode, survived", strict_mode_survived, NO_HAR),
    ("three users at once", three_users, ANY),
    ("the page goes after seven minutes", left_after_seven, ANY),
    ("one field more", other_records("record { text : text; lang : opt text }", {"text": "a", "lang": None}), KNOWN),
    ("a canister that never answers", never_answers, ANY),
    ("a user whom nobody answers", unheard, ANY),
    ("a nonce of 2^53", round_nonce, ANY),
    ("the same nonce after leaving", same_nonce_after_leaving, ANY),
    ("another user with the same nonce", another_login, ANY),
    ("the same words twice", same_words_twice, ANY),
    ("one expiry for a minute", expiries_by_the_minute, ANY),
    ("a keep-alive and a message at once", keeps_alive_quickly, ANY),
    ("nonces that differ by one", exact_key, ANY),
]
TOLD: list[tuple[str, str, Story, tuple[str, ...]]] = [  # healthy, with an info
    ("OUT_OF_CYCLES", "dry for four seconds", topped_up, NETWORK),
]
OTHER: list[tuple[str, str, Story, tuple[str, ...]]] = [
    ("ON_MESSAGE_TRAP", "words of the application about cycles", words_of_the_application, NETWORK),
    ("CONNECTION_LOST", "two of six", two_of_many, NO_HAR),
    ("CONNECTION_LOST", "lost three times, at random", lost_in_the_train, NO_HAR),
    ("BODY_HASH", "stops at a bad proof", stops_at_a_bad_proof, NO_HAR),
    ("REORDERED_RELAY", "a burst at a local replica", quick_burst, ANY),
    ("POLLER_DEAD", "three at once, 1005", poller_died, NO_HAR),
    ("NO_ACKS", "two ack time-outs of the same length", ack_lost, NO_HAR),
]


class TestWell:
    @pytest.mark.parametrize(
        ("story", "recorder"),
        [
            pytest.param(story, recorder, id=f"{text} ({recorder})")
            for text, story, recorders in WELL
            for recorder in recorders
        ],
    )
    def test_gets_no_word(self, story: Story, recorder: str) -> None:
        place = Place()
        story(place)
        assert diagnose(place.capture(recorder)).ids == ()

    @pytest.mark.parametrize(
        ("rule", "story", "recorder"),
        [
            pytest.param(rule, story, recorder, id=f"{rule}: {text} ({recorder})")
            for rule, text, story, recorders in TOLD
            for recorder in recorders
        ],
    )
    def test_is_told_and_no_alarm(self, rule: str, story: Story, recorder: str) -> None:
        place = Place()
        story(place)
        assert diagnose(place.capture(recorder)).ids == (rule,)
        assert loud(place.capture(recorder)) == ()

    @pytest.mark.parametrize(
        ("rule", "story", "recorder"),
        [
            pytest.param(rule, story, recorder, id=f"{rule}: {text} ({recorder})")
            for rule, text, story, recorders in OTHER
            for recorder in recorders
        ],
    )
    def test_has_another_cause(self, rule: str, story: Story, recorder: str) -> None:
        place = Place()
        story(place)
        assert loud(place.capture(recorder)) == (rule,)
