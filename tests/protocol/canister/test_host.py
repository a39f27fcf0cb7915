"""Running a canister: rollback, commit points, queries, timers and upgrades (interface specification, "Calls")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from icws_explore.protocol.canister import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    CanisterFactory,
    CanisterHost,
    MethodNotFound,
    Reject,
    Reply,
    SystemApi,
    Trap,
)
from icws_explore.protocol.canister.host import System
from icws_explore.protocol.principal import Principal

CANISTER = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")
CALLER = Principal(b"caller")
S = 10**9
START_NS = 1_790_000_000 * S


class Counter:
    """A canister with one number, whose methods are functions of (canister, system)."""

    candid_interface = "service : {}"

    def __init__(self, system: SystemApi, methods: dict[str, Callable[[Counter, SystemApi], Any]]) -> None:
        self.system = system
        self.methods = methods
        self.number = 0

    def init(self) -> None:
        if "init" in self.methods:
            self.methods["init"](self, self.system)

    def update(self, method: str, _arg: bytes) -> bytes:
        if method not in self.methods:
            raise MethodNotFound("update", method)
        self.methods[method](self, self.system)
        return str(self.number).encode()

    def query(self, method: str, _arg: bytes) -> bytes:
        return self.update(method, _arg)

    def snapshot(self) -> int:
        return self.number

    def restore(self, state: int) -> None:
        self.number = state


def counter(**methods: Callable[[Counter, SystemApi], Any]) -> CanisterFactory:
    return lambda system: Counter(system, methods)


class Bench:
    """A host that runs a counter, with its prints and short names for calls."""

    def __init__(self, **methods: Callable[[Counter, SystemApi], Any]) -> None:
        self.prints: list[tuple[int, str]] = []
        self.host = CanisterHost(
            CANISTER,
            certify=lambda data: b"certificate of " + data,
            on_print=lambda at_ns, text: self.prints.append((at_ns, text)),
        )
        self.installed = self.host.install(counter(get=lambda *_: None, **methods), now_ns=START_NS)

    def update(self, method: str, now_ns: int = START_NS) -> Reply | Reject:
        return self.host.update(method, b"", caller=CALLER, now_ns=now_ns)

    def query(self, method: str, now_ns: int = START_NS) -> Reply | Reject:
        return self.host.query(method, b"", caller=CALLER, now_ns=now_ns)

    @property
    def number(self) -> int:
        outcome = self.query("get", self.host.now_ns)
        assert isinstance(outcome, Reply)
        return int(outcome.data)


def add(canister: Counter, _system: SystemApi) -> None:
    canister.number += 1


def add_everywhere_then_trap(canister: Counter, system: SystemApi) -> None:
    canister.number += 1
    system.set_certified_data(b"new")
    system.set_timer(S, lambda: None)
    raise Trap("no further")


class TestTrap:
    def test_undoes_memory_certified_data_and_timers(self) -> None:
        bench = Bench(bad=add_everywhere_then_trap)
        outcome = bench.update("bad")
        assert isinstance(outcome, Reject)
        assert (outcome.code, outcome.error_code) == (CANISTER_ERROR, "IC0503")
        assert outcome.text == (
            "Error from Canister rrkah-fqaaa-aaaaa-aaaaq-cai: Canister called `ic0.trap` with message: 'no further'"
        )
        assert bench.number == 0
        assert bench.host.certified_data == b""
        assert bench.host.next_timer_ns is None

    def test_a_python_error_is_a_trap_with_its_cause(self) -> None:
        bench = Bench(bad=lambda canister, _: [add(canister, _), {}["missing"]])
        outcome = bench.update("bad")
        assert isinstance(outcome, Reject)
        assert isinstance(outcome.cause, KeyError)
        assert "KeyError: 'missing'" in outcome.text
        assert bench.number == 0

    def test_after_a_trap_the_canister_continues(self) -> None:
        bench = Bench(bad=add_everywhere_then_trap, add=add)
        bench.update("bad")
        assert bench.update("add") == Reply(b"1")


class TestCommitPoints:
    def test_committed_changes_stay(self) -> None:
        def commit_then_trap(canister: Counter, system: SystemApi) -> None:
            canister.number = 1
            system.set_certified_data(b"one")
            system.commit()
            canister.number = 2
            system.set_certified_data(b"two")
            raise Trap("behind the await")

        bench = Bench(bad=commit_then_trap)
        outcome = bench.update("bad")
        assert isinstance(outcome, Reject)
        assert (outcome.code, outcome.error_code) == (CANISTER_REJECT, "IC0406")
        assert bench.number == 1
        assert bench.host.certified_data == b"one"

    def test_the_next_call_starts_uncommitted(self) -> None:
        bench = Bench(commit=lambda _, system: system.commit(), bad=add_everywhere_then_trap)
        bench.update("commit")
        outcome = bench.update("bad")
        assert isinstance(outcome, Reject)
        assert outcome.code == CANISTER_ERROR


class TestQueries:
    def test_change_nothing(self) -> None:
        bench = Bench(add=add)
        assert bench.query("add") == Reply(b"1")
        assert bench.number == 0

    def test_see_the_certificate_but_updates_do_not(self) -> None:
        seen = []
        bench = Bench(
            init=lambda _, system: system.set_certified_data(b"data"),
            look=lambda _, system: seen.append(system.data_certificate()),
        )
        bench.query("look")
        bench.update("look")
        assert seen == [b"certificate of data", None]

    def test_may_not_set_certified_data_or_timers(self) -> None:
        bench = Bench(
            certify=lambda _, system: system.set_certified_data(b""),
            alarm=lambda _, system: system.set_timer(1, lambda: None),
        )
        assert isinstance(bench.query("certify"), Reject)
        assert isinstance(bench.query("alarm"), Reject)
        assert bench.update("certify") == Reply(b"0")


class TestReplies:
    def test_of_more_than_2_mib_are_refused_and_undone(self) -> None:
        """POLLER_DEAD of misbehaviours.md: a poll's reply can be too large."""

        class Long(Counter):
            def update(self, method: str, _arg: bytes) -> bytes:
                self.number += 1
                return bytes(2 * 2**20 + (method == "too long"))

        host = CanisterHost(CANISTER)
        installed = host.install(lambda system: Long(system, {}), now_ns=START_NS)
        assert installed == Reply(b"")
        outcome = host.update("too long", b"", caller=CALLER, now_ns=START_NS)
        assert isinstance(outcome, Reject)
        assert outcome.error_code == "IC0504"
        assert isinstance(host.update("just right", b"", caller=CALLER, now_ns=START_NS), Reply)


