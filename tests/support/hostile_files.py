"""Damage for files: every node of a JSON document replaced by what no writer puts there, every byte changed or cut."""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from icws_explore.capture import Capture

from . import packets
from .packets import Talk
from .raw_tcp import frame

_MARK = "a node that is replaced"
# As text, for some are no JSON at all.
ODD = (
    "null", "true", "0", "-1", "8", "1.5", "1e11", "-1e11", "1e18", "1e308", "-1e308", "1e400", "NaN", "-Infinity",
    "1" + "0" * 400, "1" + "0" * 5000, "01", '""', '"x"', '"\\ud800"', '"\\u0000"', '"a\\nb\\u001b[31m"', '"\t"',
    '"====="', '"AAAA"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-12:00"', '"aaaaa-aa"', '"virtual"',
    "[]", "{}", "[[]]", '[null, 7, "x", {}]', '{"a": 1}', "[" * 500 + "]" * 500, "[" * 100_000, "undefined",
)  # fmt: skip


def mutations(document: Any) -> Iterator[tuple[str, str]]:
    """(what was done, the text) for each node and each odd thing in its place, and for each member left out."""
    for path in _paths(document):
        for odd in ODD:
            yield f"{path} is {odd[:30]}", json.dumps(_put(document, path, _MARK)).replace(f'"{_MARK}"', odd)
        if path:
            yield f"{path} is missing", json.dumps(_put(document, path, None, remove=True))


def some(of: Iterator[Any], share: float, seed: int = 1) -> Iterator[Any]:
    """That part of them, always the same."""
    dice = random.Random(seed)
    return (each for each in of if dice.random() < share)


def har_of(capture: Capture, count: int) -> dict[str, Any]:
    """The first frames as Chrome writes them, beside a page and a second socket with a text, a close and an error."""
    messages = [
        {
            "type": "send" if f.direction == "out" else "receive",
            "time": f.t,
            "opcode": 2,
            "data": base64.b64encode(f.data).decode(),
        }
        for f in capture.frames[:count]
        if f.op == "binary"
    ]
    t = capture.frames[0].t
    others = [
        {"type": "receive", "time": t + 1, "opcode": 1, "data": "hi"},
        {"type": "receive", "time": t + 2, "opcode": 8, "data": "D6A="},
        {"type": "error", "time": t + 3, "opcode": -1, "data": "oops"},
    ]
    page = {"request": {"url": "https://h/"}, "response": {"status": 200, "content": {"text": "hello"}}}
    sockets = [_entry("wss://gw/", messages, t), _entry("wss://other/", others, t)]
    return {"log": {"version": "1.2", "pages": [], "entries": [page, *sockets]}}


def _entry(url: str, messages: list[dict[str, Any]], t: float) -> dict[str, Any]:
    return {
        "_resourceType": "websocket",
        "_webSocketMessages": messages,
        "request": {"url": url, "headers": []},
        "response": {"status": 101, "_error": None},
        "startedDateTime": datetime.fromtimestamp(t - 0.5, UTC).isoformat(),
    }


def talk_of(capture: Capture, count: int, **where: Any) -> Talk:
    """The first frames as packets."""
    talk = Talk(**where).opened()
    for f in capture.frames[:count]:
        if f.op == "binary":
            say = talk.up if f.direction == "out" else talk.down
            data = frame(2, f.data, masked=f.direction == "out")
            for at in range(0, len(data), 1400):
                say(data[at : at + 1400])
    return talk.fin("client").fin("server")


def packet_files(capture: Capture, count: int) -> dict[str, bytes]:
    """Each link and format, and two sessions at once."""
    files = {}
    for link in packets.LINKS:
        conversation = talk_of(capture, count, link=link).packets
        files[f"{link}.pcap"] = packets.pcap(conversation, link=link)
        files[f"{link}.pcapng"] = packets.pcapng(conversation, link=link)
    second = talk_of(capture, count, client=(b"\x0a\x00\x00\x09", 1234), start=1_700_000_000.5).packets
    files["two.pcapng"] = packets.pcapng(sorted(talk_of(capture, count).packets + second))
    return files


def changed(content: bytes, seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Bytes changed, runs of them overwritten, the file cut, each at random places."""
    dice = random.Random(seed)
    for _ in range(count):
        at = dice.randrange(len(content))
        match dice.randrange(3):
            case 0:
                value = dice.choice([0, 1, 0x7F, 0x80, 0xFF, content[at] ^ 1])
                yield f"byte {at} is {value}", content[:at] + bytes([value]) + content[at + 1 :]
            case 1:
                run = dice.choice([b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7])[: dice.choice([2, 4, 8])]
                yield f"from byte {at} on {run.hex()}", content[:at] + run + content[at + len(run) :]
            case _:
                yield f"cut at {at}", content[:at]


def lines_of(path: Path, count: int) -> list[dict[str, Any]]:
    """The head and the first frames of a capture, then every kind of frame that it has not."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()[: count + 1]]
    t = lines[-1]["t"]
    return [
        *lines,
        {"t": t + 1, "d": "out", "op": "request", "b": "AAA=", "code": None, "reason": "POST /api/v2/x", "s": "h1"},
        {"t": t + 1, "d": "in", "op": "response", "b": "AAA=", "code": 200, "reason": "", "s": "h1"},
        {"t": t + 2, "d": "in", "op": "text", "b": "aGk="},
        {"t": t + 3, "d": "out", "op": "close", "b": "", "code": 1000, "reason": "", "s": "1"},
    ]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _paths(item, (*path, key))


def _put(document: Any, path: tuple[Any, ...], value: Any, *, remove: bool = False) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(document)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed
