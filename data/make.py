"""Makes the recordings in this folder: `python data/make.py` for all of them, or with the names of some.

The keys of the lab and of its client come from seeds. Times are those of the day, and the real SDK draws
its own keys and nonces. The derived recordings (tampered, forged, …) depend on their original alone. At the end the
table in README.md is written from the files.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from icws_explore.analysis import edit  # noqa: E402
from icws_explore.analysis.decode import decode_frame  # noqa: E402
from icws_explore.analysis.recording import Recording, load  # noqa: E402
from icws_explore.capture import Capture, Frame, SessionInfo, save  # noqa: E402
from icws_explore.lab import Lab  # noqa: E402
from icws_explore.live.connect import connect  # noqa: E402
from icws_explore.protocol import candid  # noqa: E402
from icws_explore.protocol.keys import Ed25519Identity  # noqa: E402
from support.data_files import Row, row_of, write_table  # noqa: E402
from support.node_peer import record, run_script  # noqa: E402
from support.old_sdk_rows import GENERATIONS  # noqa: E402
from support.sdk_faults import play  # noqa: E402

SESSIONS = HERE / "sessions"
SCALE = 100.0
SDK_ACK_INTERVAL_MS = 3000
PATIENCE_S = 60.0


def lab_session(name: str, say: list[object], *, acks: int = 1, **options: object) -> None:
    """One session on the embedded network: ``say`` what the client sends, then wait for acks, then close."""

    async def play() -> None:
        with Lab(time_scale=SCALE, seed=2026, **options) as lab:  # type: ignore[arg-type]  # options of Lab
            identity = Ed25519Identity.from_secret(b"\x2a" * 32)
            async with connect(lab, identity=identity, record=SESSIONS / name) as session:
                for value in say:
                    await session.send(value)
                    with contextlib.suppress(TimeoutError):
                        await session.receive(timeout=2)
                await seen(session, "keep_alive", acks)
                await session.clock.sleep(20)
                await session.close()

    asyncio.run(play())


async def seen(session: object, kind: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async for frame in session.follow():  # type: ignore[attr-defined]  # a Session
            count -= decode_frame(frame).kind == kind
            if count <= 0:
                return


def sdk_session(name: str, identity: str) -> None:
    """ic-websocket-js itself against the lab: Node.js and the packages of tests/node."""
    with Lab(app="pingpong", seed=2026, ack_interval_ms=SDK_ACK_INTERVAL_MS, keep_alive_timeout_ms=2000,
             latency_bound_ms=1000) as lab:  # fmt: skip
        config = {
            "gateway_url": lab.gateway_url,
            "network_url": lab.network_url,
            "canister_id": str(lab.canister_id),
            "identity": identity,
            "ack_interval_ms": SDK_ACK_INTERVAL_MS,
            "rounds": 4,
            "acks": 1,
            "settle_ms": 500,
            "timeout_ms": 60_000,
        }
        run = run_script("peer.mjs", config, timeout_s=80)
        info = SessionInfo(
            gateway_url=lab.gateway_url,
            network_url=lab.network_url,
            canister_id=str(lab.canister_id),
            root_key=lab.root_key,
            client_principal=run.one("start")["principal"],
            ack_interval_ms=SDK_ACK_INTERVAL_MS,
            app_type=candid.type_text(candid.parse_did(lab.app_did).application_type()),
        )
        record(run, info, SESSIONS / name)


def old_sdk_session(name: str, sdk: str) -> None:
    """An earlier SDK, as npm has it, behind a tap in front of today's lab. It fails there as it does in reality."""
    row = next(generation.row for generation in GENERATIONS if generation.row.sdk == sdk and not generation.row.lab())
    save(play([row])[row.name].capture, SESSIONS / name)


def derived(name: str, change: Callable[[Recording, int], Frame], *, kind: str = "app", drop: bool = False) -> None:
    """The healthy session with its third frame of that kind changed or removed."""
    recording = load(SESSIONS / "healthy.icws")
    number = [decoded.number for decoded in recording if decoded.kind == kind][2 if kind == "app" else 0]
    frames = list(recording.raw.frames)
    if drop:
        del frames[number]
    else:
        frames[number] = change(recording, number)
    save(Capture(recording.info, frames), SESSIONS / name)


