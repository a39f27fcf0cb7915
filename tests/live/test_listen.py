"""Addresses as their users write them."""

import errno

import pytest

from icws_explore.live.listen import Listen
from icws_explore.protocol.errors import ConnectError


class TestParse:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("127.0.0.1:0", ("127.0.0.1", 0)),
            ("8080", ("127.0.0.1", 8080)),
            ("[::1]:80", ("::1", 80)),
            ("localhost:9", ("localhost", 9)),
        ],
    )
    def test_reads(self, text, expected):
        listen = Listen.parse(text)
        assert (listen.host, listen.port) == expected

    @pytest.mark.parametrize("text", ["", "host", ":80", "::1:80", "127.0.0.1:70000", "127.0.0.1:-1", "127.0.0.1:x"])
    def test_refuses_and_says_how(self, text):
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1:8080"):
            Listen.parse(text)


class TestReach:
    @pytest.mark.parametrize(
        ("host", "loopback", "url"),
        [
            ("127.0.0.1", True, "127.0.0.1:1"),
            ("127.9.9.9", True, "127.9.9.9:1"),
            ("localhost", True, "localhost:1"),
            ("::1", True, "[::1]:1"),
            ("0.0.0.0", False, "127.0.0.1:1"),
            ("::", False, "[::1]:1"),
            ("192.168.1.2", False, "192.168.1.2:1"),
            ("box.local", False, "box.local:1"),
        ],
    )
    def test_who_can_connect_and_where(self, host, loopback, url):
        assert (Listen(host, 0).is_loopback, Listen(host, 0).at(1)) == (loopback, url)

    def test_taken_names_the_address(self):
        assert "127.0.0.1:80" in Listen("127.0.0.1", 80).taken(OSError(errno.EADDRINUSE, "x"))
        assert "odd" in Listen("127.0.0.1", 80).taken(OSError("odd"))
