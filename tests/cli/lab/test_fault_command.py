"""A scenario over real sockets, told while it happens."""

from __future__ import annotations

import json

import pytest

from icws_explore.cli.lab.command import play_fault
from icws_explore.lab.scenarios import scenario


@pytest.fixture(scope="module")
def told():
    """The lines of POLLER_DEAD, and its recording."""
    lines = []
    recording = play_fault(scenario("POLLER_DEAD"), write=lines.append, seed=3)
    return lines, recording


class TestLines:
    def test_begin_with_what_is_to_happen(self, told):
        lines, _ = told
        assert lines[0] == "POLLER_DEAD: the canister is stopped, so it rejects the gateway's polls permanently"
        assert lines[1] == "120 s of protocol time in about 2 s (× 60)"

    def test_tell_what_every_part_saw(self, told):
        lines, _ = told
        parts = {line.split()[1] for line in lines[3:]}
        assert parts == {"gateway", "replica", "canister", "client"}
        assert any("Canister" in line and "is stopped" in line for line in lines)
        assert sum(" closed " in line and " client " in line for line in lines) == 3
        assert any("session 2: open: opened for" in line for line in lines)

    def test_leave_application_messages_and_a_busy_machine_out(self, told):
        lines, _ = told
        assert not any("ping" in line or "ws_message" in line or "took too long" in line for line in lines)

    def test_the_recording_has_all(self, told):
        _, recording = told
        assert "POLLER_DEAD" in recording.doctor().ids
        assert "app" in {decoded.kind for decoded in recording}


class TestJson:
    def test_an_object_a_line(self):
        lines = []
        play_fault(scenario("BODY_HASH"), write=lines.append, as_json=True, time_scale=120, seed=3)
        first, *rest = map(json.loads, lines)
        assert (first["ready"], first["fault"]) == (True, "BODY_HASH")
        assert first["gateway_url"].startswith("ws://")
        (closed,) = [each for each in rest if each["event"] == "closed"]
        assert (closed["part"], closed["session"]) == ("client", "1")
        assert "Error receiving message" in closed["text"]


class TestSeveralGateways:
    def test_sessions_are_named_with_their_gateway(self):
        lines = []
        play_fault(scenario("UPGRADE_WIPE"), write=lines.append, seed=3, time_scale=300)
        columns = [line.split() for line in lines]
        assert {each[3] for each in columns if each[1:2] == ["client"]} == {"gateway"}
        assert any("gateway 2, session 1: open" in line for line in lines)
