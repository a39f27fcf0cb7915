"""`icws_explore.report`: what is in a recording, as a page to attach and as text to paste into an issue."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Final, overload

from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal

from ..facts import Subject
from .contents import Contents, Privacy
from .gather import gather
from .html import page_of, write_text
from .markdown import markdown_of

MARKDOWN_SUFFIXES: Final = (".md", ".markdown")
PAGE_SUFFIXES: Final = (".html", ".htm")


class Report:
    """A capture judged and gathered; written down when asked. In a notebook it shows itself as Markdown."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents

    @cached_property
    def html(self) -> str:
        """One page, complete in itself."""
        return page_of(self.contents)

    @cached_property
    def markdown(self) -> str:
        """The short form, for an issue; fewer than 60,000 characters."""
        return markdown_of(self.contents)

    @overload
    def save(self, path: str | os.PathLike[str], /) -> Path: ...
    @overload
    def save(self, *paths: str | os.PathLike[str]) -> tuple[Path, ...]: ...
    def save(self, *paths: str | os.PathLike[str]) -> Path | tuple[Path, ...]:
        """Write the page to names that end in .html, Markdown to those in .md; gives the path, or each of several.

        Raises CaptureError for any other name, before anything is written, and where a file cannot be written.
        """
        for path in paths:
            check_ending(path)
        written = tuple(write_text(path, self.markdown if is_markdown(path) else self.html) for path in paths)
        return written[0] if len(written) == 1 else written

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        hint = ".save('report.html') for the page, .save('issue.md') for an issue"
        return f"<Report: {self.contents.answer[0]}; {hint}>"


def report(
    subject: Subject,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    redact: bool = False,
    redact_principals: bool = False,
) -> Report:
    """What is wrong in a capture or a recording, with the evidence, the timing and the proofs.

    ``root_key`` (DER) and ``canister_id`` override the capture's. ``redact`` shows application messages by
    type and size only, and leaves out every other word and byte that may be private (`analysis.redaction` says
    which); ``redact_principals`` gives principals other names besides. All is judged before it is left out.
    """
    privacy = privacy_of(redact=redact, redact_principals=redact_principals)
    return Report(gather(subject, root_key=root_key, canister_id=canister_id, title=title, privacy=privacy))


def privacy_of(*, redact: bool, redact_principals: bool) -> Privacy:
    """Without principals means without payloads as well: those may name them."""
    return "anonymous" if redact_principals else "redacted" if redact else "shown"


def check_ending(path: str | os.PathLike[str]) -> None:
    """Raise CaptureError for a name that ends as neither form of a report does."""
    if Path(path).suffix.lower() not in (*PAGE_SUFFIXES, *MARKDOWN_SUFFIXES):
        raise CaptureError(f"a report is a page (.html) or Markdown (.md): give {path} a name that ends so")


def is_markdown(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix.lower() in MARKDOWN_SUFFIXES
