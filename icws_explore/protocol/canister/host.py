"""Runs one canister: calls, timers, rollback, certified data. It has no clock and no sockets, and signs nothing.

The lab's replica, the simulator and the tests run canisters through this, so a canister behaves the same
everywhere. Each call brings the time, in ns since the epoch; it never goes back. Source: interface
specification, "Calls", "Reject codes" and "The IC System API".

`Alarms` are the timers that a canister has set. As in ic-cdk-timers 0.10, the next due time of an interval
counts from when it was served: an interval that fell due several times while the canister was stopped
goes off once. Timers with the same due time go off in the order in which they were set.

`System` is the replica's side of the System API for one installed canister.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from ..constants import MAX_REPLY_BYTES, NS_PER_MS
from ..principal import Principal
from .system_api import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    DESTINATION_INVALID,
    CallRejected,
    CanisterCode,
    CanisterFactory,
    MethodNotFound,
    Outcome,
    Reject,
    Reply,
    Trap,
    Upgradable,
)

MIN_DELAY_NS: Final = NS_PER_MS  # a replica serves timers once a round; this keeps loops of set_timer(0) finite


@dataclass(frozen=True, slots=True)
class Alarm:
    """One timer. ``interval_ns`` is None for a timer that goes off once."""

    due_ns: int
    timer_id: int
    interval_ns: int | None
    callback: Callable[[], None]


class Alarms:
    """The timers of a canister. copy() is shallow, because an Alarm is immutable. Ids are never used twice."""

    __slots__ = ("_by_id", "_last_id")

    def __init__(self) -> None:
        self._by_id: dict[int, Alarm] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def copy(self) -> Alarms:
        other = Alarms()
        other._by_id = dict(self._by_id)
        other._last_id = self._last_id
        return other

    def set(self, now_ns: int, delay_ns: int, callback: Callable[[], None], *, repeats: bool) -> int:
        delay_ns = max(delay_ns, MIN_DELAY_NS)
        self._last_id += 1
        self._by_id[self._last_id] = Alarm(now_ns + delay_ns, self._last_id, delay_ns if repeats else None, callback)
        return self._last_id

    def clear(self, timer_id: int) -> None:
        self._by_id.pop(timer_id, None)

    @property
    def next_ns(self) -> int | None:
        return min((alarm.due_ns for alarm in self._by_id.values()), default=None)

    def take(self, until_ns: int, *, served_ns: int = 0) -> Alarm | None:
        """Take the next alarm that is due by ``until_ns``; None if there is none.

        It is removed, or set again one interval later. It is served when it is due, or at ``served_ns`` if
        that is later.
        """
        alarm = min(self._by_id.values(), key=lambda alarm: (alarm.due_ns, alarm.timer_id), default=None)
        if alarm is None or alarm.due_ns > until_ns:
            return None
        if alarm.interval_ns is None:
            del self._by_id[alarm.timer_id]
        else:
            self._by_id[alarm.timer_id] = replace(alarm, due_ns=max(alarm.due_ns, served_ns) + alarm.interval_ns)
        return alarm


MAX_CERTIFIED_DATA: Final = 32  # bytes
CallKind = Literal["install", "update", "query", "timer"]


class System:
    """A `SystemApi`. The host calls `enter` before the canister's code runs. Times are ns since the epoch.

    The kind of a call decides what it may do (interface specification, "Overview of imports"): only a
    query can read the certificate, and a query can set neither certified data nor timers.
    """

    def __init__(
        self,
        canister_id: Principal,
        *,
        certified_data: bytes,
        certify: Callable[[bytes], bytes] | None,
        on_print: Callable[[int, str], None] | None,
        on_call: Callable[[CallKind, Principal, str, bytes], Outcome] | None = None,
        subnet: tuple[Principal, bytes] = (Principal.MANAGEMENT, b""),
    ) -> None:
        self._subnet = subnet
        self.certified_data = certified_data
        self.alarms = Alarms()
        self.on_commit: Callable[[], None] = _nothing
        self.on_roll_back: Callable[[], None] = _nothing
        self._canister_id = canister_id
        self._certify = certify
        self._on_print = on_print
        self._on_call = on_call
        self._kind: CallKind = "install"
        self._caller = Principal.MANAGEMENT
        self._now_ns = 0

    def enter(self, kind: CallKind, caller: Principal, now_ns: int) -> tuple[CallKind, Principal, int]:
        """Begin a message. Returns the arguments of the message that it interrupts, to enter that again."""
        before = self._kind, self._caller, self._now_ns
        self._kind, self._caller, self._now_ns = kind, caller, now_ns
        return before

    def snapshot(self) -> tuple[bytes, Alarms]:
        return self.certified_data, self.alarms.copy()

    def restore(self, saved: tuple[bytes, Alarms]) -> None:
        self.certified_data, self.alarms = saved[0], saved[1].copy()

    def time_ns(self) -> int:
        return self._now_ns

    def caller(self) -> Principal:
        return self._caller

    def canister_id(self) -> Principal:
        return self._canister_id

    def subnet_id(self) -> Principal:
        return self._subnet[0]

    def root_key(self) -> bytes:
        return self._subnet[1]

    def set_certified_data(self, data: bytes) -> None:
        self._not_in_a_query("set_certified_data")
        if len(data) > MAX_CERTIFIED_DATA:
            # The text of the host that tests/vectors/rust_cdk_traces.json was recorded on.
            raise Trap(f"certified data of {len(data)} bytes; {MAX_CERTIFIED_DATA} are the most")
        self.certified_data = data

    def data_certificate(self) -> bytes | None:
        if self._kind != "query" or self._certify is None:
            return None
        return self._certify(self.certified_data)

    @contextmanager
    def without_signing(self) -> Iterator[None]:
        """Certificates are empty meanwhile."""
        certify, self._certify = self._certify, _unsigned if self._certify else None
        try:
            yield
        finally:
            self._certify = certify

    def set_timer(self, delay_ns: int, callback: Callable[[], None]) -> int:
        self._not_in_a_query("set_timer")
        return self.alarms.set(self._now_ns, delay_ns, callback, repeats=False)

    def set_timer_interval(self, interval_ns: int, callback: Callable[[], None]) -> int:
        self._not_in_a_query("set_timer_interval")
        return self.alarms.set(self._now_ns, interval_ns, callback, repeats=True)

    def clear_timer(self, timer_id: int) -> None:
        self.alarms.clear(timer_id)

    def commit(self) -> None:
        self._not_in_a_query("commit")
        self.on_commit()

    def roll_back(self) -> None:
        self.on_roll_back()

    def call(self, callee: Principal, method: str, arg: bytes) -> Outcome:
        if self._on_call is None:
            return canister_not_found(callee)
        return self._on_call(self._kind, callee, method, arg)

    def print(self, text: str) -> None:
        if self._on_print is not None:
            self._on_print(self._now_ns, text)

    def _not_in_a_query(self, what: str) -> None:
        if self._kind == "query":
            raise Trap(f"{what} cannot be called in a query")


def _nothing() -> None:
    pass


def _unsigned(_certified_data: bytes) -> bytes:
    return b""


def canister_not_found(canister_id: Principal) -> Reject:
    """The reject for a call to a canister that does not exist."""
    return Reject(DESTINATION_INVALID, f"Canister {canister_id} not found", "IC0301")


@dataclass(frozen=True, slots=True)
class TimerRun:
    """A timer that went off: its time (ns since the epoch), and the reject if its callback trapped."""

    at_ns: int
    reject: Reject | None


class _Installed:
    """Code with its system, and the state that both return to when a call traps."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.code: CanisterCode | None = None  # None until its factory has run
        self.has_committed = False
        self.depth = 0  # messages that are being executed: more than one while the canister calls itself
        self._saved: Any = None
        system.on_commit = self._commit
        system.on_roll_back = self.roll_back

    def save(self) -> None:
        self.has_committed = False
        self._save()

    def roll_back(self) -> None:
        system, code = self._saved
        self.system.restore(system)
        if self.code is not None and code is not None:
            self.code.restore(code)

    def _commit(self) -> None:
        self._save()
        self.has_committed = True

    def _save(self) -> None:
        self._saved = (self.system.snapshot(), None if self.code is None else self.code.snapshot())


