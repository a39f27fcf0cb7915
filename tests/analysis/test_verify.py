"""Every canister message of a capture, walked in the order of the frames."""

import dataclasses
import json

import pytest

from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, Frame, SessionInfo, load
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from support.indefinite import reencoded
from support.machine import ROOT

VECTORS = ROOT / "tests" / "vectors"


def failures(capture, **known):
    return [(verdict.frame, verdict.failure.step) for verdict in verify_capture(capture, **known) if verdict.failure]


def canister_frames(capture):
    return [n for n, frame in enumerate(capture.frames) if frame.direction == "in" and b"certified_data" in frame.data]


class TestRecorded:
    def test_everything_is_authentic(self, recorded):
        verdicts = list(verify_capture(load(recorded)))
        assert len(verdicts) >= 5
        assert all(verdict.ok and all(step.ok for step in verdict.steps) for verdict in verdicts)

    def test_a_missing_message_is_one_gap(self, recorded):
        capture = load(recorded)
        del capture.frames[canister_frames(capture)[1]]
        assert [step for _, step in failures(capture)] == ["sequence"]

    def test_a_duplicate_and_a_swap(self, recorded):
        capture = load(recorded)
        first, second = canister_frames(capture)[1:3]
        swapped = list(capture.frames)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        assert {step for _, step in failures(Capture(capture.info, swapped))} == {"sequence"}
        doubled = [*capture.frames[: first + 1], capture.frames[first], *capture.frames[first + 1 :]]
        assert failures(Capture(capture.info, doubled)) == [(first + 1, "sequence")]

    def test_a_message_for_another_client(self, recorded):
        """The same frames behind another session's ws_open: only the keys tell."""
        capture = load(recorded)
        frames = [frame for frame in capture.frames if b"ws_open" not in frame.data]
        verdicts = list(verify_capture(Capture(capture.info, frames)))
        assert all(verdict.ok for verdict in verdicts)
        assert verdicts[0].steps[-1].ok is None  # whose it should be is not known without the ws_open

    def test_the_time_is_that_of_receipt(self, recorded):
        capture = load(recorded)
        late = [dataclasses.replace(frame, t=frame.t + 301) for frame in capture.frames]
        assert {step for _, step in failures(Capture(capture.info, late))} == {"time"}

    def test_under_another_key_and_canister(self, recorded):
        capture = load(recorded)
        assert {step for _, step in failures(capture, root_key=MAINNET_ROOT_KEY)} == {"delegation"}
        other = Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai")
        assert {step for _, step in failures(capture, canister_id=other)} <= {"delegation", "certified_data"}

    def test_the_canister_is_learned_from_the_first_envelope(self, recorded):
        capture = load(recorded)
        capture.info = dataclasses.replace(capture.info, canister_id=None)
        assert failures(capture) == []

    def test_sessions_of_one_capture_are_walked_apart(self, recorded):
        capture = load(recorded)
        both = [dataclasses.replace(frame, session=name) for frame in capture.frames for name in ("a", "b")]
        assert failures(Capture(capture.info, both)) == []


class TestLocalReplica:
    def test_real_messages_with_a_known_canister(self):
        vector = json.loads((VECTORS / "icws_local_replica.json").read_text())
        info = SessionInfo(canister_id=vector["canister_id"], root_key=bytes.fromhex(vector["root_key_der_hex"]))
        message = vector["messages"][0]
        parts = [bytes.fromhex(message[f"{name}_hex"]) for name in ("content", "cert", "tree")]
        frame = Frame(
            int(message["time_ns"]) / 1e9 + 1, "in", "binary", CanisterMessage(message["key"], *parts).encode()
        )
        (verdict,) = verify_capture(Capture(info, [frame]))
        assert verdict.ok
        assert [step.step for step in verdict.steps if step.ok is None] == ["sequence", "client_key"]


class TestFacts:
    def test_no_root_key_says_how_to_give_one(self, recorded):
        capture = load(recorded)
        capture.info = dataclasses.replace(capture.info, root_key=None)
        with pytest.raises(IcwsError, match="--root-key"):
            list(verify_capture(capture))

    def test_an_unreadable_canister_id_is_no_crash(self, recorded):
        capture = load(recorded)
        capture.info = dataclasses.replace(capture.info, canister_id="nonsense")
        assert failures(capture) == []


class TestIndefiniteLengths:
    """Signatures cover hashes of the decoded trees, so the encoding of the proofs does not matter."""

    @pytest.mark.parametrize("chunks", [False, True])
    def test_proofs_and_frames_verify_as_ever(self, recorded, chunks):
        capture = load(recorded)
        for number in canister_frames(capture):
            frame = capture.frames[number]
            data = reencoded(frame.data, chunks=chunks, inside=("cert", "tree"))
            capture.frames[number] = dataclasses.replace(frame, data=data)
        verdicts = list(verify_capture(capture))
        assert len(verdicts) >= 5
        assert all(verdict.ok and all(step.ok for step in verdict.steps) for verdict in verdicts)

    def test_a_changed_leaf_is_still_found(self, recorded):
        capture = load(recorded)
        number = canister_frames(capture)[1]
        frame = capture.frames[number]
        message = CanisterMessage.decode(frame.data)
        tree = reencoded(message.tree)
        at = tree.index(b"websocket")
        changed = dataclasses.replace(message, tree=tree[:at] + b"w" * 9 + tree[at + 9 :])
        capture.frames[number] = dataclasses.replace(frame, data=changed.encode())
        assert failures(capture)[0] == (number, "certified_data")
