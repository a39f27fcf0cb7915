"""What a lane makes of frames: order, decisions, time-outs and bounds, by plain numbers for the time."""

from dataclasses import replace

import pytest

from icws_explore.analysis.decode import decode_frame
from icws_explore.capture import Frame
from icws_explore.live import path
from icws_explore.live.path import HOLD_S, Breakpoint, Delivery, Lane, Passing, difference, parts_of, passing
from icws_explore.protocol.errors import ArgumentValueError, IcwsError, StateError

S = 1_000_000_000
HOLD = object()


class Scene:
    """A lane; a frame is one letter, and what went out is told as a text."""

    def __init__(self):
        self.lane = Lane()
        self.outcomes = []
        self.items = {}

    def take(self, letter, now=0, *, held=False, delay_s=0, overtakable=False):
        frame = Frame(now, "in", "binary", letter.encode())
        item = passing(frame, (Delivery(frame.data, delay_s * 1000, overtakable), ""), None, now, None)
        if held:
            item.stop(HOLD, now + round(HOLD_S * S))
        self.items[letter] = item
        self.outcomes += self.lane.take(item, now)

    def decide(self, what, letter, now=0, *args, **options):
        self.outcomes += getattr(self.lane, what)(self.items[letter], now, *args, **options)

    def tick(self, now):
        self.outcomes += self.lane.tick(now)

    @property
    def out(self):
        return " ".join(data.decode() for outcome in self.outcomes for data in outcome.data)

    @property
    def did(self):
        return [outcome.did for outcome in self.outcomes]


@pytest.fixture
def scene():
    return Scene()


class TestOrder:
    def test_frames_that_nobody_wants_pass_at_once(self, scene):
        for letter in "abc":
            scene.take(letter)
        assert (scene.out, scene.did, scene.lane.is_empty) == ("a b c", ["", "", ""], True)

    def test_a_held_frame_holds_up_those_behind_it(self, scene):
        scene.take("a")
        scene.take("b", held=True)
        scene.take("c")
        assert scene.out == "a"
        scene.decide("forward", "b")
        assert scene.out == "a b c"

    def test_a_decision_is_carried_out_though_an_earlier_frame_is_held(self, scene):
        for letter in "ab":
            scene.take(letter, held=True)
        scene.decide("forward", "b")
        assert scene.out == "b"
        scene.decide("forward", "a")
        assert scene.out == "b a"

    def test_a_delay_keeps_the_order(self, scene):
        scene.take("a", delay_s=5)
        scene.take("b", now=1 * S)
        assert (scene.out, scene.lane.deadline_ns) == ("", 5 * S)
        scene.tick(5 * S)
        assert scene.out == "a b"

    def test_unless_it_may_be_overtaken(self, scene):
        scene.take("a", delay_s=5, overtakable=True)
        scene.take("b", now=1 * S)
        scene.tick(5 * S)
        assert scene.out == "b a"


class TestDecisions:
    @pytest.mark.parametrize(
        ("what", "options", "out", "did"),
        [
            ("forward", {}, "a", "held by a breakpoint, forwarded"),
            ("forward", {"data": b"x"}, "x", "held by a breakpoint, edited and forwarded"),
            ("forward", {"data": b"a"}, "a", "held by a breakpoint, forwarded"),
            ("forward", {"copies": 2}, "a a", "held by a breakpoint, duplicated"),
            ("drop", {}, "", "dropped by a breakpoint"),
        ],
    )
    def test_say_what_was_done(self, scene, what, options, out, did):
        scene.take("a", held=True)
        scene.decide(what, "a", 3 * S, **options)
        assert (scene.out, scene.did) == (out, [did])
        assert scene.outcomes[0].frame.data == b"a"

    def test_a_delay_begins_with_the_decision(self, scene):
        scene.take("a", held=True)
        scene.take("b")
        scene.decide("delay", "a", 10 * S, 2)
        assert (scene.out, scene.lane.deadline_ns) == ("", 12 * S)
        scene.tick(12 * S)
        assert scene.out == "a b"

    def test_a_reordered_frame_leaves_behind_the_next(self, scene):
        for letter in "abc":
            scene.take(letter, held=letter == "a")
        scene.decide("reorder", "a")
        assert scene.out == "b a c"

    def test_also_if_the_next_has_yet_to_come(self, scene):
        scene.take("a", held=True)
        scene.decide("reorder", "a")
        assert scene.out == ""
        scene.take("b")
        assert scene.out == "b a"

    def test_if_none_comes_it_leaves_in_the_end(self, scene):
        scene.take("a", held=True)
        scene.decide("reorder", "a")
        assert scene.lane.deadline_ns == HOLD_S * S
        scene.tick(round(HOLD_S * S))
        assert scene.out == "a"

    @pytest.mark.parametrize("again", ["forward", "drop", "reorder"])
    def test_there_is_one_of_each(self, scene, again):
        scene.take("a", held=True)
        scene.decide("drop", "a")
        with pytest.raises(StateError, match="not held any more"):
            scene.decide(again, "a")

    @pytest.mark.parametrize("seconds", [-1, 1e9, float("nan")])
    def test_no_delay_is_endless(self, scene, seconds):
        scene.take("a", held=True)
        with pytest.raises(ArgumentValueError):
            scene.decide("delay", "a", 0, seconds)
        assert scene.items["a"].is_held