def stale(name: str) -> None:
    """The healthy session until its last application message, which the gateway delivers five minutes late.

    By then its certificate is too old, so the client closes as the SDK does.
    """
    recording = load(SESSIONS / "healthy.icws")
    number = [decoded.number for decoded in recording if decoded.kind == "app"][-1]
    late = dataclasses.replace(recording[number].frame, t=recording[number].frame.t + 300)
    close = Frame(late.t + 0.01, "out", "close", code=4000, reason="Error receiving message")
    save(Capture(recording.info, [*recording.raw.frames[:number], late, close]), SESSIONS / name)


PINGS: list[object] = [{"text": "pong", "timestamp": number} for number in range(1, 6)]
MARKUP = "<script>document.title = 'a message ran'</script><img src=x onerror=\"document.title='an image ran'\">"
CHAT: list[object] = [
    {"JoinedChat": "Ada"},
    {"GroupMessage": {"name": "Ada", "message": "", "isTyping": True}},
    {"GroupMessage": {"name": "Ada", "message": "hello from the first row", "isTyping": False}},
]

MAKERS: dict[str, Callable[[str], None]] = {
    "healthy.icws": lambda name: lab_session(name, PINGS, app="pingpong"),
    "chat.icws": lambda name: lab_session(name, CHAT, app="chat"),
    "motoko_flavour.icws": lambda name: lab_session(name, PINGS[:3], app="pingpong", flavour="motoko"),
    "no_delegation.icws": lambda name: lab_session(name, PINGS[:2], app="pingpong", delegated=False),
    "markup.icws": lambda name: lab_session(name, [{"text": MARKUP}], app="echo"),
    "real_sdk_ed25519.icws.gz": lambda name: sdk_session(name, "ed25519"),
    "real_sdk_secp256k1.icws.gz": lambda name: sdk_session(name, "secp256k1"),
    "real_sdk_delegation.icws.gz": lambda name: sdk_session(name, "delegation"),
    "real_sdk_0_1_2.icws.gz": lambda name: old_sdk_session(name, "0.1.2"),
    "real_sdk_0_3_4.icws.gz": lambda name: old_sdk_session(name, "0.3.4"),
    "unreadable_certificate.icws": lambda name: derived(name, lambda r, n: edit.set(r[n], "cert", b"\xa0")),
    "forged_certificate.icws": lambda name: derived(
        name, lambda r, n: edit.set(r[n], "certified_data.leaf", bytes(32))
    ),
    "stale_certificate.icws": stale,
    "foreign_witness.icws": lambda name: derived(name, lambda r, n: edit.set(r[n], "tree", b"\x81\x00")),
    "pruned_witness.icws": lambda name: derived(name, lambda r, n: edit.prune(r[n], "tree.websocket")),
    "tampered_body.icws": lambda name: derived(name, lambda r, n: edit.set(r[n], "content.text", "pwned")),
    "lost_message.icws": lambda name: derived(name, lambda r, n: r[n].frame, drop=True),
    "forged_request.icws": lambda name: derived(
        name, lambda r, n: edit.set(r[n], "msg.content.text", "forged"), kind="message"
    ),
}


def certificates() -> None:
    """The mainnet certificate of the vectors, with what it takes to judge it."""
    source = json.loads((HERE.parent / "tests" / "vectors" / "mainnet_certificate.json").read_text(encoding="utf-8"))
    folder = HERE / "certificates"
    folder.mkdir(exist_ok=True)
    (folder / "mainnet.cbor").write_bytes(bytes.fromhex(source["certificate_hex"]))
    facts = {name: source[name] for name in ("source", "canister_id", "time_ns", "root_key_der_hex", "note")}
    (folder / "mainnet.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main(names: list[str]) -> None:
    SESSIONS.mkdir(exist_ok=True)
    for name in names or MAKERS:
        sys.stderr.write(f"{name}\n")
        MAKERS[name](name)
    certificates()
    rows: list[Row] = [row_of(SESSIONS / name) for name in MAKERS]
    write_table(HERE / "README.md", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
