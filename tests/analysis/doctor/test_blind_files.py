"""Blind stories that arrive as a browser's HAR file, as packets, or as a configuration; with look-alikes.

`blind.md` has the score of the first try.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.protocol.keys import AnonymousIdentity
from support.hand_written import BEGIN_S, Place, canister, key_of
from support.hand_written_network import Page, configured, refused, wire
from support.packets import SWITCHED, UPGRADE, Talk

Files = Callable[[Path], Recording]
SOCKET_IO = [
    ("receive", 1, '0{"sid":"x","pingInterval":25000}'),
    ("send", 1, "40"),
    ("receive", 1, "2"),
    ("send", 1, "3"),
]
GRAPHQL = [("send", 1, '{"type":"connection_init"}'), ("receive", 1, '{"type":"connection_ack"}')]
SIGNAL_R = [("send", 1, '{"protocol":"messagepack","version":1}\x1e'), ("receive", 2, "e30e"), ("receive", 2, "ApEG")]


def never_opened(**how: object) -> Files:
    def story(folder: Path) -> Recording:
        return Page().loads(BEGIN_S - 1).socket(at=BEGIN_S, **how).har(folder)  # type: ignore[arg-type]

    return story


def answered_with(text: str) -> Files:
    def story(folder: Path) -> Recording:
        return wire(folder, Talk().opened(f"HTTP/1.1 {text}\r\nContent-Length: 0\r\n\r\n".encode()).fin("server"))

    return story


def subprotocol_on_the_wire(folder: Path) -> Recording:
    asked = UPGRADE.replace(b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol: icws\r\nSec-WebSocket-Version")
    return wire(folder, Talk().opened(SWITCHED, asked).rst("client"))


def two_identities(version: str, kind: str) -> Files:
    def story(folder: Path) -> Recording:
        place = Place()
        visit = place.visit("random").starts().chats(2)
        page = Page().loads(BEGIN_S - 2)
        page.calls(BEGIN_S - 1, "get_profile", key_of("logged in"), place.canister_id, kind=kind, version=version)
        return page.socket(visit).har(folder)

    return story


def before_login(folder: Path) -> Recording:
    """The page reads as nobody, then logs in and opens its socket."""
    place = Place()
    visit = place.visit("logged in").starts().chats(2)
    page = Page().loads(BEGIN_S - 2)
    page.calls(BEGIN_S - 1, "list_rooms", AnonymousIdentity(), place.canister_id, kind="query", version="v2")
    page.calls(BEGIN_S + 4, "join", key_of("logged in"), place.canister_id)
    return page.socket(visit).har(folder)


def another_canister(folder: Path) -> Recording:
    """The page pays through a ledger, with the wallet's identity."""
    place = Place()
    visit = place.visit("logged in").starts().chats(2)
    page = Page().loads(BEGIN_S - 2).calls(BEGIN_S + 3, "icrc1_transfer", key_of("wallet"), canister(44))
    return page.socket(visit).har(folder)


