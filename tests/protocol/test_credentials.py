"""Passwords and tokens are taken out of whatever a person may see or a file may hold."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.capture import SessionInfo
from icws_explore.capture.files import shown
from icws_explore.protocol.credentials import shown_target, shown_url, without_credentials
from icws_explore.protocol.errors import ConnectError

SECRET = "s3cr3t"


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("ws://gateway.example:8080/path", "ws://gateway.example:8080/path"),
            ("wss://me:s3cr3t@gateway.example/", "wss://gateway.example/"),
            ("wss://s3cr3t@gateway.example", "wss://gateway.example"),
            ("wss://me:s3cr3t@more@gateway.example/", "wss://gateway.example/"),
            ("wss://gateway.example/path?token=s3cr3t", "wss://gateway.example/path?…"),
            ("wss://gateway.example/?s3cr3t", "wss://gateway.example/?…"),
            ("wss://gateway.example#access_token=s3cr3t", "wss://gateway.example?…"),
            ("wss://gateway.example/p;jsessionid=s3cr3t", "wss://gateway.example/p?…"),
            ("http://me:s3cr3t@[::1]:80/", "http://[::1]:80/"),
            ("http://me:s3cr3t/x@host/path", "http://host/path"),
            ("http://me:80/s3cr3t@host", "http://me:80/…"),
            ("http://me:s3cr3t w@host", "http://host"),
            ("http://me:s3cr3t", "http://me:…"),
            ("me:s3cr3t@proxy:3128", "proxy:3128"),
            ("nonsense", "nonsense"),
            ("", ""),
        ],
    )
    def test_are_shown_without_them(self, url, said):
        assert shown_url(url) == said

    @given(
        st.text(st.characters(codec="ascii"), max_size=20), st.sampled_from(["/", "?", "#", "@", ":", "\\", " ", ""])
    )
    def test_a_password_never_shows(self, name, odd):
        url = f"https://{name}:{SECRET}{odd}{SECRET}@host/path"
        assert SECRET not in shown_url(url)


class TestTargets:
    @pytest.mark.parametrize("rest", ["", "?token=s3cr3t", ";key=s3cr3t/more?q", "#s3cr3t"])
    def test_are_shown_as_their_path(self, rest):
        assert shown_target(f"/base/path{rest}") == "/base/path"


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("session 1 is WSS://me:p@w@g.example/, 2 http://x@y", "session 1 is WSS://g.example/, 2 http://y"),
            ("'ws://me:s3cr3t@h' is no URL", "'ws://h' is no URL"),
            ("407, url='http://me:s3cr3t@proxy:1/'", "407, url='http://proxy:1/'"),
            ("(http://h/?token=s3cr3t, again)", "(http://h/?…, again)"),
            ("from=http://me:s3cr3t@a,to=http://me:s3cr3t@b", "from=http://a,to=http://b"),
            ("Invalid scheme: me:s3cr3t@proxy:1", "Invalid scheme: proxy:1"),
            ("GET /path?token=s3cr3t was refused", "GET /path?… was refused"),
            ("you sent Authorization: Basic s3cr3t", "you sent Authorization: …"),
            ('{"Proxy-Authorization": "s3cr3t"}', '{"Proxy-Authorization": …'),
            ("what is it? a = b, mail me@example", "what is it? a = b, mail me@example"),
            ("nobody listens at ws://127.0.0.1:1: start it", "nobody listens at ws://127.0.0.1:1: start it"),
        ],
    )
    def test_lose_them(self, text, said):
        assert without_credentials(text) == said

    def test_known_secrets_go_wherever_they_stand(self):
        assert without_credentials("the key s3cr3t is unknown", SECRET) == "the key … is unknown"

    @pytest.mark.parametrize("piece", ["a", "@", ":", "a://", "a:@", "?=", "://", "authorization: ", "x://a@b?c="])
    def test_cost_grows_with_their_length_only(self, piece):
        """A search that grew with its square would not end before the test's time-out."""
        assert len(without_credentials(piece * 200_000)) <= 2 * len(piece * 200_000)


class TestWhoUsesIt:
    def test_an_error_says_nothing_secret_and_stays_one_when_copied(self):
        error = ConnectError("no way to ws://me:s3cr3t@h/?token=s3cr3t: correct it")
        for each in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert str(each) == "no way to ws://h/?…: correct it"
            assert SECRET not in repr(each)

    def test_a_recording_names_the_place_only(self):
        info = SessionInfo(gateway_url="wss://me:s3cr3t@g/?token=s3cr3t", network_url="https://s3cr3t@n")
        assert (info.gateway_url, info.network_url) == ("wss://g/?…", "https://n")
        assert SessionInfo.from_json(info.to_json()) == info

    def test_notes_about_a_file_quote_none(self):
        assert shown("wss://g/?token=s3cr3t") == "wss://g/?…"
