"""A story or two for nearly every row of the catalogue: written blind, told as recorders tell.

Each is what the real parts do by the protocol's text, to the client's end. `test_blind_corpus.py` has what
was found wrong by means of these, `test_blind_well.py` what only looks like one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.protocol import candid
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.keys import AnonymousIdentity, Identity
from icws_explore.protocol.messages import CanisterMessage, ClientKey
from icws_explore.protocol.service_messages import CloseReason
from support.doctor_findings import loud
from support.hand_written import BEGIN_S, Place, Visit, canister, delegated, flipped

Story = Callable[[Place], object]
OPEN, ACK, RECEIVING = "Open connection timeout", "Ack message timeout", "Error receiving message"
CLOSED = "Received close message from canister"


def unopened(identity: Identity | None = None, **how: object) -> Story:
    """ws_open comes to nothing, and the SDK waits for its 60 s."""
    return lambda p: p.visit(identity=identity).handshake().wait(0.03).asks(**how).wait(60).gives_up(OPEN)


def refused(**how: object) -> Story:
    """A message that the SDK refuses, after some that it took."""
    return lambda place: place.visit().starts().chats(2).wait(2).hears(**how).gives_up(RECEIVING)


def with_wrong_number(visit: Visit) -> Visit:
    return visit.wait(1.8).is_closed().gives_up(CLOSED)


def bad_signature(envelope: Envelope) -> Envelope:
    return replace(envelope, sender_sig=flipped(envelope.sender_sig or b""))


def altered(message: CanisterMessage) -> CanisterMessage:
    return replace(message, content=flipped(message.content))


def raced(place: Place) -> None:
    visit = place.visit().starts().chats(2).wait(270).is_acked().wait(0.006)
    visit.says(number=4, lost=True).wait(0.003).keeps_alive(number=3, lost=True)
    with_wrong_number(visit)


def burst(place: Place) -> None:
    visit = place.visit().starts().chats()
    for number in range(5):
        visit.says(lost=number > 1).wait(0.003)
    with_wrong_number(visit)


def trapped(place: Place) -> None:
    with_wrong_number(place.visit().starts().chats(2).wait(6).says(lost=True).wait(14).says(lost=True))


def oversized(place: Place) -> None:
    with_wrong_number(place.visit().starts().chats().says("x" * 2_200_000, lost=True).wait(15).says(lost=True))


def two_tabs(place: Place) -> None:
    first = place.visit().starts().chats(2)
    second = place.visit(client_nonce=9).starts().chats()
    first.says(lost=True)
    second.chats(4)
    first.leaves(1001)
    second.leaves()


def wiped(place: Place) -> None:
    visits = [place.visit(name).starts().chats() for name in ("one", "two")]
    for visit in visits:
        visit.ack_round()
    visits[0].wait(50).says(lost=True).wait(279.98)
    for visit in visits:
        visit.gives_up(ACK)


def stale(place: Place) -> None:
    place.nonce = 57
    old = [place.visit(name).starts().chats(2) for name in ("one", "two")]
    place.wait(20)
    place.upgraded()
    old[0].says(lost=True).wait(5)
    for name in ("three", "four"):
        place.visit(name).handshake().asks().wait(60).gives_up(OPEN)
    place.wait(200)
    for visit in old:
        visit.gives_up(ACK)


def dropped_by_poller(place: Place) -> None:
    visits = [place.visit(name).starts().chats() for name in ("one", "two", "three")]
    for visit in visits:
        visit.is_cut(1005).wait(0.002)


def never_acked(place: Place) -> None:
    place.flavour = "motoko"
    visit = place.visit().starts().chats(40, think_s=6.35)
    visit.wait(330 + 6.35 - 40 * 8.25).gives_up(ACK)


def withheld(place: Place) -> None:
    visit = place.visit().starts().chats(2).wait(100).ack_round().wait(300).ack_round()
    visit.wait(20).says(lost=True).wait(310).gives_up(ACK)


def stalled(place: Place) -> None:
    visits = [place.visit(name).starts().chats() for name in ("one", "two", "three")]
    held = []
    for _ in range(20):
        place.wait(1.5)
        for visit in visits:
            visit.hears("tick")
            held.append((visit, visit.frames.pop()))
    for number, (visit, frame) in enumerate(held):
        visit.frames.append(replace(frame, t=place.now + number * 0.0005))
    for visit in visits:
        visit.wait(1.5).hears("tick").leaves()


def unanswered(place: Place, *, late_s: float | None = None) -> Visit:
    """An ack, no keep-alive or a late one, and the canister's CloseMessage."""
    visit = place.visit().starts().chats().wait(80).is_acked().wait(61.5 if late_s is None else late_s)
    if late_s is not None:
        visit.keeps_alive(lost=True).wait(0.4)
    return visit.is_closed(CloseReason.KEEP_ALIVE_TIMEOUT)


