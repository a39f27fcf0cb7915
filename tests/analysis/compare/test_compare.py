"""Two recordings side by side: what always differs is no difference; what else differs is found where it begins."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import icws_explore as icws
from icws_explore.analysis.compare import compare
from icws_explore.analysis.imports import load_any
from icws_explore.capture import Capture, ClockInfo, Frame
from icws_explore.protocol.errors import ArgumentTypeError, CaptureError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.service_messages import AckMessage, CloseReason, KeepAliveMessage
from support.data_files import SESSIONS
from support.recorded import record
from support.session_captures import SessionScript, healthy

NAMES = ("GOOD", "BAD")
GOOD = healthy(clock=ClockInfo())
PROPERTY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def script(shift=0.0, secret=7, nonce=None):
    """A short session; another identity, another nonce and other times make another run of the same dapp."""
    made = SessionScript(clock=ClockInfo())
    made.identity = Ed25519Identity.from_secret(bytes([secret]) * 32)
    key = replace(made.client_key, client_principal=made.identity.principal)
    made.client_key = key if nonce is None else replace(key, client_nonce=nonce)
    made.canister.client_key = made.client_key
    made.opened(shift)
    for number in range(3):
        at = shift + 4.0 + 3 * number
        made.client_says(at, f"ping {number}").app_says(at + 1.5, f"pong {number}")
    return made


def with_frames(capture, frames):
    return Capture(capture.info, list(frames))


def first_row(found):
    return found.rows[found.first_row]


def subjects(found):
    return list(found.by_subject())


class TestTheSame:
    @pytest.mark.parametrize("path", sorted(SESSIONS.glob("*.icws*")), ids=lambda path: path.name)
    def test_every_recording_equals_itself(self, path):
        capture = load_any(path)
        found = compare(capture, capture)
        assert found.is_same, str(found)
        assert found.first is None
        assert all(row.frame == row.other_frame for row in found.rows)

    def test_ids_keys_nonces_and_times_are_no_differences(self):
        found = compare(script().capture, script(5_000.0, secret=9, nonce=4711).capture)
        assert found.is_same, str(found)
        assert len(found.rows) == 9

    def test_two_runs_of_a_dapp_on_a_lab(self, tmp_path):
        runs = [icws.load(record(tmp_path / f"{number}.icws")) for number in range(2)]
        found = runs[0].compare(runs[1])
        assert found.is_same, str(found)
        assert found.not_compared == ()

    def test_messages_that_cross_on_the_way_are_no_difference(self):
        one = script().client_says(20.0, "a").app_says(20.3, "b").capture
        other = script().app_says(20.0, "b").client_says(20.3, "a").capture
        assert compare(one, other).is_same

    def test_an_ack_that_comes_just_before_or_after_a_message_is_no_difference(self):
        one = script().client_says(20.0, "a").acked(20.4, received=3).capture
        other = script().client_says(20.0, "a").acked(20.4, received=4).capture
        assert "messages" not in subjects(compare(one, other))


class TestTheFirstDifference:
    @PROPERTY
    @given(st.integers(0, len(GOOD) - 1))
    def test_a_dropped_frame_is_the_first_difference(self, number):
        bad = with_frames(GOOD, [*GOOD.frames[:number], *GOOD.frames[number + 1 :]])
        found = compare(GOOD, bad, names=NAMES)
        assert first_row(found).frame == number, str(found)
        assert first_row(found).other_frame is None
        assert compare(bad, GOOD).first.other_frames[0] == number

    @PROPERTY
    @given(st.integers(1, len(GOOD) - 2), st.data())
    def test_a_flipped_bit_is_the_first_difference(self, number, data):
        frame = GOOD.frames[number]
        at = data.draw(st.integers(3, len(frame.data) - 1))  # after the tag that says it is CBOR
        flipped = bytearray(frame.data)
        flipped[at] ^= 1 << data.draw(st.integers(0, 7))
        frames = list(GOOD.frames)
        frames[number] = replace(frame, data=bytes(flipped))
        found = compare(GOOD, with_frames(GOOD, frames), names=NAMES)
        assert not found.is_same
        assert number in (first_row(found).frame, first_row(found).other_frame), str(found)

    @PROPERTY
    @given(st.integers(0, len(GOOD) - 2))
    def test_two_swapped_frames_are_the_first_difference(self, number):
        frames = list(GOOD.frames)
        one, other = frames[number : number + 2]
        frames[number : number + 2] = [replace(other, t=one.t), replace(one, t=other.t)]
        kinds = {one.direction, other.direction}
        found = compare(GOOD, with_frames(GOOD, frames), names=NAMES)
        if found.is_same:
            assert len(kinds) == 2  # they may have crossed on the way
            assert {number, number + 1}.isdisjoint({0, 1, 2})
        else:
            assert {first_row(found).frame, first_row(found).other_frame} & {number, number + 1}, str(found)

    def test_a_keep_alive_before_its_ack_is_one_of_order(self):
        frames = list(GOOD.frames)
        at = next(n for n, row in enumerate(compare(GOOD, GOOD).rows) if row.pair.one.decoded.kind == "ack")
        frames[at], frames[at + 1] = (
            replace(frames[at + 1], t=frames[at].t),
            replace(frames[at], t=frames[at + 1].t),
        )
        found = compare(GOOD, with_frames(GOOD, frames), names=NAMES)
        assert found.first.subject == "order"
        assert first_row(found).frame in (at, at + 1)

    def test_of_several_equal_messages_the_lost_one_is_named(self):
        one = SessionScript().opened()
        other = SessionScript().opened()
        for number in range(6):
            one.app_says(4.0 + number, "tick")
            other.app_says(4.0 + number, "tick")
        del other.capture.frames[5]
        found = compare(one.capture, other.capture, names=NAMES)
        assert (found.first.subject, found.first.frames) == ("messages", (5,))
        assert "BAD lacks frame 5 of GOOD: the canister's message {text: 'tick'" in found.first.text

    def test_what_is_altered_is_quoted_from_both(self):
        one, other = script().app_says(20.0, "yes").capture, script().app_says(20.0, "no").capture
        first = compare(one, other, names=NAMES).first
        assert first.text.startswith("the canister's message says {text: 'yes'")
        assert " in GOOD, {text: 'no'" in first.text

    def test_a_moved_message_is_one_difference(self):
        one = script().app_says(20, "a").app_says(30, "b").app_says(40, "c")
        other = script().app_says(20, "b").app_says(30, "a").app_says(40, "c")
        found = compare(one.capture, other.capture, names=NAMES)
        assert subjects(found) == ["order"]
        assert "comes at another place in BAD" in found.first.text

    def test_a_session_that_ends_early_is_one_difference_and_not_one_for_each_frame(self):
        found = compare(GOOD, with_frames(GOOD, GOOD.frames[:6]), names=NAMES)
        assert len(found.differences) == 1
        assert found.first.frames == tuple(range(6, len(GOOD)))
        assert found.first.text.endswith("more events from there to its end")


class TestSubjects:
    def test_settings(self):
        capture = script().capture
        other = Capture(replace(capture.info, ack_interval_ms=60_000, app_type="text"), capture.frames)
        texts = [each.text for each in compare(capture, other, names=NAMES).by_subject()["settings"]]
        assert "ack interval: 300,000 ms in GOOD, 60,000 ms in BAD" in texts
        assert any(text.startswith("declared message type: record") for text in texts)

    def test_a_setting_that_one_recording_does_not_hold_is_no_difference(self):
        capture = script().capture
        other = Capture(replace(capture.info, ack_interval_ms=None, gateway_url=None), capture.frames)
        assert compare(capture, other).is_same

    def test_the_port_on_this_machine_is_no_setting(self):
        capture = script().capture
        other = Capture(replace(capture.info, gateway_url="ws://127.0.0.1:9999"), capture.frames)
        assert compare(capture, other).is_same

    def test_versions_show_in_the_form_of_the_frames(self):
        found = compare(load_any(SESSIONS / "healthy.icws"), load_any(SESSIONS / "motoko_flavour.icws"), names=NAMES)
        assert "canister's CDK: Rust in GOOD, Motoko in BAD" in [each.text for each in found.by_subject()["versions"]]

    def test_a_wait_beyond_the_jitter(self):
        one = script().acked(40.0, answered_after=0.1).capture
        other = script().acked(40.0, answered_after=59.0).capture
        found = compare(one, other, names=NAMES)
        assert subjects(found) == ["timing"]
        assert (
            found.first.text == "from an ack to its keep-alive, at most: 0.10 s in GOOD, 59.0 s in BAD (jitter 1.0 s)"
        )
        assert first_row(found).pair.other.decoded.kind == "keep_alive"

    def test_a_wait_within_the_jitter_is_no_difference(self):
        one, other = (script().acked(40.0, answered_after=wait).capture for wait in (0.1, 0.9))
        assert compare(one, other).is_same

    def test_a_message_that_was_held_up(self):
        one = script().canister_says(20.0, AckMessage(3)).client_says(20.1, KeepAliveMessage(5)).capture
        other = script().canister_says(20.0, AckMessage(3), delay=19.0).client_says(20.1, KeepAliveMessage(5)).capture
        found = compare(one, other, names=NAMES)
        assert "timing" in subjects(found)
        assert "the slowest canister message took longer than usual by: " in found.by_subject()["timing"][0].text

    @pytest.mark.parametrize(
        ("name", "step"),
        [("tampered_body", "body"), ("forged_certificate", "signature"), ("foreign_witness", "certified_data")],
    )
    def test_proofs(self, name, step):
        found = compare(load_any(SESSIONS / "healthy.icws"), load_any(SESSIONS / f"{name}.icws"), names=NAMES)
        (difference,) = found.by_subject()["proofs"]
        assert f"the step {step} fails in BAD and not in GOOD" in difference.text

    def test_close(self):
        one, other = (
            script().closed(60.0).capture,
            script().closed(60.0, code=4000, reason="Ack message timeout").capture,
        )
        found = compare(one, other, names=NAMES)
        assert subjects(found) == ["close"]
        assert "closed by the client: 1000 after 60.0 s in GOOD" in found.first.text
        assert "4000 'Ack message timeout' after 60.0 s in BAD" in found.first.text

    def test_a_close_of_the_canister(self):
        one = script().canister_closes(60.0, CloseReason.CLOSED_BY_APPLICATION).capture
        other = script().canister_closes(60.0, CloseReason.KEEP_ALIVE_TIMEOUT).capture
        assert compare(one, other).first.text.startswith("the CloseMessage says")

    def test_still_open(self):
        found = compare(script().closed(60.0).capture, script().capture, names=NAMES)
        assert found.first.text == "closed by the client: 1000 in GOOD, still open at the end of BAD"

    def test_a_har_does_not_tell_its_close(self):
        capture = script().closed(60.0).capture
        har = Capture(replace(capture.info, origin="har"), capture.frames[:-1])
        found = compare(capture, har, names=NAMES)
        assert found.is_same
        assert any("a HAR (BAD) does not say how" in line for line in found.not_compared)

    def test_without_a_root_key_it_says_that_signatures_were_not_compared(self):
        capture = script().capture
        bare = Capture(replace(capture.info, root_key=None), capture.frames)
        found = compare(capture, bare, names=NAMES)
        assert found.is_same
        assert any("BAD has no root key" in line for line in found.not_compared)


class TestSessions:
    def two(self):
        first, second = script(), SessionScript(clock=ClockInfo(), session="b").opened(100.0)
        frames = [replace(frame, session="a") for frame in first.capture.frames]
        return Capture(first.capture.info, [*frames, *second.capture.frames])

    def test_are_paired_in_order(self):
        both = self.two()
        assert compare(both, both).sessions == (("a", "a"), ("b", "b"))

    def test_one_too_many_is_a_difference(self):
        found = compare(self.two(), self.two().session("a"), names=NAMES)
        assert found.first.text == "GOOD has session b (3 events), to which BAD has no counterpart"

    def test_of_one_recording_can_be_compared(self):
        both = icws.Recording(self.two())
        assert not both.session("a").compare(both.session("b")).is_same

    def test_sockets_of_other_protocols_are_left_out_and_counted(self):
        capture = self.two()
        foreign = [Frame(1.0, "in", "text", b'{"type":"connected"}', session="v")]
        mixed = Capture(replace(capture.info, origin="har"), [*foreign, *capture.frames])
        found = compare(capture, mixed, names=NAMES)
        assert found.is_same
        assert "1 socket of BAD that speak another protocol were left out" in found.not_compared

    def test_a_recording_without_any_is_refused(self):
        with pytest.raises(CaptureError, match="the other has no session"):
            compare(GOOD, Capture())


class TestResult:
    def test_as_a_table(self):
        bad = with_frames(GOOD, [*GOOD.frames[:5], *GOOD.frames[6:]])
        table = compare(GOOD, bad, names=NAMES).table()
        assert len(table) == len(GOOD)
        assert table.other_frame.isna().sum() == 1
        assert table.differences[5].startswith("messages: BAD lacks frame 5")

    def test_as_json(self):
        bad = with_frames(GOOD, GOOD.frames[:-1])
        told = compare(GOOD, bad).to_json()
        assert told["same"] is False
        assert told["first"]["subject"] == "close"

    def test_only_recordings_are_compared(self):
        with pytest.raises(ArgumentTypeError, match="other must be a recording"):
            icws.Recording(GOOD).compare("bad.icws")


class TestRealRuns:
    def test_a_har_of_a_session_equals_the_session(self, tmp_path):
        capture = script().closed(60.0).capture
        bare = Capture(replace(capture.info, origin="har", root_key=None), capture.frames[:-1])
        assert compare(capture, bare).is_same

    def test_bounded_for_long_sessions_of_equal_messages(self):
        frame = GOOD.frames[4]
        many = with_frames(GOOD, [*GOOD.frames[:3], *(replace(frame, t=frame.t + n) for n in range(3000))])
        found = compare(Capture(replace(many.info, crypto="stand-in"), many.frames), many)
        assert len(found.rows) == 3003
