"""Builds the wheel, installs it into a fresh environment, and runs the example projects there: `make wheel`.

This shows that the wheel has all that a user needs: the plugin's entry point, grammars, templates, and its
dependencies. The packages come from the registry that pip is configured for. With ``--wasm FILE`` the example's tests
also run with that compiled canister in place of canister.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "canister_in_ci"
INIT = "(record { send_ack_interval_ms = 300000; max_messages = 50 })"  # of tests/peers/rust_canister


def run(*command: str | Path, folder: Path = ROOT) -> None:
    """Run a command that must succeed. The environment has nothing that leads back to this checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], cwd=folder, env=kept, check=True)


def main() -> None:
    """Build, install, run."""
    modules = [
        Path(path).resolve() for option, path in zip(sys.argv[1:], sys.argv[2:], strict=False) if option == "--wasm"
    ]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist")
        (wheel,) = (folder / "dist").glob("*.whl")
        python = folder / "venv" / "bin" / "python"
        run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv")
        run(uv, "pip", "install", "--quiet", "--python", python, f"{wheel}[wasm]", "pytest")
        project = shutil.copytree(EXAMPLE, folder / "project", ignore=shutil.ignore_patterns("__pycache__", "icws-*"))
        run(python, "-m", "pytest", "-q", folder=project)
        for module in modules:
            run(python, "-m", "pytest", "-q", f"--icws-wasm={module}", f"--icws-init={INIT}", folder=project)


if __name__ == "__main__":
    main()
