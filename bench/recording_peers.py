"""Verifying the messages of a session through a subnet's delegation, against the SDK in the same run.

Times are of the processor, on both sides.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import Any

import icws_explore as icws
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.verify import authentic, check_message

from .node_peers import node
from .timing import processor_cost
from .verify_peers import ROOT, forget_certificates

TURNS, ROUNDS = 5, 500


def against_sdk(*, same_poll: bool) -> float:
    """How many times as fast as the SDK a message is verified, if its delegation (or its certificate) is known."""
    recording = icws.load(ROOT / "data" / "sessions" / "healthy.icws")
    canister = Principal.of(recording.info.canister_id)
    root_key = recording.info.root_key
    assert root_key is not None
    messages = [(d.canister_message, round(d.frame.t * NS_PER_S)) for d in recording if d.canister_message is not None]
    calls = [
        partial(check_message, message, canister_id=canister, root_key=root_key, now_ns=now_ns)
        for message, now_ns in messages
    ]
    assert all(authentic(call()) for call in calls)  # the delegation is known from here on
    if same_poll:
        took = processor_cost(calls[-1], ROUNDS)
    else:
        turns = []
        for _ in range(TURNS):
            forget_certificates()
            began = time.process_time()
            for call in calls[1:]:
                call()
            turns.append((time.process_time() - began) / len({message.cert for message, _ in messages[1:]}))
        took = median(turns)
    entries: list[dict[str, Any]] = [
        {
            "id": str(number),
            "reader": "sdk",
            "canister_id": canister.text,
            "root_key": root_key.hex(),
            "now_ms": now_ns // NS_PER_MS,
            "key": message.key,
            **{name: getattr(message, name).hex() for name in ("cert", "tree", "content")},
        }
        for number, (message, now_ns) in enumerate(messages)
    ]
    verdicts = node("certificates.mjs", {"entries": entries})
    assert all(verdict["ok"] for verdict in verdicts), verdicts
    return median(verdict["cpu_ms"] for verdict in verdicts) / 1000 / took
