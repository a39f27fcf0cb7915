"""What is counted of a recording, by whom it concerns; the tallies of parts add up to that of the whole."""

import json
from dataclasses import replace

import pytest

import icws_explore as icws
from icws_explore.analysis.dataset.tables import examined
from icws_explore.analysis.fleet import tally as tally_module
from icws_explore.analysis.fleet.tally import OTHERS, Tallies, Tally, tally_of
from icws_explore.capture import Capture
from icws_explore.lab.scenarios import SCENARIOS
from support.data_files import SESSIONS


def capture_of(name):
    return icws.load(SESSIONS / name).raw


def tallied(capture):
    return tally_of(examined(capture, "a", with_frames=False).tables)


@pytest.fixture(scope="module")
def healthy():
    return tallied(capture_of("healthy.icws"))


class TestCounting:
    def test_of_a_healthy_session(self, healthy):
        recording = icws.load(SESSIONS / "healthy.icws")
        total, acks = healthy.of("all", ""), recording.timing().acks
        assert (total.recordings, total.sessions, total.opened, total.lost, total.errors) == (1, 1, 1, 0, 0)
        assert (total.frames, total.sent, total.received) == (
            17,
            recording.summary().sent,
            recording.summary().received,
        )
        assert total.ack_margin_s == acks.margin_s.min()
        assert total.ack_age_s.at(1) == pytest.approx(acks.oldest_age_s.max(), rel=0.01)
        assert total.keep_alive_margin_s == recording.timing().keep_alives.margin_s.min()

    def test_goes_to_each_group_of_the_session(self, healthy):
        assert {(by, name) for by, name in healthy.groups if by in ("all", "canister", "day")} == {
            ("all", ""), ("canister", "bnz7o-iuaaa-aaaaa-qaaaa-cai"), ("day", "2026-11-23"),
        }  # fmt: skip
        assert ("version", "canister's CDK: Rust") in healthy.groups
        assert len({str(tally) for tally in healthy.groups.values()}) == 1

    def test_of_findings_counts_each_session_once(self):
        raw = capture_of("lost_message.icws")
        frames = [replace(frame, session=name) for name in ("1", "2") for frame in raw.frames]
        good = [replace(frame, session="3") for frame in capture_of("healthy.icws").frames]
        total = tallied(Capture(raw.info, [*frames, *good])).of("all", "")
        assert (total.sessions, total.errors) == (3, 2)
        assert total.causes["SEQUENCE_GAP_DOWN"] == 2

    def test_of_late_keep_alives(self):
        total = tallied(SCENARIOS["KEEPALIVE_LATE"].run().raw).of("all", "")
        assert total.timed_out >= 1
        assert total.keep_alive_delay_s.at(1) > 60
        assert total.keep_alive_margin_s < 0

    def test_of_lost_connections(self):
        assert tallied(SCENARIOS["CONNECTION_LOST"].run().raw).of("all", "").lost >= 1


class TestMerging:
    def test_of_recordings_adds_them_up(self, healthy):
        other = tallied(capture_of("lost_message.icws"))
        both = Tallies()
        for one in (healthy, other):
            both.merge(one)
        total, parts = both.of("all", ""), (healthy.of("all", ""), other.of("all", ""))
        assert total.sessions == 2
        assert total.frames == sum(part.frames for part in parts)
        assert total.ack_margin_s == min(part.ack_margin_s for part in parts)
        assert len(total.open_latency_s) == 2

    def test_leaves_the_parts_as_they_are(self, healthy):
        before = json.dumps(healthy.to_json())
        both = Tallies()
        both.merge(healthy)
        both.merge(healthy)
        assert json.dumps(healthy.to_json()) == before

    def test_json_gives_them_back(self, healthy):
        assert Tallies.from_json(json.loads(json.dumps(healthy.to_json()))) == healthy

    def test_of_too_many_groups_counts_the_rest_as_others(self, monkeypatch):
        monkeypatch.setattr(tally_module, "MOST_NAMES", 2)
        found = Tallies()
        for number in range(5):
            found.merge(Tallies({("gateway", str(number)): Tally(sessions=1)}))
        assert {name: tally.sessions for (_, name), tally in found.groups.items()} == {"0": 1, "1": 1, OTHERS: 3}
