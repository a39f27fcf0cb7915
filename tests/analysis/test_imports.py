"""Whatever file holds a recording is read; tests/capture/ has files of every kind."""

from __future__ import annotations

import base64
import json
import os

import pytest

import icws_explore as icws
from icws_explore.analysis.imports import file_kind, load_any
from icws_explore.capture import load, save
from icws_explore.capture.files import FileKind
from icws_explore.protocol.errors import CaptureError
from support.packets import Talk, pcap
from support.raw_tcp import frame
from support.session_captures import healthy


@pytest.fixture
def har(tmp_path):
    messages = [
        {
            "type": "send" if frame.direction == "out" else "receive",
            "time": frame.t,
            "opcode": 2,
            "data": base64.b64encode(frame.data).decode(),
        }
        for frame in healthy().frames
        if frame.op == "binary"
    ]
    entry = {"_resourceType": "websocket", "request": {"url": "wss://gw/"}, "_webSocketMessages": messages}
    path = tmp_path / "s.har"
    path.write_text(json.dumps({"log": {"entries": [entry]}}))
    return path


class TestLoad:
    def test_a_har_whose_canister_is_that_of_the_first_request(self, har):
        assert file_kind(har) is FileKind.HAR
        recording = icws.load(har)
        assert (recording.info.origin, recording.info.canister_id) == ("har", healthy().info.canister_id)
        assert recording.raw == load_any(har)

    def test_packets(self, tmp_path):
        path = tmp_path / "s.pcap"
        path.write_bytes(pcap(Talk().opened().down(frame(2, b"hello")).packets))
        assert [frame.data for frame in icws.load(path).raw.frames if frame.op == "binary"] == [b"hello"]

    def test_a_capture_is_as_it_was(self, tmp_path):
        path = save(healthy(), tmp_path / "s.icws")
        assert load_any(path) == load(path)

    def test_a_pipe_is_not_looked_into(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        assert file_kind(tmp_path / "pipe") is FileKind.OTHER

    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(CaptureError, match="cannot read"):
            icws.load(tmp_path / "none")
