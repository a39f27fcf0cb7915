"""`icws explore`: JupyterLab on a small notebook with the explorer of a file or of a gateway."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from icws_explore.live.address import Address
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.protocol.errors import LabError

from ..console import note
from ..options import network_option, read_capture

NOTEBOOK: Final = "explore.ipynb"
# In the cell itself: JupyterLab selects the first cell, and the first Shift+Enter runs that.
_ABOUT: Final = "# Shift+Enter opens the explorer.\n# This notebook is removed when JupyterLab ends."


@click.command(
    "explore",
    epilog="""\b
Examples:
  icws explore                            # a start page: a lab, a file, a gateway
  icws explore session.icws               # or a HAR, or packets
  icws explore wss://gateway.example --network https://icp-api.io --canister ID
  icws explore ws://127.0.0.1:8080 --network http://127.0.0.1:4943   # a tap
  icws explore session.icws --no-browser --port 8890

Of a gateway with --canister a session is opened; without, a tap is put in front of the gateway, and
the notebook says where your client connects. JupyterLab runs until Ctrl-C.
""",
)
@click.argument("source", required=False, metavar="[FILE|GATEWAY]")
@network_option("The network of the gateway's canister.")
@click.option("--canister", metavar="ID", help="Open a session with this canister.")
@click.option("--identity", metavar="FILE", help="A PEM file, or the JSON of Internet Identity; default: a new key.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser; JupyterLab prints its address.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="The port of JupyterLab; default: a free one.")
def command(
    source: str | None,
    network: NetworkProfile | None,
    canister: str | None,
    identity: str | None,
    no_browser: bool,
    port: int | None,
) -> int:
    """Open JupyterLab on the explorer of a recording, of a session through a gateway, or on its start page."""
    is_gateway = source is not None and source.partition("://")[0] in ("ws", "wss")
    if not is_gateway and (network or canister or identity):
        raise click.UsageError(
            "--network, --canister and --identity go with the address of a gateway (ws:// or wss://)"
        )
    if source is None:
        code = "icws.explore()"
    elif is_gateway:
        Address.gateway(source)
        code = gateway_code(source, network, canister, identity)
    else:
        read_capture(source)  # says now, and in one line, what is wrong with the file
        code = f"icws.explore({str(Path(source).absolute())!r})"
    with tempfile.TemporaryDirectory(prefix="icws-explore-") as folder:
        (Path(folder) / NOTEBOOK).write_text(json.dumps(notebook(code)), encoding="utf-8")
        return _serve(folder, no_browser=no_browser, port=port)


def gateway_code(gateway: str, network: NetworkProfile | None, canister: str | None, identity: str | None) -> str:
    """The cell that opens a session with ``canister``, or without one a tap in front of ``gateway``."""
    given = {
        "network": None if network is None else network.url,  # a name of icws.toml is not known in another folder
        "root_key": None if network is None else network.root_key,
        "canister": canister,
        "identity": identity and str(Path(identity).absolute()),
    }
    options = "".join(f", {name}={value!r}" for name, value in given.items() if value is not None)
    if canister is None:
        if identity is not None:
            raise click.UsageError("--identity needs --canister: without a canister a tap records your own client")
        return (
            f"tap = icws.Tap({gateway!r}{options}).start()\nprint('connect your client to', tap.url)\nicws.explore(tap)"
        )
    return f"session = await icws.connect({gateway!r}{options}, wait_open=False)\nicws.explore(session)"


def notebook(code: str) -> dict[str, Any]:
    """A notebook of one cell with ``code`` and a line about it."""
    source = f"{_ABOUT}\nimport icws_explore as icws\n\n{code}"
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code", "id": "explore", "metadata": {}, "source": source, "outputs": [],
            "execution_count": None,
        },
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def _serve(folder: str, *, no_browser: bool, port: int | None) -> int:
    """Run JupyterLab in ``folder`` until Ctrl-C or SIGTERM. Raises LabError if it does not start.

    The kernel runs where the command was given, so that a relative path means the same in the notebook.
    """
    arguments = [
        sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.answer_yes=True",
        f"--LabApp.default_url=/lab/tree/{NOTEBOOK}", f"--MappingKernelManager.root_dir={Path.cwd()}",
        *(["--no-browser"] if no_browser else []), *([f"--port={port}"] if port is not None else []),
    ]  # fmt: skip
    note("JupyterLab starts; Ctrl-C ends it")
    process = subprocess.Popen(arguments, cwd=folder)  # noqa: S603  # our own interpreter, and numbers
    is_over = False

    def end(*_: object) -> None:
        nonlocal is_over
        is_over = True
        process.terminate()

    before = signal.signal(signal.SIGTERM, end)
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the terminal has told JupyterLab as well
        process.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        if process.poll() is None:
            process.terminate()
            process.wait()
    if code and not is_over:
        raise LabError(f"JupyterLab ended with code {code}: what it printed says why")
    return 0
