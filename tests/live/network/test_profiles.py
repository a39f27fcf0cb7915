"""Networks by name: the built-in ones, a file's, and every mistake in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from icws_explore.lab import Lab
from icws_explore.live.network import profiles
from icws_explore.live.network.profiles import FILE_NAME, network_profile, own_profiles
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import ArgumentValueError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a file of networks, in place of the working directory and the home."""
    folder = tmp_path / "project" / "src"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


STAGING = f"""
[networks.staging]
url = "http://10.0.0.7:4943"
gateway = "ws://10.0.0.7:8080"
root_key = "{MAINNET_ROOT_KEY.hex()}"
canister = "bkyz2-fmaaa-aaaaa-qaaaq-cai"
"""


class TestBuiltIn:
    def test_mainnet_has_its_root_key(self) -> None:
        assert network_profile("mainnet").root_key == MAINNET_ROOT_KEY
        assert network_profile("mainnet").url.startswith("https://")

    def test_local_is_what_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Lab("echo") as lab:
            monkeypatch.setattr(profiles, "LOCAL_URLS", ("http://127.0.0.1:1", lab.network_url))
            assert network_profile("local").url == lab.network_url
        assert network_profile("local").url == "http://127.0.0.1:1"  # nobody listens any more

    def test_a_url_is_its_own_name(self) -> None:
        assert network_profile("http://h:1").url == "http://h:1"

    def test_an_unknown_name_is_answered_with_the_known_ones(self, elsewhere: Path) -> None:
        (elsewhere / FILE_NAME).write_text(STAGING)
        with pytest.raises(
            ArgumentValueError, match="'prod' is not a network URL: .*name of a network: local, mainnet, staging"
        ):
            network_profile("prod")


class TestFiles:
    def test_the_nearest_one_counts(self, elsewhere: Path, tmp_path: Path) -> None:
        home = tmp_path / "home" / ".config" / "icws"
        home.mkdir(parents=True)
        (home / FILE_NAME).write_text('[networks.far]\nurl = "http://far:1"\n')
        assert network_profile("far").url == "http://far:1"
        (elsewhere.parent / FILE_NAME).write_text(STAGING)
        staging = network_profile("staging")
        assert (staging.url, staging.gateway, staging.root_key) == (
            "http://10.0.0.7:4943", "ws://10.0.0.7:8080", MAINNET_ROOT_KEY,
        )  # fmt: skip
        assert str(staging.canister) == "bkyz2-fmaaa-aaaaa-qaaaq-cai"
        assert "far" not in own_profiles()

    def test_local_may_be_another_one(self, elsewhere: Path) -> None:
        (elsewhere / FILE_NAME).write_text('[networks.local]\nurl = "http://127.0.0.1:5555"\n')
        assert network_profile("local").url == "http://127.0.0.1:5555"

    def test_no_networks_in_it(self, elsewhere: Path) -> None:
        (elsewhere / FILE_NAME).write_text("[other]\n")
        assert own_profiles() == {}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("networks = 5", "networks must be tables"),
            ("[networks", "is not TOML"),
            (f"networks = {'9' * 5000}", "is not TOML"),
            (f"{'a.' * 20_000}a = 1", "more than 100 dots"),
            ("[networks]\nstaging = 5", "must be a table of texts with url"),
            ("[networks.a]\nurl = 5", "must be a table of texts"),
            ('[networks.a]\nurl = "http://h"\nport = "1"', "has port; it can have url"),
            ('[networks.a]\ngateway = "ws://h"', "has no url"),
            ('[networks.a]\nurl = "h:1"', "networks.a: .*not a network URL"),
            ('[networks.a]\nurl = "http://h"\ngateway = "http://h"', "write ws://"),
            ('[networks.a]\nurl = "http://h"\nroot_key = "xyz"', "root key in hex"),
            ('[networks.a]\nurl = "http://h"\nroot_key = "00"', "root key in hex"),
            ('[networks.a]\nurl = "http://h"\ncanister = "a-b"', "networks.a: principal"),
            ('[networks.mainnet]\nurl = "http://evil"', "mainnet is built in"),
        ],
    )
    def test_mistakes_name_the_file(self, elsewhere: Path, text: str, said: str) -> None:
        path = elsewhere / "mine.toml"
        path.write_text(text)
        with pytest.raises(ArgumentValueError, match=said) as caught:
            network_profile("a", file=path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_file_that_cannot_be_read(self, elsewhere: Path) -> None:
        with pytest.raises(ArgumentValueError, match="cannot be read"):
            own_profiles(elsewhere / "gone.toml")
        large = elsewhere / "large.toml"
        large.write_bytes(b"#" * (profiles.MAX_FILE_BYTES + 1))
        with pytest.raises(ArgumentValueError, match="more than"):
            own_profiles(large)
        (elsewhere / "binary.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(ArgumentValueError, match="is not TOML"):
            own_profiles(elsewhere / "binary.toml")
