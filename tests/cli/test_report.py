"""`icws report`: one page beside the capture, or where one says."""

import re

import pytest

from support.doctor_cases import FOLDER


class TestReport:
    def test_is_written_beside_the_capture(self, icws, recorded, tmp_path):
        copy = tmp_path / "s.icws"
        copy.write_bytes(recorded.read_bytes())
        assert icws("report", copy).code == 0
        page = (tmp_path / "s.html").read_text("utf-8")
        assert "s.html" in icws.out
        assert page.startswith("<!doctype html>") or "<html" in page
        assert "<script" not in page
        loads = re.findall(r"""(?:src|href)=["'](?!#|data:)|url\((?!["']?(?:#|data:))|@import""", page)
        assert loads == []

    def test_under_another_key_says_what_fails(self, icws, recorded, tmp_path):
        assert icws("report", recorded, "-o", tmp_path / "r.html", "--root-key", "mainnet").code == 0
        assert "delegation" in (tmp_path / "r.html").read_text("utf-8")

    def test_errors(self, icws, recorded, tmp_path):
        assert "cannot write" in icws.fails(3, "report", recorded, "-o", tmp_path / "no" / "r.html")
        assert "cannot read" in icws.fails(3, "report", tmp_path / "none.icws")
        icws.fails(2, "report", recorded, "--root-key", "xyz")
        assert "is the recording" in icws.fails(3, "report", recorded, "-o", recorded)
        icws.fails(2, "report", recorded, "--format", "pdf")

    def test_a_name_of_another_format_is_not_written(self, icws, recorded, tmp_path):
        for name in ("x.pdf", "x"):
            line = icws.fails(3, "report", recorded, "-o", tmp_path / name)
            assert "must end in .html for a page or in .md for Markdown" in line
            assert not (tmp_path / name).exists()
        assert icws("report", recorded, "-o", tmp_path / "x.txt", "--format", "md").code == 0
        assert (tmp_path / "x.txt").read_text("utf-8").startswith("### ")


class TestMarkdown:
    def test_by_the_outputs_name(self, icws, recorded, tmp_path):
        assert icws("report", recorded, "-o", tmp_path / "issue.md").code == 0
        assert (tmp_path / "issue.md").read_text("utf-8").startswith("### ")

    def test_by_the_format_beside_the_capture(self, icws, recorded, tmp_path):
        copy = tmp_path / "s.icws"
        copy.write_bytes(recorded.read_bytes())
        assert icws("report", copy, "--format", "md").code == 0
        assert (tmp_path / "s.md").read_text("utf-8").startswith("### ")

    def test_to_the_standard_output_and_nothing_else(self, icws, recorded):
        assert icws("report", recorded, "--format", "md", "-o", "-").code == 0
        assert icws.out.startswith("### ")
        assert icws.out.endswith("</details>\n")
        assert icws("report", recorded, "-o", "-").out.startswith("<!doctype html>")

    def test_a_title_of_the_user(self, icws, recorded):
        assert "Bug 42" in icws("report", recorded, "--format", "md", "-o", "-", "--title", "Bug 42").out


class TestRedacted:
    def test_messages_are_left_out(self, icws, recorded):
        shown = icws("report", recorded, "--format", "md", "-o", "-").out
        redacted = icws("report", recorded, "--format", "md", "-o", "-", "--redact").out
        said = re.findall(r"text: '([^']{4,})'", shown)
        assert said
        assert not any(text in redacted for text in said)
        assert "‹record {" in redacted

    def test_principals_are_left_out_if_asked(self, icws, recorded):
        redacted = icws("report", recorded, "-o", "-", "--redact-principals").out
        assert not re.search(r"\b[a-z0-9]{5}(-[a-z0-9]{5}){3,}", redacted)
        assert "client-1" in redacted


class TestOtherProtocols:
    @pytest.mark.parametrize("ending", ["md", "html"])
    def test_nothing_of_another_socket_is_in_a_redacted_report(self, icws, tmp_path, ending):
        path = tmp_path / f"report.{ending}"
        assert icws("report", FOLDER / "har_redact_foreign.har", "--redact", "-o", path).code == 0
        text = path.read_text(encoding="utf-8")
        assert "SECRET" not in text
        assert "session 1 was left out: it speaks another protocol (Socket.IO)" in text


class TestEveryByte:
    def test_is_a_page_of_its_own_beside_the_report(self, icws, recorded, tmp_path):
        copy = tmp_path / "s.icws"
        copy.write_bytes(recorded.read_bytes())
        assert icws("report", copy, "--every-byte").code == 0
        assert "s.every-byte.html" in icws.out
        page = (tmp_path / "s.every-byte.html").read_text("utf-8")
        assert "<h1>Every byte of a session</h1>" in page
        assert "<script" not in page
        assert not (tmp_path / "s.html").exists()

    def test_where_the_user_says(self, icws, recorded, tmp_path):
        assert icws("report", recorded, "--every-byte", "-o", tmp_path / "x.html", "--title", "Lesson 2").code == 0
        assert "Lesson 2" in (tmp_path / "x.html").read_text("utf-8")
        assert "<h1>Every byte" in icws("report", recorded, "--every-byte", "-o", "-").out

    def test_needs_a_page_and_the_bytes(self, icws, recorded, tmp_path):
        assert "Markdown" in icws.fails(2, "report", recorded, "--every-byte", "--format", "md")
        assert "Markdown" in icws.fails(2, "report", recorded, "--every-byte", "-o", tmp_path / "x.md")
        for option in ("--redact", "--redact-principals"):
            assert "leaves out" in icws.fails(2, "report", recorded, "--every-byte", option)
        assert list(tmp_path.iterdir()) == []
