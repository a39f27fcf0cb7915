from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from icws_explore.cli.jupyter import explore
from icws_explore.cli.main import COULD_NOT_RUN, USAGE, run
from support.machine import ROOT

HEALTHY = ROOT / "data" / "sessions" / "healthy.icws"


class Served:
    """What is started in JupyterLab's place: it keeps the arguments and the notebook."""

    code = 0

    def __init__(self, arguments: list[str], cwd: str) -> None:
        Served.arguments, Served.folder = arguments, Path(cwd)
        Served.notebook = json.loads((Path(cwd) / explore.NOTEBOOK).read_text(encoding="utf-8"))

    arguments: list[str]
    folder: Path
    notebook: dict[str, Any]

    def wait(self) -> int:
        return self.code

    def poll(self) -> int:
        return self.code


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> type[Served]:
    monkeypatch.setattr(explore.subprocess, "Popen", Served)
    monkeypatch.setattr(Served, "code", 0)
    return Served


class TestExplore:
    def test_opens_a_notebook_on_a_file(self, served: type[Served]) -> None:
        assert run(["explore", str(HEALTHY), "--no-browser", "--port", "8890"]) == 0
        assert {"--no-browser", "--port=8890"} <= set(served.arguments)
        nbformat.validate(nbformat.from_dict(served.notebook))
        assert served.notebook["cells"][0]["source"].endswith(f"icws.explore({str(HEALTHY)!r})")
        assert not served.folder.exists()

    def test_without_a_source_opens_the_start_page(self, served: type[Served]) -> None:
        assert run(["explore"]) == 0
        assert served.notebook["cells"][0]["source"].endswith("icws.explore()")
        assert "--no-browser" not in served.arguments

    def test_its_first_cell_is_the_one_to_run(self, served: type[Served]) -> None:
        assert run(["explore"]) == 0
        (cell,) = served.notebook["cells"]
        assert cell["cell_type"] == "code"
        assert cell["source"].startswith("# Shift+Enter opens the explorer.")

    def test_its_kernel_finds_the_files_beside_which_it_was_started(
        self, served: type[Served], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run(["explore"]) == 0
        options = [argument for argument in served.arguments if "KernelManager" in argument]
        app = ServerApp()
        app.parse_command_line(options)
        kernels = AsyncMappingKernelManager(config=app.config)
        assert Path(kernels.cwd_for_path(explore.NOTEBOOK)) == tmp_path

    def test_of_a_gateway_opens_a_session_or_a_tap(self, served: type[Served]) -> None:
        assert run(["explore", "wss://g.example", "--network", "https://n.example", "--canister", "aaaaa-aa"]) == 0
        source = served.notebook["cells"][0]["source"]
        assert "await icws.connect('wss://g.example', network='https://n.example', canister='aaaaa-aa'" in source
        assert run(["explore", "ws://127.0.0.1:8080"]) == 0
        assert "icws.Tap('ws://127.0.0.1:8080').start()" in served.notebook["cells"][0]["source"]

    def test_says_before_it_starts_what_is_wrong(
        self, served: type[Served], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["explore", "no/such.icws"]) == COULD_NOT_RUN
        assert "no/such.icws" in capsys.readouterr().err
        assert run(["explore", str(HEALTHY), "--canister", "aaaaa-aa"]) == USAGE
        assert run(["explore", "ws://127.0.0.1:8080", "--identity", "me.pem"]) == USAGE

    def test_says_that_jupyterlab_did_not_run(
        self, served: type[Served], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(served, "code", 1)
        assert run(["explore"]) == COULD_NOT_RUN
        assert "JupyterLab ended with code 1" in capsys.readouterr().err

    def test_ctrl_c_ends_it_quietly(self, served: type[Served], monkeypatch: pytest.MonkeyPatch) -> None:
        waits = iter([KeyboardInterrupt(), 0])

        def wait(_self: Served) -> int:
            outcome = next(waits)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(served, "wait", wait)
        assert run(["explore"]) == 0
        assert not served.folder.exists()

    def test_sigterm_ends_jupyterlab_and_removes_the_folder(
        self, served: type[Served], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def wait(self: Served) -> int:
            signal.raise_signal(signal.SIGTERM)
            return self.code

        before = signal.getsignal(signal.SIGTERM)
        monkeypatch.setattr(served, "wait", wait)
        monkeypatch.setattr(served, "terminate", lambda self: setattr(self, "code", -15), raising=False)
        assert run(["explore"]) == 0
        assert not served.folder.exists()
        assert signal.getsignal(signal.SIGTERM) is before
