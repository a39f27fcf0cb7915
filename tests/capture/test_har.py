"""HAR files as tools write them, and torn, foreign and hostile ones."""

import base64
import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icws_explore.capture import har
from icws_explore.capture.har import load_har
from icws_explore.protocol.errors import CaptureError

START_S = 1_795_440_440.5


def sent(t, data=b"x", opcode=2, kind="send"):
    text = data.decode() if opcode == 1 else base64.b64encode(data).decode()
    return {"type": kind, "time": t, "opcode": opcode, "data": text}


def chrome(url, *messages, **more):
    """Chrome puts its own members first, before it says which URL they are of."""
    return {
        "_initiator": {"type": "script"},
        "_resourceType": "websocket",
        "_webSocketMessages": list(messages),
        "cache": {},
        "request": {"method": "GET", "url": url, "headers": [{"name": "_webSocketMessages", "value": "[]"}]},
        "response": {"status": 101, "content": {"size": 0}},
        "startedDateTime": "2026-11-23T13:27:20.500Z",
    } | more


def page(body="hello"):
    return {
        "request": {"method": "GET", "url": "http://h/"},
        "response": {"status": 200, "content": {"text": body}},
        "startedDateTime": "2026-11-23T13:27:20.000Z",
    }


def log(*entries):
    return {"log": {"version": "1.2", "creator": {"name": "x"}, "pages": [], "entries": list(entries)}}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "s.har"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


class TestSockets:
    def test_one(self, write):
        entry = chrome("wss://gw/", sent(START_S), sent(START_S + 1, b"hi", 1, "receive"))
        capture = load_har(write(log(page(), entry, page())))
        assert [(f.t - START_S, f.direction, f.op, f.data, f.session) for f in capture.frames] == [
            (0, "out", "binary", b"x", None),
            (1, "in", "text", b"hi", None),
        ]
        assert (capture.info.origin, capture.info.gateway_url) == ("har", "wss://gw/")
        assert capture.info.started_at == "2026-11-23T13:27:20.500Z"
        assert capture.notes == ["the file does not say how the sockets closed; record with icws tap to see it"]

    def test_several_are_merged_by_time_and_distinguished(self, write):
        first = chrome("ws://a/", sent(START_S), sent(START_S + 2))
        second = chrome("ws://b/", sent(START_S + 1, kind="receive"), sent(START_S + 3))
        capture = load_har(write(log(first, second)))
        assert [frame.session for frame in capture.frames] == ["1", "2", "1", "2"]
        assert capture.info.gateway_url is None
        assert "session 2 is ws://b/" in capture.notes

    def test_only_those_asked_for(self, write):
        path = write(log(chrome("ws://vite/"), chrome("ws://gw/", sent(START_S))))
        assert load_har(path, url="gw").info.gateway_url == "ws://gw/"
        with pytest.raises(CaptureError, match="whose URL contains 'nobody'"):
            load_har(path, url="nobody")

    def test_a_socket_that_never_opened_is_named(self, write):
        failed = chrome("ws://gw/", response={"status": -1, "_failureText": "net::ERR_CONNECTION_REFUSED"})
        del failed["_webSocketMessages"]
        capture = load_har(write(log(failed, chrome("ws://gw/", sent(START_S)))))
        assert any("never opened: net::ERR_CONNECTION_REFUSED" in note for note in capture.notes)

    def test_mitmproxy_names_no_resource_type(self, write):
        entry = chrome("https://gw/", sent(START_S))
        del entry["_resourceType"]
        assert len(load_har(write(log(entry)))) == 1

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_other_encodings(self, write, encoding):
        capture = load_har(write(json.dumps(log(chrome("ws://a/", sent(START_S)))).encode(encoding)))
        assert len(capture) == 1
        assert not any("UTF-8" in note for note in capture.notes)


class TestNoHar:
    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "it is empty"),
            (b" \r\n", "it is empty"),
            (b"PK\x03\x04", "a ZIP archive: unpack it first"),
            (b"\x1f\x8b\x08", "gzip: unpack it first"),
            (b'{"icws": 1}\n', "it is a capture: icws show"),
            (b"<html>", "it is a web page"),
            ("{}".encode("utf-16"), "no log.entries"),
            (b"nonsense", "not JSON"),
            (b"\0" * 1000, "not JSON"),
            (b"\xff\xff\xff", "not JSON"),
            (b"[]", "no log.entries"),
            (b"{}", "no log.entries"),
            (b'{"log": 1}', "no log.entries"),
            (b'{"log": {"entries": {}}}', "no log.entries"),
            (b'{"log": {"entries": []}}', "no WebSocket"),
            (json.dumps(log(page())).encode(), "no WebSocket: open the network panel before the page connects"),
            (json.dumps(log(page()))[:-40].encode(), "no WebSocket: the file is torn or damaged"),
            (b"[" * 100_000, "not JSON"),
        ],
    )
    def test_is_refused_in_one_line(self, write, content, why):
        with pytest.raises(CaptureError, match=why) as raised:
            load_har(write(content))
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 300

    def test_the_error_quotes_nothing_of_the_file(self, write):
        with pytest.raises(CaptureError) as raised:
            load_har(write(b"password: hunter2"))
        assert "hunter2" not in str(raised.value)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(CaptureError, match="cannot read"):
            load_har(tmp_path / "missing.har")
        with pytest.raises(CaptureError, match="cannot read"):
            load_har(tmp_path)