def confirmed_subprotocol(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().chats(2)
    asked = {"Sec-WebSocket-Protocol": "icws"}
    return Page().loads(BEGIN_S - 2).socket(visit, asks=asked, answers=asked).har(folder)


def only_others(folder: Path) -> Recording:
    page = Page().loads(BEGIN_S - 2).socket(url="wss://chat.example/socket.io/?EIO=4", at=BEGIN_S, messages=SOCKET_IO)
    return page.socket(url="wss://api.example/hub", at=BEGIN_S + 1, messages=SIGNAL_R).har(folder)


def beside_others(folder: Path) -> Recording:
    place = Place()
    visit = place.visit().starts().chats(2)
    page = Page().loads(BEGIN_S - 2).socket(url="wss://api.example/graphql", at=BEGIN_S, messages=GRAPHQL)
    page.socket(visit).socket(url="wss://chat.example/socket.io/?EIO=4", at=BEGIN_S, messages=SOCKET_IO)
    return page.socket(url="wss://api.example/hub", at=BEGIN_S, messages=SIGNAL_R).har(folder)


def failed_then_opened(folder: Path) -> Recording:
    """A page that first tries a gateway that is down."""
    place = Place()
    visit = place.visit().starts().chats(2)
    page = Page().loads(BEGIN_S - 9)
    page.socket(at=BEGIN_S - 8, status=0, error="net::ERR_CONNECTION_REFUSED")
    return page.socket(visit).har(folder)


ILL: list[tuple[str, str, Files]] = [
    ("SOCKET_NEVER_OPENED", "404", never_opened(status=404)),
    ("SOCKET_NEVER_OPENED", "426", never_opened(status=426)),
    ("SOCKET_NEVER_OPENED", "503", never_opened(status=503)),
    ("SOCKET_NEVER_OPENED", "refused", never_opened(status=0, error="net::ERR_CONNECTION_REFUSED")),
    (
        "SOCKET_NEVER_OPENED",
        "the certificate's name",
        never_opened(status=0, error="net::ERR_CERT_COMMON_NAME_INVALID"),
    ),
    ("SOCKET_NEVER_OPENED", "neither an answer nor an error", never_opened(status=0)),
    ("SOCKET_NEVER_OPENED", "400 on the wire", answered_with("400 Bad Request")),
    ("SOCKET_NEVER_OPENED", "200 on the wire", answered_with("200 OK")),
    ("SOCKET_NEVER_OPENED", "refused at first", failed_then_opened),
    ("SUBPROTOCOL", "on the wire", subprotocol_on_the_wire),
    ("CALLER_MISMATCH", "an update call, v3", two_identities("v3", "call")),
    ("CALLER_MISMATCH", "a query, v2", two_identities("v2", "query")),
    ("CALLER_MISMATCH", "today's agent, v4", two_identities("v4", "call")),
    ("NO_IC_WEBSOCKET", "Socket.IO and SignalR", only_others),
]
WELL: list[tuple[str, Files]] = [
    ("reads as nobody before the login", before_login),
    ("another canister", another_canister),
    ("a confirmed subprotocol", confirmed_subprotocol),
    ("beside three other protocols", beside_others),
]
KEY = "type ClientKey = record { client_principal : principal; client_nonce : nat64 };"
MESSAGE = (
    "type WebsocketMessage = record { client_key : ClientKey; sequence_num : nat64; timestamp : nat64; "
    "is_service_message : bool; content : blob };"
)
POLL = (
    "(record { nonce : nat64 }) -> (variant { Ok : record { messages : vec record { client_key : ClientKey; "
    "key : text; content : blob }; cert : blob; tree : blob; is_end_of_queue : bool }; Err : text }) query"
)


def interface(
    *,
    opens: str = "(record { client_nonce : nat64; gateway_principal : principal }) -> (R)",
    takes: str = "(record { msg : WebsocketMessage }, opt Chat) -> (R)",
    polls: str = POLL,
    message: str = MESSAGE,
    app: str = "type Chat = record { text : text };",
) -> str:
    return (
        f"{KEY} {message} {app} type R = variant {{ Ok; Err : text }};\n"
        f"service : {{ ws_open : {opens}; ws_close : (record {{ client_key : ClientKey }}) -> (R); "
        f"ws_message : {takes}; ws_get_messages : {polls} }}"
    )


CONFIGURED: list[tuple[str, str, list[str], str | None]] = [
    ("METHOD_MODE", "ws_message is a query", [], interface(
        takes="(record { msg : WebsocketMessage }, opt Chat) -> (R) query")),
    ("METHOD_MODE", "ws_open is a composite query", [], interface(
        opens="(record { client_nonce : nat64; gateway_principal : principal }) -> (R) composite_query")),
    ("METHOD_MODE", "polls are updates", [], interface(polls=POLL.removesuffix(" query"))),
    ("METHOD_MODE", "ws_message is oneway", [], interface(
        takes="(record { msg : WebsocketMessage }, opt Chat) -> () oneway")),
    ("INTERFACE_MISMATCH", "nat for nat64", [], interface(
        message=MESSAGE.replace("sequence_num : nat64", "sequence_num : nat"))),
    ("INTERFACE_MISMATCH", "ws_open of CDK 0.2", [], interface(opens="(record { client_nonce : nat64 }) -> (R)")),
    ("INTERFACE_MISMATCH", "nat32 as the polls' nonce", [], interface(
        polls=POLL.replace("nonce : nat64 })", "nonce : nat32 })", 1))),
    ("APP_TYPE_IS_CDK_TYPE", "by its name", [], interface(
        takes="(record { msg : WebsocketMessage }, opt WebsocketMessage) -> (R)")),
    ("APP_TYPE_IS_CDK_TYPE", "under another name", [], interface(
        app=MESSAGE.replace("type WebsocketMessage", "type Chat"))),
    ("MIXED_CONTENT", "a public host", ["--page", "https://dapp.example", "--gateway", "ws://10.0.0.5:8080"], None),
    ("MIXED_CONTENT", "a canister's page", ["--page", "https://a-a.icp0.io", "--gateway", "ws://gw.example"], None),
    ("MIXED_CONTENT", "upgrade-insecure-requests", [
        "--page", "http://dapp.example", "--gateway", "ws://gw.example:8080", "--csp",
        "connect-src *; upgrade-insecure-requests"], None),
    ("GATEWAY_ADDRESS", "0.0.0.0", ["--gateway", "ws://0.0.0.0:8080"], None),
    ("GATEWAY_ADDRESS", "a fragment", ["--gateway", "wss://gateway.example/#/ws"], None),
]  # fmt: skip
REFUSED: list[tuple[str, str]] = [  # the address, and what the line must say; it is no gateway URL at all
    ("gateway.example:8080", "wss://gateway.example"),
    ("http://gateway.example", "write ws://gateway.example"),
    ("wss://gateway.example /", "contains a space"),
    ("wss://gateway.example:80800", "is not a gateway URL"),
]
FINE: list[tuple[str, list[str], str | None]] = [
    ("an interface as the CDK writes it", [], interface()),
    ("an application type that shares a name", [], interface(
        message=MESSAGE.replace("WebsocketMessage", "Wire"), app="type WebsocketMessage = record { text : text };",
        takes="(record { msg : Wire }, opt WebsocketMessage) -> (R)")),
    ("fields in another order", [], interface(
        opens="(record { gateway_principal : principal; client_nonce : nat64 }) -> (R)")),
    ("polls of CDK 0.3.0", [], interface(polls=POLL.replace("; is_end_of_queue : bool", ""))),
    ("vec nat8 for blob", [], interface(message=MESSAGE.replace("blob", "vec nat8"))),
    ("a gateway on this machine", ["--page", "https://dapp.example", "--gateway", "ws://127.0.0.1:8080"], None),
    ("localhost with a path", ["--page", "https://dapp.example", "--gateway", "ws://localhost:8080/ws?x=1"], None),
    ("both without TLS", ["--page", "http://192.168.1.4:3000", "--gateway", "ws://192.168.1.4:8080"], None),
    ("TLS everywhere", ["--page", "https://dapp.example", "--gateway", "wss://gateway.example:443/"], None),
]  # fmt: skip


class TestFiles:
    @pytest.mark.parametrize(
        ("rule", "story"), [pytest.param(rule, story, id=f"{rule}: {text}") for rule, text, story in ILL]
    )
    def test_is_named_and_nothing_else(self, rule: str, story: Files, tmp_path: Path) -> None:
        findings = story(tmp_path).doctor()
        assert rule in findings.ids
        assert {finding.id for finding in findings if finding.severity != "info"} <= {rule}

    @pytest.mark.parametrize("story", [pytest.param(story, id=text) for text, story in WELL])
    def test_gets_no_word(self, story: Files, tmp_path: Path) -> None:
        assert story(tmp_path).doctor().ids == ()


class TestConfigured:
    @pytest.mark.parametrize(
        ("rule", "args", "did"),
        [pytest.param(rule, args, did, id=f"{rule}: {text}") for rule, text, args, did in CONFIGURED],
    )
    def test_is_named_and_nothing_else(self, rule: str, args: list[str], did: str | None, tmp_path: Path) -> None:
        assert [finding["id"] for finding in configured(tmp_path, *args, did=did)] == [rule]

    @pytest.mark.parametrize(("address", "said"), REFUSED)
    def test_is_refused_in_a_line(self, address: str, said: str) -> None:
        code, line = refused("--gateway", address)
        assert code == 3
        assert said in line

    @pytest.mark.parametrize(("args", "did"), [pytest.param(args, did, id=text) for text, args, did in FINE])
    def test_gets_no_word(self, args: list[str], did: str | None, tmp_path: Path) -> None:
        assert json.dumps(configured(tmp_path, *args, did=did)) == "[]"
