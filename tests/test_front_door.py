"""`import icws_explore as icws`: its names, errors and version."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path

import pytest

import icws_explore as icws
from icws_explore.protocol import errors


class TestNames:
    @pytest.mark.parametrize("name", icws.__all__)
    def test_every_exported_name_loads(self, name: str) -> None:
        assert getattr(icws, name).__name__.rpartition(".")[2] == name

    def test_are_sorted_and_listed(self) -> None:
        assert sorted(icws.__all__, key=lambda name: (not name[0].isupper(), name)) == icws.__all__
        assert set(icws.__all__) <= set(dir(icws))

    def test_are_the_ones_that_type_checkers_see(self) -> None:
        tree = ast.parse(Path(icws.__file__).read_text(encoding="utf-8"))
        (block,) = [
            node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        ]
        seen = [alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
        assert sorted(seen) == sorted(icws.__all__)

    def test_another_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = icws.nothing


class TestErrors:
    @pytest.mark.parametrize("name", errors.__all__)
    def test_every_error_is_exported(self, name: str) -> None:
        assert getattr(icws, name) is getattr(icws.errors, name) is getattr(errors, name)
        assert name in icws.__all__

    def test_a_refused_argument_is_also_a_builtin_error(self) -> None:
        with pytest.raises(TypeError) as caught:
            icws.load(5)  # type: ignore[arg-type]
        assert isinstance(caught.value, icws.ArgumentTypeError)


class TestVersion:
    def test_is_that_of_the_installed_package(self) -> None:
        assert icws.__version__ == version("icws_explore")
