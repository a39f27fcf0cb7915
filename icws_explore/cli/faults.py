"""The scenarios' names as options: completed with Tab, corrected, and listed with what they do."""

from __future__ import annotations

import difflib
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Final

import click
from click.shell_completion import CompletionItem

from icws_explore.analysis.doctor import RULES
from icws_explore.lab.scenarios import SCENARIOS, Scenario

from .console import json_line

_NAME_WIDTH: Final = 28  # the longest name, and room
_MAX_WIDTH: Final = 120


def fault_names(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    """What Tab offers."""
    asked = _spelled(begun)
    return [CompletionItem(it.name, help=it.about) for it in SCENARIOS.values() if it.name.startswith(asked)]


def as_fault(_context: click.Context, _option: click.Parameter, name: str | None) -> Scenario | None:
    """An option's name, in capitals or not, as a scenario. Raises click.BadParameter with the nearest one."""
    return None if name is None else _find(name)


def as_faults(_context: click.Context, _option: click.Parameter, names: tuple[str, ...]) -> tuple[Scenario, ...]:
    """As `as_fault`, of an option that may be given several times."""
    return tuple(map(_find, names))


def _find(name: str) -> Scenario:
    asked = _spelled(name)
    if asked not in SCENARIOS:
        near = difflib.get_close_matches(asked, SCENARIOS, n=1)
        hint = f"did you mean {near[0]}?" if near else "--list-faults explains those that there are"
        raise click.BadParameter(f"there is no fault {name!r}: {hint}", param_hint="--fault")
    return SCENARIOS[asked]


def _spelled(name: str) -> str:
    return name.strip().upper().replace("-", "_")


def explained(it: Scenario) -> dict[str, str]:
    """What is made to go wrong, who notices and how it ends, what to change."""
    rule = RULES[it.name]
    return {"name": it.name, "about": it.about, "severity": rule.severity, "sdk": rule.sdk_behaviour, "fix": rule.fix}


def fault_lines(width: int) -> Iterator[str]:
    """The list for a person, in ``width`` cells."""
    for it in sorted(SCENARIOS.values(), key=lambda each: each.name):
        told = explained(it)
        yield from textwrap.wrap(
            told["about"], width, initial_indent=f"{it.name:<{_NAME_WIDTH}}", subsequent_indent=" " * _NAME_WIDTH
        )
        indent = " " * _NAME_WIDTH
        yield from textwrap.wrap(
            f"the SDK: {told['sdk']}", width, initial_indent=indent, subsequent_indent=f"{indent}  "
        )


def only_with(option: str, *names: str) -> None:
    """Raise click.UsageError where a parameter beside ``names`` is given: ``option`` would leave it without effect."""
    ctx = click.get_current_context()
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    own = {it.name: it.opts[0] for it in ctx.command.params}
    if others := sorted(own[name] for name in given if name not in names and own[name] != option):
        raise click.UsageError(f"{option} brings its own settings: leave out {others[0]}")


def list_faults(*, as_json: bool = False) -> None:
    """Print them; with ``as_json`` an object a line."""
    if as_json:
        for it in SCENARIOS.values():
            json_line(explained(it))
        return
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else _MAX_WIDTH
    for line in fault_lines(max(min(columns, _MAX_WIDTH), 60)):
        click.echo(line)
