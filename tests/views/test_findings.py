from __future__ import annotations

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.doctor import Finding, diagnose
from icws_explore.views import display as notebook
from icws_explore.views.findings import evidence_rows, findings_html, findings_text, findings_view
from icws_explore.views.report.file import report
from support.cost import growth
from support.doctor_scenarios import SCENARIOS
from support.markup import Markup
from support.session_captures import healthy, settled


class TestFindings:
    def test_say_what_and_what_to_change(self) -> None:
        findings = diagnose(SCENARIOS["NO_KEEPALIVE"]())
        page = Markup(findings_html(findings))
        for said in ("✗ NO_KEEPALIVE (error)", "frames 4, 5, 6", findings[0].explanation, findings[0].fix):
            assert said in page.text
            assert said in findings_text(findings)

    def test_an_empty_one_is_noted_too(self) -> None:
        assert "✓ nothing is wrong" in Markup(findings_html([])).text
        assert findings_text([]).startswith("nothing is wrong")

    def test_many_frames_are_cut(self) -> None:
        finding = Finding("POLLER_DEAD", "error", tuple(range(40)), "told", "does", "do", "from")
        assert "frames 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …" in findings_text([finding])

    def test_what_a_peer_sent_is_escaped_and_on_one_line(self) -> None:
        finding = Finding("BODY_HASH", "error", (), "<script>alert(1)</script>\x1b[31m\nnext", "does", "do", "from")
        assert "<script>" not in findings_html([finding])
        assert "\x1b" not in findings_text([finding])
        assert len(findings_text([finding]).splitlines()) == 5

    def test_in_a_notebook(self) -> None:
        view = findings_view(diagnose(SCENARIOS["SLOW_CLIENT_STALL"]()))
        assert view.text.startswith("! SLOW_CLIENT_STALL (warning), frames ")
        assert "SLOW_CLIENT_STALL" in Markup(view.html).text
        assert notebook.draw_findings([]).text.startswith("nothing is wrong")


class TestEvidence:
    def test_shows_the_named_frames_with_their_neighbours(self) -> None:
        findings = diagnose(SCENARIOS["NO_KEEPALIVE"]())
        text = findings_text(findings)
        marked = [line.replace("■", " ").split()[1] for line in text.splitlines() if line.startswith("    > ")]
        assert marked == ["4", "5", "6"]
        assert any(line.startswith("      ") and line.split()[0] == "3" for line in text.splitlines())

    def test_is_the_same_in_html_and_in_text(self) -> None:
        findings = diagnose(SCENARIOS["SLOW_CLIENT_STALL"]())
        rows = [row for _, row in evidence_rows(list(decode_frames(findings.capture)), findings[0]) if row]
        assert rows
        page = " ".join(Markup(findings_html(findings)).text.split())
        assert all(row.summary in page and row.elapsed in page for row in rows)
        assert all(row.elapsed in findings_text(findings) for row in rows)

    def test_is_bounded(self) -> None:
        capture = settled()
        finding = Finding("POLLER_DEAD", "error", tuple(range(len(capture.frames))), "told", "does", "do", "from")
        rows = evidence_rows(list(decode_frames(capture)) * 10, finding, limit=12)
        assert len([row for _, row in rows if row is not None]) <= 12

    def test_marks_what_does_not_follow_each_other(self) -> None:
        frames = list(decode_frames(healthy()))
        finding = Finding("POLLER_DEAD", "error", (2, 20), "told", "does", "do", "from", (None,))
        rows = [row and row.number for _, row in evidence_rows(frames, finding)]
        assert rows == [1, 2, 3, None, 19, 20, 21]

    def test_costs_in_step_with_the_sessions_that_a_finding_names(self) -> None:
        frames = list(decode_frames(healthy()))

        def rows_of(sessions: int) -> None:
            named = tuple(str(number) for number in range(sessions))
            finding = Finding("POLLER_DEAD", "error", (2,), "told", "does", "do", "from", named)
            evidence_rows(frames[:10] * (sessions // 10), finding)

        assert growth(lambda: rows_of(2_000), lambda: rows_of(16_000)) < 24  # eight times the sessions

    def test_is_missing_where_there_is_no_recording(self) -> None:
        finding = Finding("POLLER_DEAD", "error", (3,), "told", "does", "do", "from")
        assert "    > " not in findings_text([finding])


class TestReport:
    def test_findings_come_first(self) -> None:
        text = Markup(report(SCENARIOS["NO_KEEPALIVE"]()).html).text
        assert "✗ NO_KEEPALIVE" in text
        assert text.index("NO_KEEPALIVE") < text.index("Summary")

    def test_a_healthy_one_says_so(self) -> None:
        assert "✓ nothing is wrong" in Markup(report(settled()).html).text
