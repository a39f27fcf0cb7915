"""Earlier generations of the real SDK behind the tap, beside the machines that claim to be them (odd_clients).

npm has 0.1.2 of the old ones, and the code of 0.3.4: that is 0.3.3, with the agent that broke it.
"""

from __future__ import annotations

import pytest

from icws_explore.analysis.decode import DecodedFrame, decode_frames
from icws_explore.analysis.doctor import Findings, diagnose
from icws_explore.protocol.client.machine import ClientConfig
from icws_explore.protocol.principal import Principal
from support.client_stories import machine_story, recorded_story
from support.old_sdk_rows import GENERATIONS, Generation
from support.sdk_ends import ended, foretold, on_the_wire
from support.sdk_faults import Played, play

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(600)]

NOBODY = Principal.self_authenticating(b"sent nothing")


@pytest.fixture(scope="module")
def played() -> dict[str, Played]:
    return play([generation.row for generation in GENERATIONS])


@pytest.fixture(scope="module")
def found(played: dict[str, Played]) -> dict[str, Findings]:
    return {name: diagnose(run.capture) for name, run in played.items()}


def frames_of(run: Played) -> list[DecodedFrame]:
    return [decoded for decoded in decode_frames(run.capture) if not decoded.frame.is_http]


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda generation: generation.row.name)
class TestEachGeneration:
    def test_the_doctor_names_it_and_nothing_beside_it(
        self, generation: Generation, found: dict[str, Findings]
    ) -> None:
        assert found[generation.row.name].ids == (generation.row.id,)

    def test_ends_as_it_has_to(self, generation: Generation, played: dict[str, Played]) -> None:
        (told,) = played[generation.row.name].told
        assert (ended(told),) == generation.row.ends, told.errors
        if told.closing is not None:
            assert ("out", *told.closing) in on_the_wire(played[generation.row.name], 0)

    def test_and_as_the_doctor_foretells(self, generation: Generation, found: dict[str, Findings]) -> None:
        (finding,) = found[generation.row.name]
        assert generation.row.ends[0] in foretold(finding), finding.sdk_behaviour

    def test_the_machine_that_claims_to_be_it_does_the_same(
        self, generation: Generation, played: dict[str, Played]
    ) -> None:
        run = played[generation.row.name]
        frames, info = frames_of(run), run.capture.info
        config = ClientConfig(
            Principal.of(info.canister_id or ""), info.root_key if generation.knows_root_key else None
        )
        opened = next((d.envelope for d in frames if d.open_args is not None), None)
        sender = NOBODY if opened is None or opened.sender is None else opened.sender
        ours = machine_story(generation.machine, config, sender, run.told[0].nonce, frames)
        assert ours == recorded_story(frames)
        assert ours, "a story of nothing shows nothing"


def test_what_the_old_one_drops(played: dict[str, Played]) -> None:
    """It shows the key that stands for the user, and signs with another one that nobody has vouched for."""
    (opened,) = [d.envelope for d in frames_of(played["DELEGATION_DROPPED"]) if d.open_args is not None]
    assert opened is not None
    assert opened.sender_delegation is None
    assert opened.sender == Principal.self_authenticating(opened.sender_pubkey or b"")
