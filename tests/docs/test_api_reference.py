"""The API reference describes every public name; `make site` fails when one is missing."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

import icws_explore as icws
from docs._ext import api_reference, public_api
from support.machine import ROOT


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sphinx, str]:
    """The pages of docs/api, read by Sphinx on their own, and what Sphinx warned of."""
    return build(tmp_path_factory.mktemp("reference"), ["api/**"])


def build(out: Path, include: list[str]) -> tuple[Sphinx, str]:
    said = io.StringIO()
    docs = ROOT / "docs"
    settings = {"include_patterns": include, "root_doc": "api/index", "nb_execution_mode": "off"}
    with warnings.catch_warnings(), patch_docutils(docs), docutils_namespace():
        for old in (DeprecationWarning, PendingDeprecationWarning):  # of myst_parser, for Sphinx 11
            warnings.simplefilter("ignore", old)
        app = Sphinx(docs, docs, out, out / "trees", "dummy", settings, None, said, freshenv=True)
        app.build(force_all=True)
    return app, said.getvalue()


@pytest.mark.slow
class TestReference:
    def test_misses_no_public_name(self, reference: tuple[Sphinx, str]) -> None:
        app, said = reference
        assert api_reference.missing(app.env.domains.python_domain.objects) == []
        assert "is public" not in said
        assert "public module" not in said

    def test_describes_what_public_names_return(self, reference: tuple[Sphinx, str]) -> None:
        described = reference[0].env.domains.python_domain.objects
        for kind in public_api.neighbours(public_api.public_names())[0]:
            assert f"{kind.__module__}.{kind.__qualname__}" in described, kind

    def test_describes_methods_but_none_of_foreign_classes(self, reference: tuple[Sphinx, str]) -> None:
        described = reference[0].env.domains.python_domain.objects
        assert "icws_explore.Recording.verify" in described
        assert "icws_explore.plots.SessionFigure.save" in described
        assert "icws_explore.plots.SessionFigure.add_subplot" not in described  # matplotlib's

    def test_a_page_that_is_left_out_is_noticed(self, tmp_path: Path) -> None:
        _, said = build(tmp_path, ["api/index.md", "api/views.md"])
        assert "icws_explore.plots.timeline is public, but no page of docs/api describes it" in said
        assert "icws_explore.plots is a public module" in said
        assert "icws_explore.report is public" not in said


class TestMissing:
    def test_names_what_is_not_described(self) -> None:
        everything = {public.path for public in public_api.public_names()}
        assert api_reference.missing(everything) == []
        assert api_reference.missing(everything - {"icws_explore.load"}) == ["icws_explore.load"]


class TestFirstSentence:
    @pytest.mark.parametrize(
        ("docstring", "sentence"),
        [
            ("Reads a file. Raises CaptureError.", "Reads a file."),
            ("Reads ``a. b`` and more. Then stops.", "Reads ``a. b`` and more."),
            ("Edit and see::\n\n    code", "Edit and see"),
            ("No full stop", "No full stop"),
        ],
    )
    def test_ends_at_a_full_stop_outside_code(self, docstring: str, sentence: str) -> None:
        def documented() -> None: ...

        documented.__doc__ = docstring
        assert api_reference.first_sentence(documented) == sentence

    def test_every_public_name_has_one(self) -> None:
        assert [name for name in icws.__all__ if not api_reference.first_sentence(getattr(icws, name))] == []
