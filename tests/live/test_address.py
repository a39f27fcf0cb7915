"""Where servers are: read once, so that nothing that comes later can name another host or show what is secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.live.address import Address, is_loopback, is_url, proxy_for
from icws_explore.protocol.errors import ArgumentValueError, ConnectError

GATEWAY = Address.gateway("wss://me:s3cr3t@gateway.example/base?token=t0k3n")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("ws_proxy", "wss_proxy", "http_proxy", "https_proxy", "socks_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class TestUrls:
    @pytest.mark.parametrize("url", ["ws://h", "wss://gateway.example:8443/path?x=1", "ws://my_box:1", "ws://grüße.de"])
    def test_are_known(self, url):
        assert is_url(url, ("ws", "wss"))

    @pytest.mark.parametrize(
        "url",
        ["", "h", "http://h", "ws://", "ws://h:0", "ws://h:99999", "ws://h:x", "ws://[::1", "ws://a..b",
         "ws:// h", "ws://h/a b", "ws://h\n", "ws://a\\@h", "ws://h%2f@x:y", "ws://h/\u202e"],
    )  # fmt: skip
    def test_that_two_readers_could_read_differently_are_none(self, url):
        assert not is_url(url, ("ws", "wss"))

    def test_loopback_is_distinguished_from_other_addresses(self):
        here = ["http://127.0.0.1:1", "ws://localhost", "ws://LOCALHOST.:1", "http://[::1]:80", "http://x.localhost"]
        assert all(map(is_loopback, here))
        assert not any(map(is_loopback, ["https://icp-api.io", "http://127.example.org", "http://10.0.0.1"]))


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("ws://h", ("h", 80, False, "h")),
            ("ws://h:80/", ("h", 80, False, "h")),
            ("ws://h:81", ("h", 81, False, "h:81")),
            ("wss://h", ("h", 443, True, "h")),
            ("wss://h:80", ("h", 80, True, "h:80")),
            ("ws://[::1]:81", ("::1", 81, False, "[::1]:81")),
            ("ws://Bücher.example", ("xn--bcher-kva.example", 80, False, "xn--bcher-kva.example")),
        ],
    )
    def test_reads_a_url(self, url, expected):
        address = Address.gateway(url)
        assert (address.host, address.port, address.is_tls, address.authority) == expected

    @pytest.mark.parametrize("url", ["http://h", "ws://", "nonsense", "ws://h:x"])
    def test_says_how_to_write_one(self, url):
        with pytest.raises(ArgumentValueError, match="not a gateway URL: write ws://"):
            Address.gateway(url)
        with pytest.raises(ArgumentValueError, match="not a network URL: write http://"):
            Address.network(url.replace("http", "ftp"))

    def test_credentials_are_for_the_server(self):
        assert GATEWAY.authorization == "Basic bWU6czNjcjN0"
        assert Address.gateway("ws://m%40e:p%3Aw@h").authorization == "Basic bUBlOnA6dw=="
        assert Address.gateway("ws://h").authorization is None

    def test_credentials_are_never_shown(self):
        shown = f"{GATEWAY} {GATEWAY!r} {GATEWAY.url('/')}"
        assert "s3cr3t" not in shown
        assert "t0k3n" not in f"{GATEWAY} {GATEWAY!r}"
        assert str(GATEWAY) == "wss://gateway.example/base?…"

    @pytest.mark.parametrize(
        "quoted", ["s3cr3t", "t0k3n", "token=t0k3n", "bWU6czNjcjN0", "wss://me:s3cr3t@gateway.example"]
    )
    def test_what_a_server_quotes_of_them_is_hidden(self, quoted):
        hidden = GATEWAY.hide(f"your {quoted} is not known")
        assert "s3cr3t" not in hidden
        assert "t0k3n" not in hidden
        assert "bWU6" not in hidden
        assert hidden.endswith("is not known")

    @pytest.mark.parametrize(
        ("url", "quoted"),
        [
            ("wss://s3cr3t@gateway.example", "s3cr3t"),  # a name without a password is a token
            ("wss://gateway.example/?token=s3%2Fcr3t&v=1", "s3%2Fcr3t"),
            ("wss://gateway.example/?token=s3%2Fcr3t&v=1", "s3/cr3t"),
            ("wss://gateway.example/?s3cr3t&v=1", "s3cr3t"),
            ("wss://gateway.example/base;key=s3cr3t/more", "s3cr3t/more"),
            ("wss://me:s3%2Fcr3t@gateway.example/", "s3%2Fcr3t"),
        ],
    )
    def test_also_in_another_spelling(self, url, quoted):
        assert Address.gateway(url).hide(f"your {quoted} is not known") == "your … is not known"

    def test_a_user_with_a_password_is_no_secret(self):
        assert Address.gateway("ws://admin:s3cr3t@h").hide("no admin: s3cr3t") == "no admin: …"


class TestTargets:
    @pytest.mark.parametrize(
        ("url", "asked", "target"),
        [
            ("ws://h", "/", "/"),
            ("ws://h", "/a?b=c", "/a?b=c"),
            ("ws://h/base", "/", "/base"),
            ("ws://h/base/", "/", "/base/"),
            ("ws://h/base", "/a", "/base/a"),
            ("ws://h/base/", "/a", "/base/a"),
            ("ws://h/base", "/base", "/base"),
            ("ws://h/base", "/base/a", "/base/a"),
            ("ws://h/base", "/basement", "/base/basement"),
            ("ws://h/?key=1", "/", "/?key=1"),
            ("ws://h/?key=1", "/a?b", "/a?b"),
            ("ws://h/grüße", "/", "/gr%C3%BC%C3%9Fe"),
        ],
    )
    def test_path_and_query_are_kept(self, url, asked, target):
        assert Address.gateway(url).target(asked) == target

    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
    def test_no_target_names_another_host(self, rest):
        from yarl import URL

        network = Address.network("https://icp-api.io")
        url = URL(network.url("/" + rest), encoded=True)
        assert (url.scheme, url.host, url.port) == ("https", "icp-api.io", 443)


class TestProxy:
    def test_loopback_has_none(self, monkeypatch):
        monkeypatch.setenv("https_proxy", "http://proxy:1")
        assert proxy_for(Address.gateway("ws://127.0.0.1:1")) is None
        assert proxy_for(Address.gateway("wss://gateway.example")).shown == "http://proxy:1"

    def test_no_proxy_is_kept(self, monkeypatch):
        monkeypatch.setenv("https_proxy", "http://proxy:1")
        monkeypatch.setenv("no_proxy", "gateway.example")
        assert proxy_for(Address.gateway("wss://gateway.example")) is None

    def test_http_proxies_are_not_for_tls(self, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://proxy:1")
        assert proxy_for(Address.gateway("wss://gateway.example")) is None
        assert proxy_for(Address.gateway("ws://gateway.example")).shown == "http://proxy:1"
        assert proxy_for(Address.network("http://network.example")).shown == "http://proxy:1"
        assert proxy_for(Address.network("https://network.example")) is None

    def test_its_password_is_for_it_alone(self, monkeypatch):
        monkeypatch.setenv("https_proxy", "http://me:s3cr%2Ft@proxy:1/")
        proxy = proxy_for(Address.gateway("wss://gateway.example"))
        assert "s3cr" not in f"{proxy} {proxy!r}"
        assert (proxy.user, proxy.password) == ("me", "s3cr/t")
        assert proxy.secret_url == "http://me:s3cr%2Ft@proxy:1"

    @pytest.mark.parametrize("url", ["nonsense", "me:s3cr3t@proxy:1", "http://me:s3cr3t", "ftp://me:s3cr3t@proxy"])
    def test_other_values_are_described_without_it(self, monkeypatch, url):
        monkeypatch.setenv("https_proxy", url)
        with pytest.raises(ConnectError, match="correct the proxy in the environment") as caught:
            proxy_for(Address.gateway("wss://gateway.example"))
        assert "s3cr3t" not in str(caught.value)
