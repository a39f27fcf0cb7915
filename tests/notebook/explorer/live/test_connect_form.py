from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from icws_explore.lab import Lab
from icws_explore.lab.apps import APPS
from icws_explore.live.clock import ScaledClock
from icws_explore.live.session import Session
from icws_explore.notebook.explorer.live.connect_form import ConnectForm, lab_line
from icws_explore.protocol.keys import Ed25519Identity
from support.lab_requests import eventually


def tell(form: ConnectForm, **message: Any) -> None:
    """What connect_form.js sends."""
    form._handle_custom_msg(message, [])


@asynccontextmanager
async def form_of(**more: Any) -> AsyncIterator[tuple[ConnectForm, list[Any]]]:
    """A form, and what it opened; that ends with it."""
    opened: list[Any] = []
    form = ConnectForm(opened.append, **{"variables": dict, **more})
    try:
        yield form, opened
    finally:
        form.close()
        for part in reversed(opened):
            if isinstance(part, Session):
                await part.close()
            else:
                part.stop()


@pytest.mark.usefixtures("nothing_left_open")
class TestALab:
    async def test_has_every_example(self) -> None:
        async with form_of() as (form, _):
            assert [name for name, _ in form.apps] == list(APPS)
            assert all(about for _, about in form.apps)

    async def test_and_a_session_are_one_click(self) -> None:
        async with form_of() as (form, opened):
            tell(form, do="lab", app="echo", scale=60, fields={})
            await eventually(lambda: form.status[0] in ("good", "bad"))
            lab, session = opened
            assert isinstance(lab, Lab)
            assert lab.clock.scale == 60
            assert isinstance(lab.clock, ScaledClock)  # the buttons can pause it, at every scale
            assert not lab.clock.is_paused
            assert isinstance(session, Session)
            assert form.status == ["good", f"open as {session.principal}"]
            await eventually(lambda: not form.is_busy)

    async def test_that_runs_takes_another_client(self, lab: Lab) -> None:
        me = Ed25519Identity.generate()
        async with form_of(endpoint=lambda: lab, variables=lambda: {"me": me}) as (form, opened):
            form.show_known(lab=lab, known={})
            assert form.lab == lab_line(lab) == "chat, clock × 60"
            tell(form, do="connect to the lab", fields={"identity": {"how": "variable", "name": "me"}})
            await eventually(lambda: form.status[0] in ("good", "bad"))
            (session,) = opened
            assert session.principal == me.principal

    async def test_that_has_stopped_is_said(self) -> None:
        async with form_of() as (form, opened):
            tell(form, do="connect to the lab", fields={})
            await eventually(lambda: form.status == ["bad", "the lab has stopped: start another one"])
            assert opened == []

    async def test_is_not_started_for_an_identity_that_cannot_be_read(self) -> None:
        async with form_of() as (form, opened):
            tell(form, do="lab", app="echo", scale=1, fields={"identity": {"how": "pem", "path": "/no/such"}})
            await eventually(lambda: form.status[0] == "bad")
            assert opened == []
            assert "cannot be read" in form.problems["identity"]

    async def test_of_an_unknown_app_is_one_line(self) -> None:
        async with form_of() as (form, _):
            tell(form, do="lab", app="nope", scale="x", fields={})
            await eventually(lambda: form.status[0] == "bad")
            assert form.status[1].startswith("there is no app 'nope'; choose pingpong, echo, chat, ticker")


@pytest.mark.usefixtures("nothing_left_open")
class TestAGateway:
    async def test_opens_a_session(self) -> None:
        with Lab("echo") as lab:  # the form's own sessions have the machine's clock
            async with form_of() as (form, opened):
                fields = {"gateway": lab.gateway_url, "network": lab.network_url, "canister": str(lab.canister_id)}
                tell(form, do="check", fields=fields)
                assert form.problems == {}
                tell(form, do="connect", fields=fields | {"ack": "90"})
                await eventually(lambda: form.status[0] in ("good", "bad"))
                (session,) = opened
                assert form.status == ["good", f"open as {session.principal}"]
                assert session.recording.info.ack_interval_ms == 90_000

    async def test_that_is_wrong_is_marked_before_anything_is_opened(self) -> None:
        async with form_of() as (form, opened):
            tell(form, do="connect", fields={"gateway": "http://x", "canister": ""})
            await eventually(lambda: not form.is_busy)
            assert set(form.problems) == {"gateway", "network", "canister"}
            assert form.status == ["bad", "correct what is marked, then connect"]
            assert opened == []

    async def test_that_nobody_runs_is_one_line(self) -> None:
        async with form_of() as (form, _):
            nobody = {"gateway": "ws://127.0.0.1:1", "network": "http://127.0.0.1:1"}
            tell(form, do="connect", fields=nobody | {"canister": "bkyz2-fmaaa-aaaaa-qaaaq-cai"})
            await eventually(lambda: form.status[0] == "bad")
            assert "127.0.0.1:1" in form.status[1]
            assert "\n" not in form.status[1]

    async def test_that_does_not_answer_can_be_given_up(self) -> None:
        async with form_of(connect_lab=_never, endpoint=_Running) as (form, opened):
            tell(form, do="connect to the lab", fields={})
            await eventually(lambda: form.status == ["busy", "connecting"])
            tell(form, do="cancel")
            await eventually(lambda: form.status == ["", "cancelled"])
            await eventually(lambda: not form.is_busy)
            assert opened == []


class _Running:
    """Stands for a lab that runs."""

    running = True


class _Never:
    def __await__(self) -> Any:
        return asyncio.Event().wait().__await__()


def _never(_lab: Any, _identity: Any) -> Any:
    return _Never()


@pytest.mark.usefixtures("nothing_left_open")
class TestSecrets:
    def test_are_in_no_state_that_a_notebook_stores(self) -> None:
        secret = Ed25519Identity.generate()
        form = ConnectForm(lambda _: None, variables=lambda: {"me": secret})
        key = "11" * 32
        fields = {
            "gateway": "ws://user:hunter2@host:99999/?token=abcdef",
            "network": "http://user:hunter2@host/?key=abcdef",
            "identity": {"how": "ii", "text": json.dumps(["22" * 32, key])},
        }
        tell(form, do="check", fields=fields)
        tell(form, do="variables")
        state = json.dumps(form.get_state(), default=str)
        assert set(form.problems) == {"gateway", "identity"}
        assert form.names == ["me"]
        for word in ("hunter2", "abcdef", key, "22" * 32):
            assert word not in state
        form.close()

    def test_who_it_is_is_shown(self) -> None:
        me = Ed25519Identity.generate()
        form = ConnectForm(lambda _: None, variables=lambda: {"me": me})
        tell(form, do="check", fields={"identity": {"how": "variable", "name": "me"}, "ack": "30"})
        assert form.remarks == {
            "identity": f"principal {me.principal}", "ack": "the CDK refuses an interval of 60 s or less",
        }  # fmt: skip
        form.close()
