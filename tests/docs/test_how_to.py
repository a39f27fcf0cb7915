"""The code on the pages of the how-to that are not run by the site: it runs here, against labs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from icws_explore.analysis.recording import load
from icws_explore.cli.main import run
from icws_explore.lab import Lab
from icws_explore.live.network import profiles
from icws_explore.protocol.constants import NS_PER_S
from support.data_files import SESSIONS
from support.machine import ROOT

PAGES = ROOT / "docs" / "how-to"
NOTES = """
MESSAGE_TYPE = "record { text : text }"
METHODS = {"history": "(nat32) -> (vec text) query", "add": "(text) -> (nat)"}
def on_open(context, client): pass
def history(context, caller, limit): return context.state.get("notes", [])[-limit:]
def add(context, caller, text):
    context.state.setdefault("notes", []).append(text)
    return len(context.state["notes"])
"""


NS_PER_DAY = 86_400 * NS_PER_S
NOVEMBER_23 = date(2026, 11, 23).toordinal() - date(1970, 1, 1).toordinal()  # the day on the page, since the epoch


def text_of(page: str) -> str:
    return (PAGES / page).read_text(encoding="utf-8")


def code_of(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


async def test_from_ic_py(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from ic.identity import Identity

    monkeypatch.setattr(profiles, "LOCAL_URLS", ())
    path = tmp_path / "notes.py"
    path.write_text(NOTES, encoding="utf-8")
    identity = Identity()
    with Lab(path) as lab:
        names = {
            "pem": identity.to_pem().decode(), "url": lab.network_url, "gateway": lab.gateway_url,
            "canister_id": lab.canister_id,
        }  # fmt: skip
        blocks = code_of("from_ic_py.md")
        assert len(blocks) == 3
        for block in blocks:
            code = compile(block, "from_ic_py.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)
            if result is not None:
                await result
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == str(identity.sender())
    assert shown[1:3] == ["[]", "1"]
    assert "Step(step='signature', ok=True" in shown[3]


def test_many_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The questions on the page have answers, of a dataset that its command wrote."""
    (block,) = code_of("many_recordings.md")
    command = next(line for line in text_of("many_recordings.md").splitlines() if line.startswith("icws export "))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").symlink_to(SESSIONS)
    assert run([*command.split()[1:], "--workers", "1"]) == 0
    capsys.readouterr()
    exec(compile(block, "many_recordings.md", "exec"), {})
    sizes, slowest = capsys.readouterr().out.split("recording\n")
    frames = [frame for path in SESSIONS.glob("*.icws*") for frame in load(path)]
    acks = [frame for frame in frames if frame.kind == "ack" and frame.frame.t_ns // NS_PER_DAY == NOVEMBER_23]
    assert sizes.splitlines()[0] == "kind"
    assert ["ack", str(sum(frame.size for frame in acks))] in [line.split() for line in sizes.splitlines()]
    assert len(re.findall(r"^\S+\.icws(?:\.gz)? ", slowest, re.MULTILINE)) == 3


@pytest.mark.slow
def test_tests_in_ci(tmp_path: Path) -> None:
    """The tests on the page pass, with the plugin loaded as its entry point loads it."""
    tests, marked = code_of("test_in_ci.md")
    (tmp_path / "pytest.ini").write_text("[pytest]\nicws_app = echo\n")
    (tmp_path / "test_page.py").write_text(f"import pytest\n{tests}\n\n{marked}")
    plugins = ["-p", "icws_explore.testing.plugin", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 passed" in done.stdout, done.stdout
