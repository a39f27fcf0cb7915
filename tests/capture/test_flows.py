"""Flow files of mitmproxy: one that it wrote, every field that is read, and damage of every kind."""

from __future__ import annotations

import gzip
import itertools
import random
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icws_explore.analysis.imports import load_any
from icws_explore.analysis.network_calls import network_calls, recorded_root_keys
from icws_explore.analysis.recording import Recording
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import flows as flows_module
from icws_explore.capture.files import FileKind, kind_of
from icws_explore.capture.flows import load_flows
from icws_explore.capture.upgrade import Upgrade
from icws_explore.protocol.errors import CaptureError
from support.cost import lines_of
from support.flows import AT_S, UPGRADE, http, message, value, websocket

REAL = Path(__file__).parent.parent / "vectors" / "mitmproxy.flow"
API = "/api/v2/canister/bnz7o-iuaaa-aaaaa-qaaaa-cai/query"


@pytest.fixture
def write(tmp_path):
    numbers = itertools.count()

    def write(*flows):
        path = tmp_path / f"{next(numbers)}.flow"
        path.write_bytes(b"".join(flow if isinstance(flow, bytes) else value(flow) for flow in flows))
        return path

    return write


def seen(capture):
    return [(f.direction, f.op, f.data, f.code, f.did) for f in capture.frames]


class TestWhatMitmproxyWrote:
    """mitmdump 11.0.2 stood between a client and a lab's gateway, between that and its replica, and beside it."""

    def test_the_sockets_are_told_apart_with_their_directions_and_closes(self):
        capture = load_flows(REAL)
        assert capture.session_ids == ["1", "3"]
        assert [(f.direction, f.op, f.code) for f in capture.session("3").frames] == [
            ("in", "binary", None),
            ("out", "binary", None),
            ("in", "binary", None),
            ("out", "binary", None),
            ("in", "binary", None),
            ("out", "close", 1000),
        ]
        assert [(f.direction, f.op, f.data) for f in capture.session("1").frames][:2] == [
            ("in", "text", b'{"type":"connected"}'),
            ("out", "text", b'{"type":"custom","event":"x"}'),
        ]
        times = [frame.t for frame in capture.frames]
        assert times == sorted(times)
        assert 1.7e9 < times[0] < times[-1] < times[0] + 2
        assert "session 1 is ws://127.0.0.1:38603/hmr?…" in capture.notes  # without its token

    def test_one_socket_can_be_chosen(self):
        capture = load_flows(REAL, url=":35473")
        assert capture.session_ids == [None]
        assert (capture.info.gateway_url, capture.info.network_url, capture.info.origin) == (
            "ws://127.0.0.1:35473/",
            "http://127.0.0.1:35063",
            "mitmproxy",
        )
        assert capture.info.started_at == "2026-11-30T13:37:28.942Z"

    def test_the_messages_verify_under_the_root_key_that_the_network_told(self):
        recording = Recording(load_any(REAL, url=":35473"))
        (key,) = recorded_root_keys(recording.raw)
        verdicts = list(verify_capture(recording.raw, root_key=key))
        assert [verdict.failure for verdict in verdicts] == [None, None]
        assert recording.raw.info.client_principal is not None
        assert recording.doctor().ids == ()

    def test_the_network_side_is_read_as_a_tap_s(self):
        calls = network_calls(load_any(REAL))
        assert [(call.method_name, call.outcome) for call in calls if call.request_type == "call"] == [
            ("ws_open", "replied"),
            ("ws_message", "replied"),
            ("ws_close", "replied"),
        ]
        assert {call.outcome for call in calls} == {"replied"}
        assert sum(call.frame is not None for call in calls) == 2  # those of the client

    def test_the_doctor_names_the_one_that_never_opened_and_leaves_the_other_protocol_out(self):
        findings = Recording(load_any(REAL)).doctor()
        assert findings.ids == ("SOCKET_NEVER_OPENED",)
        assert [(each.session, each.protocol) for each in findings.left_out] == [("1", "Vite's hot reloading")]


