"""Blind stories of known kinds in other clothes: other formats, several sessions, torn and redacted recordings.

What should be said was written down before the doctor saw them; `blind.md` has the score of the first try.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.recording import Recording, load
from icws_explore.protocol.service_messages import CloseReason
from support import clothes
from support.hand_written import BEGIN_S, Place, Visit, delegated, flipped, key_of
from support.hand_written_network import NO_NODES, Network, Page, busy, local, not_replicated, rejected, wire
from support.indefinite import reencoded
from support.packets import Talk

Story = Callable[[Path], Recording]
OPEN, ACK, RECEIVING = "Open connection timeout", "Ack message timeout", "Error receiving message"
CLOSED = "Received close message from canister"
VITE = [("receive", 1, '{"type":"connected"}'), ("send", 1, '{"type":"ping"}'), ("receive", 1, '{"type":"update"}')]


def foreign(messages: list[tuple[str, int, str]], url: str) -> dict[str, object]:
    return Page().socket(at=BEGIN_S, url=url, messages=messages).entries[0]


# Browsers


def firefox_trap(folder: Path) -> Recording:
    place = Place()
    visit = place.visit(identity=delegated(90_000)).starts().chats(3)
    visit.wait(8).says("boom", lost=True).wait(11).says("hello?", lost=True).wait(1.8).is_closed()
    return clothes.browser(place, folder)


def playwright_bye(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().chats(2).wait(4).says("bye").wait(1.9)
    visit.is_closed(CloseReason.CLOSED_BY_APPLICATION)
    others = [foreign([("send", 1, '{"event":"page_view"}')], "wss://stats.example/collect")]
    return clothes.browser(place, folder, "Playwright", others=others)


def firefox_two_tabs(folder: Path) -> Recording:
    """A component is mounted twice: both sockets stay, the first one gets no answer any more."""
    place = Place()
    first = place.visit(client_nonce=1).starts().chats(1)
    second = place.visit(client_nonce=2).starts()
    for number in range(3):
        first.wait(5).says(f"first {number}", lost=True)
        second.wait(1).says(f"second {number}").wait(1.9).hears(f"second {number}")
    second.wait(80).chats(2)
    return clothes.browser(place, folder)


def chrome_evening(folder: Path) -> Recording:
    """Fifty healthy minutes beside Vite's socket."""
    place = Place(flavour="motoko")
    visit = place.visit(identity=delegated(90_000)).starts()
    for _ in range(10):
        visit.chats(2, think_s=20).wait(250).ack_round()
    page = Page("https://app.example/").loads(BEGIN_S - 2)
    page.socket(at=BEGIN_S - 1, url="ws://localhost:5173/", messages=VITE)
    return page.socket(visit).har(folder)


def refused_upgrades(folder: Path) -> Recording:
    """A CDN in front answers each attempt of a reconnecting page with 426."""
    page = Page().loads(BEGIN_S - 1)
    for number in range(5):
        page.socket(at=BEGIN_S + 3 * number, status=426)
    return page.har(folder)


def reloaded(folder: Path) -> Recording:
    place = Place()
    place.visit(client_nonce=1).starts().chats(2)
    place.wait(2.5)
    place.visit(client_nonce=2).starts().chats(3)
    page = Page().loads(BEGIN_S - 1)
    for visit in place.visits:
        page.socket(visit)
    return page.har(folder)


# The wire


def nginx_75(folder: Path) -> Recording:
    place = Place()
    for number, name in enumerate(("one", "two", "three")):
        place.now = BEGIN_S + 400 * number
        visit = place.visit(name).starts().chats(1 + number, think_s=5 + 9 * number)
        visit.wait(75.01 + 0.01 * number).is_cut()
    return clothes.packets(place, folder)


def docker_stop(folder: Path) -> Recording:
    place = Place()
    visits = [place.visit(f"user {number}").starts().chats(1 + number % 2) for number in range(6)]
    place.wait(2)
    for visit in visits:
        visit.is_cut().wait(0.013)
    return clothes.packets(place, folder)