def ended(place: Place) -> Visit:
    return place.visit().starts().chats(2).wait(4).is_closed(CloseReason.CLOSED_BY_APPLICATION)


ANY, NO_HAR = ("live", "tap", "pcap", "har"), ("live", "tap", "pcap")
KNOWN = ("live", "tap")
ILL: list[tuple[str, Story, tuple[str, ...]]] = [
    ("NO_HANDSHAKE", lambda p: p.visit().frame("in", "pong").wait(60).is_cut(), NO_HAR),
    ("NO_HANDSHAKE", lambda p: p.visit().frame("in", "text", b"welcome").gives_up("Handshake message error"), NO_HAR),
    ("OLD_SDK_NEW_GATEWAY", lambda p: p.visit().asks(gateway=None).handshake().wait(9).leaves(1001), ANY),
    ("RAW_CLIENT", lambda p: p.visit().handshake().wait(1).frame("out", "text", b"hello").is_cut(1005), ANY),
    ("RAW_CLIENT", lambda p: p.visit().starts().chats().frame("out", "text", b"hello").is_cut(1005), ANY),
    ("RAW_CLIENT", lambda p: p.visit().handshake().wait(1).says().is_cut(1005), ANY),
    ("PING_KILLS_SESSION", lambda p: p.visit().starts().wait(18).frame("out", "ping").wait(0.01).is_cut(), NO_HAR),
    ("PING_KILLS_SESSION", lambda p: p.visit().starts().frame("out", "pong").wait(0.01).is_cut(1005), NO_HAR),
    ("DELEGATION_EXPIRED", unopened(identity=delegated(-10)), ANY),
    ("DELEGATION_EXPIRED", unopened(identity=delegated(9000, [canister(3)])), ANY),
    ("ANONYMOUS", unopened(identity=AnonymousIdentity()), ANY),
    ("GATEWAY_PRINCIPAL_MISMATCH", unopened(gateway=canister(1)), ANY),
    ("GATEWAY_NOT_REGISTERED", lambda p: p.visit().handshake().asks().wait(1.8).is_cut(1005), NO_HAR),
    ("OPEN_TIMEOUT", unopened(), ANY),
    ("INGRESS_EXPIRY", unopened(expiry_s=-600), ANY),
    ("INGRESS_EXPIRY", unopened(expiry_s=900), ANY),
    ("BAD_SIGNATURE", unopened(altered=bad_signature), ANY),
    ("STALE_NONCE", stale, NO_HAR),
    ("POLLER_DEAD", dropped_by_poller, NO_HAR),
    ("SDK_REJECTS_VALID", lambda p: p.visit().starts().gives_up(RECEIVING), KNOWN),
    ("CERTIFIED_DATA_CLASH", refused(certified_data=bytes(32)), ANY),
    ("STALE_CERTIFICATE", refused(cert_time=BEGIN_S - 300), ANY),
    ("STALE_CERTIFICATE", refused(cert_time=BEGIN_S + 400), ANY),
    ("BODY_HASH", refused(altered=altered), ANY),
    ("BAD_CERTIFICATE", refused(signed_by=Place(root="forger").issuer), KNOWN),
    ("SEQUENCE_GAP_DOWN", lambda p: p.visit().starts().chats().hears(dropped=True).hears().gives_up(RECEIVING), ANY),
    ("SEQUENCE_DUPLICATE_DOWN", lambda p: p.visit().starts().hears(number=1).gives_up(RECEIVING), ANY),
    ("REORDERED_RELAY", burst, ANY),
    ("LOST_UP", oversized, ANY),
    ("KEEPALIVE_RACE", raced, ANY),
    ("ON_MESSAGE_TRAP", trapped, ANY),
    ("PRINCIPAL_TAKEOVER", two_tabs, ANY),
    ("UPGRADE_WIPE", wiped, NO_HAR),
    ("NO_ACKS", never_acked, NO_HAR),
    ("ACKS_WITHHELD", withheld, NO_HAR),
    ("ACK_INTERVAL_MISMATCH", lambda p: p.visit().starts().says().wait(2).hears().wait(148).gives_up(ACK), NO_HAR),
    ("ACK_DEFAULTS_SKEW", lambda p: p.visit().starts().says().wait(2).hears().wait(88).gives_up(ACK), NO_HAR),
    ("ACK_TOO_HIGH", lambda p: p.visit().starts().chats(2).is_acked(7).gives_up("Ack message error"), ANY),
    ("NO_KEEPALIVE", lambda p: unanswered(p).gives_up(CLOSED), ANY),
    ("NO_KEEPALIVE", lambda p: unanswered(p).is_cut(1005), NO_HAR),
    ("KEEPALIVE_LATE", lambda p: unanswered(p, late_s=62).gives_up(CLOSED), ANY),
    ("UNKNOWN_CLOSE_VARIANT", lambda p: ended(p).gives_up("Service message error"), NO_HAR),
    ("APP_TYPE_MISMATCH", refused(content=b"hello"), ANY),
    ("APP_TYPE_MISMATCH", refused(content=candid.encode([candid.NAT32], [7])), KNOWN),
    ("WRONG_CANISTER", refused(of=canister(8)), ANY),
    ("PROXY_IDLE", lambda p: p.visit().starts().chats(2).wait(60.05).is_cut(), NO_HAR),
    ("PROXY_IDLE", lambda p: p.visit().starts().chats(2).wait(100.1).is_cut(), NO_HAR),
    ("SLOW_CLIENT_STALL", stalled, ANY),
    ("CLIENT_KEY_FOREIGN", refused(client_key=ClientKey(canister(1), 5)), ANY),
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

    @pytest.mark.parametrize("rule", ["BODY_HASH", "ANONYMOUS", "NO_KEEPALIVE", "ON_MESSAGE_TRAP", "ACK_TOO_HIGH"])
    def test_beside_a_healthy_session(self, rule: str) -> None:
        place = Place()
        friend = place.visit("friend").starts().chats()
        next(story for name, story, _ in ILL if name == rule)(place)
        friend.chats().leaves()
        findings = [finding for finding in diagnose(place.capture()) if finding.severity != "info"]
        assert [(finding.id, finding.sessions) for finding in findings] == [(rule, ("2",))]

    def test_a_root_key_of_another_network(self) -> None:
        place = Place()
        place.visit().starts().gives_up(RECEIVING)
        capture = place.capture(root_key=MAINNET_ROOT_KEY)
        assert diagnose(capture, known_root_keys=[place.root_key]).ids == ("ROOT_KEY",)

    def test_what_is_expected(self) -> None:
        place = Place()
        ended(place).gives_up("ClosedByApplication")
        (finding,) = diagnose(place.capture())
        assert (finding.id, finding.severity) == ("CLOSED_BY_APPLICATION", "info")