class TestSockets:
    def test_text_and_binary_in_both_directions_and_the_close(self, write):
        path = write(websocket(message(b"a"), message(b"b", up=True, kind=1)))
        assert seen(load_flows(path)) == [
            ("in", "binary", b"a", None, None),
            ("out", "text", b"b", None, None),
            ("out", "close", b"", 1000, None),
        ]

    @pytest.mark.parametrize(
        ("closed", "expected"),
        [
            ({"closed_by_client": False, "close_code": 1005}, [("in", 1005)]),
            ({"close_code": 1006}, [("in", 1006)]),
            ({"close_code": None}, []),
            ({"timestamp_end": None}, []),
            ({"close_code": 70_000}, []),
            ({"close_code": -1}, []),
        ],
    )
    def test_how_it_closed(self, write, closed, expected):
        frames = load_flows(write(websocket(message(b"a"), **closed))).frames
        assert [(f.direction, f.code) for f in frames if f.op == "close"] == expected

    def test_what_mitmproxy_did_to_messages(self, write):
        capture = load_flows(
            write(
                websocket(
                    message(b"1", up=True, dropped=True),
                    message(b"2", injected=True),
                    message(b"3", dropped=True),
                    message(b"4", up=True, injected=True),
                )
            )
        )
        assert [each for each in seen(capture) if each[1] == "binary"] == [
            ("out", "binary", b"1", None, "dropped by mitmproxy"),
            ("in", "binary", b"2", None, "made by mitmproxy"),
        ]
        assert sum("is left out" in note for note in capture.notes) == 2

    def test_a_silent_server_shows_when_the_socket_opened(self, write):
        opened, sent, _ = load_flows(write(websocket(message(b"a", up=True)))).frames
        assert (opened.op, opened.code, opened.t, sent.op) == ("response", 101, AT_S + 0.2, "binary")

    @pytest.mark.parametrize(
        ("flow", "expected"),
        [
            (http("/ws?token=x", asked=UPGRADE, answered={"status": 404}), ("ws://gateway.example/ws?…", 404, "")),
            (
                http("/", asked=UPGRADE | {"scheme": b"https", "port": 443}, response=None, error={"msg": "refused"}),
                ("wss://gateway.example/", 0, "refused"),
            ),
        ],
    )
    def test_one_that_never_opened(self, write, flow, expected):
        (frame,) = load_flows(write(flow)).frames
        upgrade = Upgrade.of(frame)
        assert (upgrade.url, upgrade.status, upgrade.error) == expected

    def test_urls(self, write):
        asked = {"scheme": b"https", "port": 8443, "host": "::1"}
        path = write(websocket(message(b"a"), path="/a", asked=asked), websocket(message(b"b"), path="/b"))
        capture = load_flows(path)
        assert capture.notes == ["session 1 is wss://[::1]:8443/a", "session 2 is ws://gateway.example/b"]
        assert capture.info.gateway_url is None
        assert load_flows(path, url="/b").info.gateway_url == "ws://gateway.example/b"

    @pytest.mark.parametrize(
        "bad",
        [[], [2], [2, True, b"x", "noon", False, False], [9, True, b"x", AT_S], [2, True, None, AT_S], b"x", None],
    )
    def test_a_message_that_is_none_is_left_out_and_the_others_stay(self, write, bad):
        capture = load_flows(write(websocket(message(b"a"), bad, message(b"b"))))
        assert [f.data for f in capture.frames if f.op == "binary"] == [b"a", b"b"]
        assert any("message 1 of flow 1 is left out" in note for note in capture.notes)


