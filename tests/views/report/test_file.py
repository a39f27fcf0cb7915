from __future__ import annotations

from pathlib import Path

import pytest

import icws_explore as icws
from icws_explore.protocol.errors import CaptureError
from icws_explore.views.report.file import is_markdown, privacy_of, report
from icws_explore.views.report.gather import gather
from icws_explore.views.report.html import html_report
from icws_explore.views.report.markdown import markdown_report
from support.session_captures import healthy, settled


class TestReport:
    def test_is_public(self) -> None:
        assert icws.report is report

    def test_has_both_forms(self) -> None:
        made = report(healthy(), title="Bug 42")
        assert made.html == html_report(gather(healthy(), title="Bug 42"))
        assert made.markdown == markdown_report(gather(healthy(), title="Bug 42"))

    def test_is_written_in_the_form_of_the_suffix(self, tmp_path: Path) -> None:
        both = report(healthy()).save(tmp_path / "a.html", tmp_path / "b.MD")
        assert both == (tmp_path / "a.html", tmp_path / "b.MD")
        assert (tmp_path / "a.html").read_text("utf-8").startswith("<!doctype html>")
        assert (tmp_path / "b.MD").read_text("utf-8").startswith("### – nothing wrong was found")

    def test_gives_the_written_path(self, tmp_path: Path) -> None:
        assert report(healthy()).save(str(tmp_path / "a.htm")) == tmp_path / "a.htm"

    def test_refuses_another_suffix_before_it_writes(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"b\.pdf must end in \.html for a page or in \.md for Markdown"):
            report(healthy()).save(tmp_path / "a.html", tmp_path / "b.pdf")
        assert list(tmp_path.iterdir()) == []

    def test_says_why_it_cannot_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="cannot write"):
            report(healthy()).save(tmp_path / "no" / "a.html")

    def test_in_a_notebook_is_markdown(self) -> None:
        made = report(healthy(), redact=True)
        assert made._repr_markdown_() == made.markdown
        assert "ping 1" not in made.markdown

    def test_repr_is_one_line(self) -> None:
        assert repr(report(settled())).startswith("<Report: ✓ nothing is wrong")


class TestPrivacy:
    @pytest.mark.parametrize(
        ("redact", "principals", "said"),
        [(False, False, "shown"), (True, False, "redacted"), (False, True, "anonymous"), (True, True, "anonymous")],
    )
    def test_without_principals_is_without_payloads(self, redact: bool, principals: bool, said: str) -> None:
        assert privacy_of(redact=redact, redact_principals=principals) == said


def test_what_is_markdown() -> None:
    assert [is_markdown(name) for name in ("a.md", "a.markdown", "a.html", "md", "-")] == [
        True,
        True,
        False,
        False,
        False,
    ]
