"""Findings on a terminal: each with its mark and frames, one line a fact, whatever a peer sent."""

import pytest

from icws_explore.analysis.doctor import Finding, Findings
from icws_explore.cli import findings
from icws_explore.cli.findings import print_findings


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

    @pytest.mark.parametrize(("columns", "longest"), [(80, 80), (60, 60), (300, 110), (10, 40)])
    def test_of_a_terminal(self, capsys, monkeypatch, columns, longest):
        monkeypatch.setattr(findings.sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(findings, "width", lambda: columns)
        lines = printed(capsys, finding(explanation=self.LONG), replayed=[self.LONG])
        assert longest - 12 < max(map(len, lines[1:])) <= longest
        assert all(line.startswith("    ") for line in lines[1 : lines.index("")])
        assert " ".join(" ".join(lines).split()).count(self.LONG.strip()) == 2

    def test_in_a_pipe_a_fact_is_a_line(self, capsys):
        assert f"    {self.LONG}" in printed(capsys, finding(explanation=self.LONG))


class TestCount:
    def test_of_errors_and_warnings(self, capsys):
        assert printed(capsys, finding(), finding(), finding("warning"))[-1] == "2 errors, 1 warning"

    def test_of_nothing(self, capsys):
        assert printed(capsys) == ["nothing is wrong"]
        assert printed(capsys, finding("info"))[-1] == "nothing is wrong"