class TestEnds:
    def test_the_time_out_forwards_unchanged(self, scene):
        scene.take("a", held=True)
        scene.take("b")
        assert scene.lane.deadline_ns == HOLD_S * S
        scene.tick(round(HOLD_S * S))
        assert (scene.out, scene.did[0]) == ("a b", "held by a breakpoint until its time-out")

    def test_a_release_forwards_in_order_what_this_breakpoint_holds(self, scene):
        scene.take("a", held=True)
        scene.take("b", held=True)
        scene.items["b"].hold = object()
        scene.outcomes += scene.lane.release(HOLD, 0)
        assert scene.out == "a"
        scene.outcomes += scene.lane.release(None, 0)
        assert scene.out == "a b"

    def test_the_end_of_the_session_drops_and_says_so(self, scene):
        scene.take("a", held=True)
        scene.take("b")
        scene.outcomes += scene.lane.clear("its receiver has gone")
        assert (scene.out, scene.lane.is_empty) == ("", True)
        assert scene.did == ["dropped, because its receiver has gone"] * 2

    def test_a_frame_behind_others_sets_no_timer(self, scene):
        """Its time has passed: a timer for it would run for ever."""
        scene.take("a", held=True)
        scene.take("b", now=S)
        assert scene.lane.deadline_ns == HOLD_S * S


class TestDifferences:
    @pytest.mark.parametrize(
        ("came", "went", "text"),
        [
            (b"abc", b"axc", "from byte 1 on, 62 became 78"),
            (b"abc", b"ac", "from byte 1 on, 62 became nothing"),
            (b"aa", b"aaa", "from byte 2 on, nothing became 61"),
            (b"", b"x" * 40, f"from byte 0 on, nothing became {'78' * 32}…"),
        ],
    )
    def test_are_one_line(self, came, went, text):
        assert difference(came, went) == text


class TestBounds:
    def test_by_number(self, scene, monkeypatch):
        monkeypatch.setattr(path, "MAX_FRAMES", 2)
        scene.take("a", held=True)
        assert not scene.lane.is_full
        scene.take("b")
        assert scene.lane.is_full
        scene.decide("drop", "a")
        assert not scene.lane.is_full

    def test_by_bytes_of_what_came(self, scene, monkeypatch):
        monkeypatch.setattr(path, "MAX_BYTES", 1)
        scene.take("a", held=True)
        assert scene.lane.is_full
        scene.decide("forward", "a", data=b"longer")
        assert not scene.lane.is_full


class TestBreakpoints:
    @pytest.mark.parametrize("timeout_s", [0, -1, 601, float("nan"), float("inf")])
    def test_hold_for_a_bounded_time(self, timeout_s):
        with pytest.raises(ArgumentValueError, match="timeout_s"):
            Breakpoint("size > 3", timeout_s=timeout_s)

    def test_a_bad_filter_is_one_line(self):
        with pytest.raises(IcwsError, match="'nonsense' is not one of"):
            Breakpoint("nonsense == 3")

    def test_of_a_session_or_of_all(self):
        decoded = decode_frame(Frame(0, "in", "binary", b"abc", session="1"))
        assert Breakpoint("size == 3").wants(decoded, 0)
        assert Breakpoint("size == 3", session="1").wants(decoded, 0)
        assert not Breakpoint("size == 3", session="2").wants(decoded, 0)
        assert not Breakpoint("size == 4").wants(decoded, 0)


class TestRules:
    def parts(self, *rules):
        frame = Frame(0, "in", "binary", b"abc")
        parts, dropped_by = parts_of(decode_frame(frame), rules, decode_frame)
        return [(d.data, d.delay_ms, did) for d, did in parts], dropped_by

    def test_none_changes_nothing(self):
        assert self.parts() == ([(b"abc", 0.0, "")], "")

    def test_say_what_they_did(self):
        def twice(decoded):
            return [Delivery(decoded.frame.data, 500), Delivery(b"x")]

        assert self.parts(("R", twice))[0] == [
            (b"abc", 500.0, "delayed for 0.5 s, copy 1 of 2 by R"),
            (b"x", 0.0, "edited, copy 2 of 2 by R"),
        ]

    def test_a_later_one_gets_what_an_earlier_lets_through(self):
        def late(decoded):
            return [Delivery(decoded.frame.data, 500)]

        def mark(decoded):
            return [Delivery(decoded.frame.data + b"!", 250)]

        assert self.parts(("late", late), ("mark", mark))[0] == [
            (b"abc!", 750.0, "delayed for 0.5 s by late; edited, delayed for 0.25 s by mark")
        ]
        assert self.parts(("drop", lambda _: []), ("mark", mark)) == ([], "drop")

    def test_make_a_bounded_number_of_copies(self):
        parts, _ = self.parts(
            ("many", lambda d: [Delivery(d.frame.data)] * 10_000), ("more", lambda d: [Delivery(d.frame.data)] * 50)
        )
        assert len(parts) == path.MAX_COPIES

    def test_what_they_did_stands_before_what_a_breakpoint_did(self):
        lane = Lane()
        item = Passing(Frame(0, "in", "binary", b"a"), None, 0, None, b"b", 0, "edited by R")
        item.stop(HOLD, S)
        lane.take(item, 0)
        (outcome,) = lane.forward(item, 0)
        assert (outcome.data, outcome.did) == ((b"b",), "edited by R; held by a breakpoint, forwarded")
        assert outcome.sent == (replace(item.frame, data=b"b"),)