class TestCertifiedData:
    def test_of_more_than_32_bytes_traps(self) -> None:
        bench = Bench(set=lambda _, system: system.set_certified_data(bytes(33)))
        assert isinstance(bench.update("set"), Reject)


class TestMethods:
    def test_an_unknown_one_is_a_reject(self) -> None:
        outcome = Bench().update("nothing")
        assert isinstance(outcome, Reject)
        assert (outcome.code, outcome.error_code) == (CANISTER_ERROR, "IC0536")
        assert outcome.text.endswith("Canister has no update method 'nothing'")

    def test_the_caller_is_known(self) -> None:
        seen = []
        bench = Bench(who=lambda _, system: seen.append((system.caller(), system.canister_id(), system.time_ns())))
        bench.update("who", START_NS + 1)
        assert seen == [(CALLER, CANISTER, START_NS + 1)]


class TestCalls:
    def test_of_itself_run_its_own_methods(self) -> None:
        outcomes: list[Any] = []

        def ask(_canister: Counter, system: SystemApi) -> None:
            outcomes.append(system.call(CANISTER, "get", b""))

        bench = Bench(ask=ask)
        bench.update("ask")
        bench.query("ask")
        assert outcomes == [Reply(b"0"), Reply(b"0")]

    def test_of_others_find_nobody_where_there_are_none(self) -> None:
        alone = System(CANISTER, certified_data=b"", certify=None, on_print=None)
        assert (alone.subnet_id(), alone.root_key()) == (Principal.MANAGEMENT, b"")
        assert isinstance(alone.call(CALLER, "get", b""), Reject)

    def test_a_trap_of_inspect_message_refuses_the_call(self) -> None:
        class Inspector(Counter):
            def inspect_message(self, method: str, _arg: bytes) -> bool:
                if method == "bad":
                    raise Trap("not today")
                return method == "get"

        bench = Bench()
        bench.host.install(lambda system: Inspector(system, {}), now_ns=START_NS)

        def inspect(method: str) -> Reject | None:
            return bench.host.inspect(method, b"", caller=CALLER, now_ns=START_NS)

        assert inspect("get") is None
        assert "not today" in str(inspect("bad"))
        assert "rejected the message" in str(inspect("other"))


