"""The parameters' defaults, and values that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol.canister import CdkConfig
from icws_explore.protocol.errors import ArgumentValueError


class TestDefaults:
    def test_are_those_of_the_cdk(self) -> None:
        config = CdkConfig()
        assert (config.max_messages, config.send_ack_interval_ms, config.keep_alive_timeout_ms) == (50, 300_000, 60_000)
        assert config.enforce_minimum


class TestInvalidValues:
    @pytest.mark.parametrize(
        ("field", "value"),
        [("flavour", "c"), ("max_messages", -1), ("send_ack_interval_ms", 0), ("keep_alive_timeout_ms", 0)],
    )
    def test_are_refused_by_name(self, field: str, value: Any) -> None:
        with pytest.raises(ArgumentValueError, match=field):
            CdkConfig(**{field: value})
