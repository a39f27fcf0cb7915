"""How many messages per second this package verifies, compared with others: `python -m bench.verify_peers`.

The package runs all nine steps on the hundred different messages of tests/vectors/perf_certified_100.json, one after
another, so no certificate is cached. The others are: the signature check alone with each BLS library, py_ecc in
plain Python, and ic-websocket-js itself (@dfinity/agent) if Node.js and its packages are installed.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from icws_explore.protocol.certificate import Certificate
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.keys import bls
from icws_explore.protocol.keys import bls as bls_backends
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step
from icws_explore.protocol.verify import authentic, check_message

ROOT = Path(__file__).resolve().parent.parent
NODE_PEERS = ROOT / "tests" / "node"
NODE_MESSAGES = 40  # the most that fit into one command-line argument
ENTRIES = json.loads((ROOT / "tests" / "vectors" / "perf_certified_100.json").read_text(encoding="utf-8"))["entries"]

Row = tuple[str, float]  # name, seconds per message


def rows() -> Iterator[Row]:
    yield f"icws_explore, all steps ({bls.BACKEND})", _median(_walk, range(len(ENTRIES)))
    for module, backend in (("pyblst", bls_backends.Pyblst), ("py_arkworks_bls12381", bls_backends.Arkworks)):
        if importlib.util.find_spec(module) is not None:
            yield f"{backend.name}, signature only", _median(_signature(backend().verify), range(30))
    if importlib.util.find_spec("py_ecc") is not None:
        yield "py_ecc, signature only", _median(_signature(_py_ecc), range(2))
    if (NODE_PEERS / "node_modules" / "ic-websocket-js").is_dir():
        yield f"ic-websocket-js, isMessageBodyValid ({NODE_MESSAGES} messages)", _node()


def against_sdk() -> float:
    """How many times as fast as ic-websocket-js a message is verified; processor time on both sides."""
    forget_certificates()
    return _node("cpu_ms") / _walked_s()


def against_pairing() -> float:
    """What all steps cost, as a multiple of the signature check alone: processor time, in turns, after a warm-up."""
    pairs = []
    for entry in ENTRIES:
        certificate = Certificate.decode(bytes.fromhex(entry["cert"]))
        key = bls.key_from_der(bytes.fromhex(entry["rootKey"]))
        pairs.append((key, certificate.signed_bytes, certificate.signature))
    verify = bls.chosen().verify
    assert all(verify(*pair) for pair in pairs)
    forget_certificates()
    walked = bare = 0.0
    for _ in range(TURNS):
        walked += _walked_s()
        began = time.process_time()
        assert all(verify(*pair) for pair in pairs)
        bare += (time.process_time() - began) / len(pairs)
    return walked / bare


TURNS = 3


def forget_certificates() -> None:
    """Verify more messages than the package remembers certificates, so that it forgets all others."""
    for call in _calls():
        assert authentic(call())


@cache
def _calls() -> list[Callable[[], list[Step]]]:
    """The checks of all messages, with everything read that a frame does not hold as text."""
    return [_check(number) for number in range(len(ENTRIES))]


def _walked_s() -> float:
    """The mean processor time of all steps. A hundred certificates in turn: none is remembered when it comes again."""
    calls = _calls()
    began = time.process_time()
    for call in calls:
        assert authentic(call())
    return (time.process_time() - began) / len(calls)


def _median(operation: Callable[[int], bool], numbers: range) -> float:
    operation(numbers[0])  # fills the library's own imports and caches
    taken = []
    for number in numbers:
        begin = time.perf_counter()
        ok = operation(number)
        taken.append(time.perf_counter() - begin)
        assert ok
    return median(taken)


def _walk(number: int) -> bool:
    return authentic(_check(number)())


def _check(number: int) -> Callable[[], list[Step]]:
    entry = ENTRIES[number]
    message = CanisterMessage(entry["key"], *(bytes.fromhex(entry[name]) for name in ("content", "cert", "tree")))
    return partial(
        check_message,
        message,
        canister_id=Principal.from_text(entry["canisterId"]),
        root_key=bytes.fromhex(entry["rootKey"]),
        now_ns=int(entry["nowMs"]) * NS_PER_MS,
        client_key=message.message.client_key,
        expected_sequence_num=message.message.sequence_num,
    )


def _signature(verify: Callable[[bytes, bytes, bytes], bool]) -> Callable[[int], bool]:
    def operation(number: int) -> bool:
        certificate = Certificate.decode(bytes.fromhex(ENTRIES[number]["cert"]))
        key = bls.key_from_der(bytes.fromhex(ENTRIES[number]["rootKey"]))
        return verify(key, certificate.signed_bytes, certificate.signature)

    return operation


def _py_ecc(public_key: bytes, message: bytes, signature: bytes) -> bool:
    from hashlib import sha256

    from py_ecc.bls import point_compression
    from py_ecc.bls.hash_to_curve import hash_to_G1
    from py_ecc.optimized_bls12_381 import G2, pairing

    signed = point_compression.decompress_G1(int.from_bytes(signature, "big"))
    halves = int.from_bytes(public_key[:48], "big"), int.from_bytes(public_key[48:], "big")
    key = point_compression.decompress_G2(halves)
    return bool(pairing(G2, signed) == pairing(key, hash_to_G1(message, bls_backends.DST, sha256)))


def _node(clock: str = "ms") -> float:
    entries = [
        {
            "id": entry["id"],
            "reader": "sdk",
            "canister_id": entry["canisterId"],
            "root_key": entry["rootKey"],
            "now_ms": entry["nowMs"],
            **{name: entry[name] for name in ("cert", "tree", "key", "content")},
        }
        for entry in ENTRIES[:NODE_MESSAGES]
    ]
    command = ["node", "certificates.mjs", json.dumps({"entries": entries})]
    done = subprocess.run(command, cwd=NODE_PEERS, capture_output=True, text=True, check=True, timeout=120)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(verdict["ok"] for verdict in verdicts)
    return median(verdict[clock] for verdict in verdicts) / 1000


def main() -> None:
    table = Table("verifier", "ms per message", "messages per second", title="Verifying a canister message (medians)")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, seconds in rows():
        table.add_row(name, f"{seconds * 1000:.2f}", f"{1 / seconds:.0f}" if seconds < 0.1 else f"{1 / seconds:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
