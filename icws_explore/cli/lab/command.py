"""`icws lab`: runs an embedded network until it is interrupted, or plays a fault over real sockets.

`run_lab` runs a lab, prints its events, and does with the canister what is typed into its terminal. `play_fault` plays
a scenario and prints the lab's events and the clients' frames together, in the order of protocol time. It leaves
application messages out, because most scenarios contain many of them. The recording has them all.
"""

from __future__ import annotations

import json
import queue
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

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
from icws_explore.protocol.canister.app import App
from icws_explore.protocol.constants import ACK_INTERVAL_MS, LATENCY_BOUND_MS, POLL_INTERVAL_MS
from icws_explore.protocol.errors import CaptureError, LabError

from ..console import at_signals, json_line, leaving, note, printable, settle, width
from ..faults import as_faults, fault_names, list_faults, only_with
from ..options import compiled_canister, force, keep_recording, own_canister
from .events import ORDERS, Events, Orders, Workers, unstopped


def run_lab(
    lab: Lab,
    *,
    as_json: bool,
    write: Callable[[str], None] | None = None,
    recorder: Callable[[Lab], Tap] | None = None,
    build: Callable[[], App] | None = None,
    others: Callable[[Lab], Sequence[Lab]] = lambda _lab: (),
) -> None:
    """Start ``lab`` and print its addresses and its events, until SIGINT or SIGTERM. Then stop it.

    With ``as_json``, the first line is ``{"ready": true, "gateway_url": …}``, and each event is one more line.
    ``write`` takes a line without its line feed; by default it writes to stdout and flushes. ``recorder`` makes the tap
    that records the lab's sessions; clients connect to it. ``build`` makes the app to which an upgrade goes; None: the
    same code. ``others`` makes more labs that share the port of the first one's gateway, once that runs. Events that a
    slow output cannot keep up with are left out and counted. Call this from the main thread, which receives the
    signals. Raises LabError if the lab cannot start.
    """
    write = write or _write_stdout
    events = Events()
    with ExitStack() as stack:
        stack.enter_context(at_signals(events.end))
        stack.enter_context(unstopped())
        stack.enter_context(leaving(0))
        labs = [stack.enter_context(lab)]
        labs += [stack.enter_context(other) for other in others(lab)]
        tap = None if recorder is None else stack.enter_context(recorder(lab))
        if tap is not None:
            stack.callback(tap.watch(lambda _frame: None, notes=events.put))
        workers = Workers(labs, events)
        for each in labs:
            stack.callback(each.listen(partial(workers.tell, each)))
        settle()
        url = lab.gateway_url if tap is None else tap.url
        several = {"workers": len(labs)} if len(labs) > 1 else {}
        for line in [json.dumps(ready(lab, url) | several)] if as_json else summary(lab, url, len(labs)):
            write(line)
        Orders(workers.alive, build, events.put).start()
        while (event := events.next()) is not None:
            if isinstance(event, str):
                note(event)
            else:
                write(json.dumps(event.as_json()) if as_json else str(event))
        if events.left_out:
            note(f"{events.left_out} events were not shown, because the output was too slow")
        if not workers.alive:
            raise LabError("no process of the lab is left")


def ready(lab: Lab, gateway_url: str | None = None) -> dict[str, Any]:
    """The first line of ``icws lab --json``. ``gateway_url`` is where clients connect, if a tap records the lab."""
    return {
        "ready": True,
        "gateway_url": gateway_url or lab.gateway_url,
        "network_url": lab.network_url,
        "canister_id": str(lab.canister_id),
        "root_key": lab.root_key.hex(),
        "gateway_principal": str(lab.gateway_principal),
    }