RunCode: TypeAlias = Callable[[str, Callable[[], bytes]], bytes]


def run_unwatched(what: str, body: Callable[[], bytes]) -> bytes:
    """Run the code of a message without watching it: what a host does by default. ``what`` describes the message."""
    del what
    return body()


class CanisterHost:
    """One canister. install() puts code into it.

    ``certify`` makes the certificate of the certified data for queries (None: queries get no certificate).
    ``on_print`` gets the lines that the canister prints, with the time in ns since the epoch, and the text
    of every trap in a timer, which has no caller. ``run_code`` may be replaced: it gets a description of a
    message and the function that runs it, and may end it with an exception. ``on_call(callee, method, arg,
    is_query)`` makes the calls of this canister to others (None: there are no others). ``subnet`` is the subnet's
    principal and the network's root key (DER).
    """

    def __init__(
        self,
        canister_id: Principal,
        *,
        certify: Callable[[bytes], bytes] | None = None,
        on_print: Callable[[int, str], None] | None = None,
        on_call: Callable[[Principal, str, bytes, bool], Outcome] | None = None,
        subnet: tuple[Principal, bytes] = (Principal.MANAGEMENT, b""),
    ) -> None:
        self._subnet = subnet
        self.canister_id = canister_id
        self.now_ns = 0
        self._certify = certify
        self._on_print = on_print
        self._on_call = on_call
        self._installed: _Installed | None = None
        self.run_code: RunCode = run_unwatched

    @property
    def certified_data(self) -> bytes:
        """At most 32 bytes; empty if the canister has set none."""
        return b"" if self._installed is None else self._installed.system.certified_data

    @property
    def candid_interface(self) -> str:
        """The .did text of the installed code; empty without code."""
        code = None if self._installed is None else self._installed.code
        return "" if code is None else code.candid_interface

    @property
    def next_timer_ns(self) -> int | None:
        """When to call advance() (ns since the epoch); None if no timer is set."""
        return None if self._installed is None else self._installed.system.alarms.next_ns

    def install(
        self, factory: CanisterFactory, *, now_ns: int, controller: Principal = Principal.MANAGEMENT
    ) -> Outcome:
        """Install code and call its init. After a Reject everything is as before."""
        return self._install(factory, now_ns, controller, b"")

    def upgrade(
        self, factory: CanisterFactory, *, now_ns: int, controller: Principal = Principal.MANAGEMENT
    ) -> Outcome:
        """Replace the code. Memory and timers are lost; certified data stays until the new code sets it.

        What `Upgradable` code keeps is given to the new code. After a Reject everything is as before; without code
        there is nothing to upgrade.
        """
        self.advance(now_ns)
        before = self._installed
        if before is None:
            return self._reject("IC0537", "the canister contains no code to upgrade")
        kept: list[Any] = []
        code: object = before.code
        if isinstance(code, Upgradable):

            def body() -> bytes:
                kept.append(code.pre_upgrade())
                return b""

            outcome = self._execute(before, "install", controller, body)
            if isinstance(outcome, Reject):
                return outcome
        outcome = self._install(factory, now_ns, controller, self.certified_data, [*kept, None][:1])
        if isinstance(outcome, Reject) and kept:
            before.roll_back()
        return outcome

    def uninstall(self) -> None:
        """Remove the code, its memory, timers and certified data."""
        self._installed = None

    def inspect(self, method: str, arg: bytes, *, caller: Principal, now_ns: int) -> Reject | None:
        """Ask the code whether it accepts a call from outside. None: it does, or does not look."""
        installed = self._installed
        # isinstance(code, Inspecting) would take 11 µs for each call
        inspect_message = None if installed is None else getattr(installed.code, "inspect_message", None)
        if installed is None or inspect_message is None:
            return None
        self.resume(now_ns)
        accepts: list[bool] = []

        def body() -> bytes:
            accepts.append(inspect_message(method, arg))
            return b""

        outcome = self._execute(installed, "query", caller, body)
        if isinstance(outcome, Reject):
            return outcome
        return None if accepts[0] else self._reject("IC0516", "Canister rejected the message", code=CANISTER_REJECT)

    def update(self, method: str, arg: bytes, *, caller: Principal, now_ns: int) -> Outcome:
        """Make an update call, after the timers that are due by ``now_ns``."""
        self.advance(now_ns)
        return self._run("update", caller, lambda code: code.update(method, arg))

    def query(self, method: str, arg: bytes, *, caller: Principal, now_ns: int) -> Outcome:
        """Make a query call, after the timers that are due by ``now_ns``. It changes nothing."""
        self.advance(now_ns)
        return self._run("query", caller, lambda code: code.query(method, arg))

    def look(self, method: str, arg: bytes, *, caller: Principal, now_ns: int) -> Outcome:
        """Make a query call whose answer nobody verifies. Its certificate is empty, because signing costs much."""
        installed = self._installed
        if installed is None:
            return self.query(method, arg, caller=caller, now_ns=now_ns)
        with installed.system.without_signing():
            return self.query(method, arg, caller=caller, now_ns=now_ns)

    def advance(self, now_ns: int) -> list[TimerRun]:
        """Advance the time to ``now_ns``. Every timer due by then goes off at its due time, in that order."""
        runs = []
        installed = self._installed
        while installed is not None:
            alarm = installed.system.alarms.take(now_ns, served_ns=self.now_ns)
            if alarm is None:
                break
            self.now_ns = max(self.now_ns, alarm.due_ns)
            reject = self._run_timer(installed, alarm.callback)
            runs.append(TimerRun(self.now_ns, reject))
        self.now_ns = max(self.now_ns, now_ns)
        return runs

    def resume(self, now_ns: int) -> None:
        """Advance the time without running anything. Timers that fell due go off late, at ``now_ns``."""
        self.now_ns = max(self.now_ns, now_ns)

    def _run_timer(self, installed: _Installed, callback: Callable[[], None]) -> Reject | None:
        def body() -> bytes:
            callback()
            return b""

        outcome = self._execute(installed, "timer", self.canister_id, body)
        if isinstance(outcome, Reply):
            return None
        installed.system.print(f"in a timer: {outcome.text}")
        return outcome

    def _install(
        self,
        factory: CanisterFactory,
        now_ns: int,
        controller: Principal,
        certified_data: bytes,
        kept: list[Any] | None = None,
    ) -> Outcome:
        """Install code. ``kept`` is None for a first installation, else it has what the code before has kept."""
        self.now_ns = max(self.now_ns, now_ns)
        system = System(
            self.canister_id,
            certified_data=certified_data,
            certify=self._certify,
            on_print=self._on_print,
            on_call=self._call,
            subnet=self._subnet,
        )
        installed = _Installed(system)

        def body() -> bytes:
            code = factory(system)
            installed.code = code
            if kept is not None and isinstance(code, Upgradable):
                code.post_upgrade(kept[0])
            else:
                code.init()
            return b""

        outcome = self._execute(installed, "install", controller, body)
        if isinstance(outcome, Reply):
            self._installed = installed
        return outcome

    def _run(self, kind: CallKind, caller: Principal, body: Callable[[CanisterCode], bytes]) -> Outcome:
        installed = self._installed
        if installed is None or installed.code is None:
            return self._reject("IC0537", "the canister contains no code")
        code = installed.code
        return self._execute(installed, kind, caller, lambda: body(code))

    def _execute(self, installed: _Installed, kind: CallKind, caller: Principal, body: Callable[[], bytes]) -> Outcome:
        """Execute one message. A trap undoes its changes since the last commit point, a query's are always undone."""
        interrupted = installed.system.enter(kind, caller, self.now_ns)
        installed.depth += 1
        try:
            return self._outcome(installed, kind, body)
        finally:
            installed.depth -= 1
            if installed.depth:  # the canister called itself
                installed.system.enter(*interrupted)

    def _outcome(self, installed: _Installed, kind: CallKind, body: Callable[[], bytes]) -> Outcome:
        installed.save()
        try:
            data = self.run_code(f"a canister's {kind}", body)
        except MethodNotFound as error:
            installed.roll_back()
            return self._reject("IC0536", str(error))
        except CallRejected as error:
            if error.undoes or kind == "query":
                installed.roll_back()
            return Reject(error.code, str(error), error.error_code)
        except Exception as error:  # noqa: BLE001 -- any exception of a canister's code is a trap; the cause is kept
            installed.roll_back()
            return self._trapped(error, passed_on=installed.has_committed)
        if kind == "query" or len(data) > MAX_REPLY_BYTES:
            installed.roll_back()
        if len(data) > MAX_REPLY_BYTES:
            return self._reject("IC0504", f"a reply of {len(data)} bytes is larger than {MAX_REPLY_BYTES}")
        return Reply(data)

    def _call(self, kind: CallKind, callee: Principal, method: str, arg: bytes) -> Outcome:
        """Make a call of this canister."""
        is_query = kind == "query"
        if callee == self.canister_id:
            if is_query:
                return self._run("query", callee, lambda code: code.query(method, arg))
            return self._run("update", callee, lambda code: code.update(method, arg))
        if self._on_call is None:
            return canister_not_found(callee)
        return self._on_call(callee, method, arg, is_query)

    def _trapped(self, error: Exception, *, passed_on: bool) -> Reject:
        cause = None if isinstance(error, Trap) else error
        text = str(error) if cause is None else f"{type(error).__name__}: {error}"
        trapped = f"Canister called `ic0.trap` with message: '{text}'"
        if not passed_on:
            return self._reject("IC0503", trapped, cause=cause)
        return self._reject("IC0406", f"IC0503: {trapped}", code=CANISTER_REJECT, cause=cause)

    def _reject(
        self, error_code: str, text: str, *, code: int = CANISTER_ERROR, cause: Exception | None = None
    ) -> Reject:
        return Reject(code, f"Error from Canister {self.canister_id}: {text}", error_code, cause)
