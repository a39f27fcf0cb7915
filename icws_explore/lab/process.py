"""A lab in a process of its own, as ``Lab(process=True)`` makes it: its work is not done in the caller's interpreter.

Python runs one thread at a time in a process. A lab in the notebook's own process therefore shares one processor with
the sessions, the plots and the cells. In a process of its own it has one to itself.

The process is Python with `main` of this module. It makes a `Lab` and answers questions, one after the other: it reads
them from stdin and writes the answers to stdout. A question is the name of a property or a method of `Lab` with its
arguments; an answer is what that gave or raised. Events of the lab come in between, once somebody listens. All of it is
pickled by cloudpickle, which can send an app that was written in a notebook's cell. Both ends are ours: a client or a
canister can put text into an event, but nothing that is unpickled.

The process ends when its stdin does, and so however its parent ends. What an app prints goes to stderr. Both processes
read the same clock of the machine, so a scaled clock is sent once and then tells the same time on both sides.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import IO, Any, Final, Self

import cloudpickle

from icws_explore.protocol.errors import ArgumentValueError, LabError

from .lab import START_TIMEOUT_S, STOP_TIMEOUT_S, Lab
from .log import LabEvent

_Answer = tuple[int, bool, bytes]  # the number of the question, whether this is an exception, and it, pickled

LOST: Final = "lost"  # the kind of the event that tells that the process has ended by itself
MAX_WAITING: Final = 10_000  # events that wait to be written; further ones are dropped
# What cannot be sent raises one of these.
_UNSENT: Final = (pickle.PicklingError, TypeError, AttributeError, RecursionError)
_ANSWER_S: Final = START_TIMEOUT_S + STOP_TIMEOUT_S  # real seconds; the lab itself gives up before
_LEAVE_S: Final = 1.0  # real seconds in which the process leaves after the lab has stopped
_RUN: Final = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer)\nfrom icws_explore.lab.process import main; main()"
)
# Members of `Lab` that the process is asked for.
_PROPERTIES: Final = (
    "app_did", "canister_id", "events", "gateway_principal", "gateway_url", "network_url", "root_key", "sightings",
)  # fmt: skip
_METHODS: Final = (
    "add_canister", "begin", "canister", "reinstall", "start_canister", "stop_canister", "uninstall", "upgrade",
)  # fmt: skip
# Members of `Lab` that hand out its parts, which live in the process, or that change its clock.
_ELSEWHERE: Final = (
    "add_gateway", "breakpoints", "canisters", "control", "faults", "gateways", "hold", "pause", "point_gateway",
    "remove_gateway", "resume", "run_until", "step",
)  # fmt: skip


class ProcessLab(Lab):
    """A `Lab` whose parts run in a process of their own. Start, stop and use it as one in this process.

    Its faults are those that it was made with, and its clock cannot be paused or stepped: what needs an object of the
    lab's own process raises LabError. A tap in front of it has breakpoints and switches for faults.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.options.paused:
            raise ArgumentValueError("a lab in a process of its own cannot be paused: leave out paused or process")
        self._arguments = args, kwargs | {"process": False}
        self._child: _Child | None = None

    def start(self) -> Self:
        if self._child is None:
            child = _Child(self._log.add, self._lost)
            try:
                self._clock = child.ask("start", *self._arguments)
            except BaseException:
                child.end()
                raise
            self._child = child
        return self

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is not None and not child.end():
            raise LabError(f"the lab's process did not end in {STOP_TIMEOUT_S:g} s, and was killed")

    @property
    def running(self) -> bool:
        return self._child is not None

    def listen(self, listener: Callable[[LabEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with every further event, in a thread. Returns a function that stops this."""
        self._ask("listen")
        return super().listen(listener)

    def describe(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = self._ask("describe") if self.running else super().describe()
        return [*found, ("process", "its own")]

    def _lost(self, code: int | None) -> None:
        """The process has ended, and nobody here asked it to. Runs in the thread that reads from it."""
        text = f"the lab's process {_end_of(code)}: its sessions have broken off"
        self._log.add(LabEvent(self._clock.now_ns(), "lab", LOST, text))

    def _ask(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if self._child is None:
            raise LabError("the lab is not running; call start() first")
        return self._child.ask(name, *args, **kwargs)


def _asked(name: str) -> Callable[..., Any]:
    def ask(self: ProcessLab, *args: Any, **kwargs: Any) -> Any:
        return self._ask(name, *args, **kwargs)

    ask.__name__, ask.__doc__ = name, getattr(Lab, name).__doc__
    return ask


def _refused(name: str) -> Callable[..., Any]:
    def refuse(_self: ProcessLab, *_args: Any, **_kwargs: Any) -> Any:
        raise LabError(f"{name} needs a lab in this process: make it without process=True, or put a tap in front of it")

    return refuse


for _name in _PROPERTIES:
    setattr(ProcessLab, _name, property(_asked(_name)))
for _name in _METHODS:
    setattr(ProcessLab, _name, _asked(_name))
for _name in _ELSEWHERE:
    setattr(ProcessLab, _name, property(_refused(_name)))


class _Child:
    """The process, as its parent sees it. In a thread, ``heard`` is called with each event of the lab, and ``lost``
    with the exit code, if known, when the process ends before `end` is called.
    """

    def __init__(self, heard: Callable[[LabEvent], None], lost: Callable[[int | None], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._is_ending = False
        self._answers: SimpleQueue[_Answer | None] = SimpleQueue()  # None: there are no more
        self._asked = 0
        self._lock = threading.Lock()
        # Ctrl-C in a terminal reaches all processes of the command: this one ends when its parent says so.
        self._process = subprocess.Popen(  # noqa: S603  # this Python with this module
            [sys.executable, "-c", _RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._write(pickle.dumps(sys.path))
        self._reader = threading.Thread(target=self._read, name="icws-lab-process", daemon=True)
        self._reader.start()

    def ask(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """What the lab's property gives, or what its method returns. Raises what that raises, and LabError."""
        with self._lock:
            self._asked += 1
            try:
                asked = cloudpickle.dumps((args, kwargs))
            except _UNSENT as error:
                raise LabError(f"{name}: this cannot be sent to the lab's process: {error}") from error
            self._write(pickle.dumps((self._asked, name, asked)))
            number = 0
            while number != self._asked:  # an earlier answer may have come too late
                number, is_raised, said = self._next_answer()
        value = _received(said)
        if is_raised:
            raise value
        return value

    def end(self) -> bool:
        """End the process; False if it had to be killed. Twice is once."""
        assert self._process.stdin is not None
        self._is_ending = True
        with contextlib.suppress(BrokenPipeError):  # it has ended, and a question was not read
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S + _LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        finally:
            self._reader.join()
        return True

    def _next_answer(self) -> _Answer:
        try:
            answer = self._answers.get(timeout=_ANSWER_S)
        except Empty:
            raise LabError(f"the lab's process did not answer within {_ANSWER_S:g} s") from None
        if answer is None:
            self._answers.put(None)  # for the next question
            raise LabError("the lab's process has ended; stop the lab, and start it again")
        return answer

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:  # ValueError: it is closed
            raise LabError("the lab's process has ended; stop the lab, and start it again") from error

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as stream:
                while True:
                    said = pickle.load(stream)  # noqa: S301  # our own process wrote it
                    if isinstance(said, LabEvent):
                        self._heard(said)
                    else:
                        self._answers.put(said)
        except (EOFError, pickle.UnpicklingError):  # it has ended, perhaps in the middle of an answer
            pass
        finally:
            self._answers.put(None)
        if not self._is_ending:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it has closed its stdout, but not ended
                self._process.wait(_LEAVE_S)
            self._lost(self._process.returncode)


def _end_of(code: int | None) -> str:
    """What became of a process, by its exit code."""
    if code is None:
        return "does not answer any more"
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if code == -signal.SIGKILL else "")


def _received(data: bytes) -> Any:
    """Unpickle what the other process sent. Raises LabError if it needs a module that is not here."""
    try:
        return pickle.loads(data)  # noqa: S301  # our own process wrote it
    except (pickle.UnpicklingError, AttributeError, ImportError) as error:
        raise LabError(f"what the other process sent cannot be read here: {error}") from error


def main() -> None:
    """The lab's process: answer questions from stdin until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    said: SimpleQueue[_Answer | LabEvent | None] = SimpleQueue()
    writer = threading.Thread(target=_write_all, args=(said, answers), name="icws-lab-answers", daemon=True)
    writer.start()
    answering = _Answering(said)
    try:
        with contextlib.suppress(EOFError):
            while True:
                number, name, asked = pickle.load(questions)  # noqa: S301  # our own parent wrote it
                said.put((number, *answering.answer(name, asked)))
    finally:
        answering.stop()
        said.put(None)
        writer.join(_LEAVE_S)


class _Answering:
    """The lab in its own process."""

    def __init__(self, said: SimpleQueue[_Answer | LabEvent | None]) -> None:
        self._said = said
        self._lab: Lab | None = None
        self._is_heard = False

    def answer(self, name: str, asked: bytes) -> tuple[bool, bytes]:
        """Whether the answer is an exception, and the answer, pickled."""
        try:
            args, kwargs = _received(asked)
            return False, cloudpickle.dumps(self._value(name, args, kwargs))
        except Exception as error:  # noqa: BLE001  # the parent raises it
            try:
                return True, cloudpickle.dumps(error)
            except _UNSENT:
                return True, cloudpickle.dumps(LabError(f"{type(error).__name__}: {error}"))

    def stop(self) -> None:
        if self._lab is not None:
            self._lab.stop()

    def _value(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._lab is None:
            made, options = args
            self._lab = Lab(*made, **options)
            return self._lab.start().clock
        if name == "listen":
            if not self._is_heard:
                self._lab.listen(self._tell)
            self._is_heard = True
            return None
        value = getattr(self._lab, name)
        return value(*args, **kwargs) if name in _METHODS or name == "describe" else value

    def _tell(self, event: LabEvent) -> None:
        if self._said.qsize() < MAX_WAITING:
            self._said.put(event)


def _write_all(said: SimpleQueue[_Answer | LabEvent | None], stream: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent has ended
        while (each := said.get()) is not None:
            stream.write(pickle.dumps(each))
            stream.flush()
