"""Stories of the catalogue's newer rows, told frame by frame, beside what only looks like them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Frame
from icws_explore.protocol.arguments import encode_poll_args
from icws_explore.protocol.envelope import Envelope, query_content
from icws_explore.protocol.service_messages import AckMessage, CloseReason
from support.doctor_findings import loud
from support.hand_written import Place, delegated, flipped

Story = Callable[[Place], object]
OPEN, ACK, RECEIVING = "Open connection timeout", "Ack message timeout", "Error receiving message"
CLOSED = "Received close message from canister"
FROZEN = "IC0207: Canister x is unable to process query calls because it's frozen. Please top up the canister."
REFUSED = "IC0406: Canister x rejected the message"


def refused_polls(place: Place, count: int, every_s: float, status: int, text: str) -> None:
    """The gateway's next polls, each of which the network refuses."""
    body = Envelope(query_content(place.canister_id, "ws_get_messages", encode_poll_args(0), place.gateway, 10**18))
    target = f"POST /api/v2/canister/{place.canister_id}/query"
    for number in range(count):
        at, name = place.now + number * every_s, f"poll {len(place.http)}"
        place.http.append(Frame(at, "out", "request", body.encode(), None, target, name))
        place.http.append(Frame(at + 0.08, "in", "response", text.encode(), status, target, name))


def numbers_from_zero(place: Place) -> None:
    visit = place.visit().starts()
    visit.sent = -1
    visit.wait(5).says(lost=True).wait(1).is_closed().gives_up(CLOSED)


def one_expiry(place: Place) -> None:
    visit, began = place.visit().starts().wait(3), place.now
    for number in range(8):
        visit.says(lost=number > 4, expiry_s=began - place.now)
        if number <= 4:
            visit.wait(2).hears()
        visit.wait(58)
    visit.is_closed().gives_up(CLOSED)


def up_to_128(place: Place) -> None:
    visit = place.visit().starts()
    while visit.received < 128:
        visit.wait(1).hears("tick")
    visit.hears("of the same poll").wait(0.05).leaves(1011)


def trap_a_second_before(place: Place) -> None:
    visit = place.visit().handshake().wait(0.01).asks().wait(0.2).opens().wait(3).says().wait(0.2).hears()
    visit.wait(2).says(lost=True).wait(1).says(lost=True).wait(0.2).is_closed().gives_up(CLOSED)


def polls_unavailable(place: Place) -> None:
    visit = place.visit().starts().chats(2).wait(5)
    refused_polls(place, 14, 25, 502, "<html>Bad Gateway</html>")
    visit.says().answered(None).wait(330).gives_up(ACK)


def gateways_clock(place: Place) -> None:
    visit = place.visit().handshake().wait(0.03).asks().answered(None)
    refused_polls(place, 12, 5, 400, "Invalid request expiry: Specified ingress_expiry not within expected range")
    visit.wait(60).gives_up(OPEN)


def silent_twice(place: Place, idle_s: float) -> None:
    for nonce in (1, 2):
        place.visit(client_nonce=nonce).starts().chats(nonce).wait(idle_s).is_cut()
        place.wait(4)


def old_twice(place: Place, life_s: float) -> None:
    for nonce, think_s in ((1, 9.0), (2, 14.0)):
        visit, began = place.visit(client_nonce=nonce), place.now
        visit.starts()
        while place.now - began < life_s - 20:
            visit.chats(think_s=think_s)
        visit.wait(life_s - (place.now - began)).is_cut()
        place.wait(5)


def restarted(place: Place) -> None:
    names = ("one", "two", "three")
    before = [place.visit(name).starts().chats() for name in names]
    for visit in before:
        visit.is_cut(1006).wait(0.002)
    place.wait(4)
    for name in names:
        place.visit(name, client_nonce=40).starts().chats().leaves()


def one_of_three_stays(place: Place) -> None:
    first, second, third = (place.visit(name).starts().chats() for name in ("one", "two", "three"))
    first.is_cut()
    second.wait(0.01).is_cut()
    third.wait(5).chats(2).leaves()


def swapped(place: Place) -> None:
    visit = place.visit().starts().chats(2).wait(2).hears(dropped=True).hears()
    visit.hears(number=visit.received - 1).gives_up(RECEIVING)


