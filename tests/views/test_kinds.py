from __future__ import annotations

from typing import get_args

import pytest

from icws_explore.analysis.decode import Kind, decode_frames
from icws_explore.views.kinds import LOOKS, lane_of
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


class TestLanes:
    def test_are_those_of_the_causing_party(self) -> None:
        lanes = {d.kind: lane_of(d) for d in decode_frames(healthy())}
        assert lanes["message"] == lanes["keep_alive"] == lanes["open_request"] == "client"
        assert lanes["app"] == lanes["ack"] == lanes["open"] == "canister"
        assert lanes["handshake"] == "gateway"

    def test_of_malformed_frames_are_those_of_the_sending_side(self) -> None:
        lanes = [(d.frame.direction, lane_of(d)) for d in decode_frames(hostile()) if d.kind == "malformed"]
        assert lanes == [("in", "gateway"), ("out", "client")]
