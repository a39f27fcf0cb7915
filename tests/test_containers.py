"""Dockerfile and Binder's files build what `make setup` builds, from the same lock. No container runs here: their
commands are compared with the Makefile's, and run in a fresh environment.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from support.machine import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTALL_SECONDS = 900
INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "USER", "ENV", "COPY", "EXPOSE", "CMD"}


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def installs() -> list[list[str]]:
    """The arguments of pip in the Dockerfile, in order."""
    return [shlex.split(rest)[3:] for rest in of("RUN") if rest.startswith("python -m pip install")]


def makefile_installs() -> list[list[str]]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r"\$\(BIN\)/python -m pip (install .*)", text)
    return [[word for word in shlex.split(each) if word != "--disable-pip-version-check"] for each in found]


def project_python() -> SpecifierSet:
    return SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"])


class TestDockerfile:
    def test_has_only_known_instructions(self) -> None:
        assert instructions()[0][0] == "FROM"
        assert {name for name, _ in instructions()} == INSTRUCTIONS

    def test_installs_what_make_setup_installs(self) -> None:
        assert installs() == makefile_installs()

    def test_its_python_is_one_that_the_project_supports(self) -> None:
        found = re.fullmatch(r"python:(3\.\d+)-slim", of("FROM")[0])
        assert found is not None
        assert project_python().contains(found[1])

    def test_copies_files_that_exist(self) -> None:
        sources = [word for rest in of("COPY") for word in rest.split()[:-1] if not word.startswith("--")]
        assert sources == ["requirements.lock", "."]
        assert all((ROOT / source).exists() for source in sources)

    def test_does_not_run_as_root(self) -> None:
        names = [name for name, _ in instructions()]
        assert of("USER") == ["learner"]
        assert names.index("USER") < names.index("COPY")

    def test_opens_what_make_lab_opens(self) -> None:
        command = json.loads(of("CMD")[0])
        (recipe,) = re.findall(r"\$\(BIN\)/(jupyter lab .*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
        wanted = [word.replace("$(CURDIR)", of("WORKDIR")[0]) for word in recipe.split()]
        assert [word for word in command if word in wanted] == wanted
        opened = next(word for word in command if "default_url" in word).partition("/lab/tree/")[2]
        assert (ROOT / opened).is_file()

    def test_what_was_built_or_downloaded_stays_outside(self) -> None:
        ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
        assert {".git", ".venv", "out", "**/node_modules"} <= set(ignored)
        assert not {"docs", "data", "notebooks", "requirements.lock"} & set(ignored)


class TestBinder:
    def test_installs_the_lock(self) -> None:
        (line,) = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
        assert (ROOT / "binder" / line.removeprefix("-r ")).resolve() == ROOT / "requirements.lock"

    def test_its_python_is_one_that_the_project_supports(self) -> None:
        version = (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
        assert project_python().contains(version)

    def test_adds_the_project_as_make_setup_does(self) -> None:
        path = ROOT / "binder" / "postBuild"
        assert os.access(path, os.X_OK)
        subprocess.run(["bash", "-n", path], check=True)
        last = path.read_text(encoding="utf-8").splitlines()[-1]
        assert shlex.split(last)[3:] == makefile_installs()[-1]


@pytest.mark.slow
@pytest.mark.timeout(2 * INSTALL_SECONDS)
class TestFreshEnvironment:
    def test_the_commands_make_an_environment_that_runs_the_course(self, tmp_path: Path) -> None:
        home, copy = tmp_path / "env", tmp_path / "project"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in listed.strip("\0").split("\0"):
            if not (ROOT / name).is_symlink() and (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                (copy / name).write_bytes((ROOT / name).read_bytes())
        venv.create(home, with_pip=True)
        for arguments in installs():
            run([home / "bin" / "python", "-m", "pip", *arguments], copy)
        run([home / "bin" / "icws", "notebooks", tmp_path / "course"], tmp_path)
        assert (tmp_path / "course" / "notebooks" / "00_index.ipynb").is_file()
        assert run([home / "bin" / "jupyter", "lab", "--version"], tmp_path).startswith("4.")
        shown = run([home / "bin" / "python", "-c", "import icws_explore; print(icws_explore.__file__)"], tmp_path)
        assert Path(shown.strip()).parent == copy / "icws_explore"


def run(command: list[str | Path], cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
