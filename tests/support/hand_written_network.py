"""What hand-written sessions look like from other places: between gateway and network, in a browser, on the wire.

Beside `hand_written`: `Network` writes what a tap behind the gateway records (calls and polls with their answers),
`Page` the HAR file of a browser, `wire` a recorded TCP connection that came to nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from icws_explore.analysis.recording import Recording, load
from icws_explore.capture import Frame
from icws_explore.cli.main import run
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import encode_poll_args
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, query_content, sign_envelope
from icws_explore.protocol.keys import AnonymousIdentity, Identity
from icws_explore.protocol.principal import Principal
from support.hand_written import Place, Visit, key_of
from support.packets import Talk, pcap

Answer = tuple[int, bytes]  # HTTP status and body
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"

RATE = (429, b"error: rate_limited_normal\ndetails: request rate limited")
NO_NODES = (503, b"error: no_healthy_nodes\ndetails: there are currently no healthy replica nodes available")


def busy(visit: Visit, until_s: float, *, every_s: float = 20.0) -> Visit:
    """Chats and answers acks until then."""
    place, acked_s = visit.place, visit.place.now
    while place.now + every_s < until_s:
        visit.chats(think_s=every_s - 1.9)
        if place.now - acked_s > 270:
            visit.ack_round()
            acked_s = place.now
    return visit.wait(until_s - place.now)


def local(visit: Visit) -> Visit:
    """A session starts at a replica on the same machine."""
    return visit.handshake().wait(0.002).asks().wait(0.14).opens()


def no_cycles(place: Place) -> str:
    return (
        f"Canister {place.canister_id} is out of cycles: please top up the canister with at least "
        "8_129_233_431 additional cycles"
    )


def rejected(code: int, text: str, error_code: str) -> Answer:
    """A query's rejection."""
    return 200, cbor.dumps(
        {"status": "rejected", "reject_code": code, "reject_message": text, "error_code": error_code}, tagged=True
    )


def not_replicated(code: int, text: str, error_code: str) -> Answer:
    """A call's rejection before any execution: what one replica says, without a certificate."""
    return 200, cbor.dumps(
        {"status": "non_replicated_rejection", "reject_code": code, "reject_message": text, "error_code": error_code},
        tagged=True,
    )


def expiry_refused(now_s: float, expiry_ns: int) -> Answer:
    """A replica's refusal of a request whose expiry is out of range by its clock, ``now_s``."""

    def at(seconds: float) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")

    text = (
        "Invalid request expiry: Specified ingress_expiry not within expected range: Minimum allowed expiry: "
        f"{at(now_s)}, Maximum allowed expiry: {at(now_s + 330)}, Provided expiry: {at(expiry_ns / NS_PER_S)}"
    )
    return 400, text.encode()


class Network:
    """The network behind a place's gateway. ``gateway_ahead_s`` is how far the gateway's clock is ahead."""

    def __init__(self, place: Place, *, gateway_ahead_s: float = 0.0) -> None:
        self.place, self.gateway_ahead_s = place, gateway_ahead_s

    def exchange(self, t: float, method: str, body: bytes, answer: Answer, after_s: float) -> None:
        kind = "query" if method == "v2" else "call"
        target = f"POST /api/{method}/canister/{self.place.canister_id}/{kind}"
        name = f"http {len(self.place.http)}"
        status, data = answer
        self.place.http += [
            Frame(t, "out", "request", body, None, target, name),
            Frame(t + after_s, "in", "response", data, status, target, name),
        ]

    def relays(self, visit: Visit, answer: Answer, *, after_s: float = 0.08) -> None:
        """The gateway relays the visit's last request."""
        assert visit.last_request is not None
        self.exchange(visit.t + 0.01, "v3", visit.last_request.encode(), answer, after_s)

    def polls(self, from_s: float, to_s: float, answer: Answer | None, *, every_s: float = 4.9) -> int:
        """The gateway polls from time to time; None: the replica refuses the expiry. Returns how often."""
        t, count = from_s, 0
        while t < to_s:
            expiry_s = (t + self.gateway_ahead_s + 180) // 60 * 60
            expiry_ns = round(expiry_s) * NS_PER_S
            content = query_content(
                self.place.canister_id, "ws_get_messages", encode_poll_args(self.place.nonce),
                self.place.gateway, expiry_ns,
            )  # fmt: skip
            body = sign_envelope(content, key_of("gateway")).encode()
            self.exchange(t, "v2", body, answer or expiry_refused(t, expiry_ns), 0.07)
            t, count = t + every_s, count + 1
        return count


