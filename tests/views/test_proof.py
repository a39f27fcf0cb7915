from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.views.proof import panels_of, proof_for, proof_of_certificate, proof_of_frame
from support.proofs import frame_of, mainnet, simulated, with_frame


class TestOfAFrame:
    def test_is_judged_as_the_recording_judges_it(self) -> None:
        recording = simulated()
        for verdict in recording.verify():
            proof = proof_of_frame(recording, verdict.frame)
            assert [(s.step, s.ok) for s in proof.steps] == [(s.step, s.ok) for s in verdict.steps]

    def test_counts_from_the_end_as_well(self) -> None:
        number = frame_of(simulated(), "app")
        assert proof_of_frame(simulated(), number - len(simulated())) == proof_of_frame(simulated(), number)

    def test_under_another_root_key_the_delegation_fails(self) -> None:
        proof = proof_of_frame(simulated(), frame_of(simulated(), "app"), root_key=MAINNET_ROOT_KEY)
        assert proof.failure is not None
        assert proof.failure.step == "delegation"

    def test_paths_are_those_that_prove_the_message(self) -> None:
        proof = proof_of_frame(simulated(), frame_of(simulated(), "app"))
        assert proof.canister_id is not None
        assert set(proof.certificate_paths) == {(b"time",), (b"canister", proof.canister_id.raw, b"certified_data")}
        assert proof.message is not None
        assert proof.witness_paths == [(b"websocket", proof.message.key.encode())]

    def test_without_a_root_key_it_is_shown_unjudged(self) -> None:
        raw = simulated().raw
        proof = proof_of_frame(Capture(replace(raw.info, root_key=None), raw.frames), frame_of(simulated(), "app"))
        assert proof.steps == ()
        assert "root key" in proof.note
        assert proof.witness is not None

    def test_of_another_kind_of_frame_there_is_none(self) -> None:
        with pytest.raises(IcwsError, match="handshake"):
            proof_of_frame(simulated(), 0)
        with pytest.raises(IndexError, match="there is no frame 9999"):
            proof_of_frame(simulated(), 9999)

    def test_what_cannot_be_read_is_none_and_the_step_says_so(self) -> None:
        recording: Recording = simulated()
        number = frame_of(recording, "app")
        broken = replace(recording.raw.frames[number], data=CanisterMessage("k", b"", b"\xff", b"\xff").encode())
        proof = proof_of_frame(with_frame(recording, number, broken), number)
        assert (proof.certificate, proof.witness, panels_of(proof)) == (None, None, [])
        assert proof.failure is not None
        assert proof.failure.step == "parse"


class TestOfACertificate:
    def test_of_mainnet_holds_at_its_own_time_and_not_long_after(self) -> None:
        cert, canister_id = mainnet()
        proof = proof_of_certificate(cert, canister_id=canister_id)
        assert all(step.ok for step in proof.steps)
        late = proof_of_certificate(cert, canister_id=canister_id, now_ns=1_795_000_000 * 10**9)
        assert late.failure is not None
        assert late.failure.step == "time"

    def test_lights_what_it_shows(self) -> None:
        assert [path[-1] for path in proof_of_certificate(mainnet()[0]).certificate_paths] == [
            b"reply", b"status", b"time",
        ]  # fmt: skip

    def test_of_garbage_is_a_failed_step(self) -> None:
        proof = proof_of_certificate(b"garbage")
        assert proof.certificate is None
        assert proof.failure is not None


class TestFor:
    def test_takes_either(self) -> None:
        assert proof_for(mainnet()[0]).message is None
        number = frame_of(simulated(), "app")
        assert proof_for(simulated(), number) == proof_of_frame(simulated(), number)
        with pytest.raises(TypeError, match="which frame"):
            proof_for(simulated())

    def test_a_recordings_canister_and_time_are_its_own(self) -> None:
        number = frame_of(simulated(), "app")
        with pytest.raises(TypeError, match="recording says both"):
            proof_for(simulated(), number, now_ns=1)
