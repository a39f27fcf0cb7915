"""The panel for breakpoints and faults, by its messages, on a lab and on a tap."""

import asyncio
import gc
import threading

import pytest
from ipywidgets.widgets.widget import _instances

from icws_explore.lab import Lab
from icws_explore.lab.scenarios import scenario
from icws_explore.lab.scenarios.switches import FaultSwitches
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.notebook.explorer.fault_panel import fault_panel
from icws_explore.protocol.errors import SessionClosedError
from support.raw_tcp import until


class FakeExplorer:
    def __init__(self, *, lab=None, tap=None, session=None):
        self.lab, self.tap, self.session = lab, tap, session
        self.callbacks = []

    def on_change(self, callback):
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def change(self, **parts):
        vars(self).update(parts)
        for callback in tuple(self.callbacks):
            callback()


@pytest.fixture
def lab():
    with Lab("echo", time_scale=20) as running:
        yield running


def do(panel, what, **facts):
    panel._received(panel, {"do": what, **facts}, [])


async def shown(panel, count=1):
    await until(lambda: len(panel.held) == count)
    return panel.held


class TestBreakpoints:
    async def test_hold_select_edit_forward(self, lab):
        panel = fault_panel(FakeExplorer(lab=lab))
        do(panel, "hold", where="kind == 'app'", timeout_s=60)
        assert [(hold["where"], hold["count"]) for hold in panel.holds] == [("kind == 'app'", 0)]
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            (row,) = await shown(panel)
            assert (row["kind"], row["direction"], row["seq"], row["session"]) == ("app", "in", 2, "1")
            do(panel, "select", id=row["id"])
            assert panel.selected["can_edit"]
            paths = {field["path"]: field["value"] for field in panel.selected["fields"]}
            assert next(iter(paths.items())) == ("content.content.text", "'hello'")  # the application's own comes first
            path = next(path for path in paths if path.endswith("sequence_num"))
            do(panel, "set", id=row["id"], hex=panel.selected["hex"], path=path, value="9")
            assert (panel.error, panel.selected["hex"] != panel.selected["was"]) == ("", True)
            do(panel, "forward", id=row["id"], hex=panel.selected["hex"])
            assert (panel.held, panel.selected) == ([], {})
            assert panel.done == ["app: held by a breakpoint, edited and forwarded"]
            with pytest.raises(SessionClosedError):
                await session.receive(60)
        panel.close()

    @pytest.mark.parametrize(
        ("what", "facts", "did"),
        [
            ("drop", {}, "dropped by a breakpoint"),
            ("duplicate", {}, "held by a breakpoint, duplicated"),
            ("delay", {"seconds": 0.5}, "delayed by a breakpoint for 0.5 s"),
            ("reorder", {}, "sent behind the next frame by a breakpoint"),
            ("forward", {"hex": None}, "held by a breakpoint, forwarded"),
        ],
    )
    async def test_other_decisions(self, lab, what, facts, did):
        panel = fault_panel(FakeExplorer(lab=lab))
        do(panel, "hold", where="kind == 'app'")
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            (row,) = await shown(panel)
            do(panel, what, id=row["id"], **facts)
            assert (panel.error, panel.done) == ("", [f"app: {did}"])
        panel.close()

    async def test_a_release_ends_it(self, lab):
        panel = fault_panel(FakeExplorer(lab=lab))
        do(panel, "hold", where="kind == 'app'")
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            await shown(panel)
            do(panel, "release", id=panel.holds[0]["id"])
            assert await session.receive(60) == {"text": "hello"}
            assert (panel.holds, panel.held, lab.breakpoints) == ([], [], ())
        panel.close()

    @pytest.mark.parametrize(
        ("what", "facts", "error"),
        [
            ("hold", {"where": "kind = 3"}, "cannot read the filter 'kind = 3'"),
            ("hold", {"where": "size > 1", "timeout_s": 9999}, "timeout_s must be"),
            ("forward", {"id": "77"}, "not held any more"),
            ("set", {"id": "77", "hex": "", "path": "x", "value": "1"}, "not held any more"),
            ("fault", {"name": "KEEPALIVE_LATE", "on": True}, "KEEPALIVE_LATE cannot be switched on here"),
        ],
    )
    def test_what_cannot_be_is_one_line(self, lab, what, facts, error):
        panel = fault_panel(FakeExplorer(lab=lab))
        do(panel, what, **facts)
        assert error in panel.error
        assert "\n" not in panel.error
        do(panel, "hold", where="size == 3")
        assert panel.error == ""
        panel.close()

    async def test_bad_bytes_and_values_are_one_line(self, lab):
        panel = fault_panel(FakeExplorer(lab=lab))
        do(panel, "hold", where="kind == 'app'")
        async with connect(lab) as session:
            await session.send({"text": "hello"})
            (row,) = await shown(panel)
            do(panel, "select", id=row["id"])
            do(panel, "forward", id=row["id"], hex="zz")
            assert "not hexadecimal" in panel.error
            do(panel, "set", id=row["id"], hex=panel.selected["hex"], path="nonsense", value="1")
            assert "no field" in panel.error
            assert len(panel.held) == 1
        panel.close()

    async def held_request(self, panel, session):
        """A message of the client's that is held, with another text."""
        do(panel, "hold", where="kind == 'message'")
        await session.send({"text": "hello"})
        (row,) = await shown(panel)
        do(panel, "select", id=row["id"])
        path = next(field["path"] for field in panel.selected["fields"] if field["value"] == "'hello'")
        do(panel, "set", id=row["id"], hex=panel.selected["hex"], path=path, value="'jello'")
        return row["id"]

    async def test_what_the_session_signs_again_is_accepted(self, lab):
        explorer = FakeExplorer(lab=lab)
        panel = fault_panel(explorer)
        async with connect(lab) as session:
            explorer.session = session
            key = await self.held_request(panel, session)
            assert (panel.selected["sign_refusal"], panel.selected["is_signed"]) == ("", False)
            edited = panel.selected["hex"]
            do(panel, "sign", id=key, hex=edited)
            assert (panel.error, panel.selected["is_signed"]) == ("", True)
            assert panel.selected["hex"] != edited
            do(panel, "forward", id=key, hex=panel.selected["hex"])
            assert await session.receive(60) == {"text": "jello"}
        panel.close()

    @pytest.mark.parametrize("has_session", [False, True])
    async def test_nobody_signs_for_another_client(self, lab, has_session):
        async with connect(lab) as other, connect(lab) as session:
            panel = fault_panel(FakeExplorer(lab=lab, session=other if has_session else None))
            key = await self.held_request(panel, session)
            assert "its key is not in this explorer" in panel.selected["sign_refusal"]
            do(panel, "sign", id=key, hex=panel.selected["hex"])
            assert panel.error == panel.selected["sign_refusal"]
            panel.close()

    async def test_nobody_signs_for_the_canister(self, lab):
        explorer = FakeExplorer(lab=lab)
        panel = fault_panel(explorer)
        do(panel, "hold", where="kind == 'app'")
        async with connect(lab) as session:
            explorer.session = session
            await session.send({"text": "hello"})
            (row,) = await shown(panel)
            do(panel, "select", id=row["id"])
            assert panel.selected["sign_refusal"] is None
            do(panel, "sign", id=row["id"], hex=panel.selected["hex"])
            assert panel.error == "only a client's request can be signed again"
        panel.close()

    def test_what_it_acts_on_may_change(self, lab):
        explorer = FakeExplorer()
        panel = fault_panel(explorer)
        assert (panel.target, panel.faults) == ("", [])
        explorer.change(lab=lab)
        assert panel.target == "lab"
        with Tap(lab) as tap:
            explorer.change(tap=tap)
            assert panel.target == "lab and tap"
            by_tap = {fault.name for fault in FaultSwitches(tap).offered}
            by_lab = {fault.name for fault in lab.faults.offered}
            assert {fault["name"] for fault in panel.faults} == by_tap | by_lab
            assert not {fault["name"] for fault in panel.refused} & (by_tap | by_lab)
            for name, is_in_lab in (("BODY_HASH", False), ("POLLS_REFUSED", True)):
                panel._handle_custom_msg({"do": "fault", "name": name, "on": True}, [])
                assert panel.error == ""
                assert (name in lab.faults.active) is is_in_lab
                assert next(fault["on"] for fault in panel.faults if fault["name"] == name)
                panel._handle_custom_msg({"do": "fault", "name": name, "on": False}, [])
                assert not any(fault["on"] for fault in panel.faults)
            do(panel, "hold", where="size == 3")
            assert len(tap.breakpoints) == 1
        panel.close()