class Page:
    """A browser's network panel. ``entries`` are those of the HAR file."""

    def __init__(self, url: str = "https://dapp.example/") -> None:
        self.url = url
        self.entries: list[dict[str, Any]] = []

    def loads(self, t: float) -> Page:
        return self._fetch(t, "GET", self.url, 200, mime="text/html")

    def calls(
        self, t: float, method: str, identity: Identity, to: Principal, *, kind: str = "call", version: str = "v3"
    ) -> Page:
        """The page calls a canister itself, through an agent of its own."""
        make = call_content if kind == "call" else query_content
        content = make(to, method, b"DIDL\0\0", identity.principal, round((t + 240) * NS_PER_S), b"n" * 16)
        if isinstance(identity, AnonymousIdentity):
            body = cbor.dumps({"content": content}, tagged=True)
        else:
            body = sign_envelope(content, identity).encode()
        url = f"https://icp-api.io/api/{version}/canister/{to}/{kind}"
        text = {"mimeType": "application/cbor", "text": body.decode("latin-1")}
        return self._fetch(t, "POST", url, 202, post=text)

    def socket(
        self,
        visit: Visit | None = None,
        *,
        url: str = "wss://gw.example/",
        at: float = 0.0,
        messages: Sequence[tuple[str, int, str]] = (),
        status: int = 101,
        error: str | None = None,
        asks: dict[str, str] | None = None,
        answers: dict[str, str] | None = None,
    ) -> Page:
        """A socket with a visit's messages, or with ``messages`` (type, opcode, text), one each second."""
        shown = [
            {"type": "send" if f.direction == "out" else "receive", "time": round(f.t, 6), "opcode": 2,
             "data": base64.b64encode(f.data).decode()}
            for f in (visit.frames if visit is not None else ()) if f.op == "binary"
        ]  # fmt: skip
        shown += [
            {"type": kind, "time": at + number, "opcode": opcode, "data": data}
            for number, (kind, opcode, data) in enumerate(messages)
        ]
        begin = visit.frames[0].t - 0.2 if visit is not None and visit.frames else at
        entry = self._entry(begin, "GET", url, status, asks or {}, answers or {})
        entry["response"]["_error"] = error
        self.entries.append(entry | {"_resourceType": "websocket", "_webSocketMessages": shown})
        return self

    def har(self, folder: Path, *, creator: str = "WebInspector") -> Recording:
        path = folder / "page.har"
        pages = [{"id": "page_1", "title": self.url, "startedDateTime": "2026-03-01T08:46:50Z", "pageTimings": {}}]
        log = {"version": "1.2", "creator": {"name": creator, "version": "537.36"}, "pages": pages}
        path.write_text(json.dumps({"log": log | {"entries": self.entries}}), encoding="utf-8")
        return load(path)

    def _fetch(self, t: float, method: str, url: str, status: int, *, mime: str = "", post: Any = None) -> Page:
        entry = self._entry(t, method, url, status, {}, {})
        entry["response"]["content"]["mimeType"] = mime
        if post is not None:
            entry["request"]["postData"] = post
        self.entries.append(entry | {"_resourceType": "document" if mime else "fetch"})
        return self

    def _entry(
        self, t: float, method: str, url: str, status: int, asks: dict[str, str], answers: dict[str, str]
    ) -> dict[str, Any]:
        def headers(named: dict[str, str]) -> list[dict[str, str]]:
            return [{"name": name, "value": value} for name, value in named.items()]

        begun = datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "pageref": "page_1", "startedDateTime": begun, "time": 900.0, "cache": {},
            "request": {
                "method": method, "url": url, "httpVersion": "http/1.1", "headers": headers(asks),
                "queryString": [], "cookies": [], "headersSize": 300, "bodySize": 0,
            },
            "response": {
                "status": status, "statusText": "", "httpVersion": "http/1.1", "headers": headers(answers),
                "cookies": [], "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "",
                "headersSize": -1, "bodySize": -1,
            },
            "timings": {"send": 0, "wait": 1, "receive": 0},
        }  # fmt: skip


def wire(folder: Path, talk: Talk) -> Recording:
    path = folder / "packets.pcap"
    path.write_bytes(pcap(talk.packets))
    return load(path)


def configured(folder: Path, *args: str, did: str | None = None) -> list[dict[str, Any]]:
    """The findings of ``icws doctor`` about a configuration."""
    options = list(args)
    if did is not None:
        path = folder / "canister.did"
        path.write_text(did, encoding="utf-8")
        options += ["--did", str(path)]
    code, text, _ = _doctor(options)
    assert code in (0, 1), (code, text)
    findings: list[dict[str, Any]] = json.loads(text)["findings"]
    return findings


def refused(*args: str) -> tuple[int, str]:
    """The exit code and the line with which ``icws doctor`` refuses its options."""
    code, _, said = _doctor(args)
    return code, said


def _doctor(options: Sequence[str]) -> tuple[int, str, str]:
    with CliRunner().isolation() as (stdout, stderr, _):
        code = run(["doctor", *options, "--json"])
        return code, stdout.getvalue().decode(), stderr.getvalue().decode()
