"""The cells of a table are those of the frames that every other view decodes."""

import random
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import icws_explore as icws
from icws_explore.analysis.cells import frame_cells
from icws_explore.analysis.decode import decode_frames, shared_frames
from icws_explore.analysis.recording import frame_table, table_of
from icws_explore.capture import Capture, Frame
from icws_explore.protocol.cbor import dumps, loads
from support.hostile_frames import hostile_frames

SESSIONS = sorted((Path(__file__).parents[2] / "data" / "sessions").glob("*.icws*"))


def by_decoding(capture):
    return [(d.kind, d.sequence_num, d.summary, d.value) for d in decode_frames(capture)]


def in_a_table(capture):
    return [tuple(cells) for cells in frame_cells(capture, capture.frames)]


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name)
class TestRecordings:
    def test_the_cells_are_those_of_decoded_frames(self, path):
        capture = icws.load(path).raw
        for app_type in (capture.info.app_type, None, "record { text : nat }", "not a type"):
            other = Capture(replace(capture.info, app_type=app_type), capture.frames)
            assert in_a_table(other) == by_decoding(other)

    def test_the_tables_are_the_same(self, path):
        capture = icws.load(path).raw
        pd.testing.assert_frame_equal(frame_table(capture), table_of(list(decode_frames(capture))))

    def test_frames_that_are_decoded_already_are_used(self, path):
        capture = icws.load(path).raw
        before = in_a_table(capture)
        assert len(list(shared_frames(capture))) == len(before)
        assert in_a_table(capture) == before

    def test_with_damage_anywhere(self, path):
        capture, dice = icws.load(path).raw, random.Random(path.name)
        damaged = Capture(capture.info, [_damaged(frame, dice) for frame in capture.frames for _ in range(4)])
        assert in_a_table(damaged) == by_decoding(damaged)


def _damaged(frame, dice):
    data = bytearray(frame.data)
    for _ in range(dice.choice((1, 1, 2, 8)) if data else 0):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return replace(frame, data=bytes(data), direction=dice.choice(("in", "out", frame.direction)))


def test_hostile_frames():
    capture = Capture(frames=[frame for _, frame in hostile_frames()])
    assert in_a_table(capture) == by_decoding(capture)


def test_a_handshake_that_is_a_canister_message_too():
    capture = icws.load(SESSIONS[0]).raw
    message = next(frame for frame in capture.frames if b"content" in frame.data and frame.direction == "in")
    for gateway in (b"gateway", 7):
        both = dumps({**loads(message.data), "gateway_principal": gateway})
        other = Capture(capture.info, [replace(message, data=both)])
        assert in_a_table(other) == by_decoding(other)


def test_a_replaced_frame_is_not_taken_from_those_decoded():
    capture = icws.load(SESSIONS[0]).raw
    assert list(shared_frames(capture))
    capture.frames[2] = Frame(capture.frames[2].t, "in", "binary", b"\x00")
    assert in_a_table(capture) == by_decoding(capture)


def test_values_belong_to_the_caller():
    capture = icws.load(SESSIONS[0]).raw
    assert list(shared_frames(capture))
    for value in frame_table(capture).value:
        if isinstance(value, dict):
            value.clear()
    assert in_a_table(capture) == by_decoding(capture)


def test_no_frames():
    table = frame_table(Capture())
    assert len(table) == 0
    assert table.t.dt.tz is not None