def summary(lab: Lab, gateway_url: str | None = None, workers: int = 1) -> Iterator[str]:
    """The lab's facts as lines of text, and the command that connects to it.

    ``gateway_url`` is where clients connect if a tap records the lab: it is then named in place of the gateway.
    ``workers`` is the number of labs that share the gateway's port.
    """
    from icws_explore.views.facts import Fact, lab_facts
    from icws_explore.views.text import facts_lines

    facts = [fact for fact in lab_facts(lab) if fact.name != "running"]
    if gateway_url not in (None, lab.gateway_url):
        place = next(place for place, fact in enumerate(facts) if fact.name == "gateway")
        facts[place] = replace(facts[place], name="behind it")
        facts.insert(place, Fact("gateway", f"{gateway_url} (recorded)"))
    for line in facts_lines(facts, width=width()):
        yield line.plain
    if lab.clock.scale != 1:
        yield "A client on the real clock, such as `icws open`, cannot keep up with this clock."
    if workers > 1:
        yield f"{workers} processes share the gateway's address. Each has a canister of its own, so that"
        yield "a client meets only those that the system sent to the same process."
    yield ""
    yield f"icws open {gateway_url or lab.gateway_url} --network {lab.network_url} --canister {lab.canister_id}"
    if sys.stdin is not None and sys.stdin.isatty():
        yield f"Type {', '.join(ORDERS[:-1])} or {ORDERS[-1]}, and Enter, to do this with the canister."
    yield "Press Ctrl-C to stop the lab."
    yield ""


def _write_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


Write = Callable[[str], None]
_LEFT_OUT: Final = ("message", "app")
_SLOW_POLL: Final = "Polling messages took too long"  # frequent on a scaled clock and a busy machine


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that waits to be printed: the time of what happened (ns), its text, and the same as JSON."""

    t_ns: int
    text: str
    fields: dict[str, Any]


def play_fault(
    scenario: Scenario, *, write: Write, as_json: bool = False, time_scale: float | None = None, seed: int | None = None
) -> Recording:
    """Play ``scenario``, ``write`` a line for each event, and return the recording.

    With ``as_json``, each line is a JSON object. The first one is that of ``icws lab --json`` with "fault" and "about"
    added. Raises LabError. Stops everything and raises KeyboardInterrupt when it is interrupted.
    """
    waiting: queue.SimpleQueue[_Line] = queue.SimpleQueue()

    def watch(lab: Lab, taps: Sequence[Tap]) -> None:
        for line in _head(scenario, lab, as_json=as_json):
            write(line)
        lab.listen(lambda event: _put_event(waiting, event))
        for number, tap in enumerate(taps):
            tap.watch(_Clients(waiting, f"gateway {number + 1}, " if len(taps) > 1 else "").see)

    def write_waiting(_part: float = 1.0) -> None:
        for line in sorted(_drained(waiting), key=lambda line: line.t_ns):
            write(json.dumps(line.fields, ensure_ascii=False) if as_json else line.text)

    try:
        recording = scenario.play(time_scale=time_scale, seed=seed, progress=write_waiting, watch=watch)
    finally:
        write_waiting()
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


def _put_event(waiting: queue.SimpleQueue[_Line], event: LabEvent) -> None:
    is_usual = event.kind in ("received", "accepted") and event.text.startswith("ws_message")
    if not is_usual and not event.text.startswith(_SLOW_POLL):
        waiting.put(_Line(event.t_ns, str(event), event.as_json()))


class _Clients:
    """Collects the frames that one tap records, up to the first close of each session."""

    def __init__(self, waiting: queue.SimpleQueue[_Line], gateway: str) -> None:
        self._waiting = waiting
        self._gateway = gateway
        self._ended: set[str | None] = set()

    def see(self, frame: Frame) -> None:
        """Collect a frame. The tap calls this on its own thread."""
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
        event = LabEvent(frame.t_ns, "client", kind, f"{self._gateway}session {frame.session}: {text}", facts)
        self._waiting.put(_Line(event.t_ns, str(event), event.as_json()))


def _drained(waiting: queue.SimpleQueue[_Line]) -> Iterator[_Line]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return


# The options that may be used with --fault. The scenario defines all others.
_WITH_FAULT = ("seed", "time_scale", "record", "force", "no_clients", "gateway_port", "replica_port", "as_json")


def _app_names(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    """The completions for ``--app``: the example apps, or files if no app's name begins so."""
    return [CompletionItem(name) for name in APPS if name.startswith(begun)] or [CompletionItem(begun, type="file")]


