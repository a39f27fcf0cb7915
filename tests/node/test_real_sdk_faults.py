"""Dapps on the real ic-websocket-js, broken in the ways of the catalogue, behind the tap: does the doctor know the end?

Each row is a session of the SDK in Node, with a lab of its own that errs, or with the SDK set up or used
wrongly. What the tap recorded is diagnosed and replayed: the doctor names the row and nothing wrong beside it,
and the close that it foretells, code and reason, is the one that the real SDK made.
"""

from __future__ import annotations

import re

import pytest

from icws_explore.analysis.doctor import Finding, Findings, diagnose
from icws_explore.analysis.replay import Replay, replay_sessions
from icws_explore.capture import Frame
from support.sdk_fault_rows import ROWS
from support.sdk_faults import Played, Row, Told, play

pytestmark = [pytest.mark.node, pytest.mark.slow]

UNTIL_S = 95.0  # real; the last sessions end some 75 s after the start

SESSIONS = [(row, client) for row in ROWS for client in range(len(row.clients))]
NAMES = [f"{row.name} {client}" for row, client in SESSIONS]


@pytest.fixture(scope="module")
def played() -> dict[str, Played]:
    return play(ROWS, until_s=UNTIL_S)


@pytest.fixture(scope="module")
def diagnosed(played: dict[str, Played]) -> dict[str, Findings]:
    return {name: diagnose(it.capture) for name, it in played.items()}


@pytest.fixture(scope="module")
def replayed(played: dict[str, Played]) -> dict[str, list[Replay]]:
    """By row, a replay of each client's session, in the order of the clients."""
    replays = {name: {each.session: each for each in replay_sessions(it.capture)} for name, it in played.items()}
    return {name: [replays[name][it.session(client)] for client in range(len(it.told))] for name, it in played.items()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_doctor_names_the_row_and_nothing_beside_it(row: Row, diagnosed: dict[str, Findings]) -> None:
    assert diagnosed[row.name].ids == (row.id,)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_doctor_foretells_the_end(row: Row, diagnosed: dict[str, Findings]) -> None:
    """In its words: what the SDK does about it."""
    (finding,) = diagnosed[row.name]
    for end in filter(None, row.ends):
        assert end in foretold(finding), finding.sdk_behaviour


@pytest.mark.parametrize(("row", "client"), SESSIONS, ids=NAMES)
class TestEachSession:
    def test_ends_as_it_has_to(self, row: Row, client: int, played: dict[str, Played]) -> None:
        told = played[row.name].told[client]
        assert ended(told) == row.ends[client], told.errors

    def test_and_as_the_replay_predicts(
        self, row: Row, client: int, played: dict[str, Played], replayed: dict[str, list[Replay]]
    ) -> None:
        predicted = replayed[row.name][client].predicted_close
        assert (None if predicted is None else (predicted.code, predicted.reason)) == played[row.name].told[
            client
        ].closing

    def test_on_the_wire_too(self, row: Row, client: int, played: dict[str, Played]) -> None:
        it = played[row.name]
        told = it.told[client]
        closes = [frame for frame in it.capture.frames if frame.session == it.session(client) and frame.op == "close"]
        if told.closing is not None:
            assert said(closes[0]) == ("out", *told.closing)
        elif told.onclose is not None:
            assert said(closes[0]) == ("in", *told.onclose)


def ended(told: Told) -> tuple[int, str] | None:
    """The SDK's own close where it made one, else what its onclose got."""
    return told.closing or told.onclose


def said(frame: Frame) -> tuple[str, int, str]:
    return frame.direction, frame.code or 1005, frame.reason or ""


def foretold(finding: Finding) -> list[tuple[int, str]]:
    """The ends that a finding speaks of: close(4000, "why"), or onclose with a code."""
    closes = re.findall(r'close\((\d+), "([^"]+)"\)', finding.sdk_behaviour)
    codes = re.findall(r"onclose with (?:code )?(\d+)", finding.sdk_behaviour)
    return [(int(code), reason) for code, reason in closes] + [(int(code), "") for code in codes]
