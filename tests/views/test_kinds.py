from __future__ import annotations

from itertools import combinations
from typing import get_args

import pytest

from icws_explore.analysis.decode import Kind, decode_frames
from icws_explore.views.kinds import LOOKS, lane_of
from icws_explore.views.theme import SHADES
from support.colour_vision import SIGHTS, distance
from support.contrast import contrast
from support.session_captures import healthy, hostile


class TestLooks:
    def test_exist_for_every_kind(self) -> None:
        assert set(LOOKS) == set(get_args(Kind))

    def test_have_different_glyphs_and_markers(self) -> None:
        assert len({look.glyph for look in LOOKS.values()}) == len(LOOKS)
        assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)

    @pytest.mark.parametrize("kind", LOOKS)
    def test_have_readable_colours_in_both_themes(self, kind: Kind) -> None:
        assert contrast(LOOKS[kind].light, "#ffffff") >= 4.5
        assert contrast(LOOKS[kind].dark, "#16191d") >= 4.5


class TestColours:
    @pytest.mark.parametrize("sight", SIGHTS)
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_stay_apart_for_a_colour_blind_reader(self, theme: str, sight: str) -> None:
        colours = {getattr(look, theme) for look in LOOKS.values()}
        assert min(distance(*pair, sight) for pair in combinations(colours, 2)) >= 16

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_of_a_pass_and_a_failure_stay_apart_too(self, theme: str) -> None:
        good, bad = getattr(SHADES["good"], theme), getattr(SHADES["bad"], theme)
        assert min(distance(good, bad, sight) for sight in SIGHTS) >= 16

    def test_of_equal_colour_are_told_apart_by_their_markers(self) -> None:
        """In grey all kinds are told apart by marker and glyph alone, so these are all different."""
        by_colour: dict[str, set[str]] = {}
        for look in LOOKS.values():
            by_colour.setdefault(look.light, set()).add(look.marker)
        assert sum(map(len, by_colour.values())) == len(LOOKS)


class TestLanes:
    def test_are_those_of_the_causing_party(self) -> None:
        lanes = {d.kind: lane_of(d) for d in decode_frames(healthy())}
        assert lanes["message"] == lanes["keep_alive"] == lanes["open_request"] == "client"
        assert lanes["app"] == lanes["ack"] == lanes["open"] == "canister"
        assert lanes["handshake"] == "gateway"

    def test_of_malformed_frames_are_those_of_the_sending_side(self) -> None:
        lanes = [(d.frame.direction, lane_of(d)) for d in decode_frames(hostile()) if d.kind == "malformed"]
        assert lanes == [("in", "gateway"), ("out", "client")]
