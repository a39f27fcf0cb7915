"""`icws simulate`: files that the other commands read, the same for the same seed."""

import json

import pytest

import icws_explore
from icws_explore.capture import load
from icws_explore.cli import simulate as module
from icws_explore.cli.simulate import _Progress


class TestFiles:
    def test_can_be_shown_and_verified(self, icws, tmp_path):
        out = tmp_path / "s.icws"
        assert icws("simulate", "--duration", "6m", "--loss", "0", "-o", out).code == 0
        assert "1 opened" in icws.out
        assert icws.out.splitlines()[-1].startswith("file ")
        assert icws("verify", out).code == 0
        assert icws("show", out, "--where", 'kind == "ack"').code == 0

    def test_are_the_same_for_the_same_seed(self, icws, tmp_path):
        for name, seed in (("a", 3), ("b", 3), ("c", 4)):
            icws("simulate", "--duration", "1m", "--latency-ms", "5-90", "--seed", seed, "-o", tmp_path / name)
        a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
        assert a == b != c

    def test_of_stand_ins_cannot_be_verified(self, icws, tmp_path):
        out = tmp_path / "s.icws"
        icws("simulate", "--duration", "1m", "--crypto", "stand-in", "-o", out)
        assert load(out).info.crypto == "stand-in"
        assert "stand-in cryptography" in icws.fails(3, "verify", out)
        assert icws("show", out).code == 0


class TestScripts:
    def sent(self, icws, tmp_path, *arguments):
        out = tmp_path / "s.icws"
        assert icws("simulate", "--duration", "1m", *arguments, "-o", out).code == 0
        return [frame.value for frame in icws_explore.load(out) if frame.kind == "message"]

    def test_a_message_is_sent_again_and_again(self, icws, tmp_path):
        assert self.sent(icws, tmp_path, "--app", "echo", "--send", "hello", "--think-ms", 9_000) == 6 * [
            {"text": "hello"}
        ]
        assert len(self.sent(icws, tmp_path, "--app", "ticker", "--send", '{"count": 1, "timestamp": 2}')) == 2

    def test_who_listens_sends_nothing(self, icws, tmp_path):
        assert self.sent(icws, tmp_path, "--script", "listen") == []

    def test_a_message_of_another_type_is_one_line(self, icws, tmp_path):
        arguments = ["simulate", "--send", '{"words": "hello"}', "-o", tmp_path / "s.icws"]
        why = icws.fails(3, *arguments)
        assert why == 'icws: --send: text: is missing; the canister takes record { "text" : text; timestamp : nat64 }'

    @pytest.mark.parametrize("arguments", [["--app", "echo", "--send", "hi"], ["--app", "chat"]], ids=" ".join)
    def test_no_pause_at_all_is_one_line(self, icws, tmp_path, arguments):
        out = ["--think-ms", "0", "-o", tmp_path / "s.icws"]
        assert "must be more than 0" in icws.fails(3, "simulate", *arguments, *out)

    def test_a_script_of_another_type_is_one_line(self, icws, tmp_path):
        arguments = ["simulate", "--app", "chat", "--script", "echo", "-o", tmp_path / "s.icws"]
        assert "choose another script" in icws.fails(3, *arguments)

    def test_a_message_and_a_script_are_exit_2(self, icws, tmp_path):
        arguments = ["simulate", "--script", "echo", "--send", "hello", "-o", tmp_path / "s.icws"]
        assert "--send takes the place of --script" in icws.fails(2, *arguments)


class TestSummary:
    def test_json_is_one_object(self, icws, tmp_path):
        out = tmp_path / "s.icws"
        icws("simulate", "--app", "ticker", "--duration", "301s", "--sessions", 2, "--gateways", 2, "--json", "-o", out)
        summary = json.loads(icws.out)
        assert summary["file"] == str(out)
        assert (summary["sessions"], summary["opened"], summary["acks"]) == (2, 2, 2)
        assert summary["frames"] == len(load(out))
        assert (summary["seed"], summary["crypto"]) == (1, "real")

    def test_distinguishes_ends(self, icws, tmp_path):
        arguments = ["--duration", "3m", "--client-ack-interval-ms", 60_000, "--sessions", 2, "-o", tmp_path / "s.icws"]
        icws("simulate", *arguments)
        assert "2 × 4000 Ack message timeout" in icws.out


class TestOptions:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["--duration", "soon"], ["--latency-ms", "fast"], ["--latency-ms", "9-3"], ["--loss", "2"],
            ["--sessions", "0"], ["--crypto", "rot13"], ["--think-ms", "1-2-3"],
        ],
        ids=" ".join,
    )  # fmt: skip
    def test_that_make_no_sense_are_exit_2(self, icws, tmp_path, arguments):
        assert "--help" in icws.fails(2, "simulate", *arguments, "-o", tmp_path / "s.icws")

    def test_need_a_file(self, icws):
        assert "--out" in icws.fails(2, "simulate")

    def test_an_unknown_app_is_exit_3(self, icws, tmp_path):
        assert "choose pingpong" in icws.fails(3, "simulate", "--app", "nonsense", "-o", tmp_path / "s.icws")

    def test_a_missing_folder_is_exit_3(self, icws, tmp_path):
        assert "cannot write" in icws.fails(3, "simulate", "--duration", "1s", "-o", tmp_path / "no" / "s.icws")


class Ticking:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


class TestProgress:
    @pytest.fixture
    def clock(self, monkeypatch):
        clock = Ticking()
        monkeypatch.setattr(module, "time", clock)
        return clock

    def test_is_not_shown_within_a_second(self, clock, capsys):
        with _Progress() as progress:
            clock.now = 0.9
            progress(0.5)
        assert capsys.readouterr().err == ""

    def test_is_a_line_now_and_then_where_there_is_no_terminal(self, clock, capsys):
        with _Progress() as progress:
            for second in range(1, 23):
                clock.now = second
                progress(second / 25)
        assert capsys.readouterr().err.splitlines() == ["simulated 4% …", "simulated 44% …", "simulated 84% …"]

    def test_is_a_bar_on_a_terminal(self, clock, capsys, monkeypatch):
        monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
        with _Progress() as progress:
            clock.now = 2
            progress(0.5)
        assert progress._bar.finished is False
        assert progress._bar.tasks[0].completed == 0.5
