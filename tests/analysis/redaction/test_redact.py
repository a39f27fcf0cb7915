from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.network_calls import NetworkCall
from icws_explore.analysis.redaction.pseudonyms import Withheld, WithheldValue
from icws_explore.analysis.redaction.redact import (
    private_texts,
    public_call,
    public_capture,
    public_line,
    public_steps,
    without_bytes,
    without_words,
)
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Frame
from icws_explore.protocol.steps import Step
from support.session_captures import SessionScript, healthy, hostile


class TestPublicCapture:
    def test_of_our_own_recorders_loses_nothing(self) -> None:
        capture = healthy()
        public = public_capture(capture)
        assert public.frames == capture.frames
        assert replace(public.info, started_at=None) == replace(
            capture.info, started_at=None, gateway_url="ws://127.0.0.1:8080"
        )

    def test_is_judged_as_the_original_is(self) -> None:
        capture = hostile()
        assert [verdict.ok for verdict in verify_capture(public_capture(capture))] == [
            verdict.ok for verdict in verify_capture(capture)
        ]

    def test_names_of_sessions_become_numbers_where_they_are_not(self) -> None:
        capture = SessionScript(session="alice").opened().capture
        capture.frames += SessionScript(session="bob").opened().capture.frames
        assert public_capture(capture).session_ids == ["session 1", "session 2"]
        capture.frames.append(Frame(0.0, "out", "request", b"", reason="POST /", session="alice's"))
        assert public_capture(capture).frames[-1].session == "http-1"
        plain = SessionScript(session="3").opened().capture
        assert public_capture(plain).session_ids == ["3"]

    def test_the_far_version_of_a_changed_frame_is_left_out(self) -> None:
        capture = healthy()
        capture.frames[-1] = replace(capture.frames[-1], did="edited by the script", far=b"alice's secret")
        (public,) = [frame for frame in public_capture(capture).frames if frame.did]
        assert (public.did, public.far) == ("edited by the script", None)

    def test_requests_keep_method_and_path(self) -> None:
        capture = healthy()
        capture.frames.append(Frame(0.0, "out", "request", b"", reason="GET /api/v2/status?who=me", session="http-1"))
        public = public_capture(capture)
        assert (public.frames[-1].reason, public.frames[-1].session) == ("GET /api/v2/status?…", "http-1")


class TestFrames:
    def test_lose_their_texts_first_and_can_still_be_checked(self) -> None:
        for decoded in decode_frames(healthy()):
            spared = without_words(decoded)
            assert spared.canister_message == decoded.canister_message
            assert spared.frame == decoded.frame
            if decoded.kind in ("message", "app"):
                assert isinstance(spared.value, WithheldValue)
                assert spared.summary.startswith("‹record {")
            else:
                assert spared.summary == decoded.summary

    def test_then_their_bytes(self) -> None:
        for decoded in decode_frames(healthy()):
            spared = without_bytes(without_words(decoded))
            assert isinstance(spared.frame.data, Withheld)
            assert (spared.size, spared.kind, spared.sequence_num) == (decoded.size, decoded.kind, decoded.sequence_num)
            assert spared.service == decoded.service
            if spared.envelope is not None and decoded.envelope is not None:
                assert spared.envelope.sender == decoded.envelope.sender
                assert isinstance(spared.envelope.content["arg"], Withheld)
                assert isinstance(spared.envelope.sender_sig, Withheld)

    def test_a_request_keeps_only_fields_that_the_protocol_knows(self) -> None:
        decoded = next(d for d in decode_frames(healthy()) if d.envelope is not None)
        assert decoded.envelope is not None
        odd = {"method_name": "hunter2", "sender": b"\x00" * 40, "ingress_expiry": -1, "request_type": "hunter2"}
        envelope = replace(decoded.envelope, content=decoded.envelope.content | odd | {"hunter2": "hunter2"})
        spared = without_bytes(replace(decoded, envelope=envelope)).envelope
        assert spared is not None
        assert "hunter2" not in str(spared.content)
        assert spared.content["sender"] == Withheld(40)
        assert "other fields" in spared.content

    def test_what_does_not_decode_says_only_what_was_read(self) -> None:
        bad = [without_words(d) for d in decode_frames(hostile()) if d.kind == "malformed"]
        assert bad
        assert all(d.error is not None and d.error.reason == "the fault is withheld" for d in bad)
        assert all(d.summary.startswith("does not decode as ") for d in bad)

    def test_a_text_frame_is_called_one(self) -> None:
        script = SessionScript().opened()
        script.capture.frames.append(Frame(0.0, "out", "text", b"hunter2"))
        assert without_words(list(decode_frames(script.capture))[-1]).summary.startswith("text frame, 7 bytes")


class TestLines:
    def test_lose_hashes_and_what_they_quote(self) -> None:
        line = "the root hash f8c4ddcb…c671 is not key 0x89b2b533be5b0011's: 'hunter2', \"hunter2\" (…8d2acba9512c9ae9)"
        assert public_line(line) == (
            "the root hash ‹hash› is not key ‹hash›'s: ‹text, 7 characters›, ‹text, 7 characters› (‹hash›)"
        )

    def test_keep_numbers_principals_and_the_protocols_own_words(self) -> None:
        line = "client nonce 11304207175212693034 of bnz7o-iuaaa-aaaaa-qaaaa-cai: the client's 'Ack message timeout'"
        assert public_line(line) == line

    def test_keep_what_is_taken_out_already_and_a_keyword_in_a_type(self) -> None:
        line = 'the network said "‹withheld›…", not of type record { "text" : text }'
        assert public_line(line) == line
        assert "hunter2" not in public_line('"‹withheld› hunter2"')

    def test_of_a_walk_compare_no_bytes_any_more(self) -> None:
        [step] = public_steps([Step("body", False, "the SHA-256 is 0123abcd…ef", b"\x01" * 32, "0123abcdef")])
        assert step == Step("body", False, "the SHA-256 is ‹hash›", None, "‹hash›")


class TestCalls:
    def test_keep_the_code_of_what_the_network_said(self) -> None:
        call = NetworkCall(
            0, 1, "POST /x", method_name="give_me", outcome="rejected", text="IC0503: it trapped: hunter2"
        )
        assert public_call(call).text == "IC0503, ‹text, 27 characters›"
        assert public_call(call).method_name == "‹text, 7 characters›"
        assert public_call(call).target == "POST /…"

    def test_keep_what_the_cdk_said(self) -> None:
        text = "Expected incoming sequence number 3 but got 5"
        assert public_call(NetworkCall(0, 1, "POST /", text=text)).text == text


class TestPrivateTexts:
    def test_are_payloads_in_every_form_and_answers(self) -> None:
        decoded = list(decode_frames(SessionScript().opened().app_says(4.0, "hunter2").capture))
        calls = [NetworkCall(0, 1, "POST /", text="no such  order"), NetworkCall(2, 3, "POST /", text="")]
        found = list(private_texts(decoded, calls))
        assert "hunter2" in found
        assert "no such order" in found
        assert any(b"hunter2".hex() in text for text in found)
