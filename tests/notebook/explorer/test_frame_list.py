from __future__ import annotations

from typing import Any

import pytest

from icws_explore.capture import Capture
from icws_explore.notebook.explorer.frame_list import HEAD, MAX_BLOCK, TAIL, FrameList
from support.explorer_scene import growing, indexed, open_comms, sent_by
from support.session_captures import healthy


def many(count: int) -> Capture:
    whole = healthy()
    return Capture(whole.info, [whole.frames[number % len(whole)] for number in range(count)])


class TestState:
    def test_holds_the_first_rows(self) -> None:
        widget = FrameList(indexed(many(500)))
        assert (widget.total, widget.frames, len(widget.head)) == (500, 500, HEAD)
        assert widget.head[7][0] == 7

    def test_knows_the_language_of_the_filter(self) -> None:
        widget = FrameList(indexed(healthy()))
        assert "sequence_num" in [name for name, _ in widget.names]
        assert widget.kinds["ack"] == "▲"

    def test_gives_the_script_as_text(self) -> None:
        assert isinstance(FrameList.__dict__["_esm"], str) or "export default" in str(FrameList._esm)


class TestRows:
    def asked(self, widget: FrameList, **message: Any) -> None:
        widget._handle_custom_msg({"type": "rows", **message}, [])

    def test_come_in_the_asked_range(self, monkeypatch: pytest.MonkeyPatch) -> None:
        widget = FrameList(indexed(many(900)))
        sent = sent_by(widget, monkeypatch)
        self.asked(widget, generation=widget.generation, start=300, stop=400)
        assert [row[0] for row in sent[0]["rows"]] == list(range(300, 400))
        assert (sent[0]["start"], sent[0]["generation"]) == (300, widget.generation)

    def test_of_an_old_generation_are_not_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        widget = FrameList(indexed(many(900)))
        old = widget.generation
        widget.where = 'kind == "ack"'
        sent = sent_by(widget, monkeypatch)
        self.asked(widget, generation=old, start=300, stop=400)
        assert sent == []

    def test_are_no_more_than_a_block(self, monkeypatch: pytest.MonkeyPatch) -> None:
        widget = FrameList(indexed(many(900)))
        sent = sent_by(widget, monkeypatch)
        self.asked(widget, generation=widget.generation, start=0, stop=10**9)
        assert len(sent[0]["rows"]) == MAX_BLOCK

    @pytest.mark.parametrize("message", [{}, {"type": "rows", "start": "0"}, {"type": "nothing"}, {"type": "view"}])
    def test_a_message_of_another_shape_is_left_alone(
        self, message: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        widget = FrameList(indexed(healthy()))
        sent = sent_by(widget, monkeypatch)
        widget._handle_custom_msg(message, [])
        assert sent == []


class TestFilter:
    def test_typed_wrongly_keeps_the_list_and_says_why(self) -> None:
        widget = FrameList(indexed(healthy()))
        widget.where = 'kind == "ack"'
        before = widget.total, widget.generation, widget.head
        widget.where = 'kind = "ack"'
        assert widget.error
        assert (widget.total, widget.generation, widget.head) == before
        widget.where = ""
        assert widget.error == ""
        assert widget.total == widget.frames

    def test_of_a_list_that_follows_comes_with_its_end(self) -> None:
        widget = FrameList(indexed(many(900)))
        widget.live = True
        widget.where = "frame >= 5"
        assert (widget.tail["generation"], widget.tail["start"]) == (widget.generation, 895 - TAIL)
        assert [row[0] for row in widget.tail["rows"]] == list(range(900 - TAIL, 900))
        widget.live = False
        widget.where = ""
        assert widget.tail == {}

    def test_keeps_the_selection_by_the_frame(self) -> None:
        index = indexed(healthy())
        widget = FrameList(index)
        widget.selected = 3
        widget.where = "frame > 1"
        assert (widget.selected, widget.selected_row) == (3, 1)
        widget.where = "frame > 3"
        assert (widget.selected, widget.selected_row) == (3, -1)


class TestGrowth:
    def test_brings_the_tail(self) -> None:
        capture, until = growing(many(600), begin=300)
        widget = FrameList(indexed(capture))
        until(310)
        widget.index.take()
        widget.grew()
        assert (widget.total, widget.frames) == (310, 310)
        assert (widget.tail["start"], [row[0] for row in widget.tail["rows"]]) == (300, list(range(300, 310)))
        until(600)
        widget.index.take()
        widget.grew()
        assert len(widget.tail["rows"]) == HEAD
        assert widget.tail["start"] == 400

    def test_of_a_paused_list_waits(self) -> None:
        capture, until = growing(healthy(), begin=3)
        widget = FrameList(indexed(capture))
        widget.paused = True
        until(6)
        widget.index.take()
        widget.grew()
        assert (widget.total, widget.frames) == (3, 6)
        widget.paused = False
        assert widget.total == 6

    def test_reaches_views_that_open_later(self) -> None:
        capture, until = growing(healthy(), begin=0)
        widget = FrameList(indexed(capture))
        until(4)
        widget.index.take()
        widget.grew()
        assert len(widget.head) == 4


class TestClosing:
    def test_leaves_no_comm(self) -> None:
        before = open_comms()
        for _ in range(20):
            FrameList(indexed(healthy())).close()
        assert open_comms() == before
