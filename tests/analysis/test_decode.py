"""What each frame is; what is none says so and keeps what could be read."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import icws_explore as icws
from icws_explore.analysis.decode import application_type, decode_frame, decode_frames, shared_frames, value_text
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, Frame, SessionInfo, load
from icws_explore.protocol import candid
from icws_explore.protocol.errors import CandidError, DecodeError
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    encode_service,
)
from support.indefinite import reencoded
from support.machine import ROOT
from support.session_captures import healthy

CALLS = json.loads((ROOT / "tests" / "vectors" / "calls.json").read_text())["vectors"]
KEY = ClientKey(Principal.from_text("2vxsx-fae"), 7)


def canister_frame(content, *, service=False, number=3):
    message = WebsocketMessage(KEY, number, 5, service, content)
    return Frame(1.0, "in", "binary", CanisterMessage("key", message.encode(), b"", b"").encode())


class TestOutgoing:
    @pytest.mark.parametrize("call", CALLS, ids=lambda call: call["id"])
    def test_the_sdks_own_frames(self, call):
        decoded = decode_frame(Frame(1.0, "out", "binary", bytes.fromhex(call["frame_hex"])))
        expected = {"ws_open": "open_request", "ws_message_app": "message", "ws_message_keepalive": "keep_alive"}
        assert decoded.kind == expected[call["kind"]]
        assert decoded.envelope.request_id.hex() == call["request_id_hex"]

    def test_a_call_of_something_else_is_malformed_but_read(self):
        data = bytes.fromhex(CALLS[0]["frame_hex"]).replace(b"ws_open", b"ws_oops")
        decoded = decode_frame(Frame(1.0, "out", "binary", data))
        assert decoded.kind == "malformed"
        assert "ws_oops" in decoded.summary
        assert decoded.envelope is not None


class TestIncoming:
    def test_handshake(self):
        decoded = decode_frame(Frame(1.0, "in", "binary", Handshake(Principal.ANONYMOUS).encode()))
        assert (decoded.kind, decoded.handshake.gateway_principal) == ("handshake", Principal.ANONYMOUS)

    @pytest.mark.parametrize(
        ("message", "kind", "said"),
        [
            (OpenMessage(KEY), "open", "nonce 7"),
            (AckMessage(12), "ack", "up to 12"),
            (KeepAliveMessage(3), "keep_alive", "up to 3"),
            (CloseMessage(CloseReason("WrongSequenceNumber")), "close", "WrongSequenceNumber"),
        ],
    )
    def test_service_messages(self, message, kind, said):
        decoded = decode_frame(canister_frame(encode_service(message), service=True))
        assert (decoded.kind, decoded.service, decoded.sequence_num) == (kind, message, 3)
        assert said in decoded.summary

    def test_an_application_message_with_its_type(self):
        text = candid.parse_type("record { greeting : text }")
        content = candid.encode([text], [{"greeting": "hi"}])
        assert decode_frame(canister_frame(content), app_type=text).value == {"greeting": "hi"}
        assert "hi" in decode_frame(canister_frame(content)).summary  # without it: hashes, or known names

    def test_an_application_message_of_another_type_stays_one(self):
        decoded = decode_frame(canister_frame(candid.encode([candid.NAT], [1])), app_type=candid.TEXT)
        assert decoded.kind == "app"
        assert isinstance(decoded.error, CandidError)
        assert not decoded.has_value

    def test_a_broken_inner_layer_keeps_the_outer_one(self):
        frame = Frame(1.0, "in", "binary", CanisterMessage("key", b"\x00", b"", b"").encode())
        decoded = decode_frame(frame)
        assert decoded.kind == "malformed"
        assert decoded.canister_message.key == "key"
        assert isinstance(decoded.error, DecodeError)


class TestControl:
    @pytest.mark.parametrize(
        ("frame", "said"),
        [
            (Frame(1, "in", "close", b"", 1006, ""), "lost (1006)"),
            (Frame(1, "out", "close", b"", 4000, "Ack message timeout"), "closed by the client: 4000 'Ack message"),
            (Frame(1, "in", "close", b"", 1005), "gateway's side: no code"),
            (Frame(1, "in", "ping", b"abc"), "ping, 3 bytes"),
        ],
    )
    def test_is_noted_in_words(self, frame, said):
        decoded = decode_frame(frame)
        assert decoded.kind == "control"
        assert said in decoded.summary

    def test_text_is_malformed(self):
        decoded = decode_frame(Frame(1, "in", "text", b"hello"))
        assert decoded.kind == "malformed"
        assert "binary frames only" in decoded.summary


class TestAnything:
    @given(st.binary(max_size=200), st.sampled_from(["in", "out"]))
    def test_no_bytes_raise(self, data, direction):
        assert decode_frame(Frame(1.0, direction, "binary", data)).kind is not None

    def test_start_skips_what_is_known_already(self, recorded):
        capture = load(recorded)
        assert [d.number for d in decode_frames(capture, start=3)] == list(range(3, len(capture)))


class TestErrors:
    @pytest.mark.parametrize("direction", ["in", "out"])
    @pytest.mark.parametrize("data", [b"", b"\xff", b"\xd9\xd9\xf7\xa0"])
    def test_keep_no_stack_alive(self, direction, data):
        """A recording of a million malformed frames would hold a million of them."""
        error = decode_frame(Frame(0.0, direction, "binary", data)).error
        assert error is not None
        assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


class TestApplicationType:
    @pytest.mark.parametrize(("text", "known"), [(None, False), ("record {", False), ("text", True)])
    def test_an_unusable_one_gives_none(self, text, known):
        assert (application_type(Capture(SessionInfo(app_type=text))) is not None) == known


class TestValueText:
    @given(
        st.recursive(
            st.integers() | st.text() | st.binary() | st.none(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)
        )
    )
    def test_is_one_short_line(self, value):
        text = value_text(value)
        assert len(text) <= 100
        assert "\n" not in text

    def test_reads_as_data(self):
        assert value_text({"a": [1, b"\x01"], "b": {"X": None}}) == "{a: [1, 0x01], b: {X: None}}"


class TestRecorded:
    def test_every_frame_of_a_real_session(self, recorded):
        kinds = [decoded.kind for decoded in decode_frames(load(recorded))]
        assert "malformed" not in kinds
        assert {"handshake", "open_request", "open", "message", "app", "ack", "keep_alive", "control"} == set(kinds)

    def test_without_its_type_the_names_are_still_known_or_hashed(self, recorded):
        capture = load(recorded)
        capture.info = dataclasses.replace(capture.info, app_type=None)
        values = [decoded.value for decoded in decode_frames(capture) if decoded.kind == "app"]
        assert all(value for value in values)


class TestBehindTheGateway:
    def test_is_control_and_says_what_was_asked(self):
        asked = decode_frame(Frame(1.0, "out", "request", b"q", reason="POST /api"))
        answered = decode_frame(Frame(1.0, "in", "response", b"a", code=503, reason="POST /api"))
        assert (asked.kind, asked.summary) == ("control", "the gateway asks the network: POST /api")
        assert (answered.kind, answered.summary) == ("control", "the network answers HTTP 503: POST /api")


class TestShared:
    """`shared_frames` decodes each frame once, and never shows what was made of another."""

    @pytest.fixture
    def decoded(self, monkeypatch):
        """The numbers of the frames that are decoded, in order."""
        numbers = []

        def counting(frame, *, number=0, **options):
            numbers.append(number)
            return decode_frame(frame, number=number, **options)

        monkeypatch.setattr("icws_explore.analysis.decode.decode_frame", counting)
        return numbers

    def test_says_what_decode_frames_says(self):
        capture = healthy()
        assert list(shared_frames(capture)) == list(decode_frames(capture)) == list(shared_frames(capture))

    def test_decodes_once_for_every_view_of_a_recording(self, decoded):
        recording = Recording(healthy())
        recording.frames()
        recording.summary()
        recording.timing().acks  # noqa: B018  # a table that is made when it is asked for
        recording.timing().countdown()
        list(recording.verify())
        icws.plots.timeline(recording)
        icws.plots.sequence_numbers(recording)
        assert decoded == list(range(len(recording)))

    def test_of_a_live_session_only_what_is_new(self, decoded):
        whole = healthy()
        capture = Capture(whole.info, whole.frames[:4])
        assert len(list(shared_frames(capture))) == 4
        capture.frames.extend(whole.frames[4:6])
        assert [d.number for d in shared_frames(capture, start=3)] == [3, 4, 5]
        assert decoded == [0, 1, 2, 3, 4, 5]

    def test_another_frame_in_its_place_is_decoded(self):
        capture = healthy()
        list(shared_frames(capture))
        capture.frames[3] = capture.frames[0]
        assert [d.kind for d in shared_frames(capture)][3] == "handshake"
        del capture.frames[1:]
        assert [d.kind for d in shared_frames(capture)] == ["handshake"]

    def test_so_is_everything_under_another_application_type(self):
        capture = healthy()
        told = [d.summary for d in shared_frames(capture)]
        capture.info = dataclasses.replace(capture.info, app_type="nat")
        assert [d.summary for d in shared_frames(capture)] == [d.summary for d in decode_frames(capture)] != told

    def test_keeps_no_more_than_its_limit(self, monkeypatch, decoded):
        capture = healthy()
        monkeypatch.setattr("icws_explore.analysis.decode.MAX_KEPT", sum(len(f.data) for f in capture.frames[:5]))
        first, again = list(shared_frames(capture)), list(shared_frames(capture))
        assert first == again
        assert all(one is other for one, other in zip(first[:5], again[:5], strict=True))
        assert len(decoded) > len(capture)

    def test_what_is_done_to_a_value_of_a_table_or_a_frame_stays_there(self):
        recording = Recording(healthy())
        at = next(d.number for d in recording if d.kind == "app")
        for value in (recording.frames()["value"][at], recording[at].value, list(recording)[at].value):
            value["text"] = "changed"
        assert [d.value["text"] for d in shared_frames(recording.raw) if d.number == at] == ["pong 0"]


class TestIndefiniteLengths:
    @pytest.mark.parametrize("chunks", [False, True])
    def test_frames_decode_as_ever_and_say_so(self, chunks):
        capture = healthy()
        for decoded in decode_frames(capture):
            if decoded.frame.op != "binary":
                continue
            inside = ("cert", "tree") if decoded.canister_message else ()
            frame = dataclasses.replace(decoded.frame, data=reencoded(decoded.frame.data, chunks=chunks, inside=inside))
            again = decode_frame(frame, number=decoded.number, app_type=application_type(capture))
            assert (again.kind, again.summary, again.value) == (decoded.kind, decoded.summary, decoded.value)
            assert decoded.indefinite_layers == ()
            assert again.indefinite_layers == ("frame", *inside)

    def test_of_the_content(self):
        content = reencoded(WebsocketMessage(KEY, 1, 5, False, b"DIDL\0\0").encode())
        frame = Frame(1.0, "in", "binary", CanisterMessage("key", content, b"", b"").encode())
        assert decode_frame(frame).indefinite_layers == ("content",)

    def test_frames_without_cbor_have_none(self):
        assert decode_frame(Frame(1.0, "in", "text", b"\x9f\xff")).indefinite_layers == ()
