"""Stories for the rows that the catalogue gained: written blind, from its text alone, as recorders tell them.

`blind.md` has the score of the first try. `test_blind_grown_well.py` has what only looks like these rows, and
`test_blind_files.py` what arrives as a HAR file, as packets or as a configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.protocol import candid
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.service_messages import AckMessage, CloseReason
from support.doctor_findings import loud
from support.hand_written import Place, Visit, delegated, flipped, key_of
from support.hand_written_network import (
    HTML,
    NO_NODES,
    RATE,
    Network,
    busy,
    local,
    no_cycles,
    not_replicated,
    rejected,
)
from support.indefinite import reencoded

Story = Callable[[Place], object]  # a dict that it returns is what the recorder knows besides
OPEN, ACK, RECEIVING = "Open connection timeout", "Ack message timeout", "Error receiving message"
CLOSED = "Received close message from canister"


def keep_alive_timeout(visit: Visit) -> Visit:
    """Whatever the client sends, the canister counts no keep-alive, and ends the session a minute after the ack."""
    visit.wait(61.4).is_closed(CloseReason.KEEP_ALIVE_TIMEOUT).wait(0.01)
    return visit.leaves()


# The network refuses


def out_of_cycles_at_open(place: Place) -> None:
    network, visit = Network(place), place.visit()
    visit.handshake().wait(0.03).asks()
    network.relays(visit, not_replicated(2, no_cycles(place), "IC0207"))
    network.polls(place.now, place.now + 60, rejected(2, no_cycles(place), "IC0207"))
    visit.wait(60).gives_up(OPEN)


def out_of_cycles_later(place: Place) -> None:
    network, visit = Network(place), place.visit().starts().chats(3)
    visit.wait(40).says(lost=True)
    network.relays(visit, not_replicated(2, no_cycles(place), "IC0207"))
    network.polls(place.now - 5, place.now + 290, rejected(2, no_cycles(place), "IC0207"), every_s=9.7)
    visit.wait(290).gives_up(ACK)


def cannot_grow(place: Place) -> None:
    """The message needs more memory than the cycles pay for."""
    visit = place.visit().starts().chats(2).wait(4).says("a large one", lost=True)
    text = (
        f"Error from Canister {place.canister_id}: Canister cannot grow memory by 65536 bytes due to insufficient "
        "cycles. At least 12_345 additional cycles are required."
    )
    visit.answered((5, text)).wait(9).says(lost=True)
    visit.answered("Expected incoming sequence number 3 but got 4").wait(1.7).is_closed().gives_up(CLOSED)


def frozen(place: Place) -> None:
    text = f"Canister {place.canister_id} is unable to process query calls because it's frozen. Please top up the canister with cycles and try again."  # noqa: E501
    network, visit = Network(place), place.visit().starts().chats()
    network.polls(place.now + 1, place.now + 322, rejected(2, text, "IC0207"), every_s=7.0)
    visit.wait(322.1).gives_up(ACK)


def inspected(text: str, code: int, error_code: str) -> Story:
    def story(place: Place) -> None:
        network, visit = Network(place), place.visit()
        visit.handshake().wait(0.03).asks()
        network.relays(visit, not_replicated(code, text.format(place.canister_id), error_code))
        visit.wait(60).gives_up(OPEN)

    return story


def inspected_messages_only(place: Place) -> None:
    """ws_open passes, ws_message does not: the list of allowed methods is incomplete."""
    network, visit = Network(place), place.visit().starts()
    for _ in range(2):
        visit.wait(5).says(lost=True)
        network.relays(visit, not_replicated(4, f"Canister {place.canister_id} rejected the message", "IC0406"))
    visit.wait(200).is_acked().wait(0.01).keeps_alive(lost=True)
    network.relays(visit, not_replicated(4, f"Canister {place.canister_id} rejected the message", "IC0406"))
    visit.wait(61.5).is_closed(CloseReason.KEEP_ALIVE_TIMEOUT).gives_up(CLOSED)


def polls_refused_at_open(answer: tuple[int, bytes]) -> Story:
    def story(place: Place) -> None:
        network, visit = Network(place), place.visit()
        visit.handshake().wait(0.03).asks().answered(None)
        network.polls(place.now + 0.1, place.now + 60, answer, every_s=2.3)
        visit.wait(60).gives_up(OPEN)

    return story


def polls_refused_later(place: Place) -> None:
    network = Network(place)
    visits = [place.visit(name).starts().chats(2) for name in ("one", "two")]
    network.polls(place.now + 0.5, place.now + 340, (502, HTML), every_s=6.1)
    for visit in visits:
        visit.wait(3).says(lost=True)
    place.wait(326)
    for visit in visits:
        visit.gives_up(ACK)
        place.wait(2)


def gateway_clock_at_open(place: Place) -> None:
    network, visit = Network(place, gateway_ahead_s=-420), place.visit()
    visit.handshake().wait(0.03).asks().answered(None)
    network.polls(place.now + 0.1, place.now + 60, None, every_s=3.3)
    visit.wait(60).gives_up(OPEN)


def gateway_clock_later(place: Place) -> None:
    """The gateway's machine woke up with a clock that is ahead."""
    network, visit = Network(place, gateway_ahead_s=3600), place.visit().starts().chats(2)
    network.polls(place.now + 2, place.now + 326, None, every_s=8.0)
    visit.wait(3).says(lost=True).answered(None).wait(323).gives_up(ACK)


