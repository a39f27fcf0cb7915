"""Run a script of tests/node, which prints events as JSON lines, and keep its frames as a capture."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icws_explore.capture import Capture, CaptureWriter, Frame, SessionInfo, load

from .machine import NODE_PEERS


@dataclass(frozen=True, slots=True)
class Run:
    """What a script printed: its events in order, its complaints, its exit code."""

    events: list[dict[str, Any]]
    stderr: str
    exit_code: int

    def all(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.events if line.get("event") == event]

    def one(self, event: str) -> dict[str, Any]:
        (line,) = self.all(event)
        return line


def run_script(script: str, config: Mapping[str, Any], *, timeout_s: float) -> Run:
    """Run it to its end. Raises subprocess.TimeoutExpired after ``timeout_s`` seconds."""
    done = subprocess.run(**command_of(script, config), capture_output=True, text=True, timeout=timeout_s, check=False)
    return Run([json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode)


def command_of(script: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What subprocess needs to know to run it."""
    return {"args": ["node", "--import", "./webcrypto.mjs", script, json.dumps(config)], "cwd": NODE_PEERS}


def record(run: Run, info: SessionInfo, path: Path) -> Capture:
    """The frames of peer.mjs as an `.icws` file, read back."""
    with CaptureWriter(path, info) as writer:
        for event in run.events:
            if event["event"] == "frame":
                writer.write(Frame(event["t"], event["d"], event["op"], base64.b64decode(event["b"])))
            elif event["event"] == "closing":
                writer.write(Frame(event["t"], "out", "close", code=event["code"], reason=event["reason"]))
    return load(path)
