from __future__ import annotations

from typing import Any

import pytest

from icws_explore.analysis.recording import Recording, load
from icws_explore.capture import Capture
from icws_explore.notebook.explorer.live.raw_form import CODES, MAX_BYTES, OPS, RawForm, fields_of, value_of
from icws_explore.protocol.close_codes import check_close
from support.lab_requests import eventually
from support.machine import ROOT
from support.session_captures import hostile

HEALTHY = load(ROOT / "data" / "sessions" / "healthy.icws")
MESSAGE = next(frame.number for frame in HEALTHY if frame.kind == "message")
APP = next(frame.number for frame in HEALTHY if frame.kind == "app")
CLOSE = next(frame.number for frame in HEALTHY if frame.frame.op == "close")


class Told:
    """What the form does, and a form that does it."""

    def __init__(self, recording: Recording | None = HEALTHY, selected: int | None = None) -> None:
        self.sent: list[tuple[bytes, str]] = []
        self.closed: list[tuple[int, str]] = []
        self.form = RawForm(self._send, self._close, recording=lambda: recording, selected=lambda: selected)

    async def _send(self, data: bytes, op: str) -> None:
        self.sent.append((data, op))

    async def _close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))

    def __call__(self, **message: Any) -> list[str]:
        self.form._handle_custom_msg(message, [])
        status: list[str] = self.form.status
        return status


class TestLoading:
    def test_gives_the_bytes_the_fields_and_what_it_is(self) -> None:
        tell = Told()
        tell(do="load", number=str(MESSAGE))
        loaded = tell.form.loaded
        assert bytes.fromhex(loaded["hex"]) == HEALTHY.raw[MESSAGE].data
        assert loaded["about"] == f"frame {MESSAGE}: message, sent by the client"
        assert "envelope.content.arg.msg.sequence_num" in dict(tell.form.fields)
        assert tell.form.verdict[0] == ""

    def test_takes_the_selected_frame(self) -> None:
        tell = Told(selected=APP)
        tell(do="load selected")
        assert tell.form.loaded["about"] == f"frame {APP}: app, from the canister, not meant for the gateway"

    @pytest.mark.parametrize(
        ("recording", "number", "reason"),
        [
            (HEALTHY, "x", "select a frame in the list, or write its number"),
            (HEALTHY, 10**6, f"there is no frame 1000000: the last one is {len(HEALTHY) - 1}"),
            (HEALTHY, CLOSE, f"frame {CLOSE} is a close, which is not sent from here"),
            (None, 0, "there is no frame yet to load"),
            (Recording(Capture()), 0, "there is no frame yet to load"),
        ],
    )
    def test_says_in_one_line_what_cannot_be_loaded(self, recording: Any, number: Any, reason: str) -> None:
        assert Told(recording)(do="load", number=number) == ["bad", reason]

    def test_of_hostile_frames_shows_one_line_each(self) -> None:
        recording = Recording(hostile())
        tell = Told(recording)
        for number in range(len(recording)):
            tell(do="load", number=number)
            shown = [tell.form.status[1], tell.form.verdict[1], *(text for pair in tell.form.fields for text in pair)]
            assert all(text.isprintable() for text in shown)