def replica_clock(place: Place) -> None:
    """By the replica's clock everything is wrong: it stood still for an hour."""
    network, visit = Network(place), place.visit()
    visit.handshake().wait(0.03).asks()
    assert visit.last_request is not None
    text = b"Invalid request expiry: Specified ingress_expiry not within expected range: Minimum allowed expiry: 2026-03-01 07:46:57.25 UTC, Maximum allowed expiry: 2026-03-01 07:52:27.25 UTC, Provided expiry: 2026-03-01 08:50:00 UTC"  # noqa: E501
    network.relays(visit, (400, text))
    network.polls(place.now + 0.1, place.now + 60, (400, text), every_s=3.3)
    visit.wait(60).gives_up(OPEN)


def no_reply(place: Place) -> None:
    visit = place.visit().starts()
    for number in range(3):
        visit.wait(5).says(f"{number}")
        visit.answered((5, f"Canister {place.canister_id} did not produce a response"))
        visit.wait(1.9).hears(f"{number}")
    visit.leaves()


def nonce_reused(place: Place) -> None:
    """The client lost its network and comes back before the gateway has noticed."""
    place.visit(client_nonce=77).starts().chats().wait(4).is_cut()
    place.wait(0.8)
    again = place.visit(client_nonce=77).handshake().wait(0.03).asks()
    again.answered(f"Client with key {again.client_key.client_principal}_77 already has an open connection")
    again.wait(60).gives_up(OPEN)


def stopped_for_deploying(place: Place) -> None:
    text = f"Canister {place.canister_id} is stopped"
    network = Network(place)
    visits = [place.visit(name).starts().chats() for name in ("one", "two")]
    place.wait(12)
    network.polls(place.now - 0.1, place.now, rejected(5, text, "IC0508"))
    for visit in visits:
        visit.is_cut(1005).wait(0.001)


# The connection


def restarted(code: int) -> Story:
    def story(place: Place) -> None:
        visits = [place.visit(name).starts().chats(1 + number) for number, name in enumerate("abcde")]
        place.wait(3)
        for visit in visits:
            visit.is_cut(code).wait(0.004)
        place.wait(6)
        for name in "abc":
            place.visit(name, client_nonce=len(name) + 90).starts().chats().leaves()

    return story


def partly_restarted(place: Place) -> None:
    """One of two proxies is restarted: four of five users lose their connections."""
    stays = place.visit("stays").starts().chats()
    visits = [place.visit(name).starts().chats() for name in "abcd"]
    place.wait(3)
    for visit in visits:
        visit.is_cut().wait(0.004)
    stays.chats(2).leaves()


