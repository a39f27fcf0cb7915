"""The pages written by hand: the glossary has its terms, the gallery every figure, the course every notebook.

The architecture page names only files that exist.
"""

from __future__ import annotations

import re

import icws_explore as icws
from docs._ext import course
from support.machine import ROOT

DOCS = ROOT / "docs"
PACKAGE = ROOT / "icws_explore"
PAGES = [*DOCS.glob("*.md"), *(DOCS / "how-to").glob("*.md"), *(DOCS / "api").glob("*.md")]
GLOSSARY = re.findall(r"^## (.+)$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
NEEDED = {
    "Ack", "Candid", "Canister", "CDK", "Certificate", "Certified data", "Client key", "Delegation", ".did file",
    "Envelope", "Gateway", "Hash tree", "Ingress", "Keep-alive", "Nonce", "Principal", "Replica", "Request id",
    "Root key", "SDK", "Sequence number", "Subnet", "Witness",
}  # fmt: skip


class TestGlossary:
    def test_has_the_terms_of_the_protocol(self) -> None:
        assert sorted(NEEDED - set(GLOSSARY)) == []

    def test_is_in_alphabetical_order(self) -> None:
        assert sorted(GLOSSARY, key=lambda term: term.lower().lstrip(".")) == GLOSSARY

    def test_the_protocol_page_links_to_it(self) -> None:
        page = (DOCS / "protocol.md").read_text(encoding="utf-8")
        linked = set(re.findall(r"\(glossary\.md#([\w-]+)\)", page))
        assert {"gateway", "canister", "root-key", "certificate", "witness", "envelope", "request-id"} <= linked


class TestGallery:
    def test_shows_every_figure(self) -> None:
        cells = "".join(re.findall(r"```\{code-cell\}\n(.*?)```", (DOCS / "gallery.md").read_text("utf-8"), re.DOTALL))
        shown = set(re.findall(r"icws\.plots\.(\w+)\(", cells))
        assert shown == {name for name in icws.plots.__all__ if name[0].islower()}


class TestCourse:
    def test_lists_every_notebook_but_the_index(self) -> None:
        files = [path.name for path in sorted(course.NOTEBOOKS.glob("*.ipynb"))]
        assert [lesson.file for lesson in course.lessons()] == files[1:]

    def test_says_what_each_is_about_and_how_long_it_takes(self) -> None:
        first = next(course.lessons())
        assert first.title == "A first session"
        assert first.about.endswith(".")
        assert 5 <= first.minutes <= 120


class TestArchitecture:
    PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
    PATHS = sorted({name for name in re.findall(r"`([\w./-]+)`", PAGE) if "/" in name or name.endswith((".py", ".md"))})

    def test_every_path_exists(self) -> None:
        missing = [name for name in self.PATHS if not any((base / name).exists() for base in (ROOT, PACKAGE))]
        assert missing == []

    def test_names_a_file_for_every_change(self) -> None:
        table = self.PAGE.split("## Where to put a change")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (?!to …|---)(.+?) \| (.+) \|$", table, re.MULTILINE)
        assert len(rows) > 20
        assert [change for change, place in rows if not any(f"`{name}`" in place for name in self.PATHS)] == []

    def test_every_room_is_described(self) -> None:
        rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
        assert {name.rstrip("/") for name in re.findall(r"^\| `(\w+/)` \|", self.PAGE, re.MULTILINE)} == rooms
