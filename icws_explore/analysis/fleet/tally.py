"""What is counted of sessions: how many there are, how they ended, what was found, how acks and keep-alives kept time.

A `Tally` counts the sessions of one group: all, those of a canister, of a gateway, of a day, or of a version. Tallies
of parts add up to the tally of the whole, so each recording is counted where it is read, and only tallies travel.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from ..dataset.tables import Rows
from .spread import Spread

if TYPE_CHECKING:
    import pandas as pd

By = Literal["all", "canister", "gateway", "day", "version"]
BYS: Final[tuple[By, ...]] = get_args(By)
MOST_NAMES: Final = 10_000  # groups of a kind; the sessions of more of them are counted as "others"
UNKNOWN: Final = "not known"
OTHERS: Final = "others"
LOST: Final = "the connection was lost (1006)"  # the summary of such a close


@dataclass(slots=True)
class Tally:
    """The sessions of a group. Times are in seconds of the recordings' clocks, ``size`` is in bytes of payload.

    ``errors`` and ``warnings`` count sessions with such a finding, ``causes`` the sessions by the finding's id.
    ``ack_age_s`` is the age of the oldest message when its ack came, ``keep_alive_delay_s`` the time from an ack to the
    arrival of its keep-alive, as far as it is known; the margins are the least that was left to the time-out.
    """

    recordings: int = 0
    sessions: int = 0
    opened: int = 0
    lost: int = 0
    frames: int = 0
    size: int = 0
    duration_s: float = 0.0
    sent: int = 0
    received: int = 0
    malformed: int = 0
    errors: int = 0
    warnings: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    open_latency_s: Spread = field(default_factory=Spread)
    acks: int = 0
    ack_age_s: Spread = field(default_factory=Spread)
    ack_margin_s: float | None = None
    keep_alives: int = 0
    keep_alive_delay_s: Spread = field(default_factory=Spread)
    keep_alive_margin_s: float | None = None
    timed_out: int = 0
    missed: int = 0

    def merge(self, other: Self) -> None:
        """Add the sessions of another tally."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, Spread):
                mine.merge(theirs)
            elif isinstance(mine, Counter):
                mine.update(theirs)
            elif each.name.endswith("_margin_s"):
                setattr(self, each.name, _least(mine, theirs))
            else:
                setattr(self, each.name, mine + theirs)

    def row(self) -> dict[str, Any]:
        """The tally as a row of a table: percentiles of the spreads, ``causes`` as a mapping."""
        found: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Spread):
                stem = each.name.removesuffix("_s")
                found |= {f"{stem}_p50_s": value.at(0.5), f"{stem}_p99_s": value.at(0.99), f"{stem}_max_s": value.at(1)}
            else:
                found[each.name] = dict(value.most_common()) if isinstance(value, Counter) else value
        return found

    def to_json(self) -> dict[str, Any]:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value.to_json() if isinstance(value, Spread) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        found = cls()
        for each in fields(found):
            mine, theirs = getattr(found, each.name), value[each.name]
            if isinstance(mine, Spread):
                theirs = Spread.from_json(theirs)
            elif isinstance(mine, Counter):
                theirs = Counter(theirs)
            setattr(found, each.name, theirs)
        return found


def _least(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return min(known, default=None)


Group = tuple[By, str]


@dataclass(slots=True)
class Tallies:
    """The tallies of all groups."""

    groups: dict[Group, Tally] = field(default_factory=dict)

    def of(self, by: By, name: str) -> Tally:
        """The tally of a group, to be added to. After `MOST_NAMES` of a kind it is that of the others."""
        known = self.groups.get((by, name))
        if known is None:
            if sum(kind == by for kind, _ in self.groups) >= MOST_NAMES:
                name = OTHERS
            known = self.groups.setdefault((by, name), Tally())
        return known

    def merge(self, other: Tallies) -> None:
        """Add the tallies of other recordings."""
        for (by, name), tally in other.groups.items():
            self.of(by, name).merge(tally)

    def to_json(self) -> list[list[Any]]:
        return [[by, name, tally.to_json()] for (by, name), tally in self.groups.items()]

    @classmethod
    def from_json(cls, value: list[list[Any]]) -> Self:
        """What `to_json` gave."""
        return cls({(by, name): Tally.from_json(tally) for by, name, tally in value})


def tally_of(tables: Rows) -> Tallies:
    """Count one recording, given as the tables of a dataset: sessions, findings, acks and keep_alives."""
    found = Tallies()
    groups: dict[str | None, list[Group]] = {}
    for row in _records(tables["sessions"]):
        groups[row["session"]] = _groups(row)
        for group in groups[row["session"]]:
            _count_session(found.of(*group), row)
    for group in dict.fromkeys(group for ours in groups.values() for group in ours):
        found.of(*group).recordings += 1
    _count_findings(found, tables["findings"], groups)
    for row in _records(tables["acks"]):
        for group in groups.get(row["session"], ()):
            tally = found.of(*group)
            tally.ack_age_s.add(row["oldest_age_s"])
            tally.ack_margin_s = _least(tally.ack_margin_s, row["margin_s"])
    for row in _records(tables["keep_alives"]):
        for group in groups.get(row["session"], ()):
            tally = found.of(*group)
            tally.keep_alive_delay_s.add(row["delay_arrived_s"])
            tally.keep_alive_margin_s = _least(tally.keep_alive_margin_s, row["margin_s"])
            tally.timed_out += row["outcome"] == "timed out"
            tally.missed += row["outcome"] == "missed"
    return found


def _groups(row: Mapping[str, Any]) -> list[Group]:
    versions = row["versions"]
    return [
        ("all", ""),
        ("canister", row["canister_id"] or UNKNOWN),
        ("gateway", row["gateway_url"] or row["gateway_principal"] or UNKNOWN),
        ("day", row["day"]),
        *(("version", version) for version in ([] if versions is None else versions)),
    ]


def _count_session(tally: Tally, row: Mapping[str, Any]) -> None:
    tally.sessions += 1
    tally.opened += bool(row["opened"])
    tally.lost += row["ended"] == LOST
    for name in ("frames", "size", "duration_s", "sent", "received", "malformed", "acks", "keep_alives"):
        setattr(tally, name, getattr(tally, name) + (row[name] or 0))
    tally.open_latency_s.add(row["open_latency_s"])


def _count_findings(found: Tallies, findings: pd.DataFrame, groups: Mapping[str | None, list[Group]]) -> None:
    """Each session counts once for a cause, and once for its worst severities. What names no session concerns all."""
    counted: set[tuple[str | None, str]] = set()
    for row in _records(findings):
        named = [] if row["sessions"] is None else list(row["sessions"])
        for session in dict.fromkeys(named or groups):
            for group in groups.get(session, ()):
                tally = found.of(*group)
                tally.causes[row["cause"]] += 1
                if (session, row["severity"]) not in counted:
                    tally.errors += row["severity"] == "error"
                    tally.warnings += row["severity"] == "warning"
            counted.add((session, row["severity"]))


def _records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows, with None for what is missing."""
    names = list(table.columns)
    for row in table.itertuples(index=False, name=None):
        yield {name: None if _is_missing(value) else value for name, value in zip(names, row, strict=True)}


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
