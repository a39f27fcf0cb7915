"""Dapps on the real ic-websocket-js, broken in the ways of the catalogue, behind the tap: does the doctor know the end?

Each row is a session of the SDK in Node, with a lab of its own that errs, or with the SDK set up or used
wrongly. What the tap recorded is diagnosed and replayed: the doctor names the row and nothing wrong beside it,
and the close that it foretells, code and reason, is the one that the real SDK made.
"""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor import RULES, Finding, Findings, diagnose
from icws_explore.analysis.replay.replay import Replay, replay_sessions
from support.node_peer import run_script
from support.sdk_ends import ended, foretold, on_the_wire
from support.sdk_fault_rows import ROWS
from support.sdk_faults import SCRIPT, SDK, Played, Row, play

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

QUOTES_A_DECODER = {"APP_TYPE_MISMATCH"}
NOT_THE_SDKS_DOING = {"PING_KILLS_SESSION"}  # the socket below it pings

SESSIONS = [(row, client) for row in ROWS for client in range(len(row.clients))]
NAMES = [f"{row.name} {client}" for row, client in SESSIONS]


@pytest.fixture(scope="module")
def played() -> dict[str, Played]:
    return play(ROWS)


@pytest.fixture(scope="module")
def diagnosed(played: dict[str, Played]) -> dict[str, Findings]:
    return {name: diagnose(run.capture) for name, run in played.items()}


@pytest.fixture(scope="module")
def replayed(played: dict[str, Played]) -> dict[str, list[Replay]]:
    """By row, a replay of each client's session, in the order of the clients."""
    replays = {name: {each.session: each for each in replay_sessions(run.capture)} for name, run in played.items()}
    return {
        name: [replays[name][run.session(client)] for client in range(len(run.told))] for name, run in played.items()
    }


def loud(row: Row, findings: Findings) -> list[Finding]:
    """All findings, but for the note that a client's process ended without a close frame, as Node's does at the end."""
    ended = ("CONNECTION_LOST", "info")
    return [finding for finding in findings if finding.id == row.id or (finding.id, finding.severity) != ended]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_doctor_names_the_row_and_nothing_beside_it(row: Row, diagnosed: dict[str, Findings]) -> None:
    assert [finding.id for finding in loud(row, diagnosed[row.name])] == [row.id]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_doctor_foretells_the_end(row: Row, diagnosed: dict[str, Findings]) -> None:
    """In its words: what the SDK does about it."""
    (finding,) = loud(row, diagnosed[row.name])
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
        foreseen = None if predicted is None else (predicted.code, predicted.reason)
        assert foreseen == played[row.name].told[client].closing

    def test_and_in_the_texts_of_the_sdk(
        self, row: Row, client: int, played: dict[str, Played], replayed: dict[str, list[Replay]]
    ) -> None:
        """What the SDK tells its user, onerror, is what the replay says that it tells."""
        predicted, errors = replayed[row.name][client].predicted_close, played[row.name].told[client].errors
        if predicted is None or not predicted.error:
            return
        words = predicted.error if row.id not in QUOTES_A_DECODER else "Error receiving message: Error: "
        assert errors[0].startswith(words)

    def test_it_is_no_divergence(self, row: Row, client: int, replayed: dict[str, list[Replay]]) -> None:
        """The recorded client is the real SDK, so it did what the real SDK would have done."""
        divergence = replayed[row.name][client].client
        assert (divergence is not None) == (row.id in NOT_THE_SDKS_DOING), str(divergence)

    def test_on_the_wire_too(self, row: Row, client: int, played: dict[str, Played]) -> None:
        told, closes = played[row.name].told[client], on_the_wire(played[row.name], client)
        if told.closing is not None:
            assert closes[0] == ("out", *told.closing)
        elif told.onclose is not None:
            assert closes[0] == ("in", *told.onclose)


def test_an_anonymous_client_is_refused_in_the_doctors_words() -> None:
    """ANONYMOUS: the SDK does not come to a session with it."""
    session = {
        "name": "nobody",
        "gateway_url": "ws://127.0.0.1:1",
        "network_url": "http://127.0.0.1:1",
        "canister_id": "bkyz2-fmaaa-aaaaa-qaaaq-cai",
        "ack_interval_ms": 300_000,
        "start_ms": 0,
        "identity": {"anonymous": True},
    }
    run = run_script(SCRIPT, {"sdk": SDK, "clock": None, "until_ms": 30_000, "sessions": [session]}, timeout_s=60)
    assert f'"{run.one("thrown")["text"]}"' in RULES["ANONYMOUS"].sdk_behaviour
