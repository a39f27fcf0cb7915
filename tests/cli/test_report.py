"""`icws report`: one page beside the capture, or where one says."""

import re


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
