"""The README tells the truth: its example runs, its commands exist, its pictures and links are there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from icws_explore.cli.main import COMMANDS
from support.machine import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONNECT = (ROOT / "docs" / "how-to" / "connect.md").read_text(encoding="utf-8")
MAX_LINES = 150
MAX_PICTURE_BYTES = 200 * 1000
MAX_ANIMATION_BYTES = 1500 * 1000


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def python_in(title: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", section(title), re.DOTALL)


class TestExamples:
    def test_of_a_notebook_runs_in_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source, _ = python_in("In Python")
        assert len([line for line in source.splitlines() if line]) <= 10
        monkeypatch.chdir(tmp_path)
        code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

        async def cell() -> None:
            await eval(code, {})

        asyncio.run(cell())
        assert "'text': 'ping'" in capsys.readouterr().out
        assert (tmp_path / "session.icws").is_file()

    def test_of_a_script_runs_as_one(self, tmp_path: Path) -> None:
        _, source = python_in("In Python")
        script = tmp_path / "script.py"
        script.write_text(source, encoding="utf-8")
        run = subprocess.run(
            [sys.executable, script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert "'text': 'ping'" in run.stdout

    def test_of_connecting_call_what_exists(self) -> None:
        import icws_explore as icws

        sources = re.findall(r"```python\n(.*?)```", CONNECT, re.DOTALL)
        calls = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        of_connect = [call for call in calls if ast.unparse(call.func) == "icws.connect"]
        assert len(of_connect) == 2
        known = inspect.signature(icws.connect.__init__).parameters
        assert {keyword.arg for call in of_connect for keyword in call.keywords} <= set(known)

    def test_names_in_the_text_exist(self) -> None:
        import icws_explore as icws

        recording = icws.load(ROOT / "data" / "sessions" / "healthy.icws")
        text = section("In Python")
        called = re.findall(r"`recording\.(\w+)\(", text)
        assert called
        assert [name for name in called if not hasattr(recording, name)] == []
        assert [name for name in re.findall(r"`icws\.(\w+)\(", text) if not hasattr(icws, name)] == []


class TestShape:
    def test_is_short(self) -> None:
        assert len(README.splitlines()) < MAX_LINES

    @pytest.mark.parametrize("way", ["Learn the protocol", "Debug a dapp", "Teach"])
    def test_each_way_in_has_a_picture_a_command_and_a_page(self, way: str) -> None:
        assert re.search(r"docs/images/[\w-]+\.(png|webp)", section(way))
        assert "```sh\n" in section(way)
        assert re.search(r"\(docs/how-to/\w+\.md\)", section(way))


class TestCommands:
    def test_the_table_lists_those_that_exist(self) -> None:
        assert re.findall(r"^\| `icws (\w+)` \|", section("Commands"), re.MULTILINE) == list(COMMANDS)

    def test_that_read_files_of_this_repository_run(self, tmp_path: Path) -> None:
        """In a folder of their own, with the repository's data; what finds something wrong has exit code 1."""
        (tmp_path / "data").symlink_to(ROOT / "data")
        lines = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
        local = [line for line in lines if "data/" in line or line.startswith("icws notebooks")]
        assert len(local) == 5
        for line in local:
            command = [sys.executable, "-m", "icws_explore.cli", *shlex.split(line, comments=True)[1:]]
            run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
            wrong = line.startswith(("icws doctor", "icws verify"))
            assert (run.returncode, run.stderr) == (1 if wrong else 0, ""), line
            assert ("BODY_HASH" in run.stdout) == line.startswith("icws doctor"), line
        assert (tmp_path / "every-byte.html").is_file()

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
        animation = ROOT / "docs" / "images" / "explorer.webp"
        assert animation.stat().st_size < MAX_ANIMATION_BYTES
        with Image.open(animation) as image:
            assert image.n_frames > 4
        assert all(
            words.strip() for words in re.findall(r'!\[(.*?)\]|alt="(.*?)"', README) for words in ["".join(words)]
        )
