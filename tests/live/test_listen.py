"""Addresses as their users write them, and who is let in."""

import errno

import pytest

from icws_explore.live.listen import Listen, Visitors
from icws_explore.protocol.errors import ArgumentValueError


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
        with pytest.raises(ArgumentValueError, match=r"127\.0\.0\.1:8080"):
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


HERE = Visitors.of(Listen("127.0.0.1", 0))


class TestHost:
    """DNS rebinding: a page's own name may lead to this machine, but not be one of its names."""

    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:1", "localhost.", "localhost.:80", "x.localhost",
         "[::1]", "[::1]:8080", "192.168.1.2:80", "[fe80::1%25eth0]:1", "0.0.0.0:1"],
    )  # fmt: skip
    def test_addresses_and_localhost_cannot_be_rebound(self, host):
        assert HERE.refusal([host]) is None

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:8080", "evil.example.", "127.0.0.1.evil.example", "localhost.evil.example",
         "notlocalhost", "tap", "evil.example@127.0.0.1", "127.0.0.1@evil.example", "127.0.0.1:x", "127.0.0.1:80:80",
         "[::1", "::1", "2130706433", "0x7f.1", "127.0.0.1 evil.example", "127.0.0.1,evil.example", "", "\xff", "*",
         "x" * 251 + ".localhost", "x" * 251 + ".localhost.evil.example"],
    )  # fmt: skip
    def test_all_other_names_are_refused_with_or_without_an_origin(self, host):
        assert "requests for the host" in HERE.refusal([host])
        assert "requests for the host" in HERE.refusal([host], ["http://localhost:3000"])

    def test_a_request_has_one(self):
        for hosts in ([], ["127.0.0.1", "127.0.0.1"]):
            assert f"{len(hosts)} Host" in HERE.refusal(hosts)

    def test_the_name_that_is_listened_on_is_one_of_its_names(self):
        assert Visitors.of(Listen("Box.local", 0)).refusal(["box.local:80"]) is None

    def test_names_that_were_given_are_let_in_and_the_refusal_says_how(self):
        refused = HERE.refusal(["host.docker.internal:4944"])
        assert "--allow-host host.docker.internal" in refused
        assert "allow_hosts=['host.docker.internal']" in refused
        assert Visitors.of(hosts=["host.docker.internal"]).refusal(["HOST.docker.internal.:1"]) is None
        assert Visitors.of(hosts=["*"]).refusal(["whatever.example"]) is None


class TestOrigin:
    @pytest.mark.parametrize(
        "origin",
        ["http://localhost:3000", "https://localhost", "http://127.0.0.1:5173", "http://[::1]:3000",
         "http://canister.localhost:4943", "http://LOCALHOST.:3000", "http://0.0.0.0:3000"],
    )  # fmt: skip
    def test_pages_of_this_machine_are_let_in(self, origin):
        assert HERE.refusal(["127.0.0.1"], [origin]) is None

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", "http://evil.example:3000", "null", "", "file://", "chrome-extension://abc",
         "http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://localhost@evil.example",
         "http://localhost:3000/", "http://localhost:3000 https://evil.example", "localhost", "ws://localhost",
         "http://192.168.1.2", "HTTP://EVIL.EXAMPLE", "http://[::1", "\xff"],
    )  # fmt: skip
    def test_all_other_pages_are_not(self, origin):
        assert "not accepted" in HERE.refusal(["127.0.0.1"], [origin])

    def test_a_request_has_one_at_most(self):
        assert "2 Origin" in HERE.refusal(["127.0.0.1"], ["http://localhost", "http://localhost"])

    @pytest.mark.parametrize(
        ("allowed", "origin"),
        [
            ("https://dapp.example", "https://dapp.example"),
            ("https://dapp.example/", "https://dapp.example"),
            ("HTTPS://Dapp.example:443", "https://dapp.example"),
            ("http://dapp.example:3000", "http://dapp.example:3000"),
            ("https://[2001:db8::1]", "https://[2001:DB8::1]:443"),
            ("chrome-extension://abc", "chrome-extension://abc"),
            ("null", "null"),
            ("*", "https://any.example"),
            ("*", "null"),
        ],
    )
    def test_those_that_were_given_are_let_in(self, allowed, origin):
        visitors = Visitors.of(Listen("127.0.0.1", 0), origins=[allowed])
        assert visitors.refusal(["127.0.0.1"], [origin]) is None
        if allowed != "*":
            assert visitors.refusal(["127.0.0.1"], ["https://other.example"]) is not None

    def test_the_refusal_says_how_to_let_it_in_and_only_what_can_be_typed(self):
        refused = HERE.refusal(["127.0.0.1"], ["https://dapp.example:8443"])
        assert "--allow-origin https://dapp.example:8443" in refused
        assert "allow_origins=['https://dapp.example:8443']" in refused
        assert "--allow" not in HERE.refusal(["127.0.0.1"], ["https://x'; rm -rf ."])

    def test_the_refusal_is_always_a_short_line(self):
        for text in ("https://" + "x" * 100_000, "a\nb" * 1000, "http://me:s3cr3t@evil.example"):
            for refused in (HERE.refusal(["127.0.0.1"], [text]), HERE.refusal([text])):
                assert len(refused) < 500
                assert "\n" not in refused
                assert "s3cr3t" not in refused

    @pytest.mark.parametrize(
        "text",
        ["dapp.example", "https://dapp.example/path", "https://me:pw@dapp.example", "https://", "", "https://a b"],
    )
    def test_what_no_page_has_cannot_be_given(self, text):
        with pytest.raises(ArgumentValueError, match="not a page's origin: write https://"):
            Visitors.of(origins=[text])

    @pytest.mark.parametrize("text", ["dapp.example:80", "https://dapp.example", "", "a b"])
    def test_nor_a_name_that_no_host_has(self, text):
        with pytest.raises(ArgumentValueError, match="not a host's name"):
            Visitors.of(hosts=[text])


class TestRequestsWithoutOrigin:
    def test_programs_are_let_in(self):
        assert HERE.refusal(["127.0.0.1"], []) is None

    def test_images_and_links_of_other_sites_are_not(self):
        assert "other sites" in HERE.refusal(["127.0.0.1"], [], ["cross-site"])
        assert Visitors.of(origins=["*"]).refusal(["127.0.0.1"], [], ["cross-site"]) is None
        for own in ("none", "same-origin", "same-site"):
            assert HERE.refusal(["127.0.0.1"], [], [own]) is None