class TestHttp:
    def test_requests_to_a_network_are_those_by_their_path(self, write):
        flows = [websocket(message(b"a")), http(API), http("/index.html"), http("/api/v2/status?x=1")]
        http_frames = load_flows(write(*flows)).http
        assert [(f.op, f.reason, f.session) for f in http_frames] == [
            ("request", f"POST {API}", "http-2"),
            ("request", "POST /api/v2/status", "http-4"),
            ("response", f"POST {API}", "http-2"),
            ("response", "POST /api/v2/status", "http-4"),
        ]

    def test_one_without_an_answer(self, write):
        (asked,) = load_flows(write(websocket(message(b"a")), http(API, response=None))).http
        assert asked.op == "request"

    @pytest.mark.parametrize(
        ("packed", "packing"),
        [(gzip.compress(b"body"), b"GZIP"), (zlib.compress(b"body"), b"deflate"), (b"body", b"identity")],
    )
    def test_packed_bodies(self, write, packed, packing):
        packed_answer = {"content": packed, "headers": [[b"Content-Encoding", packing]]}
        *_, got = load_flows(write(websocket(message(b"a")), http(API, answered=packed_answer))).http
        assert got.data == b"body"

    @pytest.mark.parametrize(
        ("content", "packing", "why"),
        [(b"x", b"br", "packed with 'br'"), (b"x", b"gzip", "cannot be unpacked"), (None, b"", "did not keep it")],
    )
    def test_a_body_that_cannot_be_had_leaves_the_answer_out(self, write, content, packing, why):
        answered = {"content": content, "headers": [[b"content-encoding", packing]]}
        capture = load_flows(write(websocket(message(b"a")), http(API, answered=answered)))
        assert [f.op for f in capture.http] == ["request"]
        assert any(why in note for note in capture.notes)

    def test_small_bodies_that_unpack_to_much_are_left_out(self, write, monkeypatch):
        monkeypatch.setattr(flows_module, "MAX_BODY", 1_000_000)
        monkeypatch.setattr(flows_module, "MAX_UNPACKED", 2_500_000)
        bodies = [bytes(10_000_000), *[bytes(900_000)] * 10]
        answered = [{"content": gzip.compress(body), "headers": [[b"content-encoding", b"gzip"]]} for body in bodies]
        path = write(websocket(message(b"a")), *(http(API, answered=each) for each in answered))
        tracemalloc.start()
        capture = load_flows(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(len(frame.data) for frame in capture.http) == 2 * 900_000
        assert sum("too large when unpacked" in note for note in capture.notes) == 9
        assert peak < 8_000_000


class TestFiles:
    def test_are_recognised(self, write):
        assert kind_of(REAL.read_bytes()[:100]) is FileKind.FLOWS
        assert kind_of(value(websocket())) is FileKind.FLOWS
        for other in (b'{"log": {}}', b"12:3:", b"1700000000,5:x", b"12:30:12 GET /"):
            assert kind_of(other) is not FileKind.FLOWS

    def test_another_file_is_named(self, write):
        with pytest.raises(CaptureError, match="not a flow file of mitmproxy, it is a web page"):
            load_flows(write(b"<html>"))

    def test_without_a_websocket(self, write):
        with pytest.raises(CaptureError, match="no WebSocket: start mitmproxy before"):
            load_flows(write(http()))
        with pytest.raises(CaptureError, match="no WebSocket whose URL contains 'nowhere'"):
            load_flows(write(websocket(message(b"a"))), url="nowhere")

    def test_flows_of_other_protocols_and_without_a_time_are_left_out(self, write):
        flows = [
            {"type": "dns"},
            {"type": "websocket"},
            http(asked={"timestamp_start": None}),
            websocket(message(b"a")),
        ]
        capture = load_flows(write(*flows))
        assert [f.data for f in capture.frames if f.op == "binary"] == [b"a"]
        assert sum("is left out" in note for note in capture.notes) == 3

    def test_more_frames_than_fit(self, write, monkeypatch):
        monkeypatch.setattr(flows_module, "MAX_FRAMES", 3)
        capture = load_flows(write(websocket(*[message(b"a")] * 5), http(API)))
        assert [f.op for f in capture.frames] == ["binary"] * 3 + ["close"]
        assert capture.notes == ["flow 1 is cut: more than 3 frames"]

    def test_more_sockets_than_fit(self, write, monkeypatch):
        monkeypatch.setattr(flows_module, "MAX_SOCKETS", 2)
        capture = load_flows(write(*[websocket(message(b"a"))] * 3))
        assert len(capture.session_ids) == 2
        assert any("more than 2 sockets" in note for note in capture.notes)


class TestDamage:
    def test_a_torn_file_keeps_what_is_whole(self, write):
        one = value(websocket(message(b"a")))
        capture = load_flows(write(one, one[:-5]))
        assert [f.data for f in capture.frames if f.op == "binary"] == [b"a"]
        assert "nothing behind flow 1 is read: the file ends in the middle of the next flow" in capture.notes

    @pytest.mark.parametrize("more", [b"x", b":", b"9999999999999:", b"99999999999:x", b"3", b"-1:x;", b"\xb2:ab;"])
    def test_what_follows_the_flows_is_named(self, write, more):
        capture = load_flows(write(websocket(message(b"a")), more))
        assert len(capture.notes) == 1
        assert "nothing behind flow 1" in capture.notes[0]

    def test_of_any_length_it_gives_a_capture_or_the_documented_error(self, write):
        whole = REAL.read_bytes()
        for length in range(0, len(whole), 997):
            _read_or_refused(write(whole[:length]))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
    @given(st.data())
    def test_any_changed_bytes_give_a_capture_or_the_documented_error(self, write, data):
        content = bytearray(value(websocket(message(b"a"), message(b"b", up=True))) + value(http(API)))
        for _ in range(data.draw(st.integers(1, 6))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        _read_or_refused(write(bytes(content)))

    def test_a_value_in_the_wrong_place_is_no_exception(self, write):
        chance = random.Random(1)
        odd = [None, True, 0, -1, 1e400, float("nan"), 10**30, b"", "x", [], {}, [[]], {"x": 1}, b"\xff", "\x1b[31m"]
        flow = websocket(message(b"a"))
        for name in flow:
            for each in odd:
                _read_or_refused(write({**flow, name: each}))
        for part in ("request", "response", "websocket"):
            for name in flow[part]:
                _read_or_refused(write({**flow, part: {**flow[part], name: chance.choice(odd)}}))

    def test_depth_costs_nothing(self, write):
        deep = []
        for _ in range(300):
            deep = [deep]
        flow = websocket(message(b"a"))
        shallow, nested = write({**flow, "metadata": []}), write({**flow, "metadata": deep})
        load_flows(shallow)  # what is done only once
        spent = lines_of(lambda: load_flows(shallow), most=100_000)
        lines_of(lambda: load_flows(nested), most=spent + 20)  # its length has more digits

    def test_many_small_values_cost_lines_in_step_with_the_file(self, write):
        def many(number):
            return write(websocket(message(b"a"), *[None] * number))

        few, more = many(2_000), many(8_000)
        spent = lines_of(lambda: load_flows(few), most=1_000_000)
        lines_of(lambda: load_flows(more), most=5 * spent)


def _read_or_refused(path):
    try:
        Recording(load_any(path)).doctor()
    except CaptureError:
        return
