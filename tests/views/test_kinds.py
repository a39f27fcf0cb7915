from __future__ import annotations

from typing import get_args

import pytest

from icws_explore.analysis.decode import Kind, decode_frames
from icws_explore.views.kinds import LOOKS, lane_of
from support.contrast import contrast
from support.session_captures import healthy, hostile


class TestLooks:
    def test_every_kind_has_one(self) -> None:
        assert set(LOOKS) == set(get_args(Kind))

    def test_no_two_kinds_share_a_glyph_or_a_marker(self) -> None:
        assert len({look.glyph for look in LOOKS.values()}) == len(LOOKS)
        assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)

    @pytest.mark.parametrize("kind", LOOKS)
    def test_text_in_a_kinds_colour_can_be_read_in_either_theme(self, kind: Kind) -> None:
        assert contrast(LOOKS[kind].light, "#ffffff") >= 4.5
        assert contrast(LOOKS[kind].dark, "#16191d") >= 4.5


class TestLanes:
    def test_a_kind_belongs_to_who_makes_it(self) -> None:
        lanes = {d.kind: lane_of(d) for d in decode_frames(healthy())}
        assert lanes["message"] == lanes["keep_alive"] == lanes["open_request"] == "client"
        assert lanes["app"] == lanes["ack"] == lanes["open"] == "canister"
        assert lanes["handshake"] == "gateway"

    def test_what_cannot_be_read_belongs_to_who_sent_it_over_the_socket(self) -> None:
        lanes = [(d.frame.direction, lane_of(d)) for d in decode_frames(hostile()) if d.kind == "malformed"]
        assert lanes == [("in", "gateway"), ("out", "client")]
