"""`icws tap`: a proxy between a dapp and its gateway that shows and records every session.

The tap runs in one thread and the output in another, so a slow or unread terminal delays neither sessions nor signals.
A bounded number of frames waits between the two. Frames beyond that are not shown, but counted.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import click

from icws_explore.analysis.decode import OwnCloses, application_type, decode_frame
from icws_explore.capture import Frame
from icws_explore.lab.scenarios import Scenario
from icws_explore.lab.scenarios.switches import FaultSwitches
from icws_explore.live.breakpoints import FrameScript
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.live.tap import LOOPBACK, Tap
from icws_explore.protocol.budgets import TERMINAL_BYTES as MAX_WAITING_BYTES
from icws_explore.protocol.budgets import TERMINAL_FRAMES as MAX_WAITING
from icws_explore.protocol.errors import LabError

from .console import at_signals, json_line, mute_stdout, note, settle, show, wait_for, width
from .faults import as_faults, fault_names
from .findings import LOOK_S, LiveFindings, finding_lines
from .options import force, keep_recording, network_option, parse_root_key

END_S: Final = 0.5  # real seconds after a signal in which waiting frames are still shown
LEAVE_S: Final = 1.2  # real seconds after a signal until the process ends, even if nobody reads its output
SWITCH_S: Final = 0.0005  # real seconds until the output's thread lets the tap run; Python's default is 0.005


@click.command(
    "tap",
    epilog="""\b
Examples:
  icws tap wss://gateway.example --record sessions.icws
  icws tap ws://127.0.0.1:8080 --listen 127.0.0.1:9090 --network http://127.0.0.1:4943 \\
      --network-listen 127.0.0.1:4944 --record sessions.icws

  icws tap ws://127.0.0.1:8080 --doctor --fault SEQUENCE_GAP_DOWN
  icws tap ws://127.0.0.1:8080 --script drop_acks.py

Point the dapp at the address that is shown instead of the gateway. With --network, point the
gateway at the second address to record what it never forwards. Ctrl-C ends it.

