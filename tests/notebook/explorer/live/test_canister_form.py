"""The buttons for a lab's canister, on real labs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from icws_explore.lab import Lab
from icws_explore.notebook.explorer.live.canister_form import ABOUT, NO_LAB, CanisterForm
from icws_explore.notebook.explorer.live.worker import Worker
from icws_explore.notebook.explorer.release import release
from support.lab_requests import eventually

pytestmark = pytest.mark.usefixtures("nothing_left_open")


@contextmanager
def form_of(lab: Lab | None) -> Iterator[CanisterForm]:
    worker = Worker()
    form = CanisterForm(lambda: lab, worker=worker)
    try:
        yield form
    finally:
        worker.close()
        release(form)


async def said(form: CanisterForm, name: str) -> str:
    form.buttons[name].click()
    await eventually(lambda: not form.status.value.endswith("…"))
    return str(form.status.value)


class TestButtons:
    async def test_do_what_they_are_called(self) -> None:
        with Lab("echo") as lab, form_of(lab) as form:
            seen: list[str] = []
            end = lab.listen(lambda event: seen.append(event.kind) if event.part == "canister" else None)
            assert list(form.buttons) == list(ABOUT)
            for name in ("stop", "start", "upgrade", "uninstall", "reinstall"):
                assert await said(form, name) == f"the canister was {ABOUT[name][1]}"
            await eventually(lambda: len(seen) == 5)
            end()
        assert seen == ["stopped", "started", "upgraded", "uninstalled", "reinstalled"]

    async def test_a_module_that_cannot_be_read_is_said_in_a_line(self, tmp_path: Path) -> None:
        (tmp_path / "own.wasm").write_bytes(b"nothing\n<b>")
        with Lab("echo") as lab, form_of(lab) as form:
            form.module.value = f" {tmp_path / 'own.wasm'} "
            line = await said(form, "upgrade")
            assert "own.wasm is not a WebAssembly module" in line
            form.module.value = str(tmp_path / "none.wasm")
            assert "none.wasm" in await said(form, "upgrade")

    async def test_without_a_lab(self) -> None:
        with form_of(None) as form:
            assert await said(form, "stop") == NO_LAB
        lab = Lab("echo")  # not started
        with form_of(lab) as form:
            assert await said(form, "stop") == NO_LAB
