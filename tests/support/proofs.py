"""Proofs for the tests of views: frames with a delegation, the mainnet certificate, and hostile ones."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture, Frame
from icws_explore.protocol.principal import Principal
from support.machine import ROOT

HOSTILE_TEXT = "<script>window.hostile = true</script><img src=x onerror=alert(1)>"


@cache
def simulated() -> Recording:
    """A short session of a lab with a subnet of its own; do not change it."""
    return icws.simulate("pingpong", duration="20s", seed=1)


def frame_of(recording: Recording, kind: str) -> int:
    return next(frame.number for frame in recording if frame.kind == kind)


@cache
def mainnet() -> tuple[bytes, Principal]:
    """The certificate of mainnet and the canister it is for."""
    path = Path(ROOT) / "tests" / "vectors" / "mainnet_certificate.json"
    vector = json.loads(path.read_text(encoding="utf-8"))
    return bytes.fromhex(vector["certificate_hex"]), Principal.from_text(vector["canister_id"])


def with_frame(recording: Recording, number: int, frame: Frame) -> Recording:
    """The recording with another frame in the place of ``number``."""
    raw = recording.raw
    return Recording(Capture(raw.info, [*raw.frames[:number], frame, *raw.frames[number + 1 :]]))
