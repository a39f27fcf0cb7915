"""Makes the README's pictures anew, from a live session on the lab: `.venv/bin/python docs/make_images.py`.

Needs Chromium (CHROMIUM names another one). A real JupyterLab runs a short notebook, and the page is
photographed in both themes; the figure is drawn from a session of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import icws_explore as icws

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 960, 1000
MAX_BYTES = 200 * 1024
CHROMIUM = [
    "--disable-lcd-text",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CELLS = (
    """
import icws_explore as icws

lab = icws.Lab(app="pingpong", time_scale=60).start()
session = await icws.connect(lab)
""",
    """
await session.send({"text": "hello", "timestamp": lab.clock.now_ns()})
await session.receive(timeout=10)
async for _ in session.follow():  # until an ack was answered
    if any(frame.kind == "keep_alive" for frame in session.recording):
        break
session
""",
    "session.verify()[-1]",
)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    asyncio.run(draw_timeline(IMAGES / "timeline.png"))
    for theme in ("light", "dark"):
        photograph(theme, IMAGES / f"notebook-{theme}.png")
    for picture in IMAGES.glob("*.png"):
        compress(picture)


async def draw_timeline(path: Path) -> None:
    """A session through two acks, with a message every 50 of the lab's seconds."""
    with icws.Lab(app="pingpong", time_scale=60) as lab:
        async with icws.connect(lab) as session:
            for number in range(13):
                await session.send({"text": f"message {number}", "timestamp": lab.clock.now_ns()})
                await lab.clock.sleep(50)
    icws.plots.timeline(session.recording).save(path)


def photograph(theme: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, jupyter(Path(folder), theme) as url, sync_playwright() as playwright:
        browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=browser_path, args=CHROMIUM, chromium_sandbox=False)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(url)
        run_all(page)
        page.screenshot(path=path)
        browser.close()


def run_all(page: Page) -> None:
    page.locator(".jp-CodeCell").nth(len(CELLS) - 1).wait_for(timeout=60_000)
    page.get_by_text("Kernel status: Idle").wait_for(state="attached", timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(".icws-steps").wait_for(timeout=60_000)
    if page.locator("#filebrowser").is_visible():
        page.locator('.jp-SideBar [title^="File Browser"]').first.click()  # puts the folder's list away
        page.locator("#filebrowser").wait_for(state="hidden")
    page.mouse.move(WIDTH - 5, HEIGHT / 2)
    page.locator(".jp-WindowedPanel-outer").first.evaluate("panel => { panel.scrollTop = 0 }")
    page.wait_for_timeout(1000)


@contextmanager
def jupyter(folder: Path, theme: str) -> Iterator[str]:
    """JupyterLab on the short notebook, in its single-document mode; yields the page's address."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, folder / "session.ipynb")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": name}))
    no_news = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(no_news))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}"]
    command += ["--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={token}"]
    environment = {**os.environ, "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as server:  # noqa: S603  # our own
        try:
            await_server(f"http://127.0.0.1:{port}/api?token={token}")
            yield f"http://127.0.0.1:{port}/doc/tree/session.ipynb?token={token}"
        finally:
            server.terminate()


def await_server(url: str) -> None:
    import time

    for _ in range(150):
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  # our own server on loopback
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("JupyterLab did not start")


def compress(path: Path) -> None:
    """256 colours that cover all of the picture's, moved to where most of it is: nobody sees the difference."""
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{path} has {size} bytes: the README's pictures stay below {MAX_BYTES}")


if __name__ == "__main__":
    main()
