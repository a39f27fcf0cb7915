"""The code of a frame rebuilds it byte for byte, and needs nothing but its own imports."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.decode import decode_frame
from icws_explore.analysis.python_text import WIDTH, frame_code
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, Frame
from icws_explore.protocol import candid
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseMessage, CloseReason, OpenMessage, encode_service
from support.annotated import (
    AT_S,
    KEY,
    app_content,
    canister_frame,
    message,
    message_call,
    open_call,
    vector_frames,
)
from support.candid_cases import typed_values
from support.session_captures import healthy, hostile

ATOMS = ("sender", "content=bytes", "cert=", "tree=", "'sender'", "Principal.from_text", "bytes.fromhex")


def rebuilt(code: str, variable: str = "frame") -> Any:
    names: dict[str, Any] = {}
    exec(code, names)
    return names[variable]


def test_what_a_tap_did_is_written_too():
    frame = Frame(1.0, "out", "binary", b"abc", session="1", did="edited by the script", far=b"abd")
    assert rebuilt(frame_code(frame)) == frame


class TestRebuilds:
    @pytest.mark.parametrize("number", range(len(vector_frames())))
    def test_real_frames(self, number: int) -> None:
        frame = vector_frames()[number]
        assert rebuilt(frame_code(frame)) == frame

    @pytest.mark.parametrize("make", [healthy, hostile])
    def test_recordings(self, make: Any) -> None:
        capture = make()
        again = rebuilt(Recording(capture).as_python(), "recording")
        assert isinstance(again, Recording)
        assert again.raw.frames == capture.frames
        assert again.info == capture.info

    def test_a_decoded_frame(self) -> None:
        frame = open_call()
        assert rebuilt(decode_frame(frame).as_python()) == frame

    @pytest.mark.parametrize(
        "frame",
        [
            Frame(AT_S, "in", "close", code=1000, reason="it's over"),
            Frame(AT_S, "in", "text", b"hello"),
            Frame(AT_S, "out", "binary", b"", session="a"),
            Frame(1, "out", "binary", b"\xff\x00"),
            Frame(AT_S, "in", "binary", Handshake(Principal.ANONYMOUS).encode()[3:]),
        ],
    )
    def test_unusual_frames(self, frame: Frame) -> None:
        assert rebuilt(frame_code(frame)) == frame

    @given(typed_values())
    def test_any_application_message(self, case: Any) -> None:
        type_, value = case
        content = candid.encode([type_], [value])
        for frame in (message_call(content), canister_frame(message(content).encode(tagged=False))):
            assert rebuilt(frame_code(frame)) == frame

    @given(st.binary(max_size=100), st.sampled_from(["in", "out"]))
    def test_any_bytes(self, data: bytes, direction: Any) -> None:
        frame = Frame(AT_S, direction, "binary", data)
        assert rebuilt(frame_code(frame)) == frame

    def test_deep_values_stay_hexadecimal(self) -> None:
        type_ = candid.parse_did("type t = opt t;").types["t"]
        value: Any = None
        for _ in range(200):
            value = candid.Some(value)
        frame = message_call(candid.encode([type_], [value]))
        assert rebuilt(frame_code(frame)) == frame


class TestText:
    def test_uses_the_encoders_of_the_protocol(self) -> None:
        text = frame_code(canister_frame(message(encode_service(OpenMessage(KEY)), service=True).encode()))
        assert re.search(r"encode_service\(\s*OpenMessage\(\s*ClientKey\(", text)
        assert "CloseReason.KEEP_ALIVE_TIMEOUT" in frame_code(
            canister_frame(message(encode_service(CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT)), service=True).encode())
        )
        text = frame_code(message_call(app_content("hi")))
        assert "'text': 'hi'" in text
        assert "encode_message_args(" in text

    def test_fits_its_lines_unless_a_value_is_longer(self) -> None:
        lines = frame_code(message_call(app_content("hi"))).splitlines()
        assert len(lines) > 5
        assert [line for line in lines if len(line) > WIDTH and not line.strip().startswith(ATOMS)] == []

    def test_imports_are_those_that_it_uses(self) -> None:
        assert frame_code(Frame(AT_S, "in", "text", b"Envelope(")).startswith(
            "from icws_explore import Frame\n\nframe = Frame("
        )
        code = frame_code(open_call())
        assert "from icws_explore.protocol.envelope import Envelope\n" in code
        assert "Handshake" not in code


def test_no_private_key() -> None:
    identity = Ed25519Identity.from_secret(b"\x07" * 32)
    capture = healthy()  # signed by that identity
    assert capture.info.client_principal == identity.principal.text
    text = Recording(Capture(capture.info, capture.frames)).as_python()
    assert (b"\x07" * 32).hex() not in text