class TestFaults:
    async def test_on_and_off(self, lab):
        panel = fault_panel(FakeExplorer(lab=lab))
        do(panel, "fault", name="BODY_HASH", on=True)
        (fault,) = [fault for fault in panel.faults if fault["on"]]
        assert (fault["name"], fault["acts"], lab.faults.active) == ("BODY_HASH", 0, ("BODY_HASH",))
        assert fault["about"] == "the gateway changes a byte of the third message's content"
        assert "Error receiving message" in fault["noticed"]
        async with connect(lab) as session:
            with pytest.raises(SessionClosedError):
                for _ in range(5):
                    await session.send({"text": "hello"})
                    await session.receive(60)
        await until(lambda: [fault["acts"] for fault in panel.faults if fault["on"]] == [1])
        do(panel, "fault", name="BODY_HASH", on=False)
        assert not [fault for fault in panel.faults if fault["on"]]
        about = {fault["name"]: fault["about"] for fault in panel.refused}
        assert about["KEEPALIVE_LATE"] == scenario("KEEPALIVE_LATE").about
        assert len(about) > 1
        panel.close()


class TestEnd:
    def test_nothing_is_left(self, lab):
        before, threads = set(_instances), threading.active_count()
        explorer = FakeExplorer(lab=lab)
        for _ in range(50):
            panel = fault_panel(explorer)
            do(panel, "hold", where="size == 3")
            panel.close()
            panel.close()
            do(panel, "hold", where="size == 4")
        assert (explorer.callbacks, lab.breakpoints, lab.control._listeners) == ([], (), [])
        assert (set(_instances) - before, threading.active_count()) == (set(), threads)
        gc.collect()

    async def test_a_change_that_comes_late_does_nothing(self, lab):
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        explorer = FakeExplorer(lab=lab)
        panel = fault_panel(explorer)
        callback = explorer.callbacks[0]
        panel._path_changed()
        panel.close()
        callback()
        await asyncio.sleep(0.3)
        assert (errors, lab.control._listeners, explorer.callbacks) == ([], [], [])
