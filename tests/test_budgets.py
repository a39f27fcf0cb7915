"""What hostile files cost, against the budgets that docs/budgets.md promises for them."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from icws_explore.analysis.filter import compile_filter
from icws_explore.capture import Capture, load
from icws_explore.capture.har import load_har
from icws_explore.capture.packets import load_pcap
from icws_explore.protocol import budgets
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.keys.files import load_identity
from support.machine import ROOT
from support.packets import Talk, pcap

MIB = budgets.MIB
SIZE = 2 * MIB
FREE = 16 * MIB  # far less than MEMORY_FREE, which would hide everything that a file of this size can do
PAGE = (ROOT / "docs" / "budgets.md").read_text(encoding="utf-8")

HEAD = b'{"icws": 1}\n'
FRAME = b'{"t":1,"d":"in","op":"binary","b":"QQ=="}\n'


def with_member(name: str, text: bytes) -> bytes:
    return b'{"t":1,"d":"in","op":"close","b":"","code":1000,"%b":"%b"}\n' % (name.encode(), text)


RECORDINGS = {
    "objects": HEAD + b"[" + b"{}," * (SIZE // 3) + b"{}]\n",
    "lists": HEAD + b"[" + b"[]," * (SIZE // 3) + b"[]]\n",
    "numbers": HEAD + b"[" + b"0," * (SIZE // 2) + b"0]\n",
    "digits": HEAD + b'{"t":1' + b"0" * SIZE + b"}\n",
    "nesting": HEAD + b"[" * SIZE + b"\n",
    "escapes": HEAD + with_member("b", b"\\u0041" * (SIZE // 6)),
    "reason": HEAD + with_member("reason", "\U0001f600".encode() * (SIZE // 4)),
    "session": HEAD + with_member("s", "\U0001f600".encode() * (SIZE // 4)),
    "change": HEAD + with_member("did", "\U0001f600".encode() * (SIZE // 4)),
    "notes": HEAD + b'{"note":"%b"}\n' % (b"n" * 10_000) * (SIZE // 10_000),
    "url": b'{"icws":1,"gateway_url":"%b"}\n' % (b"w" * SIZE) + FRAME,
    "type": b'{"icws":1,"app_type":"%b"}\n' % ("\U0001f600".encode() * (SIZE // 4)) + FRAME,
    "blank": HEAD + b"\n" * SIZE,
    "unreadable": HEAD + b"x\n" * (SIZE // 2),
    "one large frame": HEAD + b'{"t":1,"d":"in","op":"binary","b":"' + b"A" * SIZE + b'"}\n',
}


def message(data: str) -> str:
    socket = {
        "_resourceType": "websocket",
        "_webSocketMessages": [{"type": "receive", "time": 1795438129.1, "opcode": 2, "data": "@"}],
        "request": {"url": "wss://gw/", "headers": []},
        "response": {"status": 101},
        "startedDateTime": "2026-11-23T13:27:20.500Z",
    }
    return json.dumps({"log": {"version": "1.2", "entries": [socket]}}).replace('"@"', data)


HARS = {
    "one long string": message('"' + "A" * SIZE + '"'),
    "escapes": message('"' + "\\u0041" * (SIZE // 6) + '"'),
    "backslashes": message('"' + "\\\\" * (SIZE // 2) + '"'),
    "emoji": message('"' + "\U0001f600" * (SIZE // 4) + '"'),
    "digits": message("9" * SIZE),
    "nesting": message("[" * (SIZE // 2)),
    "objects": message("[" + "{}," * (SIZE // 3) + "{}]"),
    "url": message('"QQ=="').replace("wss://gw/", "wss://gw/" + "a" * SIZE),
    "time": message('"QQ=="').replace("2026-11-23", "2" * SIZE),
    "failure": message('"QQ=="').replace('"status": 101', f'"_error": "{"e" * SIZE}"'),
}


def peak(call: Callable[[], object]) -> int:
    """The bytes of Python's memory that ``call`` takes at most. A documented error is an answer."""
    tracemalloc.start()
    try:
        call()
    except IcwsError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1_000
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


