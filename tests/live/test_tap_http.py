"""The opening handshake through the tap: RFC 6455 section 4, line by line."""

import pytest

from icws_explore.capture.websocket_stream import HeadError
from icws_explore.live.tap_http import Upstream, refusal, rewrite_request
from icws_explore.protocol.errors import ConnectError

GATEWAY = Upstream.parse("wss://gateway.example/base/")
REQUEST = (
    b"GET /chat?room=1 HTTP/1.1\r\nHost: 127.0.0.1:5\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Origin: https://dapp.example\r\nSec-WebSocket-Key: abc\r\nsec-websocket-extensions: permessage-deflate\r\n"
    b"Sec-WebSocket-Protocol: a, b\r\nCookie: x=\xe4\r\n\r\n"
)


class TestUpstream:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("ws://h", ("h", 80, False, "h")),
            ("ws://h:80/", ("h", 80, False, "h")),
            ("ws://h:81", ("h", 81, False, "h:81")),
            ("wss://h", ("h", 443, True, "h")),
            ("wss://h:80", ("h", 80, True, "h:80")),
            ("ws://[::1]:81", ("::1", 81, False, "[::1]:81")),
        ],
    )
    def test_reads_a_url(self, url, expected):
        upstream = Upstream.parse(url)
        assert (upstream.host, upstream.port, upstream.tls, upstream.host_header) == expected

    @pytest.mark.parametrize("url", ["http://h", "ws://", "nonsense", "ws://h:x"])
    def test_refuses(self, url):
        with pytest.raises(ConnectError, match="not a gateway URL"):
            Upstream.parse(url)

    @pytest.mark.parametrize(
        ("url", "asked", "target"),
        [
            ("ws://h", "/", "/"),
            ("ws://h", "/a?b=c", "/a?b=c"),
            ("ws://h/base", "/", "/base"),
            ("ws://h/base", "/a", "/base/a"),
            ("ws://h/?key=1", "/", "/?key=1"),
            ("ws://h/?key=1", "/a?b", "/a?b"),
        ],
    )
    def test_path_and_query_are_kept(self, url, asked, target):
        assert Upstream.parse(url).target(asked) == target


class TestRequest:
    def test_only_three_lines_change(self):
        before, after = REQUEST.split(b"\r\n"), rewrite_request(REQUEST, GATEWAY).split(b"\r\n")
        assert [line for line in before if line not in after] == [
            b"GET /chat?room=1 HTTP/1.1",
            b"Host: 127.0.0.1:5",
            b"sec-websocket-extensions: permessage-deflate",
        ]
        assert [line for line in after if line not in before] == [
            b"GET /base/chat?room=1 HTTP/1.1",
            b"Host: gateway.example",
        ]
        assert after.index(b"Host: gateway.example") == 1

    def test_a_plain_request_ends_its_connection(self):
        head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
        assert b"\r\nConnection: close\r\n" in rewrite_request(head, GATEWAY)

    @pytest.mark.parametrize(
        "head", [b"\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET http://x/ HTTP/1.1\r\n\r\n", b"GET / HTTP/2\r\n\r\n"]
    )
    def test_anything_else_is_refused(self, head):
        with pytest.raises(HeadError):
            rewrite_request(head, GATEWAY)


class TestAnswer:
    def test_our_own_is_whole(self):
        head, body = refusal("502 Bad Gateway", "näh").split(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert body.decode() == "icws tap: näh\n"