def ack_for_ack(place: Place) -> None:
    visit = place.visit().starts().chats().wait(200).is_acked().wait(0.05).sends(AckMessage(3), lost=True)
    visit.wait(60).is_closed(CloseReason.KEEP_ALIVE_TIMEOUT).leaves()


def dropped_at_once(place: Place) -> None:
    for nonce in range(5):
        place.visit(client_nonce=nonce).handshake().wait(0.002).is_cut()
        place.wait(1)


def silent_page(place: Place, count: int = 7) -> None:
    visits = [place.visit(f"random {number}").starts() for number in range(count)]
    for visit in visits:
        visit.is_cut()


def one_nonce(place: Place) -> None:
    place.visit(client_nonce=5).starts().chats().is_cut()
    place.wait(2)
    place.visit(client_nonce=5).handshake().asks().wait(60).gives_up(OPEN)


def failing_loop(place: Place) -> None:
    for nonce in range(4):
        place.visit(client_nonce=nonce).handshake().wait(0.03).asks().wait(0.3).is_cut(1005)
        place.wait(1)


NO_HAR = ("live", "tap", "pcap")
ANY = (*NO_HAR, "har")
TAP = ("tap",)
ILL: list[tuple[str, Story, tuple[str, ...]]] = [
    ("FIRST_NUMBER", numbers_from_zero, ANY),
    ("EXPIRY_REUSED", one_expiry, ANY),
    (
        "FRAME_TOO_LARGE",
        lambda p: p.visit().starts().chats(2).says("x" * 1_200_000).frame("in", "close", b"", 1009),
        TAP,
    ),
    ("FRAME_TOO_LARGE", lambda p: p.visit().starts().chats(2).hears("x" * 1_200_000).leaves(1009), TAP),
    (
        "UNEXPLAINED_END",
        lambda p: p.visit().starts().chats(2).frame("in", "close", b"", 1011, "internal error"),
        NO_HAR,
    ),
    (
        "GATEWAY_RESTART",
        lambda p: p.visit().starts().chats(2).frame("in", "close", b"", 1012, "service restart"),
        NO_HAR,
    ),
    ("GATEWAY_RESTART", restarted, NO_HAR),
    ("CLOSED_AT_128", up_to_128, NO_HAR),
    ("ON_MESSAGE_TRAP", trap_a_second_before, ANY),
    ("POLLS_REFUSED", polls_unavailable, TAP),
    ("GATEWAY_CLOCK", gateways_clock, TAP),
    ("OUT_OF_CYCLES", lambda p: p.visit().handshake().asks().answered((2, FROZEN)).wait(60).gives_up(OPEN), TAP),
    ("INSPECT_MESSAGE", lambda p: p.visit().handshake().asks().answered((4, REFUSED)).wait(60).gives_up(OPEN), TAP),
    ("PROXY_IDLE", lambda p: silent_twice(p, 47.0), NO_HAR),
    ("PROXY_IDLE", lambda p: silent_twice(p, 900.0), NO_HAR),
    ("LIFETIME_LIMIT", lambda p: old_twice(p, 411.0), NO_HAR),
    ("CONNECTION_LOST", lambda p: p.visit().starts().chats(2).wait(3).is_cut(), NO_HAR),
    ("CONNECTION_LOST", lambda p: p.visit().starts().chats(2).wait(37).is_cut(), NO_HAR),
    ("CONNECTION_LOST", one_of_three_stays, NO_HAR),
    ("SDK_FAILED_LOCALLY", lambda p: p.visit().starts().chats(2).wait(4).gives_up("Message sending failed"), NO_HAR),
    ("UNEXPLAINED_END", lambda p: p.visit().starts().chats(2).is_acked().gives_up("Service message error"), NO_HAR),
    ("UNEXPLAINED_END", lambda p: p.visit().starts().chats(2).is_closed(CloseReason.INVALID_SERVICE_MESSAGE), ANY),
    ("SEQUENCE_SWAP_DOWN", swapped, ANY),
    ("ACK_ANSWERED_WITH_ACK", ack_for_ack, ANY),
    ("SUBPROTOCOL", dropped_at_once, NO_HAR),
    ("NONCE_REUSED", one_nonce, ANY),
    ("POLLER_DEAD", failing_loop, TAP),
    ("WRONG_CANISTER", lambda p: p.visit().handshake().wait(0.03).asks().wait(0.3).is_cut(1005), TAP),
]


