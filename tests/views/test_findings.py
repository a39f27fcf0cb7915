from __future__ import annotations

from icws_explore.analysis.doctor import Finding, diagnose
from icws_explore.views import display as notebook
from icws_explore.views.findings import findings_html, findings_text, findings_view
from icws_explore.views.report.file import report
from support.doctor_scenarios import SCENARIOS
from support.markup import Markup
from support.session_captures import settled


class TestFindings:
    def test_say_what_and_what_to_change(self) -> None:
        findings = diagnose(SCENARIOS["NO_KEEPALIVE"]())
        page = Markup(findings_html(findings))
        for said in ("✗ NO_KEEPALIVE (error)", "frames 4, 5, 6", findings[0].explanation, findings[0].fix):
            assert said in page.text
            assert said in findings_text(findings)

    def test_nothing_is_said_too(self) -> None:
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


class TestReport:
    def test_findings_come_first(self) -> None:
        text = Markup(report(SCENARIOS["NO_KEEPALIVE"]()).html).text
        assert "✗ NO_KEEPALIVE" in text
        assert text.index("NO_KEEPALIVE") < text.index("Summary")

    def test_a_healthy_one_says_so(self) -> None:
        assert "✓ nothing is wrong" in Markup(report(settled()).html).text
