"""What this machine has for the tests that need more than Python, and what to do about what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE_PEERS = ROOT / "tests" / "node"
NODE_MAJOR = 18  # Debian 12's own; the peers run on it and on later ones
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS_CHROMIUM = (
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)


def in_ci() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@cache
def node_lacks() -> str | None:
    """Why the real JavaScript SDK cannot run here, or None."""
    node = shutil.which("node")
    if node is None:
        return f"no node on the PATH: install Node.js {NODE_MAJOR} or later"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR:
        return f"node is {version}: install Node.js {NODE_MAJOR} or later"
    installed = (NODE_PEERS / "node_modules" / "ic-websocket-js", NODE_PEERS / "sdks" / "0.1.2" / "node_modules")
    if not all(folder.is_dir() for folder in installed):
        return "the JavaScript peers are not installed: run `npm ci` in tests/node (make test does)"
    return None


@cache
def chromium() -> str | None:
    """The path of a Chromium that Playwright can drive, or None; CHROMIUM names another one."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    found = next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)
    return found or next((str(path) for path in MACOS_CHROMIUM if path.exists()), None)


def openssl_lacks() -> str | None:
    """Why openssl's own keys cannot be tried here, or None."""
    return None if shutil.which("openssl") else "no openssl on the PATH: install openssl"


def browser_lacks() -> str | None:
    """Why a browser test cannot run here, or None."""
    if chromium() is None:
        return "no Chromium on the PATH: install chromium, or set CHROMIUM to its path"
    return None
