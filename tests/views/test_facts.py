from __future__ import annotations

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.recording import summarise
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, ClockInfo
from icws_explore.views.facts import Fact, capture_facts, clock_note, summary_facts
from support.session_captures import SessionScript, healthy, hostile


def facts_of(capture: Capture) -> dict[str, Fact]:
    frames = list(decode_frames(capture))
    return {fact.name: fact for fact in summary_facts(summarise(frames, verify_capture(capture)))}


class TestCaptureFacts:
    def test_says_where_it_comes_from(self) -> None:
        facts = {fact.name: fact.value for fact in capture_facts(healthy())}
        assert facts["capture"] == "live, 29 frames, 866.000 s"
        assert facts["gateway"] == "ws://127.0.0.1:8080"
        assert facts["canister"] == "bnz7o-iuaaa-aaaaa-qaaaa-cai"

    def test_leaves_out_what_is_not_known(self) -> None:
        assert [fact.name for fact in capture_facts(Capture())] == ["capture", "clock"]

    def test_says_what_could_not_be_read(self) -> None:
        note = capture_facts(hostile())[-1]
        assert note == Fact("note", "line 14 is torn <script>alert('note')</script>", "bad")

    def test_counts_sessions_where_there_are_several(self) -> None:
        capture = SessionScript(session="a").opened().capture
        capture.frames += SessionScript(session="b").opened().capture.frames
        assert capture_facts(capture)[0].value == "live, 6 frames in 2 sessions, 2.300 s"


class TestClockNote:
    def test_a_scaled_clock_is_said_with_the_time_on_the_wall(self) -> None:
        assert clock_note(healthy()) == "scaled × 60: times are protocol seconds; this took 14.433 s on the wall"
        assert capture_facts(healthy())[1].weight == "note"

    def test_so_is_a_virtual_one(self) -> None:
        assert "simulation" in clock_note(healthy(clock=ClockInfo("virtual")))

    def test_a_real_one_needs_no_note(self) -> None:
        assert capture_facts(healthy(clock=ClockInfo()))[1] == Fact("clock", "real")


class TestSummaryFacts:
    def test_of_a_healthy_session(self) -> None:
        facts = facts_of(healthy())
        assert facts["messages"].value == "10 sent, 9 received"
        assert facts["acks"].value == "3 received"
        assert facts["keep-alives"].value == "3 sent"
        assert facts["certificates"] == Fact("certificates", "all 13 canister messages verify")
        assert facts["ended"].value == "closed by the client: 1000"
        assert "malformed" not in facts

    def test_what_is_wrong_is_marked(self) -> None:
        facts = facts_of(hostile())
        assert facts["malformed"] == Fact("malformed", "2 frames do not decode", "bad")
        assert facts["certificates"] == Fact("certificates", "only 4 of 5 canister messages verify", "bad")

    def test_of_nothing(self) -> None:
        facts = {fact.name: fact for fact in summary_facts(summarise([]))}
        assert facts["opened"] == Fact("opened", "no", "bad")
        assert facts["certificates"].value == "none judged: no message, or no root key"
        assert facts["ended"].value == "open, as far as recorded"
