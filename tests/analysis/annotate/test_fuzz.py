"""Hostile frames: only documented errors come out of reading and verifying them, after little work, in little memory.

Work is counted in lines of Python, which a busy machine does not change; `make bench` says what the worst of the
specials cost in milliseconds.

The inputs are real frames changed by a seeded generator: golden prefix with a random tail, bit flips,
truncations, splices of two captures, lengths blown up; and the specials of support.hostile_frames.
ICWS_FUZZ_INPUTS asks for more of them, ICWS_FUZZ_SEED for others: `make fuzz`.
"""

from __future__ import annotations

import dataclasses
import os
import random
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import decode_frame
from icws_explore.analysis.envelopes import check_frames
from icws_explore.analysis.verify import verify_frames
from icws_explore.capture import Capture, Frame, SessionInfo
from icws_explore.protocol import verify as message_verify
from icws_explore.protocol.certificate import check as certificate_check
from icws_explore.protocol.certificate import delegation as certificate_delegation
from icws_explore.protocol.certificate import format as certificate_signature
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.views.annotated_text import annotated_text
from support.annotated import APP_TYPE, CANISTER, assert_tiles, vector_frames
from support.cost import lines_of
from support.hostile_frames import LARGEST, hostile_frames
from support.session_captures import healthy

INPUTS = int(os.environ.get("ICWS_FUZZ_INPUTS", "20000"))
SEED = int(os.environ.get("ICWS_FUZZ_SEED", "2026"))
BATCHES = 8
MAX_MB = 64
MAX_LINES = 1_500_000  # of Python, for one frame: about 50 ms
VERIFIED = 4  # every so many-th input is verified as well
COUNTED = 8  # of so many inputs in a row the work of two is counted: of one that is read, of one that is verified

CAPTURE = healthy()
GOLDEN = [*vector_frames(), *CAPTURE.frames]
ROOT_KEY = CAPTURE.info.root_key or MAINNET_ROOT_KEY
INFO = SessionInfo(root_key=ROOT_KEY, canister_id=CANISTER.text)


def read(frame: Frame) -> None:
    """All that a view does with a frame before it shows it."""
    decoded = decode_frame(frame, app_type=APP_TYPE)
    assert len(decoded.summary) < 10_000
    assert_tiles(annotate_frame(frame, app_type=APP_TYPE), len(frame.data))


def verify(frame: Frame) -> None:
    decoded = decode_frame(frame, app_type=APP_TYPE)
    for verdict in verify_frames([decoded], Capture(INFO, [frame]), root_key=ROOT_KEY):
        assert verdict.steps
    for sent in check_frames([decoded], root_key=ROOT_KEY, canister_id=CANISTER):
        assert sent.steps


def forget() -> None:
    """What was verified before is verified anew: an input is as slow as it is the first time."""
    for cached in (certificate_check, certificate_delegation, certificate_signature, message_verify):
        for function in vars(cached).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()


def count_lines(work: Callable[[Frame], None], frame: Frame) -> int:
    """Lines of Python that it takes the first time, when nothing is remembered; fails above `MAX_LINES`."""
    forget()
    return lines_of(lambda: work(frame), most=MAX_LINES)


def changed(dice: random.Random, frame: Frame) -> Frame:
    """Half of the frames are changed as they are, which mostly ends the outermost layer; half further in."""
    data = broken_inside(dice, frame) if dice.random() < 0.5 else broken(dice, frame.data)
    direction = frame.direction if dice.random() < 0.9 else dice.choice(("in", "out"))
    return dataclasses.replace(frame, data=data, direction=direction)