def idle_cuts(silence_s: float, times: int, **info: Any) -> Story:
    def story(place: Place) -> dict[str, Any]:
        for number in range(times):
            visit = place.visit(client_nonce=10 + number).starts().chats(1 + 2 * number, think_s=5 + number)
            visit.wait(silence_s + 0.02 * number).is_cut()
            place.wait(1.5)
        return info

    return story


def lifetimes(seconds: float, times: int, *, every_s: float, overlap: bool = False) -> Story:
    def story(place: Place) -> None:
        begin = place.now
        for number in range(times):
            place.now = begin + number * 37 if overlap else place.now
            opened = place.now
            visit = place.visit("alice" if not overlap else f"user {number}", client_nonce=20 + number).starts()
            busy(visit, opened + seconds + 0.01 * number, every_s=every_s + number).is_cut()
            place.wait(2)

    return story


def too_large_down(place: Place) -> None:
    visit = place.visit().starts().chats(2)
    visit.wait(3).says("all of it").wait(2).hears("x" * 1_300_000).wait(0.01)
    visit.leaves(1009, "frame exceeds limit of 1048576 bytes")


def too_large_up(place: Place) -> None:
    visit = place.visit().starts().chats(2).says("x" * 300_000, lost=True).wait(0.06)
    visit.frame("in", "close", b"", 1009, "Max frame length of 65536 has been exceeded.")


def at_128(place: Place) -> None:
    visit = place.visit().starts()
    for number in range(126):
        visit.wait(1.5).hears(f"{number}")
    visit.wait(1.5).hears("the 128th").wait(0.01).leaves(1011, "")


# The page


def per_render(place: Place) -> None:
    for number in range(9):
        place.visit(f"random {number}").starts()
        place.wait(-1.5)
    place.wait(40)
    for visit in place.visits:
        visit.leaves(1001)


def strict_mode(place: Place) -> None:
    """Both ws_opens are on their way before the first socket is closed, and the first one arrives last."""
    first, second = place.visit(client_nonce=1), place.visit(client_nonce=2)
    first.handshake().wait(0.004).asks()
    second.wait(0.01).handshake().wait(0.004).asks()
    first.wait(0.02).leaves(1000)
    second.wait(1.7).opens().wait(4).says(lost=True).wait(9).says(lost=True).wait(321).gives_up(ACK)


def idle_reload(place: Place) -> None:
    visit = place.visit(identity=delegated(9000)).starts().chats(2)
    said = place.now - 1.9
    visit.wait(170).ack_round().wait(300).ack_round()
    visit.wait(said + 600.2 - place.now).leaves(1001)


def stale_declarations(sent: str, value: object) -> Story:
    def story(place: Place) -> None:
        visit = place.visit().starts()
        content = candid.encode([candid.parse_type(sent)], [value])
        visit.wait(5).sends(content, lost=True).wait(12).sends(content, lost=True)
        visit.wait(1.8).is_closed().gives_up(CLOSED)

    return story


def handlers_lost(place: Place, *, waits: bool = True) -> None:
    for name in ("one", "two"):
        place.visit(name, client_nonce=3).starts().wait(0.1).hears("welcome").chats(2).leaves()
    place.wait(120)
    place.upgraded()
    visit = place.visit("one", client_nonce=4).starts()
    for _ in range(3):
        visit.wait(9).says()
    if waits:
        visit.wait(330 - 18).gives_up(ACK)
    else:
        visit.wait(70).leaves()


def failed_to_sign(place: Place) -> None:
    """A hardware key: the user declines the third prompt."""
    place.visit().starts().chats(2).wait(31).gives_up("Message sending failed")


def keep_alive_unsigned(place: Place) -> None:
    place.visit(identity=delegated(9000)).starts().chats(2).wait(150).is_acked().wait(0.03).gives_up(
        "Keep alive message was not sent"
    )


def open_batch_refused(place: Place) -> None:
    """The client cannot check any certificate. The greeting came with the OpenMessage, and is never looked at."""
    visit = place.visit().handshake().wait(0.03).asks().wait(1.7).opens(cert_time=place.now + 1.2).wait(0.002)
    visit.hears("welcome", cert_time=place.now - 0.5).wait(0.004).gives_up(RECEIVING)


