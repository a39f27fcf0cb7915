from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.recording import Recording, summarise
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, ClockInfo
from icws_explore.lab import Lab
from icws_explore.views.facts import (
    Fact,
    clock_text,
    lab_facts,
    order_text,
    recording_facts,
    replay_facts,
    summary_facts,
)
from support.doctor_scenarios import SCENARIOS
from support.session_captures import SessionScript, healthy, hostile


def facts_of(capture: Capture) -> dict[str, Fact]:
    frames = list(decode_frames(capture))
    return {fact.name: fact for fact in summary_facts(summarise(frames, verify_capture(capture)))}


class TestRecordingFacts:
    def test_give_origin_and_addresses(self) -> None:
        facts = {fact.name: fact.value for fact in recording_facts(healthy())}
        assert facts["recording"] == "live, 29 frames, 866.000 s"
        assert facts["gateway"] == "ws://127.0.0.1:8080"
        assert facts["canister"] == "bnz7o-iuaaa-aaaaa-qaaaa-cai"

    def test_leave_out_what_is_unknown(self) -> None:
        assert [fact.name for fact in recording_facts(Capture())] == ["recording", "clock"]

    def test_say_what_could_not_be_read(self) -> None:
        note = recording_facts(hostile())[-1]
        assert note == Fact("note", "line 14 is torn <script>alert('note')</script>", "bad")

    def test_count_several_sessions(self) -> None:
        capture = SessionScript(session="a").opened().capture
        capture.frames += SessionScript(session="b").opened().capture.frames
        assert recording_facts(capture)[0].value == "live, 6 frames in 2 sessions, 2.300 s"


class TestTimeOrder:
    def test_frames_with_times_out_of_order_are_named(self) -> None:
        capture = healthy()
        capture.frames[4] = replace(capture.frames[4], t=capture.frames[4].t + 300)
        (fact,) = [fact for fact in recording_facts(capture) if fact.name == "time order"]
        assert fact == Fact("time order", "1 frame (4) has a time out of order; time axes leave it out", "bad")

    def test_of_many_only_the_first_are_named(self) -> None:
        assert order_text(range(20)).startswith("20 frames (0, 1, 2, 3, 4, 5, 6, 7, …) have times out of order;")


class TestClockText:
    def test_of_a_scaled_clock_gives_the_real_time(self) -> None:
        assert clock_text(healthy()) == (
            "scaled × 60: times are protocol seconds; the recording took 14.4 s of real time"
        )
        assert recording_facts(healthy())[1].weight == "note"

    def test_of_a_virtual_clock_names_the_simulation(self) -> None:
        assert "simulation" in clock_text(healthy(clock=ClockInfo("virtual")))

    def test_of_a_real_clock_needs_no_note(self) -> None:
        assert recording_facts(healthy(clock=ClockInfo()))[1] == Fact("clock", "real")


class TestSummaryFacts:
    def test_of_a_healthy_session(self) -> None:
        facts = facts_of(healthy())
        assert facts["messages"].value == "10 sent, 9 received"
        assert facts["acks"].value == "3 received"
        assert facts["keep-alives"].value == "3 sent"
        assert facts["certificates"] == Fact("certificates", "all 13 canister messages verified", "good")
        assert facts["ended"].value == "closed by the client: 1000"
        assert "malformed" not in facts

    def test_mark_what_is_wrong(self) -> None:
        facts = facts_of(hostile())
        assert facts["malformed"] == Fact("malformed", "2 frames do not decode", "bad")
        assert facts["certificates"] == Fact("certificates", "only 4 of 5 canister messages verified", "bad")

    def test_of_an_empty_recording(self) -> None:
        facts = {fact.name: fact for fact in summary_facts(summarise([]))}
        assert facts["opened"] == Fact("opened", "no", "bad")
        assert facts["certificates"].value == "not checked: there is no canister message, or no root key"
        assert facts["ended"].value == "still open at the end of the recording"


class TestLabFacts:
    def test_are_the_labs_description(self) -> None:
        lab = Lab(time_scale=60)
        facts = lab_facts(lab)
        assert [(fact.name, fact.value) for fact in facts] == lab.describe()
        assert {fact.name for fact in facts if fact.weight == "note"} == {"running", "clock"}


class TestReplayFacts:
    def test_of_sessions_that_agree_are_no_notes(self) -> None:
        (fact,) = replay_facts(Recording(healthy()).replay())
        assert fact.weight == ""
        assert fact.value.startswith("1 session")

    def test_of_a_session_that_does_not_agree_are_notes(self) -> None:
        facts = replay_facts(Recording(SCENARIOS["RAW_CLIENT"]()).replay())
        assert {fact.weight for fact in facts} == {"note"}
