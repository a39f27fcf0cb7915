"""What `make site` refuses: links that lead nowhere, malformed addresses, anything loaded from the network."""

from __future__ import annotations

from pathlib import Path

import pytest
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document

from docs._ext import site_checks


def faults_of(tmp_path: Path, body: str, **others: str) -> list[str]:
    (tmp_path / "index.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    for name, text in others.items():
        (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return list(site_checks.faults(tmp_path))


class TestFaults:
    def test_none_in_a_good_page(self, tmp_path: Path) -> None:
        body = (
            '<h2 id="here"></h2><a href="#here"></a><a href="other.html#there"></a><a href="https://example.org/a"></a>'
        )
        assert faults_of(tmp_path, body, other_html='<p id="there"></p>') == []

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ('<a href="gone.html"></a>', "index.html: gone.html leads nowhere"),
            ('<a href="#gone"></a>', "index.html: #gone: that page has no #gone"),
            ('<a href="https://"></a>', "index.html: https:// is no well-formed address"),
            ('<a href="htps://example.org"></a>', "index.html: htps://example.org is no well-formed address"),
            ('<script src="https://cdn.example.org/x.js"></script>', "index.html loads https://cdn.example.org/x.js"),
            ('<link rel="stylesheet" href="//example.org/x.css">', "index.html loads //example.org/x.css"),
            ('<img src="http://example.org/x.png">', "index.html loads http://example.org/x.png"),
        ],
    )
    def test_names_what_is_wrong(self, tmp_path: Path, body: str, fault: str) -> None:
        assert faults_of(tmp_path, body) == [fault]

    def test_sees_what_style_sheets_load(self, tmp_path: Path) -> None:
        sheet = "@font-face { src: url('https://fonts.example.org/a.woff2') }"
        assert faults_of(tmp_path, "", site_css=sheet) == ["site.css loads https://fonts.example.org/a.woff2"]


class TestWellFormed:
    @pytest.mark.parametrize("url", ["https://example.org", "http://a-b.example.org:8080/x?y#z"])
    def test_takes_addresses_of_named_hosts(self, url: str) -> None:
        assert site_checks.well_formed(url)

    @pytest.mark.parametrize(
        "url", ["https://", "https://localhost", "ws://example.org", "https://exa mple.org", "https://a.org:port"]
    )
    def test_takes_nothing_else(self, url: str) -> None:
        assert not site_checks.well_formed(url)


class TestUnlinkExamples:
    def test_leaves_text_where_an_address_is_only_an_example(self) -> None:
        document = new_document("page", get_default_settings())
        for url in ("http://127.0.0.1:4943", "https://example.org"):
            document += nodes.paragraph("", "", nodes.reference("", url, refuri=url))
        site_checks.unlink_examples(None, document)  # type: ignore[arg-type]  # the application is not asked
        assert [link["refuri"] for link in document.findall(nodes.reference)] == ["https://example.org"]
        assert "http://127.0.0.1:4943" in document.astext()
