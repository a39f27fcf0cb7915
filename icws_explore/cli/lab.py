"""`icws lab`: the embedded network until interrupted, or one of its faults played to its end.

`icws lab` without its options: a lab that runs until it is interrupted and says what happens in it.

`icws lab --fault` without its options: a scenario over real sockets, told while it happens.

What the lab's parts saw and what passed at the clients are told together, by protocol time. Application
messages are left out, for most scenarios are full of them; the recording has them.
"""

from __future__ import annotations

import json
import queue
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from icws_explore.analysis.decode import decode_frame
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Frame
from icws_explore.lab import Lab
from icws_explore.lab.apps import APPS
from icws_explore.lab.log import LabEvent
from icws_explore.lab.scenarios import Scenario
from icws_explore.live.tap import Tap
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import CaptureError

from .console import json_line, note, printable
from .faults import as_faults, fault_names, list_faults, only_with
from .options import force, keep_recording

_Done = None  # what the queue holds when it is time to end


def run_lab(lab: Lab, *, as_json: bool, write: Callable[[str], None] | None = None) -> None:
    """Start ``lab``, say where it is, then what happens in it, until SIGINT or SIGTERM; end it cleanly.

    With ``as_json`` the first line is ``{"ready": true, "gateway_url", …}`` and every event one line
    more. ``write`` takes a line without its end (default: stdout, flushed). Call it from the main
    thread, which signals go to. Raises LabError when the lab cannot start.
    """
    write = write or _write_stdout
    events: queue.SimpleQueue[LabEvent | None] = queue.SimpleQueue()
    with _until_signal(lambda: events.put(_Done)), lab:
        end_listening = lab.listen(events.put)
        try:
            for line in [json.dumps(ready(lab))] if as_json else summary(lab):
                write(line)
            while (event := _next(events)) is not None:
                write(json.dumps(event.as_json()) if as_json else str(event))
        finally:
            end_listening()


def ready(lab: Lab) -> dict[str, Any]:
    """The first line of ``icws lab --json``."""
    return {
        "ready": True,
        "gateway_url": lab.gateway_url,
        "network_url": lab.network_url,
        "canister_id": str(lab.canister_id),
        "root_key": lab.root_key.hex(),
        "gateway_principal": str(lab.gateway_principal),
    }


def summary(lab: Lab) -> Iterator[str]:
    """What the lab is, for a person, and the command to connect to it."""
    from icws_explore.views.facts import lab_facts
    from icws_explore.views.text import facts_lines

    for line in facts_lines([fact for fact in lab_facts(lab) if fact.name != "running"]):
        yield line.plain
    if lab.clock.scale != 1:
        yield "A client on the real clock, such as `icws open`, cannot keep up with this clock."
    yield ""
    yield f"icws open {lab.gateway_url} --network {lab.network_url} --canister {lab.canister_id}"
    yield "Press Ctrl-C to stop the lab."
    yield ""


def _write_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _next(events: queue.SimpleQueue[LabEvent | None]) -> LabEvent | None:
    # A wait without an end would not let Python run its signal handlers on every platform.
    while True:
        try:
            return events.get(timeout=1.0)
        except queue.Empty:
            continue


