"""The rows of `make bench`, gathered from the other modules of this folder. docs/benchmarks.md explains each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from icws_explore.lab.scenarios import SCENARIOS

from . import (
    exchange,
    explorer_page,
    fleet,
    node_peers,
    recording_peers,
    round_trips,
    sessions,
    simulate,
    verify_peers,
    wasm,
)
from .goals import Goal, NotMeasuredError, Together
from .tap import tap_costs
from .tap_flood import flood_costs

S_OF: Final = "s of the processor"


def _needs_node(measure: Callable[[], float]) -> Callable[[], float]:
    def guarded() -> float:
        if not node_peers.is_there():
            raise NotMeasuredError("the packages of tests/node are missing: make peers")
        return measure()

    return guarded


def _scaling() -> float:
    """How much more 20,000 sessions take than 2,500: the worst of some kinds."""
    shares = []
    for name in exchange.SCENARIOS_OF_MANY:
        one = SCENARIOS[name].run().raw
        few, many = (exchange.diagnosed_s(exchange.many_sessions(one, number)) for number in exchange.SESSIONS)
        shares.append(many / few)
    return max(shares)


def _simulated(key: str) -> float:
    return next(facts["took_s"] for facts in simulate.measured([key]))


def _tap_added(size: str) -> float:
    """What the tap adds to a frame, in ms."""
    wanted = f"what the tap adds to a frame of {size} bytes"
    return next(line.median_s for line in tap_costs() if line.name == wanted) * 1000


def _beside_a_flood() -> float:
    """The p99 in ms of the round trips beside the worst flood."""
    return max(trips.p99_s for trips in flood_costs() if "direct" not in trips.name) * 1000


def _explorer() -> Iterator[Goal]:
    """The explorer in a browser: the longest of all waits, and a minute at 200 messages a second."""
    waits = Together(explorer_page.waits)
    for key, when, which in (("checking", "while proofs are checked", 0), ("", "afterwards", 1)):
        end = f"-{key}" if key else ""
        yield Goal(
            f"explorer-click{end}",
            f"20,000 frames, {when}: click to detail",
            300,
            "ms",
            waits.row(lambda found, which=which: max(found[which].clicks)),
        )
        yield Goal(
            f"explorer-filter{end}",
            f"20,000 frames, {when}: last letter to list",
            300,
            "ms",
            waits.row(lambda found, which=which: max(found[which].filters)),
        )
    live = Together(explorer_page.live)
    minute = "a minute at 200 messages a second"
    yield Goal("explorer-live-lost", f"{minute}: lost", 0, "frames", live.row(lambda found: found.lost))
    yield Goal("explorer-live-late", f"{minute}: late", 0, "keep-alives", live.row(lambda found: found.late))
    yield Goal(
        "explorer-live-redraws", f"{minute}: the list is drawn", 5, "times a second",
        live.row(lambda found: found.redraws_per_s),
    )  # fmt: skip


def _rows() -> Iterator[Goal]:
    sdk = "× as fast as the SDK"
    yield Goal("verify-sdk", "verify, one BLS check", 30, sdk, _needs_node(verify_peers.against_sdk), at_least=True)
    yield Goal("verify-pairing", "verify, one BLS check", 1.1, "× the bare pairing", verify_peers.against_pairing)
    yield Goal(
        "verify-delegation",
        "verify through a delegation remembered",
        60,
        sdk,
        _needs_node(partial(recording_peers.against_sdk, same_poll=False)),
        at_least=True,
    )
    yield Goal(
        "verify-poll",
        "verify another message of the same poll",
        200,
        sdk,
        _needs_node(partial(recording_peers.against_sdk, same_poll=True)),
        at_least=True,
    )
    yield Goal(
        "decode", "decode a canister message to its value", 4, sdk, _needs_node(node_peers.decoding), at_least=True
    )
    yield Goal("sign", "sign and encode a message", 2, sdk, _needs_node(node_peers.signing), at_least=True)
    yield Goal(
        "round-trip",
        "the client's processor time of a live round trip",
        0.25,
        "× the SDK in Node",
        _needs_node(round_trips.against_sdk),
    )
    yield Goal("opening", "opening a session, all parties", 8, "ms of the processor", round_trips.opening_ms)
    yield Goal("table", "100,000 frames to a DataFrame", 3, "× json + base64", exchange.table_ratio)
    yield Goal("table-memory", "100,000 frames to a DataFrame: peak memory", 2.5, "× the file", exchange.table_memory)
    for name, limit in (("show", 15), ("doctor", 5), ("report", 8)):
        yield Goal(name, f"icws {name} of 100,000 frames", limit, S_OF, partial(exchange.command_s, name))
    yield Goal("doctor-linear", "doctor on 20,000 sessions", 9, "× 2,500 sessions", _scaling)
    served = "sessions of a message a second, p99 < 1 s"
    yield Goal(
        "sessions-here", f"{served}, with the lab in one process", 250, "sessions", sessions.together, at_least=True
    )
    yield Goal("sessions", f"{served}, labs in processes of their own", 600, "sessions", sessions.apart, at_least=True)
    yield Goal("fleet", "icws analyze with two processes", 1.7, "× as fast as with one", fleet.linearity, at_least=True)
    yield Goal("simulate-hour", "simulate an hour", 1, "s", partial(_simulated, "hour"))
    yield Goal("simulate-many", "simulate 1,000 sessions × 10 min", 25, "s", partial(_simulated, "many"))
    yield Goal(
        "wasm-update", "a message to a canister in Rust, and its answer", 5, "ms of the processor", wasm.update_ms
    )
    yield Goal("simulate-wasm", "simulate 100 sessions × 20 min with it", 10, S_OF, wasm.simulated_s)
    for size, limit in (("100", 0.2), ("100,000", 1.0)):
        yield Goal(
            f"tap-{size}", f"what the tap adds to a frame of {size} bytes", limit, "ms", partial(_tap_added, size)
        )
    yield from _explorer()
    yield Goal("tap-flood", "a session beside one that floods: p99", 50, "ms", _beside_a_flood)


GOALS: Final = tuple(_rows())
