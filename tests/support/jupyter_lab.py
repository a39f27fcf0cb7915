"""A real JupyterLab or Notebook 7 of the test's own: on a free port, with its own settings, over copied notebooks."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from support.machine import ROOT

App = Literal["lab", "notebook"]
START_S = 90  # a busy machine takes a third of it
STOP_S = 60
# Cells outside of the window stay in the page, so that the browser can look at them.
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
}


@dataclass(frozen=True, slots=True)
class JupyterLab:
    """``folder`` holds ``notebooks`` and ``data``, as a clone does."""

    url: str
    token: str
    folder: Path
    app: App = "lab"

    def address(self, notebook: str) -> str:
        way = "lab/tree" if self.app == "lab" else "notebooks"
        return f"{self.url}/{way}/notebooks/{notebook}?token={self.token}&reset"

    def ask(self, path: str, method: str = "GET") -> Any:
        """Ask the server's REST interface. Raises URLError."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", headers=headers, method=method)
        with _opener().open(request, timeout=STOP_S) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def end_kernels(self) -> None:
        """End every kernel, with all that runs in it."""
        for session in self.ask("sessions"):
            with suppress(urllib.error.HTTPError):  # it ended meanwhile
                self.ask(f"sessions/{session['id']}", "DELETE")
        for kernel in self.ask("kernels"):
            with suppress(urllib.error.HTTPError):
                self.ask(f"kernels/{kernel['id']}", "DELETE")

    def forget_theme(self) -> None:
        """The next page has JupyterLab's light theme."""
        (self.folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings").unlink(
            missing_ok=True
        )


@contextmanager
def jupyter_lab(folder: Path, app: App = "lab") -> Iterator[JupyterLab]:
    """Start JupyterLab, or Notebook 7, in ``folder``, and stop it with its kernels."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (folder / "data").symlink_to(ROOT / "data")
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    lab = JupyterLab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), folder, app)
    log = folder / "jupyter.log"
    with log.open("wb") as output:
        process = subprocess.Popen(_command(lab), stdout=output, stderr=output, env=_environment(folder), cwd=folder)
        try:
            _wait_until_up(lab, process, log)
            yield lab
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_S)


def _command(lab: JupyterLab) -> list[str]:
    port = lab.url.rpartition(":")[2]
    module, application = ("jupyterlab", "LabApp") if lab.app == "lab" else ("notebook", "JupyterNotebookApp")
    return [
        sys.executable, "-m", module, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={lab.token}",
        f"--ServerApp.root_dir={lab.folder}", f"--{application}.expose_app_in_browser=True",
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's own settings gets in, and nothing gets out."""
    own = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "JUPYTER_DATA_DIR": "share",
    }  # fmt: skip
    return {**os.environ, **{name: str(folder / place) for name, place in own.items()}}


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_up(lab: JupyterLab, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            lab.ask("status")
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
