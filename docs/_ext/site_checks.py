"""What must hold of the built site: links lead somewhere, addresses are well formed, and nothing is fetched.

External addresses cannot be tried without a network, so their form is all that is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", re.IGNORECASE)
_LOADS: Final = {("img", "src"), ("img", "srcset"), ("source", "srcset"), ("script", "src"), ("iframe", "src")}
_LOADING_RELS: Final = {"stylesheet", "preload", "preconnect", "icon", "prefetch", "dns-prefetch", "modulepreload"}


class _Page(HTMLParser):
    """The ids of a page, what it links to, and what a browser loads with it."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if values.get(name)}
        self.loads += [value for name, value in values.items() if (tag, name) in _LOADS]
        if tag == "link" and _LOADING_RELS & set(values.get("rel", "").split()):
            self.loads.append(values.get("href", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])


def well_formed(url: str) -> bool:
    """Whether it is an http or https address of a named host, without blanks."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(_HOST.fullmatch(host)) and not re.search(r"\s", url)


def unlink_examples(_app: Sphinx, document: nodes.document) -> None:
    """Make text of examples such as ``http://127.0.0.1:4943``, which docutils has turned into links."""
    for link in list(document.findall(nodes.reference)):
        if link.get("refuri") == link.astext() and not well_formed(link.astext()):
            link.replace_self(nodes.Text(link.astext()))


def faults(site: Path) -> Iterator[str]:
    """What is wrong with the pages and style sheets in ``site``, a line each."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        yield from (f"{name} loads {url}" for url in page.loads if re.match(r"(https?:)?//", url))
        yield from (f"{name}: {problem}" for link in page.links if (problem := _link_fault(path, link, pages)))
    for path in sorted(site.rglob("*.css")):
        for url in re.findall(
            r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text(encoding="utf-8")
        ):
            yield f"{path.relative_to(site)} loads {url}"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _link_fault(path: Path, link: str, pages: dict[Path, _Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme:
        return None if parts.scheme in {"mailto", "data"} or well_formed(link) else f"{link} is no well-formed address"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return f"{link} leads nowhere"
    fragment = unquote(parts.fragment)
    if fragment and target in pages and fragment not in pages[target].ids:
        return f"{link}: that page has no #{fragment}"
    return None


def check(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        found = list(faults(Path(app.outdir).resolve()))
        if found:
            raise SphinxError("the site is not right:\n  " + "\n  ".join(found))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", unlink_examples)
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
