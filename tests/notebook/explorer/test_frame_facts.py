from __future__ import annotations

import json
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.analysis.annotate import annotate_frame
from icws_explore.capture import Capture
from icws_explore.notebook.explorer.checker import Proofs
from icws_explore.notebook.explorer.frame_facts import MAX_NODES, command, field_rows, frame_detail
from icws_explore.notebook.explorer.frame_index import FrameIndex
from icws_explore.notebook.explorer.related import Relations
from support.explorer_scene import indexed
from support.hostile_frames import hostile_frames
from support.machine import ROOT
from support.session_captures import healthy, hostile

SESSIONS = ROOT / "data" / "sessions"


def detail(index: FrameIndex, number: int) -> dict[str, Any]:
    return frame_detail(index, number, proofs=Proofs(index), relations=Relations(index))


def loaded(name: str) -> FrameIndex:
    return indexed(icws.load(SESSIONS / f"{name}.icws").raw)


class TestFields:
    def test_lie_within_the_field_around_them(self) -> None:
        for frame in healthy().frames:
            way: list[Any] = []
            for row in field_rows(annotate_frame(frame)):
                del way[row[0] :]
                assert row[6] <= row[7] <= len(frame.data)
                if way:
                    assert way[-1][6] <= row[6]
                    assert row[7] <= way[-1][7]
                    assert way[-1][8]
                way.append(row)

    def test_together_cover_every_byte(self) -> None:
        for frame in healthy().frames:
            covered = {
                byte for row in field_rows(annotate_frame(frame)) if not row[8] for byte in range(row[6], row[7])
            }
            assert covered == set(range(len(frame.data)))

    def test_name_principals_as_text(self) -> None:
        index = loaded("healthy")
        values = {row[1]: row[3] for row in detail(index, 3)["fields"]}
        assert values["canister_id"] == index.recording.info.canister_id

    def test_fold_the_encoding_and_lead_to_cert_and_tree(self) -> None:
        found = detail(loaded("healthy"), 2)
        assert [name for name, _ in found["jumps"]] == ["content", "cert", "tree"]
        for name, place in found["jumps"]:
            assert found["fields"][place][1] == name
        closed = {row[1] for row in found["fields"] if row[8] and not row[10]}
        assert {"cert", "tree"} <= closed
        assert any(row[9] for row in found["fields"])

    def test_of_hostile_frames_are_bounded(self) -> None:
        for _, frame in hostile_frames():
            rows = field_rows(annotate_frame(frame))
            assert len(rows) <= MAX_NODES


class TestDetail:
    @pytest.mark.parametrize("name", [path.name.partition(".")[0] for path in sorted(SESSIONS.glob("*.icws"))])
    def test_of_every_frame_is_json(self, name: str) -> None:
        index = loaded(name)
        for decoded in index.frames:
            assert json.loads(json.dumps(detail(index, decoded.number)))["frame"] == decoded.number

    def test_of_what_a_peer_wrote_is_printable_text(self) -> None:
        index = indexed(hostile())

        def texts(value: Any) -> list[str]:
            if isinstance(value, dict):
                return [text for item in value.values() for text in texts(item)]
            if isinstance(value, list):
                return [text for item in value for text in texts(item)]
            return [value] if isinstance(value, str) else []

        for decoded in index.frames:
            assert [text for text in texts(detail(index, decoded.number)) if not text.isprintable()] == []

    def test_shows_the_walk_of_a_proof(self) -> None:
        passed, failed = detail(loaded("healthy"), 8)["proof"], detail(loaded("tampered_body"), 8)["proof"]
        assert {step["outcome"] for step in passed["steps"]} == {"passed"}
        assert passed["weight"] == "good"
        assert failed["weight"] == "bad"
        assert [step["name"] for step in failed["steps"] if step["outcome"] == "failed"] == ["body"]
        assert failed["steps"][-1]["outcome"] == "not checked"

    def test_without_a_root_key_does_not_say_passed(self) -> None:
        whole = healthy()
        index = indexed(Capture(icws.SessionInfo(canister_id=whole.info.canister_id), whole.frames))
        number = next(decoded.number for decoded in index.frames if decoded.kind == "app")
        outcomes = {step["name"]: step["outcome"] for step in detail(index, number)["proof"]["steps"]}
        assert outcomes["signature"] == "not checked"
        assert outcomes["body"] == "passed"

    def test_of_stand_in_cryptography_says_why_nothing_is_checked(self) -> None:
        simulated = icws.simulate(duration="2m", crypto="stand-in")
        index = indexed(simulated.raw)
        number = next(decoded.number for decoded in index.frames if decoded.kind == "app")
        with pytest.raises(icws.IcwsError, match="simulated"):
            Proofs(index).steps(number)
        proof = detail(index, number)["proof"]
        assert (proof["weight"], proof["steps"]) == ("note", [])
        assert "simulated" in proof["heading"]

    def test_names_the_findings_about_the_frame(self) -> None:
        index = loaded("tampered_body")
        findings = index.recording.doctor()
        found = frame_detail(index, 8, proofs=Proofs(index), relations=Relations(index), findings=findings)
        assert "BODY_HASH" in [finding["id"] for finding in found["findings"]]
        assert detail(index, 3)["findings"] == []


class TestProofs:
    @pytest.mark.parametrize("name", ["healthy", "tampered_body", "foreign_witness", "no_delegation", "chat"])
    def test_of_single_frames_agree_with_those_of_the_whole(self, name: str) -> None:
        index = loaded(name)
        proofs = Proofs(index)
        for verdict in index.recording.verify():
            assert proofs.steps(verdict.frame) == verdict.steps

    def test_have_their_hash_trees(self) -> None:
        proof = Proofs(loaded("healthy")).proof(8)
        assert [heading.partition(":")[0] for heading, _, _ in proof.trees] == ["Delegation", "Certificate", "Witness"]


class TestCommand:
    def test_sends_a_request_to_the_network(self) -> None:
        index = loaded("healthy")
        text = command(index.frames[3], index.recording.raw)
        assert text.startswith("# accepted until ")
        assert f"/api/v2/canister/{index.recording.info.canister_id}/call" in text

    def test_quotes_what_a_peer_wrote(self) -> None:
        frame = icws.Frame(0.0, "out", "request", b"x", reason="POST /api'; rm -rf ~ #")
        decoded = indexed(Capture(frames=[frame])).frames[0]
        assert "'\"'\"'" in command(decoded, Capture(frames=[frame]))
