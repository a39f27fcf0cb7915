"""What a live session costs: the client beside the real SDK in Node on the same lab, and an opening of all parties.

Times are of the processor. Clients run in processes of their own, once with few and once with many round trips; the
difference is the cost of a round trip without the start of the process and the opening of its session.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import icws_explore as icws

from .verify_peers import NODE_PEERS

FEW, MANY = 20, 220  # round trips
OPENINGS = 30
CLIENT = """
import asyncio, json, sys
import icws_explore as icws
async def main(config):
    session = await icws.connect(config["gateway_url"], network=config["network_url"],
                                 canister=config["canister_id"], app_type=config["app_type"])
    for _ in range(config["rounds"]):
        await session.receive(timeout=60)
        await session.send({"text": "pong", "timestamp": 0})
    await session.close()
asyncio.run(main(json.loads(sys.argv[1])))
"""


def against_sdk() -> float:
    """The processor time of a round trip as a share of the SDK's."""
    with icws.Lab(app="pingpong") as lab:
        question = {
            "gateway_url": lab.gateway_url,
            "network_url": lab.network_url,
            "canister_id": str(lab.canister_id),
            "app_type": "record { text : text; timestamp : nat64 }",
            "identity": "ed25519",
            "ack_interval_ms": lab.ack_interval_ms,
            "acks": 0,
            "timeout_ms": 300_000,
        }
        ours = _round_trip_s([sys.executable, "-c", CLIENT], question)
        sdk = _round_trip_s(["node", str(NODE_PEERS / "peer.mjs")], question)
    return ours / sdk


def _round_trip_s(command: Sequence[str], question: dict[str, object]) -> float:
    few, many = (_child_s([*command, json.dumps(question | {"rounds": rounds})]) for rounds in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _child_s(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=400)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def opening_ms() -> float:
    """The processor time of opening a session and closing it, of client, gateway and canister together."""

    async def openings(lab: icws.Lab, number: int) -> None:
        for _ in range(number):
            await (await icws.connect(lab)).close()

    with icws.Lab(app="pingpong") as lab:
        asyncio.run(openings(lab, 3))
        began = time.process_time()
        asyncio.run(openings(lab, OPENINGS))
        return (time.process_time() - began) / OPENINGS * 1000
