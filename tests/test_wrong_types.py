"""The front door's functions with arguments of wrong types: a documented error in one line, or nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.protocol.errors import ArgumentTypeError

WRONG = (5, -1, 2.5, float("nan"), True, b"x", "zzz", ["a"], {"a": 1}, object())
GATEWAY = {"gateway": "ws://127.0.0.1:1"}
SURELY_WRONG = {
    "connect": {
        "network": 5,
        "canister": 5,
        "identity": 5,
        "record": 5,
        "clock": 5,
        "root_key": "x",
        "gateway": b"ws:",
    },
    "Tap": {"network": 5, "listen": 8081, "record": 5, "app_type": b"text", "keep": "no"},
    "Lab": {"app": 5, "ack_interval_ms": "60s", "seed": "seven", "time_scale": "60", "faults": "all", "flavour": "go"},
    "simulate": {"duration": b"1h", "conditions": "lossy", "start": "now", "population": "many", "canister": "rust"},
    "load": {"path": 5},
}


def connect(**arguments: Any) -> object:
    """Only made: what can be seen without a network is refused at once."""
    return icws.connect(**{**GATEWAY, "network": "http://127.0.0.1:1", "canister": "aaaaa-aa", **arguments})


def tap(**arguments: Any) -> object:
    return icws.Tap(**{**GATEWAY, **arguments})


def simulate(**arguments: Any) -> object:
    return icws.simulate(**{"duration": "20s", "crypto": "stand-in", **arguments})


CALLS: dict[str, Callable[..., object]] = {
    "connect": connect,
    "Tap": tap,
    "Lab": icws.Lab,
    "simulate": simulate,
    "load": icws.load,
}


def parameters() -> Iterator[tuple[str, str]]:
    for name in CALLS:
        for parameter in inspect.signature(getattr(icws, name)).parameters:
            yield name, parameter


@pytest.mark.parametrize(("name", "parameter"), list(parameters()))
def test_no_other_error_comes_out(name: str, parameter: str) -> None:
    for wrong in WRONG:
        try:
            CALLS[name](**{parameter: wrong})
        except icws.IcwsError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(("name", "wrong"), list(SURELY_WRONG.items()))
def test_and_what_cannot_be_is_refused(name: str, wrong: dict[str, Any]) -> None:
    for parameter, value in wrong.items():
        with pytest.raises(icws.IcwsError):
            CALLS[name](**{parameter: value})


def test_the_line_says_what_to_give() -> None:
    said = r"^network must be the URL of a network, such as http://127.0.0.1:4943, or an Agent of ic-py, not an int$"
    with pytest.raises(ArgumentTypeError, match=said):
        connect(network=5)
    with pytest.raises(ArgumentTypeError, match=r"^ack_interval_ms must be an integer, not a str$"):
        icws.Lab(ack_interval_ms="60s")  # type: ignore[arg-type]  # that is the point
