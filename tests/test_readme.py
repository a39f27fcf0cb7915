"""The README tells the truth: its example runs, its commands exist, its pictures and links are there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from icws_explore.cli.main import COMMANDS
from support.machine import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAX_PICTURE_BYTES = 200 * 1000


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def python_in(title: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", section(title), re.DOTALL)


class TestExamples:
    def test_of_a_notebook_runs_in_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source, _ = python_in("Ten lines")
        assert len([line for line in source.splitlines() if line]) <= 10
        monkeypatch.chdir(tmp_path)
        code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

        async def cell() -> None:
            await eval(code, {})

        asyncio.run(cell())
        assert "'text': 'ping'" in capsys.readouterr().out
        assert (tmp_path / "session.icws").is_file()

    def test_of_a_script_runs_as_one(self, tmp_path: Path) -> None:
        _, source = python_in("Ten lines")
        script = tmp_path / "script.py"
        script.write_text(source, encoding="utf-8")
        run = subprocess.run(
            [sys.executable, script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert "'text': 'ping'" in run.stdout

    @pytest.mark.parametrize("title", ["Your own gateway and canister"])
    def test_the_others_call_what_exists(self, title: str) -> None:
        import icws_explore as icws

        for source in python_in(title):
            (call,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
            known = inspect.signature(icws.connect.__init__).parameters
            assert ast.unparse(call.func) == "icws.connect"
            assert {keyword.arg for keyword in call.keywords} <= set(known)

    def test_the_doctors_runs_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import icws_explore as icws

        (source,) = python_in("A dapp that misbehaves")
        shutil.copy(ROOT / "data" / "sessions" / "tampered_body.icws", tmp_path / "session.har")
        monkeypatch.chdir(tmp_path)
        exec(compile(source, "README.md", "exec"), {"icws": icws})
        assert "BODY_HASH" in (tmp_path / "issue.md").read_text(encoding="utf-8")


class TestCommands:
    def test_the_table_lists_those_that_exist(self) -> None:
        assert re.findall(r"^\| `icws (\w+)` \|", section("Commands"), re.MULTILINE) == list(COMMANDS)

    def test_make_knows_its_targets(self) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for target in set(re.findall(r"`make (\w+)", README)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestLinks:
    def test_lead_somewhere(self, page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        targets = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src(?:set)?="([^":]+)"', text)
        assert [target for target in targets if not (page.parent / target).exists()] == []

    def test_files_that_it_names_exist(self, page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"`((?:protocol|capture|analysis|live|lab|views|notebook|cli)/[\w/.]*)`", text)
        assert [name for name in named if not (ROOT / "icws_explore" / name).exists()] == []


class TestPictures:
    def test_are_small_and_described(self) -> None:
        pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
        assert pictures
        assert [path.name for path in pictures if path.stat().st_size > MAX_PICTURE_BYTES] == []
        assert all(path.name in README for path in pictures)
        assert all(
            words.strip() for words in re.findall(r'!\[(.*?)\]|alt="(.*?)"', README) for words in ["".join(words)]
        )
