"""What each kind of call may do (interface specification, "Overview of imports")."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from icws_explore.protocol.canister.host import MAX_CERTIFIED_DATA, System
from icws_explore.protocol.canister.system_api import Trap
from icws_explore.protocol.principal import Principal

CANISTER, CALLER = Principal(b"canister"), Principal(b"caller")
CHANGES: dict[str, Callable[[System], object]] = {
    "set_certified_data": lambda system: system.set_certified_data(bytes(32)),
    "set_timer": lambda system: system.set_timer(1, print),
    "set_timer_interval": lambda system: system.set_timer_interval(1, print),
    "commit": lambda system: system.commit(),
}


@pytest.fixture
def system() -> System:
    return System(CANISTER, certified_data=b"", certify=lambda data: b"certificate over " + data, on_print=None)


class TestCallKinds:
    @pytest.mark.parametrize("name", CHANGES)
    def test_a_query_changes_nothing(self, system: System, name: str) -> None:
        system.enter("query", CALLER, 5)
        with pytest.raises(Trap, match=f"{name} cannot be called in a query"):
            CHANGES[name](system)

    @pytest.mark.parametrize("kind", ["install", "update", "timer"])
    @pytest.mark.parametrize("name", CHANGES)
    def test_every_other_call_may_change_state(self, system: System, name: str, kind: str) -> None:
        system.enter(kind, CALLER, 5)
        CHANGES[name](system)

    def test_only_a_query_sees_a_certificate(self, system: System) -> None:
        system.enter("update", CALLER, 5)
        system.set_certified_data(b"x")
        assert system.data_certificate() is None
        system.enter("query", CALLER, 6)
        assert system.data_certificate() == b"certificate over x"

    def test_no_certificate_without_a_certifier(self) -> None:
        system = System(CANISTER, certified_data=b"", certify=None, on_print=None)
        system.enter("query", CALLER, 5)
        assert system.data_certificate() is None

    def test_says_who_called_when(self, system: System) -> None:
        system.enter("update", CALLER, 7)
        assert (system.caller(), system.time_ns(), system.canister_id()) == (CALLER, 7, CANISTER)


class TestCertifiedData:
    def test_has_a_limit(self, system: System) -> None:
        system.set_certified_data(bytes(MAX_CERTIFIED_DATA))
        with pytest.raises(Trap, match="33 bytes; 32 are the most"):
            system.set_certified_data(bytes(MAX_CERTIFIED_DATA + 1))
        assert system.certified_data == bytes(MAX_CERTIFIED_DATA)

    def test_is_restored_with_the_timers(self, system: System) -> None:
        system.set_certified_data(b"before")
        saved = system.snapshot()
        for data in (b"once", b"again"):  # a snapshot can be restored more than once
            system.set_certified_data(data)
            timer = system.set_timer(1, print)
            system.restore(saved)
            assert system.certified_data == b"before"
            system.clear_timer(timer)  # no longer exists, which is not an error


class TestPrint:
    def test_carries_the_time_of_the_call(self) -> None:
        printed: list[tuple[int, str]] = []
        system = System(CANISTER, certified_data=b"", certify=None, on_print=lambda *line: printed.append(line))
        system.enter("update", CALLER, 9)
        system.print("hello")
        assert printed == [(9, "hello")]

    def test_goes_nowhere_without_a_listener(self, system: System) -> None:
        system.enter("update", CALLER, 7)
        system.print("hello")
        assert system.certified_data == b""
