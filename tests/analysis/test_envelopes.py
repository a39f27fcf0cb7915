"""A capture's requests, checked; and the request id, step by step."""

from __future__ import annotations

import dataclasses
from hashlib import sha256

import pytest

from icws_explore.analysis.envelopes import check_envelopes, derivation
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, Frame
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from support.annotated import vectors
from support.session_captures import START_S, healthy


class TestCheck:
    def test_every_request_of_a_healthy_session_holds(self) -> None:
        capture = healthy()
        verdicts = Recording(capture).check_envelopes()
        sent = [n for n, frame in enumerate(capture.frames) if frame.direction == "out" and frame.op == "binary"]
        assert [verdict.frame for verdict in verdicts] == sent
        assert all(verdict.ok for verdict in verdicts)
        assert verdicts[0].method == "ws_open"
        assert [step.step for step in verdicts[0].steps] == [
            "parse", "request_id", "sender", "delegation", "signature", "expiry",
        ]  # fmt: skip

    def test_sent_too_late(self) -> None:
        capture = healthy()
        late = dataclasses.replace(capture.frames[1], t=START_S + 3600)
        (verdict,) = check_envelopes(Capture(capture.info, [late]))
        assert verdict.failure is not None
        assert verdict.failure.step == "expiry"

    def test_to_another_canister(self) -> None:
        capture = healthy()
        verdicts = list(check_envelopes(capture, canister_id=Principal.MANAGEMENT))
        assert {verdict.failure and verdict.failure.step for verdict in verdicts} == {"parse"}

    def test_what_is_no_envelope_is_a_failure_too(self) -> None:
        info = dataclasses.replace(healthy().info, canister_id="nonsense")
        (verdict,) = check_envelopes(Capture(info, [Frame(1.0, "out", "binary", b"\xa0")]))
        assert (verdict.method, verdict.ok) == (None, False)
        assert verdict.failure is not None

    def test_nothing_to_check_where_signatures_are_stand_ins(self) -> None:
        capture = healthy()
        info = dataclasses.replace(capture.info, crypto="stand-in")
        with pytest.raises(IcwsError, match="stand-in"):
            list(check_envelopes(Capture(info, capture.frames)))


class TestDerivation:
    @pytest.mark.parametrize("call", vectors("calls")["vectors"], ids=lambda call: call["id"])
    def test_leads_to_the_sdks_id(self, call: dict[str, str]) -> None:
        steps = derivation(Envelope.decode_frame(bytes.fromhex(call["frame_hex"])))
        assert steps.request_id.hex() == call["request_id_hex"]
        assert steps.signed_bytes.hex() == call["signed_bytes_hex"]
        assert sha256(steps.joined).digest() == steps.request_id
        assert {field.name for field in steps.fields} == {*call["content_map"]}
        for field in steps.fields:
            assert field.name_hash == sha256(field.name.encode()).digest()
        assert steps.joined == b"".join(sorted(field.name_hash + field.value_hash for field in steps.fields))