# Clients of somebody's own


def rounded(place: Place) -> None:
    nonce = 0x8F3A_91C5_77D3_1E4B
    visit = place.visit(client_nonce=nonce).starts()
    exact = visit.client_key
    visit.client_key = ClientKey(exact.client_principal, round(float(nonce)))
    visit.wait(3).says(lost=True).wait(8).says(lost=True)
    visit.client_key = exact
    visit.wait(140).is_acked()
    visit.client_key = ClientKey(exact.client_principal, round(float(nonce)))
    visit.wait(0.1).keeps_alive(lost=True)
    visit.client_key = exact
    keep_alive_timeout(visit)


def other_signer(place: Place) -> None:
    """It logs in after the socket is open, and signs with the new identity from then on."""
    visit = place.visit("anonymous-ish").starts().chats()
    visit.identity = key_of("logged in")
    visit.wait(4).says(lost=True).wait(6).says(lost=True).wait(120).is_acked().wait(0.02).keeps_alive(lost=True)
    keep_alive_timeout(visit)


def foreign_client_key(place: Place) -> None:
    visit = place.visit().starts()
    own = visit.client_key
    visit.client_key = ClientKey(key_of("somebody").principal, own.client_nonce)
    visit.wait(4).says(lost=True).wait(6).says(lost=True)
    visit.client_key = own
    visit.wait(120).is_acked()
    keep_alive_timeout(visit)


def from_zero(place: Place) -> None:
    visit = place.visit().starts().wait(2).says(number=0, lost=True).wait(1.6).is_closed()
    visit.wait(0.01).leaves()


def resent(place: Place) -> None:
    """No answer within 10 s: the client's retry sends the same message in a new request."""
    visit = place.visit().starts().chats().wait(3).says("again?").wait(10).says("again?", number=2, lost=True)
    visit.wait(1.7).is_closed().wait(0.01).leaves()


def reused_expiry(place: Place) -> None:
    """It computes the expiry once. All is well for four minutes."""
    begin = place.now
    visit = place.visit().handshake().wait(0.03).asks().wait(1.7).opens()
    for _ in range(3):
        visit.wait(30).says(expiry_s=begin - place.now - 30).wait(2).hears()
    visit.wait(begin + 290 - place.now).is_acked().wait(0.01)
    visit.keeps_alive(expiry_s=begin - place.now, lost=True)
    visit.wait(10).says(expiry_s=begin - place.now, lost=True)
    visit.wait(51.5).is_closed(CloseReason.KEEP_ALIVE_TIMEOUT).wait(0.01).leaves()


def acked_with_ack(place: Place) -> None:
    visit = place.visit().starts().chats(2).wait(90).is_acked().wait(0.02).sends(AckMessage(4))
    keep_alive_timeout(visit)


def doubled_request(place: Place) -> None:
    visit = place.visit().starts()
    for _ in range(3):
        visit.chats(think_s=4)
        sent = next(f for f in reversed(visit.frames) if f.direction == "out")
        visit.frames.append(replace(sent, t=sent.t + 0.004))
    visit.frames.sort(key=lambda f: f.t)
    visit.leaves()


def opened_twice(place: Place) -> None:
    visit = place.visit().handshake().wait(0.02).asks().wait(0.05).asks()
    visit.answered(f"Client with key {visit.client_key.client_principal}_12648430 already has an open connection")
    visit.wait(1.6).opens().chats(2).leaves()


def indefinite_lengths(place: Place) -> None:
    visit = place.visit().starts().chats(2)
    visit.frames = [
        replace(f, data=reencoded(f.data)) if f.direction == "out" and f.op == "binary" else f for f in visit.frames
    ]
    visit.leaves()


def ignores_proofs(place: Place) -> None:
    """It logs "certificate validation failed" and goes on."""
    visit = place.visit().starts().chats().wait(3)
    visit.hears("forged", altered=lambda m: replace(m, content=flipped(m.content)))
    visit.chats(3).leaves()