\b
The tap accepts programs and pages of this machine (http://localhost:3000).
It refuses other pages, because any page that is open in a browser here could
use the gateway through the tap. Accept a dapp's page with
--allow-origin https://dapp.example. If a gateway in a container reaches the
tap by another name, accept it with --allow-host host.docker.internal.

\b
--fault puts a fault of the catalogue between dapp and gateway, once a session
is there; icws lab --list-faults explains them. --script FILE.py calls its
on_frame(frame) with every frame, decoded. It returns None (pass), b"…"
(changed), [] (dropped), or a list of bytes and icws_explore.Delivery.
Both show in the recording.
""",
)
@click.argument("gateway")
@click.option("--listen", default=LOOPBACK, show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option("--record", type=click.Path(dir_okay=False), metavar="FILE", help="Write every session to FILE.icws.")
@force
@network_option("Note this network's root key, and stand in front of it as well.")
@click.option("--network-listen", default=LOOPBACK, show_default=True, metavar="HOST:PORT")
@click.option("--all-queries", is_flag=True, help="Record the polls that went well, too (ten a second).")
@click.option("--allow-origin", multiple=True, metavar="ORIGIN", help="Accept pages from there (* for any).")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Accept this name of the tap (* for any).")
@click.option("--root-key", metavar="HEX|mainnet", help="The network's root key (DER), for the capture.")
@click.option("--canister", metavar="ID", help="The canister, for the capture (default: as the sessions say).")
@click.option("--app-type", metavar="FILE.did", help="The canister's .did, or a type as Candid text.")
@click.option("--ack-interval-ms", type=click.IntRange(1), metavar="N", help="As the dapp configures it.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=as_faults,
    shell_complete=fault_names,
    metavar="NAME",
    help="Make this fault between dapp and gateway; may be repeated.",
)
@click.option("--script", type=click.Path(exists=True, dir_okay=False), metavar="FILE.py", help="Let it act on frames.")
@click.option("--doctor", is_flag=True, help="Tell each finding when it appears.")
@click.option("--json", "as_json", is_flag=True, help="A first line that says where it is, then a line a frame.")
def command(
    gateway: str,
    listen: str,
    record: str | None,
    force: bool,
    network: NetworkProfile | None,
    network_listen: str,
    all_queries: bool,
    allow_origin: tuple[str, ...],
    allow_host: tuple[str, ...],
    root_key: str | None,
    canister: str | None,
    app_type: str | None,
    ack_interval_ms: int | None,
    faults: tuple[Scenario, ...],
    script: str | None,
    doctor: bool,
    as_json: bool,
) -> int:
    """Stand between any client and GATEWAY; every frame is shown, and recorded with --record."""
    keep_recording(record, forced=force)
    tap = Tap(
        gateway,
        listen=listen,
        network=None if network is None else network.name,
        network_listen=network_listen,
        record=record,
        canister=canister,
        root_key=None if root_key is None else parse_root_key(root_key),
        app_type=app_type,
        ack_interval_ms=ack_interval_ms,
        keep=False,
        every_query=all_queries,
        allow_origins=allow_origin,
        allow_hosts=allow_host,
    )
    switches = FaultSwitches(tap)
    for fault in faults:
        if (why := switches.why_not(fault.name)) is not None:
            raise LabError(f"a tap cannot make {fault.name}: {why}")
    if script is not None:
        tap.script(load_script(script))
    if tap.is_public:
        note("warning: other machines can connect to this tap and reach the gateway through it")
    with _switching_often():
        _run(
            _Shown(tap, record, as_json=as_json, doctor=doctor),
            switches,
            faults,
        )
    return 0


def load_script(file: str) -> FrameScript:
    """Return the function on_frame of a Python file. Raises LabError on one line."""
    names: dict[str, Any] = {"__name__": "icws_script", "__file__": file}
    try:
        exec(compile(Path(file).read_bytes(), file, "exec"), names)  # noqa: S102  # the user's own program
    except Exception as error:  # a user's code
        raise LabError(f"{file} cannot be run: {type(error).__name__}: {error}") from error
    if not callable(names.get("on_frame")):
        raise LabError(f"{file} has no function on_frame(frame): write one that returns what to deliver")
    function: FrameScript = names["on_frame"]
    return function


def _run(shown: _Shown, switches: FaultSwitches, faults: Sequence[Scenario]) -> None:
    """Run until a signal comes or the output fails."""
    shown.tap.start()
    settle()
    for fault in faults:
        switches.on(fault.name)
        note(f"{fault.name}: {fault.about}; {fault.noticed}")
    with at_signals(lambda: shown.over.put(None)):
        shown.start()
        wait_for(shown.over)
        leave_at = time.monotonic() + LEAVE_S
        shown.waiting.end(time.monotonic() + END_S)
        stopping = threading.Thread(target=_stop, args=(shown,), daemon=True)
        stopping.start()
        for thread in (stopping, shown):
            thread.join(max(0.0, leave_at - time.monotonic()))
        if stopping.is_alive() or shown.is_alive():
            os._exit(0)  # Python would wait for a thread that waits for somebody to read the output
    if shown.failure is not None:
        raise shown.failure


def _stop(shown: _Shown) -> None:
    try:
        shown.tap.stop()
    finally:
        shown.waiting.close()


class _Waiting:
    """The queue of frames and notes between the tap's thread and the output's."""

    def __init__(self) -> None:
        self.seen: Counter[str | None] = Counter()  # frames by session
        self.left_out = 0
        self.tick_s: float | None = None
        self._items: deque[Frame | str] = deque()
        self._bytes = 0
        self._end_at = float("inf")
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, item: Frame | str) -> None:
        """Add an item without waiting. If the queue is full, a frame is left out and counted."""
        with self._changed:
            if isinstance(item, Frame):
                self.seen[item.session] += 1
                is_over = self._items and self._bytes + len(item.data) > MAX_WAITING_BYTES
                if len(self._items) >= MAX_WAITING or is_over:
                    self.left_out += 1
                    return
                self._bytes += len(item.data)
            elif len(self._items) >= 2 * MAX_WAITING:
                return
            self._items.append(item)
            self._changed.notify()

    def end(self, at: float) -> None:
        """Give only notes from ``at`` (monotonic seconds) on."""
        self._end_at = at

    def close(self) -> None:
        """End the queue."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def __iter__(self) -> Iterator[Frame | str | None]:
        """Yield frames and notes as they come; None when none has come for ``tick_s``."""
        while True:
            with self._changed:
                has_come = True
                while not self._items and not self._is_closed and has_come:
                    has_come = self._changed.wait(self.tick_s)
                if not self._items and self._is_closed:
                    return
                item = self._items.popleft() if self._items else None
                if isinstance(item, Frame):
                    self._bytes -= len(item.data)
            if not isinstance(item, Frame) or time.monotonic() < self._end_at:
                yield item
            else:
                self.left_out += 1


class _Shown(threading.Thread):
    """The thread that prints frames and notes. ``over`` has an entry when the tap is to end, or the thread has."""

    def __init__(self, tap: Tap, record: str | None, *, as_json: bool, doctor: bool = False) -> None:
        super().__init__(name="icws-show", daemon=True)
        self.tap = tap
        self.waiting = _Waiting()
        self.over: SimpleQueue[None] = SimpleQueue()
        self.failure: Exception | None = None
        self._record = record
        self._as_json = as_json
        self._wants_doctor = doctor
        self._doctor: LiveFindings | None = None
        tap.watch(self.waiting.put, notes=self.waiting.put)

    def start(self) -> None:
        """Start to print. The tap must be running; it may have been stopped when its addresses are printed."""
        self._addresses = self.tap.url, self.tap.gateway_url, self.tap.network_url
        super().start()

    def run(self) -> None:
        try:
            if self._wants_doctor:
                self._doctor = LiveFindings(self.tap.recording.info)
                self.waiting.tick_s = LOOK_S
            self._say_ready()
            self._show_all()
            self._tell_findings(at_end=True)
            self._say_what_was()
        except (BrokenPipeError, SystemExit):  # rich turns the first into the second
            mute_stdout()  # the reader (head, less) has seen enough
        except Exception as error:  # noqa: BLE001  # the main thread raises it again
            self.failure = error
        finally:
            self.over.put(None)

    def _say_ready(self) -> None:
        url, gateway_url, network_url = self._addresses
        if self._as_json:
            json_line({"ready": True, "url": url, "gateway_url": gateway_url, "network_url": network_url})
            return
        click.echo(f"{'tap':<9} {url}  →  {gateway_url}")
        if network_url is not None:
            click.echo(f"{'network':<9} {network_url}  →  {self.tap.recording.info.network_url}")
        click.echo("Ctrl-C ends it.\n")

    def _show_all(self) -> None:
        from icws_explore.views.rows import frame_row
        from icws_explore.views.text import frame_header, frame_line

        app_type = application_type(self.tap.recording.raw)
        start: float | None = None
        closes = OwnCloses()
        if not self._as_json:
            show(frame_header(width()))
        number = 0
        for item in self.waiting:
            if item is None:
                self._tell_findings()
                continue
            if isinstance(item, str):
                note(item)
                continue
            decoded = decode_frame(item, number=number, app_type=app_type, is_after_own_close=closes.see(item))
            start = item.t if start is None else start
            if self._as_json:
                row: dict[str, Any] = decoded.to_json() | {"session": item.session}
                json_line(row)
            else:
                show(frame_line(frame_row(decoded, start), width()))
            if item.did is not None:
                note(f"frame {number}: {item.did}")
            number += 1
            if self._doctor is not None:
                self._doctor.add(item)
                self._tell_findings()

    def _tell_findings(self, *, at_end: bool = False) -> None:
        if self._doctor is None:
            return
        for finding in self._doctor.new(at_end=at_end):
            if self._as_json:
                json_line({"finding": finding.to_json()})
            else:
                for line in finding_lines(finding):
                    click.echo(line)

    def _say_what_was(self) -> None:
        seen, left_out = self.waiting.seen, self.waiting.left_out
        if left_out:
            note(f"{left_out} frames were not shown, because the output was too slow (a recording has them)")
        if self._record is not None and not self._as_json:
            told = _counted(seen.total(), "frame"), _counted(len(seen.keys() - {None}), "session")
            click.echo(f"recorded in {self._record}: {' of '.join(told)}; next: icws doctor {self._record}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def _switching_often() -> Iterator[None]:
    """Make threads take turns more often, because the output computes for long and the tap does not."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
