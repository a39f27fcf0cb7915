from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.capture import Capture
from icws_explore.notebook.explorer.checker import Checker, Proofs
from icws_explore.notebook.explorer.frame_index import FrameIndex
from support.explorer_scene import WAIT_S, growing, indexed
from support.machine import ROOT
from support.session_captures import healthy


class Told:
    """What a checker told."""

    def __init__(self, index: FrameIndex) -> None:
        self.proofs: dict[int, str] = {}
        self.findings: list[tuple[str, ...]] = []
        self.status: list[str] = []
        self.changed = threading.Condition()
        self.checker = Checker(
            index, Proofs(index), on_proofs=self.take(self.proofs.update),
            on_findings=self.take(lambda found: self.findings.append(found.ids)),
            on_status=self.take(self.status.append),
        )  # fmt: skip
        self.checker.start()

    def take(self, keep: Any) -> Any:
        def told(proofs: Any) -> None:
            with self.changed:
                keep(proofs)
                self.changed.notify_all()

        return told

    def until(self, true: Any) -> None:
        with self.changed:
            assert self.changed.wait_for(true, WAIT_S)

    def stop(self) -> None:
        self.checker.stop()
        self.checker.join(WAIT_S)
        assert not self.checker._thread.is_alive()


class TestChecker:
    def test_tells_each_proof_and_what_the_doctor_says(self) -> None:
        recording = icws.load(ROOT / "data" / "sessions" / "tampered_body.icws")
        told = Told(indexed(recording.raw))
        told.until(lambda: told.findings)
        failed = [verdict.frame for verdict in recording.verify() if not verdict.ok]
        assert [number for number, state in told.proofs.items() if state == "failed"] == failed
        assert told.findings == [recording.doctor().ids]
        told.until(lambda: told.status[-1] == "")
        told.stop()

    def test_goes_on_with_frames_that_come(self) -> None:
        whole = healthy()
        capture, until = growing(whole, begin=0)
        index = indexed(capture)
        told = Told(index)
        for number in (3, 9, len(whole)):
            until(number)
            index.take()
            told.checker.wake()
        expected = {verdict.frame for verdict in icws.Recording(whole).verify()}
        told.until(lambda: expected <= set(told.proofs))
        assert set(told.proofs.values()) == {"passed"}
        told.stop()

    def test_holds_up_the_search_for_cycles_among_all_objects_only_while_it_works(self) -> None:
        usual, working = gc.get_threshold(), set()
        capture, until = growing(healthy(), begin=0)
        index = indexed(capture)
        one, other = Told(index), Told(index)
        for told in (one, other):
            told.checker._on_findings = lambda _: working.add(gc.get_threshold())
        until(9)
        index.take()
        one.checker.wake()
        other.checker.wake()
        for told in (one, other):
            assert told.checker.first_diagnosis.wait(WAIT_S)
            told.stop()
        assert working == {(usual[0], usual[1], 2**31 - 1)}
        assert gc.get_threshold() == usual

    def test_stops_while_nothing_has_come(self) -> None:
        told = Told(indexed(Capture()))
        told.stop()
        assert told.proofs == {}

    def test_without_a_root_key_says_not_checked(self) -> None:
        whole = healthy()
        told = Told(indexed(Capture(icws.SessionInfo(canister_id=whole.info.canister_id), whole.frames)))
        told.until(lambda: told.findings)
        received = [verdict.frame for verdict in icws.Recording(whole).verify()]
        assert {told.proofs[number] for number in received} == {"unchecked"}
        told.stop()

    def test_of_simulated_cryptography_says_that_nothing_is_checked(self) -> None:
        told = Told(indexed(icws.simulate(duration="2m", crypto="stand-in").raw))
        told.until(lambda: told.findings)
        assert told.proofs == {}
        assert any("not checked" in line for line in told.status)
        told.stop()

    def test_an_error_of_its_own_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError("by a test")

        monkeypatch.setattr("icws_explore.notebook.explorer.checker.diagnose", fail)
        told = Told(indexed(healthy()))
        told.until(lambda: any("by a test" in line for line in told.status))
        assert told.checker.first_diagnosis.wait(WAIT_S)
        told.stop()
