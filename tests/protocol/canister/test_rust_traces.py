"""A canister on the real Rust CDK, step by step: equal replies, prints, certified data and timers."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from icws_explore.protocol.canister import CanisterHost, Outcome, Reject
from icws_explore.protocol.principal import Principal
from support.machine import ROOT
from support.rust_trace_canister import RustTraceCanister

FILE = json.loads((ROOT / "tests" / "vectors" / "rust_cdk_traces.json").read_text(encoding="utf-8"))
START_NS = int(FILE["start_ns"])
SHOWN = 400  # bytes; the file holds only the hash of a longer reply


class Replay:
    """The Python canister, which gets the steps of a trace."""

    def __init__(self) -> None:
        self.prints: list[list[str]] = []
        self.host = CanisterHost(
            Principal.from_text(FILE["canister"]),
            certify=lambda data: b"CERT" + data,
            on_print=lambda at_ns, text: self.prints.append([str(at_ns - START_NS), text]),
        )

    def take(self, step: dict[str, Any]) -> dict[str, Any]:
        """The outcome of this step, in the form of the trace."""
        self.prints.clear()
        outcome = self._call(step, START_NS + int(step["at"]))
        due_ns = self.host.next_timer_ns
        return {
            **({"prints": list(self.prints)} if self.prints else {}),
            **answered(outcome),
            "timer": None if due_ns is None else str(due_ns - START_NS),
            "certified": self.host.certified_data.hex(),
        }

    def _call(self, step: dict[str, Any], now_ns: int) -> Outcome | None:
        if "install" in step:
            return self.host.install(lambda system: RustTraceCanister(system, step["install"]), now_ns=now_ns)
        if "upgrade" in step:
            return self.host.upgrade(lambda system: RustTraceCanister(system, step["upgrade"]), now_ns=now_ns)
        if "wait" in step:
            self.host.advance(now_ns)
            return None
        method, call = (step["update"], self.host.update) if "update" in step else (step["query"], self.host.query)
        return call(method, bytes.fromhex(step["arg"]), caller=Principal.from_text(step["caller"]), now_ns=now_ns)


def answered(outcome: Outcome | None) -> dict[str, str]:
    if isinstance(outcome, Reject):
        return {"reject": outcome.text}
    if outcome is None or not outcome.data:
        return {}
    data = outcome.data
    return {"reply": data.hex() if len(data) <= SHOWN else f"sha256:{sha256(data).hexdigest()}"}


@pytest.mark.parametrize("trace", FILE["traces"], ids=[trace["id"] for trace in FILE["traces"]])
def test_every_byte(trace: dict[str, Any]) -> None:
    replay = Replay()
    for number, step in enumerate(trace["steps"]):
        wanted = {key: step[key] for key in ("prints", "reply", "reject", "timer", "certified") if key in step}
        assert replay.take(step) == wanted, f"step {number}"