class TestMemory:
    @pytest.mark.parametrize("name", RECORDINGS)
    @pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
    def test_of_a_recording(self, tmp_path: Path, name: str, is_packed: bool) -> None:
        content = RECORDINGS[name]
        path = tmp_path / "a.icws"
        path.write_bytes(gzip.compress(content, 1) if is_packed else content)
        assert peak(lambda: load(path)) <= FREE + budgets.MEMORY_PER_BYTE * len(content)

    @pytest.mark.parametrize("name", HARS)
    def test_of_a_har(self, tmp_path: Path, name: str) -> None:
        content = HARS[name].encode()
        path = tmp_path / "a.har"
        path.write_bytes(content)
        assert peak(lambda: load_har(path)) <= FREE + budgets.MEMORY_PER_BYTE * len(content)

    @pytest.mark.parametrize("frame", [b"\x82\x00", b"\x89\x00", b"\x02\x00"], ids=["empty", "pings", "fragments"])
    def test_of_packets(self, tmp_path: Path, frame: bytes) -> None:
        talk = Talk().opened()
        for _ in range(10):
            talk.down(frame * 700)
        path = tmp_path / "a.pcap"
        path.write_bytes(pcap(talk.packets))
        assert peak(lambda: load_pcap(path)) <= FREE

    @pytest.mark.parametrize("text", ["-----BEGIN ", "{", "A", "-----BEGIN X-----\n", "\n"])
    def test_of_an_identity(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "a.pem"
        path.write_text(text * (SIZE // len(text)))
        assert peak(lambda: load_identity(path)) <= budgets.MEMORY_PER_BYTE * SIZE

    def test_of_a_filter(self) -> None:
        assert peak(lambda: compile_filter("not " * SIZE)) <= FREE


class TestWhatIsLeft:
    """Whatever is over a budget is left out or cut, and one line says so; the rest is there."""

    def read(self, tmp_path: Path, content: bytes) -> Capture:
        path = tmp_path / "a.icws"
        path.write_bytes(content + FRAME)
        return load(path)

    def test_long_texts_of_a_frame_are_cut(self, tmp_path: Path) -> None:
        for member, name in (("reason", "reason"), ("s", "session"), ("did", "did")):
            capture = self.read(tmp_path, HEAD + with_member(member, b"x" * 2 * budgets.FILE_TEXT))
            text = getattr(capture.frames[0], name)
            assert (len(text), text[-1]) == (budgets.FILE_TEXT, "…")
            assert len(capture.frames) == 2

    def test_texts_within_the_budget_are_whole(self, tmp_path: Path) -> None:
        text = "x" * budgets.FILE_TEXT
        assert self.read(tmp_path, HEAD + with_member("reason", text.encode())).frames[0].reason == text

    @pytest.mark.parametrize(("member", "most"), [("gateway_url", budgets.FILE_TEXT), ("app_type", budgets.DID_TEXT)])
    def test_a_long_member_of_line_1_is_left_out_and_named(self, tmp_path: Path, member: str, most: int) -> None:
        capture = self.read(tmp_path, json.dumps({"icws": 1, member: "x" * (most + 1)}).encode() + b"\n")
        assert getattr(capture.info, member) is None
        assert capture.notes == [f'line 1: "{member}" has more than {most} characters; left out']
        assert len(capture.frames) == 1

    def test_long_notes_are_cut(self, tmp_path: Path) -> None:
        line = b'{"note":"%b"}\n' % (b"n" * 10_000)
        head = b'{"icws":1,"notes":["%b"]}\n' % (b"n" * 10_000)
        notes = self.read(tmp_path, head + line).notes
        assert [len(note) for note in notes] == [budgets.FILE_NOTE] * 2

    def test_reading_stops_after_many_unreadable_lines(self, tmp_path: Path) -> None:
        capture = self.read(tmp_path, HEAD + FRAME + b"x\n" * (budgets.RECORDING_UNREADABLE + 10))
        assert len(capture.frames) == 1
        said = f"everything after line {budgets.RECORDING_UNREADABLE + 2} is left out"
        assert any(note.startswith(said) for note in capture.notes)

    def test_a_long_url_of_a_har_is_cut(self, tmp_path: Path) -> None:
        path = tmp_path / "a.har"
        path.write_text(message('"QQ=="').replace("wss://gw/", "wss://gw/" + "a" * SIZE))
        capture = load_har(path)
        assert len(capture.info.gateway_url or "") == budgets.FILE_TEXT
        assert len(capture.frames) == 1


class TestPage:
    """docs/budgets.md lists every budget with its number."""

    ROWS: ClassVar = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    NAMES: ClassVar = [name for name in vars(budgets) if name.isupper() and name not in ("KIB", "MIB")]

    def test_lists_every_budget(self) -> None:
        assert list(self.ROWS) == self.NAMES

    @pytest.mark.parametrize("name", NAMES)
    def test_has_its_number(self, name: str) -> None:
        assert self.ROWS[name].split(" ")[0] == written(getattr(budgets, name), self.ROWS[name])


def written(value: float, cell: str) -> str:
    unit = {"KiB": 1024, "MiB": MIB}.get(cell.split(" ")[1] if " " in cell else "", 1)
    return f"{value / unit:,g}" if value / unit < 1e6 else f"{value // unit:,}"
