from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.decode import DecodedFrame, decode_frame, decode_frames
from icws_explore.capture import Frame
from icws_explore.protocol.certificate.format import time_text
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, sign_envelope
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, delegate
from icws_explore.views.fields import MAX_FULL, Field, frame_groups, targets_text
from support.certified_canister import CANISTER_ID
from support.session_captures import START_S, healthy, hostile

FRAMES = [d.frame for capture in (healthy(), hostile()) for d in decode_frames(capture)]


def groups_of(decoded: DecodedFrame) -> dict[str, dict[str, Field]]:
    return {group.title: {field.name: field for field in group.fields} for group in frame_groups(decoded)}


def frame(number: int) -> dict[str, dict[str, Field]]:
    return groups_of(list(decode_frames(healthy()))[number])


class TestLayers:
    def test_of_the_handshake(self) -> None:
        assert list(frame(0)) == ["frame", "handshake"]
        assert frame(0)["handshake"]["gateway_principal"].value.startswith("sqdfl-mr4km-")

    def test_of_ws_open(self) -> None:
        groups = frame(1)
        assert list(groups) == ["frame", "call", "signature", "argument of ws_open"]
        assert groups["call"]["method_name"].value == "ws_open"
        assert groups["call"]["canister_id"].value == "bnz7o-iuaaa-aaaaa-qaaaa-cai"
        assert groups["signature"]["sender_delegation"].value == "none"
        assert groups["argument of ws_open"]["client_nonce"].value == "15291472863218049"

    def test_of_a_message_to_the_canister(self) -> None:
        groups = frame(3)
        assert list(groups) == ["frame", "call", "signature", "WebsocketMessage", "application message"]
        assert groups["WebsocketMessage"]["sequence_num"].value == "1"
        assert groups["application message"]["value"].value.startswith("{text: 'ping 0'")

    def test_of_a_message_from_the_canister(self) -> None:
        groups = frame(4)
        assert list(groups) == ["frame", "canister message", "WebsocketMessage", "application message"]
        assert groups["canister message"]["key"].meaning == "message 1 for gateway sqdfl…-tae"
        assert groups["WebsocketMessage"]["timestamp"].meaning == "0.800 s before this frame"

    @pytest.mark.parametrize(
        ("number", "title", "name", "value"),
        [
            (2, "OpenMessage", "client_nonce", "15291472863218049"),
            (13, "AckMessage", "last_incoming_sequence_num", "5"),
            (14, "KeepAliveMessage", "last_incoming_sequence_num", "7"),
        ],
    )
    def test_of_a_service_message(self, number: int, title: str, name: str, value: str) -> None:
        assert frame(number)[title][name].value == value

    def test_of_a_close_message(self) -> None:
        groups = groups_of(list(decode_frames(hostile()))[9])
        assert groups["CloseMessage"]["reason"].value == "WrongSequenceNumber"

    def test_of_a_close_frame(self) -> None:
        groups = groups_of(list(decode_frames(hostile()))[10])
        assert groups["frame"]["code"].value == "4000"
        assert groups["frame"]["reason"].value == '<b onclick="x">Received close message</b>'

    def test_of_a_delegation_chain(self) -> None:
        root, session = Ed25519Identity.from_secret(b"\x01" * 32), Ed25519Identity.from_secret(b"\x02" * 32)
        expires = round((START_S + 3600) * NS_PER_S)
        link = delegate(root, session.public_key_der, expiration_ns=expires, targets=[CANISTER_ID])
        identity = DelegatedIdentity(session, root.public_key_der, [link])
        content = call_content(CANISTER_ID, "ws_open", b"", identity.principal, expires, None)
        sent = Frame(START_S, "out", "binary", sign_envelope(content, identity).encode_frame())
        groups = groups_of(decode_frame(sent))
        assert groups["delegation 1 of 1"]["targets"].value == "bnz7o-iuaaa-aaaaa-qaaaa-cai"
        assert groups["delegation 1 of 1"]["expiration"].meaning == "3600.000 s after it was sent"


class TestWhatDoesNotDecode:
    def test_says_the_fault_and_keeps_the_bytes(self) -> None:
        decoded = list(decode_frames(hostile()))[6]
        *_, fault = frame_groups(decoded)
        assert fault.fault
        assert [field.name for field in fault.fields][:2] == ["layer", "fault"]
        assert groups_of(decoded)["frame"]["data"].value == "0xd9d9f7a1636b6579"

    @given(st.sampled_from(FRAMES), st.data())
    def test_damaged_frames_never_raise(self, original: Frame, data: st.DataObject) -> None:
        """Golden prefix, random tail."""
        keep = data.draw(st.integers(0, len(original.data)))
        damaged = replace(original, op="binary", data=original.data[:keep] + data.draw(st.binary(max_size=40)))
        for group in frame_groups(decode_frame(damaged)):
            assert group.fields
            assert all(_is_bounded(field) for field in group.fields)

    def test_a_huge_frame_stays_small(self) -> None:
        huge = decode_frame(Frame(START_S, "in", "binary", b"\xff" * 3_000_000))
        assert all(_is_bounded(field) for group in frame_groups(huge) for field in group.fields)


def _is_bounded(field: Field) -> bool:
    return len(field.value) <= 1000 and len(field.full or "") <= 2 * MAX_FULL + 100 and len(field.name) <= 60


@pytest.mark.parametrize("ns", [0, 2**64 - 1, 2**80, -1, 10**40, 10**6000])
def test_any_time_has_a_short_text(ns: int) -> None:
    assert len(time_text(ns)) < 80


def test_a_long_list_of_targets_is_cut() -> None:
    assert targets_text(None) == "every canister"
    assert targets_text(()) == "none"
    assert targets_text((CANISTER_ID,) * 25).endswith(", and 5 more")
