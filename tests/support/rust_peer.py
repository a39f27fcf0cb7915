"""The canister in tests/peers/rust_canister, compiled, and the same application on our model of its CDK.

It is a Cargo project of our own on the published crate `ic-websocket-cdk`. `compiled` builds it, once for a checkout:
cargo keeps what is up to date.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from icws_explore.lab.wasm import WasmApp, wasm_app
from icws_explore.protocol.candid import encode, parse_type
from icws_explore.protocol.canister import App, AppContext, CdkConfig, candid_interface
from icws_explore.protocol.principal import Principal

from .machine import ROOT, in_ci

PROJECT = ROOT / "tests" / "peers" / "rust_canister"
TARGET = "wasm32-unknown-unknown"
MODULE = PROJECT / "target" / TARGET / "release" / "icws_peer_canister.wasm"
MESSAGE = parse_type("record { text : text; timestamp : nat64 }")
INIT = parse_type("record { send_ack_interval_ms : nat64; max_messages : nat64 }")
BUILD_TIMEOUT_S = 1500  # the first build compiles ninety crates


class CannotBuildError(Exception):
    """Why the canister cannot be compiled here, in one line."""


@cache
def _built() -> Path | str:
    """The module's path, or why there is none."""
    cargo = shutil.which("cargo")
    if cargo is None:
        return "no cargo on the PATH: install Rust, with the target wasm32-unknown-unknown"
    rustup = shutil.which("rustup")
    if rustup is not None:
        added = subprocess.run([rustup, "target", "add", TARGET], capture_output=True, text=True, check=False)
        if added.returncode != 0:
            return f"rustup cannot add the target {TARGET}: {_last_line(added.stderr)}"
    command = [cargo, "build", "--release", "--locked", "--quiet", "--target", TARGET]
    try:
        done = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S, env=os.environ
        )
    except subprocess.TimeoutExpired:
        return f"cargo did not compile the canister in {BUILD_TIMEOUT_S} s"
    if done.returncode != 0:
        return f"cargo cannot compile the canister: {_last_line(done.stderr)}"
    return MODULE


def compiled() -> Path:
    """The compiled module. Skips the test where it cannot be built, and fails it in CI."""
    built = _built()
    if isinstance(built, Path):
        return built
    if in_ci():
        pytest.fail(f"{built} (CI skips nothing)", pytrace=False)
    pytest.skip(built)


def init_arg(config: CdkConfig) -> bytes:
    """The argument of the canister's init for the CDK's settings."""
    values = {"send_ack_interval_ms": config.send_ack_interval_ms, "max_messages": config.max_messages}
    return encode([INIT], [values])


def canister(config: CdkConfig | None = None, *, did: str | None = None) -> WasmApp:
    """The compiled canister. ``did`` None: its own Candid interface."""
    return wasm_app(compiled(), did=did, init=init_arg(config or CdkConfig()))


def twin(config: CdkConfig) -> WasmApp:
    """The compiled canister, which publishes the Candid interface of our model: certificates show its hash."""
    return canister(config, did=candid_interface(MESSAGE))


def model() -> App:
    """The application of src/lib.rs, on our model of the CDK."""
    return App("pingpong", MESSAGE, on_open=_ping, on_message=_on_message, on_close=_on_close)


def _ping(context: AppContext, client: Principal) -> None:
    context.send(client, {"text": "ping", "timestamp": context.now_ns})


def _on_message(context: AppContext, client: Principal, message: Any) -> None:
    match message["text"]:
        case "trap":
            context.trap("asked to trap")
        case "close":
            context.close(client)
        case "three":
            for _ in range(3):
                _ping(context, client)
        case "quiet":
            pass
        case text:
            context.print(f"Received message: {text}")
            _ping(context, client)


def _on_close(context: AppContext, client: Principal) -> None:
    context.print(f"Client {client} disconnected")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error")]
    return (errors or lines or ["no reason given"])[0]
