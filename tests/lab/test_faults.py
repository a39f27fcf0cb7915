from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.faults import Delivery, Faults, RelayFaults, tampered
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.messages import CanisterMessage

MESSAGE = CanisterMessage("key", b"content", b"cert", b"tree").encode()


class TestHonest:
    def test_passes_everything_on_once_and_at_once(self) -> None:
        assert Faults().relay("up", b"frame") == Faults().relay("down", b"frame") == [Delivery(b"frame", 0.0)]


class TestRelayFaults:
    def test_each_fault(self) -> None:
        assert RelayFaults(drop=1.0).relay("down", MESSAGE) == []
        assert RelayFaults(duplicate=1.0).relay("down", MESSAGE) == [Delivery(MESSAGE)] * 2
        assert RelayFaults(delay_ms=70).relay("down", MESSAGE) == [Delivery(MESSAGE, 70)]
        assert RelayFaults(tamper=1.0).relay("down", MESSAGE) == [Delivery(tampered(MESSAGE))]

    def test_one_way_only_and_not_from_the_first_frame_on(self) -> None:
        faults = RelayFaults(drop=1.0, direction="up", spare=2)
        assert [len(faults.relay("up", b"frame")) for _ in range(4)] == [1, 1, 0, 0]
        assert [len(faults.relay("down", b"frame")) for _ in range(4)] == [1, 1, 1, 1]

    def test_both_ways(self) -> None:
        faults = RelayFaults(drop=1.0, direction=None)
        assert faults.relay("up", b"frame") == faults.relay("down", b"frame") == []

    def test_one_seed_gives_one_run(self) -> None:
        def run(seed: int) -> list[int]:
            faults = RelayFaults(drop=0.3, duplicate=0.3, seed=seed)
            return [len(faults.relay("down", MESSAGE)) for _ in range(100)]

        assert run(1) == run(1) != run(2)
        assert set(run(1)) == {0, 1, 2}

    @pytest.mark.parametrize("options", [{"drop": 1.1}, {"tamper": -0.1}, {"duplicate": 2}, {"delay_ms": -1}])
    def test_what_makes_no_sense(self, options: dict[str, Any]) -> None:
        with pytest.raises(LabError):
            RelayFaults(**options)


class TestTampering:
    def test_changes_the_content_alone(self) -> None:
        before, after = CanisterMessage.decode(MESSAGE), CanisterMessage.decode(tampered(MESSAGE))
        assert after.content == b"contenu"
        assert (after.key, after.cert, after.tree) == (before.key, before.cert, before.tree)

    @pytest.mark.parametrize("frame", [b"", b"garbage", CanisterMessage("key", b"", b"", b"").encode()])
    def test_leaves_alone_what_has_no_content(self, frame: bytes) -> None:
        assert tampered(frame) == frame
