from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.views.figures.chain import chain_figure, stations
from icws_explore.views.proof import Proof, proof_of_certificate, proof_of_frame
from support.overlaps import beyond_the_paper, overlapping, words
from support.proofs import HOSTILE_TEXT, frame_of, mainnet, simulated, with_frame


def hostile() -> Proof:
    number = frame_of(simulated(), "app")
    message = CanisterMessage(f"${HOSTILE_TEXT}\n{'k' * 400}", HOSTILE_TEXT.encode(), b"\xff", b"")
    frame = replace(simulated().raw.frames[number], data=message.encode())
    return proof_of_frame(with_frame(simulated(), number, frame), number)


def message_proof(**changes: bytes) -> Proof:
    return proof_of_frame(simulated(), frame_of(simulated(), "app"), **changes)


PROOFS = {
    "message": message_proof,
    "wrong key": lambda: message_proof(root_key=MAINNET_ROOT_KEY),
    "mainnet": lambda: proof_of_certificate(*mainnet()[:1], canister_id=mainnet()[1]),
    "too late": lambda: proof_of_certificate(mainnet()[0], now_ns=0),
    "hostile": hostile,
}


@pytest.mark.parametrize("name", PROOFS)
class TestAnyProof:
    def test_labels_do_not_overlap_or_leave_the_paper(self, name: str) -> None:
        figure = chain_figure(PROOFS[name]())
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []

    def test_describes_every_step_in_words(self, name: str) -> None:
        proof = PROOFS[name]()
        chain = [step.step for station in stations(proof) for step in station.steps]
        for step in chain:
            assert f" {step} " in chain_figure(proof).description
        failure = proof.failure
        assert failure is None or failure.step in chain


class TestStations:
    def test_of_a_message_are_five(self) -> None:
        titles = [station.title for station in stations(message_proof())]
        assert titles == ["root key", "subnet", "certificate", "witness", "message"]

    def test_have_every_step_but_parse(self) -> None:
        checked = [step.step for station in stations(message_proof()) for step in station.steps]
        assert checked == [
            "delegation", "signature", "time", "certified_data", "lookup", "body", "sequence", "client_key",
        ]  # fmt: skip

    def test_of_mainnet_name_the_canisters_of_the_subnet(self) -> None:
        subnet = stations(PROOFS["mainnet"]())[1]
        assert any("canisters" in line for line in subnet.lines)

    def test_mark_a_failed_step_in_words(self) -> None:
        shown = " ".join(text for text, _ in words(chain_figure(PROOFS["wrong key"]())))
        assert "✗ delegation" in shown
        assert "– signature" in shown