def quick_trap(place: Place) -> None:
    """A local replica answers in a fifth of a second, and so does the user's test."""
    visit = local(place.visit())
    for number in range(2):
        visit.wait(0.5).says(f"{number}").wait(0.15).hears(f"{number}")
    visit.wait(0.5).says("divide by zero", lost=True).wait(0.9).says("2", lost=True).wait(0.16).is_closed()
    visit.wait(0.003).gives_up(CLOSED)


NETWORK, NO_HAR, ANY, KNOWN = ("tap",), ("live", "tap", "pcap"), ("live", "tap", "pcap", "har"), ("live",)
MINUTES_20 = {"ack_interval_ms": 1_200_000}
ILL: list[tuple[str, str, Story, tuple[str, ...]]] = [
    ("OUT_OF_CYCLES", "ws_open refused", out_of_cycles_at_open, NETWORK),
    ("OUT_OF_CYCLES", "runs dry during a session", out_of_cycles_later, NETWORK),
    ("OUT_OF_CYCLES", "cannot grow its memory", cannot_grow, NETWORK),
    ("OUT_OF_CYCLES", "frozen, by the words of the polls", frozen, NETWORK),
    ("INSPECT_MESSAGE", "rejects ws_open", inspected("Canister {} rejected the message", 4, "IC0406"), NETWORK),
    ("INSPECT_MESSAGE", "traps in inspect_message", inspected(
        "Error from Canister {}: Canister called `ic0.trap` with message: 'caller is not a user'.", 5, "IC0503"
    ), NETWORK),
    ("INSPECT_MESSAGE", "lets ws_open through only", inspected_messages_only, NETWORK),
    ("POLLS_REFUSED", "429 from the first poll on", polls_refused_at_open(RATE), NETWORK),
    ("POLLS_REFUSED", "503 from the first poll on", polls_refused_at_open(NO_NODES), NETWORK),
    ("POLLS_REFUSED", "502 in the middle", polls_refused_later, NETWORK),
    ("GATEWAY_CLOCK", "seven minutes slow", gateway_clock_at_open, NETWORK),
    ("GATEWAY_CLOCK", "an hour fast in the middle", gateway_clock_later, NETWORK),
    ("INGRESS_EXPIRY", "the replica's clock stood still", replica_clock, NETWORK),
    ("NO_REPLY", "ws_message", no_reply, NETWORK),
    ("NONCE_REUSED", "after a lost connection", nonce_reused, NETWORK),
    ("POLLER_DEAD", "stopped while deploying", stopped_for_deploying, NETWORK),
    ("GATEWAY_RESTART", "five at once, 1006", restarted(1006), NO_HAR),
    ("GATEWAY_RESTART", "four of five at once", partly_restarted, NO_HAR),
    ("GATEWAY_RESTART", "five at once, 1012", restarted(1012), NO_HAR),
    ("PROXY_IDLE", "30 s, twice", idle_cuts(30.01, 2), NO_HAR),
    ("PROXY_IDLE", "60 s, three times", idle_cuts(60.03, 3), NO_HAR),
    ("PROXY_IDLE", "100 s, three times", idle_cuts(100.1, 3), NO_HAR),
    ("PROXY_IDLE", "15 min, twice", idle_cuts(900.05, 2, **MINUTES_20), NETWORK),
    ("LIFETIME_LIMIT", "30 s", lifetimes(30, 3, every_s=4), NO_HAR),
    ("LIFETIME_LIMIT", "15 min, overlapping", lifetimes(900, 3, every_s=41, overlap=True), NO_HAR),
    ("LIFETIME_LIMIT", "an hour", lifetimes(3600, 2, every_s=97), NETWORK),
    ("FRAME_TOO_LARGE", "the client's library", too_large_down, NO_HAR),
    ("FRAME_TOO_LARGE", "a proxy", too_large_up, NO_HAR),
    ("CONNECTION_LOST", "in the middle of a chat", lambda p: p.visit().starts().chats(3).wait(7.3).is_cut(), NO_HAR),
    ("UNEXPLAINED_END", "1011", lambda p: p.visit().starts().chats(3).wait(5).is_cut(1011), NO_HAR),
    ("UNEXPLAINED_END", "1008", lambda p: p.visit().starts().chats(3).wait(5).is_cut(1008), NO_HAR),
    ("UNEXPLAINED_END", "1002", lambda p: p.visit().starts().chats().wait(5).leaves(1002), NO_HAR),
    ("CLOSED_AT_128", "IC4J", at_128, NO_HAR),
    ("SOCKETS_PER_RENDER", "nine identities", per_render, NO_HAR),
    ("PRINCIPAL_TAKEOVER", "StrictMode", strict_mode, NO_HAR),
    ("PAGE_IDLE_RELOAD", "with acks between", idle_reload, NO_HAR),
    ("STALE_DECLARATIONS", "a number for a text", stale_declarations("record { text : nat }", {"text": 4}), KNOWN),
    ("STALE_DECLARATIONS", "a variant for a record", stale_declarations(
        "variant { Say : text }", {"Say": "hello"}), KNOWN),
    ("HANDLERS_LOST", "the user leaves", lambda p: handlers_lost(p, waits=False), NO_HAR),
    ("HANDLERS_LOST", "no acks either", handlers_lost, NO_HAR),
    ("SDK_FAILED_LOCALLY", "ws_open", lambda p: p.visit().handshake().wait(0.02).gives_up(
        "Handshake message error"), NO_HAR),
    ("SDK_FAILED_LOCALLY", "a message", failed_to_sign, NO_HAR),
    ("SDK_FAILED_LOCALLY", "a keep-alive", keep_alive_unsigned, NO_HAR),
    ("SDK_REJECTS_VALID", "greeting in the same poll", open_batch_refused, ("live", "tap")),
    ("NONCE_MISMATCH", "through a Number", rounded, ANY),
    ("SIGNER_CHANGED", "logs in later", other_signer, ANY),
    ("CLIENT_KEY_MISMATCH", "somebody else's principal", foreign_client_key, ANY),
    ("FIRST_NUMBER", "0", from_zero, ANY),
    ("NUMBER_SENT_TWICE", "a retry after 10 s", resent, ANY),
    ("EXPIRY_REUSED", "after four minutes", reused_expiry, ANY),
    ("ACK_ANSWERED_WITH_ACK", "a minute later", acked_with_ack, ANY),
    ("REQUEST_SENT_TWICE", "each", doubled_request, ANY),
    ("WS_OPEN_TWICE", "50 ms apart", opened_twice, NETWORK),
    ("INDEFINITE_CBOR", "all requests", indefinite_lengths, ANY),
    ("IGNORES_PROOFS", "goes on", ignores_proofs, NO_HAR),
    ("ON_MESSAGE_TRAP", "within a second", quick_trap, ANY),
]  # fmt: skip
INFO = (
    "SOCKETS_PER_RENDER",
    "PAGE_IDLE_RELOAD",
    "REQUEST_SENT_TWICE",
    "WS_OPEN_TWICE",
    "INDEFINITE_CBOR",
    "NO_REPLY",
    "IGNORES_PROOFS",
)
BESIDE = {"IGNORES_PROOFS": ("BODY_HASH",)}  # what may be said as well


class TestIll:
    @pytest.mark.parametrize(
        ("rule", "story", "recorder"),
        [
            pytest.param(rule, story, recorder, id=f"{rule}: {text} ({recorder})")
            for rule, text, story, recorders in ILL
            for recorder in recorders
        ],
    )
    def test_is_named_and_nothing_else_is_loud(self, rule: str, story: Story, recorder: str) -> None:
        place = Place()
        told = story(place)
        capture = place.capture(recorder, **(told if isinstance(told, dict) else {}))
        assert rule in diagnose(capture).ids
        assert set(loud(capture)) <= {rule, *BESIDE.get(rule, ())}
        assert rule in INFO or rule in loud(capture)