class TestTimers:
    def test_fire_at_their_due_times_in_order(self) -> None:
        times = []

        def start(canister: Counter, system: SystemApi) -> None:
            system.set_timer_interval(2 * S, lambda: times.append(("every", system.time_ns() - START_NS)))
            system.set_timer(3 * S, lambda: times.append(("once", system.time_ns() - START_NS)))

        bench = Bench(init=start)
        assert bench.host.next_timer_ns == START_NS + 2 * S
        runs = bench.host.advance(START_NS + 5 * S)
        assert times == [("every", 2 * S), ("once", 3 * S), ("every", 4 * S)]
        assert [run.at_ns - START_NS for run in runs] == [2 * S, 3 * S, 4 * S]
        assert all(run.reject is None for run in runs)
        assert bench.host.now_ns == START_NS + 5 * S

    def test_fire_before_a_call_at_the_same_time(self) -> None:
        bench = Bench(init=lambda canister, system: system.set_timer(S, lambda: add(canister, system)))
        assert bench.update("get", START_NS + S) == Reply(b"1")

    def test_a_trap_is_undone_and_printed_and_the_interval_continues(self) -> None:
        def start(canister: Counter, system: SystemApi) -> None:
            system.set_timer_interval(S, lambda: add_everywhere_then_trap(canister, system))

        bench = Bench(init=start)
        runs = bench.host.advance(START_NS + 2 * S)
        assert [run.reject is not None for run in runs] == [True, True]
        assert bench.number == 0
        assert bench.host.next_timer_ns == START_NS + 3 * S
        assert bench.prints[0][0] == START_NS + S
        assert "in a timer" in bench.prints[0][1]
        assert "no further" in bench.prints[0][1]

    def test_the_caller_is_the_canister(self) -> None:
        seen = []
        bench = Bench(init=lambda _, system: system.set_timer(S, lambda: seen.append(system.caller())))
        bench.host.advance(START_NS + S)
        assert seen == [CANISTER]

    def test_one_that_sets_itself_again_with_no_delay_is_bounded(self) -> None:
        def again(canister: Counter, system: SystemApi) -> None:
            canister.number += 1
            system.set_timer(0, lambda: again(canister, system))

        bench = Bench(init=again)
        bench.host.advance(START_NS + S // 10)
        assert bench.number == 101


class TestTime:
    def test_never_goes_back(self) -> None:
        seen = []
        bench = Bench(look=lambda _, system: seen.append(system.time_ns()))
        bench.update("look", START_NS + S)
        bench.update("look", START_NS)
        assert seen == [START_NS + S, START_NS + S]


class TestInstall:
    def test_without_code_every_call_is_a_reject(self) -> None:
        host = CanisterHost(CANISTER)
        outcome = host.update("get", b"", caller=CALLER, now_ns=START_NS)
        assert isinstance(outcome, Reject)
        assert outcome.error_code == "IC0537"
        assert host.candid_interface == ""
        assert host.next_timer_ns is None

    def test_a_trapping_init_installs_nothing(self) -> None:
        bench = Bench(init=add_everywhere_then_trap)
        assert isinstance(bench.installed, Reject)
        assert isinstance(bench.update("get"), Reject)
        assert bench.host.certified_data == b""


class TestUpgrade:
    def test_clears_memory_and_timers_and_keeps_certified_data(self) -> None:
        def start(canister: Counter, system: SystemApi) -> None:
            system.set_certified_data(b"kept")
            system.set_timer_interval(S, lambda: None)

        bench = Bench(init=start, add=add)
        bench.update("add")
        bench.host.upgrade(counter(get=lambda *_: None), now_ns=START_NS)
        assert bench.number == 0
        assert bench.host.next_timer_ns is None
        assert bench.host.certified_data == b"kept"

    def test_one_that_traps_changes_nothing(self) -> None:
        bench = Bench(add=add, init=lambda _, system: system.set_timer_interval(S, lambda: None))
        bench.update("add")
        outcome = bench.host.upgrade(counter(init=add_everywhere_then_trap), now_ns=START_NS)
        assert isinstance(outcome, Reject)
        assert bench.number == 1
        assert bench.host.next_timer_ns == START_NS + S
        assert bench.host.candid_interface == "service : {}"

    def test_without_code_there_is_nothing_to_upgrade(self) -> None:
        bench = Bench(add=add)
        bench.host.uninstall()
        outcome = bench.host.upgrade(counter(add=add), now_ns=START_NS)
        assert isinstance(outcome, Reject)
        assert outcome.error_code == "IC0537"
        assert outcome.text.endswith(": the canister contains no code to upgrade")
        assert bench.host.candid_interface == ""

    def test_a_reinstall_clears_certified_data(self) -> None:
        bench = Bench(init=lambda _, system: system.set_certified_data(b"old"))
        bench.host.install(counter(), now_ns=START_NS)
        assert bench.host.certified_data == b""
