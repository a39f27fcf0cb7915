"""`icws_explore.report`: what is in a recording, as a page to attach and as text to paste into an issue."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Final, overload

from icws_explore.protocol.errors import CaptureError, IcwsError
from icws_explore.protocol.principal import Principal

from ..source import RecordingLike
from .contents import Contents, Privacy
from .every_byte import every_byte_page
from .gather import gather
from .html import html_report
from .markdown import markdown_report

MARKDOWN_SUFFIXES: Final = (".md", ".markdown")
PAGE_SUFFIXES: Final = (".html", ".htm")


class Report:
    """A report on a recording. Its two forms are made when they are asked for; a notebook shows the Markdown."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents

    @cached_property
    def html(self) -> str:
        """One page that needs no other file."""
        return html_report(self.contents)

    @cached_property
    def markdown(self) -> str:
        """The short form for an issue, fewer than 60,000 characters."""
        return markdown_report(self.contents)

    @cached_property
    def every_byte(self) -> str:
        """A page with every frame unfolded and every byte explained; of a long recording, a part of it.

        Raises IcwsError for a redacted report, because redaction leaves the bytes out.
        """
        if self.contents.privacy != "shown":
            raise IcwsError("a redacted report leaves the bytes out: there is nothing to explain byte by byte")
        return every_byte_page(self.contents)

    @overload
    def save(self, path: str | os.PathLike[str], /) -> Path: ...
    @overload
    def save(self, *paths: str | os.PathLike[str]) -> tuple[Path, ...]: ...
    def save(self, *paths: str | os.PathLike[str]) -> Path | tuple[Path, ...]:
        """Write the page to names that end in .html and Markdown to names in .md. Returns the path, or all paths.

        Raises CaptureError for any other name, before anything is written, and if a file cannot be written.
        """
        for path in paths:
            check_suffix(path)
        written = tuple(write_text(path, self.markdown if is_markdown(path) else self.html) for path in paths)
        return written[0] if len(written) == 1 else written

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        hint = "save('report.html') writes the page, save('issue.md') the text for an issue"
        return f"<Report: {self.contents.answer[0]}; {hint}>"


def report(
    recording: RecordingLike,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    redact: bool = False,
    redact_principals: bool = False,
) -> Report:
    """Return a report on what is wrong in a recording, with the evidence, the timing and the proofs.

    ::

        icws.report(recording, redact=True).save("issue.md")  # or .html

    - ``root_key`` (DER) and ``canister_id`` replace those of the recording.
    - ``title`` is the heading of the report.
    - ``redact`` shows application messages only by type and size, and leaves out all other texts and bytes that may
      be private. ``analysis.redaction`` lists them.
    - ``redact_principals`` does the same, and also replaces principals by names such as client-1.

    Everything is verified and diagnosed before it is left out.
    """
    privacy = privacy_of(redact=redact, redact_principals=redact_principals)
    return Report(gather(recording, root_key=root_key, canister_id=canister_id, title=title, privacy=privacy))


def privacy_of(*, redact: bool, redact_principals: bool) -> Privacy:
    """Redacting principals implies redacting payloads, because these may contain principals."""
    return "anonymous" if redact_principals else "redacted" if redact else "shown"


def check_suffix(path: str | os.PathLike[str]) -> None:
    """Raise CaptureError if a name ends in neither .html nor .md."""
    if Path(path).suffix.lower() not in (*PAGE_SUFFIXES, *MARKDOWN_SUFFIXES):
        raise CaptureError(f"{path} must end in .html for a page or in .md for Markdown")


def is_markdown(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix.lower() in MARKDOWN_SUFFIXES


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a finished report. Raises CaptureError if that fails."""
    target = Path(path)
    try:
        target.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise CaptureError(f"cannot write {target}: {error.strerror}") from error
    return target
