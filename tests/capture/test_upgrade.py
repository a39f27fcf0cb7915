"""A WebSocket that never opened is one frame, and comes back from it."""

from __future__ import annotations

import json

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.imports import load_any
from icws_explore.analysis.redaction.redact import public_capture
from icws_explore.capture import Capture, Frame, load, save
from icws_explore.capture.upgrade import Upgrade

FAILED = Upgrade("wss://gw.example/?token=SECRET", 0, "net::ERR_CONNECTION_REFUSED", "icws", "")


class TestFrame:
    def test_holds_all_of_it_also_in_a_file(self, tmp_path):
        path = save(Capture(frames=[FAILED.frame(5.0, "1")]), tmp_path / "s.icws")
        (frame,) = load(path).frames
        assert Upgrade.of(frame) == FAILED
        assert (frame.t, frame.session) == (5.0, "1")

    @pytest.mark.parametrize(
        "frame",
        [
            Frame(0, "in", "response", b"", 101, "GET /", "1"),
            Frame(0, "in", "response", b"", 200, "POST /api/v2/status"),
            Frame(0, "in", "binary", b"x"),
        ],
    )
    def test_other_responses_are_none(self, frame):
        assert Upgrade.of(frame) is None

    @pytest.mark.parametrize("data", [b"", b"\xff", b"[1]", b'{"error": 5}', b"[" * 100_000])
    def test_damaged_details_are_left_out(self, data):
        frame = Frame(0, "in", "response", data, 404, "GET wss://gw.example/")
        assert Upgrade.of(frame) == Upgrade("wss://gw.example/", 404)

    def test_is_shown_by_a_browsers_code_only(self):
        capture = Capture(frames=[FAILED.frame(0, None), Upgrade("ws://h/", 0, "words of a page").frame(1, None)])
        first, second = (d.summary for d in decode_frames(capture))
        assert first.endswith("did not open: net::ERR_CONNECTION_REFUSED")
        assert second.endswith("did not open: no answer")

    def test_is_redacted_to_the_host(self):
        (frame,) = public_capture(Capture(frames=[FAILED.frame(0, None)])).frames
        assert frame.reason == "GET wss://gw.example/?…"


class TestHar:
    def entry(self, **response):
        request = {"method": "GET", "url": "wss://gw.example/", "headers": [
            {"name": "X", "value": "1"}, {"name": "Sec-WebSocket-Protocol", "value": "icws"}]}  # fmt: skip
        return {
            "_resourceType": "websocket",
            "_webSocketMessages": [],
            "startedDateTime": "2026-03-01T08:46:57.250Z",
            "request": request,
            "response": response,
        }

    def loaded(self, tmp_path, *entries):
        path = tmp_path / "s.har"
        path.write_text(json.dumps({"log": {"entries": list(entries)}}))
        return load_any(path)

    def test_a_socket_that_failed_becomes_such_a_frame(self, tmp_path):
        capture = self.loaded(tmp_path, self.entry(status=101, _error="net::ERR_FAILED", headers=[]))
        (frame,) = capture.frames
        assert Upgrade.of(frame) == Upgrade("wss://gw.example/", 101, "net::ERR_FAILED", "icws", "")

    def test_the_subprotocol_that_was_confirmed(self, tmp_path):
        headers = [{"name": "sec-websocket-protocol", "value": "icws"}]
        capture = self.loaded(tmp_path, self.entry(status=101, _error="net::ERR_FAILED", headers=headers))
        (upgrade,) = map(Upgrade.of, capture.frames)
        assert upgrade is not None
        assert (upgrade.asked, upgrade.confirmed) == ("icws", "icws")

    def test_one_that_opened_without_messages_gives_none(self, tmp_path):
        assert self.loaded(tmp_path, self.entry(status=101, headers=[])).frames == []