def broken_inside(dice: random.Random, frame: Frame) -> bytes:
    """``frame`` with one of its inner layers broken, and everything around it whole."""
    decoded = decode_frame(frame)
    message, envelope = decoded.canister_message, decoded.envelope
    if message is not None:
        if dice.random() < 0.25:
            inner = message.message
            content = dataclasses.replace(inner, content=broken(dice, inner.content)).encode()
            return dataclasses.replace(message, content=content).encode()
        parts = [message.content, message.cert, message.tree]
        at = dice.randrange(3)
        parts[at] = broken(dice, parts[at])
        return CanisterMessage(message.key, *parts).encode()
    if envelope is not None:
        call = envelope.content | {"arg": broken(dice, envelope.content["arg"])}
        return dataclasses.replace(envelope, content=call).encode_frame()
    return broken(dice, frame.data)


def broken(dice: random.Random, golden: bytes) -> bytes:
    data = bytearray(golden)
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(7):
            case 0:
                data[at:] = dice.randbytes(dice.randrange(60))
            case 1 if data:
                data[at % len(data)] ^= 1 << dice.randrange(8)
            case 2:
                del data[at:]
            case 3:
                other = dice.choice(GOLDEN).data
                data[at:] = other[dice.randrange(len(other) + 1) :]
            case 4:
                data[at : at + 1] = dice.choice(
                    (b"\xff" * 8, b"\x9b\x7f\xff\xff\xff", b"\xd8\x1c", b"\x5f", b"\x80" * 40)
                )
            case 5:
                other = dice.choice(GOLDEN).data
                start = dice.randrange(len(other) + 1)
                data[at:at] = other[start : start + dice.randrange(200)]
            case _:
                del data[at : at + dice.randrange(1, 30)]
    return bytes(data)


def inputs(batch: int) -> Iterator[Frame]:
    dice = random.Random(f"{SEED}-{batch}")
    frames = [frame for frame in GOLDEN if frame.op == "binary"]
    for _ in range(INPUTS // BATCHES):
        yield changed(dice, dice.choice(frames))


@pytest.mark.timeout(max(600, INPUTS // 50))
@pytest.mark.parametrize("batch", [0, *(pytest.param(batch, marks=pytest.mark.slow) for batch in range(1, BATCHES))])
def test_changed_frames(batch: int) -> None:
    for number, frame in enumerate(inputs(batch)):
        work = verify if number % VERIFIED == 0 else read
        try:
            if number % COUNTED < 2:
                count_lines(work, frame)
            else:
                work(frame)
        except IcwsError as error:
            pytest.fail(f"{type(error).__name__} out of reading a frame: {error}")


def test_changed_frames_stay_small() -> None:
    tracemalloc.start()  # everything is some times slower then: a sample has to do
    try:
        for frame in islice(inputs(0), 500):
            read(frame)
            verify(frame)
        assert tracemalloc.get_traced_memory()[1] < MAX_MB * 1024 * 1024
    finally:
        tracemalloc.stop()


SPECIALS = dict(hostile_frames())


@pytest.mark.parametrize("name", SPECIALS)
class TestSpecials:
    @pytest.mark.parametrize("work", [decode_frame, annotate_frame, verify], ids=["decode", "annotate", "verify"])
    def test_take_little_work_and_stay_small(self, name: str, work: Callable[[Frame], None]) -> None:
        frame = SPECIALS[name]
        assert count_lines(work, frame) > 0
        tracemalloc.start()
        try:
            work(frame)
            assert tracemalloc.get_traced_memory()[1] < MAX_MB * 1024 * 1024
        finally:
            tracemalloc.stop()

    def test_leaves_tile_and_text_is_bounded(self, name: str) -> None:
        frame = SPECIALS[name]
        root = annotate_frame(frame)
        assert_tiles(root, len(frame.data))
        assert len(annotated_text(root, frame.data)) < 1_000_000


def test_the_inner_layers_are_reached() -> None:
    """A good part of the inputs decodes as far as the layers whose readers are on trial."""
    decoded = [decode_frame(frame, app_type=APP_TYPE) for frame in islice(inputs(0), 500)]
    assert sum(each.canister_message is not None or each.envelope is not None for each in decoded) > 200


def test_there_are_enough() -> None:
    assert INPUTS >= 20_000
    assert max(len(frame.data) for frame in SPECIALS.values()) > LARGEST