def library_pings(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().chats(2).wait(13.4).frame("out", "ping", b"\x01\x02\x03\x04")
    visit.wait(0.04).is_cut()
    return clothes.packets(place, folder)


def cloud_run_300(folder: Path) -> Recording:
    place = Place()
    for number, name in enumerate(("one", "two", "three")):
        place.now = opened = BEGIN_S + 61 * number
        busy(place.visit(name).starts(), opened + 300.02, every_s=9 + 4 * number).is_cut()
    return clothes.packets(place, folder)


def ic4j_talks(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().chats(5).wait(100).ack_round().chats(2).leaves()
    visit.frames = [
        replace(f, data=reencoded(f.data)) if f.direction == "out" and f.op == "binary" else f for f in visit.frames
    ]
    return clothes.packets(place, folder)


def one_reader_stalls_all(folder: Path) -> Recording:
    """Three users are talked to every second; for 40 s nobody gets anything, then all get everything at once."""
    place = Place()
    visits = [place.visit(f"user {number}").starts() for number in range(3)]
    for step in range(60):
        place.wait(1)
        for visit in visits:
            late = 40.5 - step + 0.001 * step if 0 < step < 41 else 0.0
            last = visit.hears(f"tick {step}").frames.pop()
            visit.frames.append(replace(last, t=last.t + late))
    for visit in visits:
        visit.frames.sort(key=lambda f: f.t)
        visit.wait(1).leaves()
    return clothes.packets(place, folder)


# mitmproxy


def login_ends(folder: Path) -> Recording:
    """The delegation is over after four minutes; the session's messages go unheard from then on."""
    place = Place()
    visit = place.visit(identity=delegated(240)).starts().chats(3).wait(230)
    for _ in range(2):
        visit.wait(20).says("anyone?", lost=True)
    visit.wait(30).is_acked().wait(0.02).keeps_alive(lost=True)
    visit.wait(61).is_closed(CloseReason.KEEP_ALIVE_TIMEOUT).wait(0.01).gives_up(CLOSED)
    return clothes.flows(place, folder)


def nodes_are_gone(folder: Path) -> Recording:
    place = Place()
    network, visit = Network(place), place.visit().starts().chats(2)
    network.polls(place.now + 1, place.now + 335, NO_NODES, every_s=5.3)
    visit.wait(3).says(lost=True).answered(None).wait(330).gives_up(ACK)
    return clothes.flows(place, folder)


def python_from_zero(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().wait(0.4).says("hi", number=0, lost=True).wait(2).says("hi", number=1, lost=True)
    visit.wait(0.1).is_closed().wait(0.2).leaves()
    return clothes.flows(place, folder)


def library_limit(folder: Path) -> Recording:
    place = Place()
    place.visit().starts().chats(4).wait(2).hears("y" * 1_200_000).wait(0.02).leaves(1009, "message too big")
    return clothes.flows(place, folder)


# The tap


def one_wrong_clock(folder: Path) -> Recording:
    """Two users at one tap: the second one's computer is seven minutes fast."""
    place = Place()
    good, bad = place.visit("good").starts(), place.visit("bad")
    bad.handshake().wait(0.03).asks(expiry_s=420)
    good.chats(3)
    bad.wait(BEGIN_S + 64 - place.now).gives_up(OPEN)
    good.wait(3).leaves()
    return clothes.icws(place, folder)


def heap_out_of_bounds(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().chats(2).wait(7).says("big", lost=True)
    visit.answered((5, f"Error from Canister {place.canister_id}: Canister trapped: heap out of bounds")).wait(6)
    visit.says("next", lost=True).answered("Expected incoming sequence number 3 but got 4").wait(1.9)
    visit.is_closed().gives_up(CLOSED)
    return clothes.icws(place, folder)


def on_open_too_long(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().handshake().wait(0.03).asks()
    text = (
        f"Error from Canister {place.canister_id}: Canister exceeded the limit of 40000000000 instructions for single "
        "message execution."
    )
    visit.answered((5, text)).wait(60).gives_up(OPEN)
    return clothes.icws(place, folder)


def no_module(folder: Path) -> Recording:
    """The canister exists, but nothing is installed on it."""
    place = Place()
    network, visit = Network(place), place.visit()
    text = f"Error from Canister {place.canister_id}: Attempted to execute a message, but the canister contains no Wasm module."  # noqa: E501
    visit.handshake().wait(0.03).asks()
    network.relays(visit, not_replicated(5, text, "IC0537"))
    network.polls(place.now + 0.1, place.now + 0.15, rejected(5, text, "IC0537"))
    visit.wait(0.3).is_cut(1005)
    return clothes.icws(place, folder)


def frozen_later(folder: Path) -> Recording:
    place = Place()
    network, visit = Network(place), place.visit().starts().chats(3)
    text = f"Canister {place.canister_id} is unable to process update calls because it's frozen. Please top up the canister with cycles and try again."  # noqa: E501
    for _ in range(2):
        visit.wait(9).says(lost=True)
        network.relays(visit, not_replicated(2, text, "IC0207"))
    visit.wait(321).gives_up(ACK)
    return clothes.icws(place, folder)


def killed_recorder(folder: Path) -> Recording:
    place = Place()
    for name in ("one", "two"):
        place.visit(name).starts().chats(4)
    return clothes.torn(place, folder)


def killed_after_swap(folder: Path) -> Recording:
    """The gateway sends two messages in the wrong order, and the recorder is killed right after the SDK's close."""
    place = Place()
    visit = place.visit().starts().chats(2).wait(2)
    third = visit.hears("third").frames.pop()
    visit.wait(0.02).hears("fourth").wait(0.01)
    visit.frames.append(replace(third, t=visit.t))
    visit.wait(0.01).gives_up(RECEIVING).wait(1).frame("in", "close", b"", 1000, "")
    return clothes.torn(place, folder)


def motoko_without_init(folder: Path) -> Recording:
    place = Place(flavour="motoko")
    visit = place.visit().starts()
    first = place.now + 6
    visit.chats(30, think_s=6)
    visit.wait(first + 330 - place.now).gives_up(ACK)
    return clothes.icws(place, folder, "live")


def one_of_two_upgraded(folder: Path) -> Recording:
    """Two canisters at one gateway: the first is upgraded, its clients hear nothing any more."""
    place = Place()
    gone = [place.visit(name).starts().chats(2) for name in ("a", "b", "c")]
    other = Place(canister_number=8)
    other.now = place.now
    stays = other.visit("d").starts().chats(2)
    place.upgraded()
    for visit in gone:
        visit.wait(2).says(lost=True)
    place.wait(331 - 6)
    other.now = place.now - 300
    busy(stays, place.now, every_s=25).leaves()
    for visit in gone:
        visit.wait(2).gives_up(ACK)
    place.visits.append(stays)
    return clothes.icws(place, folder)


def shared_away(folder: Path) -> Recording:
    """Healthy, shared without its words."""
    place = Place()
    place.visit(identity=delegated(90_000)).starts().chats(3).wait(200).ack_round().chats(1).leaves()
    return clothes.redacted(place, folder)


def left_while_opening(folder: Path) -> Recording:
    place = Place()
    place.visit().handshake().wait(0.03).asks().wait(1.1).leaves(1001)
    place.wait(1)
    local(place.visit("again")).chats(2).leaves(1001)
    return clothes.icws(place, folder)


def old_defaults(folder: Path) -> Recording:
    """An ic-websocket-js 0.3.0 whose acks are due after 90 s; the canister acks every 300 s."""
    place = Place()
    visit = place.visit().starts()
    first = place.now + 6
    visit.chats(9, think_s=6)
    return clothes.packets(_gives_up(place, visit, first + 90), folder)


def _gives_up(place: Place, visit: Visit, at_s: float) -> Place:
    visit.wait(at_s - place.now).gives_up(ACK)
    return place


CASES: list[tuple[tuple[str, ...], Story]] = [
    (("ON_MESSAGE_TRAP",), firefox_trap),
    ((), playwright_bye),
    (("PRINCIPAL_TAKEOVER",), firefox_two_tabs),
    ((), chrome_evening),
    (("SOCKET_NEVER_OPENED",), refused_upgrades),
    ((), reloaded),
    (("PROXY_IDLE",), nginx_75),
    (("GATEWAY_RESTART",), docker_stop),
    (("PING_KILLS_SESSION",), library_pings),
    (("LIFETIME_LIMIT",), cloud_run_300),
    ((), ic4j_talks),
    (("SLOW_CLIENT_STALL",), one_reader_stalls_all),
    (("DELEGATION_EXPIRED",), login_ends),
    (("POLLS_REFUSED",), nodes_are_gone),
    (("FIRST_NUMBER",), python_from_zero),
    (("FRAME_TOO_LARGE",), library_limit),
    (("INGRESS_EXPIRY",), one_wrong_clock),
    (("ON_MESSAGE_TRAP",), heap_out_of_bounds),
    (("ON_OPEN_TRAP",), on_open_too_long),
    (("WRONG_CANISTER",), no_module),
    (("OUT_OF_CYCLES",), frozen_later),
    ((), killed_recorder),
    (("SEQUENCE_SWAP_DOWN",), killed_after_swap),
    (("NO_ACKS",), motoko_without_init),
    (("UPGRADE_WIPE",), one_of_two_upgraded),
    ((), shared_away),
    ((), left_while_opening),
    (("ACK_DEFAULTS_SKEW",), old_defaults),
]


# The second round


def phone_in_a_pocket(folder: Path) -> Recording:
    """One user's phone loses its connection three times, after silences that have nothing in common."""
    place = Place()
    for number, silence_s in enumerate((33.4, 71.2, 128.9)):
        place.visit(client_nonce=number).starts().chats(1 + number).wait(silence_s).is_cut()
        place.wait(4)
    return clothes.packets(place, folder)


def going_away(folder: Path) -> Recording:
    """A proxy is reloaded and says so to each of four clients."""
    place = Place()
    visits = [place.visit(f"user {number}").starts().chats(1) for number in range(4)]
    for visit in visits:
        visit.wait(0.002).is_cut(1001)
    return clothes.packets(place, folder)


def cloudflare(folder: Path) -> Recording:
    place = Place()
    place.visit().starts().chats(2).wait(100.06).is_cut()
    return clothes.flows(place, folder)


def throttled_tab(folder: Path) -> Recording:
    place = Place()
    visit = place.visit(identity=delegated(90_000)).starts().chats(3).wait(240).is_acked()
    closing = visit.wait(60.2).is_closed(CloseReason.KEEP_ALIVE_TIMEOUT).frames.pop()
    visit.frames.append(closing)
    visit.wait(13).keeps_alive(lost=True)
    return clothes.browser(place, folder)


def caller_of_version_4(folder: Path) -> Recording:
    place = Place()
    visit = place.visit("random").starts().chats(2)
    page = Page().loads(BEGIN_S - 2)
    page.calls(BEGIN_S - 1, "register", key_of("user"), place.canister_id, version="v4")
    return page.socket(visit).har(folder)


def same_nonce_again(folder: Path) -> Recording:
    """A client of somebody's own keeps its nonce in a file; nothing of the network is recorded."""
    place = Place()
    place.visit(client_nonce=5).starts().chats(2).wait(3).is_cut()
    place.wait(1)
    place.visit(client_nonce=5).handshake().wait(0.03).asks().wait(60).gives_up(OPEN)
    return clothes.icws(place, folder)


def five_at_once_without_a_code(folder: Path) -> Recording:
    place = Place()
    visits = [place.visit(f"user {number}").starts().chats(1) for number in range(5)]
    for visit in visits:
        visit.wait(0.0005).is_cut(1005)
    return clothes.packets(place, folder)


def altered_in_firefox(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().chats(2).wait(3).says("third").wait(1.9)
    visit.hears("third", altered=lambda m: replace(m, content=flipped(m.content)))
    return clothes.browser(place, folder)


def old_sdk_is_closed(folder: Path) -> Recording:
    """An ic-websocket-js 0.3.1 does not know CloseMessage."""
    place = Place()
    visit = place.visit().starts().chats(2).wait(3).says("bye").wait(1.9)
    visit.is_closed(CloseReason.CLOSED_BY_APPLICATION).wait(0.01).gives_up("Service message error")
    return clothes.packets(place, folder)


def login_page_of_a_hotel(folder: Path) -> Recording:
    asked = b"HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\nContent-Length: 0\r\n\r\n"
    return wire(folder, Talk().opened(asked).fin("server"))


def torn_har(folder: Path) -> Recording:
    place = Place()
    place.visit().starts().chats(4)
    clothes.browser(place, folder)
    path = folder / "Firefox.har"
    path.write_bytes(path.read_bytes()[:-700])
    return load(path)


def ic4j_at_128(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts()
    for number in range(127):
        visit.wait(0.7).hears(f"{number}")
    visit.wait(0.01).leaves(1011, "Received message sequence number does not match next expected value.")
    visit.frames = [
        replace(f, data=reencoded(f.data)) if f.direction == "out" and f.op == "binary" else f for f in visit.frames
    ]
    return clothes.flows(place, folder)


def deployed_under_the_gateway(folder: Path) -> Recording:
    """The canister counts from 0 again, the gateway goes on where it was: old users hear nothing, new ones wait."""
    place = Place(nonce=40)
    old = [place.visit(name).starts().chats(3) for name in ("a", "b")]
    place.upgraded()
    for visit in old:
        visit.wait(2).says(lost=True)
    new = place.visit("c").handshake().wait(0.03).asks().wait(60).gives_up(OPEN)
    new.wait(265)
    for visit in old:
        visit.wait(1).gives_up(ACK)
    return clothes.flows(place, folder)


def clock_of_the_gateway(folder: Path) -> Recording:
    place = Place()
    network, visit = Network(place, gateway_ahead_s=-900), place.visit().starts().chats(1)
    network.polls(place.now + 1, place.now + 330, None, every_s=6.0)
    visit.wait(2).says(lost=True).answered(None).wait(328).gives_up(ACK)
    return clothes.flows(place, folder)


def two_minutes_configured(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts()
    first = place.now + 6
    visit.chats(12, think_s=6)
    return clothes.packets(_gives_up(place, visit, first + 150), folder)


def one_tab_after_another(folder: Path) -> Recording:
    place = Place()
    for number in range(4):
        place.visit(client_nonce=number).starts().chats(2).wait(40).leaves(1001)
        place.wait(0.4)
    return clothes.icws(place, folder)


def for_somebody_else(folder: Path) -> Recording:
    place = Place()
    other = place.visit("bob")
    visit = place.visit("alice").starts().chats(1)
    visit.wait(2).hears("for bob", client_key=other.client_key).chats(1)
    place.visits.remove(other)
    return clothes.browser(place, folder, "Playwright")


def says_nothing(folder: Path) -> Recording:
    place = Place()
    place.visit().frame("in", "ping", b"").wait(70).leaves(1000)
    return clothes.packets(place, folder)


def skips_a_number(folder: Path) -> Recording:
    """A client of somebody's own counts a message that it could not sign."""
    place = Place()
    visit = place.visit().starts().chats(2).wait(3).says("four", number=4, lost=True).wait(1.8)
    visit.is_closed().wait(0.02).leaves()
    return clothes.flows(place, folder)


SECOND: list[tuple[tuple[str, ...], Story]] = [
    (("CONNECTION_LOST",), phone_in_a_pocket),
    (("GATEWAY_RESTART",), going_away),
    (("PROXY_IDLE",), cloudflare),
    (("KEEPALIVE_LATE",), throttled_tab),
    (("CALLER_MISMATCH",), caller_of_version_4),
    (("NONCE_REUSED",), same_nonce_again),
    (("POLLER_DEAD",), five_at_once_without_a_code),
    (("BODY_HASH",), altered_in_firefox),
    (("UNKNOWN_CLOSE_VARIANT",), old_sdk_is_closed),
    (("SOCKET_NEVER_OPENED",), login_page_of_a_hotel),
    ((), torn_har),
    (("CLOSED_AT_128",), ic4j_at_128),
    (("STALE_NONCE",), deployed_under_the_gateway),
    (("GATEWAY_CLOCK",), clock_of_the_gateway),
    (("ACK_INTERVAL_MISMATCH",), two_minutes_configured),
    ((), one_tab_after_another),
    (("CLIENT_KEY_FOREIGN",), for_somebody_else),
    (("NO_HANDSHAKE",), says_nothing),
    (("LOST_UP",), skips_a_number),
]


@pytest.mark.parametrize(
    ("expected", "story"), [pytest.param(*case, id=case[1].__name__) for case in (*CASES, *SECOND)]
)
def test_the_cause_is_named_and_nothing_else_is_loud(expected: tuple[str, ...], story: Story, tmp_path: Path) -> None:
    recording = story(tmp_path)
    found = diagnose(recording.raw)
    assert tuple(dict.fromkeys(each.id for each in found if each.severity != "info")) == expected