class TestEditing:
    def test_a_changed_field_names_the_step_that_catches_it(self) -> None:
        tell = Told()
        tell(do="load", number=MESSAGE)
        raw = tell.form.loaded["hex"]
        path = "envelope.content.arg.msg.sequence_num"
        assert tell(do="change", hex=raw, op="binary", path=path, value="99") == ["good", f"{path} is changed"]
        _, changed = tell.form.changed
        assert changed != raw
        assert dict(tell.form.fields)[path] == "99"
        assert tell.form.verdict[0] == "bad"
        assert "caught by signature" in tell.form.verdict[1]

    def test_of_a_canister_message_is_caught_too(self) -> None:
        tell = Told()
        tell(do="load", number=APP)
        tell(do="change", hex=tell.form.loaded["hex"], op="binary", path="content.sequence_num", value="7")
        assert "caught by body" in tell.form.verdict[1]

    def test_each_change_can_be_told_from_the_last(self) -> None:
        tell = Told()
        tell(do="load", number=MESSAGE)
        raw = tell.form.loaded["hex"]
        numbers = []
        for _ in range(2):
            tell(do="change", hex=raw, op="binary", path="envelope.content.arg.msg.sequence_num", value="99")
            numbers.append(tell.form.changed[0])
        assert numbers == [1, 2]

    @pytest.mark.parametrize(
        ("path", "value", "reason"),
        [("nowhere", "1", "the frame has no field 'nowhere'"), ("sequence_num", "x", "nat64 takes an int, not str")],
    )
    def test_that_does_not_work_is_one_line(self, path: str, value: str, reason: str) -> None:
        tell = Told()
        tell(do="load", number=MESSAGE)
        tone, text = tell(do="change", hex=tell.form.loaded["hex"], op="binary", path=path, value=value)
        assert tone == "bad"
        assert reason in text

    def test_bytes_that_are_typed_are_looked_at(self) -> None:
        tell = Told(None)
        tell(do="look", hex="ff", op="binary")
        assert tell.form.verdict[0] == "note"
        assert tell.form.verdict[1].startswith("1 byte: malformed")
        assert tell(do="look", hex="f", op="binary")[1].startswith("there is an odd number")
        assert tell(do="look", hex="00" * (MAX_BYTES + 1), op="binary") == [
            "bad",
            "65537 bytes are too many to edit here",
        ]

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("7", 7),
            ("0x00ff", b"\x00\xff"),
            ("hello", "hello"),
            ("[1, 2]", [1, 2]),
            ("True", True),
            ("(" * 500, "(" * 500),
        ],
    )
    def test_values_are_read_as_they_are_meant(self, text: str, value: Any) -> None:
        assert value_of(text) == value

    def test_fields_are_bounded(self) -> None:
        assert all(len(path) <= 200 and len(value) <= 200 for path, value in fields_of(HEALTHY.raw[APP], None))


class TestSending:
    async def test_sends_the_bytes_as_they_are(self) -> None:
        tell = Told()
        tell(do="send", hex="0x00 ff", op="binary")
        await eventually(lambda: tell.form.status == ["good", "sent 2 bytes as a binary frame"])
        assert tell.sent == [(b"\x00\xff", "binary")]
        tell.form.close()

    async def test_closes_with_a_code_and_a_reason(self) -> None:
        tell = Told()
        tell(do="close", code=4000, reason="enough")
        await eventually(lambda: tell.form.status == ["good", "closed with 4000 enough"])
        assert tell.closed == [(4000, "enough")]
        tell.form.close()

    def test_a_code_that_cannot_be_sent_is_refused(self) -> None:
        tell = Told()
        assert tell(do="close", code=1006, reason="")[1].startswith("a close frame cannot have the code 1006")
        assert tell(do="close", code="x", reason="")[0] == "bad"

    def test_codes_that_are_offered_can_be_sent(self) -> None:
        for code, _ in CODES:
            check_close(code, "")
        assert OPS == ("binary", "text", "ping")

    def test_without_a_session_nothing_is_sent(self) -> None:
        tell = Told()
        tell.form.refusal = "no session is open: connect first"
        assert tell(do="send", hex="00", op="binary") == ["bad", "no session is open: connect first"]
        assert tell.sent == []


class TestSigning:
    def test_puts_the_signed_bytes_in_place(self) -> None:
        tell = Told()
        tell.form._sign = lambda data: HEALTHY.raw[MESSAGE].data
        tell(do="load", number=str(MESSAGE))
        assert tell(do="sign", hex="00", op="binary") == ["good", "signed anew by the session's identity"]
        assert tell.form.changed == [1, HEALTHY.raw[MESSAGE].data.hex(" ")]

    def test_without_an_identity_says_so(self) -> None:
        tell = Told()
        assert tell(do="sign", hex="00", op="binary") == ["bad", "there is no identity here that could sign"]
        tell.form.refusal = "there is no session"
        tell.form._sign = bytes
        assert tell(do="sign", hex="00", op="binary") == ["bad", "there is no session"]
