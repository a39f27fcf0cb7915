from __future__ import annotations

import pytest

from icws_explore.lab.replica.admission import canister_not_found, canister_stopped, format_time, no_management_method
from icws_explore.protocol.principal import Principal

CANISTER = Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai")


class TestTimes:
    """As the replica prints them: see the texts quoted in icp-js-core's tests for syncTime."""

    @pytest.mark.parametrize(
        ("time_ns", "text"),
        [
            (1746143718005285297, "2025-05-01 23:55:18.005285297 UTC"),
            (1746103080000000000, "2025-05-01 12:38:00 UTC"),
            (1746103080393000000, "2025-05-01 12:38:00.393 UTC"),
            (1746103080393200000, "2025-05-01 12:38:00.393200 UTC"),
            (0, "1970-01-01 00:00:00 UTC"),
            (2**64 - 1, "2554-07-21 23:34:33.709551615 UTC"),
        ],
    )
    def test_have_groups_of_three_decimals(self, time_ns: int, text: str) -> None:
        assert format_time(time_ns) == text


class TestRejects:
    def test_carry_the_codes_of_the_interface_specification(self) -> None:
        rejects = [canister_not_found(CANISTER), canister_stopped(CANISTER), no_management_method("create_canister")]
        assert [(reject.code, reject.error_code) for reject in rejects] == [
            (3, "IC0301"),
            (5, "IC0508"),
            (5, "IC0536"),
        ]
        assert rejects[0].text == "Canister bnz7o-iuaaa-aaaaa-qaaaa-cai not found"
