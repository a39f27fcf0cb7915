"""Options that several commands share."""

import click
import pytest
from click.shell_completion import ShellComplete

from icws_explore.cli.main import icws as group
from icws_explore.cli.options import keep_recording, known_root_key, parse_hex
from icws_explore.live.network.profiles import network_profile
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import CaptureError
from support.machine import ROOT


class TestHex:
    def test_with_or_without_its_prefix(self):
        assert parse_hex("0x0a", "--root-key") == parse_hex("0A", "--root-key") == b"\x0a"

    @pytest.mark.parametrize("text", ["xyz", "0", "0x1", "à"])
    def test_else_a_usage_error_names_the_option(self, text):
        with pytest.raises(click.BadParameter) as caught:
            parse_hex(text, "--root-key")
        assert "--root-key" in caught.value.format_message()


class TestKnownRootKey:
    def test_by_name_and_as_hex(self):
        assert known_root_key("mainnet", None) == MAINNET_ROOT_KEY
        assert known_root_key("0x" + MAINNET_ROOT_KEY.hex(), None) == MAINNET_ROOT_KEY
        assert known_root_key(None, None) is None

    @pytest.mark.parametrize(
        ("key", "said"), [(b"\xa1", "1 byte instead of the 133"), (MAINNET_ROOT_KEY[37:], "without its DER prefix")]
    )
    def test_what_is_no_key_is_a_usage_error(self, key, said):
        with pytest.raises(click.BadParameter, match=said):
            known_root_key(key.hex(), None)

    def test_both_are_refused(self):
        with pytest.raises(click.UsageError, match="exclude each other"):
            known_root_key("mainnet", network_profile("http://x"))

    @pytest.mark.parametrize("name", ["mainnet", "https://icp-api.io"])
    def test_mainnet_is_pinned_not_asked(self, name):
        assert known_root_key(None, network_profile(name)) == MAINNET_ROOT_KEY


COMMANDS_WITH_A_NETWORK = ("compare", "doctor", "explore", "import", "open", "probe", "report", "tap", "verify")


class TestNetworks:
    @pytest.fixture
    def staging(self, tmp_path, monkeypatch):
        """A folder whose icws.toml names a network where nobody listens, with a root key."""
        monkeypatch.chdir(tmp_path)
        text = f'[networks.staging]\nurl = "http://127.0.0.1:9"\nroot_key = "{MAINNET_ROOT_KEY.hex()}"\n'
        (tmp_path / "icws.toml").write_text(text)

    def test_a_key_in_the_file_is_not_asked_for(self, staging):
        assert known_root_key(None, network_profile("staging")) == MAINNET_ROOT_KEY

    def test_by_name_the_key_of_the_file_verifies(self, staging, icws):
        recorded = ROOT / "data" / "sessions" / "healthy.icws"
        assert icws("verify", recorded).code == 0
        assert icws("verify", recorded, "--network", "staging").code == 1

    def test_an_unknown_name_is_answered_with_the_known_ones(self, staging, icws):
        said = icws.fails(3, "tap", "ws://127.0.0.1:9", "--network", "stagin")
        assert "or the name of a network: local, mainnet, staging" in said

    @pytest.mark.parametrize("command", COMMANDS_WITH_A_NETWORK)
    def test_the_shell_completes_names(self, staging, command):
        for begun, names in [("s", ["staging"]), ("", ["local", "mainnet", "staging"])]:
            completing = ShellComplete(group, {}, "icws", "_ICWS_COMPLETE")
            assert [each.value for each in completing.get_completions([command, "--network"], begun)] == names

    def test_a_file_that_cannot_be_used_completes_nothing(self, staging, tmp_path):
        (tmp_path / "icws.toml").write_text("[")
        completing = ShellComplete(group, {}, "icws", "_ICWS_COMPLETE")
        assert completing.get_completions(["verify", "--network"], "") == []


class TestKeepRecording:
    """What a recording holds happened only once."""

    def test_an_existing_one_is_overwritten_only_on_request(self, tmp_path):
        path = tmp_path / "s.icws"
        path.write_bytes(b"something")
        with pytest.raises(CaptureError, match="exists: name another file, or overwrite it with --force"):
            keep_recording(str(path), forced=False)
        keep_recording(str(path), forced=True)

    def test_what_is_not_there_or_empty_may_be_written(self, tmp_path):
        (tmp_path / "empty.icws").touch()
        for path in (None, str(tmp_path / "none.icws"), str(tmp_path / "empty.icws"), "/dev/null"):
            keep_recording(path, forced=False)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["tap", "nonsense", "--record"],
            ["open", "ws://127.0.0.1:1", "--canister", "aaaaa-aa", "--record"],
            ["import", "x.har", "-o"],
        ],
    )
    def test_by_no_command(self, icws, tmp_path, arguments):
        path = tmp_path / "s.icws"
        path.write_bytes(b"something")
        assert "--force" in icws.fails(3, *arguments, path)
        assert path.read_bytes() == b"something"
        assert "exists" not in icws.fails(3, *arguments, path, "--force")  # the next error is reported
