"""environment.yml gives conda users what pyproject.toml gives everybody; the lock fits both."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from support.machine import ROOT

INSTALL_SECONDS = 900
THIS_PROJECT = "-e .[ic-py]"


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def conda() -> list[Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]


def pip_section() -> list[str]:
    return next(entry["pip"] for entry in conda() if isinstance(entry, dict))


def locked() -> dict[str, list[Requirement]]:
    """The lock's pins by package name: several where platforms differ."""
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            pin = Requirement(line.rstrip(" \\"))
            pins.setdefault(pin.name, []).append(pin)
    return pins


def declared(*, dev: bool = True) -> list[Requirement]:
    lines = project()["dependencies"] + (project()["optional-dependencies"]["dev"] if dev else [])
    return [Requirement(line) for line in lines]


class TestCondaEnvironment:
    def test_pip_section_is_pyprojects_dependencies(self) -> None:
        listed = {str(Requirement(line)) for line in pip_section() if line != THIS_PROJECT}
        assert listed == {str(requirement) for requirement in declared(dev=False)}

    def test_installs_the_project_itself_last(self) -> None:
        assert pip_section()[-1] == THIS_PROJECT

    def test_python_bound_is_pyprojects(self) -> None:
        assert f"python{project()['requires-python']}" in conda()

    @pytest.mark.slow
    @pytest.mark.timeout(INSTALL_SECONDS)
    def test_pip_section_installs_into_a_clean_environment(self, tmp_path: Path) -> None:
        home = tmp_path / "env"
        venv.create(home, with_pip=True)
        python = home / "bin" / "python"
        requirements = tmp_path / "requirements.txt"
        requirements.write_text("\n".join(pip_section()) + "\n", encoding="utf-8")
        run(python, "-m", "pip", "install", "--quiet", "--no-compile", "-r", str(requirements), cwd=ROOT)
        run(python, "-m", "pip", "check", cwd=tmp_path)
        shown = run(python, "-c", "import icws_explore; print(icws_explore.__file__)", cwd=tmp_path)
        assert Path(shown.strip()).parent == ROOT / "icws_explore"
        assert "Usage: icws" in run(home / "bin" / "icws", "--help", cwd=tmp_path)


class TestLock:
    @pytest.mark.parametrize("requirement", declared(), ids=lambda requirement: requirement.name)
    def test_pins_every_declared_package_within_its_bounds(self, requirement: Requirement) -> None:
        pins = locked()[requirement.name.lower().replace("_", "-")]
        for pin in pins:
            (version,) = [specifier.version for specifier in pin.specifier]
            assert requirement.specifier.contains(version, prereleases=True)

    def test_names_no_host(self) -> None:
        text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        assert "--index-url" not in text
        assert "--find-links" not in text

    def test_hashes_every_package(self) -> None:
        text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        pinned = [entry for entry in re.split(r"\n(?=[A-Za-z0-9])", text) if "==" in entry]
        assert pinned
        assert [entry.split()[0] for entry in pinned if "--hash=sha256:" not in entry] == []

    def test_node_peers_name_no_registry(self) -> None:
        text = (ROOT / "tests" / "node" / "package-lock.json").read_text(encoding="utf-8")
        packages = json.loads(text)["packages"].values()
        resolved = [each for each in packages if "resolved" in each]
        assert all(each.get("link") and each["resolved"].startswith("sdks/") for each in resolved), "folders of ours"
        assert ".tgz" not in text


class TestWheel:
    def test_holds_every_file_of_the_package(self, tmp_path: Path) -> None:
        """Templates, style sheets, scripts and grammars too, not only the modules."""
        build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT))
        run(Path(sys.executable), *build, cwd=tmp_path)
        (wheel,) = tmp_path.glob("*.whl")
        packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("icws_explore/")}
        files = [path for path in (ROOT / "icws_explore").rglob("*") if path.is_file()]
        course = {name for name in packed if name.startswith("icws_explore/course/")}
        assert packed - course == {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
        kept = [
            *(ROOT / "notebooks").glob("*.ipynb"),
            *(ROOT / "data").rglob("*.icws*"),
            *(ROOT / "data").rglob("*.cbor"),
        ]
        assert {f"icws_explore/course/{path.relative_to(ROOT)}" for path in kept} <= course


class TestThisEnvironment:
    def test_requirements_agree_with_each_other(self) -> None:
        run(Path(sys.executable), "-m", "pip", "check", cwd=ROOT)


def run(program: Path, *arguments: str, cwd: Path) -> str:
    """Its output; what it said where it fails."""
    command = [program, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, f"{program.name} {' '.join(arguments)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout
