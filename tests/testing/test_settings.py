"""Settings come from the configuration, the command line and a marker, and mistakes are one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.testing.settings import BenchSettings

BASE = Path("/project")


class TestLayers:
    def test_later_ones_win(self) -> None:
        first = BenchSettings().with_texts({"wasm": "a.wasm", "time": "paused", "ack_interval_ms": "90000"}, BASE)
        assert (first.canister, first.time, first.ack_interval_ms) == (BASE / "a.wasm", "paused", 90_000)
        second = first.changed({"time": "virtual", "time_scale": 5.0}, BASE)
        assert (second.wasm, second.time, second.time_scale) == (BASE / "a.wasm", "virtual", 5.0)

    def test_an_app_replaces_a_module_and_the_other_way_round(self) -> None:
        settings = BenchSettings().with_texts({"wasm": "a.wasm"}, BASE).with_texts({"app": "b.py"}, BASE)
        assert (settings.wasm, settings.canister) == (None, BASE / "b.py")
        assert settings.changed({"wasm": "c.wasm.gz"}, BASE).canister == BASE / "c.wasm.gz"

    def test_only_files_have_a_place(self) -> None:
        settings = BenchSettings().with_texts({"app": "echo", "did": "service : {}"}, BASE)
        assert (settings.canister, settings.did) == ("echo", "service : {}")
        assert settings.changed({"did": "my.did"}, BASE).did == BASE / "my.did"


class TestMistakes:
    def test_no_canister(self) -> None:
        with pytest.raises(ArgumentValueError, match="--icws-wasm my_canister.wasm"):
            _ = BenchSettings().canister

    @pytest.mark.parametrize(
        ("texts", "said"),
        [
            ({"time": "slow"}, "one of virtual, paused, scaled, not 'slow'"),
            ({"time_scale": "fast"}, "icws_time_scale must be a number"),
            ({"seed": "1.5"}, "icws_seed must be a number"),
            ({"wasm": "canister.py"}, "not a compiled canister"),
        ],
    )
    def test_wrong_values(self, texts: dict[str, str], said: str) -> None:
        with pytest.raises(ArgumentValueError, match=said):
            BenchSettings().with_texts(texts, BASE)

    def test_unknown_names(self) -> None:
        changes: dict[str, Any] = {"acks": 1}
        with pytest.raises(ArgumentValueError, match="no setting 'acks'; it has ack_interval_ms"):
            BenchSettings().changed(changes, BASE)