@click.command(
    "lab",
    epilog="""\b
Examples:
  icws lab
  icws lab --app chat --gateway-port 8080 --replica-port 4943
  icws lab --record sessions.icws
  icws lab --app echo --workers 2   # for hundreds of sessions, such as those of icws load
  icws lab --app my_app.py --ack-interval-ms 2000 --keep-alive-timeout-ms 1000 --json
  icws lab --wasm my_canister.wasm --init "(record { limit = 5 })"
  icws lab --list-faults
  icws lab --fault BODY_HASH --record body_hash.icws
  icws lab --fault POLLER_DEAD --no-clients

While the lab runs, type upgrade, reinstall, stop, start or uninstall, and Enter, to do this with its
canister. For your own canister, upgrade and reinstall take the .wasm file as it is then.

To run your own app, write a Python file with MESSAGE_TYPE (Candid), on_open, on_message and on_close.
To run your own canister, give the .wasm file that your build makes: --wasm. Its CDK has its own intervals.
If they are not the defaults, tell the lab with --ack-interval-ms.

Most clients use the real clock, and so does `icws open`. For these clients, shorten the intervals instead
of scaling time. In Python, icws.connect(lab) uses the lab's clock.

\b
The lab accepts programs and pages of this machine (http://localhost:3000).
It refuses other pages that are open in a browser here, because it runs your
code. Accept a page with --allow-origin https://dapp.example.

--fault plays a scenario over real sockets with the scenario's own clients, at 60 times the speed. It prints
what happens, and then what the doctor finds in the recording. The exit code is 1 if the doctor does not
name the fault. With --no-clients, only the faulty lab runs, on the real clock, for your own client.
""",
)
@click.option(
    "--app",
    default="pingpong",
    show_default=True,
    metavar="NAME|FILE.py",
    shell_complete=_app_names,
    help=f"The app of the canister: {', '.join(APPS)} or a file.",
)
@own_canister
@click.option(
    "--ack-interval-ms",
    type=click.IntRange(1),
    default=ACK_INTERVAL_MS,
    show_default=True,
    metavar="N",
    help="The canister's ack interval.",
)
@click.option(
    "--keep-alive-timeout-ms",
    type=click.IntRange(1),
    metavar="N",
    help="The canister's keep-alive time-out.  [default: twice the latency bound]",
)
@click.option(
    "--latency-bound-ms",
    type=click.IntRange(1),
    default=LATENCY_BOUND_MS,
    show_default=True,
    metavar="N",
    help="The latency that both sides allow for.",
)
@click.option(
    "--poll-interval-ms",
    type=click.IntRange(1),
    default=POLL_INTERVAL_MS,
    show_default=True,
    metavar="N",
    help="The gateways' pause between polls.",
)
@click.option(
    "--time-scale",
    type=click.FloatRange(0.001, 10_000),
    metavar="X",
    help="How fast protocol time passes.  [default: 1, with --fault the scenario's]",
)
@click.option(
    "--gateways",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="How many gateways to run.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Run N labs, each in a process of its own, behind one gateway address.",
)
@click.option(
    "--gateway-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="The port of the first gateway.  [default: a free port]",
)
@click.option(
    "--replica-port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="The port of the replica.  [default: a free port]",
)
@click.option("--allow-origin", multiple=True, metavar="ORIGIN", help="Accept pages of this origin (* for any).")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Accept requests to this host name (* for any).")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=as_faults,
    shell_complete=fault_names,
    metavar="NAME",
    help="Play this fault. Several are played one after another.",
)
@click.option("--list-faults", "listed", is_flag=True, help="List all faults and what the SDK does about them.")
@click.option(
    "--record", type=click.Path(dir_okay=False), metavar="FILE", help="Write the sessions to FILE, frame by frame."
)
@force
@click.option("--no-clients", is_flag=True, help="With --fault: start only the faulty lab, for your own client.")
@click.option("--seed", type=int, metavar="N", help="Make the same keys and ids in every run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the addresses, then one per event.")
def command(
    app: str,
    wasm: str | None,
    did: str | None,
    init: str | None,
    ack_interval_ms: int,
    keep_alive_timeout_ms: int | None,
    latency_bound_ms: int,
    poll_interval_ms: int,
    time_scale: float | None,
    gateways: int,
    workers: int,
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
    """Run a replica, a canister and a gateway on this machine until Ctrl-C, or play a fault."""
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
    if no_clients:
        raise click.UsageError("--no-clients needs --fault")
    if record is not None and gateways > 1:
        raise click.UsageError("--record takes one gateway (to record several, put icws tap in front of each)")
    if workers > 1 and gateways > 1:
        raise click.UsageError("--workers takes one gateway")
    keep_recording(record, forced=force)

    def recorder(lab: Lab) -> Tap:
        return Tap(
            lab,
            listen=f"127.0.0.1:{gateway_port}",
            record=record,
            keep=False,
            allow_origins=allow_origin,
            allow_hosts=allow_host,
        )

    new_lab = partial(
        Lab,
        compiled_canister(wasm, did, init) or app,
        ack_interval_ms=ack_interval_ms,
        keep_alive_timeout_ms=keep_alive_timeout_ms,
        latency_bound_ms=latency_bound_ms,
        poll_interval_ms=poll_interval_ms,
        time_scale=time_scale or 1.0,
        gateways=gateways,
        seed=secrets.randbits(63) if seed is None and workers > 1 else seed,  # all of them have the same keys
        allow_origins=allow_origin,
        allow_hosts=allow_host,
        process=workers > 1,
        reuse_port=workers > 1,
    )
    lab = new_lab(
        gateway_port=gateway_port if record is None else 0,  # the tap listens there
        replica_port=replica_port,
    )

    def others(first: Lab) -> list[Lab]:
        port = urlsplit(first.gateway_url).port or 0
        return [new_lab(gateway_port=port) for _ in range(workers - 1)]

    build = None if wasm is None else partial(_build, wasm, did, init)
    run_lab(lab, as_json=as_json, recorder=None if record is None else recorder, build=build, others=others)
    return 0


def _build(wasm: str, did: str | None, init: str | None) -> App:
    """The canister of the module as it is now: it may have been compiled again. Raises LabError."""
    from icws_explore.lab.wasm import wasm_app

    return wasm_app(wasm, did=None if did is None else Path(did), init=init)


def _faulty_lab(faults: tuple[Scenario, ...], record: str | None, as_json: bool, **options: float | None) -> int:
    if len(faults) > 1 or record is not None:
        raise click.UsageError("--no-clients takes one --fault and no --record (to record your client, use icws tap)")
    (fault,) = faults
    note(f"{fault.name}: {fault.about}")
    note("the lab plays the canister, the gateways and the network of this fault; your client plays the clients")
    plan = fault.plan()
    within_s = plan.duration_s / (options["time_scale"] or 1.0)
    note(f"the fault happens within {within_s:.3g} s: stay connected")
    run_lab(plan.lab(**options), as_json=as_json)
    return 0


def _play(
    faults: tuple[Scenario, ...], record: str | None, time_scale: float | None, seed: int | None, as_json: bool
) -> int:
    """Play each fault and print what the doctor finds. The exit code is 1 if it does not name one of them."""
    from icws_explore.analysis.doctor import examine
    from icws_explore.analysis.replay.text import replay_json, replay_lines

    from ..findings import print_findings

    if record is not None and len(faults) > 1:
        raise click.UsageError("--record takes one --fault: each fault has its own recording")
    if record is not None and not Path(record).resolve().parent.is_dir():
        raise CaptureError(f"cannot write {record}: its folder does not exist")
    are_named = True
    for number, fault in enumerate(faults):
        if number and not as_json:
            click.echo("")
        try:
            recording = play_fault(fault, write=_write, as_json=as_json, time_scale=time_scale, seed=seed)
        except KeyboardInterrupt:
            if record is not None:
                note(f"interrupted: {record} was not written")
            raise
        saved = None if record is None else str(recording.save(record))
        findings, replays = examine(recording.raw)
        are_named = are_named and fault.name in findings.ids
        if as_json:
            json_line(
                {
                    "fault": fault.name,
                    "named": fault.name in findings.ids,
                    "file": saved,
                    "findings": [finding.to_json() for finding in findings],
                    "replay": [replay_json(replay) for replay in replays],
                }
            )
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
