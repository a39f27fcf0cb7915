"""The faults as options: found by name, completed, corrected, listed."""

from __future__ import annotations

import json

import click
import pytest
from click.shell_completion import ShellComplete

from icws_explore.cli.faults import as_fault, as_faults, explained, fault_lines, list_faults, only_with
from icws_explore.cli.main import icws as root
from icws_explore.lab.scenarios import SCENARIOS


def found(name):
    return as_fault(click.Context(root), click.Option(["--fault"]), name)


class TestNames:
    @pytest.mark.parametrize("name", ["POLLER_DEAD", "poller_dead", "Poller-Dead", " POLLER_DEAD "])
    def test_in_any_spelling(self, name):
        assert found(name) is SCENARIOS["POLLER_DEAD"]
        assert found(None) is None

    @pytest.mark.parametrize(
        ("name", "hint"), [("POLER_DEAD", "did you mean POLLER_DEAD?"), ("qqq", "--list-faults"), ("", "--list-faults")]
    )
    def test_a_wrong_one_gets_a_hint(self, name, hint):
        with pytest.raises(click.BadParameter, match=hint.replace("?", r"\?")):
            found(name)

    def test_of_several_the_wrong_one_is_named(self):
        with pytest.raises(click.BadParameter, match="'NO_AKCS': did you mean NO_ACKS"):
            as_faults(click.Context(root), click.Option(["--fault"]), ("BODY_HASH", "NO_AKCS"))

    @pytest.mark.parametrize("command", ["lab", "simulate"])
    def test_complete_with_tab(self, command):
        completer = ShellComplete(root, {}, "icws", "_ICWS_COMPLETE")
        names = [item.value for item in completer.get_completions([command, "--fault"], "no_")]
        assert names == [name for name in SCENARIOS if name.startswith("NO_")]
        assert len(names) >= 3


class TestList:
    def test_explains_each(self):
        for scenario in SCENARIOS.values():
            assert all(explained(scenario).values())

    @pytest.mark.parametrize("width", [60, 100])
    def test_fits(self, width):
        lines = list(fault_lines(width))
        assert max(map(len, lines)) <= width
        named = [line.split()[0] for line in lines if not line.startswith(" ")]
        assert named == sorted(SCENARIOS)

    def test_prints_lines_or_json(self, capsys):
        list_faults()
        assert "STALE_NONCE" in capsys.readouterr().out
        list_faults(as_json=True)
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {each["name"] for each in told} == set(SCENARIOS)
        assert set(told[0]) == {"name", "about", "severity", "sdk", "fix"}


class TestOnlyWith:
    @pytest.mark.parametrize(("arguments", "refused"), [(["--one", "1"], False), (["--one", "1", "--two", "2"], True)])
    def test_refuses_what_would_have_no_effect(self, arguments, refused):
        @click.command()
        @click.option("--main", default="x")
        @click.option("--one")
        @click.option("--two", "second", default="3")
        def command(**_: str) -> None:
            only_with("--main", "one")

        if refused:
            with pytest.raises(click.UsageError, match="--main brings its own settings: leave out --two"):
                command.main(["--main", "y", *arguments], standalone_mode=False)
        else:
            command.main(["--main", "y", *arguments], standalone_mode=False)
