from __future__ import annotations

from typing import Any, Never

import pytest

from icws_explore.lab.faults import Delivery, Faults, GuardedFaults, RelayFaults, tampered
from icws_explore.lab.log import LabLog
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.gateway.events import Replied
from icws_explore.protocol.messages import CanisterMessage

MESSAGE = CanisterMessage("key", b"content", b"cert", b"tree").encode()


class TestBaseClass:
    def test_delivers_each_frame_once_and_without_delay(self) -> None:
        assert Faults().relay("up", b"frame") == Faults().relay("down", b"frame") == [Delivery(b"frame", 0.0)]


class TestRelayFaults:
    def test_each_fault(self) -> None:
        assert RelayFaults(drop=1.0).relay("down", MESSAGE) == []
        assert RelayFaults(duplicate=1.0).relay("down", MESSAGE) == [Delivery(MESSAGE)] * 2
        assert RelayFaults(delay_ms=70).relay("down", MESSAGE) == [Delivery(MESSAGE, 70)]
        assert RelayFaults(tamper=1.0).relay("down", MESSAGE) == [Delivery(tampered(MESSAGE))]

    def test_affects_one_direction_and_spares_the_first_frames(self) -> None:
        faults = RelayFaults(drop=1.0, direction="up", spare=2)
        assert [len(faults.relay("up", b"frame")) for _ in range(4)] == [1, 1, 0, 0]
        assert [len(faults.relay("down", b"frame")) for _ in range(4)] == [1, 1, 1, 1]

    def test_no_direction_means_both(self) -> None:
        faults = RelayFaults(drop=1.0, direction=None)
        assert faults.relay("up", b"frame") == faults.relay("down", b"frame") == []

    def test_one_seed_gives_one_sequence(self) -> None:
        def run(seed: int) -> list[int]:
            faults = RelayFaults(drop=0.3, duplicate=0.3, seed=seed)
            return [len(faults.relay("down", MESSAGE)) for _ in range(100)]

        assert run(1) == run(1) != run(2)
        assert set(run(1)) == {0, 1, 2}

    @pytest.mark.parametrize("options", [{"drop": 1.1}, {"tamper": -0.1}, {"duplicate": 2}, {"delay_ms": -1}])
    def test_wrong_values_raise(self, options: dict[str, Any]) -> None:
        with pytest.raises(ArgumentValueError):
            RelayFaults(**options)


class TestTamper:
    def test_changes_only_the_content(self) -> None:
        before, after = CanisterMessage.decode(MESSAGE), CanisterMessage.decode(tampered(MESSAGE))
        assert after.content == b"contenu"
        assert (after.key, after.cert, after.tree) == (before.key, before.cert, before.tree)

    @pytest.mark.parametrize("frame", [b"", b"garbage", CanisterMessage("key", b"", b"", b"").encode()])
    def test_does_not_change_a_frame_without_content(self, frame: bytes) -> None:
        assert tampered(frame) == frame


# GuardedFaults

HOOKS = {
    "relay": (("up", b"data"), [Delivery(b"data")]),
    "client_frame": ((1, b"data"), [Delivery(b"data")]),
    "gateway_frame": ((1, b"data"), [Delivery(b"data")]),
    "call": ((1, b"data"), [Delivery(b"data")]),
    "poll_answer": ((0, Replied(b"")), (Replied(b""), 0.0)),
    "refusal": (("query",), None),
    "clock_error_ns": (("client", 1, 5), 0),
}


class Answers(Faults):
    """Every hook returns its own arguments."""

    def __getattribute__(self, name: str) -> Any:
        return (lambda *args: args) if name in HOOKS else super().__getattribute__(name)


class Fails(Faults):
    def __getattribute__(self, name: str) -> Any:
        def fail(*args: Any) -> Never:
            raise ValueError(f"{name} has a bug")

        return fail if name in HOOKS or name == "begin" else super().__getattribute__(name)


@pytest.mark.parametrize("hook", HOOKS)
class TestHooks:
    def test_results_pass(self, hook):
        given, _ = HOOKS[hook]
        assert getattr(GuardedFaults(Answers(), LabLog(lambda: 0)), hook)(*given) == given

    def test_a_failed_hook_changes_nothing_and_is_logged_once(self, hook):
        given, honest = HOOKS[hook]
        log = LabLog(lambda: 0)
        faults = GuardedFaults(Fails(), log)
        assert [getattr(faults, hook)(*given) for _ in range(3)] == [honest] * 3
        (event,) = log.events
        assert (event.part, event.kind) == ("lab", "error")
        assert event.text == f"a fault failed: ValueError: {hook} has a bug"


def test_every_hook_is_guarded():
    hooks = {name for name, hook in vars(Faults).items() if callable(hook) and not name.startswith("_")}
    assert set(HOOKS) | {"begin"} == hooks


def test_an_exception_in_begin_passes():
    with pytest.raises(ValueError, match="begin has a bug"):
        GuardedFaults(Fails(), LabLog(lambda: 0)).begin(None)  # type: ignore[arg-type]  # it raises before it uses the stage
