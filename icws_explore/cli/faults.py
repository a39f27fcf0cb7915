"""Options that take the name of a scenario: tab completion, correction of misspelled names, and the list."""

from __future__ import annotations

import difflib
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Final

import click
from click.shell_completion import CompletionItem

from icws_explore.lab.scenarios import SCENARIOS, Scenario

from .console import json_line

_NAME_WIDTH: Final = 28  # the longest name and a gap
_MAX_WIDTH: Final = 120


def fault_names(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    """The completions for a name whose beginning was typed."""
    start = _spelled(begun)
    return [CompletionItem(each.name, help=each.about) for each in SCENARIOS.values() if each.name.startswith(start)]


def as_fault(_context: click.Context, _option: click.Parameter, name: str | None) -> Scenario | None:
    """The scenario that an option names, in upper or lower case. Raises click.BadParameter with the nearest name."""
    return None if name is None else _find(name)


def as_faults(_context: click.Context, _option: click.Parameter, names: tuple[str, ...]) -> tuple[Scenario, ...]:
    """The scenarios of an option that may be given several times. Raises click.BadParameter as `as_fault` does."""
    return tuple(map(_find, names))


def _find(name: str) -> Scenario:
    spelled = _spelled(name)
    if spelled not in SCENARIOS:
        near = difflib.get_close_matches(spelled, SCENARIOS, n=1)
        hint = f"did you mean {near[0]}?" if near else "--list-faults lists all faults"
        raise click.BadParameter(f"there is no fault {name!r}: {hint}", param_hint="--fault")
    return SCENARIOS[spelled]


def _spelled(name: str) -> str:
    return name.strip().upper().replace("-", "_")


def explained(scenario: Scenario) -> dict[str, str]:
    """What goes wrong in a scenario, what the real SDK does about it, and what to change."""
    return {
        "name": scenario.name,
        "about": scenario.about,
        "severity": scenario.severity,
        "sdk": scenario.noticed,
        "fix": scenario.fix,
    }


def fault_lines(width: int) -> Iterator[str]:
    """The list of scenarios as text of ``width`` cells."""
    indent = " " * _NAME_WIDTH
    for name in sorted(SCENARIOS):
        about, sdk = SCENARIOS[name].about, f"the SDK: {SCENARIOS[name].noticed}"
        yield from textwrap.wrap(about, width, initial_indent=f"{name:<{_NAME_WIDTH}}", subsequent_indent=indent)
        yield from textwrap.wrap(sdk, width, initial_indent=indent, subsequent_indent=f"{indent}  ")


def only_with(option: str, *names: str) -> None:
    """Raise click.UsageError if an option beside ``option`` and ``names`` is given, because it would have no effect."""
    ctx = click.get_current_context()
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    spelled = {parameter.name: parameter.opts[0] for parameter in ctx.command.params}
    if others := sorted(spelled[name] for name in given if name not in names and spelled[name] != option):
        raise click.UsageError(f"{option} brings its own settings: leave out {others[0]}")


def list_faults(*, as_json: bool = False) -> None:
    """Print the list of scenarios; with ``as_json``, one JSON object per scenario and line."""
    if as_json:
        for scenario in SCENARIOS.values():
            json_line(explained(scenario))
        return
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else _MAX_WIDTH
    for line in fault_lines(max(min(columns, _MAX_WIDTH), 60)):
        click.echo(line)