class TestIll:
    @pytest.mark.parametrize(
        ("rule", "story", "recorder"),
        [
            pytest.param(rule, story, recorder, id=f"{rule}-{number}-{recorder}")
            for number, (rule, story, recorders) in enumerate(ILL)
            for recorder in recorders
        ],
    )
    def test_is_named_and_nothing_else(self, rule: str, story: Story, recorder: str) -> None:
        place = Place()
        story(place)
        assert loud(place.capture(recorder)) == (rule,)


class TestLookAlikes:
    def test_a_client_that_came_back_is_only_mentioned(self) -> None:
        place = Place()
        place.visit().starts().chats().is_cut()
        place.wait(3)
        place.visit(client_nonce=9).starts().chats(2).leaves()
        (finding,) = diagnose(place.capture())
        assert (finding.id, finding.severity) == ("CONNECTION_LOST", "info")
        assert "connected again 3.0 s later" in finding.explanation

    def test_users_who_say_nothing_and_leave_are_no_page_that_renders(self) -> None:
        place = Place()
        for visit in [place.visit(f"user {number}").starts() for number in range(7)]:
            visit.leaves()
        assert diagnose(place.capture()) == []

    def test_sockets_of_one_page_end_together_without_a_restart(self) -> None:
        place = Place()
        silent_page(place)
        (finding,) = diagnose(place.capture())
        assert (finding.id, finding.severity) == ("SOCKETS_PER_RENDER", "info")
        assert finding.explanation.startswith("7 sockets of 7 identities")

    def test_a_page_left_after_ten_minutes_without_a_login_is_just_left(self) -> None:
        visit = Place().visit().starts().chats().wait(300).ack_round().wait(300)
        assert diagnose(visit.leaves(1001).place.capture()) == []

    def test_with_a_login_it_may_be_the_idle_manager(self) -> None:
        visit = Place().visit(identity=delegated(9_000)).starts().chats().wait(300).ack_round().wait(300).leaves(1001)
        (finding,) = diagnose(visit.place.capture())
        assert (finding.id, finding.severity) == ("PAGE_IDLE_RELOAD", "info")

    @pytest.mark.parametrize("code", [1000, 1001, 1005, 4001, 4100])
    def test_a_client_that_closes_on_purpose_gets_no_finding(self, code: int) -> None:
        assert diagnose(Place().visit().starts().chats(2).leaves(code).place.capture()) == []

    def test_a_few_refused_polls_in_a_session_that_continues_are_not_a_cause(self) -> None:
        place = Place()
        visit = place.visit().starts().chats()
        refused_polls(place, 4, 1, 503, "busy")
        visit.wait(6).chats(2).leaves()
        assert diagnose(place.capture()) == []

    def test_a_client_that_ignores_a_bad_proof_is_mentioned(self) -> None:
        visit = Place().visit().starts().chats(2).wait(2)
        visit.hears(altered=lambda m: replace(m, content=flipped(m.content))).wait(10).chats(2).leaves()
        findings = diagnose(visit.place.capture())
        assert [(finding.id, finding.severity) for finding in findings] == [
            ("BODY_HASH", "error"),
            ("IGNORES_PROOFS", "info"),
        ]

    def test_an_ack_outweighs_a_signature_that_does_not_fit_the_recording(self) -> None:
        """The canister received the message, so the recording holds other bytes than were sent."""

        def resigned(envelope: Envelope) -> Envelope:
            return replace(envelope, sender_sig=flipped(envelope.sender_sig or b""))

        visit = Place().visit().starts().says(altered=resigned).wait(2).hears().wait(200).ack_round().leaves()
        findings = diagnose(visit.place.capture())
        assert findings == []
        assert "holds other bytes than the client sent" in findings.unchecked[0].why


class TestWhoStopsAnswering:
    def test_owes_a_keep_alive_while_the_session_continues(self) -> None:
        visit = Place().visit().starts().chats(2).wait(200).is_acked()
        for _ in range(4):
            visit.wait(20).hears("tick")
        (finding,) = diagnose(visit.place.capture())
        assert finding.id == "UNEXPLAINED_END"
        assert "sent nothing for 80.0 s after the AckMessage" in finding.explanation