@contextmanager
def _until_signal(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call ``on_signal`` at SIGINT and SIGTERM, and give the handlers back afterwards."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        on_signal()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


Write = Callable[[str], None]
_LEFT_OUT: Final = ("message", "app")
_SLOW_POLL: Final = "Polling messages took too long"  # what a scaled clock makes of a busy machine


@dataclass(frozen=True, slots=True)
class _Told:
    """What waits to be printed: lines, when they happened, and how."""

    t_ns: int
    text: str
    fields: dict[str, Any]


def play_fault(
    scenario: Scenario, *, write: Write, as_json: bool = False, time_scale: float | None = None, seed: int | None = None
) -> Recording:
    """Play it, and ``write`` a line for each thing that happens; gives the recording.

    With ``as_json`` the first line is that of ``icws lab --json`` with "fault" and "about", and every
    other one an object. Raises LabError, and KeyboardInterrupt with nothing left running.
    """
    waiting: queue.SimpleQueue[_Told] = queue.SimpleQueue()

    def watch(lab: Lab, taps: Sequence[Tap]) -> None:
        for line in _head(scenario, lab, as_json=as_json):
            write(line)
        lab.listen(lambda event: _put_event(waiting, event))
        for number, tap in enumerate(taps):
            tap.watch(_Clients(waiting, f"gateway {number + 1}, " if len(taps) > 1 else "").see)

    def tell(_part: float = 1.0) -> None:
        for told in sorted(_drained(waiting), key=lambda it: it.t_ns):
            write(json.dumps(told.fields, ensure_ascii=False) if as_json else told.text)

    try:
        recording = scenario.play(time_scale=time_scale, seed=seed, progress=tell, watch=watch)
    finally:
        tell()
    return recording


def _head(scenario: Scenario, lab: Lab, *, as_json: bool) -> Iterator[str]:
    if as_json:
        yield json.dumps(ready(lab) | {"fault": scenario.name, "about": scenario.about}, ensure_ascii=False)
        return
    duration_s = scenario.plan().duration_s
    yield f"{scenario.name}: {scenario.about}"
    took = duration_s / lab.clock.scale
    yield f"{duration_s:g} s of protocol time in about {took:.0f} s (× {lab.clock.scale:g})"
    yield ""


def _put_event(waiting: queue.SimpleQueue[_Told], event: LabEvent) -> None:
    is_usual = event.kind in ("received", "accepted") and event.text.startswith("ws_message")
    if not is_usual and not event.text.startswith(_SLOW_POLL):
        waiting.put(_Told(event.t_ns, str(event), event.as_json()))


class _Clients:
    """What passes at the clients of one tap, up to each session's first close."""

    def __init__(self, waiting: queue.SimpleQueue[_Told], gateway: str) -> None:
        self._waiting = waiting
        self._gateway = gateway
        self._ended: set[str | None] = set()

    def see(self, frame: Frame) -> None:
        """A frame, on the tap's own thread."""
        decoded = decode_frame(frame)
        if frame.is_http or frame.session in self._ended or decoded.kind in _LEFT_OUT:
            return
        kind, text = ("sent" if frame.direction == "out" else "received"), decoded.summary
        if frame.op == "close":
            self._ended.add(frame.session)
            kind = "closed"
        elif decoded.kind != "control":
            text = f"{decoded.kind.replace('_', '-')}: {text}"
        facts = {"session": frame.session, "kind": decoded.kind}
        event = LabEvent(
            round(frame.t * NS_PER_S), "client", kind, f"{self._gateway}session {frame.session}: {text}", facts
        )
        self._waiting.put(_Told(event.t_ns, str(event), event.as_json()))


def _drained(waiting: queue.SimpleQueue[_Told]) -> Iterator[_Told]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return


# What goes with --fault; of the lab itself everything else is the scenario's.
_WITH_FAULT = ("seed", "time_scale", "record", "force", "no_clients", "gateway_port", "replica_port", "as_json")


def _app_names(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    """What Tab offers: the examples, then files."""
    return [CompletionItem(name) for name in APPS if name.startswith(begun)] or [CompletionItem(begun, type="file")]


@click.command(
    "lab",
    epilog="""\b
Examples:
  icws lab
  icws lab --app chat --gateway-port 8080 --replica-port 4943
  icws lab --app my_app.py --ack-interval-ms 2000 --keep-alive-timeout-ms 1000 --json
  icws lab --list-faults
  icws lab --fault BODY_HASH --record body_hash.icws
  icws lab --fault POLLER_DEAD --no-clients

An app of your own is a Python file with MESSAGE_TYPE (Candid), on_open, on_message and on_close.
Clients want the real clock, `icws open` too: rather than scaling time, shorten the intervals for
them. In Python, icws.connect(lab) goes by the lab's clock.

\b
The lab accepts programs and pages of this machine (http://localhost:3000).
It refuses other pages that are open in a browser here, because it runs your
code. Accept a page with --allow-origin https://dapp.example.

--fault plays a scenario over real sockets, with its own clients and time × 60: what happens is told
as it happens, then what the doctor makes of the recording. Exit 1 if the doctor does not name it.
With --no-clients only the faulty lab is there, at the real clock, for a client of your own.
""",
)
@click.option(
    "--app",
    default="pingpong",
    show_default=True,
    metavar="NAME|FILE.py",
    shell_complete=_app_names,
    help=f"{', '.join(APPS)}, or a file.",
)
@click.option("--ack-interval-ms", type=click.IntRange(1), default=300_000, show_default=True, metavar="N")
@click.option("--keep-alive-timeout-ms", type=click.IntRange(1), metavar="N", help="Default: twice the latency bound.")
@click.option("--latency-bound-ms", type=click.IntRange(1), default=30_000, show_default=True, metavar="N")
@click.option("--poll-interval-ms", type=click.IntRange(1), default=100, show_default=True, metavar="N")
@click.option(
    "--time-scale", type=click.FloatRange(0.001, 10_000), metavar="X", help="Default: 1; the scenario's with --fault."
)
@click.option("--gateways", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="How many.")
@click.option("--gateway-port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Default: a free one.")
@click.option("--replica-port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Default: a free one.")
@click.option("--allow-origin", multiple=True, metavar="ORIGIN", help="Accept pages from there (* for any).")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Accept this name of the lab (* for any).")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=as_faults,
    shell_complete=fault_names,
    metavar="NAME",
    help="Play that fault; several in turn.",
)
@click.option("--list-faults", "listed", is_flag=True, help="Say what each fault is and how it ends.")
@click.option("--record", type=click.Path(dir_okay=False), metavar="FILE", help="Keep the recording of a --fault.")
@force
@click.option("--no-clients", is_flag=True, help="Only start the lab of a --fault, for a client of your own.")
@click.option("--seed", type=int, metavar="N", help="The same keys and ids every time.")
@click.option("--json", "as_json", is_flag=True, help="A first line that says where it is, then a line an event.")
def command(
    app: str,
    ack_interval_ms: int,
    keep_alive_timeout_ms: int | None,
    latency_bound_ms: int,
    poll_interval_ms: int,
    time_scale: float | None,
    gateways: int,
    gateway_port: int,
    replica_port: int,
    allow_origin: tuple[str, ...],
    allow_host: tuple[str, ...],
    faults: tuple[Scenario, ...],
    listed: bool,
    record: str | None,
    force: bool,
    no_clients: bool,
    seed: int | None,
    as_json: bool,
) -> int:
    """Run a replica, a canister and a gateway on loopback until Ctrl-C, or play what can go wrong in them."""
    if listed:
        list_faults(as_json=as_json)
        return 0
    if faults:
        only_with("--fault", *_WITH_FAULT)
        keep_recording(record, forced=force)
        if no_clients:
            ports = {"gateway_port": gateway_port, "replica_port": replica_port}
            return _faulty_lab(faults, record, as_json, time_scale=time_scale or 1.0, seed=seed, **ports)
        return _play(faults, record, time_scale, seed, as_json)
    if record is not None or no_clients:
        raise click.UsageError("--record and --no-clients go with --fault (icws tap records the sessions of a lab)")
    lab = Lab(
        app,
        ack_interval_ms=ack_interval_ms,
        keep_alive_timeout_ms=keep_alive_timeout_ms,
        latency_bound_ms=latency_bound_ms,
        poll_interval_ms=poll_interval_ms,
        time_scale=time_scale or 1.0,
        gateways=gateways,
        gateway_port=gateway_port,
        replica_port=replica_port,
        seed=seed,
        allow_origins=allow_origin,
        allow_hosts=allow_host,
    )
    run_lab(lab, as_json=as_json)
    return 0


def _faulty_lab(faults: tuple[Scenario, ...], record: str | None, as_json: bool, **options: float | None) -> int:
    if len(faults) > 1 or record is not None:
        raise click.UsageError("--no-clients starts the lab of one fault, and records nothing (icws tap does)")
    (fault,) = faults
    note(f"{fault.name}: {fault.about}")
    note("of this, what canister, gateways and network do happens here; what its clients do is your client's part")
    plan = fault.plan()
    within_s = plan.duration_s / (options["time_scale"] or 1.0)
    note(f"what has its time happens within {within_s:.3g} s from now: stay connected")
    run_lab(plan.lab(**options), as_json=as_json)
    return 0


def _play(
    faults: tuple[Scenario, ...], record: str | None, time_scale: float | None, seed: int | None, as_json: bool
) -> int:
    """Exit code 1 where the doctor does not name each by its own rule."""
    from icws_explore.analysis.doctor import examine
    from icws_explore.analysis.replay.text import replay_json, replay_lines

    from .findings import print_findings

    if record is not None and len(faults) > 1:
        raise click.UsageError("--record goes with one --fault: each makes a recording of its own")
    if record is not None and not Path(record).resolve().parent.is_dir():
        raise CaptureError(f"cannot write {record}: there is no such folder")
    are_named = True
    for number, fault in enumerate(faults):
        if number and not as_json:
            click.echo("")
        try:
            recording = play_fault(fault, write=_write, as_json=as_json, time_scale=time_scale, seed=seed)
        except KeyboardInterrupt:
            if record is not None:
                note(f"interrupted before its end: {record} is not written")
            raise
        saved = None if record is None else str(recording.save(record))
        findings, replays = examine(recording.raw)
        are_named = are_named and fault.name in findings.ids
        if as_json:
            told = {"findings": [it.to_json() for it in findings], "replay": [replay_json(it) for it in replays]}
            json_line({"fault": fault.name, "named": fault.name in findings.ids, "file": saved, **told})
            continue
        click.echo("")
        for text in recording.notes:
            note(text)
        print_findings(findings, replay_lines(replays))
        if saved is not None:
            click.echo(f"recorded in {saved}, {len(recording)} frames; next: icws report {saved}")
    return 0 if are_named else 1


def _write(line: str) -> None:
    click.echo(printable(line))
    sys.stdout.flush()
