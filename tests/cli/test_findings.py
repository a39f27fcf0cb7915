"""How findings are printed: with mark and frames, wrapped on a terminal, one line per fact in a pipe."""

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import Finding, Findings, Unchecked, diagnose
from icws_explore.analysis.recording import load
from icws_explore.cli import findings
from icws_explore.cli.findings import LOOK_S, LiveFindings, print_findings
from support.machine import ROOT


def finding(severity="error", frames=(1, 2), explanation="it broke"):
    return Finding("BODY_HASH", severity, frames, explanation, "It closes.", "Mend it.", "somewhere")


def printed(capsys, *findings, replayed=()):
    print_findings(Findings(findings), replayed)
    return capsys.readouterr().out.splitlines()


class TestFinding:
    def test_in_full(self, capsys):
        assert printed(capsys, finding()) == [
            "✗ BODY_HASH  error  frames 1, 2",
            "    it broke",
            "    the SDK: It closes.",
            "    fix: Mend it.",
            "    source: somewhere",
            "",
            "1 error",
        ]

    def test_frames_are_cut_short(self, capsys):
        assert printed(capsys, finding(frames=(3,)))[0].endswith("frame 3")
        assert printed(capsys, finding(frames=tuple(range(20))))[0].endswith("11…")
        assert printed(capsys, finding(frames=()))[0].endswith("error")

    def test_what_a_peer_sent_stays_on_its_line(self, capsys):
        lines = printed(capsys, finding(explanation="a\nb\x1b[31m"), replayed=["c\nd"])
        assert lines[1] == "    a b·[31m"
        assert lines[-2] == "replay: c d"


class TestWidth:
    LONG = "it broke because the gateway altered " + "what the canister sent " * 8

    def on_a_terminal(self, monkeypatch, columns):
        monkeypatch.setattr(findings, "is_terminal", lambda: True)
        monkeypatch.setattr(findings, "width", lambda: columns)

    @pytest.mark.parametrize(("columns", "longest"), [(80, 80), (60, 60), (300, 110), (10, 40)])
    def test_of_a_terminal(self, capsys, monkeypatch, columns, longest):
        self.on_a_terminal(monkeypatch, columns)
        frames = tuple(range(9_000, 9_012))
        lines = printed(capsys, finding(frames=frames, explanation=self.LONG), replayed=[self.LONG])
        assert longest - 12 < max(map(len, lines)) <= longest
        assert all(line.startswith("    ") for line in lines[1 : lines.index("")])
        assert " ".join(" ".join(lines).split()).count(self.LONG.strip()) == 2

    def test_the_conclusion_is_wrapped_too(self, capsys, monkeypatch):
        self.on_a_terminal(monkeypatch, 40)
        unchecked = Unchecked("proofs", "the recording has no root key", "Give --root-key.")
        print_findings(Findings(unchecked=[unchecked]))
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 40

    def test_a_principal_is_not_broken(self, capsys, monkeypatch):
        self.on_a_terminal(monkeypatch, 80)
        principal = "kebrh-rpe3j-monwr-bnfgx-y7sde-agnca-tgsq2-guukw-nyalm-gcehr-mae"
        text = f"the message is addressed to {principal}, another client"
        assert any(f"{principal}," in line for line in printed(capsys, finding(explanation=text)))

    def test_in_a_pipe_a_fact_is_a_line(self, capsys):
        assert f"    {self.LONG}" in printed(capsys, finding(explanation=self.LONG))


class TestCount:
    def test_of_errors_and_warnings(self, capsys):
        assert printed(capsys, finding(), finding(), finding("warning"))[-1] == "2 errors, 1 warning"

    def test_of_nothing(self, capsys):
        assert printed(capsys) == ["nothing is wrong"]
        assert printed(capsys, finding("info"))[-1] == "nothing is wrong"


class TestLive:
    """Findings about frames that still come."""

    class Time:
        now = 0.0

        def __call__(self):
            return self.now

    def live(self, capture):
        self.time = self.Time()
        return LiveFindings(capture.info, self.time)

    def test_each_is_told_once_when_its_session_has_ended(self):
        capture = load(ROOT / "data" / "sessions" / "tampered_body.icws").raw
        live = self.live(capture)
        told = []
        for frame in capture.frames:
            self.time.now += 0.001
            live.add(frame)
            told += live.new()
        self.time.now += LOOK_S
        told += live.new()
        assert [finding.id for finding in told] == list(diagnose(capture).ids)
        assert live.new(at_end=True) == []

    def test_a_second_session_with_the_same_cause_is_told_too(self):
        capture = load(ROOT / "data" / "sessions" / "tampered_body.icws").raw
        live = self.live(capture)
        told = []
        for session in ("1", "2"):
            for frame in capture.frames:
                live.add(replace(frame, session=session))
            self.time.now += 10
            told.append([finding.id for finding in live.new()])
        assert "BODY_HASH" in told[0]
        assert told[0] == told[1]

    def test_it_looks_seldom(self, monkeypatch):
        capture = load(ROOT / "data" / "sessions" / "healthy.icws").raw
        looks = []
        monkeypatch.setattr(
            "icws_explore.analysis.doctor.diagnose", lambda _: looks.append(self.time.now) or Findings()
        )
        live = self.live(capture)
        frame = next(frame for frame in capture.frames if frame.op == "binary")
        for _ in range(1000):
            self.time.now += 0.01
            live.add(frame)
            live.new()
        assert len(looks) <= 10 / LOOK_S + 1

    def test_it_looks_at_a_bounded_number(self, monkeypatch, capsys):
        monkeypatch.setattr(findings, "MAX_KEPT", 3)
        capture = load(ROOT / "data" / "sessions" / "healthy.icws").raw
        live = self.live(capture)
        for frame in capture.frames[:6]:
            live.add(frame)
        assert len(live._capture.frames) == 3
        assert capsys.readouterr().err.count("--doctor looks at the first 3 frames") == 1
