from __future__ import annotations

import socket
from importlib import metadata
from typing import NoReturn

import pytest

from icws_explore.notebook import environment
from icws_explore.notebook.environment import (
    Environment,
    Finding,
    check_environment,
    loopback,
    package,
    python,
    signatures,
)


class TestThisMachine:
    def test_has_everything(self) -> None:
        found = check_environment()
        assert found.ok, found.text
        assert found.findings[0].name == "Python"
        assert all(line.split()[1] == "✓" for line in found.text.splitlines())


class TestWhatIsMissing:
    def test_an_old_python(self) -> None:
        assert python((3, 10, 4)) == Finding("Python", False, "3.10.4: install 3.11 or later, then run make setup")

    def test_a_package(self) -> None:
        def absent(name: str) -> NoReturn:
            raise metadata.PackageNotFoundError(name)

        assert package("pandas", absent) == Finding(
            "pandas", False, "missing: run make setup, and start Jupyter with make lab"
        )

    def test_a_working_signature_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(environment.bls, "verify", lambda *_: True)
        assert not signatures().ok

    def test_the_loopback_interface(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> NoReturn:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(socket.socket, "bind", refuse)
        found = loopback()
        assert not found.ok
        assert "Permission denied" in found.text

    def test_is_noted_and_marked(self) -> None:
        found = Environment([Finding("a", True, "fine"), Finding("b", False, "install b")])
        assert not found.ok
        assert found.text == "a ✓ fine\nb ✗ install b"
        assert 'class="icws-bad"' in found.html
