"""The same hand-written sessions in other clothes: packets, flow files, HAR files of other browsers, torn and redacted.

A function takes a `Place` and a folder, writes a file as that recorder writes it, and reads it back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from icws_explore.analysis.recording import Recording, load
from icws_explore.capture import Frame, save
from icws_explore.cli.main import run
from support.flows import http, message, value, websocket
from support.hand_written import Place, Visit
from support.packets import SERVER, SWITCHED, UPGRADE, Talk, pcap

_OPCODES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}


def icws(place: Place, folder: Path, recorder: str = "tap", **info: Any) -> Recording:
    """An `.icws` file, written and read."""
    path = folder / "session.icws"
    save(place.capture(recorder, **info), path)
    return load(path)


def torn(place: Place, folder: Path, recorder: str = "tap", *, lost: int = 40) -> Recording:
    """The recorder was killed while it wrote the last line."""
    path = folder / "torn.icws"
    save(place.capture(recorder), path)
    path.write_bytes(path.read_bytes()[:-lost])
    return load(path)


def redacted(place: Place, folder: Path, recorder: str = "tap") -> Recording:
    """``icws export --redact --to har``, read back."""
    path, out = folder / "private.icws", folder / "public.har"
    save(place.capture(recorder), path)
    with CliRunner().isolation():
        code = run(["export", str(path), "--to", "har", "--redact", "-o", str(out)])
    assert code == 0
    return load(out)


def packets(place: Place, folder: Path) -> Recording:
    """A connection a visit, as tcpdump sees it at the gateway's machine."""
    told: list[tuple[float, bytes]] = []
    for number, visit in enumerate(place.visits):
        told += _connection(visit, 40_000 + number)
    path = folder / "gateway.pcap"
    path.write_bytes(pcap(sorted(told, key=lambda each: each[0])))
    return load(path)


def _connection(visit: Visit, port: int) -> list[tuple[float, bytes]]:
    talk = Talk(client=(bytes([10, 0, 1, port % 250]), port), server=SERVER, client_sequence=port)
    begin = visit.frames[0].t - 0.5
    times: list[float] = []

    def stamp(t: float) -> None:
        times.extend([t + 1e-5 * step for step in range(len(talk.packets) - len(times))])

    talk.opened(SWITCHED, UPGRADE)
    stamp(begin)
    for frame in visit.frames:
        up = frame.direction == "out"
        if frame.op == "close" and frame.code in (1006, None):
            talk.rst("client" if up else "server")
        else:
            for piece in _pieces(_wire(frame)):
                (talk.up if up else talk.down)(piece)
            if frame.op == "close":
                talk.fin("client" if up else "server")
        stamp(frame.t)
    return list(zip(times, (packet for _, packet in talk.packets), strict=True))


def _pieces(data: bytes, size: int = 1400) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _wire(frame: Frame) -> bytes:
    data = frame.data
    if frame.op == "close":
        code = frame.code
        data = b"" if code in (None, 1005) else (code or 0).to_bytes(2) + (frame.reason or "").encode()
    mask = 0x80 if frame.direction == "out" else 0
    if len(data) < 126:
        length = bytes([mask | len(data)])
    elif len(data) < 65_536:
        length = bytes([mask | 126]) + len(data).to_bytes(2)
    else:
        length = bytes([mask | 127]) + len(data).to_bytes(8)
    return bytes([0x80 | _OPCODES[frame.op]]) + length + (bytes(4) if mask else b"") + data


def flows(place: Place, folder: Path) -> Recording:
    """``mitmdump -w``: a flow a visit, and a flow for each request to the network."""
    path = folder / "dapp.flow"
    told = [(visit.frames[0].t, _socket_flow(visit)) for visit in place.visits]
    asked = {frame.session: frame for frame in place.http if frame.op == "request"}
    answers = [frame for frame in place.http if frame.op == "response"]
    told += [(asked[answer.session].t, _http_flow(asked[answer.session], answer)) for answer in answers]
    path.write_bytes(b"".join(value(flow) for _, flow in sorted(told, key=lambda each: each[0])))
    return load(path)


def _socket_flow(visit: Visit) -> dict[str, Any]:
    said = [
        message(f.data, up=f.direction == "out", t=f.t, kind=_OPCODES[f.op])
        for f in visit.frames if f.op in ("binary", "text")
    ]  # fmt: skip
    end = next((f for f in visit.frames if f.op == "close"), None)
    begin = {"timestamp_start": visit.frames[0].t - 0.4}
    ended: dict[str, Any] = {"closed_by_client": None, "close_code": None, "close_reason": None, "timestamp_end": None}
    if end is not None:
        ended = {
            "closed_by_client": end.direction == "out", "close_code": end.code, "close_reason": end.reason or "",
            "timestamp_end": end.t,
        }  # fmt: skip
    return websocket(*said, asked=begin, **ended)


def _http_flow(asked: Frame, answered: Frame) -> dict[str, Any]:
    path = (asked.reason or "").split(" ", 1)[1]
    answer = {"timestamp_start": answered.t, "timestamp_end": answered.t, "content": answered.data}
    return http(
        path,
        asked={
            "timestamp_start": asked.t,
            "content": asked.data,
            "host": "icp-api.io",
            "scheme": b"https",
            "port": 443,
        },
        answered={**answer, "status": answered.code},
    )


def browser(place: Place, folder: Path, name: str = "Firefox", *, others: Sequence[dict[str, Any]] = ()) -> Recording:
    """The HAR file of that browser, "Firefox" or "Playwright", with ``others`` as entries beside the sockets."""
    entries = [*others, *(_entry(visit, name) for visit in place.visits)]
    path = folder / f"{name}.har"
    log = {"version": "1.2", "creator": {"name": name, "version": "139.0"}, "pages": [], "entries": entries}
    path.write_text(json.dumps({"log": log}), encoding="utf-8")
    return load(path)


def _entry(visit: Visit, name: str) -> dict[str, Any]:
    is_firefox = name == "Firefox"

    def data(frame: Frame) -> str:
        return frame.data.decode("latin-1") if is_firefox else base64.b64encode(frame.data).decode()

    zone = timezone(timedelta(hours=1)) if is_firefox else UTC
    begun = datetime.fromtimestamp(visit.frames[0].t - 0.2, zone).isoformat(timespec="milliseconds")
    said = [
        {
            "type": "send" if f.direction == "out" else "receive", "opcode": 2, "data": data(f),
            "time": f.t if is_firefox else f.t * 1000,
        }
        for f in visit.frames if f.op == "binary"
    ]  # fmt: skip
    request = {"method": "GET", "url": "wss://gw.example/", "httpVersion": "HTTP/1.1", "headers": [], "bodySize": -1}
    response = {"status": 101, "statusText": "Switching Protocols", "httpVersion": "HTTP/1.1", "headers": []}
    return {
        "startedDateTime": begun, "request": request, "response": response, "cache": {}, "time": 20, "timings": {},
        "_resourceType": "websocket", "_webSocketMessages": said,
    }  # fmt: skip
