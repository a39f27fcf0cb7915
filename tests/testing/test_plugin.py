"""The plugin in a pytest of its own: fixtures, options, the marker, the report of a failure, and what loading costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.machine import ROOT

PLUGIN = "icws_explore.testing.plugin"
EXAMPLE = ROOT / "examples" / "canister_in_ci"
TESTS = """
import pytest

def test_sends(icws_client):
    icws_client.send({"text": "a"})
    assert icws_client.receive() == {"text": "a"}

def test_fails(icws_lab, icws_client):
    icws_client.send({"text": "a"})
    icws_lab.advance("5m")
    assert icws_client.acks == 2

@pytest.mark.icws(app="pingpong", ack_interval_ms=120_000)
def test_with_a_marker(icws_lab, icws_client):
    assert icws_client.receive()["text"] == "ping"
    icws_lab.advance("2m")
    assert icws_client.acks == 1

@pytest.mark.icws(time="slow")
def test_with_a_wrong_marker(icws_lab):
    pass

def test_without_it():
    pass
"""


def run(folder: Path, *options: str) -> str:
    """The output of pytest in a folder, with the plugin loaded as its entry point loads it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "-p", "no:asyncio", *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("dapp")
    (folder / "pytest.ini").write_text("[pytest]\nicws_app = echo\naddopts = --strict-markers\n")
    (folder / "test_it.py").write_text(TESTS)
    return folder, run(folder, "-rA")


class TestTests:
    def test_pass_and_fail(self, output: tuple[Path, str]) -> None:
        _, text = output
        assert "2 failed" not in text
        assert "1 failed, 3 passed, 1 error" in text
        for name in ("test_sends", "test_with_a_marker", "test_without_it"):
            assert f"PASSED test_it.py::{name}" in text

    def test_a_failure_has_the_recording_and_the_doctors_words(self, output: tuple[Path, str]) -> None:
        folder, text = output
        assert "icws-recordings/test_it.py_test_fails.icws" in text
        assert "- icws doctor -" in text
        assert "nothing is wrong" in text
        files = sorted(path.name for path in (folder / "icws-recordings").iterdir())
        assert files == ["test_it.py_test_fails.icws"]

    def test_a_wrong_setting_is_one_line(self, output: tuple[Path, str]) -> None:
        assert "icws time is one of virtual, paused, scaled, not 'slow'" in output[1]

    @pytest.mark.slow
    def test_no_canister_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "test_it.py").write_text("def test_it(icws_client): pass\n")
        text = run(tmp_path, "--icws-record=always", "--icws-record-dir=kept")
        assert "no canister to test: run pytest --icws-wasm my_canister.wasm" in text
        text = run(tmp_path, "--icws-record=always", "--icws-record-dir=kept", "--icws-app=echo")
        assert "1 passed" in text
        assert [path.name for path in (tmp_path / "kept").iterdir()] == ["test_it.py_test_it.icws"]


class TestCost:
    def test_loading_it_imports_nothing_heavy(self) -> None:
        """Every pytest of a project that has icws_explore installed loads the plugin."""
        code = (
            "import sys, pytest; before = set(sys.modules); import icws_explore.testing.plugin; "
            "print(sorted(set(sys.modules) - before))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = [name for name in ast_list(done.stdout) if name.startswith("icws_explore")]
        assert loaded == ["icws_explore", "icws_explore.testing", "icws_explore.testing.plugin"]
        assert not {"aiohttp", "asyncio", "pandas", "matplotlib", "cryptography"} & set(ast_list(done.stdout))

    def test_the_package_declares_it_under_its_modules_name(self) -> None:
        """Then pytest loads it once, also with ``-p``."""
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert f'[project.entry-points.pytest11]\n"{PLUGIN}" = "{PLUGIN}"\n' in text


def ast_list(text: str) -> list[str]:
    return [part.strip(" '[]\n") for part in text.split(",")]


@pytest.mark.slow
def test_the_example_project_passes() -> None:
    text = run(EXAMPLE, "-q")
    assert "9 passed" in text, text
