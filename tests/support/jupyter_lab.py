"""A real JupyterLab of the test's own: on a free port, with its own settings, over a copy of the notebooks."""

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

from support.machine import ROOT

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

    def address(self, notebook: str) -> str:
        return f"{self.url}/lab/tree/notebooks/{notebook}?token={self.token}&reset"


@contextmanager
def jupyter_lab(folder: Path) -> Iterator[JupyterLab]:
    """Start it in ``folder``, and stop it with its kernels."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (folder / "data").symlink_to(ROOT / "data")
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    lab = JupyterLab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), folder)
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
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={lab.token}",
        f"--ServerApp.root_dir={lab.folder}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's own settings gets in, and nothing gets out."""
    own = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "JUPYTER_DATA_DIR": "share",
    }  # fmt: skip
    return {**os.environ, **{name: str(folder / place) for name, place in own.items()}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_up(lab: JupyterLab, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    request = urllib.request.Request(f"{lab.url}/api/status", headers={"Authorization": f"token {lab.token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, OSError), opener.open(request, timeout=5):
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}")
