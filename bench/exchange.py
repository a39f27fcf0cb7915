"""What it costs to read many frames: against reading the same file as JSON, the least that any reader takes.

Times are of the processor, because a busy machine must not count. Run it alone: `python -m bench.exchange`.
"""

from __future__ import annotations

import base64
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import icws_explore as icws
from icws_explore.analysis.doctor import diagnose
from icws_explore.analysis.imports import load_any
from icws_explore.analysis.recording import frame_table
from icws_explore.capture import Capture, save
from icws_explore.lab.scenarios import SCENARIOS

from .goals import NotMeasuredError

MESSAGES: Final = 200_000  # text messages of another protocol in a HAR of 24 MB
FRAMES: Final = 100_000
SESSIONS: Final = (2_500, 20_000)
SCENARIOS_OF_MANY: Final = ("KEEPALIVE_LATE", "OPEN_TIMEOUT", "CONNECTION_LOST", "NO_ACKS")


def foreign_har(path: Path) -> Path:
    """A HAR with one socket of a development server."""
    messages = [
        {
            "type": "receive",
            "time": 1_795_440_440.5 + number / 100,
            "opcode": 1,
            "data": json.dumps({"type": "update", "n": number, "x": "abcdefgh" * 2}),
        }
        for number in range(MESSAGES)
    ]
    entry = {
        "_resourceType": "websocket",
        "_webSocketMessages": messages,
        "request": {"method": "GET", "url": "wss://other.example/", "headers": []},
        "response": {"status": 101, "content": {"size": 0}},
        "startedDateTime": "2026-11-23T13:27:20.500Z",
    }
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": [entry]}}))
    return path


def many_frames(path: Path) -> Path:
    """An hour of simulated sessions, again and again under other names."""
    made = icws.simulate(duration="1h", population=icws.Population(think_ms=1000), seed=3, crypto="stand-in").raw
    frames = [
        replace(frame, session=f"{turn}-{frame.session}")
        for turn in range(FRAMES // len(made.frames) + 1)
        for frame in made.frames
    ]
    return save(Capture(made.info, frames[:FRAMES]), path)


def many_sessions(one: Capture, number: int) -> Capture:
    """``number`` sessions that begin a second apart, each as ``one``."""
    frames = [replace(frame, session=str(turn), t=frame.t + turn) for turn in range(number) for frame in one.frames]
    return Capture(replace(one.info, crypto="stand-in"), frames)


def processor_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def diagnosed_s(capture: Capture) -> float:
    return processor_s(lambda: diagnose(capture))


def plain_lines(path: Path) -> None:
    """json and base64 of each line."""
    with path.open("rb") as stream:
        for line in stream:
            base64.b64decode(json.loads(line).get("b", ""))


@contextmanager
def _recorded() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield many_frames(Path(folder) / "many.icws")


def table_ratio() -> float:
    """What `FRAMES` frames of a file cost until they are a DataFrame, as a multiple of json and base64 of its lines."""
    with _recorded() as path:
        floor = processor_s(lambda: plain_lines(path))
        return processor_s(lambda: frame_table(load_any(path))) / floor


MEMORY: Final = """
import sys
import pandas
from icws_explore.analysis.imports import load_any
from icws_explore.analysis.recording import frame_table
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
before = peak()
frame_table(load_any(sys.argv[1]))
print(peak() - before)
"""


def table_memory() -> float:
    """The peak of memory above that of the interpreter with its imports, as a multiple of the file.

    VmHWM is that of the new process; ru_maxrss would begin at the peak of the process that started it.
    """
    if not Path("/proc/self/status").exists():
        raise NotMeasuredError("peak memory is read from /proc, which only Linux has")
    with _recorded() as path:
        done = subprocess.run([sys.executable, "-c", MEMORY, path], check=True, capture_output=True, text=True)
        return int(done.stdout) * 1024 / path.stat().st_size


def command_s(name: str) -> float:
    """The processor time of `icws` ``name`` on `FRAMES` frames, with its output into a pipe that is read."""
    with _recorded() as path:
        output = ["-o", str(path.with_suffix(".html"))] if name == "report" else []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "icws_explore.cli", name, str(path), *output]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode in (0, 1), done.stderr.decode()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        har = foreign_har(Path(folder) / "other.har")
        floor = processor_s(lambda: json.loads(har.read_bytes()))
        took = processor_s(lambda: diagnose(load_any(har)))
        print(f"HAR of {har.stat().st_size / 1e6:.0f} MB, {MESSAGES:,} messages: read and diagnosed in {took:.1f} s,")
        print(f"    {took / floor:.1f} × json ({floor:.2f} s)")
        recorded = many_frames(Path(folder) / "many.icws")
        floor = processor_s(lambda: plain_lines(recorded))
        capture = load_any(recorded)
        took = processor_s(lambda: frame_table(capture))
        print(f"{FRAMES:,} frames to a DataFrame: {took:.1f} s, {took / floor:.1f} × json and base64 ({floor:.2f} s)")
    lost = icws.load(Path(__file__).parent.parent / "data" / "sessions" / "lost_message.icws").raw
    for name, one in {"lost message": lost, **{name: SCENARIOS[name].run().raw for name in SCENARIOS_OF_MANY}}.items():
        few, many = (diagnosed_s(many_sessions(one, number)) for number in SESSIONS)
        text = f"{SESSIONS[0]:,} sessions {few:.1f} s, {SESSIONS[1]:,} sessions {many:.1f} s, {many / few:.1f} ×"
        print(f"doctor, {name}: {text}")


if __name__ == "__main__":
    main()