class TestDamaged:
    CONTENT = json.dumps(log(chrome("ws://a/", *(sent(START_S + n) for n in range(20))), page("z" * 500))).encode()

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_what_came_before_the_tear_is_kept(self, write, share):
        capture = load_har(write(self.CONTENT[: int(len(self.CONTENT) * share)]))
        assert 0 < len(capture) <= 20
        assert any("torn or damaged" in note for note in capture.notes)
        assert [frame.t for frame in capture.frames] == [START_S + n for n in range(len(capture))]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
    @given(cut=st.integers(0, len(CONTENT)), noise=st.binary(max_size=20))
    def test_only_documented_errors(self, write, cut, noise):
        try:
            capture = load_har(write(self.CONTENT[:cut] + noise))
        except CaptureError as error:
            assert "\n" not in str(error)
        else:
            assert len(capture) <= 20

    @pytest.mark.parametrize(
        "odd", [None, 7, "text", [], [1, None, "x", {}], {"type": []}, [{"data": {"a": [1]}}], [[{}]]]
    )
    def test_unusual_messages(self, write, odd):
        entries = [chrome("ws://a/", sent(START_S)), chrome("ws://b/", _webSocketMessages=odd)]
        capture = load_har(write(log(*entries)))
        assert len(capture) == 1

    @pytest.mark.parametrize("odd", [None, 7, [], {}, {"url": 7}, "text"])
    def test_invalid_entries(self, write, odd):
        entries = [odd, page() | {"request": odd}, chrome("ws://a/", sent(START_S), response=odd)]
        assert len(load_har(write(log(*entries)))) == 1


class TestOddText:
    """What a strict parser would stop at costs nothing but itself."""

    @pytest.mark.parametrize(
        "odd",
        [
            b'"\xff\xfe"',
            b'"\t\x00"',
            b"1e400",
            b"-1e400",
            b"1" + b"0" * 4000,
            b"-1" + b"0" * 400,
            b'"\\ud800"',
            b"0.1e-400",
        ],
    )
    def test_in_a_page(self, write, odd):
        content = json.dumps(log(page("ODD"), chrome("ws://a/", sent(START_S), sent(START_S + 1)))).encode()
        capture = load_har(write(content.replace(b'"ODD"', odd)))
        assert [frame.t for frame in capture] == [START_S, START_S + 1]
        assert any("UTF-8" in note for note in capture.notes) == (b"\xff" in odd)

    def test_a_number_of_more_digits_than_python_reads_tears_the_file(self, write):
        """And does no harm: a parser that is told to keep all digits crashes here."""
        content = json.dumps(log(chrome("ws://a/", sent(START_S)), page("ODD"), chrome("ws://b/"))).encode()
        capture = load_har(write(content.replace(b'"ODD"', b"1" + b"0" * 5000)))
        assert [frame.t for frame in capture] == [START_S]
        assert any("torn or damaged" in note for note in capture.notes)

    def test_in_every_member_of_a_message(self, write):
        for name in ("type", "time", "opcode", "data"):
            odd = sent(START_S + 1) | {name: 10**400}
            capture = load_har(write(log(chrome("ws://a/", sent(START_S), odd, sent(START_S + 2)))))
            assert [frame.t for frame in capture.frames if frame.t != START_S + 1][-1] == START_S + 2
            assert len(capture.frames) >= 2


class TestNotes:
    def test_are_bounded_in_number_and_length(self, write):
        bad = [{"type": "x" * 10_000, "time": 1e18, "opcode": 3, "data": "\n" * 100}] * 50
        entries = [chrome("ws://a/\n" + "x" * 10_000, *bad, sent(START_S))] * 100
        capture = load_har(write(log(*entries)))
        assert len(capture) == 100
        assert len(capture.notes) < 120
        assert all("\n" not in note and len(note) < 400 for note in capture.notes)
        assert any(note.endswith("more messages left out") for note in capture.notes)


class TestMemory:
    def test_bodies_are_not_kept(self, write):
        path = write(log(*(page("b" * 1_000_000) for _ in range(30)), chrome("ws://a/", sent(START_S))))
        tracemalloc.start()
        load_har(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10_000_000

    def test_messages_and_sockets_are_bounded(self, write, monkeypatch):
        monkeypatch.setattr(har, "MAX_FRAMES", 3)
        monkeypatch.setattr(har, "MAX_SOCKETS", 2)
        entries = [chrome("ws://a/", *(sent(START_S) for _ in range(2))) for _ in range(4)]
        capture = load_har(write(log(*entries)))
        assert len(capture) == 3
        assert [note for note in capture.notes if "left out" in note] == [
            "everything after message 3 is left out",
            "everything after WebSocket 2 is left out",
        ]
