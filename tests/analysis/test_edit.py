"""Edit and see: whatever is changed, the rest stays as it is, and the right step notices."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis import edit
from icws_explore.analysis.decode import decode_frame
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, Frame
from icws_explore.protocol import hashtree
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError, ValueMismatchError
from icws_explore.protocol.hashtree import Empty
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseMessage, CloseReason, encode_service
from support.annotated import APP_TYPE, AT_S, annotated, canister_frame, message, vector_frames
from support.session_captures import SessionScript, healthy

RECORDING = Recording(healthy())
APP = next(decoded for decoded in RECORDING if decoded.kind == "app")
ACK = next(decoded for decoded in RECORDING if decoded.kind == "ack")
SENT = next(decoded for decoded in RECORDING if decoded.kind == "message")
OPEN = next(decoded for decoded in RECORDING if decoded.kind == "open_request")


def fails_at(number: int, changed: Frame) -> str | None:
    failure = edit.see(RECORDING, number, changed).failure
    return None if failure is None else failure.step


class TestSet:
    @pytest.mark.parametrize(
        ("path", "value", "step"),
        [
            ("content.sequence_num", 7, "body"),
            ("content.sequence_num", 2**40, "body"),
            ("content.text", "another text, and a longer one", "body"),
            ("content.text", "", "body"),
            ("content.timestamp", 0, "body"),
            ("client_principal", Principal.ANONYMOUS, "body"),
            ("is_service_message", True, "body"),
            ("key", "nonsense", "lookup"),
            ("cert.signature", bytes(48), "signature"),
            ("cert", b"\xa0", "parse"),
            ("tree", b"\x81\x00", "certified_data"),
        ],
    )
    def test_a_field_of_a_canister_message(self, path: str, value: Any, step: str) -> None:
        changed = edit.set(APP, path, value)
        assert changed.data != APP.frame.data
        assert annotated(changed).find("content").fault is None
        assert fails_at(APP.number, changed) == step

    @pytest.mark.parametrize(
        ("path", "value", "step"),
        [
            ("msg.sequence_num", 9, "signature"),
            ("msg.content.text", "x" * 300, "signature"),
            ("msg.client_key.client_nonce", 0, "signature"),
            ("msg.client_key.client_principal", Principal.ANONYMOUS, "signature"),
            ("sender", Principal.ANONYMOUS, "sender"),
            ("ingress_expiry", 0, "signature"),
            ("canister_id", Principal(bytes(10)), "parse"),
            ("nonce", b"x" * 40, "parse"),
            ("sender_sig", bytes(64), "signature"),
        ],
    )
    def test_a_field_of_a_request(self, path: str, value: Any, step: str) -> None:
        changed = edit.set(SENT, path, value)
        annotated(changed)
        seen = edit.see(RECORDING, SENT.number, changed)
        assert seen.failure is not None
        assert step in {each.step for each in seen.steps if each.ok is False}

    def test_reads_back(self) -> None:
        changed = decode_frame(edit.set(SENT, "content.text", "hello"), app_type=APP_TYPE)
        assert changed.value["text"] == "hello"
        assert decode_frame(edit.set(APP, "sequence_num", 300)).sequence_num == 300
        opened = decode_frame(edit.set(OPEN, "client_nonce", 5))
        assert opened.open_args is not None
        assert opened.open_args.client_nonce == 5
        service = decode_frame(edit.set(ACK, "last_incoming_sequence_num", 77)).service
        assert service == type(ACK.service)(77)

    def test_to_the_same_changes_nothing(self) -> None:
        for decoded in (APP, ACK, SENT, OPEN):
            for node in annotated(decoded.frame).walk():
                part = ":" in node.path and not node.path.endswith((":key", ":length", ":value"))
                if node.value is not None and not part:
                    assert edit.set(decoded, node.path, node.value) == decoded.frame, node

    def test_a_case_by_its_name(self) -> None:
        content = encode_service(CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT))
        frame = canister_frame(message(content, service=True).encode())
        changed = decode_frame(edit.set(frame, "reason", "WrongSequenceNumber"))
        assert changed.service == CloseMessage(CloseReason.WRONG_SEQUENCE_NUMBER)

    def test_a_whole_record(self) -> None:
        changed = edit.set(APP, "content.content:value", {"text": "a", "timestamp": 1})
        assert decode_frame(changed).value == {"text": "a", "timestamp": 1}

    def test_a_wrong_length(self) -> None:
        changed = edit.set(APP, "content.content.text:length", 100)
        assert decode_frame(changed).error is not None

    def test_declared_names(self) -> None:
        frame = SENT.frame
        assert edit.set(frame, "msg.content.text", "q", app_type=APP_TYPE) == edit.set(frame, "msg.content.text", "q")

    def test_what_is_no_value(self) -> None:
        with pytest.raises(IcwsError, match="give bytes"):
            edit.set(APP, "cert.tree:fork", 2)
        assert edit.set(SENT, ":head", b"\xa1") == SENT.frame

    def test_what_is_not_there_or_does_not_fit(self) -> None:
        with pytest.raises(IcwsError, match="has no field 'colour'; its fields are"):
            edit.set(APP, "colour", 1)
        with pytest.raises(ValueMismatchError):
            edit.set(SENT, "msg.sequence_num", "seven")
        with pytest.raises(ValueMismatchError):
            edit.set(SENT, "msg.content:length", "seven")


class TestLengths:
    @given(st.sampled_from(vector_frames()), st.integers(0, 10**6), st.binary(max_size=400))
    def test_around_a_change_stay_right(self, frame: Frame, which: int, new: bytes) -> None:
        root = annotated(frame)
        strings = [
            node for node in root.walk() if node.type.startswith("bytes(") and node.is_leaf and ":" not in node.path
        ]
        node = strings[which % len(strings)]
        changed = edit.set(frame, node.path, new)
        again = annotated(changed)
        same = next(each for each in again.walk() if each.path == node.path and each.is_leaf)
        assert same.value == new
        assert len(changed.data) - len(frame.data) >= len(new) - (node.end - node.start)
        assert edit.set(changed, node.path, node.value) == frame


class TestFlip:
    @given(st.integers(0, 10**6), st.integers(0, 7))
    def test_no_bit_of_a_canister_message_goes_unnoticed(self, offset: int, bit: int) -> None:
        offset %= len(APP.frame.data)
        seen = edit.see(RECORDING, APP.number, edit.flip(APP, offset, bit))
        assert not seen.ok, str(seen)

    def test_twice_gives_none(self) -> None:
        assert edit.flip(edit.flip(APP, 10), 10) == APP.frame

    def test_beyond_the_frame(self) -> None:
        with pytest.raises(IcwsError, match="there is no bit 0 of byte"):
            edit.flip(APP, 10**6)


class TestTrees:
    def test_pruning_keeps_the_root_hash(self) -> None:
        changed = edit.prune(APP, "tree.websocket")
        before = CanisterMessage.decode(APP.frame.data)
        after = CanisterMessage.decode(changed.data)
        assert hashtree.root_hash(hashtree.decode(after.tree)) == hashtree.root_hash(hashtree.decode(before.tree))
        assert fails_at(APP.number, changed) == "lookup"

    def test_pruning_the_certificate(self) -> None:
        assert fails_at(APP.number, edit.prune(APP, "time")) == "time"
        assert fails_at(APP.number, edit.prune(APP, "certified_data")) == "certified_data"

    def test_another_tree(self) -> None:
        assert fails_at(APP.number, edit.replace_tree(APP, "tree", Empty())) == "certified_data"
        assert edit.replace_tree(APP, "cert.tree", edit.tree_at(APP, "cert.tree")) == APP.frame

    def test_without_one(self) -> None:
        with pytest.raises(IcwsError, match="no hash tree"):
            edit.prune(APP, "key")


class TestReplaceBytes:
    def test_puts_them_as_they_are(self) -> None:
        changed = edit.replace_bytes(SENT, "msg.sequence_num", bytes(8))
        assert decode_frame(changed).sequence_num == 0


class TestSee:
    def test_an_unchanged_frame_is_accepted(self) -> None:
        for decoded in RECORDING:
            seen = edit.see(RECORDING, decoded.number, decoded)
            assert seen.ok, str(seen)
            assert "accepted" in str(seen)

    def test_says_where_it_fails(self) -> None:
        seen = edit.see(RECORDING, APP.number, edit.set(APP, "sequence_num", 9))
        assert str(seen).startswith(f"frame {APP.number} fails at body: ")
        assert seen.decoded.sequence_num == 9

    def test_a_frame_that_does_not_decode_fails_at_parse(self) -> None:
        for decoded in (APP, SENT):
            seen = edit.see(RECORDING, decoded.number, Frame(AT_S, decoded.frame.direction, "binary", b"\xff"))
            assert seen.failure is not None
            assert seen.failure.step == "parse"

    def test_a_gap_is_seen_with_what_came_before(self) -> None:
        script = SessionScript().opened().app_says(3.0, "one").app_says(4.0, "three", sequence_num=4)
        recording = Recording(script.capture)
        failure = edit.see(recording, 4, recording[4]).failure
        assert failure is not None
        assert failure.step == "sequence"
        assert edit.see(recording, 3, recording[3]).ok

    def test_another_number_is_an_index_error(self) -> None:
        with pytest.raises(IndexError):
            edit.see(RECORDING, 10**6, APP)

    def test_without_a_root_key(self) -> None:
        info = dataclasses.replace(RECORDING.info, root_key=None)
        with pytest.raises(IcwsError, match="root key"):
            edit.see(Recording(Capture(info, RECORDING.raw.frames)), APP.number, APP)


def test_an_edited_request_still_reads_as_one() -> None:
    changed = edit.set(SENT, "msg.content.text", "x" * 70_000)
    assert Envelope.decode_frame(changed.data).content["method_name"] == "ws_message"
