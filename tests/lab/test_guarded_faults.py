"""A fault that fails is told once, and is honest from then on."""

from __future__ import annotations

from typing import Any, Never

import pytest

from icws_explore.lab.faults import Delivery, Faults, GuardedFaults
from icws_explore.lab.log import LabLog
from icws_explore.protocol.gateway.events import Replied

HOOKS = {
    "relay": (("up", b"data"), [Delivery(b"data")]),
    "client_frame": ((1, b"data"), [Delivery(b"data")]),
    "gateway_frame": ((1, b"data"), [Delivery(b"data")]),
    "call": ((1, b"data"), [Delivery(b"data")]),
    "poll_answer": ((0, Replied(b"")), (Replied(b""), 0.0)),
    "clock_error_ns": (("client", 1, 5), 0),
}


class Answers(Faults):
    """Every hook answers with its own arguments."""

    def __getattribute__(self, name: str) -> Any:
        return (lambda *args: args) if name in HOOKS else super().__getattribute__(name)


class Fails(Faults):
    def __getattribute__(self, name: str) -> Any:
        def fail(*args: Any) -> Never:
            raise ValueError(f"{name} of somebody's own")

        return fail if name in HOOKS or name == "begin" else super().__getattribute__(name)


@pytest.mark.parametrize("hook", HOOKS)
class TestHooks:
    def test_pass_through(self, hook):
        given, _ = HOOKS[hook]
        assert getattr(GuardedFaults(Answers(), LabLog(lambda: 0)), hook)(*given) == given

    def test_that_fail_are_honest_and_told_once(self, hook):
        given, honest = HOOKS[hook]
        log = LabLog(lambda: 0)
        faults = GuardedFaults(Fails(), log)
        assert [getattr(faults, hook)(*given) for _ in range(3)] == [honest] * 3
        (event,) = log.events
        assert (event.part, event.kind) == ("lab", "error")
        assert event.text == f"a fault failed: ValueError: {hook} of somebody's own"


def test_every_hook_is_guarded():
    assert set(HOOKS) | {"begin"} == {name for name in vars(Faults) if not name.startswith("_")}


def test_what_cannot_even_begin_is_no_lab_s():
    with pytest.raises(ValueError, match="begin of somebody's own"):
        GuardedFaults(Fails(), LabLog(lambda: 0)).begin(None)  # type: ignore[arg-type]  # it does not get that far
