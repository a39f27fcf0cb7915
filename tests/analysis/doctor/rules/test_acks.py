"""No acks, too few, or none that arrive: told apart where the numbers allow it, else said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import diagnose
from icws_explore.capture import Capture, ClockInfo, cut_note
from icws_explore.protocol.service_messages import AckMessage
from support.doctor_findings import ids, the_one
from support.hand_written import Place
from support.session_captures import SessionScript

SCALED = ClockInfo("scaled", 60.0)


def gave_up(script: SessionScript, at: float, *, interval_ms: int | None = 300_000) -> Capture:
    capture = script.closed(at, "out", 4000, "Ack message timeout").capture
    return Capture(replace(capture.info, ack_interval_ms=interval_ms), capture.frames)


def talking(until: int, *, every: int = 20) -> SessionScript:
    script = SessionScript().opened()
    for at in range(5, until, every):
        script.client_says(at, "a").app_says(at + 2, "b")
    return script


class TestNeverAny:
    def test_no_acks(self):
        finding = the_one(gave_up(talking(330), 335.0))
        assert finding.id == "NO_ACKS"
        assert "in 330 s from the first message on (frame 3)" in finding.explanation
        assert "17 other canister messages came, without a gap" in finding.explanation
        assert "ws.init<system>()" in finding.fix

    @pytest.mark.parametrize("interval_ms", [None, 300_000])
    def test_90_seconds_are_an_old_sdks(self, interval_ms):
        assert ids(gave_up(talking(80), 95.0, interval_ms=interval_ms)) == ("ACK_DEFAULTS_SKEW",)

    @pytest.mark.parametrize(
        ("clock", "expected"), [(ClockInfo(), "ACK_INTERVAL_MISMATCH"), (SCALED, "ACK_DEFAULTS_SKEW")]
    )
    def test_a_scaled_clocks_timer_may_be_late(self, clock, expected):
        """On a real clock it is not: a client that gives up after 97 s expects an ack every 67 s."""
        capture = gave_up(talking(80), 102.0)
        assert ids(Capture(replace(capture.info, clock=clock), capture.frames)) == (expected,)

    def test_or_a_configured_minutes(self):
        finding = the_one(gave_up(talking(80), 95.0, interval_ms=60_000))
        assert finding.id == "ACK_INTERVAL_MISMATCH"
        assert "NO_ACKS" in finding.explanation

    def test_a_short_interval_is_none_where_a_default_one_has_long_passed(self):
        script = SessionScript().opened().client_says(300, "a").app_says(301, "b")
        assert ids(gave_up(script, 390.0, interval_ms=60_000)) == ("NO_ACKS",)

    def test_silence_may_be_more(self):
        finding = the_one(gave_up(talking(30).client_says(200, "x"), 335.0))
        assert finding.id == "NO_ACKS"


def left(
    script: SessionScript, at: float, *, interval_ms: int | None = 300_000, code: int | None = 1000, by: str = "out"
) -> Capture:
    capture = script.closed(at, by, code).capture
    return Capture(replace(capture.info, ack_interval_ms=interval_ms), capture.frames)


def together(*captures: Capture) -> Capture:
    return Capture(captures[0].info, sorted((f for each in captures for f in each.frames), key=lambda frame: frame.t))


class TestNeverAnyButAnotherSessionHadOne:
    """The canister sends acks, so no init is missing: it was upgraded, or the gateway withholds them."""

    def of_two(self, *, answered_at: int):
        script = SessionScript(session="2").opened(400)
        for at in (405, 425, answered_at):
            script.client_says(at, "a").app_says(at + 1, "b")
        second = gave_up(script.client_says(answered_at + 10, "c"), 736.0)
        return together(second, SessionScript(session="1").opened().acked(300).closed(390).capture)

    def test_and_answers_stop_as_well(self):
        finding = the_one(self.of_two(answered_at=445))
        assert finding.id == "ACKS_WITHHELD"
        assert "The canister does send acks: session 1 received one" in finding.explanation
        assert "UPGRADE_WIPE" in finding.explanation
        assert "Then nothing came for 290 s, and a message stayed unanswered" in finding.explanation

    def test_but_answers_come(self):
        """An upgrade without init in post_upgrade keeps the handlers of a canister that sets them elsewhere."""
        assert "NO_ACKS" in ids(self.of_two(answered_at=712))


class TestNeverAnyAndNobodyWaited:
    """The SDK waits for an ack only once it has sent a message: who only listens does not notice."""

    @pytest.mark.parametrize("code", [1000, 1001, 1005, None])
    def test_who_listens_is_told(self, code):
        finding = the_one(left(SessionScript().opened().app_says(200, "a").app_says(500, "b"), 1200.0, code=code))
        assert (finding.id, finding.severity) == ("NO_ACKS", "warning")
        assert (
            "every 300 s by default, even if the client sends nothing. This client sent nothing" in finding.explanation
        )
        assert "(ACK_INTERVAL_MISMATCH) looks the same." in finding.explanation
        assert "UPGRADE_WIPE" not in finding.explanation
        assert "ws.init<system>()" in finding.fix
        assert finding.sdk_behaviour.startswith("It waits for acks from its first message on.")

    @pytest.mark.parametrize("at", [None, 10])
    def test_silence_may_be_something_else(self, at):
        script = SessionScript().opened() if at is None else SessionScript().opened().app_says(at, "a")
        finding = the_one(left(script, 1200.0))
        assert "UPGRADE_WIPE" in finding.explanation
        assert "ACKS_WITHHELD" in finding.explanation

    def test_a_client_without_time_outs_is_told_what_waited(self):
        assert "did not give up, although 1, 2, 3" in the_one(left(talking(300), 700.0)).explanation

    def test_a_late_first_message_does_not_wait_for_long(self):
        finding = the_one(left(SessionScript().opened().client_says(690, "a").app_says(692, "b"), 700.0))
        assert "began to wait 10.0 s before the end" in finding.explanation

    def test_without_a_known_interval_it_is_a_hint(self):
        finding = the_one(left(SessionScript().opened(), 700.0, interval_ms=None))
        assert (finding.id, finding.severity) == ("NO_ACKS", "info")

    @pytest.mark.parametrize(("code", "by"), [(1006, "in"), (1006, "out"), (1001, "in"), (4001, "in"), (4000, "out")])
    def test_no_word_where_something_else_ended_it(self, code, by):
        lively = SessionScript().opened().app_says(500, "b")
        assert "NO_ACKS" not in ids(left(lively, 1200.0, code=code, by=by))

    def test_in_a_session_that_is_still_open_what_came_last_counts(self):
        assert ids(SessionScript().opened().app_says(650, "b")) == ("NO_ACKS",)
        assert ids(SessionScript().opened().app_says(200, "b")) == ()

    def test_so_it_does_if_the_tap_ended_first(self):
        cut = left(SessionScript().opened().app_says(500, "b"), 1200.0, code=1006, by="in")
        assert ids(Capture(cut.info, cut.frames, notes=[cut_note(None)])) == ("NO_ACKS",)

    @pytest.mark.parametrize(
        ("until", "interval_ms"), [(320.0, 300_000), (320.0, 60_000), (620.0, 600_000), (620.0, None)]
    )
    def test_no_word_before_one_is_due(self, until, interval_ms):
        """Not before the default either: the client's interval is not the canister's."""
        assert "NO_ACKS" not in ids(left(SessionScript().opened(), until, interval_ms=interval_ms))

    def test_an_interval_that_another_session_shows_counts(self):
        other = SessionScript(session="2").opened().acked(100).acked(700).closed(710.0).capture
        mine = left(SessionScript(session="1").opened(720).app_says(1200, "a"), 1300.0)
        assert "NO_ACKS" not in ids(together(mine, other))

    @pytest.mark.parametrize("acked", [290, 900])
    def test_another_session_of_the_canister_that_was_acked_meanwhile(self, acked):
        other = SessionScript(session="2").opened().acked(acked).closed(acked + 10.0).capture
        finding = next(
            each
            for each in diagnose(together(left(SessionScript(session="1").opened(), 1200.0), other))
            if "1" in each.sessions
        )
        assert (finding.id, finding.severity) == ("ACKS_WITHHELD", "warning")
        assert "Meanwhile session 2 of the same canister received one" in finding.explanation
        assert "PRINCIPAL_TAKEOVER" in finding.explanation

    def test_an_ack_before_or_at_the_very_end_tells_nothing_of_now(self):
        for acked in (100.0, 1185.0):
            other = SessionScript(session="2").opened().acked(acked).closed(acked + 10.0).capture
            mine = left(SessionScript(session="1").opened(120.0), 1200.0)
            assert "NO_ACKS" in ids(together(mine, other))

    def test_a_gap_has_a_finding_of_its_own(self):
        lost = left(SessionScript().opened().app_says(10, "a").app_says(500, "b"), 700.0)
        frames = [frame for number, frame in enumerate(lost.frames) if number != 3]
        assert "NO_ACKS" not in ids(Capture(lost.info, frames))

    def test_a_scaled_clock_may_jump(self):
        capture = left(SessionScript().opened(), 340.0)
        assert ids(Capture(replace(capture.info, clock=SCALED), capture.frames)) == ()


class TestThenNoMore:
    def test_their_spacing_gives_the_interval(self):
        script = SessionScript().opened().client_says(5, "a")
        script.acked(80).acked(200)
        finding = the_one(gave_up(script, 310.0, interval_ms=80_000))
        assert finding.id == "ACK_INTERVAL_MISMATCH"
        assert "sends one every 120 s. The client expects one every 80.0 s" in finding.explanation

    @pytest.mark.parametrize("sessions", [1, 2])
    def test_a_late_first_one_gives_it_as_well(self, sessions):
        """An hour after its installation a canister with the default interval opens sessions of a hasty client."""
        each = [
            gave_up(SessionScript(session=f"{n}").opened(n).acked(290 + n), 380.1 + n, interval_ms=60_000)
            for n in range(1, sessions + 1)
        ]
        finding = the_one(together(*each))
        assert finding.id == "ACK_INTERVAL_MISMATCH"
        assert "so the canister's interval is at least that long" in finding.explanation
        assert finding.sessions == tuple(f"{n}" for n in range(1, sessions + 1))

    def test_an_early_first_one_does_not(self):
        script = SessionScript().opened().client_says(5, "a").acked(80)
        assert "is at least that long" not in the_one(gave_up(script, 170.1, interval_ms=60_000)).explanation

    def test_other_messages_without_a_gap_tell(self):
        script = SessionScript().opened().client_says(5, "a").acked(100)
        for at in range(110, 420, 30):
            script.app_says(at, "b")
        finding = the_one(gave_up(script, 430.1))
        assert finding.id == "ACK_INTERVAL_MISMATCH"
        assert "no ack was withheld" in finding.explanation

    def test_a_message_that_was_long_on_its_way_does_not(self):
        """It was made before the ack that is missing, and arrived behind its time."""
        script = SessionScript().opened().client_says(5, "a").acked(290).acked(590).client_says(885, "b")
        script.app_says(894, "b", delay=8)
        assert ids(gave_up(script, 920.1)) == ("ACKS_WITHHELD",)

    def test_silence_is_the_gateways_or_an_upgrade(self):
        script = SessionScript().opened().client_says(5, "a").acked(290).acked(590).client_says(600, "b")
        finding = the_one(gave_up(script, 920.1))
        assert finding.id == "ACKS_WITHHELD"
        assert "Before that, they came every 300 s" in finding.explanation
        assert "UPGRADE_WIPE" in finding.explanation


class TestTooHigh:
    def test_names_both_numbers(self):
        finding = the_one("ACK_TOO_HIGH")
        assert "is for number 7, but the highest number that the client had sent is 1" in finding.explanation
        assert "Ack message error" in finding.sdk_behaviour

    def test_nobody_knows_what_was_sent_before_the_recording(self):
        capture = SessionScript().opened().canister_says(290, AckMessage(7)).capture
        assert ids(Capture(capture.info, capture.frames[3:])) == ()


class TestAnAnswerThatIsMissing:
    """Acks every 20 s, and then nothing at all: a longer interval of the canister does not explain that."""

    @pytest.mark.parametrize(("is_asking", "expected"), [(True, "ACKS_WITHHELD"), (False, "ACK_INTERVAL_MISMATCH")])
    def test_is_no_matter_of_intervals(self, is_asking, expected):
        place = Place()
        visit = place.visit().starts().chats(2).ack_round()
        acked = place.now
        visit.chats(1)
        if is_asking:
            visit.wait(1).says(lost=True)
        visit.wait(acked + 50 - place.now).gives_up("Ack message timeout")
        assert ids(place.capture()) == (expected,)
