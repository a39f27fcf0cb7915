"""Makes the README's pictures anew, from the real product: `.venv/bin/python docs/make_images.py [NAME …]`.

Needs Chromium (CHROMIUM names another one). A real JupyterLab runs a short notebook, and the page is photographed
in both themes. The explorer is photographed while it is used, and the pictures become an animated WebP. The page of
every byte is photographed with a byte pointed at. The timeline is drawn from a session of its own.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import nbformat
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import icws_explore as icws

IMAGES = Path(__file__).parent / "images"
RECORDINGS = Path(__file__).parents[1] / "data" / "sessions"
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


EXPLORER = (
    """
import icws_explore as icws

icws.explore("RECORDING")
""",
)
MAX_ANIMATION_BYTES = 1500 * 1000
STATUS_BAR_PX = 24  # of JupyterLab, across the foot of a picture
STEP_MS = 1600  # a picture of the animation is shown so long
KEY_MS = 350  # one in which somebody types


def main() -> None:
    wanted = set(sys.argv[1:]) or {"timeline", "notebook", "every-byte", "explorer"}
    IMAGES.mkdir(exist_ok=True)
    if "timeline" in wanted:
        asyncio.run(draw_timeline(IMAGES / "timeline.png"))
    for theme in ("light", "dark"):
        if "notebook" in wanted:
            photograph(theme, IMAGES / f"notebook-{theme}.png")
        if "every-byte" in wanted:
            photograph_every_byte(theme, IMAGES / f"every-byte-{theme}.png")
    for picture in IMAGES.glob("*.png"):
        if picture.stem.removesuffix("-light").removesuffix("-dark") in wanted:
            compress(picture)
    if "explorer" in wanted:
        film_explorer(IMAGES / "explorer.webp")


async def draw_timeline(path: Path) -> None:
    """A session through two acks, with a message every 50 of the lab's seconds."""
    with icws.Lab(app="pingpong", time_scale=60) as lab:
        async with icws.connect(lab) as session:
            for number in range(13):
                await session.send({"text": f"message {number}", "timestamp": lab.clock.now_ns()})
                await lab.clock.sleep(50)
    icws.plots.timeline(session.recording).save(path)


@contextmanager
def chromium(width: int, height: int, **options: Any) -> Iterator[Page]:
    """A page of the given size in a browser of its own."""
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=CHROMIUM, chromium_sandbox=False)
        yield browser.new_page(viewport={"width": width, "height": height}, **options)
        browser.close()


def photograph(theme: str, path: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        jupyter(Path(folder), theme, CELLS) as url,
        chromium(WIDTH, HEIGHT) as page,
    ):
        page.goto(url)
        run_all(page, len(CELLS), ".icws-steps")
        page.screenshot(path=path)


def photograph_every_byte(theme: Literal["light", "dark"], path: Path) -> None:
    """The page of every byte of a stored recording, with the mouse at a field of the first message."""
    report = icws.report(icws.load(RECORDINGS / "healthy.icws"), title="A healthy session of ping-pong")
    with tempfile.TemporaryDirectory() as folder, chromium(1200, 760, color_scheme=theme) as page:
        written = Path(folder) / "every-byte.html"
        written.write_text(report.every_byte, encoding="utf-8")
        page.goto(written.as_uri())
        page.locator("#frame-4").evaluate("frame => frame.scrollIntoView()")
        page.locator("#frame-4 .b", has_text="timestamp").nth(1).locator("> code").hover()
        page.screenshot(path=path)


def film_explorer(path: Path) -> None:
    """A developer's way to the cause in a stored recording: filter, select, fields beside bytes, proof, doctor."""
    cells = [EXPLORER[0].replace("RECORDING", str(RECORDINGS / "tampered_body.icws"))]
    pictures: list[tuple[Image.Image, int]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        jupyter(Path(folder), "light", cells) as url,
        chromium(1200, 1040) as page,
    ):
        page.goto(url)
        run_all(page, 1, ".icws-where")
        explorer = page.locator(".jp-OutputArea-output", has=page.locator(".icws-where")).first

        def take(duration: int = STEP_MS) -> None:
            page.wait_for_timeout(400)
            picture = Image.open(io.BytesIO(explorer.screenshot())).convert("RGB")
            pictures.append((picture.crop((0, 0, picture.width, picture.height - STATUS_BAR_PX)), duration))

        take()
        field = page.locator(".icws-where")
        for part in ("kind", " ==", " 'app'"):
            field.press_sequentially(part)
            take(KEY_MS)
        field.press("Enter")
        take()
        page.get_by_role("grid", name="frames").focus()
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        take()
        detail = page.locator(".icws-detail")
        detail.get_by_role("tab", name="Fields").click()
        line = page.locator(".icws-line", has_text="text").first
        line.hover()
        line.click()
        take()
        detail.get_by_role("tab", name="Proof").click()
        page.locator(".icws-step.icws-failed").first.wait_for()
        take(2 * STEP_MS)
    first, *others = [picture for picture, _ in pictures]
    size = first.size
    first.save(
        path, save_all=True, append_images=[picture.resize(size) for picture in others],
        duration=[duration for _, duration in pictures], loop=0, quality=70, method=6,
    )  # fmt: skip
    if path.stat().st_size > MAX_ANIMATION_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes: it stays below {MAX_ANIMATION_BYTES}")


def run_all(page: Page, cells: int, awaited: str) -> None:
    """Run the ``cells`` of the open notebook, and wait for what the last one shows."""
    page.locator(".jp-CodeCell").nth(cells - 1).wait_for(timeout=120_000)
    page.get_by_text("Kernel status: Idle").wait_for(state="attached", timeout=120_000)
    for _ in range(3):
        page.wait_for_timeout(3000)
        asks = page.locator(".jp-Dialog .jp-mod-accept")  # on a slow machine JupyterLab asks which kernel is meant
        if asks.is_visible():
            asks.click()
            continue
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.wait_for_timeout(3000)
        if not asks.is_visible():
            break
    page.locator(awaited).wait_for(timeout=120_000)
    if page.locator("#filebrowser").is_visible():
        page.locator('.jp-SideBar [title^="File Browser"]').first.click()  # puts the folder's list away
        page.locator("#filebrowser").wait_for(state="hidden")
    page.mouse.move(5, 5)
    page.locator(".jp-WindowedPanel-outer").first.evaluate("panel => { panel.scrollTop = 0 }")
    page.wait_for_timeout(1000)


@contextmanager
def jupyter(folder: Path, theme: str, cells: Sequence[str]) -> Iterator[str]:
    """JupyterLab on the short notebook, in its single-document mode; yields the page's address."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in cells],
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

    for _ in range(900):
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
