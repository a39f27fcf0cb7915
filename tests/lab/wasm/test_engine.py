"""The engine, the budget of a call, and a machine without wasmtime."""

from __future__ import annotations

import sys

import pytest

from icws_explore.lab.wasm.engine import INSTRUCTIONS, budgeted, engine, wasmtime_module
from icws_explore.protocol.errors import LabError


def test_calls_that_follow_from_a_call_share_its_budget() -> None:
    with budgeted() as first:
        first.instructions -= 10
        with budgeted() as second:
            assert second is first
    with budgeted() as third:
        assert third.instructions == INSTRUCTIONS


def test_one_engine_serves_all() -> None:
    assert engine() is engine()


def test_without_wasmtime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(LabError, match=r"pip install 'icws_explore\[wasm\]'"):
        wasmtime_module()
