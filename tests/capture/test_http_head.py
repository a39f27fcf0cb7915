"""Heads of an opening handshake: RFC 6455 section 4, as an onlooker reads them."""

import pytest

from icws_explore.capture.websocket_stream import HeadError, header, read_answer, read_request


class TestRequest:
    def test_an_upgrade(self):
        request = read_request(b"GET /a?b HTTP/1.1\r\nhost: h:1\r\nUPGRADE: WebSocket")
        assert (request.target, request.host, request.is_upgrade) == ("/a?b", "h:1", True)

    def test_another_request(self):
        assert not read_request(b"GET / HTTP/1.1\r\nHost: h").is_upgrade

    @pytest.mark.parametrize("head", [b"", b"POST / HTTP/1.1", b"GET /", b"GET / HTTP/2", b"\x16\x03\x01"])
    def test_no_request(self, head):
        with pytest.raises(HeadError):
            read_request(head)


class TestAnswer:
    def test_an_upgrade(self):
        answer = read_answer(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate")
        assert (answer.is_upgrade, answer.extensions) == (True, "permessage-deflate")

    def test_a_refusal(self):
        answer = read_answer(b"HTTP/1.1 404\r\nx: y")
        assert (answer.is_upgrade, answer.status, answer.extensions) == (False, 404, "")

    @pytest.mark.parametrize("head", [b"", b"SSH-2.0-x", b"HTTP/1.1 abc", b"HTTP/1.1 " + b"9" * 5000])
    def test_no_http(self, head):
        with pytest.raises(HeadError):
            read_answer(head)


def test_a_header_given_twice_is_joined():
    assert header([b"A: 1", b"b: 2", b"a:3"], b"a") == b"1, 3"
